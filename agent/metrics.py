"""The gateway's metrics for Prometheus; docs/monitoring.md has them in a table."""

from typing import TYPE_CHECKING, Final

from agent.line_meter import LATENESS_MS
from agent.notes import ORDER_RESULTS, figures_of
from supervision.endpoint import MetricsEndpoint
from supervision.exposition import Family, Histogram, Page
from wire.records import ClockState, FactorQuality

if TYPE_CHECKING:
    from agent.gateway import Gateway

_MS: Final = 1000
_PERCENT: Final = 100
_PERMILLE: Final = 1000
_MG: Final = 1_000_000

FAMILIES: Final = (
    Family("diantan_agent_info", "gauge", "1; who this is", ("gateway", "station", "context")),
    Family(
        "diantan_agent_line_replies_total",
        "counter",
        "what became of requests: ok, timeout, exception; what else was heard: late, foreign, corrupt, echo",
        ("line", "result"),
    ),
    Family("diantan_agent_line_probes_total", "counter", "requests made only to see what is still coming", ("line",)),
    Family("diantan_agent_line_connects_total", "counter", "connections made", ("line",)),
    Family("diantan_agent_line_unreachable_total", "counter", "requests that found no connection", ("line",)),
    Family(
        "diantan_agent_line_steps_total", "counter", "things the line did, waits included; 0 a minute: hung", ("line",)
    ),
    Family("diantan_agent_line_silent_meters", "gauge", "meters that don't answer", ("line",)),
    Family("diantan_agent_line_unreliable_meters", "gauge", "meters that answer now and then", ("line",)),
    Family("diantan_agent_line_load_ratio", "gauge", "what the polls want of the line's time", ("line",)),
    Family("diantan_agent_line_attempts_ratio", "gauge", "what attempts at silent meters had of it", ("line",)),
    Family("diantan_agent_poll_lateness_seconds", "histogram", "how late polls began, all lines together"),
    Family("diantan_agent_meters", "gauge", "meters that are configured"),
    Family(
        "diantan_agent_meters_overdue", "gauge", "meters without a good reading for too long (report.overdue_seconds)"
    ),
    Family(
        "diantan_agent_meter_last_reading_timestamp_seconds", "gauge", "when a meter was last read well", ("meter",)
    ),
    Family("diantan_agent_records_total", "counter", "records written to this journal"),
    Family(
        "diantan_agent_records_unacknowledged", "gauge", "records in the journal that the centre has not acknowledged"
    ),
    Family("diantan_agent_records_waiting", "gauge", "records in memory that wait for the disk"),
    Family("diantan_agent_backlog_records", "gauge", "unacknowledged and waiting records"),
    Family("diantan_agent_backlog_bytes", "gauge", "bytes of the unacknowledged records"),
    Family("diantan_agent_backlog_oldest_age_seconds", "gauge", "since the oldest unacknowledged interval began"),
    Family("diantan_agent_batches_unacknowledged", "gauge", "batches under way"),
    Family("diantan_agent_batches_resent_total", "counter", "batches sent more than once"),
    Family(
        "diantan_agent_dropped_total",
        "counter",
        "dropped records (storage, of this journal; unfit), live values (stale), readings (held_back, unusable)",
        ("reason",),
    ),
    Family("diantan_agent_journal_bytes", "gauge", "bytes of the journal in use"),
    Family("diantan_agent_journal_full", "gauge", "1 while the disk takes nothing"),
    Family("diantan_agent_link_connected", "gauge", "1 while the broker is there"),
    Family(
        "diantan_agent_clock_state", "gauge", "1 for the state that holds: unknown, synchronised, stepped", ("state",)
    ),
    Family("diantan_agent_clock_offset_seconds", "gauge", "the gateway's time less its system clock"),
    Family(
        "diantan_agent_factor_state",
        "gauge",
        "1 for where the factor of this slot is from: dispatched, held, default, undefined",
        ("state",),
    ),
    Family("diantan_agent_factor_kg_per_kwh", "gauge", "factor of this slot; absent while undefined"),
    Family("diantan_agent_factor_messages_rejected_total", "counter", "factor messages that were not believed"),
    Family(
        "diantan_agent_commands_total",
        "counter",
        "commands: done, refused, failed, under_way; repeated, put_off (too many), unbelieved (not rightly signed)",
        ("result",),
    ),
    Family("diantan_agent_freezes_total", "counter", "freezes of the meters: read, missing", ("result",)),
    Family("diantan_agent_freezes_awaited", "gauge", "freezes that are still to be read"),
    Family(
        "diantan_agent_orders_total",
        "counter",
        "charge orders: read, missed (gone, or none), repeated (twice in the log), torn (the log changed meanwhile)",
        ("result",),
    ),
    Family("diantan_agent_meter_clocks_off", "gauge", "meters whose clock is off by more than the limit"),
    Family("diantan_agent_meter_clock_worst_seconds", "gauge", "largest difference of a meter's clock, with its sign"),
)

_RESULTS: Final = ("ok", "timeout", "exception", "late", "foreign", "corrupt", "echo")


