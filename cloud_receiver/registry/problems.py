"""What can't be in a registry: names that mean two meters, meters that can't measure what they are said to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Final

from cloud_receiver.registry.meter import Measures, Meter, Role
from cloud_receiver.registry.station import Registry, Station


def _repeated(key: str, station: Station) -> list[str]:
    """Find meters that share a name: one may follow the other, on another gateway (a move)."""
    groups: dict[str, list[Meter]] = {}
    for meter in station.meter:
        groups.setdefault(meter.id, []).append(meter)
    problems = []
    for name, group in groups.items():
        pairs = list(combinations(group, 2))
        if any(one.meets(other) for one, other in pairs):
            problems.append(f"{key}.meter[{name}]: is there {len(group)} times at once, expected once")
        elif any(one.gateway == other.gateway for one, other in pairs):
            text = f"is there {len(group)} times with one gateway, expected a name for each meter"
            problems.append(f"{key}.meter[{name}]: {text}")
    return problems


def _called_twice(key: str, station: Station) -> list[str]:
    """Find names by which orders would mean two chargers at once."""
    named: dict[str, list[Meter]] = {}
    for meter in station.meters(Role.CHARGER):
        for name in dict.fromkeys((meter.id, *meter.connectors)):
            named.setdefault(name, []).append(meter)
    return [
        f"{key}.meter[{two[0].id}].connectors: {name!r} is {two[1].id} as well, expected one charger"
        for name, group in named.items()
        for two in combinations(group, 2)
        if two[0].id != two[1].id and two[0].meets(two[1])
    ]


_MEASURED_BY: Final[Mapping[str, Role]] = {
    "generator": Role.GENERATION,
    "branch": Role.FLOW,
    "storage": Role.FLOW,
}


_SLOT_S: Final = 900
_LONGER_S: Final = (1200, 1800, 3600)
"""Those that divide an hour, over which a station's balance is made then."""


def _unfit(key: str, meter: Meter) -> list[str]:
    """Find what does not fit a meter's records."""
    problems = []
    if _SLOT_S % meter.interval_s and meter.interval_s not in _LONGER_S:
        expected = f"expected a divisor of {_SLOT_S} (a slot of 15 minutes), or {', '.join(map(str, _LONGER_S))}"
        problems.append(f"{key}.meter[{meter.id}].interval_s: {expected}; found {meter.interval_s}")
    if meter.make is not None and meter.role is not Role.CHARGER:
        problems.append(f"{key}.meter[{meter.id}].make: expected of chargers only, found a {meter.role} meter")
    if meter.only_orders and meter.role is not Role.CHARGER:
        problems.append(f"{key}.meter[{meter.id}].only_orders: expected of chargers only, found a {meter.role} meter")
    if (meter.connectors or meter.order_class_percent is not None) and meter.role is not Role.CHARGER:
        expected = "expected connectors and order_class_percent of chargers only"
        problems.append(f"{key}.meter[{meter.id}]: {expected}, found a {meter.role} meter")
    if meter.orders_at is not None and meter.role is not Role.CHARGER:
        problems.append(f"{key}.meter[{meter.id}].orders_at: expected of chargers only, found a {meter.role} meter")
    elif meter.orders_at is not None and meter.only_orders:
        expected = "expected dc_output to say it of a charger with only_orders"
        problems.append(f"{key}.meter[{meter.id}].orders_at: {expected}, found {meter.orders_at}")
    return problems


def _misplaced(key: str, station: Station) -> list[str]:
    """Find meters that can't measure what they are said to."""
    problems = []
    for meter in station.meter:
        problems += _unfit(key, meter)
        if meter.role is not Role.CHARGER and (meter.dc_output or meter.class_limit_percent is not None):
            problems.append(
                f"{key}.meter[{meter.id}]: expected class_limit_percent and dc_output of chargers only, "
                f"found a {meter.role} meter"
            )
        if meter.role not in (Role.CHARGER, Role.GRID) and meter.verified:
            problems.append(
                f"{key}.meter[{meter.id}].verified: expected of chargers and grid-side meters only, "
                f"found a {meter.role} meter"
            )
        told = meter.model_fields_set & {"dc_efficiency_percent", "dc_efficiency_uncertainty_percent"}
        if told and not (meter.dc_output or meter.orders_at_output):
            text = f'expected {" and ".join(sorted(told))} with dc_output = true or orders_at = "output", found neither'
            problems.append(f"{key}.meter[{meter.id}]: {text}")
        element = meter.element
        if element is None:
            if meter.role in (Role.GENERATION, Role.FLOW):
                problems.append(
                    f"{key}.meter[{meter.id}].measures: expected the element that a {meter.role} meter measures"
                )
            continue
        roles = (Role.GRID, Role.FLOW) if element.element == "load" else (_MEASURED_BY[element.element],)
        if meter.role not in roles:
            expected = " or ".join(roles)
            text = f"a {element.element} is measured by a meter with the role {expected}, found {meter.role}"
            problems.append(f"{key}.meter[{meter.id}].measures: {text}")
    return problems


def _measured_twice(stations: Sequence[Station]) -> list[str]:
    """Find elements that two meters measure at the same time."""
    groups: dict[Measures, list[Meter]] = {}
    for meter in (meter for station in stations for meter in station.meter):
        if (element := meter.element) is not None:
            groups.setdefault(element, []).append(meter)
    return [
        f"meters {' and '.join(meter.id for meter in group)} both measure {group[0].measures} at the same time, "
        "expected one"
        for group in groups.values()
        if any(one.meets(other) for one, other in combinations(group, 2))
    ]


def problems_of(registry: Registry) -> list[str]:
    """Return every mistake that no section can see alone."""
    problems = [
        f"station[{name}]: is there {count} times, expected once"
        for name, count in Counter(station.id for station in registry.station).items()
        if count > 1
    ]
    owner: dict[str, str] = {}
    for station in registry.station:
        key = f"station[{station.id}]"
        problems += _repeated(key, station)
        problems += _misplaced(key, station)
        problems += _called_twice(key, station)
        for meter in station.meter:
            if owner.setdefault(meter.gateway, station.id) != station.id:
                other = f"gateway {meter.gateway} already serves station {owner[meter.gateway]}, expected one station"
                problems.append(f"{key}.meter[{meter.id}].gateway: {other}")
    problems += _measured_twice(registry.station)
    return problems
