"""A night that adds what came since the last one to what all windows add up to, and says the same as with all of them.

Sums know nothing of residuals, which may speak against an estimate. So they go on saying what was said of a charger
the night before, or that it is undetermined; anything else all windows must say. What they found goes on being found
until they are taken again, where it changes neither windows nor what estimates rest on (`carried.goes_on`).
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine

from cloud_receiver import row_counts
from cloud_receiver.checks.model import Context
from cloud_receiver.estimation import branch_findings, cycle, orders
from cloud_receiver.estimation.branches import Branches, decoded
from cloud_receiver.estimation.carried import Carried, carried, goes_on
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.facts import facts_in
from cloud_receiver.estimation.fleet.store import told_last
from cloud_receiver.estimation.last_night import LastNight
from cloud_receiver.estimation.load import DAY_MS, Reader
from cloud_receiver.estimation.model import Facts, setup
from cloud_receiver.estimation.noticed import level
from cloud_receiver.estimation.orders import Orders
from cloud_receiver.estimation.registers import inverted
from cloud_receiver.estimation.result import StationResult, result
from cloud_receiver.estimation.store import State
from cloud_receiver.estimation.windows import build
from diantan_core import EstimationError

_SHORT_MS: Final = DAY_MS // 4
"""Before yesterday's windows: where it is too short for a register, all windows are taken."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is known before any reading is looked at, of one state of the store."""

    through_ms: int
    last: LastNight
    state: State
    told: Carried
    branches: Branches
    facts: Facts
    rows: int
    """Of the time before `through_ms`. What comes while readings are read is none of them: it is late data."""
    sold: Orders


def begin(
    connection: Connection, context: Context, settings: Estimation, last: LastNight, state: State, *, through_ms: int
) -> Beginning | None:
    """Return what a day is added by; None where all windows must be taken: their time has come, or there is late data.

    Likewise where chargers are known by their orders only: which windows match, all of them together say.
    """
    zone, every = context.station.timezone, settings.full_every_days
    over = cycle.is_over(context.number, zone, state.full_ms, through_ms, every)
    if over or not goes_on(last.findings) or orders.only_orders(context):
        return None
    told, branches = carried(last), decoded(state.branches)
    if told is None or branches is None:  # by another version
        return None
    before, rows = row_counts.before(connection, context.number, state.through_ms, through_ms)
    if before != state.rows:
        return None
    facts = facts_in(connection, context, state.first_ms, through_ms)
    sold = orders.read(connection, context, state.end_ms, through_ms)
    return Beginning(through_ms, last, state, told, branches, facts, rows, sold)


def add(
    engine: Engine, context: Context, settings: Estimation, known: Beginning
) -> Generator[None, None, tuple[StationResult, State] | None]:
    """Add what came since; yields between steps. None where all windows must be taken: what is told is another."""
    state, last, through_ms = known.state, known.last, known.through_ms
    expected = told_last(last.about, settings)
    span = state.first_ms, through_ms
    made = setup(context, settings, known.facts, *span, branches=known.branches, expected=expected)
    if made.digest != state.digest or made.first_ms != state.first_ms:
        return None
    span = state.end_ms - _SHORT_MS, through_ms
    reader = Reader(engine, context.number, *span, inverted=inverted(context))
    for _ in reader.days():
        yield
    found = build(context, reader.registers, state.end_ms, through_ms, made.chargers, orders=known.sold)
    if not found.begins or through_ms - (found.end_ms or state.end_ms) >= DAY_MS:
        return None  # not known, or held up: all windows show by what
    try:
        sums = made.estimator.restore(state.state)
    except EstimationError:  # kept by another version of the core
        return None
    sums.push(found.windows)
    estimation = sums.estimate()
    said = result(
        context,
        made,
        estimation,
        full=False,
        breaks=found.breaks,
        unsynchronised=reader.unsynchronised,
        halves=last.halves if settings.split_halves else None,
        own_factors=known.told.factors,
        noticed=(
            *known.told.beside(estimation),
            *level(made, estimation),
            *branch_findings.noticed(context, made, settings),
        ),
    )
    said = known.told.standing(said)
    decided = last.decisions
    if any(one.decision not in ("undetermined", decided.get(one.number)) for one in said.chargers):
        return None
    assert sums.end_ms is not None
    times = (state.first_ms, sums.end_ms, through_ms, state.full_ms)
    return said, State(*times, made.digest, known.rows, sums.state, state.branches)
