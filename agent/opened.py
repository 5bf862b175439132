"""Opening a line for a command (fieldbus.opened)."""

from fieldbus.opened import LONGEST_WAIT_S, connect

__all__ = ["LONGEST_WAIT_S", "connect"]
