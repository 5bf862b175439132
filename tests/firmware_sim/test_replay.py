"""Session files: the busiest day, the busiest plugs, and every bad line named."""

import gzip
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from firmware_sim.replay import SessionFileError, read_sessions, replay

ZONE = ZoneInfo("Etc/GMT+7")
HEAD = "arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id,session_id\n"
ROWS = [
    "2019-05-01 08:00:00-07:00,2019-05-01 12:00:00-07:00,20.0,10.5,CA-1,s1",
    "2019-05-02 08:00:00-07:00,2019-05-02 12:00:00-07:00,20.0,1.0000005,CA-2,s2",
    "2019-05-02 09:00:00-07:00,2019-05-02 12:00:00-07:00,20.0,2,CA-1,s3",
    "2019-05-02 13:00:00-07:00,2019-05-02 15:00:00-07:00,20.0,3,CA-1,s4",
    "2019-05-02 23:30:00-07:00,2019-05-03 08:00:00-07:00,20.0,4,CA-3,s5",
]


def write(path: Path, rows: list[str] | None = None, head: str = HEAD) -> Path:
    text = head + "\n".join(ROWS if rows is None else rows) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["s.csv", "s.csv.gz"])
def test_the_busiest_day_goes_to_the_chargers(tmp_path: Path, name: str) -> None:
    result = replay(write(tmp_path / name), 2, ZONE)
    assert result.day == date(2019, 5, 2)
    assert result.plugs == ("CA-1", "CA-2")
    assert [session.energy_mwh for session in result.of(0, result.day)] == [2_000_000, 3_000_000]
    assert [session.energy_mwh for session in result.of(1, result.day)] == [1_000_000]  # 0.5 mWh: half to even
    assert result.left_out == 1
    assert result.of(0, date(2019, 5, 1)) == ()
    assert result.of(7, result.day) == ()


def test_times_are_exact(tmp_path: Path) -> None:
    (session,) = replay(write(tmp_path / "s.csv"), 1, ZONE, date(2019, 5, 1)).of(0, date(2019, 5, 1))
    assert session.arrival_ms == int(datetime(2019, 5, 1, 15, tzinfo=ZoneInfo("UTC")).timestamp() * 1000)
    assert session.name == "s1"


def test_a_day_can_be_moved(tmp_path: Path) -> None:
    onto = date(2026, 6, 15)
    result = replay(write(tmp_path / "s.csv"), 3, ZONE, date(2019, 5, 2), onto)
    (session,) = result.of(2, onto)
    arrival = datetime.fromtimestamp(session.arrival_ms / 1000, ZONE)
    assert (arrival.date(), arrival.hour, arrival.minute) == (onto, 23, 30)
    assert session.departure_ms - session.arrival_ms == 8.5 * 3_600_000


