"""The receiver's metrics for Prometheus; docs/monitoring.md has them in a table."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from cloud_receiver import gateway_facts, gateway_status
from cloud_receiver.counters import Counters
from cloud_receiver.database import reading
from cloud_receiver.dispatch import Dispatcher
from cloud_receiver.estimation import claims
from cloud_receiver.estimation.claims import State
from cloud_receiver.findings import CLOSED
from cloud_receiver.gateway_status import Known
from cloud_receiver.grid.service.plan import SLOT_MS
from cloud_receiver.grid.service.runner import GridService
from cloud_receiver.orders import book
from cloud_receiver.orders.book import OpenFigures
from cloud_receiver.orders.outbox import Figures
from cloud_receiver.orders.replies import DUPLICATE
from cloud_receiver.refusal import Reason
from cloud_receiver.schema import completeness_day, finding, gateway
from supervision.config import Metrics
from supervision.endpoint import MetricsEndpoint
from supervision.exposition import Family, Histogram, Page
from wire.commands import Outcome
from wire.connection import Received
from wire.messages import StatusState

STORE_S: Final = 5.0  # real time: the store is asked once in it, however often Prometheus and others ask
LAG_S: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_MS: Final = 1000

FAMILIES: Final = (
    Family("diantan_receiver_records_total", "counter", "records taken in: stored, duplicate", ("result",)),
    Family("diantan_receiver_batches_total", "counter", "batches taken in"),
    Family("diantan_receiver_refused_total", "counter", "messages refused, by reason of quarantine", ("reason",)),
    Family("diantan_receiver_set_aside_total", "counter", "batches that the store rejected"),
    Family("diantan_receiver_displaced_total", "counter", "messages displaced by newer ones while too many waited"),
    Family("diantan_receiver_messages_waiting", "gauge", "messages that wait to be stored"),
    Family("diantan_receiver_commit_lag_seconds", "histogram", "from a message's arrival until the broker is told"),
    Family("diantan_receiver_transactions_total", "counter", "group commits"),
    Family("diantan_receiver_acknowledgements_total", "counter", "acknowledgements sent to gateways"),
    Family("diantan_receiver_store_errors_total", "counter", "attempts to store that failed"),
    Family("diantan_receiver_store_up", "gauge", "1 if the store could be read for this page"),
    Family("diantan_receiver_link_connected", "gauge", "1 while the broker is there"),
    Family("diantan_receiver_gateways", "gauge", "enrolled gateways: online, offline, unheard", ("state",)),
    Family("diantan_receiver_gateway_online", "gauge", "1 unless the gateway's will or goodbye came", ("gateway",)),
    Family("diantan_receiver_gateway_seen_timestamp_seconds", "gauge", "when it was last heard of", ("gateway",)),
    Family("diantan_receiver_gateway_unacknowledged", "gauge", "records that it says are unacknowledged", ("gateway",)),
    Family("diantan_receiver_gateway_dropped", "gauge", "records that it gave up, in this journal", ("gateway",)),
    Family("diantan_receiver_gateway_backlog_age_seconds", "gauge", "age of its oldest record then", ("gateway",)),
    Family("diantan_receiver_gateway_meters_overdue", "gauge", "its meters without a good reading", ("gateway",)),
    Family("diantan_receiver_findings", "gauge", "findings that are not closed", ("kind", "severity")),
    Family(
        "diantan_receiver_day_slots",
        "gauge",
        "slots of meters of the last day that is over, by when they came",
        ("state",),
    ),
    Family("diantan_receiver_dispatches_total", "counter", "rounds of factor dispatch: done, failed", ("result",)),
    Family("diantan_receiver_dispatch_timestamp_seconds", "gauge", "when factors were last dispatched"),
    Family("diantan_receiver_nodes_without_factor", "gauge", "nodes whose schedule has no factor for the slot"),
    Family("diantan_receiver_grid_slots_total", "counter", "slots of the grid: solved, corrected, failed", ("result",)),
    Family("diantan_receiver_grid_newest_age_seconds", "gauge", "since the end of the newest slot of the grid"),
    Family("diantan_receiver_grid_nodes_on_fallback", "gauge", "its nodes with a held or official factor"),
    Family("diantan_receiver_grid_elements_missing", "gauge", "powers in it that were not measured"),
    Family("diantan_receiver_grid_imbalance_ratio", "gauge", "imbalance before reconciliation by generation"),
    Family("diantan_receiver_grid_publish_failures_total", "counter", "attempts to publish factors of it that failed"),
    Family("diantan_receiver_night_stations", "gauge", "stations of this night: done, failed, taken", ("state",)),
    Family("diantan_receiver_commands_open", "gauge", "commands to gateways that wait for their final answer"),
    Family("diantan_receiver_commands_oldest_age_seconds", "gauge", "since the oldest of them was issued; 0: none"),
    Family("diantan_receiver_commands_expired", "gauge", "commands that expired unanswered within a day"),
    Family("diantan_receiver_commands_published_total", "counter", "commands given to the broker, each time"),
    Family("diantan_receiver_replies_total", "counter", "replies taken in, by what they say", ("result",)),
    Family("diantan_receiver_replies_quarantined_total", "counter", "replies that went to quarantine"),
)
SLOT_STATES: Final = ("expected", "present", "in_15_min", "in_60_min")
_DAY_MS: Final = 86_400_000
REPLY_RESULTS: Final = (*(outcome.name.lower() for outcome in Outcome), DUPLICATE)


class IntakeFigures(Protocol):
    """What is told of the intake (cloud_receiver.intake.Intake)."""

    @property
    def counters(self) -> Counters:
        """Return its counters."""

    @property
    def backlog(self) -> int:
        """Return how many messages wait."""


class OutboxFigures(Protocol):
    """What is told of the outbox (cloud_receiver.orders.outbox.Outbox)."""

    @property
    def figures(self) -> Figures:
        """Return what it has counted."""


@dataclass(slots=True)
class _Stored:
    """What the store says."""

    gateways: dict[str, Known | None] = field(default_factory=dict)
    findings: dict[tuple[str, str], int] = field(default_factory=dict)
    commands: OpenFigures = field(default_factory=OpenFigures)
    slots: dict[str, float] = field(default_factory=dict)
    nights: dict[State, int] = field(default_factory=dict)


class ReceiverMetrics:
    """Tells a receiver's metrics, on loopback if a port is configured."""

    def __init__(
        self,
        settings: Metrics,
        engine: Engine,
        intake: IntakeFigures,
        dispatcher: Dispatcher | None,
        connected: Callable[[], bool],
        *,
        outbox: OutboxFigures,
        now_ms: Callable[[], int],
        grid: GridService | None = None,
        night_ms: int = 0,
    ) -> None:
        """Begin; `night_ms`: how long after a midnight nights are made."""
        self._settings = settings
        self._engine = engine
        self._intake = intake
        self._dispatcher = dispatcher
        self._connected = connected
        self._outbox = outbox
        self._grid = grid
        self._now_ms = now_ms
        self._night_ms = night_ms
        self._lag = Histogram(LAG_S)
        self._endpoint: MetricsEndpoint | None = None
        self._stored: _Stored | None = None
        self._asked_s: float | None = None

    async def start(self) -> None:
        """Listen, if so configured."""
        if self._settings.port is not None:
            self._endpoint = MetricsEndpoint(self._settings.host, self._settings.port, self._page)
            await self._endpoint.start()

    async def stop(self) -> None:
        """Listen no longer."""
        if self._endpoint is not None:
            await self._endpoint.stop()

    def timed(self, message: Received) -> Received:
        """Return the message such that it is counted how long it takes until the broker is told that it is done."""
        if self._settings.port is None:
            return message
        seconds = asyncio.get_running_loop().time
        arrived, tell = seconds(), message.ack

        def ack() -> None:
            self._lag.add(seconds() - arrived)
            tell()

        return replace(message, ack=ack)

    async def _page(self) -> str:
        return self.text(asyncio.get_running_loop().time())

    def text(self, now_s: float) -> str:
        """Return the page at a time of the event loop, with what the store said a few seconds before at most."""
        if self._asked_s is None or now_s - self._asked_s >= STORE_S:
            self._asked_s = now_s
            self._stored = self._ask()
        page = Page(FAMILIES)
        self._taken_in(page)
        page.put("diantan_receiver_link_connected", self._connected())
        page.put("diantan_receiver_store_up", self._stored is not None)
        if self._stored is not None:
            self._put_stored(page, self._stored)
        if self._dispatcher is not None:
            figures = self._dispatcher.figures
            page.put("diantan_receiver_dispatches_total", figures.done, "done")
            page.put("diantan_receiver_dispatches_total", figures.failed, "failed")
            page.put("diantan_receiver_nodes_without_factor", figures.nodes_without_factor)
            if figures.last_ms is not None:
                page.put("diantan_receiver_dispatch_timestamp_seconds", figures.last_ms / _MS)
        if self._grid is not None:
            self._put_grid(page, self._grid)
        return page.text()

    def _put_grid(self, page: Page, grid: GridService) -> None:
        figures = grid.figures
        page.put("diantan_receiver_grid_slots_total", figures.solved, "solved")
        page.put("diantan_receiver_grid_slots_total", figures.corrected, "corrected")
        page.put("diantan_receiver_grid_slots_total", figures.failed, "failed")
        page.put("diantan_receiver_grid_publish_failures_total", grid.outlet.failures)
        if figures.newest_ms is not None:
            page.put("diantan_receiver_grid_newest_age_seconds", (self._now_ms() - figures.newest_ms - SLOT_MS) / _MS)
            page.put("diantan_receiver_grid_nodes_on_fallback", figures.fallback_nodes)
            page.put("diantan_receiver_grid_elements_missing", figures.missing)
        if figures.imbalance_share is not None:
            page.put("diantan_receiver_grid_imbalance_ratio", figures.imbalance_share)

    def _taken_in(self, page: Page) -> None:
        counters = self._intake.counters
        page.put("diantan_receiver_records_total", counters.records, "stored")
        page.put("diantan_receiver_records_total", counters.duplicates, "duplicate")
        page.put("diantan_receiver_batches_total", counters.messages)
        for reason in Reason:
            page.put("diantan_receiver_refused_total", counters.refused[reason.value], reason.value)
        page.put("diantan_receiver_set_aside_total", counters.set_aside)
        page.put("diantan_receiver_displaced_total", counters.displaced)
        page.put("diantan_receiver_messages_waiting", self._intake.backlog)
        page.put_histogram("diantan_receiver_commit_lag_seconds", self._lag)
        page.put("diantan_receiver_transactions_total", counters.transactions)
        page.put("diantan_receiver_acknowledgements_total", counters.acknowledgements)
        page.put("diantan_receiver_store_errors_total", counters.store_errors)
        for result in REPLY_RESULTS:
            page.put("diantan_receiver_replies_total", counters.replies[result], result)
        page.put("diantan_receiver_replies_quarantined_total", counters.replies_refused)
        page.put("diantan_receiver_commands_published_total", self._outbox.figures.published)

    def _ask(self) -> _Stored | None:
        try:
            with reading(self._engine) as connection:
                return _read(connection, self._now_ms(), self._night_ms)
        except (SQLAlchemyError, OSError):
            return None  # the page says so, and the log of the intake says why

    def _put_stored(self, page: Page, stored: _Stored) -> None:
        states = Counter(_state(known) for known in stored.gateways.values())
        for state in ("online", "offline", "unheard"):
            page.put("diantan_receiver_gateways", states[state], state)
        for name, known in stored.gateways.items():
            if known is None:
                continue
            page.put("diantan_receiver_gateway_online", known.state != StatusState.OFFLINE, name)
            page.put("diantan_receiver_gateway_seen_timestamp_seconds", known.seen_ms / _MS, name)
            page.put("diantan_receiver_gateway_unacknowledged", known.unacknowledged, name)
            page.put("diantan_receiver_gateway_dropped", known.dropped, name)
            facts = gateway_facts.shown(known.facts) or {}
            if (backlog := facts.get("backlog")) is not None:
                page.put("diantan_receiver_gateway_backlog_age_seconds", backlog["oldest_age_ms"] / _MS, name)
            if (overdue := facts.get("overdue")) is not None:
                page.put("diantan_receiver_gateway_meters_overdue", overdue["overdue"], name)
        for (kind, severity), count in stored.findings.items():
            page.put("diantan_receiver_findings", count, kind, severity)
        for name, amount in stored.slots.items():
            page.put("diantan_receiver_day_slots", amount, name)
        for night, count in stored.nights.items():
            page.put("diantan_receiver_night_stations", count, night.name.lower())
        commands = stored.commands
        oldest_ms = self._now_ms() if commands.oldest_issued_ms is None else commands.oldest_issued_ms
        page.put("diantan_receiver_commands_open", commands.open)
        page.put("diantan_receiver_commands_oldest_age_seconds", max(self._now_ms() - oldest_ms, 0) / _MS)
        page.put("diantan_receiver_commands_expired", commands.expired)


