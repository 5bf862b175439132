"""What a station's night leaves in the store: its estimate, what the next night goes on from, what is to be done."""

import logging

from sqlalchemy import Engine

from cloud_receiver.checks.model import Context
from cloud_receiver.database import writing
from cloud_receiver.estimation import branch_life, overlooked, store, suspects, unjudged
from cloud_receiver.estimation.branch_findings import HOT
from cloud_receiver.estimation.fleet import store as fleet_store
from cloud_receiver.estimation.run import Done

log = logging.getLogger(__name__)


def keep_night(engine: Engine, context: Context, done: Done, now_ms: int) -> None:
    """Keep a station's estimate, all of it or nothing."""
    with writing(engine) as connection:
        result = unjudged.counted(done.result, store.said_last(connection, context.number), now_ms)
        store.keep(connection, context.number, result, now_ms)
        if done.state is not None:
            store.keep_state(connection, context.number, done.state)
        if done.result.full:
            fleet_store.keep_view(connection, context.number, done.view)
        opened, closed = suspects.update_candidates(connection, context, result, now_ms)
        overlooked.update_unjudged(connection, context, result, now_ms)
        branch_life.update_branches(connection, context, result, now_ms)
    if opened or closed:
        log.info("station %s: %d candidates for re-verification opened, %d closed", context.station.id, opened, closed)
    if result.full:
        hot = [name for item in result.findings if item.name == HOT for name in item.meters]
        for name in hot:
            log.warning("station %s: the branch of %s loses far more than it should", context.station.id, name)
