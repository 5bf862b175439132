"""Simulated lines: what carries requests to meters and their replies back, over TCP, a pty or a serial port."""
