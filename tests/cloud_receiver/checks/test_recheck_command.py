"""`diantan-receiver recheck`: notes days for the receiver that runs, or checks them itself."""

import json
from pathlib import Path

import pytest
from checks_support import DAY_END_MS, GRACE_MS, SLOTS, Centre, day
from key_support import new_key
from receiver_support import DAY_MS, FACTOR, FakeGateway
from sqlalchemy import Engine, select

from cloud_receiver import database, schema
from cloud_receiver.checks.judging import Judge
from cloud_receiver.cli import main
from cloud_receiver.registry import Registry
from wire.keys import save_private

METER = """
[[station.meter]]
id = "{name}"
role = "{role}"
gateway = "gw1"
rated_kw = {rated}
accuracy_class = {accuracy}
"""
WHOLE_MS = 86_400_000
NOW_MS = DAY_END_MS + GRACE_MS + WHOLE_MS


def entry(resolution: str = "0.01") -> str:
    return f'[[station]]\nid = "S1"\nname = "East car park"\nnode = "node1"\ntime_uncertainty_s = {resolution}\n' + (
        "".join(
            METER.format(
                name=name,
                role="grid" if name == "G" else "charger",
                rated=400 if name == "G" else 60,
                accuracy="0.5" if name == "G" else 1,
            )
            for name in ("C01", "C02", "C03", "G")
        )
    )


class Place:
    """A centre's directory, and its commands."""

    def __init__(self, directory: Path, engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.engine = engine
        self.capsys = capsys
        self.registry(entry())
        self.settings()
        save_private(new_key(), directory / "centre.key")

    def registry(self, text: str) -> None:
        (self.directory / "registry.toml").write_text(text)

    def settings(self, more: str = "") -> None:
        text = '[centre]\nkey_file = "centre.key"\ndatabase = "sqlite:///store.sqlite"\n'
        (self.directory / "receiver.toml").write_text(text + more)

    def __call__(self, *arguments: str, now_ms: int = NOW_MS) -> tuple[int, str, str]:
        clock = f"simulated:{now_ms}:1:{1 << 50}"  # its anchor lies ahead: it stands
        status = main([*arguments, "--config", str(self.directory / "receiver.toml"), "--clock", clock])
        told = self.capsys.readouterr()
        return status, told.out, told.err

    def waiting(self) -> list[tuple[int, str]]:
        with database.reading(self.engine) as connection:
            rows = connection.execute(select(schema.recheck.c.day_ms, schema.recheck.c.asked_by)).all()
        return [((row.day_ms - DAY_MS) // WHOLE_MS, row.asked_by) for row in rows]

    def open_kinds(self) -> set[str]:
        _, text, _ = self("findings", "--json")
        return {item["kind"] for item in json.loads(text)}


@pytest.fixture
def place(
    tmp_path: Path, engine: Engine, gateway: FakeGateway, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> Place:
    centre = Centre(engine, gateway, registry)
    centre.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    centre.store(list(day({"C02": 30})))
    centre.check()
    return Place(tmp_path, engine, capsys)


def test_days_are_noted_for_the_receiver_that_runs(place: Place) -> None:
    status, text, _ = place("recheck", "S1", "--from", "2026-07-01", "--by", "Li Na")
    assert status == 0
    assert text == (
        "3 days of 1 stations are to be checked anew\n"
        "the receiver that runs on this store does it; --here does it without one\n"
        "it does so by the registry and the settings that it began with: restart it where they were corrected\n"
    )
    assert place.waiting() == [(0, "Li Na"), (1, "Li Na"), (2, "Li Na")]


def test_days_before_the_station_are_nothing_to_check(place: Place) -> None:
    assert place("recheck", "--from", "2026-01", "--to", "2026-05")[1] == (
        "0 days of 0 stations are to be checked anew\n"
    )
    assert place.waiting() == []


def test_without_days_the_last_ones_are_meant(place: Place) -> None:
    place.settings("[checks]\nrecheck_days = 1\n")
    assert place("recheck")[0] == 0
    assert [number for number, _ in place.waiting()] == [1, 2]
    assert place("recheck", now_ms=NOW_MS + 3 * WHOLE_MS)[0] == 0
    assert [number for number, _ in place.waiting()] == [1, 2, 4, 5]


def test_checked_here_what_is_fresh_comes_first_and_then_the_days(place: Place) -> None:
    assert place.open_kinds() == {"balance_slot", "charger_error"}
    place.settings("[checks]\ncoverage_factor = 5\nminimum_slots = 96\ngross_ratio = 50\n")
    status, text, _ = place("recheck", "S1", "--changed", "--here", "--from", "2026-07-01", "--to", "2026-07-01")
    assert (status, text.splitlines()) == (
        0,
        ["1 days of 1 stations are to be checked anew", "1 days checked anew"],
    )
    assert place.waiting() == []
    # The day that nobody had looked at: no meter has reported it.
    assert place.open_kinds() == {"missing_intervals"}


def test_days_whose_check_fails_are_not_said_to_be_checked(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("of the test")

    assert place("recheck", "--here")[0] == 0  # nothing is fresh any more
    monkeypatch.setattr(Judge, "month", fail)
    monkeypatch.setattr(Judge, "day", fail)
    status, text, told = place("recheck", "S1", "--here", "--from", "2026-07-01", "--to", "2026-07-01")
    assert (status, text.splitlines()[-1]) == (1, "0 days checked anew")
    assert "1 days could not be checked anew" in told


def test_only_what_another_registry_judged(place: Place) -> None:
    assert place("recheck", "--here", "--from", "2026-06-30", "--to", "2026-07-01")[0] == 0
    arguments = ("recheck", "--changed", "--from", "2026-06-30", "--to", "2026-07-01")
    assert place(*arguments)[1].startswith("0 days of 0 stations")
    place.registry(entry("5"))
    assert place(*arguments)[1].startswith("2 days of 1 stations")
    assert place(*arguments, "--here")[1].endswith("2 days checked anew\n")
    assert place(*arguments)[1].startswith("0 days of 0 stations")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("S9",), "station 'S9' is not in"),
        (("S1", "\x1b[31m"), "is not in"),
        (("--to", "2026-07-01"), "--to goes with --from"),
        (("--from", "2030-01-01"), "--from 2030-01-01: expected a day of 1971 to today, 2026-07-03"),
        (("--from", "0001-01-01"), "expected a day of 1971 to today"),
        (("--from", "2026-07-02", "--to", "2026-07-01"), "expected at most 400 days, the first one first"),
        (("--from", "2025-01", "--to", "2026-07"), "expected at most 400 days, the first one first"),
        (("--by", ""), "--by: expected 1 to 64 printable characters"),
        (("--by", "x" * 65), "--by: expected 1 to 64 printable characters"),
        (("--by", "a\nb"), "--by: expected 1 to 64 printable characters"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_noted(arguments: tuple[str, ...], expected: str, place: Place) -> None:
    status, text, error = place("recheck", *arguments)
    assert (status, text) == (1, "")
    assert expected in error
    assert "\x1b" not in error
    assert place.waiting() == []


def test_a_day_that_is_none_is_wrong_usage(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        place("recheck", "--from", "2026-02-30")
    assert raised.value.code == 2
    assert "expected a month (2026-07) or a day (2026-07-01), found '2026-02-30'" in capsys.readouterr().err


def test_where_checks_are_off_nothing_would_do_it(place: Place) -> None:
    place.settings("[checks]\nenabled = false\n")
    status, _, error = place("recheck")
    assert status == 1
    assert "checks.enabled is false" in error
