"""Completeness and timeliness (完整率、及时率) of readings, by gateway, station and operator."""
