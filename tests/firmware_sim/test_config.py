"""The station file: every mistake is named with file and key, several at once."""

from decimal import Decimal
from pathlib import Path

import pytest

from firmware_sim.config import load_station
from settings.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "firmware_sim" / "examples" / "station.toml"
SMALL = """
[station]
id = "s"

[grid]
id = "g"

[[charger]]
id = "c1"
gain_error = 0.03
"""


def load_text(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "station.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_station(path)
    assert all(line.startswith(f"{path}: ") for line in caught.value.problems)
    return [line.removeprefix(f"{path}: ") for line in caught.value.problems]


def test_the_example_is_twelve_chargers_of_which_one_over_registers() -> None:
    config = load_station(EXAMPLE)
    assert len(config.charger) == 12
    assert [charger.id for charger in config.charger if charger.gain_error == Decimal("0.03")] == ["c07"]
    assert config.grid is not None
    assert config.grid.accuracy_class == "0.5"


def test_defaults_are_a_working_station(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text(SMALL)
    config = load_station(path)
    assert [meter.id for meter in config.meters] == ["c1", "g"]
    assert config.charger[0].gain_error == Decimal("0.03")  # a TOML number is read as a decimal
    assert config.simulate.host == "127.0.0.1"


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text(SMALL + '[sessions]\nmodel = "file"\nfile = "s.csv"\n')
    assert load_station(path).sessions.file == tmp_path / "s.csv"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("[charging]\n", "charging: unknown key"),
        ("[simulate]\nprot = 1\n", "simulate.prot: unknown key; did you mean 'port'?"),
        ("[simulate]\nport = 70000\n", "simulate.port: expected less than or equal to 65535, got 70000"),
        ('[auxiliary]\nload_w = "much"\n', "auxiliary.load_w: expected a valid decimal, got 'much'"),
        ("[auxiliary]\nload_w = nan\n", "auxiliary.load_w"),
        ("[[charger]]\nunit = 1\n", "charger[#2].id: is missing"),
        ('[[charger]]\nid = "c1"\n', "id 'c1': expected a name of its own"),
        ('[[charger]]\nid = "a b"\n', "charger[a b].id: expected 1 to 64 letters, digits"),
        ('[[charger]]\nid = "c2"\nunit = 248\n', "charger[c2].unit"),
        ('[[charger]]\nid = "c2"\nclass = "9"\n', "charger[c2].class: expected one of A, B, C"),
        ('[[charger]]\nid = "c2"\ngain_error = "3"\n', "charger[c2].gain_error"),
        ('[[charger]]\nid = "c2"\ngain_error = "some"\n', "charger[c2].gain_error"),
        (
            '[[charger]]\nid = "c2"\nresolution_kwh = "0.0000001"\n',
            "charger[c2].resolution_kwh: expected a multiple of 1 mWh",
        ),
        ('[[charger]]\nid = "c2"\nphase_shares = [1, 1]\n', "charger[c2].phase_shares: expected one or three"),
        ('[[charger]]\nid = "c2"\nphase = "d"\nphase_shares = [1]\n', "charger[c2].phase: expected 'a', 'b' or 'c'"),
        ('[[charger]]\nid = "c2"\nphase = "b"\n', "charger[c2]: phase: expected none beside the phase_shares of three"),
        ('[[charger]]\nid = "c2"\nvoltage_error = "1"\n', "charger[c2].voltage_error: expected above -1 and below 1"),
        ('[loss]\ncable_milliohm = "0.0001"\n', "loss.cable_milliohm: expected a multiple of 0.001 mΩ"),
        ('[supply]\ntrunk_milliohm = "0.0001"\n', "supply.trunk_milliohm: expected a multiple of 0.001 mΩ"),
        ("[supply]\ndaily_percent = 11\n", "supply.daily_percent: expected less than or equal to 10"),
        ("[supply]\nwander_percent = 2.00001\n", "supply.wander_percent: expected"),
        (
            '[supply]\nphase_wander_percent = "0.00001"\n',
            "supply.phase_wander_percent: expected a multiple of 0.0001 %",
        ),
        ("[supply]\nstep_seconds = 0\n", "supply.step_seconds: expected greater than or equal to 1"),
        ("[supply]\nhighest_hour = 24\n", "supply.highest_hour: expected less than or equal to 23"),
        ('[[charger]]\nid = "c2"\nkind = "hv"\n', "charger[c2].kind"),
        (
            '[[charger]]\nid = "c2"\npower_factor = "0.0000001"\n',
            "charger[c2].power_factor: expected a multiple of 0.000001",
        ),
        ('[[charger]]\nid = "c2"\nrated_kw = "6.6000001"\n', "charger[c2].rated_kw: expected a multiple of 1 mW"),
        ('[auxiliary]\nload_w = "0.0001"\n', "auxiliary.load_w: expected a multiple of 1 mW"),
        ("[simulate]\nport = 65000\nports = 1000\n", "simulate: ports: expected at most 536 from port 65000 on"),
        ('[[charger]]\nid = "c2"\npower_factor = 1.1\n', "charger[c2].power_factor"),
        ('[sessions]\nmodel = "file"\n', "sessions: file: expected a path"),
        ("[sessions]\nday = 2019-05-01\n", 'sessions: file, day, days and replay_on are for model = "file"'),
        ('[factor]\ndefault = "0.0000001"\n', "factor.default: expected a multiple of 1 mg/kWh"),
        ('[[charger]]\nid = "c2"\nline = "bus"\n', "meter c2: line: expected one of [], found 'bus'"),
        ('[[charger]]\nid = "c2"\nline = "bus"\nport = 5\n', "charger[c2]: port: expected none beside line"),
        ('[[charger]]\nid = "c2"\naddress = "12 34"\n', "charger[c2].address: expected text of the form"),
        ('[[charger]]\nid = "c2"\nturnaround_ms = [9, 1]\n', "charger[c2]: turnaround_ms: expected 0 to 60000 ms"),
        ('[[charger]]\nid = "c2"\nvoltage_v = "0.0001"\n', "charger[c2].voltage_v: expected a multiple of 0.001"),
        ('[[line]]\nname = "a"\ntransport = "radio"\n', "line[a].transport: expected 'modbus-tcp', 'tcp', 'pty'"),
        (
            '[[line]]\nname = "a"\ntransport = "pty"\n' * 2,
            "line 'a': expected a name of its own, found it twice",
        ),
        (
            "".join(f'[[line]]\nname = "{name}"\ntransport = "pty"\npath = "bus.tty"\n' for name in "ab"),
            "line b: expected a place of its own, found bus.tty, which is that of a",
        ),
        (
            "".join(f'[[line]]\nname = "{name}"\ntransport = "serial"\ndevice = "/dev/ttyS0"\n' for name in "ab"),
            "line b: expected a place of its own, found /dev/ttyS0, which is that of a",
        ),
        (
            "".join(
                f'[[line]]\nname = "{name}"\ntransport = "{transport}"\nport = 1502\n'
                for name, transport in (("a", "tcp"), ("b", "modbus-tcp"))
            ),
            "line b: expected a place of its own, found 127.0.0.1:1502, which is that of a",
        ),
        ('[[fault]]\nkind = "late"\n', "fault[#1].delay_ms: is missing"),
        ('[[fault]]\nkind = "fire"\n', "fault[#1].kind: expected one of 'late', 'silent', "),
        ('[[fault]]\nkind = "silent"\ncount = 0\n', "fault[#1].count: expected greater than or equal to 1"),
    ],
)
def test_a_mistake_is_named_with_its_key(tmp_path: Path, change: str, expected: str) -> None:
    problems = load_text(tmp_path, SMALL + change)
    assert any(expected in problem for problem in problems), problems


