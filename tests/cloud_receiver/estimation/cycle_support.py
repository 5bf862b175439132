"""Nights whose kind a test decides: no station's own day for all windows comes in between."""

SELDOM = 80
"""`full_every_days` by which stations 1 to 37 have no day of their own before 12 August 2026, weeks after these tests:
a night that takes all windows then does it because of what the test did."""
