"""Dispatch of carbon factors (电碳因子下发): at every slot start, per node, one signed retained message.

What is dispatched is signed and stored first, and published as it is stored: a check compares with what was sent, never
with what should have been, and a proof has the bytes that gateways got.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, insert
from sqlalchemy.exc import SQLAlchemyError

from clock import Clock
from cloud_receiver import factor_messages, factor_schedule, publication
from cloud_receiver.config import Dispatch
from cloud_receiver.database import writing
from cloud_receiver.factor_messages import Dispatched
from cloud_receiver.factor_schedule import Schedule
from cloud_receiver.factor_spans import SLOT_MS
from cloud_receiver.publication import DispatchLink
from cloud_receiver.schema import dirty
from settings.errors import ConfigError
from wire.envelope import Signer
from wire.link import LinkError
from wire.messages import Factors

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Figures:
    """What is counted of the dispatch since the process started."""

    done: int = 0
    failed: int = 0
    last_ms: int | None = None
    nodes_without_factor: int = 0


class Dispatcher:
    """Publishes the factors of a schedule file slot by slot, by the clock."""

    def __init__(
        self,
        engine: Engine,
        signer: Signer,
        link: DispatchLink,
        clock: Clock,
        settings: Dispatch,
        *,
        stations: Mapping[str, Sequence[int]] | None = None,
        grace_ms: int = 0,
    ) -> None:
        """Tell the checks of the `stations` at each node about corrected factors, `grace_ms` after their dispatch."""
        self._engine = engine
        self._signer = signer
        self._link = link
        self._clock = clock
        self._settings = settings
        self._stations = stations or {}
        self._grace_ms = grace_ms
        self._wake = asyncio.Event()
        self.figures = Figures()
        self._failed = False
        self._ended: dict[str, int | None] = {}
        """Nodes without a factor for the slot, and the start of their last slot that has one."""
        self._stamp: tuple[int, int] | None = None
        self._left_out: frozenset[str] = frozenset()
        self.schedule = self._read()

    def leave_out(self, nodes: Collection[str]) -> None:
        """Dispatch nothing of these nodes: a grid has them, and their factors come from what is measured on it."""
        twice = frozenset(nodes) & self.schedule.nodes.keys()
        if twice - self._left_out:
            log.error(
                "the factor schedule has nodes of the grid, whose factors are the grid's: %s; take them out of %s",
                *(", ".join(sorted(twice)[:10]), self._settings.schedule),
            )
        self._left_out = frozenset(nodes)

    def wake(self) -> None:
        """Publish now: after a reconnection, or when the schedule has changed."""
        self._wake.set()

    async def run(self) -> None:
        """Publish as soon as the link stands and then at every slot start, until cancelled."""
        while True:
            await self._link.wait_connected()
            self._wake.clear()
            self._reload()
            try:
                messages = self.messages(self._clock.now_ms())
                await publication.publish(self._link, messages)
                log.info("dispatched the factors of %d nodes", len(messages))
            except (SQLAlchemyError, LinkError, OSError) as error:
                # Told once: a broker may be away for days.
                if not self._failed:
                    log.warning("dispatch of factors failed, trying again: %s", str(error).splitlines()[0])
                self._failed = True
                self.figures.failed += 1
            else:
                self._failed = False
                self.figures.done += 1
                self.figures.last_ms = self._clock.now_ms()
            now_ms = self._clock.now_ms()
            await publication.rest(self._clock, self._wake, self._until_next(now_ms), retry=self._failed)

    def _until_next(self, now_ms: int) -> int:
        shifted = now_ms + self._settings.lead_ms
        return SLOT_MS - shifted % SLOT_MS

    def messages(self, now_ms: int) -> list[Dispatched]:
        """Return the message of each node at this time, signed and in the store.

        What the newest message of a node says already is not signed anew: it is published again as it is.
        """
        shifted = now_ms + self._settings.lead_ms
        newest = shifted - shifted % SLOT_MS + self._settings.lead_slots * SLOT_MS
        result = []
        ended: dict[str, int | None] = {}
        with writing(self._engine) as connection:
            for node in self.schedule.nodes.keys() - self._left_out if self._left_out else self.schedule.nodes:
                run = self.schedule.run_to(node, newest, self._settings.slots)
                last = None if run is None else run[0] + (len(run[1]) - 1) * SLOT_MS
                if last != newest:
                    ended[node] = last
                if run is not None and last is not None:
                    issued = factor_messages.next_issue(connection, node, run[0], last, now_ms)
                    message = Factors(node, self.schedule.solve_id, issued, SLOT_MS, run[0], run[1])
                    standing = factor_messages.standing(connection, self._signer, message)
                    result.append(standing or self._enter(connection, message))
        self._tell_ended(ended)
        return result

    def _tell_ended(self, ended: dict[str, int | None]) -> None:
        """Say once which nodes have no factor for the slot: their gateways hold the last one."""
        self.figures.nodes_without_factor = len(ended)
        if ended == self._ended:
            return
        for node, last in sorted(ended.items()):
            if self._ended.get(node, 0) != last:
                until = "none before" if last is None else f"the last is of {_utc(last)}"
                log.warning("the factor schedule has no factor of node %s for this slot; %s", node, until)
        self._ended = ended

    def _enter(self, connection: Connection, message: Factors) -> Dispatched:
        entered, corrected = factor_messages.enter(connection, self._signer, message)
        if corrected:
            # When gateways have had their time, it is checked that every interval was adjusted.
            span = {"first_ms": min(corrected), "last_ms": max(corrected), "due_ms": message.issued_ms + self._grace_ms}
            for station in self._stations.get(message.node, ()):
                connection.execute(insert(dirty).values(station=station, **span))
        return entered

    def _read(self) -> Schedule:
        path = self._settings.schedule
        self._stamp = _stamp(path)
        return factor_schedule.load(path, SLOT_MS)

    def _reload(self) -> None:
        """Take over a changed file; one with mistakes is named and the schedule before it goes on."""
        if _stamp(self._settings.schedule) == self._stamp:
            return
        try:
            self.schedule = self._read()
        except ConfigError as error:
            log.error("the changed factor schedule is not used:\n%s", error)  # noqa: TRY400  # it names line and cause
        else:
            log.info("read the changed factor schedule %s", self._settings.schedule)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="minutes")
