"""From a line of the configuration, with its meters, to what carries its requests (fieldbus.connection)."""

from collections.abc import Callable, Collection, Mapping

from agent.config_lines import Line, address_of
from clock import Clock
from fieldbus import connection as fieldbus
from fieldbus.connection import SERIAL_GAP_S, Connection, timing
from fieldbus.drivers.base import Address
from profiles import Profile

__all__ = ["SERIAL_GAP_S", "Connection", "connection", "timing"]


def connection(
    line: Line,
    profiles: Mapping[str, Profile],
    clock: Clock,
    protocols: Collection[str] | None = None,
    *,
    timezone: str = "Asia/Shanghai",
    now_ms: Callable[[], int] | None = None,
    patient: bool = False,
) -> Connection:
    """Return a line's bus and drivers; `profiles` are by meter id.

    There is a driver for each of `protocols`; by default for those that the line's meters speak. For the rest see
    `fieldbus.connection.connection`.
    """
    own = {meter.id: profiles[meter.id] for meter in line.meter if meter.id in profiles}
    wanted = dict.fromkeys(profile.protocol for profile in own.values()) if protocols is None else protocols
    members = {protocol: _by_address(line, own, protocol) for protocol in wanted}
    return fieldbus.connection(line, members, clock, timezone=timezone, now_ms=now_ms, patient=patient)


def _by_address(line: Line, profiles: Mapping[str, Profile], protocol: str) -> dict[Address, Profile]:
    """Return the profiles of the meters that speak a protocol, by their addresses."""
    return {
        address_of(meter, protocol): profiles[meter.id]
        for meter in line.meter
        if meter.id in profiles and profiles[meter.id].protocol == protocol
    }
