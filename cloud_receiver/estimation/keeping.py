"""What a station's night leaves in the store: its estimate, what the next night goes on from, what is to be done."""

import logging
from collections.abc import Sequence
from typing import Final

from sqlalchemy import BigInteger, ColumnClause, Connection, Engine, bindparam, literal_column, select, union_all

from cloud_receiver.checks.model import Context
from cloud_receiver.database import writing
from cloud_receiver.estimation import branch_life, last_night, overlooked, store, suspects, unjudged
from cloud_receiver.estimation.branch_findings import HOT
from cloud_receiver.estimation.fleet import store as fleet_store
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.estimation.run import Done
from cloud_receiver.finding_life import CLOSED, Row
from cloud_receiver.schema import finding
from diantan_core import day_start_ms

log = logging.getLogger(__name__)

_KINDS: Final = (suspects.KIND, overlooked.KIND, *branch_life.KINDS.values())
_CLOSED: Final[ColumnClause[str]] = literal_column(f"'{CLOSED}'")
_OURS: Final = select(finding).where(
    finding.c.station == bindparam("station", type_=BigInteger), finding.c.kind.in_(_KINDS)
)
# The first condition is that of the index, to the letter.
_FINDINGS: Final = union_all(
    _OURS.where(finding.c.state != _CLOSED),
    _OURS.where(finding.c.day_ms == bindparam("day_ms", type_=BigInteger), finding.c.state == _CLOSED),
)


def _findings(connection: Connection, context: Context, end_ms: int) -> Sequence[Row]:
    """Return the findings of estimates that are open, or of the last day, in the order in which they were opened."""
    day_ms = day_start_ms(end_ms - 1, context.station.timezone)
    rows = connection.execute(_FINDINGS, {"station": context.number, "day_ms": day_ms})
    return sorted(rows, key=lambda row: row.id)


def keep_nights(engine: Engine, nights: Sequence[tuple[Context, Done]], now_ms: int) -> None:
    """Keep stations' estimates, all of them or nothing: what is written to the disk at once costs it once."""
    with writing(engine) as connection:
        kept = [(context, *_keep(connection, context, done, now_ms)) for context, done in nights]
    for context, result, opened, closed in kept:
        name = context.station.id
        if opened or closed:
            log.info("station %s: %d candidates for re-verification opened, %d closed", name, opened, closed)
        if result.full:
            hot = [meter for item in result.findings if item.name == HOT for meter in item.meters]
            for meter in hot:
                log.warning("station %s: the branch of %s loses far more than it should", name, meter)


def _keep(connection: Connection, context: Context, done: Done, now_ms: int) -> tuple[StationResult, int, int]:
    """Keep a station's estimate; return it as it was kept, and how many candidates it opened and closed."""
    before = done.before
    if before is None or before.made_ms != last_night.made_ms(connection, context.number, now_ms):
        before = last_night.read(connection, context.number, now_ms)  # another process was faster
    result = unjudged.counted(done.result, before, now_ms)
    store.keep(connection, context.number, result, now_ms)
    if done.state is not None:
        store.keep_state(connection, context.number, done.state)
    if done.result.full:
        fleet_store.keep_view(connection, context.number, done.view)
    rows = _findings(connection, context, result.end_ms)
    opened, closed = suspects.update_candidates(connection, context, result, now_ms, stored=rows)
    overlooked.update_unjudged(connection, context, result, now_ms, stored=rows)
    branch_life.update_branches(connection, context, result, now_ms, stored=rows)
    return result, opened, closed
