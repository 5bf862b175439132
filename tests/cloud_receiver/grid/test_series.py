"""Time series in wide and long form: what they hold, and every mistake with its file, line, column and element."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest
from series_support import DAY, GRIDS, SLOT, mistakes, skipping, slots, time, write

from cloud_receiver.grid import series
from cloud_receiver.grid.series_told import Check, Told
from cloud_receiver.grid.snapshot import Charge, Demand, EndPowers, EndRegisters, Generation, Snapshot
from cloud_receiver.mistakes import InputError, Mistake


def test_wide_tables_of_a_directory_make_slots(tmp_path: Path) -> None:
    write(tmp_path, "branches.csv", "time,L.1.from,L.1.to,线2.from_in,线2.from_out,线2.to_in,线2.to_out",
          f"{time(0)},100,-98,1,0,0,2.5", f"{time(1)},,-97,,,,")  # fmt: skip
    write(tmp_path, "generators.csv", "time,G1.p,G1.emission,PV.p,PV.factor",
          f"{time(0)},100,80.5,13,0", f"{time(1)},,,1e1,0")  # fmt: skip
    write(tmp_path, "loads.csv", "time,town.p,park.p,park.factor", f"{time(1)},60,-1,0.1", f"{time(2)},61,,")
    write(tmp_path, "storages.csv", "time,B1.charge,B1.discharge,B1.stored_mw_h", f"{time(2)},1,0,5")
    assert slots(tmp_path) == {
        0: Snapshot(
            {"L.1": EndPowers(100.0, -98.0), "线2": EndRegisters(1.0, 0.0, 0.0, 2.5)},
            {"G1": Generation(100.0, None, 80.5), "PV": Generation(13.0, 0.0)},
            start_ms=DAY,
        ),
        1: Snapshot(
            {"L.1": EndPowers(None, -97.0)},
            {"PV": Generation(10.0, 0.0)},
            {"town": Demand(60.0), "park": Demand(-1.0, 0.1)},
            start_ms=DAY + SLOT,
        ),
        2: Snapshot(
            loads={"town": Demand(61.0)},
            storages={"B1": Charge(1.0, 0.0, stored_megawatt_hours=5.0)},
            start_ms=DAY + 2 * SLOT,
        ),
    }


def test_long_tables_say_the_same_as_wide_ones(tmp_path: Path) -> None:
    wide, long = tmp_path / "wide", tmp_path / "long"
    wide.mkdir()
    long.mkdir()
    write(wide, "branches.csv", "time,L.1.from,L.1.to,L.1.open,线2.from_in,线2.from_out,线2.to_in,线2.to_out,线2.open",
          f"{time(0)},1.25,-1,yes,1,0,0,2,", f"{time(3)},2,,no,,,,,")  # fmt: skip
    write(long, "branches.csv", "time,id,p_from_mw,p_to_mw,p_from_in_mw,p_from_out_mw,p_to_in_mw,p_to_out_mw,open",
          f"{time(0)},L.1,1.25,-1,,,,,1", f"{time(0)},线2,,,1,0,0,2,", f"{time(3)},L.1,2,,,,,,0")  # fmt: skip
    write(wide, "generators.csv", "time,G1.p,G1.emission", f"{time(3)},3,4", f"{time(4)},,")
    write(long, "generators.csv", "id,emission_t_per_h,time,p_mw", f"G1,4,{time(3)},3", f"G1,,{time(4)},")
    write(wide, "loads.csv", "time,town.p,park.p", f"{time(3)},3,4")
    write(long, "loads.csv", "time,id,p_mw", f"{time(3)},park,4", f"{time(3)},town,3")
    write(wide, "storages.csv", "time,B1.charge,B1.discharge,B1.charge_efficiency", f"{time(5)},1,,0.9")
    write(long, "storages.csv", "time,id,charge_mw,discharge_mw,charge_efficiency", f"{time(5)},B1,1,,0.9")
    found = slots(wide)
    assert slots(long) == found
    assert found[0].open_branches == frozenset({"L.1"})
    assert list(found) == [0, 3, 5]


def test_one_file_compressed_with_other_zones_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = (
        '\ufefftime,town.p\r\n2026-06-30T16:00Z,1\r\n\r\n2026-07-01T00:15+08:00," 2 "\r\n2026-07-01 05:30:00+05:00,3\n'
    )
    path = tmp_path / "loads.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    assert {number: slot.loads["town"].megawatts for number, slot in slots(path).items()} == {0: 1.0, 1: 2.0, 34: 3.0}
    assert slots(tmp_path) == slots(path)


@pytest.mark.parametrize(
    ("name", "lines", "expected"),
    [
        ("loads.csv", ["time,town.p", "2026-07-01T00:00,1"], ["line 2 column 1: expected a time with its zone"]),
        ("loads.csv", ["time,town.p", "2026-07-01T00:07+08:00,1"], ["line 2 column 1: expected the start of a slot"]),
        ("loads.csv", ["time,town.p", "1969-07-01T00:00Z,1"], ["line 2 column 1: expected the start of a slot"]),
        ("loads.csv", ["time,town.p", f"{'1' * 99},1"], ["line 2 column 1: expected a time such as"]),
        ("loads.csv", ["time,town.p", "x,1", ",2"], ["line 2 column 1: expected a time", "line 3 column 1: expected"]),
        ("loads.csv", ["time,town.p", f"{time(1)},1", f"{time(1)},2"], ["line 3 column 1: expected a time after"]),
        ("loads.csv", ["time,town.p", f"{time(1)},1", f"{time(0)},2"], ["line 3 column 1: expected a time after"]),
        ("loads.csv", ["time,town.p", f"{time(1)},1,2"], ["line 2: expected 2 cells, found 3"]),
        ("loads.csv", ["time,town.p", "2026-06-30T00:00Z,1", "2026-06-30T00:15Z,1"],
         ["line 2: there is no grid for the slot 2026-06-30T00:00Z: the first is valid from 2026-06-30T16:00Z"]),
        ("loads.csv", ["time,town.p,x.p", f"{time(0)},1,", f"{time(1)},1,2", f"{time(2)},1,2"],
         ["line 3 column 3: load x: is measured and is not in the grid that is valid from 2026-06-30T16:00Z"]),
        ("branches.csv", ["time,线2.from", f"{time(95)},1", "2026-07-02T00:00+08:00,", "2026-07-02T00:15+08:00,1"],
         ["line 4 column 2: branch 线2: is measured and is not in the grid that is valid from 2026-07-01T16:00Z"]),
        ("branches.csv", ["time,x.open", f"{time(0)},no", f"{time(1)},yes"], ["line 3 column 2: branch x: is"]),
        ("branches.csv", ["time,L.1.open", f"{time(0)},maybe"], ["line 2 column 2: branch L.1: open: expected yes"]),
        ("loads.csv", ["time,town.p", f"{time(0)},x", f"{time(1)},1_0", f"{time(2)},１２"],
         [f"line {line} column 2: load town: p: expected a number" for line in (2, 3, 4)]),
        ("loads.csv", ["time,town.p,park.p_mw", f"{time(0)},nan,-inf"],
         ["line 2 column 2: load town: p: expected a finite", "line 2 column 3: load park: p_mw: expected a finite"]),
        ("loads.csv", ["time,town.p", f"{time(0)},1e10"], ["line 2 column 2: load town: p: expected -1e+09 to"]),
        ("branches.csv", ["time,L.1.to_in", f"{time(0)},-1"], ["line 2 column 2: branch L.1: to_in: expected 0 to"]),
        ("generators.csv", ["time,G1.p,G1.factor", f"{time(0)},1,875"],
         ["line 2 column 3: generator G1: factor: expected 0 to 10 kgCO2/kWh, found 875.0 (is it in g/kWh?)"]),
        ("generators.csv", ["time,G1.p,G1.factor,G1.emission", f"{time(0)},1,1,", f"{time(1)},1,1,1"],
         ["line 3 column 4: generator G1: emission: expected a factor or an emission, found both"]),
        ("storages.csv", ["time,B1.charge,B1.charge_efficiency", f"{time(0)},1,0"],
         ["line 2 column 3: storage B1: charge_efficiency: expected more than 0"]),
        ("storages.csv", ["time,B1.stored_mw_h,B1.unknown_mw_h", f"{time(0)},1,2"],
         ["line 2 column 3: storage B1: unknown_mw_h: expected at most the 1 MW·h stored"]),
        # headings
        ("loads.csv", [], ["line 1: expected a line of headings, found none"]),
        ("loads.csv", ["id.p,town.p"], ["line 1 column 1: expected time as the first heading"]),
        ("loads.csv", ["time,town,town.,.p,town.q,town.P"],
         [f"line 1 column {place}: expected ID.field with one of p, factor, found" for place in range(2, 7)]),
        ("loads.csv", ["time,town.p,town.p_mw"], ["line 1 column 3: 'town.p_mw' is there twice, first in column 2"]),
        ("branches.csv", ["time,L.1.from,L.1.to_in"], ["column 2: branch L.1: expected from and to or the four"]),
        ("loads.csv", ["time,id,node,p_mw"], ["line 1 column 3: expected time, id and some of p, factor, fou"]),
        ("loads.csv", ["id,p_mw"], ["line 1: expected the headings time and id, found no time"]),
        ("loads.csv", ["time,id,p,p_mw"], ["line 1 column 4: 'p_mw' is there twice, first in column 3"]),
        # long form
        ("loads.csv", ["time,id,p", f"{time(0)},town,1", f"{time(0)},park,1", f"{time(0)},town,1"],
         ["line 4 column 2: load town: is there twice in this slot, first in line 2"]),
        ("loads.csv", ["time,id,p", f"{time(1)},town,1", f"{time(0)},park,1"], ["line 3 column 1: expected lines in"]),
        ("loads.csv", ["time,id,p", f"{time(1)},x,1", f"{time(2)},x,1", f"{time(2)},,1"],
         ["line 2 column 2: load x: is measured and is not", "line 4 column 2: load '': is measured and is not"]),
        ("loads.csv", ["time,id,p", "x,town,1", f"{time(0)},town"], ["line 2 column 1: expected a", "line 3: exp"]),
        ("loads.csv", ["id,p,time", f"town,x,{time(0)}", f"park,-2e9,{time(0)}"],
         ["line 2 column 2: load town: p: expected a number", "line 3 column 2: load park: p: expected -1e+09"]),
        ("branches.csv", ["time,id,from,to_in", f"{time(1)},L.1,1,1"], ["line 2 column 2: branch L.1: expected from"]),
        ("branches.csv", ["time,id,from,open", f"{time(1)},L.1,1,2"], ["line 2 column 4: branch L.1: open: expected"]),
        ("generators.csv", ["time,id,p,factor,emission", f"{time(1)},G1,1,1,1"],
         ["line 2 column 5: generator G1: emission: expected a factor or"]),
        # files
        ("loads.csv", ["time,town.p", f'{time(0)},"1'], ["line 2: not CSV"]),
        ("load.csv", ["time,town.p"], ["expected branches.csv, generators.csv, loads.csv, storages.csv or JSON"]),
    ],
)  # fmt: skip
def test_mistakes_are_told_where_they_are(
    name: str, lines: Sequence[str], expected: Sequence[str], tmp_path: Path
) -> None:
    found = mistakes(write(tmp_path, name, *lines))
    assert [text[: len(start)] for text, start in zip(found, expected, strict=True)] == list(expected)


def test_bad_cells_can_be_left_out(tmp_path: Path) -> None:
    write(tmp_path, "generators.csv", "time,G1.p,G1.factor,PV.p", f"{time(0)},1,875,2", f"{time(1)},x,0.5,", "x,1,1,1",
          f"{time(2)},1,2,3")  # fmt: skip
    write(tmp_path, "loads.csv", "time,id,p", f"{time(0)},nobody,1", f"{time(0)},town,1", f"{time(0)},town,2")
    found, told = skipping(tmp_path)
    assert found == {
        0: Snapshot({}, {"G1": Generation(1.0), "PV": Generation(2.0)}, {"town": Demand(1.0)}, start_ms=DAY),
        1: Snapshot({}, {"G1": Generation(None, 0.5)}, start_ms=DAY + SLOT),
        2: Snapshot({}, {"G1": Generation(1.0, 2.0), "PV": Generation(3.0)}, start_ms=DAY + 2 * SLOT),
    }
    assert len(told) == 5
    with pytest.raises(InputError, match="is there twice, first in column 2"):
        skipping(write(tmp_path, "loads.csv", "time,town.p,town.p"))


def test_mistakes_of_all_tables_are_told_together(tmp_path: Path) -> None:
    write(tmp_path, "generators.csv", "time,G1.p", f"{time(0)},x")
    write(tmp_path, "loads.csv", "time,town.p", f"{time(0)},y")
    assert [text.partition(":")[0] for text in mistakes(tmp_path)] == ["generators.csv", "loads.csv"]


@pytest.mark.parametrize("form", ["wide", "long"])
def test_mistakes_are_bounded(form: str, tmp_path: Path) -> None:
    head = "time,town.p" if form == "wide" else "time,p,id"
    path = write(tmp_path, "loads.csv", head, *["x,1" if form == "wide" else "x,1,town"] * 5000)
    assert len(mistakes(path)) == 1000
    told = Told(skip_bad=True)
    assert list(series.read(path, Check(GRIDS, told))) == []
    assert (told.count, len(told.problems)) == (5000, 1000)


def test_nothing_is_read_before_the_headings_of_all_tables(tmp_path: Path) -> None:
    write(tmp_path, "generators.csv", "time,G1.p", f"{time(0)},1")
    write(tmp_path, "loads.csv", "time,town")
    with pytest.raises(InputError):
        next(series.read(tmp_path, Check(GRIDS, Told())))


def test_directories_that_are_none(tmp_path: Path) -> None:
    assert mistakes(tmp_path) == ["expected some of branches.csv, generators.csv, loads.csv, storages.csv, found none"]
    assert mistakes(tmp_path / "loads.csv")[0].startswith("can't be read")
    write(tmp_path, "loads.csv", "time,town.p")
    assert slots(tmp_path) == {}
    (tmp_path / "loads.csv.gz").write_bytes(b"")
    assert mistakes(tmp_path) == ["loads.csv.gz: is there twice, as loads.csv too"]
    (tmp_path / "loads.csv.gz").rename(tmp_path / "load.csv.gz")
    assert mistakes(tmp_path)[0].startswith("load.csv.gz: expected branches.csv")


@pytest.mark.parametrize("name", ["loads.csv.gz", "slots.json.gz"])
def test_hostile_compression_is_a_typed_error(name: str, tmp_path: Path) -> None:
    good = gzip.compress(f"time,town.p\n{time(0)},1\n".encode() * 100)
    for content in (b"\x00" * 40, good[:-9], good[:40] + b"\xff" * 30, b"\x1f\x8b"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError) as refused:
            skipping(tmp_path / name)
        assert refused.value.problems[0].mistake is Mistake.FORM


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "loads.csv", "time,town.p", f"{time(0)},1", f"{time(1)},1")
    size = path.stat().st_size
    monkeypatch.setattr("cloud_receiver.grid.series_lines.MOST_BYTES", size)
    assert list(slots(path)) == [0, 1]
    monkeypatch.setattr("cloud_receiver.grid.series_lines.MOST_BYTES", size - 1)
    assert mistakes(path) == [f"line 3: expected at most {size - 1} bytes, found more"]
    monkeypatch.setattr("cloud_receiver.grid.series_lines.MOST_LINE_BYTES", 20)
    assert mistakes(path) == ["line 2: expected a line of at most 20 bytes, found more"]


def test_text_that_is_none_is_a_typed_error(tmp_path: Path) -> None:
    path = tmp_path / "loads.csv"
    path.write_bytes(b"time,town.p\n\xff,1\n")
    assert mistakes(path) == ["line 2: expected UTF-8 text, found byte 0xff"]


def test_no_more_than_a_slot_is_in_memory(tmp_path: Path) -> None:
    path = write(tmp_path, "loads.csv", "time,town.p", *(f"{time(slot)},1" for slot in range(96)))
    read: list[int] = []
    found = series.read(path, Check(GRIDS, Told()), read.append)
    next(found)
    assert len(read) <= 3
    assert len(list(found)) == 95
    assert sum(read) == path.stat().st_size


@pytest.mark.parametrize(
    ("head", "line", "least"),
    [
        ("time,town.p", "", 39),  # one in 256 lines
        ("time,id,p", ",,", 39),
        ("time,town.p", "x,1", 10_000),
        ("time,id,p", "x,town,1", 10_000),
        ("time,id,p", f"{time(1)},nobody,1", 10_000),
    ],
)
def test_others_get_their_turn_between_lines_that_say_nothing(head: str, line: str, least: int, tmp_path: Path) -> None:
    last = f"{time(2)},1" if head.endswith("town.p") else f"{time(2)},town,1"
    path = write(tmp_path, "loads.csv", head, *[line] * 10_000, last)
    steps = list(series.steps(path, Check(GRIDS, Told(skip_bad=True))))
    assert steps[-1] is not None
    assert steps[-1][0] == DAY + 2 * SLOT
    assert steps.count(None) >= least


def test_a_wide_table_of_something_else_is_refused_by_its_headings(tmp_path: Path) -> None:
    heads = [f"n{number}.p" for number in range(1001)]
    path = write(tmp_path, "loads.csv", ",".join(["time", "town.p", *heads]), f"{time(0)},1" + ",1" * 1001)
    assert mistakes(path) == ["line 1: more than 1000 columns of elements that no grid has, the first 'n0'"]
    found, told = skipping(path)  # whoever wants bad columns left out has them left out, however many
    assert (found[0].loads, len(told)) == ({"town": Demand(1.0)}, 1000)
