"""Readings over HTTP: whose they may be, what is entered, what is told of mistakes."""

import asyncio
import fcntl
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from api_support import NOW_MS, Answer, Client
from metered_support import hours, intervals, surroundings

from cloud_receiver import database, schema
from cloud_receiver.api import readings, tokens
from cloud_receiver.api.config import Api as Settings
from cloud_receiver.api.server import Api, Surroundings
from cloud_receiver.api.tokens import Role
from cloud_receiver.metered_import import journal, signing
from cloud_receiver.metered_import.wish import Surroundings as Importing

TEXT = hours("1", "2", "3")


@asynccontextmanager
async def serving(around: Importing, name: str = "utility", **settings: Any) -> AsyncIterator[Client]:
    """Serve a store with the meter U of the gateway `utility`, to a client with a token of this name."""
    path = around.data_dir / "tokens.toml"
    token = tokens.make(path, name, Role.MEASURE)
    served = Surroundings(around.engine, lambda: NOW_MS, "c", registry=around.registry, imports=around)
    api = Api(Settings(port=1, tokens_file=path, **settings).model_copy(update={"port": 0}), served)
    await api.start()
    try:
        async with aiohttp.ClientSession() as session:
            assert api.port is not None
            yield Client(session, api.port, token)
    finally:
        await api.stop()


@pytest.fixture
def around(tmp_path: Path) -> Any:
    found = surroundings(tmp_path)
    signing.enrol(found.engine, "utility", "S1", data_dir=tmp_path, centre_key=found.key, now_ms=0)
    yield found
    found.engine.dispose()


def post(around: Importing, *bodies: bytes | str, named: dict[str, Any] | None = None, **query: str) -> list[Answer]:
    """Post bodies one after another, of meter U unless the query says otherwise."""
    asked = urlencode({"station": "S1", "meter": "U"} | query)
    options = dict(named or {})
    name, content_type = options.pop("name", "utility"), options.pop("content_type", "text/csv")

    async def ask() -> list[Answer]:
        async with serving(around, name) as client:
            return [await client.post(f"{readings.PATH}?{asked}", body, content_type, **options) for body in bodies]

    return asyncio.run(ask())


def test_a_body_is_imported_once(around: Importing) -> None:
    first, again = post(around, TEXT, TEXT, file="july.csv")
    assert first.status == again.status == 200
    assert (first.json["new"], first.json["known"], first.json["forward_kwh"]) == (3, 0, "6")
    assert (again.json["new"], again.json["known"], again.json["records"]) == (0, 3, 0)
    assert len(intervals(around.engine)) == 3
    with database.reading(around.engine) as connection:
        events = [row.details for row in connection.execute(schema.event.select())]
    assert any("july.csv by token utility" in details for details in events)


def test_forms_are_parameters(around: Importing) -> None:
    text = "wann;Wh\n01.07.2026 00:00;1500,0\n"
    (answer,) = post(around, text, time="wann", forward="Wh", unit="Wh", zone="+08:00", base="10", by_slot="1")
    assert (answer.status, answer.json["intervals_divided"], answer.json["forward_kwh"]) == (200, 1, "1.5")
    assert intervals(around.engine)[-1].forward_total_mwh == 11_500_000


def test_a_compressed_body(around: Importing) -> None:
    (answer,) = post(around, gzip.compress(TEXT.encode()), named={"headers": {"Content-Encoding": "gzip"}})
    assert (answer.status, answer.json["new"]) == (200, 3)


def test_a_dry_run_stores_nothing(around: Importing) -> None:
    (answer,) = post(around, TEXT, dry_run="1")
    assert (answer.json["new"], intervals(around.engine)) == (3, [])


