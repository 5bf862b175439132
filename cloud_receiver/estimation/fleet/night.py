"""What stations say together, night after night: read, solved, kept, and told to each; step by step."""

import logging
from collections.abc import Generator, Iterator, Sequence
from typing import Final

from sqlalchemy import Engine

from cloud_receiver.checks.model import Context
from cloud_receiver.database import reading, writing
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.fleet import store
from cloud_receiver.estimation.fleet.finding import update_makes
from cloud_receiver.estimation.fleet.gather import Fleet, Member, Spread, counts_of, gathering, member
from cloud_receiver.estimation.fleet.results import NAMED, results
from cloud_receiver.estimation.fleet.solve import Known, Solution, solving
from cloud_receiver.estimation.fleet.steps import last
from cloud_receiver.estimation.fleet.store import Pair
from cloud_receiver.estimation.fleet.told import Told, expected, told

log = logging.getLogger(__name__)

DAY_MS: Final = 86_400_000
_AT_ONCE: Final = 100


def nightly(engine: Engine, contexts: Sequence[Context], settings: Estimation, now_ms: int) -> Iterator[None]:
    """Solve for all makes, keep what is found and what each station is told; yields between steps.

    ArithmeticError for what can't be solved: then all stays as it was.
    """
    ours = settings.fleet
    members = yield from _members(engine, contexts, ours.days, now_ms)
    spread = Spread(float(settings.sound_percent), float(ours.station_percent))
    fleet = yield from last(gathering(members, spread))
    zones = {item.number: item.station.timezone for item in contexts}
    limit = float(ours.biased_percent)
    if not fleet.makes:
        with writing(engine) as connection:
            store.keep_told(connection, {}, now_ms)
            update_makes(connection, [], zones, limit / 100, now_ms)
        return
    known = Known(float(ours.make_percent), float(ours.operator_percent), float(ours.master_bias_percent))
    solution = yield from last(solving(fleet.levels, len(fleet.makes), known))
    heard = yield from _heard(fleet, members, solution, told(solution, ours.stations, spread.station))
    makes = yield from last(results(fleet, solution, members, {item.number: item for item in contexts}, limit))
    speaking = sum(level.speaks for level in fleet.levels)
    content = {
        "stations": speaking,
        "makes": len(fleet.makes),
        "left_out": list(fleet.left_out[:NAMED]),
        "cohort_sd_percent": solution.cohort,
        "operator_sd_percent": solution.operator if solution.several else None,
        "master_bias_percent": known.bias,
        "rounds": solution.rounds,
        "told": len(heard),
    }
    with writing(engine) as connection:
        store.keep_told(connection, heard, now_ms)
        store.keep_night(connection, store.Night(now_ms, content), makes)
        opened, closed = update_makes(connection, makes, zones, limit / 100, now_ms)
    log.info("errors of %d makes known from %d stations", len(fleet.makes), speaking)
    if fleet.left_out:
        log.warning("%d makes beyond the %d of the most chargers left out", len(fleet.left_out), len(fleet.makes))
    if opened or closed:
        log.info("makes that are off: %d findings opened, %d closed", opened, closed)


def _members(
    engine: Engine, contexts: Sequence[Context], days: int, now_ms: int
) -> Generator[None, None, list[Member]]:
    members: list[Member] = []
    for place in range(0, len(contexts), _AT_ONCE):
        some = contexts[place : place + _AT_ONCE]
        with reading(engine) as connection:
            views = store.views(connection, [item.number for item in some], now_ms - days * DAY_MS)
        members += [member(item, views.get(item.number), now_ms) for item in some]
        yield
    return members


def _heard(
    fleet: Fleet, members: Sequence[Member], solution: Solution, each: Iterator[Told | None]
) -> Generator[None, None, dict[int, Pair]]:
    """Return what each station is told of the mean error of its chargers."""
    places = {make: place for place, make in enumerate(fleet.makes)}
    by_number = {one.station: one for one in members}
    heard: dict[int, Pair] = {}
    for turn, found in enumerate(each):
        if turn % _AT_ONCE == 0:
            yield
        if found is None:
            continue
        counts, unheard = counts_of(by_number[found.station], places)
        pair = expected(found, counts, unheard, solution.cohort)
        if pair is not None:
            heard[found.station] = pair
    return heard
