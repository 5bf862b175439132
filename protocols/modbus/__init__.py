"""Modbus over serial lines (RTU) and over TCP (MBAP)."""
