"""A file as the intervals it tells of: clocks that change, forms, and every mistake with its place."""

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from metered_support import FIRST_MS, HOUR_MS, energies_form, form, hours, read, write

from cloud_receiver.delimited.table import Bounds
from cloud_receiver.delimited.times import Dates
from cloud_receiver.grid.series_told import Told
from cloud_receiver.metered_import import source
from cloud_receiver.metered_import.form import Column, Lone, Stamps, Unit
from cloud_receiver.metered_import.series import Limits, Reader
from cloud_receiver.mistakes import InputError

OSLO = ZoneInfo("Europe/Oslo")
CHANGES = {  # when clocks changed, UTC
    "Europe/Oslo": ("2019-03-31T01:00", "2019-10-27T01:00"),
    "America/New_York": ("2019-03-10T07:00", "2019-11-03T06:00"),
    "America/St_Johns": ("2019-03-10T05:30", "2019-11-03T04:30"),
    "Australia/Lord_Howe": ("2019-10-05T15:30", "2019-04-06T15:00"),
    "Asia/Kathmandu": ("2019-05-01T00:00", "2019-06-01T00:00"),
    "Asia/Shanghai": ("1991-04-13T18:00", "1991-09-14T17:00"),
}
NOW_LATER = 1_900_000_000_000


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def clock(time_ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(time_ms / 1000, zone).strftime("%Y-%m-%d %H:%M")


def end_of_the_hour(time_ms: int, zone: ZoneInfo) -> str:
    """Return the end of an interval as those write it who count on from its beginning."""
    return (datetime.fromtimestamp(time_ms / 1000 - 1, zone).replace(tzinfo=None) + timedelta(seconds=1)).strftime(
        "%Y-%m-%d %H:%M"
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    name=st.sampled_from(sorted(CHANGES)),
    which=st.integers(0, 1),
    minutes=st.sampled_from([15, 30, 60]),
    label=st.sampled_from(["start", "end", "end of the hour", "register"]),
    around_h=st.tuples(st.integers(4, 30), st.integers(4, 30)),
    backwards=st.booleans(),
)
def test_every_interval_of_a_local_file_is_the_one_it_was(
    tmp_path: Path, *, name: str, which: int, minutes: int, label: str, around_h: tuple[int, int], backwards: bool
) -> None:
    zone = ZoneInfo(name)
    if minutes == 60 and name == "Australia/Lord_Howe":
        minutes = 30  # its clocks change by half an hour
    step = minutes * 60_000
    change = utc(CHANGES[name][which])
    offset = datetime.fromtimestamp(change / 1000 - 86_400, zone).utcoffset()
    assert offset is not None
    begin = change - around_h[0] * HOUR_MS
    begin -= (begin + offset // timedelta(milliseconds=1)) % step
    starts = list(range(begin, change + around_h[1] * HOUR_MS, step))
    stamps = {
        "start": [clock(time, zone) for time in starts],
        "end": [clock(time + step, zone) for time in starts],
        "end of the hour": [end_of_the_hour(time + step, zone) for time in starts],
        "register": [clock(time, zone) for time in (*starts, starts[-1] + step)],
    }[label]
    text = [f"{stamp},{place}" for place, stamp in enumerate(stamps)]
    path = write(tmp_path, "\n".join(["time,kwh", *(reversed(text) if backwards else text)]))
    if label == "register":
        wanted = form(columns={Column.TIME: "time", Column.REGISTER: "kwh"})
    else:
        wanted = energies_form(stamps=Stamps.START if label == "start" else Stamps.END)
    object.__setattr__(wanted, "zone", zone)
    found = read(path, wanted, step, latest_ms=NOW_LATER)
    expected = [(time, 1_000_000 if label == "register" else place * 1_000_000) for place, time in enumerate(starts)]
    assert [(item.start_ms, item.energy[0]) for item in found.steps] == expected


AUTUMN = "01:00,1\n02:00,2\n02:00,3\n03:00,4"


def oslo(tmp_path: Path, text: str, day: str = "2019-10-27", **changes: Any) -> Any:
    told = changes.pop("told", None)
    rows = "\n".join(f"{day} {line}" for line in text.splitlines())
    return read(write(tmp_path, f"time,kwh\n{rows}\n"), energies_form(**{"zone": OSLO} | changes), told=told)


def energies_by_hour(series: Any, first: str) -> dict[int, int]:
    return {(item.start_ms - utc(first)) // HOUR_MS: item.energy[0] // 1_000_000 for item in series.steps}


def test_the_double_hour_is_two(tmp_path: Path) -> None:
    found = oslo(tmp_path, AUTUMN)
    assert energies_by_hour(found, "2019-10-26T23:00") == {0: 1, 1: 2, 2: 3, 3: 4}
    assert found.doubled == 2


def test_the_double_hour_that_is_there_once_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"line 3 column 1: expected an hour that clocks showed twice to be there twice"
    ):
        oslo(tmp_path, "01:00,1\n02:00,2\n03:00,4")


def test_one_of_the_two_without_a_value_is_there_all_the_same(tmp_path: Path) -> None:
    found = oslo(tmp_path, "01:00,1\n02:00,NA\n02:00,3\n03:00,4")
    assert energies_by_hour(found, "2019-10-26T23:00") == {0: 1, 2: 3, 3: 4}
    assert found.valueless == 1
    text = "start,end,kwh\n2019-10-27 02:00,,\n2019-10-27 02:00,2019-10-27 03:00,3\n2019-10-27 03:00,,\n"
    found = read(write(tmp_path, text), form(zone=OSLO))
    assert energies_by_hour(found, "2019-10-26T23:00") == {2: 3}
    assert found.valueless == 2
    found = oslo(tmp_path, "01:00,1\n02:00,\n03:00,4")
    assert energies_by_hour(found, "2019-10-26T23:00") == {0: 1, 3: 4}


@pytest.mark.parametrize(("lone", "hour"), [(Lone.FIRST, 1), (Lone.SECOND, 2)])
def test_or_taken_for_the_one_it_is_said_to_be(tmp_path: Path, lone: Lone, hour: int) -> None:
    found = oslo(tmp_path, "01:00,1\n02:00,2\n03:00,4", lone=lone)
    assert energies_by_hour(found, "2019-10-26T23:00") == {0: 1, hour: 2, 3: 4}


def test_the_ends_of_intervals_tell_which_of_the_two_hours_it_is(tmp_path: Path) -> None:
    text = "start,end,kwh\n2019-10-27 02:00,2019-10-27 02:00,2\n2019-10-27 02:00,2019-10-27 03:00,3\n"
    found = read(write(tmp_path, text), form(zone=OSLO))
    assert energies_by_hour(found, "2019-10-26T23:00") == {1: 2, 2: 3}
    assert found.doubled == 2


def test_the_hour_that_was_left_out_may_be_there_with_nothing_in_it(tmp_path: Path) -> None:
    found = oslo(tmp_path, "01:00,1\n02:00,0\n03:00,2", "2019-03-31")
    assert energies_by_hour(found, "2019-03-31T00:00") == {0: 1, 1: 2}
    assert found.skipped == 1


def test_by_the_ends_too(tmp_path: Path) -> None:
    found = oslo(tmp_path, "02:00,1\n03:00,\n04:00,2", "2019-03-31", stamps=Stamps.END)
    assert energies_by_hour(found, "2019-03-31T00:00") == {0: 1, 1: 2}
    found = oslo(tmp_path, "02:00,1\n03:00,0\n04:00,2", "2019-03-31", stamps=Stamps.END)
    assert energies_by_hour(found, "2019-03-31T00:00") == {0: 1, 1: 2}
    assert found.skipped == 1


def test_energy_in_the_hour_that_was_left_out_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 3 column 1: expected nothing in an hour that clocks left out"):
        oslo(tmp_path, "01:00,1\n02:00,7\n03:00,2", "2019-03-31")


@pytest.mark.parametrize(
    "text",
    [
        "time,kwh\n2026-07-01 00:00,1.5\n2026-07-01 01:00,2\n",
        "time;kwh\r\n2026-07-01 00:00;1,5\r\n\r\n2026-07-01 01:00;2\r\n",
        "﻿time\tkwh\n2026-07-01 00:00\t1.5\n2026-07-01 01:00\t2",
        'note,开始时间,电量\n"a\nb",2026-07-01 00:00,1.5\n,2026-07-01 01:00,2.0\n',
        "start;end;energy_kwh\n01.07.2026 00:00;01.07.2026 01:00;1,5\n01.07.2026 01:00;01.07.2026 02:00;2\n",
        "kwh,time\n2,2026-06-30T17:00Z\n1.5,2026-07-01T00:00+08:00\n",
    ],
)
def test_forms_of_a_file_are_found_out(tmp_path: Path, text: str) -> None:
    found = read(write(tmp_path, text), form())
    assert [(item.start_ms, item.energy) for item in found.steps] == [
        (FIRST_MS, (1_500_000, 0)),
        (FIRST_MS + HOUR_MS, (2_000_000, 0)),
    ]


@pytest.mark.parametrize(("name", "encoding"), [("a.csv.gz", "utf-8"), ("a.csv", "gb18030"), ("a.csv", "utf-16")])
def test_compressed_files_and_encodings(tmp_path: Path, name: str, encoding: str) -> None:
    path = write(tmp_path, "时间,电量\n2026-07-01 00:00,1\n", name, encoding)
    assert len(read(path, form(encoding=encoding)).steps) == 1


def test_other_forms_by_option(tmp_path: Path) -> None:
    text = "2026-07-01;00:00;7;1500\n2026-07-01;01:00;7;2000\n"
    columns = {Column.TIME: "1", Column.CLOCK: "2", Column.FORWARD: "4", Column.REVERSE: "3"}
    found = read(write(tmp_path, text), form(columns=columns, headings=False, unit=Unit.WH))
    assert [item.energy for item in found.steps] == [(1_500_000, 7000), (2_000_000, 7000)]
    text = "Zeit,kWh\n7/1/2026 00:00,1\n"
    columns = {Column.TIME: "Zeit", Column.FORWARD: "KWH"}
    assert read(write(tmp_path, text), form(columns=columns, dates=Dates.MONTH_FIRST)).steps[0].start_ms == FIRST_MS
    text = "time,kwh\n01-Jul-26 12 AM,1\n"
    assert read(write(tmp_path, text), form(time_format="%d-%b-%y %I %p")).steps[0].start_ms == FIRST_MS


def test_many_empty_lines_give_others_their_turn(tmp_path: Path) -> None:
    path = write(tmp_path, hours("1") + "\n" * 3000)
    reader = Reader(source.table(path, form(), "a.csv"), form(), Limits(HOUR_MS, NOW_LATER, 10**9), Told(), "a.csv")
    assert sum(1 for _ in reader.steps()) >= 3000 // 256
    assert len(reader.series.steps) == 1


def test_registers_are_energies_where_two_follow_each_other(tmp_path: Path) -> None:
    text = "time,register_kwh,reverse_register_kwh\n"
    text += "2026-07-01 00:00,100,5\n2026-07-01 01:00,101.5,5\n2026-07-01 04:00,110,6\n2026-07-01 05:00,111,7\n"
    found = read(write(tmp_path, text), form())
    assert [(item.start_ms - FIRST_MS, item.energy, item.before) for item in found.steps] == [
        (0, (1_500_000, 0), (100_000_000, 5_000_000)),
        (4 * HOUR_MS, (1_000_000, 1_000_000), (110_000_000, 6_000_000)),
    ]


def test_a_register_that_falls_is_a_mistake_unless_it_rolls_over(tmp_path: Path) -> None:
    text = "time,register_kwh\n2026-07-01 00:00,99998\n2026-07-01 01:00,3\n2026-07-01 02:00,4\n"
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=r"line 3 column 2: register_kwh: register: expected at least 99998 kWh"):
        read(path, form())
    found = read(path, form(), rollover_mwh=100_000_000_000)
    assert [(item.energy[0], item.before) for item in found.steps] == [
        (5_000_000, (99_998_000_000, 0)),
        (1_000_000, (100_003_000_000, 0)),
    ]
    with pytest.raises(InputError, match="line 3"):  # 6000 kWh in an hour is no rollover of this meter
        read(write(tmp_path, text.replace("99998", "94003")), form(), rollover_mwh=100_000_000_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("time,kwh\n2026-07-01 00:00,lots\n", r"utility.csv: line 2 column 2: kwh: expected a number.*found 'lots'"),
        ("time,kwh\n2026-07-01 00:00,-1\n", "line 2 column 2: kwh: expected 0 or more"),
        ("time,kwh\nnow,1\n", "line 2 column 1: expected a time such as .*found 'now'"),
        ("time,kwh\n2026-07-01 00:10,1\n", "line 2 column 1: expected a multiple of 3600 s"),
        ("time,kwh\n2026-07-01 00:00\n", "line 2: expected at least 2 cells, found 1"),
        ("time,kwh\n2026-07-01 00:00,1\n2026-07-01 00:00,2\n", "line 3 column 1: expected each time once"),
        ("start,end,kwh\n2026-07-01 00:00,2026-07-01 02:00,1\n", "line 2 column 2: end: expected 3600 s"),
        ("time,kwh\n2026-07-14 23:00,1\n", "line 2 column 1: expected a time that has been"),
        (hours("1", "", "1", "", "1"), "expected intervals of 3600 s .*none shorter than 7200"),
        ("when,kwh\n", r"line 1: expected a column of times \(--time\), found 2 columns: 'when', 'kwh'"),
        ("time,MW\n", "line 1: expected a column of energies .*found neither"),
        ("time,kwh,register_kwh\n", "found both energies and registers"),
        ('time,kwh\n2026-07-01 00:00,"1\n', "line 2: not CSV"),
        ("time,kwh\n2026-07-01 00:00:00.5,1\n", "line 2 column 1: expected a multiple of 3600 s"),
        ("time,kwh\n2026-07-01 00:00:00.000001,1\n", "line 2 column 1: expected a multiple of 3600 s"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        read(write(tmp_path, text), form())


def test_every_mistake_is_told_and_what_is_right_read(tmp_path: Path) -> None:
    told = Told(skip_bad=True)
    text = "time,kwh\n2026-07-01 00:00,1\n2026-07-01 01:00,x\n2026-07-01 02:00,2\n2026-07-01 03:00,y\n"
    found = read(
        write(tmp_path, text + "2026-07-01 04:00,\n2026-07-01 02:00,2\n2026-07-01 03:00,3\n"), form(), told=told
    )
    assert [problem.place for problem in told.problems] == ["line 3 column 2", "line 5 column 2"]
    assert [item.start_ms - FIRST_MS for item in found.steps] == [0, 2 * HOUR_MS, 3 * HOUR_MS]
    assert (found.lines, found.valueless, found.repeated) == (7, 1, 1)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 1000,
        b"\xff\xfe\x00",
        b"time,kwh\n2026-07-01 00:00,\xff\n",
        b"time,kwh\n" + b"9" * 100_000,
        b'time,kwh\n"' + b"9" * 200_000 + b'"\n',
        b"time," * 20_000,
        b"\n" * 100,
        b"",
    ],
)
def test_hostile_bytes_are_a_mistake_or_nothing(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "hostile.csv"
    path.write_bytes(data)
    told = Told()
    try:
        found = read(path, form(), told=told)
    except InputError:
        return
    assert found.steps == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(lambda text: f"time,kwh\n{text}".encode())))
def test_no_bytes_raise_anything_but_a_mistake(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(data)
    with contextlib.suppress(InputError):
        read(path, form())


def test_a_damaged_or_endless_compressed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, hours(*["1"] * 200), "a.csv.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="can't be uncompressed"):
        read(path, form())
    monkeypatch.setattr(source, "BOUNDS", Bounds(1000, 1000, 1000))
    with pytest.raises(InputError, match="expected at most 1000 bytes"):
        read(write(tmp_path, hours(*["1"] * 200), "b.csv.gz"), form())


def test_lines_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "BOUNDS", Bounds(1000, 1000, 5))
    with pytest.raises(InputError, match="line 6: expected at most 5 lines"):
        read(write(tmp_path, hours(*["1"] * 5)), form())


def test_nothing_is_taken_from_the_future_of_the_clock(tmp_path: Path) -> None:
    path = write(tmp_path, hours("1", "1", "1"))
    assert len(read(path, form(), latest_ms=FIRST_MS + 3 * HOUR_MS).steps) == 3
    with pytest.raises(InputError, match="line 4"):
        read(path, form(), latest_ms=FIRST_MS + 3 * HOUR_MS - 1)
