"""Plans: what may be in one, and every mistake by its key."""

from pathlib import Path

import pytest

from firmware_sim.inspection.bench import Ability, Selection
from firmware_sim.inspection.functions import Expectations
from firmware_sim.inspection.metering.limits import DEFAULT_FILE
from firmware_sim.inspection.plan import CommandSource, StreamSource, digest, load_plan
from firmware_sim.inspection.points import Rating
from settings.errors import ConfigError

EXAMPLE = Path(__file__).parents[3] / "firmware_sim" / "examples" / "inspection.toml"
SHORTEST = """
[inspection]
number = "1"
[rating]
class = "B"
voltage_v = 220
imin_a = 0.25
itr_a = 0.5
imax_a = 60
starting_a = 0.02
"""
LINE = '[dut.line]\nname = "l"\ntransport = "modbus-tcp"\nhost = "127.0.0.1"\n'
SERIAL = '[dut.line]\nname = "l"\ntransport = "serial"\ndevice = "/dev/ttyUSB0"\n'


def plan(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shortest_plan_asks_for_the_standards_points_of_the_simulated_firmware(tmp_path: Path) -> None:
    found = load_plan(plan(tmp_path, SHORTEST))
    assert found.rating.rating() == Rating("B", 220_000, 250, 500, 60_000, 20)
    assert found.points.selection() == Selection()
    assert found.inspection.limits == DEFAULT_FILE
    assert found.inspection.output == tmp_path / "inspection-1"
    assert (found.dut.line, found.source.kind, found.standard.kind) == (None, "simulated", "source")


def test_the_example_is_a_plan() -> None:
    found = load_plan(EXAMPLE)
    assert found.rating.constant == 1000
    assert found.environment_of().temperature == "23.0 °C"
    assert found.subject_of().number == "EXAMPLE-1"


def test_real_parts(tmp_path: Path) -> None:
    text = SHORTEST + ('[dut]\nprofile = "own/meter.toml"\ncan = ["pulses", "fast"]\ncannot = ["rollover"]\n' + LINE)
    stream = load_plan(plan(tmp_path, text + '[source]\nkind = "stream"\nport = 7001\n'))
    assert isinstance(stream.source, StreamSource)
    assert stream.dut.profile == str(tmp_path / "own/meter.toml")
    assert stream.dut.can == [Ability.PULSES, Ability.FAST]
    standard = (
        '[standard]\nkind = "registers"\nprofile = "eastron-sdm630"\n[standard.line]\nname = "s"\n'
        'transport = "serial"\ndevice = "/dev/ttyUSB1"\n'
    )
    command = load_plan(
        plan(tmp_path, text + '[source]\nkind = "command"\ncommand = ["set-load", "{current_a}"]\n' + standard)
    )
    assert isinstance(command.source, CommandSource)
    assert command.standard.line is not None


def test_what_the_standard_leaves_open_is_said_of_the_device(tmp_path: Path) -> None:
    found = load_plan(plan(tmp_path, SHORTEST)).functions
    assert found.expectations() == Expectations()
    assert found.is_whole
    said = """[functions]
missing = "default"
default_mg = 581300
carbon_decimals = 3
factor_decimals = 5
largest_factor_mg = 20000000
far = "either"
year_days = 30
every_days = 7
"""
    found = load_plan(plan(tmp_path, SHORTEST + said)).functions
    assert found.expectations() == Expectations("default", 581_300, 3, 5, 20_000_000, "either", 30, 7)
    for reduced in ("year_days = 364", "every_days = 2"):
        assert not load_plan(plan(tmp_path, f"{SHORTEST}[functions]\n{reduced}\n")).functions.is_whole


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SHORTEST.replace("imin_a = 0.25", "imin_a = 0.6"), "starting_a <= imin_a <= itr_a <= imax_a"),
        (SHORTEST.replace("imin_a = 0.25", "imin_a = 0.2505"), "three decimals"),
        (SHORTEST + '[points]\ncurrents = ["2Imax"]\n', "2Imax"),
        (SHORTEST + '[points]\npower_factors = ["0.5"]\n', "power factor '0.5'"),
        (SHORTEST + "[points]\nfactors = [0.0000001]\n", "six decimals"),
        (SHORTEST + "[points]\nruns = 1\n", "points.runs"),
        (SHORTEST + LINE, "dut.line"),
        (SHORTEST + '[source]\nkind = "manual"\n', "dut.line"),
        (SHORTEST + LINE + '[source]\nkind = "manual"\n', "needs a standard meter"),
        (SHORTEST + '[standard]\nkind = "power"\n', "needs a profile and a line"),
        (
            f'{SHORTEST}{SERIAL}[source]\nkind = "manual"\n[standard]\nkind = "power"\nprofile = "eastron-sdm630"\n'
            + SERIAL.replace("[dut.line]", "[standard.line]"),
            "a line of its own",
        ),
        (SHORTEST + '[source]\nkind = "magic"\n', "source"),
        (SHORTEST + "[pulses]\n", "pulses"),
        (SHORTEST + LINE + '[source]\nkind = "manual"\n[pulses]\n', "no constant for energy"),
        (SHORTEST + '[dut]\ncan = ["fly"]\n', "dut.can"),
        (SHORTEST.replace('class = "B"', ""), "rating.class"),
        (SHORTEST + "[pointz]\n", "pointz"),
        (SHORTEST + '[functions]\nmissing = "lost"\n', "functions.missing"),
        (SHORTEST + '[functions]\nmissing = "default"\n', "default_mg: expected a factor"),
        (SHORTEST + "[functions]\ndefault_mg = 581300\n", "and none otherwise"),
        (SHORTEST + "[functions]\nfactor_decimals = 7\n", "functions.factor_decimals"),
        (SHORTEST + "[functions]\nlargest_factor_mg = 0.5\n", "functions.largest_factor_mg"),
        (SHORTEST + "[functions]\nyear_days = 366\n", "functions.year_days"),
        (SHORTEST + "[functions]\nevery_days = 0\n", "functions.every_days"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_plan(plan(tmp_path, text))
    assert said in str(caught.value)
    assert "plan.toml" in str(caught.value)


def test_a_record_belongs_to_what_is_measured_not_to_the_texts_of_the_report(tmp_path: Path) -> None:
    first = digest(load_plan(plan(tmp_path, SHORTEST)))
    assert digest(load_plan(plan(tmp_path, SHORTEST + '[environment]\ntemperature = "23 °C"\n'))) == first
    assert digest(load_plan(plan(tmp_path, SHORTEST + "[points]\nruns = 3\n"))) != first
    assert digest(load_plan(plan(tmp_path, SHORTEST + '[functions]\nmissing = "undefined"\n'))) != first
    assert digest(load_plan(plan(tmp_path, SHORTEST + '[subject]\ninspector = "A"\nplace = "B"\n'))) == first
    for told in ("manufacturer", "model", "serial", "firmware"):
        assert digest(load_plan(plan(tmp_path, SHORTEST + f'[subject]\n{told} = "2"\n'))) != first, told
    limits = tmp_path / "limits.toml"
    limits.write_bytes(DEFAULT_FILE.read_bytes())
    own = SHORTEST.replace('number = "1"', 'number = "1"\nlimits = "limits.toml"')
    before = digest(load_plan(plan(tmp_path, own)))
    limits.write_bytes(DEFAULT_FILE.read_bytes() + b"# changed\n")
    assert digest(load_plan(plan(tmp_path, own))) != before


def test_a_record_may_move_and_an_own_profile_counts_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    own = tmp_path / "own" / "meter.toml"
    own.write_text("one")
    text = SHORTEST + '[dut]\nprofile = "own/meter.toml"\n'
    first = digest(load_plan(plan(tmp_path, text)))
    assert digest(load_plan(plan(tmp_path, text.replace('number = "1"', 'number = "1"\noutput = "there"')))) == first
    moved = tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
    assert digest(load_plan(plan(moved, text))) == first
    (moved / "own" / "meter.toml").write_text("another")
    assert digest(load_plan(plan(moved, text))) != first


def test_the_standard_meter_s_own_profile_lies_beside_the_plan_too(tmp_path: Path) -> None:
    standard = (
        '[standard]\nkind = "registers"\nprofile = "own/standard.toml"\n[standard.line]\nname = "s"\n'
        'transport = "serial"\ndevice = "/dev/ttyUSB1"\n'
    )
    found = load_plan(plan(tmp_path, SHORTEST + LINE + '[source]\nkind = "manual"\n' + standard))
    assert found.standard.profile == str(tmp_path / "own/standard.toml")


def test_another_port_is_no_other_device(tmp_path: Path) -> None:
    text = SHORTEST + '[source]\nkind = "stream"\n' + LINE
    first = digest(load_plan(plan(tmp_path, text + "port = 502\n")))
    assert digest(load_plan(plan(tmp_path, text + "port = 503\ntimeout_ms = 2000\n"))) == first
    serial = text.replace(
        'transport = "modbus-tcp"\nhost = "127.0.0.1"', 'transport = "serial"\ndevice = "/dev/ttyUSB0"'
    )
    assert digest(load_plan(plan(tmp_path, serial))) != first


def test_a_command_runs_beside_the_plan(tmp_path: Path) -> None:
    standard = (
        '[standard]\nkind = "registers"\nprofile = "eastron-sdm630"\n[standard.line]\nname = "s"\ntransport = "tcp"\n'
    )
    text = SHORTEST + LINE + '[source]\nkind = "command"\ncommand = ["./set"]\n' + standard + 'host = "h"\nport = 1\n'
    found = load_plan(plan(tmp_path, text)).source
    assert isinstance(found, CommandSource)
    assert found.directory == tmp_path
