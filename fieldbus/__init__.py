"""A line seen from the master (主站侧): one bus per line, what carries it, and a driver for each protocol."""
