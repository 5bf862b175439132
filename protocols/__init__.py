"""What the frames on a meter's line say, whoever sends them: Modbus, DL/T 645 and DL/T 698.45 for people to read."""
