"""Factor messages of the grid's nodes: what was solved and corrected since, signed and stored with the slots.

A node's message carries the last slots. A correction of an older slot, and what was caught up beyond them, goes out
in messages of its own, and the last slots again behind it, since the broker retains what it got last. Gateways that
come back get what they missed of older slots in one message with the last ones.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import Connection, func, insert, select

from cloud_receiver import factor_rounds
from cloud_receiver.factor_messages import Dispatched
from cloud_receiver.factor_rounds import Entered
from cloud_receiver.grid.config import Grid as GridSettings
from cloud_receiver.grid.kept import NodeResults
from cloud_receiver.grid.service.newest import kept_starts, last_start_ms, node_results
from cloud_receiver.grid.service.plan import SLOT_MS, Plan
from cloud_receiver.schema import dirty, factor, factor_message
from wire.envelope import Signer
from wire.messages import Factors, Origin

SOLVE_ID_BYTES = 16
MOST_SLOTS = 2976
"""Of one message: a month."""
_HOUR_MS = 3_600_000
_THIN_WITHIN_MS = 26 * _HOUR_MS
"""A node's messages of about a day are looked through once a day."""


@dataclass(frozen=True, slots=True)
class _Last:
    """A node's newest message."""

    first_ms: int
    last_ms: int
    issued_ms: int
    kid: bytes


@dataclass(frozen=True, slots=True)
class _Turn:
    """What one call works with: the names under which which places are dispatched, and the grids."""

    connection: Connection
    plans: Mapping[int, Plan]
    names: Sequence[tuple[str, int]]
    now_ms: int


