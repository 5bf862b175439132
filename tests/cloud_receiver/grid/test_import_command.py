"""`diantan-receiver grid import`: topologies and series enter the store whole or not at all, and once."""

import json
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from grid_support import DOCUMENT
from sqlalchemy import event

from cloud_receiver import database
from cloud_receiver.cli import main
from cloud_receiver.grid import series_import, shelf, telemetry
from cloud_receiver.grid.snapshot import Demand, EndPowers, Generation
from wire import keys

JULY = "2026-07-01T00:00+08:00"
JULY_MS = 1_782_835_200_000
SLOT = 900_000
CLOCK = f"simulated:{JULY_MS + 10 * SLOT}:1:0"

Grid = Callable[..., int]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "receiver.toml").write_text('[centre]\nkey_file = "centre.key"\n')
    (tmp_path / "registry.toml").write_text(
        '[[station]]\nid = "ST1"\nnode = "U1"\n[[station.meter]]\nid = "C1"\nrole = "charger"\n'
        'gateway = "g1"\nrated_kw = 60\n'
    )
    keys.save_private(keys.generate(), tmp_path / "centre.key")
    network(tmp_path)
    return tmp_path


@pytest.fixture
def grid(place: Path) -> Grid:
    def run(*arguments: str) -> int:
        return main(["grid", "import", "-c", str(place / "receiver.toml"), "--clock", "system", *arguments])

    return run


def network(directory: Path, **changes: Any) -> str:
    path = directory / "net.json"
    path.write_text(json.dumps(dict(DOCUMENT) | changes))
    return str(path)


