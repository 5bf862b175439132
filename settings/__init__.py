"""Files that people write: read with a bound, checked as a whole, every mistake told by its key."""
