"""A suspect from its alteration to its adjustment, by the nightly run and the command line, over weeks."""

import asyncio
import json
import re
from math import hypot
from pathlib import Path
from typing import Any

import pytest
from estimation_support import DAY, LENGTH, Site, rows_of
from receiver_support import station_model
from site_files_support import options_at, write_files

from clock import Clock
from cloud_receiver.cli import main
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.night import Nights

ERRORS = (0.002, 0.0, -0.001, 0.001, 0.0, -0.002)
SPAN = 10
ALTERED, ADJUSTED, LAST = 12, 26, 44
DRIFT = [(4, day * 96, 0.0003 * day) for day in range(LAST)]
"""Of C05, a thousandth in three days."""


class Life:
    """A station whose days go by."""

    def __init__(self, site: Site, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.site = site
        self.capsys = capsys
        self.day = 0
        self.config = write_files(path, days=SPAN, chargers=6)
        site.enter(station_model(6))
        changes = [(1, ALTERED * 96, 0.032), (1, ADJUSTED * 96, 0.001), *DRIFT]
        self.rows = rows_of(site.numbers(), LAST, errors=ERRORS, changes=changes, share=0.06)

    def now_ms(self) -> int:
        return DAY + self.day * LENGTH + 9_000_000

    def monotonic_ms(self) -> int:
        return self.now_ms()

    def until(self, day: int) -> None:
        """Let days go by, with their nights."""
        clock: Clock = self  # type: ignore[assignment]  # it does not sleep
        while self.day < day:
            first, self.day = self.day * 96 * 7, self.day + 1
            self.site.store(self.rows[first : self.day * 96 * 7])
            settings = Estimation(days=SPAN, full_every_days=7, share_percent=100)
            run = Nights(self.site.engine, self.site.registry, clock, settings)
            assert asyncio.run(run.round()) == 1

    def command(self, *arguments: str) -> str:
        assert main([*arguments, *options_at(self.config, self.now_ms())]) == 0
        return self.capsys.readouterr().out

    def said(self, *arguments: str) -> Any:
        return json.loads(self.command(*arguments, "--json"))


@pytest.fixture
def life(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Life:
    return Life(site, tmp_path, capsys)


def test_from_an_alteration_to_its_adjustment(life: Life) -> None:
    life.until(ALTERED)
    assert life.command("findings") == ""
    # Within its span's length it is a candidate, and the list says by what and what to do.
    life.until(ALTERED + SPAN - 1)
    line, english, chinese = life.command("findings").splitlines()
    assert "charger_suspect  C02" in line
    assert re.match(r"    estimated error \+(2\.[5-9]|3\.)\d* %, u 0\.\d\d %, class limit: 1 %, P 1\.000; ", english)
    assert english.endswith("have it verified, and enter the result with `verification enter`")
    assert "限值: 1 %" in chinese
    assert "请安排复检" in chinese
    life.until(ADJUSTED)
    enter = ("verification", "enter", "S1", "C02", "--u", "0.05", "--at", "2026-07-27T00:00+08:00")
    assert "confirmed_and_adjusted" in life.command(*enter, "--error", "3.2", "--left-error", "0.1")
    assert life.command("findings") == ""
    assert "closed by its outcome: confirmed and adjusted" in life.command("findings", "--all")
    # It is an anchor from then on, and begins anew.
    life.until(ADJUSTED + 3)
    found = life.said("estimate", "S1")
    assert (found["anchored"], found["chargers"][1]["decision"]) == (["C02"], "clear")
    assert [(one["meter"], one["decision"]) for one in found["earlier"]] == [("C02", "flag")]
    table = life.command("estimate", "S1").split("before the exchange or adjustment")[1].splitlines()
    # Nobody counts the windows of what it was.
    assert table[2].rstrip().endswith("flag 超差")
    life.until(LAST)
    assert [item for item in life.said("findings") if item["meter"] == "C02"] == []


def test_a_result_that_confirms_and_its_withdrawal_change_what_is_to_be_done(life: Life) -> None:
    life.until(ALTERED + SPAN - 1)
    enter = ("verification", "enter", "S1", "C02", "--u", "0.05", "--at", "2026-07-21T00:00+08:00", "--error", "3.2")
    assert "candidate for re-verification: confirmed" in life.command(*enter)
    line, english, chinese = life.command("findings").splitlines()
    assert "alarm" in line
    assert english.endswith("a verification confirmed it: have it adjusted or exchanged")
    assert "请调整或更换" in chinese
    life.until(ALTERED + SPAN)
    assert "have it adjusted or exchanged" in life.command("findings")
    life.command("verification", "withdraw", "S1", "1", "--reason", "wrong charger")
    assert "have it verified" in life.command("findings")


def test_drift_is_told_with_its_time_and_of_the_same_meter_only(life: Life) -> None:
    life.until(ADJUSTED)
    enter = ("verification", "enter", "S1", "C02", "--u", "0.05", "--at", "2026-07-27T00:00+08:00")
    life.command(*enter, "--error", "3.2", "--left-error", "0.1")
    life.until(LAST)
    drift = {item["meter"]: item for item in life.said("estimate", "S1", "--history")["drift"]}
    # C05 drifts by 0.03 % a day, and so from the first span to the last.
    assert drift["C05"]["change"] == pytest.approx(0.0003 * (LAST - SPAN), abs=3 * drift["C05"]["u"])
    assert abs(drift["C01"]["change"]) < 3 * drift["C01"]["u"]
    # C02 is what its verification says, and what it was before it was adjusted is no drift of what it is since.
    assert "C02" not in drift
    past = {
        item["end_ms"]: item for item in life.said("estimate", "S1", "--history")["estimates"] if item["meter"] == "C01"
    }
    first, last = (past[drift["C01"][name]] for name in ("first_ms", "last_ms"))
    # By the verification what all have in common is another in the last than in the first.
    assert last["u_common"] < 0.8 * first["u_common"]
    assert drift["C01"]["u"] > hypot(first["u_own"], last["u_own"])
    text = life.command("estimate", "S1", "--history").split("change 变化 %")[1]
    [line] = [line for line in text.splitlines() if "C05" in line]
    assert line.endswith("2026-08-14T00:00:00+08:00")


def test_a_meter_that_was_exchanged_drifts_from_then_on(life: Life) -> None:
    life.until(ADJUSTED)
    life.site.exchanged(life.site.numbers()[1], DAY + ADJUSTED * LENGTH)
    life.until(LAST)
    drift = {item["meter"]: item for item in life.said("estimate", "S1", "--history")["drift"]}
    assert drift["C02"]["first_ms"] > DAY + ADJUSTED * LENGTH
    assert abs(drift["C02"]["change"]) < 3 * drift["C02"]["u"]
    assert drift["C01"]["first_ms"] == DAY + LENGTH
    # Its candidate is over.
    assert [item for item in life.said("findings") if item["meter"] == "C02"] == []
    assert "exchanged or adjusted" in life.command("findings", "--all")