def count(place: Path, table: str) -> int:
    with closing(sqlite3.connect(place / "receiver.sqlite")) as store:
        return int(store.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def notices(place: Path) -> list[tuple[int, int]]:
    with closing(sqlite3.connect(place / "receiver.sqlite")) as store:
        return store.execute("SELECT first_ms, last_ms FROM grid_notice ORDER BY id").fetchall()


def stored(place: Path) -> dict[int, list[telemetry.Received]]:
    engine = database.open_store("sqlite:///receiver.sqlite", place)
    with database.reading(engine) as connection:
        found = telemetry.between(connection, 0, 2**53)
    engine.dispose()
    return found


def series(place: Path, slots: int = 3, cell: Callable[[int], str] = str) -> Path:
    directory = place / "series"
    directory.mkdir(exist_ok=True)
    lines = [f"2026-07-{1 + n // 96:02}T{n % 96 // 4:02}:{n % 4 * 15:02}+08:00,{cell(n)}" for n in range(slots)]
    (directory / "loads.csv").write_text("\n".join(["time,town.p", *lines, ""]))
    return directory


def test_a_topology_is_entered_with_what_changed(grid: Grid, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert grid(network(place), "--valid-from", JULY) == 0
    assert capsys.readouterr().out.splitlines() == [
        "grid 1: three, 3 nodes 节点, 2 branches 支路, valid from 2026-06-30T16:00Z",
        "  no grid was valid before",
    ]
    changed = {"load": [["town", "U1", 60.0], ["new", "S1", 1.0]]}
    assert grid(network(place, **changed), "--valid-from", "2026-08-01T00:00+08:00", "--name", "八月") == 0
    assert capsys.readouterr().out.splitlines() == [
        "grid 2: 八月, 3 nodes 节点, 2 branches 支路, valid from 2026-07-31T16:00Z",
        "  against grid 1 from 2026-06-30T16:00Z:",
        "    new: load new",
        "    gone: load park",
        "    changed: load town",
    ]
    assert grid(network(place), "--valid-from", "2026-07-15T00:00+08:00") == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  against grid 1 from 2026-06-30T16:00Z:", "    nothing changed", "  until grid 2 from 2026-07-31T16:00Z",
    ]  # fmt: skip


def test_a_topology_of_the_same_time_must_be_the_same(
    grid: Grid, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert grid(network(place), "--valid-from", JULY) == 0
    assert grid(network(place), "--valid-from", "2026-06-30T16:00Z") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "grid 1: valid from 2026-06-30T16:00Z, entered already"
    assert grid(network(place, load=[["town", "S1", 60.0]]), "--valid-from", JULY) == 1
    assert "another one than grid 1, valid from 2026-06-30T16:00Z too (gone: load park)" in capsys.readouterr().err
    assert count(place, "grid") == 1


def test_the_registry_must_fit(grid: Grid, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    without = {"bus": ["P1", "S1"], "branch": [], "gen": [], "load": []}
    assert grid(network(place, **without), "--valid-from", JULY, "--slot", JULY) == 1
    assert "station ST1: there is no node U1 in the grid" in capsys.readouterr().err
    assert count(place, "grid") == count(place, "grid_notice") == 0


def test_slots_since_then_are_to_be_solved_again(place: Path, grid: Grid) -> None:
    old = main(["grid", "import", "-c", str(place / "receiver.toml"), "--clock", CLOCK, network(place),
                "--valid-from", "2030-01-01T00:00Z"])  # fmt: skip
    assert old == 0
    assert notices(place) == []
    assert grid(network(place), "--valid-from", JULY) == 0
    ((first, last),) = notices(place)
    assert first == JULY_MS
    assert last >= first
    assert last % SLOT == 0
    assert grid(network(place), "--valid-from", "2026-06-01T00:00Z") == 0
    assert notices(place)[1][1] == JULY_MS - SLOT


def test_measurements_of_a_network_are_entered_as_a_slot(
    grid: Grid, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = network(place, load=[["town", "S1", None], ["park", "U1", 50.0]])
    for said in ("slot 2026-06-30T16:15Z: 5 elements measured, feed ems", "known already"):
        assert grid(net, "--valid-from", JULY, "--slot", "2026-07-01T00:15+08:00", "--feed", "ems") == 0
        assert said in capsys.readouterr().out
    ((start_ms, (row,)),) = stored(place).items()
    assert start_ms == JULY_MS + SLOT
    assert row.feed == "ems"
    assert row.snapshot.loads == {"park": Demand(50.0)}
    assert row.snapshot.flows["L1"] == EndPowers(100.0, -98.0)
    assert row.snapshot.generators["G1"] == Generation(100.0, 0.8)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["NET"], "expected --valid-from"),
        ([], "expected NETWORK with --valid-from, or --series"),
        (["NET", "--series", "x"], "expected NETWORK with --valid-from, or --series"),
        (["--series", "x", "--slot", JULY], "are for a network"),
        (["NET", "--valid-from", "2026-07-01"], "--valid-from: expected a time with its zone"),
        (["NET", "--valid-from", JULY, "--slot", "2026-07-01T00:10Z"], "--slot: expected the start of a slot"),
        (["NET", "--valid-from", JULY, "--slot", "2026-06-01T00:00Z"], "is not that of this slot"),
        (["NET", "--valid-from", JULY, "--slot", JULY, "--feed", "x" * 65], "feed"),
    ],
)
def test_wrong_use_enters_nothing(
    arguments: list[str], said: str, grid: Grid, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert grid(*(network(place) if item == "NET" else item for item in arguments)) == 1
    assert said in capsys.readouterr().err
    assert not (place / "receiver.sqlite").exists() or count(place, "grid") == 0


def test_a_series_is_entered_once(grid: Grid, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert grid(network(place), "--valid-from", JULY) == 0
    before = len(notices(place))
    capsys.readouterr()
    assert grid("--series", str(series(place)), "--feed", "ems") == 0
    span = "2026-06-30T16:00Z to 2026-06-30T16:30Z"
    assert capsys.readouterr().out == (f"feed ems: 3 slots, {span}, 3 measurements: 3 slots new, 0 known already\n")
    assert [row[0].snapshot.loads["town"].megawatts for row in stored(place).values()] == [0.0, 1.0, 2.0]
    assert notices(place)[before:] == [(JULY_MS, JULY_MS + 2 * SLOT)]
    assert grid("--series", str(series(place, 5) / "loads.csv"), "--feed", "ems") == 0
    assert capsys.readouterr().out.endswith("2 slots new, 3 known already\n")
    assert count(place, "grid_telemetry") == 5


def test_a_series_with_a_mistake_enters_nothing(grid: Grid, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert grid(network(place), "--valid-from", JULY) == 0
    directory = series(place, 600, lambda n: "x" if n == 599 else "1")
    assert grid("--series", str(directory)) == 1
    assert "loads.csv: line 601 column 2: load town: p: expected a number, found 'x'" in capsys.readouterr().err
    assert count(place, "grid_telemetry") == 0
    assert grid("--series", str(directory), "--skip-bad") == 0
    out, err = capsys.readouterr()
    assert "599 slots new" in out
    assert err.splitlines()[-1] == "left out: 1 mistake"
    assert "line 601 column 2" in err
    assert count(place, "grid_telemetry") == 599


def test_what_an_interrupted_import_has_stored_stays(
    grid: Grid, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert grid(network(place), "--valid-from", JULY) == 0
    monkeypatch.setattr(series_import, "CHUNK_SLOTS", 10)
    monkeypatch.setattr(series_import, "PAUSE_S", 0)
    plain = telemetry.enter_packed
    calls: list[int] = []

    def failing(connection: Any, feed: str, slots: Any, now_ms: int) -> int:
        calls.append(plain(connection, feed, slots, now_ms))
        if len(calls) == 3:
            raise OSError("the disk is full")
        return calls[-1]

    with monkeypatch.context() as patch:
        patch.setattr(telemetry, "enter_packed", failing)
        assert grid("--series", str(series(place, 35))) == 1
    assert calls == [10, 10, 10]
    assert count(place, "grid_telemetry") == 20  # the third transaction was rolled back
    capsys.readouterr()
    assert grid("--series", str(series(place, 35))) == 0
    assert capsys.readouterr().out.endswith("15 slots new, 20 known already\n")
    assert list(stored(place)) == [JULY_MS + number * SLOT for number in range(35)]


@pytest.mark.parametrize("line", [0, 40])
def test_an_interrupt_is_heard_while_all_is_checked(
    grid: Grid, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: int
) -> None:
    grid(network(place), "--valid-from", JULY)
    steps = series_import.series.steps

    def interrupted(*arguments: Any) -> Iterator[Any]:
        for number, step in enumerate(steps(*arguments)):
            if number == line:
                signal.raise_signal(signal.SIGINT)
            yield step

    monkeypatch.setattr(series_import.series, "steps", interrupted)
    assert grid("--series", str(series(place, 100))) == 130
    assert capsys.readouterr().err.splitlines() == [
        "feed import: 0 slots are stored; the same import again stores all of them",
        "diantan-receiver: interrupted",
    ]
    assert count(place, "grid_telemetry") == 0


def test_others_write_between_two_transactions(grid: Grid, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is free while the import pauses: a writer that doesn't wait gets in."""
    assert grid(network(place), "--valid-from", JULY) == 0
    monkeypatch.setattr(series_import, "CHUNK_SLOTS", 10)
    engine = database.open_store("sqlite:///receiver.sqlite", place)

    @event.listens_for(engine, "connect")
    def _impatient(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout=0")

    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        if not seconds:  # a turn while all is checked
            return
        pauses.append(seconds)
        with database.writing(engine) as connection:
            shelf.notify(connection, 1, 1)

    monkeypatch.setattr("asyncio.sleep", pause)
    assert grid("--series", str(series(place, 35))) == 0
    engine.dispose()
    assert pauses == [series_import.PAUSE_S] * 3
    assert notices(place).count((1, 1)) == 3


def test_a_store_in_use_is_waited_for(grid: Grid, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert grid(network(place), "--valid-from", JULY) == 0
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 1)
    pauses: list[float] = []

    with closing(sqlite3.connect(place / "receiver.sqlite", isolation_level=None)) as other:
        enter = telemetry.enter_packed

        def entering(*arguments: Any) -> int:
            assert pauses == [series_import.PAUSE_S] * 3
            return enter(*arguments)

        async def pause(seconds: float) -> None:
            if not seconds:  # a turn while all is checked
                return
            pauses.append(seconds)
            if len(pauses) == 3:
                other.execute("ROLLBACK")

        monkeypatch.setattr("asyncio.sleep", pause)
        monkeypatch.setattr(telemetry, "enter_packed", entering)
        prepare = series_import.Told

        def locked(*, skip_bad: bool) -> series_import.Told:
            other.execute("BEGIN IMMEDIATE")  # after the command has opened the store
            return prepare(skip_bad=skip_bad)

        monkeypatch.setattr(series_import, "Told", locked)
        assert grid("--series", str(series(place))) == 0
        assert count(place, "grid_telemetry") == 3
        pauses.clear()
        monkeypatch.setattr(series_import, "ATTEMPTS", 2)
        assert grid("--series", str(series(place, 5))) == 1
        assert len(pauses) == 1
        other.execute("ROLLBACK")
    assert count(place, "grid_telemetry") == 3


def test_progress_is_said(grid: Grid, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert grid(network(place), "--valid-from", JULY) == 0
    said: list[str] = []
    monkeypatch.setattr("cloud_receiver.orders.waiting.Progress.__call__", lambda _, text: said.append(text))
    assert grid("--series", str(series(place, 200))) == 0
    assert [text.partition(" slots/s")[1] for text in said] == [" slots/s"] * 3
    assert said[0].startswith("checking: 2026-07-01T16:45Z, 100 slots, 100 measurements, 0 MB, ")
    assert said[2].startswith("storing: 200 of 200 slots, ")
