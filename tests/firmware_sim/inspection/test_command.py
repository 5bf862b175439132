"""`diantan-sim inspect`: what it asks for, writes, and ends with."""

import io
import json
import os
import signal
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from docx import Document

from firmware_sim.circuit import Circuit
from firmware_sim.cli import main
from firmware_sim.curves import Curve
from firmware_sim.inspection.command import Options, has_every_point, inspect, shortened
from firmware_sim.inspection.metering.limits import DEFAULT_FILE
from firmware_sim.inspection.plan import PointsSection, digest, load_plan
from firmware_sim.inspection.points import Rating
from firmware_sim.inspection.result import ItemResult, Verdict
from firmware_sim.inspection.store import Record
from firmware_sim.meter import Meter, MeterSettings

PLAN = """
[inspection]
number = "7"
kind = "KIND"
[rating]
class = "B"
voltage_v = 220
imin_a = 0.25
itr_a = 0.5
imax_a = 60
starting_a = 0.02
constant = 1000
carbon_constant = 1000
"""
FEW = '[points]\nfactors = [0.5]\npower_factors = ["1.0"]\ncurrents = ["Imax"]\nbalances = ["balanced"]\n'


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.replace("KIND", "factory") + FEW)
    return path


def report(plan: Path) -> dict[str, object]:
    return dict(json.loads((plan.parent / "inspection-7" / "report.json").read_text()))


def over_registering(load: Curve, circuit: Circuit, settings: MeterSettings) -> Meter:
    return Meter(load, circuit, replace(settings, gain_error=Fraction(2, 100)))


def test_a_good_meter_ends_with_0_and_four_readable_reports(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(plan), "--items", "metering.*"]) == 0
    said = capsys.readouterr()
    assert "conclusion: 合格 passed" in said.out
    assert "metering.carbon.fixed" in said.out
    assert "[1/9] Starting current" in said.err
    output = plan.parent / "inspection-7"
    found = report(plan)
    assert (found["conclusion"], found["whole"]) == ("passed", False)
    assert ET.fromstring((output / "junit.xml").read_text()).get("name") == "inspection 7"
    assert "</html>" in (output / "report.html").read_text()
    assert Document(io.BytesIO((output / "report.docx").read_bytes())).tables


