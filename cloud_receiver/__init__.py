"""The monitoring centre: takes signed records in exactly once, checks them, dispatches factors."""
