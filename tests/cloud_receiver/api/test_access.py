"""Who is let in, how often, and what becomes of clients that are no clients."""

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from analysis_support import DAY_MS
from api_support import Answer, Client, raw, serving

from cloud_receiver import database
from cloud_receiver.api import grid_reads, tokens
from cloud_receiver.api.access import Budget
from cloud_receiver.api.answers import Sending
from cloud_receiver.api.parameters import Page
from cloud_receiver.api.tokens import Role
from cloud_receiver.grid.analysis.periods import By, Span
from cloud_receiver.grid.history import Query
from settings.errors import ConfigError

NODES = "/v1/grid/nodes"
MEASUREMENTS = "/v1/grid/measurements"


def ask(directory: Path, work: Callable[[Client], Awaitable[Any]], **settings: Any) -> Any:
    async def run() -> Any:
        async with serving(directory, **settings) as client:
            return await work(client)

    return asyncio.run(run())


def test_without_tokens_programs_of_this_machine_read_and_nobody_tells(tmp_path: Path) -> None:
    async def work(client: Client) -> list[Answer]:
        return [
            await client.get(NODES),
            await client.get(NODES, headers={"Host": "localhost"}),
            await client.post(MEASUREMENTS, "[]"),
            await client.get(NODES, headers={"X-Forwarded-For": "192.0.2.7"}),  # a proxy asks for somebody else
            await client.get(NODES, headers={"Host": "evil.example"}),  # a page that had its name point here
        ]

    assert [answer.status for answer in ask(tmp_path, work)] == [200, 200, 403, 403, 403]


@pytest.mark.parametrize(("role", "statuses"), [(Role.READ, [200, 403, 200]), (Role.MEASURE, [403, 422, 403])])
def test_a_token_is_for_its_role_alone(tmp_path: Path, role: Role, statuses: list[int]) -> None:
    async def work(client: Client) -> list[int]:
        answers = [await client.get(NODES), await client.post(MEASUREMENTS, "[]"), await client.get("/grid")]
        return [answer.status for answer in answers]

    assert ask(tmp_path, work, role=role) == statuses


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"scada:{password}".encode()).decode()


def test_who_has_no_token_is_asked_for_one(tmp_path: Path) -> None:
    async def work(client: Client) -> list[Answer]:
        secret, client.token = client.token or "", None
        wrong = [
            {},
            *({"Authorization": value} for value in (secret, f"Bearer {secret}x", f"Bearer {secret[:-1]}", "Bearer ")),
            *({"Authorization": value} for value in ("Basic ?", basic("no"), "Digest x", "Bearer " + "x" * 5000)),
        ]
        right = [{"Authorization": value} for value in (f"Bearer {secret}", f"bearer {secret}", basic(secret))]
        return [await client.get(NODES, headers=headers) for headers in (*wrong, *right)]

    answers = ask(tmp_path, work, role=Role.READ)
    assert [answer.status for answer in answers] == [401] * 9 + [200] * 3
    for answer in answers[:9]:
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="diantan"')
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_without_a_token_nobody_learns_what_there_is(tmp_path: Path) -> None:
    async def work(client: Client) -> list[int]:
        client.token = None
        paths = (NODES, "/nothing", "/v1/grid/nodes/X9/factors", "/grid", "/")
        return [(await client.get(path)).status for path in paths]

    assert ask(tmp_path, work, role=Role.READ) == [401] * 5


def test_tokens_are_believed_from_when_they_are_made_until_they_are_revoked(tmp_path: Path) -> None:
    async def work(client: Client) -> list[int]:
        first, file = client.token, tmp_path / "tokens.toml"
        found = []
        client.token = tokens.make(file, "other", Role.READ)
        found.append((await client.get(NODES)).status)
        tokens.revoke(file, "other")
        found.append((await client.get(NODES)).status)
        file.chmod(0o644)  # now anybody may have read it
        client.token = first
        found.append((await client.get(NODES)).status)
        file.chmod(0o600)
        found.append((await client.get(NODES)).status)
        return found

    assert ask(tmp_path, work, role=Role.READ) == [200, 401, 503, 200]


def test_a_file_that_others_may_use_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    tokens.make(file, "scada", Role.READ)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="mode 0644"):
        ask(tmp_path, lambda client: client.get(NODES), tokens_file=file)


def test_guesses_are_counted_by_address_and_keep_no_other_client_of_it_out(tmp_path: Path) -> None:
    async def work(client: Client) -> tuple[list[Answer], Answer]:
        secret, client.token = client.token, "guess"
        guesses = [await client.get(NODES) for _ in range(21)]
        client.token = secret  # of the same address, as all are behind a proxy
        return guesses, await client.get(NODES)

    guesses, after = ask(tmp_path, work, role=Role.READ)
    assert [answer.status for answer in guesses] == [401] * 20 + [429]
    assert 1 <= int(guesses[-1].headers["Retry-After"]) <= 4
    assert after.status == 200


