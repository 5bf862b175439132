"""Meter models as data: which point stands where, how it is encoded, and how to read a meter in the fewest requests."""

from profiles.loader import load, names
from profiles.model import Encoding, Point, Problem, Profile, ProfileError, Table, WordOrder, Write

__all__ = [
    "Encoding",
    "Point",
    "Problem",
    "Profile",
    "ProfileError",
    "Table",
    "WordOrder",
    "Write",
    "load",
    "names",
]
