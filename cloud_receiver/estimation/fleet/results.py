"""What is kept of each make: its error, how many stations and chargers tell of it, and which of them to verify."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.fleet.finding import VERIFY
from cloud_receiver.estimation.fleet.gather import Fleet, Member, alike
from cloud_receiver.estimation.fleet.levels import Heard
from cloud_receiver.estimation.fleet.operators import AT_ONCE
from cloud_receiver.estimation.fleet.solve import Solution
from cloud_receiver.estimation.fleet.store import MakeResult
from cloud_receiver.estimation.fleet.view import View

NAMED: Final = 100
"""Stations that a make's result names."""


@dataclass(slots=True)
class _Tally:
    stations: list[int] = field(default_factory=list)
    operators: set[str] = field(default_factory=set)
    chargers: int = 0
    judged: int = 0
    flagged: int = 0
    candidates: list[tuple[int, float, int, int]] = field(default_factory=list)
    """Chargers to verify: how near to their station's mean (rank), less the precision of that, station, number."""


def results(
    fleet: Fleet, solution: Solution, members: Sequence[Member], contexts: Mapping[int, Context], limit: float
) -> Iterator[list[MakeResult] | None]:
    """Yield None between steps, and each make's result at the end; `limit`: per cent, beyond it some are verified."""
    tallies = [_Tally() for _ in fleet.makes]
    places = {make: place for place, make in enumerate(fleet.makes)}
    wanted = {place for place in places.values() if abs(solution.make(place)[0]) > limit}
    levels = {level.station: level for level in fleet.levels}
    for turn, one in enumerate(members):
        if turn % AT_ONCE == 0:
            yield None
        _count(tallies, places, one)
        if one.view is not None and one.station in levels:
            for heard in levels[one.station].makes:
                if heard.make in wanted:
                    tallies[heard.make].candidates += _candidates(fleet.makes[heard.make], one, one.view, heard)
    found = []
    for place, tally in enumerate(tallies):
        error, u = solution.make(place)
        content: dict[str, Any] = {
            "at_stations": [contexts[number].station.id for number in tally.stations[:NAMED]],
            "verify": [
                {
                    "station": contexts[station].station.id,
                    "meter": contexts[station].name(meter),
                    "station_number": station,
                    "meter_number": meter,
                }
                for *_, station, meter in sorted(tally.candidates)[:VERIFY]
            ],
        }
        found.append(
            MakeResult(
                fleet.names[fleet.makes[place]],
                error / 100,
                u / 100,
                len(tally.stations),
                len(tally.operators),
                *(tally.chargers, tally.judged, tally.flagged),
                content,
            )
        )
    yield found


def _count(tallies: Sequence[_Tally], places: Mapping[str, int], one: Member) -> None:
    if one.view is None:
        return
    own: dict[int, int] = {}
    for item in one.view.chargers:
        place = places.get(alike(one.makes.get(item.number, "")))
        if place is None:
            continue
        tally = tallies[place]
        tally.judged += item.sound or item.flagged
        tally.flagged += item.flagged
        if item.sound and item.verified is None:
            own[place] = own.get(place, 0) + 1
    for place, count in own.items():
        tallies[place].chargers += count
        tallies[place].stations.append(one.station)
        tallies[place].operators.add(one.operator)


def _candidates(make: str, one: Member, view: View, heard: Heard) -> list[tuple[int, float, int, int]]:
    """Return a station's chargers to verify: sound, and near to what its others of that make show."""
    near = sorted(
        (abs(item.error - heard.mean), item.number)
        for item in view.chargers
        if item.sound and item.verified is None and alike(one.makes.get(item.number, "")) == make
    )
    return [(rank, -heard.precision, one.station, number) for rank, (_, number) in enumerate(near[:VERIFY])]