def test_lines_may_take_any_port_or_terminal_and_call_the_same_centre(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    lines = [
        f'[[line]]\nname = "{name}"\n{keys}\n'
        for names, keys in (
            ("ab", 'transport = "pty"'),
            ("cd", 'transport = "tcp"'),
            ("ef", 'transport = "dial-out"\nport = 8001'),
        )
        for name in names
    ]
    path.write_text(SMALL + "".join(lines))
    assert [line.name for line in load_station(path).line] == list("abcdef")


def test_mistakes_between_keys_are_told_at_once(tmp_path: Path) -> None:
    assert load_text(tmp_path, SMALL + '[[charger]]\nid = "c1"\nline = "bus"\n[[charger]]\nid = "g"\n') == [
        "id 'c1': expected a name of its own, found it twice",
        "id 'g': expected a name of its own, found it twice",
        "meter c1: line: expected one of [], found 'bus'",
    ]


def test_a_voltage_that_would_be_0_is_refused(tmp_path: Path) -> None:
    problems = load_text(tmp_path, SMALL.replace('id = "s"', 'id = "s"\nvoltage_v = "0.0001"'))
    assert problems == ["station.voltage_v: expected a multiple of 0.001, got '0.0001'"]


def test_an_unknown_time_zone_is_named(tmp_path: Path) -> None:
    (problem,) = load_text(tmp_path, SMALL.replace('id = "s"', 'id = "s"\ntimezone = "Asia/Peking"'))
    assert problem == "station.timezone: expected the name of a time zone, such as Asia/Shanghai, got 'Asia/Peking'"


def test_several_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    problems = load_text(tmp_path, SMALL + "[simulate]\nports = 0\n[loss]\ncable_milliohm = -1\n")
    assert [problem.split(":")[0] for problem in problems] == ["simulate.ports", "loss.cable_milliohm"]


def test_hours_of_tariffs_are_counted(tmp_path: Path) -> None:
    hours = f"tariff_hours = {[3] * 23}"
    (problem,) = load_text(tmp_path, SMALL.replace('id = "s"', f'id = "s"\n{hours}'))
    assert problem == "station.tariff_hours: expected the tariff (1 to 4) of each of 24 hours, found 23 of them"


def test_the_link_of_a_terminal_is_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text(SMALL + '[[line]]\nname = "a"\ntransport = "pty"\npath = "line-a"\n')
    assert load_station(path).line[0].path == tmp_path / "line-a"


def test_the_example_of_a_mixed_line_is_right() -> None:
    config = load_station(EXAMPLE.with_name("mixed-line.toml"))
    assert [line.name for line in config.line] == ["rs485", "serial-server"]
    assert config.line[0].turnaround_ms == (20, 60)
    assert config.fault[0].meter == ("c03",)
