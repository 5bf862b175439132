"""What is read of the grid: nodes, factors, generation, flows, users, balance and slots, over real sockets."""

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from analysis_support import DAY_MS, small
from api_support import Answer, Client, serving
from stored_support import scaled, solve

from cloud_receiver import database
from cloud_receiver.grid.analysis.periods import SLOT_MS, utc

DAY = "?from=2026-07-01&to=2026-07-01"


def ask(directory: Path, work: Callable[[Client], Awaitable[Any]], **settings: Any) -> Any:
    async def run() -> Any:
        async with serving(directory, **settings) as client:
            return await work(client)

    return asyncio.run(run())


def get(directory: Path, path: str, **named: Any) -> Answer:
    found: Answer = ask(directory, lambda client: client.get(path, **named))
    return found


def test_nodes_have_their_newest_factors(tmp_path: Path) -> None:
    found = get(tmp_path, "/v1/grid/nodes")
    assert found.status == 200
    assert found.headers["Content-Type"] == "application/json"
    span = DAY_MS + 3 * SLOT_MS, DAY_MS + 4 * SLOT_MS
    assert (found.json["from_utc"], found.json["to_utc"]) == tuple(map(utc, span))
    assert [row["node"] for row in found.json["rows"]] == ["P1", "S1", "U1"]
    plant = found.json["rows"][0]
    assert plant["interval_start_utc"] == utc(DAY_MS + 3 * SLOT_MS)
    assert (plant["factor_kg_per_kwh"], plant["quality"], plant["origin"]) == ("0.680000", "defined", "solved")
    assert (plant["version"], len(plant["solve_id"])) == (1, 64)


def test_nodes_of_a_kind(tmp_path: Path) -> None:
    assert [row["node"] for row in get(tmp_path, "/v1/grid/nodes?kind=load").json["rows"]] == ["U1"]


def test_a_nodes_factors_by_slot(tmp_path: Path) -> None:
    found = get(tmp_path, f"/v1/grid/nodes/U1/factors{DAY}").json
    assert (found["by"], found["convention"], found["accounting"]) == (
        "slot",
        "loss-borne",
        "consumption-attributional",
    )
    assert [row["version"] for row in found["rows"]] == [1, 2, 1, 1]
    assert found["next"] is None
    (tmp_path / "again").mkdir()
    month = get(tmp_path / "again", "/v1/grid/nodes/U1/factors?from=2026-07&by=month").json["rows"]
    assert [(row["interval_slots"], row["interval_expected_slots"]) for row in month] == [(4, 2976)]


@pytest.mark.parametrize(
    ("path", "column", "names"),
    [
        ("factors", "node", ["P1", "S1", "U1"]),
        ("classes", "kind", ["plant", "substation", "load"]),
        ("generation", "generator", ["G1", "G2", "PV"]),
        ("generation?level=plant", "plant", ["P1", "U1"]),
        ("generation?id=PV", "generator", ["PV"]),
        ("flows", "branch", ["L1", "L2"]),
        ("users", "load", ["town", "park"]),
        ("users?id=park&id=town", "load", ["town", "park"]),
        ("storages", "storage", ["B1"]),
    ],
)
def test_analyses_of_the_newest_day(tmp_path: Path, path: str, column: str, names: list[str]) -> None:
    found = get(tmp_path, f"/v1/grid/{path}").json["rows"]
    assert [row[column] for row in found] == names
    assert {row["interval_start_utc"] for row in found} == {utc(DAY_MS)}


def test_the_balance_closes(tmp_path: Path) -> None:
    # The third slot's storage holds what the second was first thought to have charged: no service follows that up here.
    (row,) = get(tmp_path, "/v1/grid/balance?from=2026-07-01T00:00%2B08:00&to=2026-07-01T00:30%2B08:00").json["rows"]
    assert row["slots_untraced"] == 0
    assert abs(float(row["residual_kg"])) <= float(row["rounding_bound_kg"])
    assert float(row["sources_kg"]) > 0


def test_csv_says_what_json_says(tmp_path: Path) -> None:
    async def both(client: Client) -> tuple[Answer, Answer, Answer]:
        path = f"/v1/grid/users{DAY}&by=slot"
        return (
            await client.get(path),
            await client.get(path, headers={"Accept": "text/csv"}),
            await client.get(f"{path}&format=csv"),
        )

    document, table, other = ask(tmp_path, both)
    assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert table.body == other.body
    lines = list(csv.DictReader(io.StringIO(table.body.decode())))
    rows = [{name: "" if value is None else str(value) for name, value in row.items()} for row in document.json["rows"]]
    assert lines == rows
    assert len(rows) == 8


