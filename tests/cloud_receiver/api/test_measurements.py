"""What feeds tell over HTTP: all of it checked, stored once, answered after the commit."""

import asyncio
import errno
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from analysis_support import DAY_MS
from api_support import NOW_MS, Answer, Client, raw, serving
from sqlalchemy import select

from cloud_receiver import database
from cloud_receiver.api import bodies, measurements
from cloud_receiver.api.tokens import Role
from cloud_receiver.grid import telemetry
from cloud_receiver.grid.analysis.periods import SLOT_MS, utc
from cloud_receiver.schema import grid_notice, grid_telemetry

PATH = "/v1/grid/measurements"
TIMES = [DAY_MS + (40 + number) * SLOT_MS for number in range(3)]
TABLE = "time,G1.p,G2.p\n" + "".join(f"{utc(time)},{50 + place},20\n" for place, time in enumerate(TIMES))
DOCUMENT = json.dumps([{"time": utc(TIMES[0]), "load": {"town": {"p_mw": 12.5}, "park": {"p_mw": 3}}}])


def ask(directory: Path, work: Callable[[Client], Awaitable[Any]], **settings: Any) -> Any:
    async def run() -> Any:
        async with serving(directory, role=Role.MEASURE, **settings) as client:
            return await work(client)

    return asyncio.run(run())


def post(
    directory: Path, body: bytes | str, content_type: str = "application/json", path: str = PATH, **named: Any
) -> Answer:
    found: Answer = ask(directory, lambda client: client.post(path, body, content_type, **named))
    return found


def stored(directory: Path) -> list[Any]:
    """Return what came over HTTP: start, feed, time of receipt."""
    engine = database.open_store("sqlite:///receiver.sqlite", directory)
    with database.reading(engine) as connection:
        columns = (grid_telemetry.c.start_ms, grid_telemetry.c.feed, grid_telemetry.c.received_ms)
        rows = connection.execute(select(*columns).where(grid_telemetry.c.start_ms >= TIMES[0]))
        found = [tuple(row) for row in rows]
    engine.dispose()
    return found


def test_a_document_is_stored_under_the_tokens_name(tmp_path: Path) -> None:
    answer = post(tmp_path, DOCUMENT)
    assert (answer.status, answer.json) == (
        200,
        {
            "feed": "scada",
            "slots": 1,
            "new": 1,
            "known": 0,
            "first_interval_start_utc": utc(TIMES[0]),
            "last_interval_start_utc": utc(TIMES[0]),
        },
    )
    assert stored(tmp_path) == [(TIMES[0], "scada", NOW_MS)]
    engine = database.open_store("sqlite:///receiver.sqlite", tmp_path)
    with database.reading(engine) as connection:
        (received,) = telemetry.between(connection, TIMES[0], TIMES[0] + 1)[TIMES[0]]
        assert received.snapshot.loads["town"].megawatts == 12.5
        spans = [(row.first_ms, row.last_ms) for row in connection.execute(select(grid_notice))]
    engine.dispose()
    assert (TIMES[0], TIMES[0]) in spans  # the grid service knows


def test_a_table_twice_is_stored_once(tmp_path: Path) -> None:
    async def twice(client: Client) -> tuple[Answer, Answer]:
        path = f"{PATH}?table=generators"
        return await client.post(path, TABLE, "text/csv"), await client.post(path, TABLE, "text/csv; charset=utf-8")

    first, again = ask(tmp_path, twice)
    assert (first.status, first.json["new"], first.json["known"]) == (200, 3, 0)
    assert (again.status, again.json["new"], again.json["known"]) == (200, 0, 3)
    assert len(stored(tmp_path)) == 3


@pytest.mark.parametrize("members", [1, 2])
def test_bodies_may_be_compressed(tmp_path: Path, members: int) -> None:
    half = len(TABLE) // members
    parts = [TABLE[:half], TABLE[half:]] if members == 2 else [TABLE]
    body = b"".join(gzip.compress(part.encode()) for part in parts)
    answer = post(tmp_path, body, "text/csv", f"{PATH}?table=generators", headers={"Content-Encoding": "gzip"})
    assert (answer.status, answer.json["new"]) == (200, 3)


def test_more_slots_than_one_transaction_has(tmp_path: Path) -> None:
    times = [DAY_MS + (50 + number) * SLOT_MS for number in range(70)]
    table = "time,town.p\n" + "".join(f"{utc(time)},5\n" for time in times)
    answer = post(tmp_path, table, "text/csv", f"{PATH}?table=loads")
    assert (answer.json["slots"], answer.json["new"]) == (70, 70)
    assert len(stored(tmp_path)) == 70


