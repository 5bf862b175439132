"""The gateway's metrics, scraped over a real socket while it works, and held to the table in the documents."""

import asyncio
from typing import Any

from gateway_support import Running, until
from metrics_support import documented, free_port, scrape

from agent.metrics import FAMILIES


def test_a_working_gateway_tells_how_it_is(site: Any, responder: Any, fast_clock: Any) -> None:
    """Two lines, one of them silent, and no broker."""
    port = free_port()

    async def fault(request: Any, reply: bytes) -> bytes | None:
        return None if request.unit == 2 else reply

    responder.fault = fault

    async def scenario() -> None:
        async with responder.listening():
            extra = f"[metrics]\nport = {port}\n[factor.x]\n".replace(
                "[factor.x]\n", "[report]\noverdue_seconds = 60\n"
            )
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port] * 2, extra=extra), fast_clock)
            async with running as gateway:
                await until(lambda: gateway.writer.next_sequence > 3)
                await until(lambda: gateway.health.line_figures()["line-2"]["silent_meters"] == 1)
                await until(lambda: gateway.facts.overdue().overdue >= 1)
                await gateway.facts.measure()
                found = await scrape(port)
                assert found.value("diantan_agent_line_replies_total", "line-1", "ok") >= 3
                assert found.value("diantan_agent_line_replies_total", "line-2", "timeout") >= 2
                assert found.value("diantan_agent_line_replies_total", "line-2", "ok") == 0
                assert found.value("diantan_agent_line_silent_meters", "line-2") == 1
                assert found.value("diantan_agent_line_steps_total", "line-2") >= 2
                assert found.value("diantan_agent_meters") == 2
                assert found.value("diantan_agent_meters_overdue") >= 1
                assert set(found.samples["diantan_agent_meter_last_reading_timestamp_seconds"]) == {("meter-1",)}
                last = found.value("diantan_agent_meter_last_reading_timestamp_seconds", "meter-1")
                assert 0 <= gateway.time.now_ms() / 1000 - last < 3600
                backlog = found.value("diantan_agent_backlog_records")
                assert backlog == found.value("diantan_agent_records_total") >= 3
                assert found.value("diantan_agent_backlog_bytes") > 20 * 3
                assert found.value("diantan_agent_backlog_oldest_age_seconds") > 0
                assert found.value("diantan_agent_journal_bytes") >= 4096
                assert found.value("diantan_agent_link_connected") == 0
                assert found.value("diantan_agent_clock_state", "synchronised") == 1
                assert sum(found.samples["diantan_agent_clock_state"].values()) == 1
                assert found.value("diantan_agent_factor_state", "undefined") == 1
                assert found.value("diantan_agent_poll_lateness_seconds_count") >= 3
                assert next(iter(found.samples["diantan_agent_info"]))[:2] == ("gw-1", "station-1")
                assert set(found.kinds) == {family.name for family in FAMILIES} - {"diantan_agent_factor_kg_per_kwh"}
                assert all(found.kinds.get(family.name, family.kind) == family.kind for family in FAMILIES)

    asyncio.run(scenario())


def test_counts_rise_and_drops_are_told_by_reason(site: Any, responder: Any, fast_clock: Any) -> None:
    port = free_port()

    async def scenario() -> None:
        async with responder.listening():
            extra = f'default = "0.5"\n[metrics]\nport = {port}\n'
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port], extra=extra), fast_clock)
            async with running as gateway:
                await until(lambda: gateway.writer.next_sequence > 2)
                before = await scrape(port)
                gateway.recorder.held_back += 3
                gateway.facts.unfit += 2
                await until(lambda: gateway.health.figures()["ok"] > before.value(*OK))
                after = await scrape(port)
                assert after.value(*OK) > before.value(*OK)
                dropped = {
                    reason: after.value(NAME, *reason) - before.value(NAME, *reason) for reason in after.samples[NAME]
                }
                assert dropped.pop(("held_back",)) == 3
                assert dropped.pop(("unfit",)) == 2
                assert set(dropped) == {("storage",), ("stale",), ("unusable",)}
                assert after.value("diantan_agent_factor_state", "default") == 1
                assert after.value("diantan_agent_factor_kg_per_kwh") == 0.5

    asyncio.run(scenario())


NAME = "diantan_agent_dropped_total"
OK = ("diantan_agent_line_replies_total", "line-1", "ok")


def test_nothing_listens_unless_a_port_is_given(site: Any, responder: Any, fast_clock: Any) -> None:
    async def scenario() -> None:
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), fast_clock)
            async with running as gateway:
                await until(lambda: gateway.writer.next_sequence > 1)
                assert gateway.metrics._endpoint is None

    asyncio.run(scenario())


def test_the_document_has_every_metric() -> None:
    assert documented("agent") == {family.name: (family.kind, family.labels, family.meaning) for family in FAMILIES}