def test_pages_make_the_whole(tmp_path: Path) -> None:
    async def pages(client: Client) -> tuple[list[Any], list[Any], list[int], str]:
        whole = (await client.get(f"/v1/grid/factors{DAY}&by=slot")).json["rows"]
        parts, sizes = [], []
        path: str | None = f"/v1/grid/factors{DAY}&by=slot&limit=5"
        link = ""
        while path is not None:
            answer = await client.get(path)
            parts += answer.json["rows"]
            sizes.append(len(answer.json["rows"]))
            path = answer.json["next"]
            link = link or answer.headers["Link"]
        return whole, parts, sizes, link

    whole, parts, sizes, link = ask(tmp_path, pages)
    assert parts == whole
    assert sizes == [5, 5, 2]
    assert link.startswith("</v1/grid/factors?")
    assert link.endswith('>; rel="next"')


def test_pages_go_on_though_a_new_day_begins(tmp_path: Path) -> None:
    async def pages(client: Client) -> tuple[list[Any], Answer]:
        whole = (await client.get("/v1/grid/factors")).json["rows"]
        first = await client.get("/v1/grid/factors?limit=2")
        engine = database.open_store("sqlite:///receiver.sqlite", tmp_path)
        solve(engine, {DAY_MS + 100 * SLOT_MS: scaled(small().snapshot, 1)}, DAY_MS + 110 * SLOT_MS)
        engine.dispose()
        return whole[2:], await client.get(first.json["next"])

    rest, second = ask(tmp_path, pages)
    assert (second.status, second.json["rows"]) == (200, rest)


def test_pages_of_a_day_that_begins_before_the_span(tmp_path: Path) -> None:
    async def pages(client: Client) -> tuple[Answer, Answer]:
        path = "/v1/grid/factors?from=2026-07-01T00:15%2B08:00&to=2026-07-01T00:45%2B08:00&by=day"
        first = await client.get(f"{path}&limit=2")
        return await client.get(path), await client.get(first.json["next"])

    whole, second = ask(tmp_path, pages)
    assert whole.json["rows"][2:] == second.json["rows"]
    assert whole.json["rows"][0]["interval_slots"] == 2


def test_a_slot_with_all_that_is_known(tmp_path: Path) -> None:
    async def slots(client: Client) -> tuple[Answer, Answer, Answer]:
        path = "/v1/grid/slots/2026-07-01T00:15+08:00"
        return await client.get(path), await client.get(f"{path}?version=1"), await client.get(f"{path}?format=csv")

    newest, first, table = ask(tmp_path, slots)
    assert (newest.json["version"], len(newest.json["versions"])) == (2, 2)
    assert first.json["summary"]["missing"]["first"] == ["generator PV"]
    assert first.json["solve_id"] != newest.json["solve_id"]
    lines = list(csv.DictReader(io.StringIO(table.body.decode())))
    assert [line["node"] for line in lines] == ["P1", "S1", "U1"]


