"""What the frames on a meter's line say, whoever sends them: Modbus, DL/T 645 and DL/T 698.45 for people to read."""

from protocols.explain import Explainer, explain
from protocols.explained import Explained, Value
from protocols.hexadecimal import NotHexadecimalError, octets_of
from protocols.split import PROTOCOLS

__all__ = ["PROTOCOLS", "Explained", "Explainer", "NotHexadecimalError", "Value", "explain", "octets_of"]
