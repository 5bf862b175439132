"""Validation and estimation of readings (数据校核与估补): rules judge what is stored, estimates stand beside it."""
