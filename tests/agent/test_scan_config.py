"""What a scan prints is a configuration whatever meters say."""

import tomllib

from agent.config_lines import LINES
from agent.line_spec import parse_spec
from agent.scan_command import Meter
from agent.scan_config import configuration
from agent.suggest import Suggestion
from fieldbus.drivers.base import Found

GOOD = Suggestion("dlt645-three-phase", "high", "all read")


def test_what_a_person_decides_is_a_comment() -> None:
    """A meter that no profile fits, and one that answers in two protocols, are not read unasked."""
    meters = [
        Meter(Found("dlt645", "000000000001", {"model": "DTSD\n[[line]]"}), [GOOD]),
        Meter(Found("dlt698", "000000000001"), [Suggestion("dlt698-three-phase", "high", "all read")]),
        Meter(Found("modbus", 3)),
    ]
    text = configuration(parse_spec("serial:/dev/ttyUSB0?baud=2400"), "bus", meters)
    (line,) = tomllib.loads(text)["line"]
    assert (line["name"], line["baud"], line["parity"]) == ("bus", 2400, "even")
    assert [meter["profile"] for meter in line["meter"]] == ["dlt645-three-phase"]
    assert "# model: DTSD?[[line]]" in text
    assert "no profile fits" in text
    assert "# unit = 3" in text
    assert "another protocol too" in text
    LINES["serial"].model_validate(line)


def test_obligatory_parameters_and_rivals() -> None:
    first = Suggestion("acrel-adl3000-e", "medium", "8 of 10", ("pt", "ct"))
    text = configuration(parse_spec("tcp:h:1"), "bus", [Meter(Found("modbus", 3), [first, GOOD])])
    (line,) = tomllib.loads(text)["line"]
    assert line["meter"][0]["parameters"] == {"pt": 1, "ct": 1}
    assert "# or dlt645-three-phase, high confidence: all read" in text


def test_names_with_quotes() -> None:
    text = configuration(parse_spec('serial:/dev/a"b\\c'), 'x"y', [Meter(Found("modbus", 1), [GOOD])])
    (line,) = tomllib.loads(text)["line"]
    assert (line["name"], line["device"]) == ('x"y', '/dev/a"b\\c')
