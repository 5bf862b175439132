"""STATUS: how the gateway is, in figures by dotted names; more than its status messages say.

Times are ms UTC, ages and durations ms, sizes bytes; flags are 0 or 1.
"""

import os
import resource
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent import journal_schema as schema
from agent.factors import SLOT_MS
from agent.journal import Journal
from agent.journal_schema import StorageFullError
from agent.remote.answered import Answered
from clock import Clock
from wire.commands import Command, Outcome
from wire.domain import INT64_MAX, MAX_DETAIL_BYTES
from wire.records import FactorQuality
from wire.results import MAX_FIGURES, Figures

if TYPE_CHECKING:
    from agent.gateway import Gateway

MOST_BYTES: Final = 512 << 10  # of names and texts: with the rest of the reply well below 1 MiB
_KIB: Final = 1024
_A_FIGURE: Final = 10  # bytes that a figure takes beside its name, unless it is a text

Found = Mapping[str, int | str]


class Status:
    """Collects the figures; those of meters and lines last, the worst first, as many as a reply takes."""

    def __init__(self, gateway: "Gateway", clock: Clock, counts: Callable[[], Mapping[str, int]]) -> None:
        """Begin to count the time; `counts` are those of commands."""
        self._gateway = gateway
        self._clock = clock
        self._counts = counts
        self._began_ms = gateway.time.now_ms()
        self._mono_ms = clock.monotonic_ms()

    async def __call__(self, _: Command) -> Answered:
        """Return the figures."""
        await self._gateway.facts.measure()
        more: dict[str, int | str] = {}
        with suppress(StorageFullError):  # a disk that refuses is one of the things to be told
            more |= await self._gateway.writer.call(oldest, self._gateway.writer.journal)
        if self._gateway.configurator is not None:
            configuration = await self._gateway.configurator.show()
            more["configuration.digest"] = configuration.digest.hex()
            more["configuration.state"] = configuration.state.name.lower()
        return Answered(Outcome.DONE, "", Figures(self.collect(more)))

    def collect(self, more: Found, most: int = MAX_FIGURES, most_bytes: int = MOST_BYTES) -> dict[str, int | str]:
        """Return at most so many figures, and how many meters and lines had to be left out."""
        figures: dict[str, int | str] = {**self._itself(), **self._records(), **more, "cut.meters": 0, "cut.lines": 0}
        room = most_bytes - _size(figures)
        for kind, parts in (("lines", self._lines()), ("meters", self._meters())):
            for part in parts:
                if len(figures) + len(part) <= most and (room := room - _size(part)) >= 0:
                    figures |= part
                else:
                    room = -1  # the worst are there: nothing smaller takes the place of one that was cut
                    figures[f"cut.{kind}"] = int(figures[f"cut.{kind}"]) + 1
        return {name: _fitting(value) for name, value in figures.items()}

    def _itself(self) -> dict[str, int | str]:
        gateway = self._gateway
        now = gateway.time.now_ms()
        factor, quality = gateway.factors.schedule.at(now)
        found: dict[str, int | str] = {
            "program.version": version("diantan"),
            "program.start_ms": self._began_ms,
            "program.uptime_ms": self._clock.monotonic_ms() - self._mono_ms,
            "program.memory": _memory(),
            "program.memory_most": _KIB * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "clock.time_ms": now,
            "clock.state": gateway.time.state.name.lower(),
            "clock.offset_ms": gateway.facts.clock_offset_ms(),
            "clock.doubtful": int(gateway.time.doubtful),
            "clock.centre_ms": gateway.remote.time.newest_ms,
            "link.connected": int(gateway.link.connected),
            "factor.slot_ms": now - now % SLOT_MS,
            "factor.quality": FactorQuality(quality).name.lower(),
            "factor.rejected": gateway.factors.rejected,
            **{f"commands.{name}": count for name, count in self._counts().items()},
        }
        if factor is not None:
            found["factor.mg_per_kwh"] = factor
        return found

    def _records(self) -> dict[str, int | str]:
        gateway = self._gateway
        writer, window, facts = gateway.writer, gateway.uplink.window, gateway.facts
        backlog = facts.backlog()
        return {
            "journal.context": writer.journal.header.context.hex(),
            "journal.next": writer.next_sequence,
            "journal.acknowledged": window.acknowledged,
            "journal.unacknowledged": writer.unacknowledged,
            "journal.bytes": facts.measured.used_bytes,
            "journal.created_ms": writer.journal.header.created_ms,
            "journal.full": int(writer.full),
            "journal.waiting": writer.waiting_records,
            "backlog.records": backlog.records,
            "backlog.bytes": backlog.size,
            "backlog.oldest_age_ms": backlog.oldest_age_ms,
            "uplink.window": len(window),
            "uplink.resent": window.resent,
            "uplink.drain_per_second": gateway.config.uplink.drain_records_per_second,
            **{f"dropped.{reason.name.lower()}": count for reason, count in facts.dropped_by().items()},
        }

    def _lines(self) -> Iterator[Found]:
        """Yield each line's figures, those with most silent meters and most load first."""
        lines = {line.name: line.figures() | {"meters": len(line.meters)} for line in self._gateway.lines}
        worst = sorted(lines.items(), key=lambda item: (-item[1]["silent_meters"], -item[1]["load_percent"], item[0]))
        for name, figures in worst:
            yield {f"line.{name}.{figure}": count for figure, count in figures.items()}

    def _meters(self) -> Iterator[Found]:
        """Yield each meter's figures, those never read and those read longest ago first."""
        ages = self._gateway.facts.ages_ms()
        meters = [(meter, line.name) for line in self._gateway.lines for meter in line.meters]
        meters.sort(key=lambda item: (ages[item[0].id] is not None, -(ages[item[0].id] or 0), item[0].id))
        for meter, line in meters:
            age = ages[meter.id]
            known: dict[str, int | str] = {} if age is None else {f"meter.{meter.id}.age_ms": age}
            yield known | {f"meter.{meter.id}.failures": meter.unread, f"meter.{meter.id}.line": line}


def oldest(journal: Journal) -> Found:
    """Return the oldest record that the journal keeps: its sequence and time."""
    try:
        row = journal.connection.execute("SELECT sequence, start_ms FROM records ORDER BY sequence LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise schema.translated(error, journal.path) from error
    return {} if row is None else {"journal.oldest": row[0], "journal.oldest_ms": row[1]}


def _size(figures: Found) -> int:
    texts = sum(len(value.encode()) for value in figures.values() if isinstance(value, str))
    return texts + sum(len(name.encode()) + _A_FIGURE for name in figures)


def _fitting(value: int | str) -> int | str:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")[:MAX_DETAIL_BYTES].decode(errors="ignore")
    return max(-INT64_MAX, min(value, INT64_MAX))


def _memory() -> int:
    """Return how much of the memory the program has now; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
