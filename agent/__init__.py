"""The gateway: reads meters, keeps energy and carbon exactly, and hands every record to the centre once."""
