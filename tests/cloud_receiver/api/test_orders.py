"""Charge orders over HTTP: told, known, changed, refused, read back."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from api_support import NOW_MS, Answer, Client
from receiver_support import station_model

from cloud_receiver import database, meters
from cloud_receiver.api import tokens
from cloud_receiver.api.config import Api as Settings
from cloud_receiver.api.server import Api, Surroundings
from cloud_receiver.api.tokens import Role
from cloud_receiver.registry import Registry

PATH = "/v1/orders"
ORDER: dict[str, Any] = {
    "StartChargeSeq": "a1",
    "ConnectorID": "C01",
    "StartTime": "2026-07-01 10:00:00",
    "EndTime": "2026-07-01 11:00:00",
    "TotalPower": 20.25,
    "TotalElecMoney": "20.25",
    "TotalSeviceMoney": 10.125,
    "TotalMoney": 30.375,
    "StopReason": 0,
}


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[tuple[Client, str]]:
    """Serve station S1; yield a client that tells, and a token to read."""
    registry = Registry(station=(station_model(),))
    engine = database.open_store("sqlite:///store.sqlite", directory)
    database.upgrade(engine)
    with database.writing(engine) as connection:
        meters.enter_registry(connection, registry)
    path = directory / "tokens.toml"
    telling, reading = (tokens.make(path, role.value, role) for role in (Role.MEASURE, Role.READ))
    around = Surroundings(engine, lambda: NOW_MS, "c", registry=registry)
    api = Api(Settings(port=1, tokens_file=path).model_copy(update={"port": 0}), around)
    await api.start()
    try:
        async with aiohttp.ClientSession() as session:
            assert api.port is not None
            yield Client(session, api.port, telling), reading
    finally:
        await api.stop()
        engine.dispose()


def told(*orders: object, **more: object) -> str:
    return json.dumps({"station": "S1", "orders": list(orders), **more})


def run(directory: Path, *bodies: str, query: str = "station=S1&from=2026-07-01&all=1") -> tuple[list[Answer], Answer]:
    """Tell bodies one after another; return the answers, and what is read afterwards."""

    async def ask() -> tuple[list[Answer], Answer]:
        async with serving(directory) as (client, token):
            answers = [await client.post(PATH, body) for body in bodies]
            read = await client.get(f"{PATH}?{query}", headers={"Authorization": f"Bearer {token}"})
            return answers, read

    return asyncio.run(ask())


def test_orders_are_told_once_and_read_back(tmp_path: Path) -> None:
    other = {**ORDER, "TotalPower": 21}
    ours = {"number": "b", "charger": "C02", "start": "2026-07-01T12:00:00+08:00", "end": "2026-07-01T13:00:00+08:00"}
    bodies = (told(ORDER, {**ours, "energy_kwh": 1}), told(ORDER), told(other))
    answers, read = run(tmp_path, *bodies)
    assert [answer.json for answer in answers] == [
        {"station": "S1", "orders": 2, "new": 2, "known": 0, "changed": 0},
        {"station": "S1", "orders": 1, "new": 0, "known": 1, "changed": 0},
        {"station": "S1", "orders": 1, "new": 0, "known": 0, "changed": 1},
    ]
    rows = read.json["rows"]
    assert [(row["number"], row["version"], row["in_force"], row["energy_kwh"]) for row in rows] == [
        ("a1", 1, False, "20.250000"),
        ("a1", 2, True, "21.000000"),
        ("b", 1, True, "1.000000"),
    ]
    assert rows[0]["source"] == "http"
    assert rows[0]["by"] == "measure"
    assert rows[0]["start"] == "2026-07-01T02:00:00+00:00"
    assert (rows[0]["amount"], rows[0]["service_amount"], rows[0]["signed"]) == ("30.3750", "10.1250", None)


def test_nothing_is_stored_of_a_body_with_a_mistake(tmp_path: Path) -> None:
    (answer,), read = run(tmp_path, told(ORDER, {**ORDER, "StartChargeSeq": "a2", "ConnectorID": "C99"}))
    assert answer.status == 422
    assert answer.json["mistakes"][0]["place"] == "order 2"
    assert "found 'C99'" in answer.json["mistakes"][0]["text"]
    assert read.json["rows"] == []


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ("", 400, "empty body"),
        ("{", 422, "expected JSON"),
        ("[" * 100_000, 422, "nested too deeply"),
        ("[]", 422, "expected an object"),
        (told(), 422, "a list of 1 to 10000"),
        (told(ORDER, station="S9"), 422, "station: expected one of the registry"),
        (told(ORDER, station=[5]), 422, "expected texts"),
        (told(ORDER, zone="Mars"), 422, "zone: expected a time zone"),
        (told(ORDER, more=1), 422, "found 'more'"),
        (told(ORDER, {**ORDER, "TotalPower": 1}), 422, "two contents"),
        (told({**ORDER, "TotalPower": True}), 422, "expected a text or a number"),
        (told({**ORDER, "TotalPower": {}}), 422, "expected a text or a number"),
        (told(ORDER).replace("20.25,", "1e999999,", 1), 422, "expected a number, found '1e999999'"),
        (told(ORDER).replace("20.25,", "NaN,", 1), 422, "expected a number, found 'NaN'"),
        (told({**ORDER, "TotalServiceMoney": 1}), 422, "expected once"),
        (told("x"), 422, "expected an object, found 'x'"),
        (told({**ORDER, "StartTime": "noon"}), 422, "expected a time"),
    ],
)
def test_hostile_bodies_are_refused(tmp_path: Path, body: str, status: int, text: str) -> None:
    (answer,), read = run(tmp_path, body)
    assert answer.status == status
    assert text in answer.body.decode()
    assert read.json["rows"] == []


def test_a_body_of_another_type_and_a_reader_who_tells_are_refused(tmp_path: Path) -> None:
    async def ask() -> None:
        async with serving(tmp_path) as (client, token):
            assert (await client.post(PATH, "a,b", "text/csv")).status == 415
            reader = {"Authorization": f"Bearer {token}"}
            assert (await client.post(PATH, told(ORDER), headers=reader)).status == 403
            assert (await client.get(f"{PATH}?station=S1&from=2026-07-01")).status == 403

    asyncio.run(ask())


def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async def ask() -> Answer:
        async with serving(tmp_path) as (client, _):
            headers = {"Content-Type": "application/json"}
            return await client.ask("POST", PATH, data=io.BytesIO(b" " * (3 << 20)), headers=headers)

    answer = asyncio.run(ask())
    assert answer.status == 413
    assert "at most 2 MiB" in answer.json["detail"]


def test_the_example_of_the_document_is_taken(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
    example = text[text.index('{"station": "S1"') :].partition("```")[0]
    (answer,), read = run(tmp_path, example)
    assert answer.json["new"] == 1
    assert read.json["rows"][0]["number"] == "A-1"


def test_pages_have_each_order_once(tmp_path: Path) -> None:
    orders = [{**ORDER, "StartChargeSeq": f"n{place}"} for place in range(5)]

    async def ask() -> list[str]:
        async with serving(tmp_path) as (client, token):
            await client.post(PATH, told(*orders))
            path, found = f"{PATH}?station=S1&from=2026-07-01&limit=2", []
            while path:
                answer = await client.get(path, headers={"Authorization": f"Bearer {token}"})
                found += [row["number"] for row in answer.json["rows"]]
                path = answer.json["next"]
            return found

    assert asyncio.run(ask()) == ["n0", "n1", "n2", "n3", "n4"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("station=S9&from=2026-07-01", 404),
        ("station=S1", 400),
        ("station=S1&from=x", 400),
        ("station=S1&from=2020-01&to=2026-01", 400),
        ("station=S1&from=2026-07-01&all=2", 400),
        ("station=S1&from=2026-07-01&by=day", 400),
        ("station=S1&from=2026-07-01&limit=0", 400),
    ],
)
def test_questions_that_are_none(tmp_path: Path, query: str, status: int) -> None:
    assert run(tmp_path, query=query)[1].status == status