def _state(known: Known | None) -> str:
    if known is None:
        return "unheard"
    return "offline" if known.state == StatusState.OFFLINE else "online"


def _read(connection: Connection, now_ms: int, night_ms: int) -> _Stored:
    known = gateway_status.known(connection)
    gateways = {row.name: known.get(row.id) for row in connection.execute(select(gateway).order_by(gateway.c.name))}
    open_ = connection.execute(
        select(finding.c.kind, finding.c.severity, func.count().label("findings"))
        .where(finding.c.state != CLOSED)
        .group_by(finding.c.kind, finding.c.severity)
        .order_by(finding.c.kind, finding.c.severity)
    )
    findings = {(row.kind, row.severity): row.findings for row in open_}
    nights = claims.counts(connection, now_ms - night_ms - _DAY_MS)
    return _Stored(gateways, findings, book.figures(connection, now_ms), _slots(connection, now_ms), nights)


def _slots(connection: Connection, now_ms: int) -> dict[str, float]:
    """Return the completeness of the local day that was over last, of all stations whose checks have seen its end."""
    table = completeness_day.c
    sums = [func.sum(table[f"{name}_ms"]).label(name) for name in SLOT_STATES]
    row = connection.execute(select(*sums).where(table.day_ms > now_ms - 2 * _DAY_MS, table.day_ms <= now_ms - _DAY_MS))
    found = row.one()
    return {} if found[0] is None else {name: int(found[place]) / SLOT_MS for place, name in enumerate(SLOT_STATES)}
