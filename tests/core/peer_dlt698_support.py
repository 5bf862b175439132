"""The meter that ours and the package `dlt698` 1.0.1 are to each other.

The package's `ServerAddress` holds an address as the line does, the other way round than people write it.
"""

from typing import Any

from dlt698 import Oad

METER = "060504030201"
WIRE = bytes.fromhex("010203040506")
LIMIT_S = 20
ENERGY, VOLTAGE = 0x00100200, 0x20000200
ENERGIES = (123456, 12345, 23456, 34567, 53088)
VOLTAGES = (2203, 2211, 2198)

Apdu = tuple[str, Any]


def oad(number: int) -> Oad:
    """Return an OAD of ours as the package has it."""
    return Oad(oi=number >> 16, attribute=number >> 8 & 0xFF, index=number & 0xFF)


def get(number: int, piid: int = 1) -> Apdu:
    """Return a request of ours for one object."""
    return ("get_request", ("normal", {"piid": piid, "oad": number, "time_tag": None}))
