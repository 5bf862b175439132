"""Simulated electricity-carbon meters (电碳表), chargers and stations, served to any Modbus client."""