class FactorPublisher:
    """Makes the messages; one instance serves one receiver process."""

    def __init__(
        self, signer: Signer, settings: GridSettings, stations: Mapping[str, Sequence[int]], grace_ms: int
    ) -> None:
        """Tell the checks of the `stations` at each node about corrected factors, `grace_ms` after their dispatch."""
        self._signer = signer
        self._settings = settings
        self._stations = stations
        self._grace_ms = grace_ms
        self._known: dict[str, _Last] | None = None
        self._fresh: dict[str, _Last] = {}

    def names(self, plan: Plan) -> tuple[tuple[str, int], ...]:
        """Return under which names factors of which places are dispatched."""
        if self._settings.publish == "all":
            return plan.names
        used = set(plan.stations.values())
        return tuple((name, place) for name, place in plan.names if name in used)

    def committed(self) -> None:
        """Keep what the transaction entered."""
        if self._known is not None:
            self._known |= self._fresh
        self._fresh = {}

    def rolled_back(self) -> None:
        """Forget it, and what was known: another receiver may have been faster."""
        self._known, self._fresh = None, {}

    def dispatched_to(self, connection: Connection, plans: Mapping[int, Plan], now_ms: int) -> tuple[int, int]:
        """Return the last slot that was dispatched or is too old for it, and the last one that was solved; 0: none."""
        newest = last_start_ms(connection, now_ms - SLOT_MS + 1)
        if newest is None:
            return 0, 0
        grid = node_results(connection, newest, newest + SLOT_MS)[newest][0]
        known = self._last(connection)
        told = [known[name].last_ms for name, _ in self.names(plans[grid]) if name in known]
        return max(max(told, default=0), self._floor(now_ms)), newest

    def _floor(self, now_ms: int) -> int:
        """Return from when on slots are dispatched: those that may still be corrected, and the last ones anyway."""
        # Two more, since the last one began more than a slot ago.
        return now_ms - max(self._settings.correct_hours * _HOUR_MS, (self._settings.slots + 2) * SLOT_MS)

    def enter(
        self, connection: Connection, plans: Mapping[int, Plan], corrected: Collection[int], now_ms: int
    ) -> list[Dispatched]:
        """Sign and store the messages that are due; `corrected`: slots with a new version."""
        newest = last_start_ms(connection, now_ms - SLOT_MS + 1)  # none of a clock that was ahead
        floor = self._floor(now_ms)
        if newest is None or newest < floor:
            return []
        rows = node_results(connection, newest, newest + SLOT_MS)
        names = self.names(plans[rows[newest][0]])
        turn = _Turn(connection, plans, names, now_ms)
        known = self._last(connection)
        told = [known[name].last_ms for name, _ in names if name in known]
        first_window = max(newest - (self._settings.slots - 1) * SLOT_MS, floor)
        news = {start for start in corrected if start <= newest}
        if told and max(told) < newest:
            news |= kept_starts(connection, max(max(told) + SLOT_MS, floor), newest + SLOT_MS)
        result: list[Dispatched] = []
        behind: set[str] = set()
        for run in _runs(sorted(start for start in news if floor <= start < first_window), self._settings.slots):
            entered = self._enter_run(turn, run, dict.fromkeys((name for name, _ in names), run))
            behind.update(item.message.node for item in entered.messages)
            result += entered.messages
        window = sorted(kept_starts(connection, first_window, newest + SLOT_MS))
        window = list(_runs(window, self._settings.slots))[-1]
        in_window = news.intersection(window)
        wanted = {
            name: window if (last := known.get(name)) is None else sorted(in_window | _outside(last, window))
            for name, _ in names
        }
        forced = behind | {name for name, last in known.items() if last.kid != self._signer.kid}
        entered = self._enter_run(turn, window, wanted, forced)
        return result + entered.messages

    def missed(self, connection: Connection, since: Mapping[str, int], now_ms: int) -> dict[str, int]:
        """Return by node the first slot that was dispatched since a time and isn't in the node's newest message."""
        floor, known, found = self._floor(now_ms), self._last(connection), {}
        for node, since_ms in since.items():
            if (last := known.get(node)) is None or last.first_ms <= floor:
                continue
            first = select(func.min(factor.c.start_ms)).where(
                factor.c.node == node,
                factor.c.start_ms >= floor,
                factor.c.start_ms < last.first_ms,
                factor.c.issued_ms >= since_ms,
            )
            if (start := connection.execute(first).scalar()) is not None:
                found[node] = start
        return found

    def enter_again(self, connection: Connection, firsts: Mapping[str, int], now_ms: int) -> int:
        """Sign and store anew what stands of nodes from a slot on; return how many messages. The last one stands."""
        known, count = self._last(connection), 0
        columns = (factor.c.start_ms, factor.c.factor, factor.c.solve_id, factor.c.origin)
        for node, first_ms in firsts.items():
            if (last := self._fresh.get(node) or known.get(node)) is None:
                continue
            statement = select(*columns).where(
                factor.c.node == node, factor.c.start_ms.between(first_ms, last.last_ms), factor.c.slot_ms == SLOT_MS
            )
            rows = {row.start_ms: row for row in connection.execute(statement.order_by(factor.c.issued_ms))}
            for run in _long_runs(sorted(rows)):
                origins = tuple(Origin(rows[start].origin) for start in run)
                ids = tuple(bytes(rows[start].solve_id) for start in run)
                message = Factors(
                    *(node, ids[-1], max(now_ms, 1 + last.issued_ms), SLOT_MS, run[0]),
                    *(tuple(rows[start].factor for start in run), ids),
                    None if all(origin is Origin.SOLVED for origin in origins) else origins,
                )
                factor_rounds.enter_many(connection, self._signer, [message], {}, {node})
                last = self._fresh[node] = _Last(run[0], run[-1], message.issued_ms, self._signer.kid)
                count += 1
        return count

    def thin(self, connection: Connection, plan: Plan, newest_ms: int, now_ms: int) -> None:
        """Drop messages that others prove, of a part of the nodes each time: of each once in a day's slots."""
        turn, turns = newest_ms // SLOT_MS % 96, 96
        late_ms = SLOT_MS + self._settings.wait_s * 1000 + SLOT_MS
        for name, place in self.names(plan):
            if place % turns == turn:
                factor_rounds.thin(connection, name, now_ms - _THIN_WITHIN_MS, late_ms)

    def _enter_run(
        self, turn: _Turn, run: Sequence[int], news: Mapping[str, Sequence[int]], forced: Collection[str] = ()
    ) -> Entered:
        connection, now_ms = turn.connection, turn.now_ms
        rows = node_results(connection, run[0], run[-1] + SLOT_MS)
        wanted = [name for name, _ in turn.names if news.get(name) or name in forced]
        messages = list(self._messages(turn, wanted, rows))
        entered = factor_rounds.enter_many(connection, self._signer, messages, news, forced)
        for item in entered.messages:
            message = item.message
            last = message.first_start_ms + (len(message.factors) - 1) * SLOT_MS
            self._fresh[message.node] = _Last(message.first_start_ms, last, message.issued_ms, self._signer.kid)
        self._tell_checks(connection, entered, now_ms)
        return entered

    def _messages(
        self, turn: _Turn, names: Sequence[str], rows: Mapping[int, tuple[int, bytes, NodeResults]]
    ) -> Iterator[Factors]:
        places = {number: dict(turn.plans[number].names) for number in {number for number, _, _ in rows.values()}}
        starts = sorted(rows)
        ids = tuple(rows[start][1][:SOLVE_ID_BYTES] for start in starts)
        known = self._known or {}
        for name in names:
            # The run ends with the newest slot and reaches back as far as the grid had the node.
            begin = next(
                (index + 1 for index in range(len(starts) - 1, -1, -1) if name not in places[rows[starts[index]][0]]), 0
            )
            if begin == len(starts):
                continue
            here = [(places[rows[start][0]][name], rows[start][2]) for start in starts[begin:]]
            origins = tuple(nodes.origins[place] for place, nodes in here)
            last = self._fresh.get(name) or known.get(name)
            yield Factors(
                name,
                ids[-1],
                max(turn.now_ms, 1 + (last.issued_ms if last else 0)),
                SLOT_MS,
                starts[begin],
                tuple(nodes.dispatched[place] for place, nodes in here),
                ids[begin:],
                None if all(origin is Origin.SOLVED for origin in origins) else origins,
            )

    def _last(self, connection: Connection) -> dict[str, _Last]:
        if self._known is None:
            self._known = {}
            columns = (factor_message.c.node, factor_message.c.first_start_ms, factor_message.c.slots)
            statement = select(*columns, factor_message.c.issued_ms, factor_message.c.kid).order_by(
                factor_message.c.issued_ms
            )
            for node, first, slots, issued_ms, kid in connection.execute(statement):
                self._known[node] = _Last(first, first + (slots - 1) * SLOT_MS, issued_ms, bytes(kid))
        return self._known

    def _tell_checks(self, connection: Connection, entered: Entered, now_ms: int) -> None:
        """Let the intervals be checked again whose factor has changed, or came later than the checks wait."""
        late = now_ms - SLOT_MS - self._grace_ms
        rows = []
        for node in entered.corrected.keys() | entered.first.keys():
            starts = [*entered.corrected.get(node, ()), *(s for s in entered.first.get(node, ()) if s < late)]
            if starts:
                span = {"first_ms": min(starts), "last_ms": max(starts), "due_ms": now_ms + self._grace_ms}
                rows += [{"station": station, **span} for station in self._stations.get(node, ())]
        if rows:
            connection.execute(insert(dirty), rows)


def _outside(last: _Last, window: Sequence[int]) -> set[int]:
    return {start for start in window if not last.first_ms <= start <= last.last_ms}


def _long_runs(starts: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield runs of consecutive slots, short ones first in each: the last message stands, and is to say much."""
    for run in _runs(starts, len(starts)):
        first = len(run) % MOST_SLOTS
        if first:
            yield run[:first]
        for place in range(first, len(run), MOST_SLOTS):
            yield run[place : place + MOST_SLOTS]


def _runs(starts: Sequence[int], longest: int) -> Iterator[list[int]]:
    """Yield runs of consecutive slots, of `longest` at most."""
    run: list[int] = list(starts[:1])
    for before, start in pairwise(starts):
        if start - before != SLOT_MS or len(run) >= longest:
            yield run
            run = []
        run.append(start)
    if run:
        yield run