def test_every_mistake_is_told_with_its_place_and_nothing_is_stored(tmp_path: Path) -> None:
    table = TABLE + f"{utc(DAY_MS + 50 * SLOT_MS)},lots,20\nnoon,1,2\n"
    answer = post(tmp_path, table, "text/csv", f"{PATH}?table=generators")
    assert answer.status == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["mistake_count"] == 2
    assert [(item["table"], item["place"]) for item in answer.json["mistakes"]] == [
        ("generators.csv", "line 5 column 2"),
        ("generators.csv", "line 6 column 1"),
    ]
    assert str(tmp_path) not in answer.body.decode()
    assert "/tmp" not in answer.body.decode()
    assert stored(tmp_path) == []


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "not JSON"),
        ("null", "expected a list of slots"),
        ("[]", "expected measurements of slots, found none"),
        (deep(100_000), "too many values inside one another"),
        ('[{"time": "2026-07-01T12:00+08:00", "load": {"town": {"p_mw": 1e999}}}]', "town"),
        ('[{"time": "2026-07-01T12:00+08:00", "load": {"town": {"p_mw": NaN}}}]', "town"),
        ('[{"time": "2026-07-01T12:00+08:00", "load": {"town": {"p_mw": ' + "9" * 5000 + "}}}]", "not JSON"),
        ('[{"time": "2026-07-01T12:00+08:00", "load": {"moon": {"p_mw": 1}}}]', "moon"),
        ('[{"time": "2026-07-01T12:01+08:00", "load": {"town": {"p_mw": 1}}}]', "start of a slot"),
        ('{"a": 1, "a": 2}', "twice"),
        ('[{"time": "1999-07-01T12:00+08:00", "load": {"town": {"p_mw": 1}}}]', "no grid for the slot"),
    ],
)
def test_what_is_no_measurement_is_refused(tmp_path: Path, body: str, said: str) -> None:
    answer = post(tmp_path, body)
    assert answer.status == 422
    assert said in answer.json["detail"]
    assert stored(tmp_path) == []


@pytest.mark.parametrize(
    ("body", "content_type", "query", "headers", "status", "said"),
    [
        (b"{}", "text/xml", "", {}, 415, "expected Content-Type"),
        (
            b"time\n",
            "text/csv",
            "",
            {},
            400,
            "table: expected one of branches, generators, loads, storages, found none",
        ),
        (b"time\n", "text/csv", "?table=../../x", {}, 400, "table: expected one of"),
        (b"[]", "application/json", "?table=loads", {}, 400, "table: is for text/csv"),
        (b"[]", "application/json", "?feed=other", {}, 400, "unknown parameter 'feed'"),
        (b"", "application/json", "", {}, 400, "found an empty body"),
        (b"[]", "application/json", "", {"Content-Encoding": "br"}, 415, "expected Content-Encoding"),
        (b"no gzip", "application/json", "", {"Content-Encoding": "gzip"}, 400, "the body is not gzip"),
        (
            gzip.compress(b"[]", mtime=0)[:-4],
            "application/json",
            "",
            {"Content-Encoding": "gzip"},
            400,
            "it ends too soon",
        ),
        (b"time,G1.p\n\xff,1\n", "text/csv", "?table=generators", {}, 422, "UTF-8"),
        (b"\x00" * 100, "text/csv", "?table=generators", {}, 422, ""),
    ],
)
def test_requests_that_are_none(  # noqa: PLR0917 - the columns of the table above
    tmp_path: Path, body: bytes, content_type: str, query: str, headers: dict[str, str], status: int, said: str
) -> None:
    answer = post(tmp_path, body, content_type, PATH + query, headers=headers)
    assert answer.status == status
    assert said in answer.json["detail"]
    assert stored(tmp_path) == []


