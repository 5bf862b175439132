"""Nights whose kind a test decides: no station's own day for all windows comes in between."""

SELDOM = 80
"""`full_every_days` by which stations 1 to 37 have no day of their own from 1 July to 12 August 2026, nor station 1 in
October. A night that takes all windows then does it because of what the test did."""