def test_a_meter_that_over_registers_ends_with_1_and_names_the_points(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inspect(load_plan(plan), Options(["metering.electricity"]), firmware=over_registering) == 1
    assert "不合格 failed  220000/balanced/1.0/Imax/register and 1 more" in capsys.readouterr().out


def test_what_was_finished_is_not_done_again_until_it_is_begun_anew(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inspect(load_plan(plan), Options(["metering.electricity"]), firmware=over_registering) == 1
    capsys.readouterr()
    assert main(["inspect", str(plan), "--items", "metering.electricity"]) == 1
    said = capsys.readouterr().err
    assert "Electricity error" not in said
    assert "1 of 1 items are in" in said
    assert main(["inspect", str(plan), "--items", "metering.electricity", "--anew"]) == 0
    assert (plan.parent / "inspection-7" / "record-1.jsonl").exists()


def test_an_interrupted_run_writes_what_it_has_and_goes_on(
    plan: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stopping(Meter):
        def advance(self, now_ms: int) -> None:
            super().advance(now_ms)
            if self.energy_stops:
                raise KeyboardInterrupt

        energy_stops = False

    made: list[Stopping] = []

    def firmware(load: Curve, circuit: Circuit, settings: MeterSettings) -> Meter:
        made.append(Stopping(load, circuit, settings))
        return made[-1]

    loaded = load_plan(plan)
    options = Options(["metering.starting", "metering.electricity"])
    kept = Record.item

    def item(self: Record, result: object) -> None:
        kept(self, result)  # type: ignore[arg-type]  # handed on as it came
        made[-1].energy_stops = True

    monkeypatch.setattr(Record, "item", item)
    assert inspect(loaded, options, firmware=firmware) == 130
    assert "run it again to go on" in capsys.readouterr().err
    verdicts = {entry["id"]: entry["verdict"] for entry in report(plan)["items"]}  # type: ignore[attr-defined]  # a list
    assert verdicts["metering.starting"] == "passed"
    assert verdicts["metering.electricity"] == "skipped"
    monkeypatch.undo()
    assert inspect(loaded, options) == 0
    assert "[2/2]" in capsys.readouterr().err


def test_the_simulated_firmware_passes_in_place_of_a_device(plan: Path) -> None:
    text = plan.read_text() + (
        '[dut.line]\nname = "l"\ntransport = "modbus-tcp"\nhost = "127.0.0.1"\nport = 1\n[source]\nkind = "manual"\n'
        '[standard]\nkind = "registers"\nprofile = "eastron-sdm630"\n[standard.line]\nname = "s"\n'
        'transport = "modbus-tcp"\nhost = "127.0.0.1"\nport = 1\n'
    )
    plan.write_text(text)
    arguments = ["inspect", str(plan), "--items", "metering.starting"]
    assert main(arguments) == 3  # nobody listens there
    assert main([*arguments, "--self"]) == 0


@pytest.mark.parametrize("kind", ["factory", "type"])
def test_a_healthy_meter_passes_every_item_of_either_inspection(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.replace("KIND", kind))
    assert main(["inspect", str(path), "--fast", "--format", "json"]) == 0
    found = json.loads((tmp_path / "inspection-7-fast" / "report.json").read_text())
    verdicts = {entry["id"]: entry["verdict"] for entry in found["items"]}
    assert set(verdicts.values()) <= {"passed", "skipped", "not performed here"}
    assert sum(verdict == "passed" for verdict in verdicts.values()) >= 30
    assert [name for name, verdict in verdicts.items() if verdict == "skipped"] == ["robustness.line-checks"]
    assert not list((tmp_path / "inspection-7-fast").glob("*.html"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["inspect"], "expected PLAN.toml, or --self"),
        (["inspect", "PLAN", "--items", "nothing"], "no item 'nothing'"),
        (["inspect", "absent.toml"], "absent.toml"),
    ],
)
def test_wrong_input_ends_with_2(
    plan: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main([str(plan) if argument == "PLAN" else argument for argument in arguments]) == 2
    assert said in capsys.readouterr().err


def test_items_are_listed(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(plan), "--list"]) == 0
    assert "metering.carbon.dynamic" in capsys.readouterr().out
    assert not (plan.parent / "inspection-7").exists()


def test_a_changed_plan_does_not_go_on_with_the_record_of_another(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(plan), "--items", "metering.starting"]) == 0
    plan.write_text(plan.read_text().replace("factors = [0.5]", "factors = [0.6]"))
    assert main(["inspect", str(plan), "--items", "metering.starting"]) == 2
    assert "--anew" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [
        (["--fast"], "inspection-7-fast"),
        (["--self"], "inspection-7-self"),
        (["--self", "--fast"], "inspection-7-self-fast"),
        (["--self", "--fast", "--output", "OWN"], "own"),
    ],
)
def test_a_look_does_not_touch_the_record_of_the_inspection(plan: Path, arguments: list[str], folder: str) -> None:
    items = ["inspect", str(plan), "--items", "metering.starting"]
    assert main(items) == 0
    record = plan.parent / "inspection-7" / "record.jsonl"
    before = record.read_bytes()
    own = [str(plan.parent / "own") if argument == "OWN" else argument for argument in arguments]
    assert main([*items, *own]) == 0
    assert {path.name for path in (plan.parent / folder).iterdir()} == {path.name for path in record.parent.iterdir()}
    assert record.read_bytes() == before
    assert main(items) == 0


def test_a_short_run_takes_no_load_points_beyond_those_of_the_plan(plan: Path) -> None:
    text = plan.read_text().replace('["Imax"]', '["Imax", "0.5Imax", "Imin"]').replace('["1.0"]', '["0.8C"]')
    plan.write_text(text.replace("[0.5]", "[0.5, 1.0, 2]"))
    points = shortened(load_plan(plan)).points
    assert (points.factors, points.power_factors) == ([Decimal(1)], ["0.8C"])
    assert points.currents == ["Imax", "Imin"]


