"""Levels of centres (省、市、站): a parent hands down the factor of the boundary, a child hands up its sums."""