def test_requests_are_counted_by_token(tmp_path: Path) -> None:
    async def work(client: Client) -> list[Answer]:
        found = [await client.get(NODES) for _ in range(4)]
        client.token = tokens.make(tmp_path / "tokens.toml", "other", Role.READ)
        return [*found, await client.get(NODES)]

    answers = ask(tmp_path, work, role=Role.READ, requests_per_minute=3)
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 200]
    assert answers[3].headers["Retry-After"]


def test_a_budget_fills_again() -> None:
    now = [0.0]
    budget = Budget(60, lambda: now[0])
    assert [budget.wait_s("a") for _ in range(60)] == [0.0] * 60
    assert budget.wait_s("a") == pytest.approx(1.0)
    assert budget.wait_s("b") == 0.0
    now[0] = 2.5
    assert [budget.wait_s("a") for _ in range(3)] == [0.0, 0.0, pytest.approx(0.5)]
    for number in range(20_000):
        budget.wait_s(str(number))
    assert len(budget._left) == 10_000


def test_connections_are_bounded(tmp_path: Path) -> None:
    async def work(client: Client) -> tuple[bytes, int]:
        held = [await asyncio.open_connection("127.0.0.1", client.port) for _ in range(3)]
        for _, writer in held:  # each is known to the server once it has answered
            writer.write(f"GET {NODES} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        for reader, _ in held:
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        refused = await raw(client.port, b"")
        for _, writer in held:
            writer.close()
            await writer.wait_closed()
        while (answer := await raw(client.port, _request())).startswith(b"HTTP/1.1 503"):
            pass  # until the server has seen them close
        return refused, int(answer.split(b" ", 2)[1])

    refused, status = ask(tmp_path, work, connections=3)
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert status == 200


def _request(*headers: str) -> bytes:
    lines = (f"GET {NODES} HTTP/1.1", "Host: localhost", "Connection: close", *headers)
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",  # TLS
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x00" * 64 + b"\r\n\r\n",
        _request(*(f"X-{number}: y" for number in range(500))),
        _request("X-Long: " + "y" * 20_000),
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        _request("X Bad: y"),
    ],
)
def test_floods_and_noise_are_refused_and_others_served(tmp_path: Path, sent: bytes) -> None:
    async def work(client: Client) -> tuple[bytes, int]:
        return await raw(client.port, sent, wait=False), (await client.get(NODES)).status

    answer, status = ask(tmp_path, work)
    assert not answer or answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400")), answer[:100]
    assert status == 200


def test_headers_that_never_end_are_not_waited_for(tmp_path: Path) -> None:
    # Ends with the connection, or by pytest's time limit.
    assert ask(tmp_path, lambda client: raw(client.port, b"GET / HTTP/1.1\r\nHost: loc"), timeout_s=1) == b""


def test_the_page_is_escaped_and_has_no_script(tmp_path: Path) -> None:
    answer = ask(tmp_path, lambda client: client.get("/grid"))
    text = answer.body.decode()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "<script" not in text
    assert "0.680000" in text
    assert "一厂" in text
    assert "电厂 Power plants (1)" in text
    assert "残差 Residual" in text


def test_the_root_leads_to_the_page(tmp_path: Path) -> None:
    home = ask(tmp_path, lambda client: client.get("/"))
    assert (home.status, home.headers["Location"]) == (303, "/grid")


def test_a_client_that_takes_no_answer_is_left() -> None:
    sent = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            return await Sending(0.2).send(request, b"x" * (64 << 20), "text/plain")
        finally:
            sent.set()

    async def run() -> int:
        application = web.Application()
        application.router.add_get("/", handler)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=1 << 16)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await sent.wait()  # or pytest's time limit
        received = 0
        with contextlib.suppress(ConnectionError):
            while part := await reader.read(1 << 20):
                received += len(part)
        writer.close()
        await runner.cleanup()
        return received

    assert asyncio.run(run()) < 64 << 20


def test_others_get_their_turn_while_an_answer_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid_reads, "_VALUES_A_TURN", 5)  # one slot of the small network at a time

    async def work(client: Client) -> int:
        # What goes through the loop between the slots, and between them only: the answer is asked for in-process.
        reads = grid_reads.GridReads(database.open_store("sqlite:///receiver.sqlite", tmp_path), Sending(5), "UTC")
        query = Query("nodes", Span(DAY_MS, DAY_MS + 86_400_000), By.SLOT)
        making = asyncio.ensure_future(reads._page(query, Page(), str))
        count = 0
        while not making.done():
            await asyncio.sleep(0)
            count += 1
        rows, more = making.result()
        assert (len(rows), more) == (12, None)
        reads._engine.dispose()
        return count

    assert ask(tmp_path, work) >= 4
