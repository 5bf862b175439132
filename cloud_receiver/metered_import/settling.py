"""Settling as a task of the receiver: what was imported is adjusted whenever a factor came, or was corrected, later.

After a start the whole time of each imported meter is looked at once, a part after the other; from then on the parts of
which factors were issued since. A round looks at a bounded number of parts, and waits while the intake has work.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from cloud_receiver.database import reading
from cloud_receiver.enrolment import EnrolmentError
from cloud_receiver.metered_import import known, settle, signing
from cloud_receiver.metered_import.journal import BRISK, ImportBusyError, ImportConflictError
from cloud_receiver.metered_import.wish import Surroundings
from cloud_receiver.registry import Meter, Role, Station
from cloud_receiver.rounds import repeat
from cloud_receiver.schema import factor, factor_message, gateway
from wire.keys import KeyFileError

log = logging.getLogger(__name__)

PAUSE_S: Final = 10.0  # real time
MOST_METERS: Final = 200
"""Of which one round asks whether factors came."""
MOST_PARTS: Final = 20
"""That one round looks at."""
PART_MS: Final = 7 * 86_400_000
_LONGEST_MS: Final = 3_600_000
"""Of an interval before it is divided: one that began before a slot may have it."""
GIVE_WAY_S: Final = 0.02
GIVE_WAY_TURNS: Final = 200


@dataclass(slots=True)
class _Looked:
    """What is known of one meter."""

    station: Station
    meter: Meter
    issued_ms: int
    """The issue up to which its node's factors are looked at, or in `parts`."""
    parts: deque[int] = field(default_factory=deque)
    """Numbers of the parts that are to be looked at."""

    def note(self, parts: Iterable[int]) -> None:
        """Note parts, each once."""
        self.parts.extend(sorted(set(parts) - set(self.parts)))


class Settling:
    """Settles what was imported, as a task of the receiver."""

    def __init__(self, around: Surroundings, intake_backlog: Callable[[], int] = lambda: 0) -> None:
        self._around = replace(around, pace=BRISK)
        self._intake_backlog = intake_backlog
        self._looked: dict[tuple[str, str], _Looked] = {}
        self._turn = 0
        self._unsigned: set[str] = set()

    async def run(self) -> None:
        """Settle until cancelled."""
        await repeat(self._take_turn, PAUSE_S, log, "settling of imported readings waits")

    async def _take_turn(self) -> float:
        await self.round()
        return PAUSE_S

    async def round(self) -> int:
        """Look for factors that came, and at some of the parts that they concern; return how many were adjusted."""
        self._look()
        adjusted = 0
        for _ in range(MOST_PARTS):
            waiting = next((key for key, item in self._looked.items() if item.parts), None)
            if waiting is None:
                break
            # To the end of the line, so that a meter of many parts holds up no other.
            item = self._looked[waiting] = self._looked.pop(waiting)
            try:
                adjusted += await self._part(item)
            except (ImportBusyError, ImportConflictError):
                break  # an import is under way: the part waits for the next round
            await self._give_way()
        return adjusted

    def _look(self) -> None:
        names = signing.ours(self._around.engine, self._around.data_dir, self._around.key)
        meters = [
            (station, meter)
            for station in self._around.registry.station
            for meter in station.meter
            # A generating unit's emission is its own: no factor of a node applies to it.
            if meter.gateway in names and meter.role is not Role.GENERATION
        ]
        if not meters:
            return
        self._around.data_dir.mkdir(parents=True, exist_ok=True)  # for the lock, where the store is elsewhere
        first = self._turn % len(meters)
        self._turn = first + MOST_METERS
        with reading(self._around.engine) as connection:
            for station, meter in (meters[first:] + meters[:first])[:MOST_METERS]:
                self._look_at(connection, station, meter)

    def _look_at(self, connection: Connection, station: Station, meter: Meter) -> None:
        """Note the parts of a meter of which factors were issued since it was looked at."""
        newest = connection.execute(
            select(func.max(factor_message.c.issued_ms)).where(factor_message.c.node == station.node)
        ).scalar()
        looked = self._looked.get((meter.gateway, meter.id))
        if newest is None or (looked is not None and looked.issued_ms >= newest):
            return
        if looked is None:
            extent = _extent(connection, meter)
            if extent is not None:
                looked = self._looked[meter.gateway, meter.id] = _Looked(station, meter, newest)
                looked.note(range(extent[0] // PART_MS, extent[1] // PART_MS + 1))
            return
        starts = connection.execute(
            select(factor.c.start_ms)
            .where(factor.c.node == station.node, factor.c.issued_ms > looked.issued_ms)
            .distinct()
        ).scalars()
        looked.note(part for start_ms in starts for part in _parts_of(start_ms))
        looked.issued_ms = newest

    async def _part(self, item: _Looked) -> int:
        """Settle the next part of a meter; what can't be signed is told once, and left to the next start."""
        part = item.parts[0]
        within = part * PART_MS, (part + 1) * PART_MS
        name = item.meter.gateway
        try:
            found = await settle.settle(item.station, item.meter, self._around, lambda _: None, within=within)
        except (ImportBusyError, ImportConflictError):
            raise
        except (EnrolmentError, KeyFileError) as error:
            item.parts.clear()
            if name not in self._unsigned:
                self._unsigned.add(name)
                log.warning("imported readings of gateway %s are not settled: %s", name, error)
            return 0
        except (SQLAlchemyError, OSError):
            raise
        except Exception:
            # A fault in what one meter has must end neither the intake nor the settling of others.
            log.exception("imported readings of %s of station %s are not settled", item.meter.id, item.station.id)
            item.parts.clear()
            return 0
        item.parts.popleft()
        if found.adjusted:
            log.info(
                "%d imported intervals of %s of station %s adjusted to factors that came later",
                *(found.adjusted, item.meter.id, item.station.id),
            )
        return found.adjusted

    async def _give_way(self) -> None:
        """Let the intake work off what waits, within limits."""
        await asyncio.sleep(0)
        for _ in range(GIVE_WAY_TURNS):
            if not self._intake_backlog():
                return
            await asyncio.sleep(GIVE_WAY_S)


def _extent(connection: Connection, meter: Meter) -> tuple[int, int] | None:
    number = known.meter_number(connection, meter.gateway, meter.id)
    station = connection.execute(select(gateway.c.station).where(gateway.c.name == meter.gateway)).scalar()
    return None if number is None or station is None else known.extent(connection, station, number)


def _parts_of(start_ms: int) -> tuple[int, int]:
    """Return the parts in which the intervals begin that may have a slot."""
    return (start_ms - _LONGEST_MS) // PART_MS, start_ms // PART_MS
