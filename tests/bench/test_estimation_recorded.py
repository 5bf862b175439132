"""The row of recorded sessions: what is read of the records, and that the row is left out where there are none."""

import gzip
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from bench.estimation import __main__ as command
from bench.estimation import recorded
from bench.estimation.readings import Conditions, read
from bench.estimation.sites import DAY_S

DAYS = 25
PACIFIC = timezone(timedelta(hours=-7))
FIRST = datetime(2019, 5, 1, 6, 30, tzinfo=PACIFIC)
HEADER = "arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id,session_id\n"


def _write(path: Path, count: int) -> None:
    """Write `count` connectors with one session a day each; the last one has three only."""
    rows = []
    for number in range(count):
        for day in range(3 if number == count - 1 else DAYS + 2):
            arrival = FIRST + timedelta(days=day, minutes=7 * number)
            # one vehicle stays long, the next only as long as 6.6 kW take
            departure = arrival + (timedelta(hours=9) if number % 2 else timedelta(hours=2))
            rows.append(f"{arrival},{departure},20.0,{6.0 + number / 4 if number % 2 else 13.2},C{number:02},s\n")
    with gzip.open(path, "wt") as lines:
        lines.writelines([HEADER, *sorted(rows)])


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "data" / "sessions"
    directory.mkdir(parents=True)
    for name in recorded.FILES:
        _write(directory / name, 24)
    monkeypatch.setenv("DIANTAN_SHARED", str(tmp_path))
    return directory


def test_connectors_are_read_with_their_sessions_by_local_time(records: Path) -> None:
    found, days = recorded.connectors(records / recorded.FILES[0])
    assert (len(found), days) == (24, DAYS + 1)
    assert found[1].starts_s[:2].tolist() == [6.5 * 3600 + 420, DAY_S + 6.5 * 3600 + 420]
    assert (found[1].ends_s - found[1].starts_s)[0] == 9 * 3600
    assert found[1].kwh[0] == 6.25
    part = found[0].between(2 * DAY_S, 4 * DAY_S)
    assert part.starts_s.tolist() == [6.5 * 3600, DAY_S + 6.5 * 3600]


@pytest.mark.usefixtures("records")
def test_a_station_charges_what_was_recorded_while_the_vehicle_was_there() -> None:
    held = recorded.station(DAYS, np.random.default_rng(1))
    assert len(held.chargings) == 20
    energies = set()
    for each in held.chargings:
        assert len(each.starts_s) == DAYS  # none of them is the one that was hardly used
        kwh = each.at(each.ends_s) - each.at(each.starts_s)
        energies |= set(np.round(kwh, 6).tolist())
        assert np.diff(each.at(np.append(each.starts_s, 1e9))) == pytest.approx(kwh)
        power = np.diff(each.kwh) / np.maximum(np.diff(each.times_s), 1e-9) * 3600
        assert power.max() < 8
    assert 13.2 in energies
    assert energies <= {13.2, *(6.0 + number / 4 for number in range(1, 24, 2))}
    shown, _ = read(held, np.zeros(20), Conditions(days=DAYS), np.random.default_rng(2))
    assert shown.sessions_ms is not None
    stays = {round((end - start) / 3_600_000, 2) for own in shown.sessions_ms for start, end in own}
    assert stays == {2.0, 9.0}  # orders tell of the stay, not of the charging


@pytest.mark.usefixtures("records")
def test_the_row_runs_with_records_and_is_left_out_without(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert recorded.missing() == []
    assert command.possible(["G90", "B90"]) == ["G90", "B90"]
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("DIANTAN_SHARED", str(tmp_path / "nothing"))
    assert command.possible(["G90", "B90"]) == ["B90"]
    assert "G90: left out: no " in capsys.readouterr().out
