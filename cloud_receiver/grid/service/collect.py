"""Collection (采集): all that is known of a slot, from gateways' records and from telemetry, in the order of the grid.

A gateway's record is signed and measured by a meter whose class is known: where there is one that covers the slot, it
counts, and telemetry of the same element is not looked at. Of telemetry the value that came last counts. What can't be
is flagged and counts as missing; all else goes on.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection

from cloud_receiver.grid import telemetry
from cloud_receiver.grid.kept import FLOW, LOAD, SOURCE, TANK, Powers
from cloud_receiver.grid.model import Element, quoted_id
from cloud_receiver.grid.service.plan import Plan, Variable
from cloud_receiver.grid.service.records import Metering, MeteringError, Records
from cloud_receiver.grid.snapshot import (
    MAX_FACTOR,
    MAX_MEGAWATTS,
    Charge,
    Demand,
    EndPowers,
    EndRegisters,
    Generation,
    Measurement,
    emission_beyond,
    value_mistakes,
)
from cloud_receiver.grid.telemetry import Received

HOURS: Final = 0.25
_MWH_PER_MEGAWATT: Final = 1e9 * HOURS  # mWh of a slot for a mean power of 1 MW
_UG_PER_TONNE_PER_HOUR: Final = 1e12 * HOURS
_ELEMENTS: Final = (Element.BRANCH, Element.GENERATOR, Element.LOAD, Element.STORAGE)
_MOST_FLAGS: Final = 1000


@dataclass
class Collected:
    """What was measured in a slot; tanks of storages are as telemetry has them, or empty."""

    start_ms: int
    powers: Powers
    metered: dict[Variable, float] = field(default_factory=dict)
    """Variance in MW² that class and register step of the meters explain, of what gateways measured."""
    doubtful: set[Variable] = field(default_factory=set)
    flags: list[tuple[str, str]] = field(default_factory=list)
    """Element, and why what came of it was not taken."""
    told: int = 0
    """Values that were taken."""

    def flag(self, where: str, text: str) -> None:
        """Note what was not taken."""
        if len(self.flags) < _MOST_FLAGS:
            self.flags.append((where, text))


class Collector:
    """Collects the slots of a span."""

    def __init__(
        self, connection: Connection, plan: Plan, first_ms: int, end_ms: int, max_factor: float = MAX_FACTOR
    ) -> None:
        """TelemetryError when the store's telemetry can't be read."""
        self._plan = plan
        self._max_factor = max_factor
        self._records = Records(connection, plan.meters.values(), first_ms, end_ms)
        self._told = telemetry.between(connection, first_ms, end_ms)

    def slot(self, start_ms: int) -> Collected:
        """Return what was measured in a slot."""
        collected = Collected(start_ms, Powers.missing(self._plan.grid, HOURS))
        opened = self._take_telemetry(collected, self._told.get(start_ms, ()))
        self._take_records(collected)
        flows = collected.powers.flows
        for place in opened:
            flows[FLOW * place : FLOW * place + FLOW] = array("d", (0.0,) * FLOW)
        if opened:
            powers = collected.powers
            collected.powers = Powers(
                powers.hours, flows, powers.sources, powers.loads, powers.storages, frozenset(opened)
            )
        return collected

    def _take_telemetry(self, collected: Collected, told: Sequence[Received]) -> set[int]:
        """Enter telemetry; return the places of open branches."""
        values: dict[tuple[Element, str], Measurement] = {}
        opened: set[str] = set()
        for item in told:
            if item.snapshot.hours != HOURS:
                collected.flag(f"feed {item.feed}", f"expected slots of {HOURS} h, found {item.snapshot.hours:g}")
                continue
            for element in _ELEMENTS:
                values.update(((element, name), value) for name, value in item.snapshot.of(element).items())
            opened -= item.snapshot.flows.keys()
            opened |= item.snapshot.open_branches
        places = self._plan.places
        for (element, name), value in values.items():
            place = places[element].get(name)
            where = f"{element} {quoted_id(name)}"
            if place is None:
                collected.flag(where, "is measured and is not in the grid of this slot")
                continue
            if mistake := next(value_mistakes(value, self._max_factor), None):
                collected.flag(where, f"{mistake[1]}: {mistake[2]}")
                continue
            if isinstance(value, Generation) and (too_much := emission_beyond(value, self._max_factor)):
                collected.flag(where, too_much)
                continue
            collected.told += 1
            _enter(collected.powers, place, value)
        for name in sorted(opened - places[Element.BRANCH].keys()):
            collected.flag(f"branch {quoted_id(name)}", "is open and is not in the grid of this slot")
        return {places[Element.BRANCH][name] for name in opened if name in places[Element.BRANCH]}

    def _take_records(self, collected: Collected) -> None:
        start_ms = collected.start_ms
        for variable, group in self._plan.metered.items():
            found: list[Metering] = []
            variance = 0.0
            expected = [item for item in group if item.meter.in_service(start_ms)]
            for item in expected:
                try:
                    metering = self._records.of(item, start_ms)
                except MeteringError as error:
                    collected.flag(self._plan.label(variable), f"meter {item.meter.id}: {error}")
                    continue
                if metering is not None:
                    found.append(metering)
                    megawatts = (metering.forward_mwh + metering.reverse_mwh) / _MWH_PER_MEGAWATT
                    accuracy = float(item.meter.accuracy_class) / 100 * megawatts
                    step = float(item.meter.resolution_kwh) / 1000 / HOURS
                    # A limit is a rectangular distribution; a difference of two register readings a triangular one.
                    variance += accuracy**2 / 3 + step**2 / 6
            if not expected or len(found) < len(expected):
                continue
            total = Metering(
                sum(item.forward_mwh for item in found),
                sum(item.reverse_mwh for item in found),
                found[0].emission_ug,
                any(item.doubtful for item in found),
            )
            if total.forward_mwh < 0 or total.reverse_mwh < 0:
                collected.flag(self._plan.label(variable), "an energy is negative")
                continue
            if (most := max(total.forward_mwh, total.reverse_mwh) / _MWH_PER_MEGAWATT) > MAX_MEGAWATTS:
                expected_most = f"expected at most {MAX_MEGAWATTS:g} MW"
                collected.flag(self._plan.label(variable), f"{expected_most}, found energy of {most:.6g} MW")
                continue
            if self._enter_metering(collected, variable, total):
                collected.told += 1
                collected.metered[variable] = variance
                if total.doubtful:
                    collected.doubtful.add(variable)

    def _enter_metering(self, collected: Collected, variable: Variable, total: Metering) -> bool:
        element, place, end = variable
        powers = collected.powers
        forward, reverse = total.forward_mwh / _MWH_PER_MEGAWATT, total.reverse_mwh / _MWH_PER_MEGAWATT
        net = (total.forward_mwh - total.reverse_mwh) / _MWH_PER_MEGAWATT
        if element is Element.BRANCH:
            at = FLOW * place + 2 * end
            powers.flows[at : at + 2] = array("d", (forward, reverse))
        elif element is Element.LOAD:
            # A factor with which it feeds in is telemetry's to tell.
            powers.loads[LOAD * place] = net
        elif element is Element.STORAGE:
            at = TANK * place
            powers.storages[at : at + 2] = array("d", (forward, reverse))
        else:
            return self._enter_generation(collected, variable, net, total.emission_ug)
        return True

    def _enter_generation(self, collected: Collected, variable: Variable, net: float, emission_ug: int | None) -> bool:
        label, place, powers = self._plan.label(variable), variable[1], collected.powers
        if emission_ug is None:
            # Telemetry may know the unit's factor; its power is the meter's.
            powers.sources[SOURCE * place] = net
            if all(isnan(value) for value in powers.sources[SOURCE * place + 1 : SOURCE * place + SOURCE]):
                collected.flag(label, "its emission is not known")
            return True
        emission = emission_ug / _UG_PER_TONNE_PER_HOUR
        if emission < 0:
            collected.flag(label, f"a negative emission of {emission_ug} µg")
            return False
        if too_much := emission_beyond(Generation(net, emission=emission), self._max_factor):
            collected.flag(label, too_much)
            return False
        if net <= 0 and emission > 0:
            collected.flag(label, f"emitted {emission:.6g} t/h and fed nothing in: no power carries it")
        missing = float("nan")
        values = (net, missing, emission) if net > 0 else (net, missing, missing)
        powers.sources[SOURCE * place : SOURCE * place + SOURCE] = array("d", values)
        return True


def _enter(powers: Powers, place: int, value: Measurement) -> None:
    missing = float("nan")

    def told(*numbers: float | None) -> tuple[float, ...]:
        return tuple(missing if number is None else number + 0.0 for number in numbers)  # -0.0 is 0.0

    match value:
        case EndRegisters():
            numbers = told(*(value.from_in_megawatts, value.from_out_megawatts))
            numbers += told(*(value.to_in_megawatts, value.to_out_megawatts))
            powers.flows[FLOW * place : FLOW * place + FLOW] = array("d", numbers)
        case EndPowers():
            numbers = told(*_both_ways(value.from_megawatts), *_both_ways(value.to_megawatts))
            powers.flows[FLOW * place : FLOW * place + FLOW] = array("d", numbers)
        case Generation():
            numbers = told(value.megawatts, value.factor, value.emission)
            powers.sources[SOURCE * place : SOURCE * place + SOURCE] = array("d", numbers)
        case Demand():
            powers.loads[LOAD * place : LOAD * place + LOAD] = array("d", told(value.megawatts, value.factor))
        case Charge():
            numbers = told(value.charge_megawatts, value.discharge_megawatts)
            numbers += told(value.charge_efficiency, value.discharge_efficiency, value.stored_megawatt_hours)
            numbers += told(value.stored_tonnes, value.unknown_megawatt_hours)
            powers.storages[TANK * place : TANK * place + TANK] = array("d", numbers)


def _both_ways(power: float | None) -> tuple[float | None, float | None]:
    if power is None:
        return None, None
    return (power, 0.0) if power > 0 else (0.0, -power)


def missing(plan: Plan, powers: Powers) -> Iterator[Variable]:
    """Yield the net powers that are not there."""
    for variable in plan.variables:
        if is_missing(powers, variable):
            yield variable


def is_missing(powers: Powers, variable: Variable) -> bool:
    """Return whether a net power, or one of its registers, is not there."""
    element, place, end = variable
    if element is Element.BRANCH:
        at = FLOW * place + 2 * end
        pair = powers.flows[at] + powers.flows[at + 1]
        return isnan(pair)
    if element is Element.STORAGE:
        pair = powers.storages[TANK * place] + powers.storages[TANK * place + 1]
        return isnan(pair)
    power = powers.sources[SOURCE * place] if element is Element.GENERATOR else powers.loads[LOAD * place]
    return isnan(power)


def with_tanks(
    powers: Powers,
    tanks: Mapping[int, Sequence[float]],
    efficiencies: Mapping[int, Sequence[float]] = MappingProxyType({}),
) -> Powers:
    """Return a slot's measurements with what its storages hold when it begins, by place: energy, carbon, unknown.

    Efficiencies that nobody has told are those of before, or 1: a power that is found from others needs them.
    """
    storages = powers.storages[:]
    for place in range(len(storages) // TANK):
        at = TANK * place
        if place in tanks:
            storages[at + 4 : at + TANK] = array("d", tanks[place])
        defaults = (*efficiencies.get(place, (1.0, 1.0)), 0.0, 0.0, 0.0)
        for offset, number in enumerate(defaults, at + 2):
            if isnan(storages[offset]):
                storages[offset] = number
    return Powers(powers.hours, powers.flows, powers.sources, powers.loads, storages, powers.open_branches)
