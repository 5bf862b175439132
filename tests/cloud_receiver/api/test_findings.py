"""What becomes of findings over HTTP: each change once, in order, for whoever goes on from the last."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from api_support import NOW_MS, Client
from receiver_support import DAY_MS, station_model
from sqlalchemy import Engine

from cloud_receiver import database, finding_history, findings, meters
from cloud_receiver.api import tokens
from cloud_receiver.api.config import Api as Settings
from cloud_receiver.api.server import Api, Surroundings
from cloud_receiver.api.tokens import Role
from cloud_receiver.checks import load
from cloud_receiver.checks.day import Draft
from cloud_receiver.checks.model import STATION, Kind, Severity
from cloud_receiver.registry import Registry

PATH = "/v1/findings/changes"
REGISTRY = Registry(station=(station_model(),))
OPENED = ["opened", "opened"]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = database.open_store("sqlite:///store.sqlite", tmp_path)
    database.upgrade(made)
    with database.writing(made) as connection:
        meters.enter_registry(connection, REGISTRY)
    return made


def found(engine: Engine, *kinds: Kind, now_ms: int = NOW_MS) -> None:
    """Let a day have the findings of these kinds, and no other."""
    drafts = [Draft(kind.value, STATION, Severity.WARNING.value, [DAY_MS], [{"start_ms": DAY_MS}]) for kind in kinds]
    with database.writing(engine) as connection:
        (context,) = load.contexts(connection, REGISTRY)
        findings.synchronise(connection, context, DAY_MS, drafts, now_ms, cause=lambda: {"time_passed": True})


@asynccontextmanager
async def serving(engine: Engine, directory: Path, role: Role = Role.READ) -> AsyncIterator[Client]:
    path = directory / "tokens.toml"
    token = tokens.make(path, role.value, role)
    around = Surroundings(engine, lambda: NOW_MS, "c", registry=REGISTRY)
    api = Api(Settings(port=1, tokens_file=path).model_copy(update={"port": 0}), around)
    await api.start()
    try:
        async with aiohttp.ClientSession() as session:
            assert api.port is not None
            yield Client(session, api.port, token)
    finally:
        await api.stop()


def changes(rows: list[dict[str, Any]]) -> list[str]:
    return [row["change"] for row in rows]


def test_whoever_goes_on_from_the_last_has_each_change_once(engine: Engine, tmp_path: Path) -> None:
    found(engine, Kind.BALANCE_DAY, Kind.BALANCE_SLOT)

    async def follow() -> None:
        async with serving(engine, tmp_path) as client:
            first = (await client.get(PATH)).json
            assert changes(first["rows"]) == OPENED
            assert (first["next"], first["last"]) == (None, first["rows"][-1]["number"])
            row = first["rows"][0]
            assert (row["cause"], row["at_utc"]) == ({"time_passed": True}, "2026-07-01T10:00:00Z")
            about = row["finding"]
            assert (about["station"], about["kind"], about["state"]) == ("S1", "balance_day", "open")
            assert about["first"] == "2026-07-01T00:00:00+08:00"
            nothing = (await client.get(f"{PATH}?after={first['last']}")).json
            assert nothing == {"rows": [], "last": first["last"], "next": None}
            found(engine, Kind.BALANCE_DAY, now_ms=NOW_MS + 1)
            with database.writing(engine) as connection:
                findings.acknowledge(connection, about["id"], NOW_MS + 2)
            later = (await client.get(f"{PATH}?after={first['last']}")).json
            assert changes(later["rows"]) == ["closed", "acknowledged"]
            # A finding is told as it is now.
            assert [one["finding"]["state"] for one in later["rows"]] == ["closed", "acknowledged"]
            again = (await client.get(PATH)).json["rows"]
            assert changes(again) == [*OPENED, "closed", "acknowledged"]
            assert again[0]["finding"]["state"] == "acknowledged"

    asyncio.run(follow())


def test_pages_follow_each_other(engine: Engine, tmp_path: Path) -> None:
    kinds = [Kind.BALANCE_DAY, Kind.BALANCE_SLOT, Kind.CARBON_BALANCE_DAY, Kind.CARBON_BALANCE_SLOT, Kind.SET_ASIDE]
    found(engine, *kinds)

    async def follow() -> None:
        async with serving(engine, tmp_path) as client:
            path, numbers = f"{PATH}?limit=2", []
            for count in (2, 2, 1):
                answer = await client.get(path)
                assert len(answer.json["rows"]) == count
                numbers += [row["number"] for row in answer.json["rows"]]
                path = answer.json["next"]
                if path is not None:
                    assert answer.headers["Link"] == f'<{path}>; rel="next"'
            assert path is None
            assert numbers == sorted(set(numbers))
            assert len(numbers) == len(kinds)

    asyncio.run(follow())


def test_what_changes_more_often_than_is_kept_is_still_told(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding_history, "MOST", 2)

    async def follow() -> None:
        last = 0
        async with serving(engine, tmp_path) as client:
            for place, change in enumerate(["opened", "closed", "reopened", "closed", "reopened"]):
                found(engine, *([] if change == "closed" else [Kind.BALANCE_DAY]), now_ms=NOW_MS + place)
                answer = (await client.get(f"{PATH}?after={last}")).json
                assert changes(answer["rows"]) == [change]
                last = answer["last"]
            assert changes((await client.get(PATH)).json["rows"]) == ["opened", "reopened"]

    asyncio.run(follow())


@pytest.mark.parametrize("query", ["after=-1", "after=x", f"after={1 << 63}", "limit=0", "limit=501", "station=S1"])
def test_what_is_asked_wrongly(query: str, engine: Engine, tmp_path: Path) -> None:
    async def ask() -> int:
        async with serving(engine, tmp_path) as client:
            return (await client.get(f"{PATH}?{query}")).status

    assert asyncio.run(ask()) == 400


def test_only_who_may_read_is_told(engine: Engine, tmp_path: Path) -> None:
    async def ask() -> list[int]:
        async with serving(engine, tmp_path, Role.MEASURE) as client:
            plain = Client(client.session, client.port)
            return [(await each.get(PATH)).status for each in (client, plain)]

    assert asyncio.run(ask()) == [403, 401]
