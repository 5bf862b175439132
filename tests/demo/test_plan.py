"""The demonstration's plan: which day and zone, how long, and clear errors for unusable session files."""

import gzip
from datetime import date
from pathlib import Path

import pytest

from demo import plan

HEADER = "arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id\n"


def session_file(path: Path, *arrivals: str) -> Path:
    """Write a session file with one row an arrival."""
    text = HEADER + "".join(f"{arrival},{arrival},5,5,A\n" for arrival in arrivals)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["sessions.csv", "sessions.csv.gz"])
def test_the_busiest_day_and_its_offset_are_taken(tmp_path: Path, name: str) -> None:
    """Without a day, the one with most arrivals is replayed, in the zone the file writes."""
    path = session_file(
        tmp_path / name,
        "2019-05-01 08:00:00-07:00",
        "2019-05-02 08:00:00-07:00",
        "2019-05-02 09:00:00-07:00",
    )
    made = plan.from_sessions(path, None, chargers=12, hours=24, seed=1)
    assert (made.day, made.timezone) == (date(2019, 5, 2), "Etc/GMT+7")
    assert made.day_start_ms == 1556780400000  # 2019-05-02 07:00 UTC
    assert made.day_end_ms - made.day_start_ms == 24 * plan.HOUR_MS


def test_a_short_run_ends_sooner() -> None:
    """`hours` cuts the day off."""
    made = plan.generated(chargers=3, hours=2, seed=1)
    assert made.day_end_ms - made.day_start_ms == 2 * plan.HOUR_MS


def test_every_slot_of_the_run_has_a_factor() -> None:
    """No slot of the simulated time is without a dispatched factor, and the factors are plausible."""
    made = plan.generated(chargers=3, hours=24, seed=1)
    starts = [start for _, start, _ in made.factors("node")]
    assert len(set(starts)) == len(starts) >= (made.end_ms - made.origin_ms) // plan.SLOT_MS
    assert all(0.3 < float(factor) < 0.7 for _, _, factor in made.factors("node"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "line 1: expected a column 'arrival'"),
        (HEADER + "yesterday,x,5,5,A\n", "line 2: arrival"),
        (HEADER, "no sessions"),
        (HEADER + "2019-05-01 08:00:00,x,5,5,A\n", "no offset from UTC"),
    ],
)
def test_an_unusable_file_is_named_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    """A file of another form is refused, saying where."""
    path = tmp_path / "sessions.csv"
    path.write_text(content)
    with pytest.raises(plan.PlanError, match=message) as raised:
        plan.from_sessions(path, None, chargers=12, hours=24, seed=1)
    assert str(path) in str(raised.value)


def test_a_missing_or_truncated_file_is_an_error(tmp_path: Path) -> None:
    """No file, and half a gzip file, are both plan errors."""
    with pytest.raises(plan.PlanError, match="can't be read"):
        plan.from_sessions(tmp_path / "none.csv", None, chargers=12, hours=24, seed=1)
    whole = session_file(tmp_path / "sessions.csv.gz", "2019-05-01 08:00:00-07:00")
    whole.write_bytes(whole.read_bytes()[:-12])
    with pytest.raises(plan.PlanError, match="can't be read"):
        plan.from_sessions(whole, None, chargers=12, hours=24, seed=1)
    good = session_file(tmp_path / "good.csv", "2019-05-01 08:00:00-07:00")
    with pytest.raises(plan.PlanError, match="no sessions on 2020-01-01"):
        plan.from_sessions(good, date(2020, 1, 1), chargers=12, hours=24, seed=1)
