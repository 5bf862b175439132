"""Meters on Modbus: values in registers, read by functions 3 and 4."""
