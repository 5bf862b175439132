"""Readings over HTTP: whose they may be, what is entered, what is told of mistakes."""

import asyncio
import fcntl
import gzip
import json
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
        ({"time_format": "%Y"}, "utility", 400),
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


def test_only_tokens_that_measure_tell_and_only_csv_or_json(around: Importing) -> None:
    (answer,) = post(around, TEXT, named={"headers": {"Authorization": "Bearer nobody"}})
    assert answer.status == 401
    with_role = around.data_dir / "tokens.toml"
    tokens.revoke(with_role, "utility")
    secret = tokens.make(with_role, "reader", Role.READ)
    (answer,) = post(around, TEXT, named={"headers": {"Authorization": f"Bearer {secret}"}})
    assert answer.status == 403
    tokens.revoke(with_role, "utility")
    (answer,) = post(around, TEXT, named={"content_type": "application/xml"})
    assert (answer.status, answer.json["detail"]) == (
        415,
        "expected Content-Type: text/csv or application/json, found 'application/xml'",
    )


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


START = "2026-07-01T00:00+08:00"
NEXT = "2026-07-01T01:00+08:00"


def told(around: Importing, *items: object, **keys: object) -> Answer:
    """Post readings as JSON, of meter U unless the keys say otherwise; more than once, if need be."""
    body = json.dumps({"station": "S1", "meter": "U", "readings": list(items)} | keys)
    (around.data_dir / "tokens.toml").unlink(missing_ok=True)

    async def ask() -> Answer:
        async with serving(around) as client:
            return await client.post(readings.PATH, body, "application/json")

    return asyncio.run(ask())


def test_json_is_imported_as_csv_is(around: Importing) -> None:
    items = [{"time": START, "forward": 1.25}, {"time": NEXT, "forward": "2", "reverse": 0.5}]
    answer = told(around, *items)
    assert (answer.status, answer.json["mistakes"][0]["place"]) == (422, "reading 1")
    assert "expected reverse as in other readings" in answer.json["detail"]
    items[0]["reverse"] = 0
    answer = told(around, *items, file="july.json")
    assert (answer.status, answer.json["new"], answer.json["forward_kwh"], answer.json["reverse_kwh"]) == (
        200,
        2,
        "3.25",
        "0.5",
    )
    assert told(around, *items).json["known"] == 2
    (around.data_dir / "tokens.toml").unlink()
    (again,) = post(around, "time,forward_kwh,reverse_kwh\n2026-07-01 00:00,1.25,0\n2026-07-01 01:00,2,0.5\n")
    assert (again.json["known"], again.json["new"]) == (2, 0)
    with database.reading(around.engine) as connection:
        events = [row.details for row in connection.execute(schema.event.select())]
    assert any("july.json by token utility" in details for details in events)


def test_json_of_registers_in_another_unit_and_zone(around: Importing) -> None:
    items = [{"time": "2026-06-30T16:00", "register": 1000}, {"time": "2026-06-30T17:00", "register": 2500}]
    answer = told(around, *items, zone="UTC", unit="Wh", by_slot=True, dry_run=1)
    assert (answer.json["new"], answer.json["intervals_divided"], answer.json["forward_kwh"]) == (1, 1, "1.5")
    assert intervals(around.engine) == []
    assert told(around, *items, zone="UTC", unit="Wh").json["new"] == 1
    assert intervals(around.engine)[0].forward_total_mwh == 2_500_000


def test_a_reading_without_a_value_is_none(around: Importing) -> None:
    answer = told(around, {"time": START, "forward": None}, {"forward": 1, "time": NEXT})
    assert (answer.json["new"], answer.json["lines_without_value"]) == (1, 1)


def test_every_mistake_of_json_is_told_by_its_reading(around: Importing) -> None:
    answer = told(
        around,
        {"time": START, "forward": "x"},
        {"time": "morning", "forward": 1},
        {"time": NEXT, "forward": 1},
        {"time": NEXT, "forward": 2},
    )
    assert answer.status == 422
    assert [item["place"] for item in answer.json["mistakes"]] == [
        "reading 1",
        "reading 2",
        "reading 4",
    ]
    assert answer.json["mistakes"][0]["text"].startswith("forward: expected a number")
    assert "with other values in reading 3" in answer.json["mistakes"][2]["text"]
    answer = told(around, 7, {"time": START, "kwh": 1}, {"time": START, "forward": [1]})
    assert [item["place"] for item in answer.json["mistakes"]] == [f"reading {number}" for number in (1, 2, 3, 2)]
    assert (
        told(around, {"time": START, "register": 5}, {"time": NEXT, "register": 4})
        .json["detail"]
        .startswith("reading 2: register: register: expected at least 5 kWh, that of reading 1, found 4 ")
    )
    assert intervals(around.engine) == []


def test_other_values_in_json_are_a_conflict(around: Importing) -> None:
    told(around, {"time": START, "forward": 1})
    answer = told(around, {"time": START, "forward": 2})
    assert (answer.status, answer.json["mistakes"][0]["place"]) == (409, "reading 1")


@pytest.mark.parametrize(
    ("keys", "status", "expected"),
    [
        ({"station": "S9"}, 403, "expected a meter of gateway utility"),
        ({"meter": "C01"}, 403, "expected a meter of gateway utility"),
        ({"meter": ["U"]}, 422, "meter: expected a text"),
        ({"correct": True}, 422, "found 'correct'"),
        ({"separator": ","}, 422, "found 'separator'"),
        ({"time_format": "%Y"}, 422, "found 'time_format'"),
        ({"time": "time"}, 422, "found 'time'"),
        ({"zone": "Mars/Base"}, 400, "zone: expected a time zone"),
        ({"base": 1e300}, 400, "base '1e+300'"),
        ({"dry_run": "yes"}, 400, "dry_run: expected 0 or 1"),
        ({"readings": []}, 422, "readings: expected a list of 1 to 50000"),
        ({"readings": {}}, 422, "readings: expected a list"),
        ({"readings": [{}]}, 422, "reading 1: expected an object with a time"),
        ({"readings": [{"forward": 1}]}, 422, "expected a column of times"),
        ({"readings": [{"time": START}]}, 422, "expected a column of energies"),
        ({"readings": [{"time": START, "forward": 1, "register": 1}]}, 422, "found both energies and registers"),
        ({"readings": [{"time": START, "forward": True}]}, 422, "forward: expected a text or a number"),
        ({"readings": [{"time": START, "forward": -1}]}, 422, "expected 0 or more"),
    ],
)
def test_json_that_may_not_be(around: Importing, keys: dict[str, Any], status: int, expected: str) -> None:
    answer = told(around, {"time": START, "forward": 1}, **keys)
    assert (answer.status, expected in answer.json["detail"]) == (status, True), answer.json
    assert intervals(around.engine) == []


@pytest.mark.parametrize("body", ["", "{", "[]", "7", "[" * 100_000, '{"readings": [' + "1," * 60_000 + "1]}"])
def test_bodies_that_are_no_json_of_readings(around: Importing, body: str) -> None:
    async def ask() -> Answer:
        async with serving(around) as client:
            return await client.post(readings.PATH, body, "application/json")

    assert asyncio.run(ask()).status == (422 if body else 400)


def test_json_has_no_parameters(around: Importing) -> None:
    (answer,) = post(around, "{}", named={"content_type": "application/json"})
    assert answer.status == 400