def test_days_in_a_row_are_replayed_day_by_day(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv")
    result = replay(path, 2, ZONE, date(2019, 5, 1), days=2)
    assert (result.day, result.days, result.count, result.left_out) == (date(2019, 5, 1), 2, 4, 1)
    assert result.plugs == ("CA-1", "CA-2")  # by the sessions of both days
    names = [[session.name for session in result.of(0, date(2019, 5, day))] for day in (1, 2, 3)]
    assert names == [["s1"], ["s3", "s4"], []]


def test_the_busiest_days_in_a_row_are_found(tmp_path: Path) -> None:
    arrivals = [1, 5, 5, 8, 9, 9, 14]
    rows = [
        f"2019-05-{day:02} 08:00:00-07:00,2019-05-{day:02} 09:00:00-07:00,1,1,CA-1,{number}"
        for number, day in enumerate(arrivals)
    ]
    path = write(tmp_path / "s.csv", rows)
    starts = {days: replay(path, 1, ZONE, days=days).day.day for days in (1, 2, 5, 7, 14)}
    assert starts == {1: 9, 2: 8, 5: 5, 7: 5, 14: 1}  # of several alike, the last; never beyond the file
    with pytest.raises(SessionFileError, match="no sessions of 15 days from 2019-05-01; the file has 2019-05-01 to"):
        replay(path, 1, ZONE, days=15)
    with pytest.raises(SessionFileError, match="no sessions of 2 days from 2019-05-14"):
        replay(path, 1, ZONE, date(2019, 5, 14), days=2)
    # A day on which nobody came may be one of several.
    assert replay(path, 1, ZONE, date(2019, 5, 2), days=3).count == 0


def test_moved_days_begin_at_their_own_midnights(tmp_path: Path) -> None:
    onto, zone = date(2026, 3, 8), ZoneInfo("America/Los_Angeles")  # at 02:00 of which clocks go forward
    result = replay(write(tmp_path / "s.csv"), 3, zone, date(2019, 5, 1), onto, days=2)
    hours = [
        datetime.fromtimestamp(session.arrival_ms / 1000, zone).hour
        for day in (8, 9)
        for session in result.of(0, date(2026, 3, day))
    ]
    assert hours == [9, 9, 13]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("yesterday,2019-05-02 12:00:00-07:00,1,1,CA-1,x", "arrival: expected an ISO 8601 time"),
        ("2019-05-02 08:00:00,2019-05-02 12:00:00-07:00,1,1,CA-1,x", "with an offset, found '2019-05-02 08:00:00'"),
        ("2019-05-02 08:00:00-07:00,,1,1,CA-1,x", "departure: expected an ISO 8601 time"),
        ("2019-05-02 08:00:00-07:00,2019-05-02 08:00:00-07:00,1,1,CA-1,x", "departure: expected after the arrival"),
        ("2019-05-02 08:00:00-07:00,2019-05-02 12:00:00-07:00,1,much,CA-1,x", "delivered_energy"),
        ("2019-05-02 08:00:00-07:00,2019-05-02 12:00:00-07:00,1,-1,CA-1,x", "expected a number 0..10000, found '-1'"),
        ("2019-05-02 08:00:00-07:00,2019-05-02 12:00:00-07:00,1,nan,CA-1,x", "found 'nan'"),
        ("2019-05-02 08:00:00-07:00,2019-05-02 12:00:00-07:00,1,1,,x", "station_id: expected a name"),
        ("2019-05-02 08:00:00-07:00", "departure: expected an ISO 8601 time"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, row: str, expected: str) -> None:
    path = write(tmp_path / "s.csv", [*ROWS, row])
    with pytest.raises(SessionFileError) as caught:
        read_sessions(path)
    assert str(caught.value).startswith(f"{path}: line 7: ")
    assert expected in str(caught.value)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", [], "arrival,departure,energy\n")
    with pytest.raises(SessionFileError, match=r"line 1: columns missing: delivered_energy \(kWh\), station_id"):
        read_sessions(path)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("gone.csv", None, "can't be read"),
        ("s.csv.gz", b"arrival\n", "can't be read"),
        ("s.csv.gz", gzip.compress(HEAD.encode(), mtime=0)[:-9], "can't be read"),
        ("s.csv.gz", gzip.compress(b"", mtime=0)[:10] + b"\x07" * 20, "can't be read"),
        ("s.csv", b"\xff\xfe\x00", "not UTF-8"),
        ("s.csv", HEAD.encode() + b"x" * 200_000 + b",", "not CSV"),
        ("s.csv", HEAD.encode(), "no sessions"),
    ],
    ids=["absent", "not gzip", "cut off", "bad gzip", "not text", "endless field", "empty"],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, name: str, content: bytes | None, expected: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SessionFileError, match=expected):
        replay(path, 3, ZONE)


def test_a_day_without_sessions_names_the_days_there_are(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv")
    with pytest.raises(
        SessionFileError, match="no session arrives on 2020-01-01; the file has 2019-05-01 to 2019-05-02"
    ):
        replay(path, 3, ZONE, date(2020, 1, 1))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "sessions"), [("caltech_2019-05-01_2019-08-31", 3527), ("jpl_2019-05-01_2019-08-31", 6026)]
)
def test_the_published_files_can_be_read(shared_data: Path, name: str, sessions: int) -> None:
    path = shared_data / "data" / "sessions" / f"{name}.csv.gz"
    assert len(read_sessions(path)) == sessions
    result = replay(path, 12, ZONE)
    assert len(result.plugs) == 12
    assert all(result.of(charger, result.day) for charger in range(12))


@pytest.mark.shared
def test_weeks_of_a_published_file_keep_every_session(shared_data: Path) -> None:
    path = shared_data / "data" / "sessions" / "caltech_2019-05-01_2019-08-31.csv.gz"
    whole = replay(path, 20, ZONE, date(2019, 5, 6), days=14)
    singles = [replay(path, 60, ZONE, date(2019, 5, 6 + number)) for number in range(14)]
    assert whole.count + whole.left_out == sum(single.count for single in singles)
    first = whole.plugs[0]
    daily = [single.of(single.plugs.index(first), single.day) if first in single.plugs else () for single in singles]
    assert [whole.of(0, date(2019, 5, 6 + number)) for number in range(14)] == [list(group) or () for group in daily]
