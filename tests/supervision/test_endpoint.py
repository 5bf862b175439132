"""The metrics endpoint on a real socket: what it answers, and what it bears."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
from metrics_support import http, scrape

from supervision.endpoint import MOST_CONNECTIONS, MOST_REQUEST_BYTES, MetricsEndpoint

TEXT = "# HELP a b\n# TYPE a gauge\na 1\n"


async def page() -> str:
    return TEXT


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a set has no event to wait for
            await asyncio.sleep(0.005)


def served(
    scenario: Callable[[MetricsEndpoint], Awaitable[None]],
    made: Callable[[], Awaitable[str]] = page,
    timeout_s: float = 10,
) -> None:
    async def run() -> None:
        served = MetricsEndpoint("127.0.0.1", 0, made, timeout_s=timeout_s)
        assert await served.start()
        try:
            await scenario(served)
        finally:
            await served.stop()

    asyncio.run(run())


def test_a_scrape_gets_the_page() -> None:
    async def scenario(served: MetricsEndpoint) -> None:
        assert (await scrape(served.port)).value("a") == 1
        head, body = await http("127.0.0.1", served.port, b"HEAD /metrics HTTP/1.0\r\n\r\n")
        assert f"Content-Length: {len(TEXT)}" in head
        assert body == b""

    served(scenario)


def test_it_listens_on_loopback_of_ipv6_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")

    async def run() -> None:
        served = MetricsEndpoint("::1", 0, page)
        if not await served.start():
            pytest.skip("no IPv6 loopback here")
        try:
            assert (await scrape(served.port, "::1")).value("a") == 1
        finally:
            await served.stop()

    asyncio.run(run())
    assert "metrics on http://[::1]:" in caplog.text


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /metrics/../etc HTTP/1.1\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"GET /metrics\r\n\r\n", 400),
        (b"\x00\xff\r\n\r\n", 400),
        (b"GET /metrics SMTP/9\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * (MOST_REQUEST_BYTES + 1), 431),
        (b"GET /metrics?name=a HTTP/1.1\r\n\r\n", 200),
    ],
)
def test_other_requests_are_answered_by_their_status(request_: bytes, status: int) -> None:
    async def scenario(served: MetricsEndpoint) -> None:
        head, _ = await http("127.0.0.1", served.port, request_)
        assert head.startswith(f"HTTP/1.1 {status} ")
        assert (await scrape(served.port)).value("a") == 1

    served(scenario)


def test_a_request_that_never_ends_is_given_up() -> None:
    async def scenario(served: MetricsEndpoint) -> None:
        head, _ = await http("127.0.0.1", served.port, b"GET /metrics HT")
        assert head.startswith("HTTP/1.1 408 ")

    served(scenario, timeout_s=0.05)


def test_more_connections_than_the_limit_are_turned_away() -> None:
    """Those that hang about end after a while, and then there is room again."""

    async def scenario(served: MetricsEndpoint) -> None:
        idle = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(MOST_CONNECTIONS)]
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
        writer.close()
        for _, other in idle:
            other.close()
        await until(lambda: not served._open)
        assert (await scrape(served.port)).value("a") == 1

    served(scenario)


def test_a_reader_that_takes_nothing_is_given_up() -> None:
    async def large() -> str:
        return "x" * (64 << 20)

    async def scenario(served: MetricsEndpoint) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        await writer.drain()
        await until(lambda: bool(served._open))
        await until(lambda: not served._open)
        writer.transport.abort()

    served(scenario, large, timeout_s=0.2)


def test_a_page_that_fails_is_told_and_kills_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> str:
        raise RuntimeError("no figures")

    async def scenario(served: MetricsEndpoint) -> None:
        for _ in range(2):
            head, body = await http("127.0.0.1", served.port, b"GET /metrics HTTP/1.1\r\n\r\n")
            assert head.startswith("HTTP/1.1 500 ")
            assert b"no figures" not in body

    served(scenario, broken)
    assert "the metrics can't be told" in caplog.text


def test_a_port_that_is_taken_is_told_and_stops_no_program(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        first = MetricsEndpoint("127.0.0.1", 0, page)
        assert await first.start()
        second = MetricsEndpoint("127.0.0.1", first.port, page)
        assert not await second.start()
        await second.stop()
        await first.stop()

    asyncio.run(run())
    assert "no metrics: 127.0.0.1:" in caplog.text
