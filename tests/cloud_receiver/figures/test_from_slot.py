"""A slot of the store as a picture, and the option of `grid show --slot`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from analysis_support import DAY_MS, small
from figure_support import texts
from sqlalchemy import Engine
from stored_support import enter, filled, opened, solve

from cloud_receiver import database
from cloud_receiver.cli import main
from cloud_receiver.figures.from_slot import slot_picture
from cloud_receiver.figures.network import Shape, render
from cloud_receiver.figures.style import Form
from cloud_receiver.grid import show_slot
from cloud_receiver.grid.analysis.periods import SLOT_MS, Span
from cloud_receiver.grid.show_slot import StoredSlot
from cloud_receiver.grid.snapshot import Snapshot


def read(engine: Engine, number: int = 0, version: int | None = None) -> StoredSlot:
    start_ms = DAY_MS + number * SLOT_MS
    with database.reading(engine) as connection:
        return show_slot.read(connection, Span(start_ms, start_ms + SLOT_MS), version)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = filled(tmp_path)
    yield engine
    engine.dispose()


def test_nodes_have_what_was_dispatched_and_branches_what_was_used(engine: Engine) -> None:
    stored = read(engine)
    picture = slot_picture(stored)
    assert [(node.id, node.kind, node.name) for node in picture.nodes] == [
        ("P1", Shape.PLANT, "一厂"), ("S1", Shape.SUBSTATION, ""), ("U1", Shape.LOAD, "园区"),
    ]  # fmt: skip
    assert [node.factor for node in picture.nodes] == pytest.approx([0.68, 0.678175, 0.479466])
    assert [(branch.start, branch.end) for branch in picture.branches] == [("P1", "S1"), ("S1", "U1")]
    # L2 turned within the slot: 39 MW in and 0.9 MW out at S1, 1 MW in and 38 MW out at U1.
    assert [branch.megawatts for branch in picture.branches] == pytest.approx([100.0, 38.1])
    assert [branch.loss_megawatts for branch in picture.branches] == pytest.approx([2.0, 1.1])
    assert (picture.title, picture.time) == ("small", "2026-06-30 16:00 UTC")
    assert picture.solve_id == stored.slot.solve_id.hex()[:32]


def test_the_balance_is_that_of_the_slot_in_tonnes_an_hour(engine: Engine) -> None:
    balance = slot_picture(read(engine)).balance
    assert balance is not None
    assert balance.sources == pytest.approx(70 * 0.8 + 30 * 0.4 + 15 * 0.0 + 2 * 0.3)
    assert balance.sources == pytest.approx(balance.loads + balance.losses + balance.other)
    assert balance.relative_residual < 1e-12


def test_an_earlier_version_is_drawn_as_it_was(engine: Engine) -> None:
    assert slot_picture(read(engine, 1, 1)).solve_id != slot_picture(read(engine, 1)).solve_id


def test_a_slot_without_measurements_is_drawn_with_the_factors_that_stand_in(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    network = small()
    enter(engine, network)
    empty = replace(network.snapshot, flows={}, generators={}, loads={}, storages={}, start_ms=None)
    solve(engine, {DAY_MS: empty}, DAY_MS + 2 * SLOT_MS)
    stored = read(engine)
    assert {origin.name for origin in stored.slot.nodes.origins} == {"OFFICIAL"}
    picture = slot_picture(stored)
    told = stored.slot.summary["official"]["value_mg_per_kwh"]
    assert [node.factor for node in picture.nodes] == [pytest.approx(told / 1e6)] * 3
    assert [branch.megawatts for branch in picture.branches] == [None, None]
    assert "not measured 无量测" in texts(render(picture, Form.SVG))
    engine.dispose()


def test_grid_show_draws_a_slot(engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rest = ["--config", str(tmp_path / "receiver.toml")]
    slot = ["grid", "show", "--slot", "2026-07-01T00:15+08:00", *rest]
    assert main([*slot, "--version", "1", "--figure", str(tmp_path / "one.svg")]) == 0
    assert "version 1 of 2" in capsys.readouterr().out
    written = texts((tmp_path / "one.svg").read_bytes())
    assert any(
        "2026-06-30 16:15 UTC" in text and read(engine, 1, 1).slot.solve_id.hex()[:32] in text for text in written
    )
    assert {"P1 一厂", "S1", "U1 园区"} <= set(written)
    assert main([*slot, "--figure", str(tmp_path / "one.gif")]) == 1
    assert capsys.readouterr().out == ""


def test_a_file_is_not_drawn_by_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grid", "show", "net.json", "--figure", str(tmp_path / "net.svg")]) == 1
    assert "grid solve draws a file" in capsys.readouterr().err


def test_what_stands_in_has_a_colour(engine: Engine) -> None:
    nothing = {DAY_MS + 4 * SLOT_MS: Snapshot()}
    solve(engine, nothing, DAY_MS + 30 * SLOT_MS)
    stored = read(engine, 4)
    assert {origin.name for origin in stored.slot.nodes.origins} == {"HELD"}
    assert None not in [node.factor for node in slot_picture(stored).nodes]
