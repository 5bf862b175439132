"""The drivers: each asks the meters of one protocol on a line's bus."""
