"""What a running gateway says of its lines: together, and of those that have trouble each by itself."""

import asyncio
from typing import Any

import pytest
from gateway_support import Running, silence, until

from agent.line import COUNTERS


def health(caplog: pytest.LogCaptureFixture, message: str) -> list[tuple[Any, dict[str, Any]]]:
    """Return what was logged under a message: what it is about, and the details."""
    return [
        (getattr(record, "about", None), vars(record).get("details", {}))
        for record in caplog.records
        if record.getMessage() == message
    ]


def test_a_line_in_trouble_is_told_of_with_its_silent_meters(
    site: Any, responder: Any, fast_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """And only that one; the sum of all is there in any case."""
    caplog.set_level("INFO")

    async def fault(request: Any, reply: bytes) -> bytes | None:
        return None if request.unit == 2 else reply

    responder.fault = fault

    async def scenario() -> None:
        async with responder.listening():
            extra = "[report]\nstatus_seconds = 600"
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port] * 2, extra=extra), fast_clock)
            async with running as gateway:
                await until(lambda: any("next_attempt_ms" in details for _, details in health(caplog, "line health")))
                lines, total = gateway.health.line_figures(), gateway.health.figures()
                assert lines["line-1"]["silent_meters"] == 0
                assert lines["line-2"]["silent_meters"] == total["silent_meters"] == 1
                assert lines["line-2"]["timeout"] >= 2
                assert all(total[name] == sum(line[name] for line in lines.values()) for name in COUNTERS)

    asyncio.run(scenario())
    told = health(caplog, "line health")
    assert {about for about, _ in told} == {"line-2"}
    assert {"late", "foreign", "corrupt", "probes", "timeout", "load_percent", "attempts_permille"} <= set(told[-1][1])
    assert health(caplog, "health")
    assert health(caplog, "stopped")[0][1]["silent_meters"] == 1


def test_a_line_without_trouble_is_not_told_of(
    site: Any, responder: Any, fast_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Two hundred quiet lines fill no log."""
    caplog.set_level("INFO")

    async def scenario() -> None:
        async with responder.listening():
            extra = "[report]\nstatus_seconds = 60"
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port], extra=extra), fast_clock)
            async with running:
                await until(lambda: len(health(caplog, "health")) >= 2)

    asyncio.run(scenario())
    assert health(caplog, "line health") == []


def test_a_line_that_is_down_has_silent_meters(site: Any, responder: Any, fast_clock: Any) -> None:
    """Nobody there at all: an event has said so, and the figures agree."""

    async def scenario() -> None:
        async with responder.listening():
            config = site.configure(broker_port=1, meter_ports=[responder.port])
        running = Running(config, fast_clock)
        async with running as gateway:
            await until(lambda: gateway.health.figures()["silent_meters"] == 1)
            assert gateway.health.figures()["unreachable"] >= 1

    responder.fault = silence
    asyncio.run(scenario())
