"""The grid service (电网服务): every 15 minutes from what was measured on the grid to the factor of each node."""
