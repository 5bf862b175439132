"""Where on its line a meter is: a Modbus unit, or the communication address (通信地址) of a DL/T meter."""

from collections.abc import Set as AbstractSet
from typing import Final, Protocol

from fieldbus.drivers.base import Address
from fieldbus.lines import Line, ModbusTcpLine
from profiles import Profile

_ADDRESS_DIGITS: Final = 12  # DL/T 645-2007: six octets BCD; a DL/T 698.45 server address has as many by default


class Placed(Protocol):
    """A table of a configuration that says where a meter is."""

    @property
    def unit(self) -> int:
        """The unit of a Modbus meter."""

    @property
    def address(self) -> str | None:
        """The address of a DL/T meter, leading zeros left out or not."""

    @property
    def model_fields_set(self) -> AbstractSet[str]:
        """Which keys were given."""


def address_of(meter: Placed, protocol: str) -> Address:
    """Return where a driver finds the meter: a Modbus unit, or the digits of its communication address in full."""
    return meter.unit if protocol == "modbus" else (meter.address or "").lower().zfill(_ADDRESS_DIGITS)


def unaddressed(line: Line, meter: Placed, profile: Profile) -> list[str]:
    """Return what keeps a meter from being asked on this line, each as `key: why`."""
    protocol = profile.protocol
    problems = []
    if isinstance(line, ModbusTcpLine) and protocol != "modbus":
        problems.append(f"profile: {profile.name} is for {protocol}, transport 'modbus-tcp' carries modbus")
    if protocol == "modbus":
        if meter.address is not None:
            problems.append("address: a Modbus meter has a unit")
        return problems
    if "unit" in meter.model_fields_set:
        problems.append(f"unit: a meter on {protocol} has an address")
    if meter.address is None:
        problems.append(f"address: is missing; a meter on {protocol} has one of up to {_ADDRESS_DIGITS} digits")
    elif protocol == "dlt645" and not (meter.address.isdecimal() and len(meter.address) <= _ADDRESS_DIGITS):
        problems.append(f"address: expected 1 to {_ADDRESS_DIGITS} digits, got {meter.address!r}")
    elif len(meter.address) > _ADDRESS_DIGITS and len(meter.address) % 2:
        problems.append(f"address: expected whole octets, two hexadecimal digits each, got {meter.address!r}")
    return problems
