"""The checks: each a pure function of one slot's or day's data; `runner` feeds them and keeps the findings."""
