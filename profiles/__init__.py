"""Meter models as data: which point stands where, how it is encoded, and how to read a meter in the fewest requests."""

from profiles.loader import load, names
from profiles.model import Block, Command, Point, Problem, Profile, ProfileError

__all__ = ["Block", "Command", "Point", "Problem", "Profile", "ProfileError", "load", "names"]