class AgentMetrics:
    """Tells a gateway's metrics, on loopback if a port is configured."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._endpoint: MetricsEndpoint | None = None

    async def start(self) -> None:
        """Listen, if so configured."""
        settings = self._gateway.config.metrics
        if settings.port is not None:
            self._endpoint = MetricsEndpoint(settings.host, settings.port, self._asked)
            await self._endpoint.start()

    async def stop(self) -> None:
        """Listen no longer."""
        if self._endpoint is not None:
            await self._endpoint.stop()

    async def _asked(self) -> str:
        return self.text()

    def text(self) -> str:
        """Return the page."""
        page = Page(FAMILIES)
        self._lines(page)
        self._meters(page)
        self._records(page)
        self._surroundings(page)
        return page.text()

    def _lines(self, page: Page) -> None:
        for line in self._gateway.lines:
            page.put("diantan_agent_line_steps_total", line.steps, line.name)
        for name, figures in self._gateway.health.line_figures().items():
            for result in _RESULTS:
                page.put("diantan_agent_line_replies_total", figures[result], name, result)
            page.put("diantan_agent_line_probes_total", figures["probes"], name)
            page.put("diantan_agent_line_connects_total", figures["connects"], name)
            page.put("diantan_agent_line_unreachable_total", figures["unreachable"], name)
            page.put("diantan_agent_line_silent_meters", figures["silent_meters"], name)
            page.put("diantan_agent_line_unreliable_meters", figures["unreliable_meters"], name)
            page.put("diantan_agent_line_load_ratio", figures["load_percent"] / _PERCENT, name)
            page.put("diantan_agent_line_attempts_ratio", figures["attempts_permille"] / _PERMILLE, name)
        late = self._gateway.health.lateness()
        bounds = [bound / _MS for bound in LATENESS_MS]
        page.put_histogram("diantan_agent_poll_lateness_seconds", Histogram(bounds, late.counts, late.total_ms / _MS))

    def _meters(self, page: Page) -> None:
        facts, now = self._gateway.facts, self._gateway.time.now_ms()
        overdue = facts.overdue()
        page.put("diantan_agent_meters", overdue.meters)
        page.put("diantan_agent_meters_overdue", overdue.overdue)
        for meter, age in facts.ages_ms().items():
            if age is not None:
                page.put("diantan_agent_meter_last_reading_timestamp_seconds", (now - age) / _MS, meter)
        notes = figures_of(self._gateway.recorder.notes.values())
        for result in ("read", "missing"):
            page.put("diantan_agent_freezes_total", notes[f"freezes_{result}"], result)
        page.put("diantan_agent_freezes_awaited", notes["freezes_awaited"])
        for result in ORDER_RESULTS:
            page.put("diantan_agent_orders_total", notes[f"orders_{result}"], result)
        page.put("diantan_agent_meter_clocks_off", notes["meter_clocks_off"])
        page.put("diantan_agent_meter_clock_worst_seconds", notes["meter_clock_worst_ms"] / _MS)

    def _records(self, page: Page) -> None:
        facts, writer, window = self._gateway.facts, self._gateway.writer, self._gateway.uplink.window
        backlog = facts.backlog()
        page.put("diantan_agent_records_total", writer.next_sequence - 1)
        page.put("diantan_agent_records_unacknowledged", writer.unacknowledged)
        page.put("diantan_agent_records_waiting", writer.waiting_records)
        page.put("diantan_agent_backlog_records", backlog.records)
        page.put("diantan_agent_backlog_bytes", backlog.size)
        page.put("diantan_agent_backlog_oldest_age_seconds", backlog.oldest_age_ms / _MS)
        page.put("diantan_agent_batches_unacknowledged", len(window))
        page.put("diantan_agent_batches_resent_total", window.resent)
        for reason, count in facts.dropped_by().items():
            page.put("diantan_agent_dropped_total", count, reason.name.lower())
        page.put("diantan_agent_journal_bytes", facts.measured.used_bytes)
        page.put("diantan_agent_journal_full", writer.full)

    def _surroundings(self, page: Page) -> None:
        gateway = self._gateway
        who = gateway.config.gateway
        page.put("diantan_agent_info", 1, who.id, who.station, gateway.writer.journal.header.context.hex())
        page.put("diantan_agent_link_connected", gateway.link.connected)
        for state in ClockState:
            page.put("diantan_agent_clock_state", gateway.time.state == state, state.name.lower())
        page.put("diantan_agent_clock_offset_seconds", gateway.facts.clock_offset_ms() / _MS)
        factor, quality = gateway.factors.schedule.at(gateway.time.now_ms())
        for origin in FactorQuality:
            page.put("diantan_agent_factor_state", quality == origin, origin.name.lower())
        if factor is not None:
            page.put("diantan_agent_factor_kg_per_kwh", factor / _MG)
        page.put("diantan_agent_factor_messages_rejected_total", gateway.factors.rejected)
        for result, count in gateway.remote.answerer.counts.items():
            page.put("diantan_agent_commands_total", count, result)
