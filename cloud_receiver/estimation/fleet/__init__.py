"""The fleet (全网): what the chargers of one make (厂家型号) have in common, told by many stations together."""
