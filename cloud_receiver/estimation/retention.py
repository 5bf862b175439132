"""What is kept of means of voltage (电压均值的保存): rows older than a setting are removed, beside the intake.

Only an estimate reads them, and no dispute turns on them: what it said of a branch stays with the estimate, and the
signed messages that they came in stay whole, as do all other records. That they are gone is noted, so that an estimate
of that time can say so.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, delete, select

from clock import Clock
from cloud_receiver import event_rows
from cloud_receiver.database import reading, upsert, writing
from cloud_receiver.estimation.load import DAY_MS
from cloud_receiver.rounds import repeat
from cloud_receiver.schema import event, removal
from wire.records import EventCode

log = logging.getLogger(__name__)

ROWS_AT_ONCE: Final = 500
"""Of one transaction: others wait for it, some 10 ms."""
REST_S: Final = 3600.0  # real time
"""After everything that is old enough was removed."""
GIVE_WAY_S: Final = 0.005
GIVE_WAY_TURNS: Final = 200
_KEY: Final = ("station", "time_ms", "meter", "journal", "sequence")
_MEANS: Final = int(EventCode.VOLTAGE_MEANS)


def kept_from_ms(connection: Connection) -> int | None:
    """Return since when means of voltage are all there, but for what never came; None: none was ever removed."""
    found: int | None = connection.execute(select(removal.c.before_ms).where(removal.c.code == _MEANS)).scalar()
    return found


def remove(engine: Engine, before_ms: int, now_ms: int) -> int:
    """Remove the oldest means of voltage whose last quarter ended before an instant; return how many, 0: none is left.

    At most `ROWS_AT_ONCE`.
    """
    oldest = (
        select(*(event.c[name] for name in _KEY))
        .where(event_rows.MEANS, event.c.time_ms < before_ms)
        .order_by(event.c.time_ms)
        .limit(ROWS_AT_ONCE)
    )
    with reading(engine) as connection:
        if connection.execute(oldest.limit(1)).first() is None:
            return 0  # mostly: no other writer need wait for that
    with writing(engine) as connection:
        rows = connection.execute(oldest).all()  # anew: another receiver may have been at it
        same = (event.c[name] == bindparam(f"old_{name}") for name in _KEY)
        keys = [{f"old_{name}": value for name, value in row._mapping.items()} for row in rows]  # noqa: SLF001  # its public name for rows as mappings
        if not keys:
            return 0
        connection.execute(delete(event).where(*same), keys)
        # Never back: that more is kept now brings nothing back.
        last = {"before_ms": max(before_ms, kept_from_ms(connection) or before_ms), "removed_ms": now_ms}
        upsert(connection, removal, {"code": _MEANS}, add={"rows": len(rows)}, last=last)
    return len(rows)


class Retention:
    """Removes what is too old, as a task of the receiver."""

    def __init__(
        self, engine: Engine, clock: Clock, keep_days: int, intake_backlog: Callable[[], int] = lambda: 0
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._keep_ms = keep_days * DAY_MS
        self._intake_backlog = intake_backlog
        self._removed = 0

    async def run(self) -> None:
        """Remove until cancelled."""
        await repeat(self.turn, REST_S, log, "old means of voltage wait for the store")

    async def turn(self) -> float:
        """Remove some; return for how many seconds to rest."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        now_ms = self._clock.now_ms()
        oldest_ms = now_ms - self._keep_ms
        # Whole days UTC: what grows old by the quarter of an hour is no reason to look for it then.
        removed = remove(self._engine, oldest_ms - oldest_ms % DAY_MS, now_ms)
        self._removed += removed
        if removed:
            took_s = loop.time() - begun
            for _ in range(GIVE_WAY_TURNS):
                if not self._intake_backlog():
                    break
                await asyncio.sleep(GIVE_WAY_S)
            return took_s  # half of the time at most
        if self._removed:
            log.info("%d blocks of voltage means were too old to be kept", self._removed)
            self._removed = 0
        return REST_S