@pytest.mark.parametrize(
    ("points", "whole"),
    [
        ({}, True),
        ({"factors": [2, 1, Decimal("0.5"), Decimal("0.2"), Decimal("0.1")]}, True),
        ({"factors": [1, Decimal("0.5"), Decimal("0.2")]}, False),
        ({"power_factors": ["1", "0.5L", "0.80C", "0.25L"]}, True),
        ({"power_factors": ["1.0", "0.5L"]}, False),
        ({"currents": ["Imax", "0.5Imax", "0.2Imax", "10Itr", "1Itr", "Imin"]}, True),
        ({"currents": ["Imax", "0.5Imax", "10Itr", "Itr"]}, False),
        ({"balances": ["balanced", "a", "b", "c"]}, True),
        ({"balances": ["balanced", "c"]}, True),
        ({"balances": ["balanced"]}, False),
        ({"balances": ["a"]}, False),
        ({"voltages_v": [220, 110]}, True),
        ({"voltages_v": [110]}, False),
        ({"dwell_seconds": 180, "settle_seconds": 9, "runs": 3, "judge": "unrounded"}, True),
        ({"dwell_seconds": 119}, False),
    ],
)
def test_an_inspection_is_whole_with_the_points_of_the_standard_and_any_further_ones(
    points: dict[str, object], whole: bool
) -> None:
    rating = Rating("B", 220_000, 250, 500, 60_000, 20)
    assert has_every_point(PointsSection.model_validate(points), rating) is whole


def test_a_meter_is_not_asked_for_the_loads_that_it_can_not_have() -> None:
    single = Rating("B", 220_000, 250, 500, 60_000, 20, phases=1)
    assert has_every_point(PointsSection.model_validate({"balances": ["balanced"]}), single)
    small = Rating("B", 220_000, 250, 500, 4000, 20)
    assert has_every_point(PointsSection.model_validate({"currents": ["Imax", "0.5Imax", "Itr", "Imin"]}), small)


def test_limits_that_can_not_be_used_are_told_as_such_and_touch_no_record(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = plan.parent / "own.toml"
    limits.write_bytes(DEFAULT_FILE.read_bytes())
    plan.write_text(plan.read_text().replace("[rating]", 'limits = "own.toml"\n[rating]'))
    arguments = ["inspect", str(plan), "--items", "metering.starting"]
    assert main(arguments) == 0
    limits.write_text("none = 1")
    assert main([*arguments, "--anew"]) == 2
    assert "own.toml" in capsys.readouterr().err
    limits.unlink()
    assert main([*arguments, "--anew"]) == 2
    assert "own.toml: can't be read" in capsys.readouterr().err
    assert not (plan.parent / "inspection-7" / "record-1.jsonl").exists()


def test_a_report_that_can_not_be_written_does_not_hide_the_results(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (plan.parent / "inspection-7" / "report.html").mkdir(parents=True)
    assert main(["inspect", str(plan), "--items", "metering.starting"]) == 2
    said = capsys.readouterr()
    assert "conclusion: 合格 passed" in said.out
    assert "report.html" in said.err
    assert report(plan)["conclusion"] == "passed"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_ended_from_outside_writes_what_it_has(
    plan: Path, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    signals = [number]

    class Ending(Meter):
        def advance(self, now_ms: int) -> None:
            super().advance(now_ms)
            if signals:
                os.kill(os.getpid(), signals.pop())

    assert inspect(load_plan(plan), Options(["metering.electricity"]), firmware=Ending) == 130
    assert "run it again to go on" in capsys.readouterr().err
    assert report(plan)["conclusion"] == "error"


def test_reports_of_a_finished_inspection_are_written_again_without_its_device(plan: Path) -> None:
    line = '[dut.line]\nname = "l"\ntransport = "modbus-tcp"\nhost = "127.0.0.1"\nport = 1\n[source]\nkind = "stream"\n'
    plan.write_text(plan.read_text() + line)
    loaded = load_plan(plan)
    record = Record(plan.parent / "inspection-7" / "record.jsonl", digest(loaded), 1)
    record.item(ItemResult("metering.starting", Verdict.FAILED, 1, 2))
    record.close()
    plan.write_text(plan.read_text() + '[subject]\nplace = "Ningbo"\n')
    assert main(["inspect", str(plan), "--items", "metering.starting"]) == 1
    assert report(plan)["subject"]["place"] == "Ningbo"  # type: ignore[index]  # an object