def test_an_answer_that_still_holds_is_not_sent_again(tmp_path: Path) -> None:
    async def twice(client: Client) -> tuple[Answer, Answer, Answer, Answer]:
        path = f"/v1/grid/factors{DAY}"
        first = await client.get(path)
        tag = {"If-None-Match": first.headers["ETag"]}
        again = await client.get(path, headers=tag)
        table = await client.get(path, headers={**tag, "Accept": "text/csv"})
        engine = database.open_store("sqlite:///receiver.sqlite", tmp_path)
        solve(engine, {DAY_MS + 9 * SLOT_MS: scaled(small().snapshot, 1)}, DAY_MS + 30 * SLOT_MS)
        engine.dispose()
        return first, again, table, await client.get(path, headers=tag)

    first, again, table, corrected = ask(tmp_path, twice)
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert first.headers["Vary"] == "Accept, Authorization"
    assert (again.status, again.body) == (304, b"")
    assert table.status == 200
    assert corrected.status == 200
    assert corrected.json["rows"][0]["interval_slots"] == 5


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("factors?from=2026-01-01&to=2026-03-01&by=slot", 400, "at most 31 days by slot"),
        ("factors?from=2020-01&to=2026-07&by=day", 400, "at most 100 days by day"),
        ("factors?from=tomorrow", 400, "expected a month (2026-07)"),
        ("factors?from=2026-07-01T00:15+08:00", 400, "found '2026-07-01T00:15 08:00' (in a URL + is %2B)"),
        ("factors?from=2026-07-02&to=2026-07-01", 400, "ends after it begins"),
        ("factors?to=2026-07-01", 400, "expected a beginning"),
        ("factors?by=year", 400, "by: expected slot, day or month"),
        ("factors?zone=Mars/Olympus", 400, "zone: expected a time zone"),
        ("factors?zone=../../etc/passwd", 400, "zone: expected a time zone"),
        ("factors?zone=right/UTC", 400, "zone: expected a time zone"),
        ("factors?limit=0", 400, "limit: expected 1 to 10000"),
        ("factors?limit=99999999", 400, "limit: expected 1 to 10000"),
        ("factors?cursor=5", 400, "cursor: expected that of an answer"),
        ("factors?cursor=0.0", 400, "cursor: is not of this span"),
        ("factors?colour=red", 400, "unknown parameter 'colour'"),
        ("factors?by=day&by=slot", 400, "by: is there twice"),
        ("factors?format=xml", 400, "format: expected json or csv"),
        ("factors?id=X9", 404, "no grid has X9"),
        ("generation?level=county", 400, "level: expected unit or plant"),
        ("nodes?kind=moon", 400, "kind: expected plant"),
        ("nodes/X9/factors", 404, "no grid has a node 'X9'"),
        ("slots/noon", 400, "expected a month"),
        ("slots/2026-07-09T00:00Z", 404, "no slot 2026-07-09T00:00:00Z"),
        ("slots/2026-07-01T00:00+08:00?version=9", 404, "has no version 9"),
        ("slots/2026-07-01T00:00+08:00?version=x", 400, "version: expected a number"),
        ("elsewhere", 404, "Not Found"),
    ],
)
def test_mistakes_are_problem_details(tmp_path: Path, path: str, status: int, said: str) -> None:
    found = get(tmp_path, f"/v1/grid/{path}")
    assert found.status == status
    assert found.headers["Content-Type"] == "application/problem+json"
    assert found.json["status"] == status
    assert said in found.json["detail"]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", "application/json"),
        ("text/*", "text/csv; charset=utf-8"),
        ("text/html, */*;q=0.8", "application/json"),
        ("application/json;q=0.5, text/csv", "text/csv; charset=utf-8"),
        ("application/json;q=0, */*", "text/csv; charset=utf-8"),  # of each form the range that says most counts
        ("TEXT/CSV; Q=0.1", "text/csv; charset=utf-8"),
        ("image/png", None),
        ("text/csv;q=0", None),
        ("text/csv;q=nan", None),
        ("text/csv;q=inf", None),
    ],
)
def test_the_form_is_one_that_the_client_takes(tmp_path: Path, accept: str, form: str | None) -> None:
    found = get(tmp_path, "/v1/grid/nodes", headers={"Accept": accept})
    expected = (406, "application/problem+json") if form is None else (200, form)
    assert (found.status, found.headers["Content-Type"]) == expected


def test_a_store_without_slots(tmp_path: Path) -> None:
    async def work(client: Client) -> list[Answer]:
        return [await client.get(path) for path in ("/v1/grid/nodes", "/v1/grid/factors", "/grid")]

    nodes, factors, page = ask(tmp_path, work, fill=False)
    assert (nodes.status, factors.status, page.status) == (404, 400, 200)
    assert "尚无已求解的时段" in page.body.decode()


def test_a_request_writes_no_lines_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(client: Client) -> Answer:
        engine = database.open_store("sqlite:///receiver.sqlite", tmp_path)
        with database.writing(engine) as connection:
            connection.exec_driver_sql("ALTER TABLE grid RENAME TO elsewhere")
        engine.dispose()
        return await client.get("/v1/grid/nodes/a%0Ano%20line/factors")

    assert ask(tmp_path, work).status == 503
    assert [record.message.partition(": ")[0] for record in caplog.records if record.levelname == "WARNING"] == [
        "GET /v1/grid/nodes/a%0Ano%20line/factors"
    ]


def test_other_methods_are_told_what_there_is(tmp_path: Path) -> None:
    found = ask(tmp_path, lambda client: client.ask("DELETE", "/v1/grid/nodes"))
    assert (found.status, found.headers["Allow"]) == (405, "GET,HEAD")


def test_a_head_has_no_body(tmp_path: Path) -> None:
    found = ask(tmp_path, lambda client: client.ask("HEAD", "/v1/grid/nodes"))
    assert (found.status, found.body) == (200, b"")
    assert int(found.headers["Content-Length"]) > 100