def test_other_values_are_a_conflict_and_what_is_new_is_stored(around: Importing) -> None:
    _, answer = post(around, TEXT, hours("1", "7", "3", "4"))
    assert answer.status == 409
    assert (
        answer.json["detail"]
        == "1 intervals are stored with other values, and stay; 1 new ones are stored, 2 known already"
    )
    (mistake,) = answer.json["mistakes"]
    assert mistake["place"] == "line 3"
    assert [row.forward_mwh for row in intervals(around.engine)] == [1_000_000, 2_000_000, 3_000_000, 4_000_000]


def test_every_mistake_is_told_and_nothing_stored(around: Importing) -> None:
    (answer,) = post(around, hours("1", "x", "y"))
    assert (answer.status, answer.json["mistake_count"]) == (422, 2)
    assert [item["place"] for item in answer.json["mistakes"]] == ["line 3 column 2", "line 4 column 2"]
    assert intervals(around.engine) == []


@pytest.mark.parametrize(
    ("query", "name", "status"),
    [
        ({}, "other", 403),
        ({"meter": "C01"}, "utility", 403),
        ({"station": "S9"}, "utility", 403),
        ({"correct": "1"}, "utility", 400),
        ({"zone": "Mars/Base"}, "utility", 400),
        ({"zone": "../../etc/passwd"}, "utility", 400),
        ({"separator": "x"}, "utility", 400),
        ({"encoding": "rot13"}, "utility", 400),
        ({"stamps": "middle"}, "utility", 400),
        ({"base": "1e999999999"}, "utility", 400),
        ({"rollover": "-1"}, "utility", 400),
        ({"by_slot": "yes"}, "utility", 400),
        ({"file": "a\nb"}, "utility", 400),
        ({"time": "t" * 300}, "utility", 400),
        ({"time": "when"}, "utility", 422),
    ],
)
def test_what_may_not_be_asked(around: Importing, query: dict[str, str], name: str, status: int) -> None:
    (answer,) = post(around, TEXT, named={"name": name}, **query)
    assert answer.status == status
    assert intervals(around.engine) == []


def test_only_tokens_that_measure_tell_and_only_csv(around: Importing) -> None:
    (answer,) = post(around, TEXT, named={"headers": {"Authorization": "Bearer nobody"}})
    assert answer.status == 401
    with_role = around.data_dir / "tokens.toml"
    tokens.revoke(with_role, "utility")
    secret = tokens.make(with_role, "reader", Role.READ)
    (answer,) = post(around, TEXT, named={"headers": {"Authorization": f"Bearer {secret}"}})
    assert answer.status == 403
    tokens.revoke(with_role, "utility")
    (answer,) = post(around, TEXT, named={"content_type": "application/json"})
    assert answer.status == 415


def test_a_body_that_is_too_large_is_refused(around: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "LARGEST", 1 << 16)
    (answer,) = post(around, b"1" * ((1 << 16) + 1))
    assert answer.status == 413


def test_a_gateway_without_a_key_here_is_told(tmp_path: Path) -> None:
    found = surroundings(tmp_path)
    (answer,) = post(found, TEXT)
    found.engine.dispose()
    assert (answer.status, answer.json["detail"]) == (409, "gateway utility: no key signs for it")


def test_while_another_import_is_under_way(around: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "BRISK", replace(journal.BRISK, wait_s=0.0))
    with (around.data_dir / "import.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        (answer,) = post(around, TEXT)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    (answer,) = post_again(around)
    assert answer.status == 200


def post_again(around: Importing) -> list[Answer]:
    tokens.revoke(around.data_dir / "tokens.toml", "utility")
    return post(around, TEXT)


def test_requests_at_once_are_all_answered(around: Importing) -> None:
    async def ask() -> list[Answer]:
        async with serving(around) as client:
            path = f"{readings.PATH}?station=S1&meter=U"
            bodies = [hours(*["1"] * count) for count in range(1, 6)]
            return list(await asyncio.gather(*(client.post(path, body, "text/csv") for body in bodies)))

    answers = asyncio.run(ask())
    assert [answer.status for answer in answers] == [200] * 5
    assert sum(answer.json["new"] for answer in answers) == 5
    assert len(intervals(around.engine)) == 5