def test_a_body_may_not_be_too_large_and_nor_may_what_it_becomes(tmp_path: Path) -> None:
    async def work(client: Client) -> list[Answer]:
        path = f"{PATH}?table=generators"
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        bomb = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(200)) + packer.flush()
        assert len(bomb) < 1 << 20

        async def endless() -> Any:
            for _ in range(40):
                yield b"x" * (1 << 16)

        return [
            await client.post(path, bomb, "text/csv", headers={"Content-Encoding": "gzip"}),
            await client.post(path, endless(), "text/csv"),  # type: ignore[arg-type]  # a body without a length
            await client.get("/v1/grid/nodes"),
        ]

    bomb, endless, _ = ask(tmp_path, work, body_mib=1)
    for answer in (bomb, endless):
        assert answer.status == 413
        assert "at most 1 MiB" in answer.json["detail"]
    assert stored(tmp_path) == []


def test_others_get_their_turn_while_a_table_of_nothing_is_read(tmp_path: Path) -> None:
    async def work(client: Client) -> tuple[int, int]:
        turns = 0
        asking = asyncio.ensure_future(client.post(f"{PATH}?table=loads", "time,id,p\n" + "\n" * 200_000, "text/csv"))
        while not asking.done():
            await asyncio.sleep(0)
            turns += 1
        return asking.result().status, turns

    status, turns = ask(tmp_path, work)
    assert status == 422
    assert turns > 700  # once in 256 lines, besides some tens for the request and its answer


def test_a_declared_length_that_is_too_large_is_refused_before_it_comes(tmp_path: Path) -> None:
    async def work(client: Client) -> bytes:
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {client.token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
        )
        return await raw(client.port, head.encode())

    assert ask(tmp_path, work).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    async def work(client: Client) -> bytes:
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {client.token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n[{"
        )
        return await raw(client.port, head.encode())

    assert b" 408 " in ask(tmp_path, work, timeout_s=1)
    assert stored(tmp_path) == []


def test_a_body_that_comes_by_drops_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "WHOLE", 1)

    async def work(client: Client) -> Answer:
        async def drops() -> Any:
            while True:  # until the receiver ends it
                yield b" "
                await asyncio.sleep(0.02)

        return await client.post(PATH, drops())  # type: ignore[arg-type]  # a body without a length

    answer = ask(tmp_path, work, timeout_s=1)
    assert (answer.status, answer.json["detail"]) == (408, "the body did not come in 1 s")


@pytest.mark.parametrize("length", ["1, 2", "-5", "abc", "5\r\nContent-Length: 6", "5\r\nTransfer-Encoding: chunked"])
def test_wrong_lengths_are_refused(tmp_path: Path, length: str) -> None:
    async def work(client: Client) -> bytes:
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {client.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n[]zzz"
        )
        return await raw(client.port, head.encode())

    assert ask(tmp_path, work).startswith(b"HTTP/1.0 400 ")
    assert stored(tmp_path) == []


def test_a_body_for_which_there_is_no_room_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bodies.Bodies, "_receive", full)
    answer = post(tmp_path, DOCUMENT, path=f"{PATH}?")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        f"POST {PATH}: No space left on device"
    ]
    assert stored(tmp_path) == []


def test_a_store_that_fails_is_told_and_nothing_is_answered_as_stored(tmp_path: Path) -> None:
    async def work(client: Client) -> Answer:
        engine = database.open_store("sqlite:///receiver.sqlite", tmp_path)
        with database.writing(engine) as connection:
            connection.exec_driver_sql("ALTER TABLE grid_telemetry RENAME TO elsewhere")
        answer = await client.post(PATH, DOCUMENT)
        with database.writing(engine) as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO grid_telemetry")
        engine.dispose()
        return answer

    answer = ask(tmp_path, work)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    assert stored(tmp_path) == []


def test_slots_that_are_far_ahead_are_refused(tmp_path: Path) -> None:
    """A feed whose year is wrong would be taken for the measurements of slots to come."""

    def document(time_ms: int) -> str:
        return json.dumps([{"time": utc(time_ms), "load": {"town": {"p_mw": 12.5}}}])

    limit_ms = NOW_MS + measurements.AHEAD_MS
    ahead_ms = limit_ms - limit_ms % SLOT_MS + SLOT_MS
    answer = post(tmp_path, document(ahead_ms))
    assert answer.status == 422
    assert f"slot {utc(ahead_ms)}: expected slots up to a day from now" in answer.json["detail"]
    assert stored(tmp_path) == []


def test_slots_of_the_coming_day_are_taken(tmp_path: Path) -> None:
    limit_ms = NOW_MS + measurements.AHEAD_MS
    time_ms = limit_ms - limit_ms % SLOT_MS
    assert post(tmp_path, json.dumps([{"time": utc(time_ms), "load": {"town": {"p_mw": 1}}}])).status == 200
