"""Lines in the configuration: the keys of each transport, what fits together, and what is made of it."""

from typing import Any

import pytest

from agent.config_file import Loaded, load_config
from agent.config_lines import address_of
from agent.connection import connection, timing
from clock import SystemClock
from fieldbus.channels.listen import ListenChannel
from fieldbus.channels.serial import SerialChannel
from fieldbus.channels.tcp import TcpChannel
from fieldbus.line_timing import LineTiming
from settings.errors import ConfigError

MIXED = """
name = "bus"
transport = "serial"
device = "/dev/ttyUSB0"
[[line.meter]]
id = "main"
profile = "dlt645-three-phase"
address = "112233445566"
[[line.meter]]
id = "carbon"
profile = "dlt698-carbon-meter"
address = "112233445566"
[[line.meter]]
id = "charger"
profile = "sim-carbon-meter"
unit = 3
"""


def loaded(site: Any, line: str, more: str = "") -> Loaded:
    """Return the configuration with one line."""
    text: str = site.configure(broker_port=1, meter_ports=[1]).read_text("utf-8")
    return load_config(site.write(text[: text.index("[[line]]")] + f"{more}\n[[line]]\n{line}"))


def problems(site: Any, line: str, more: str = "") -> list[str]:
    """Return what is wrong with a line."""
    with pytest.raises(ConfigError) as error:
        loaded(site, line, more)
    return [problem.split("agent.toml: ", 1)[1] for problem in error.value.problems]


def test_several_protocols_share_a_line(site: Any) -> None:
    """One address may be there once in each protocol; each has its driver, all of them one bus."""
    found = loaded(site, MIXED)
    (line,) = found.config.line
    carried = connection(line, found.profiles, SystemClock())
    assert set(carried.drivers) == {"dlt645", "dlt698", "modbus"}
    assert {protocol: driver.protocol for protocol, driver in carried.drivers.items()} == {
        protocol: protocol for protocol in carried.drivers
    }
    addresses = [address_of(meter, found.profiles[meter.id].protocol) for meter in line.meter]
    assert addresses == ["112233445566", "112233445566", 3]


def test_defaults_of_a_serial_line_and_its_timing(site: Any) -> None:
    """9600 8E1: eleven bits a character, 3.5 characters between frames."""
    line = loaded(site, MIXED).config.line[0]
    assert line.transport == "serial"
    assert (line.baud, line.parity, line.data_bits, line.stop_bits) == (9600, "even", 8, 1)
    assert timing(line, SystemClock()) == LineTiming.serial(9600, bits_per_character=11, timeout_s=1.0, gap_s=0.2)
    slow = loaded(
        site,
        MIXED.replace(
            "[[line.meter]]",
            'baud = 2400\nparity = "none"\ntimeout_ms = 700\ngap_ms = 120\npause_between_requests_ms = 40\n'
            "late_reply_seconds = 9\n[[line.meter]]",
            1,
        ),
    ).config.line[0]
    found = timing(slow, SystemClock())
    assert (found.timeout_s, found.gap_s, found.pause_s, found.late_s) == (0.7, 0.12, 0.04, 9.0)
    assert found.character_s == 10 / 2400


def test_the_baud_rate_behind_a_serial_server_sets_the_pace_but_not_the_gap(site: Any) -> None:
    """Its network holds octets back for longer than a port does, and its connection can be replaced."""
    meter = '[[line.meter]]\nid = "m"\nprofile = "sim-carbon-meter"\n'
    head = 'name = "bus"\ntransport = "tcp"\nhost = "192.0.2.1"\nport = 4001\n'
    plain = timing(loaded(site, head + meter).config.line[0], SystemClock())
    assert plain == LineTiming()
    known = timing(loaded(site, head + "baud = 1200\n" + meter).config.line[0], SystemClock())
    assert known.character_s == 11 / 1200
    assert known.pause_s == 3.5 * 11 / 1200
    assert (known.gap_s, known.replace_after) == (plain.gap_s, plain.replace_after)
    assert known.longest_reply_s > plain.longest_reply_s


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        ('transport = "modbus-tcp"\nhost = "192.0.2.1"', TcpChannel),
        ('transport = "tcp"\nhost = "192.0.2.1"\nport = 4001', TcpChannel),
        ('transport = "serial"\ndevice = "/dev/ttyS1"', SerialChannel),
        ('transport = "dial-in"\nport = 4001', ListenChannel),
    ],
)
def test_each_transport_has_its_channel(site: Any, head: str, kind: type) -> None:
    """Old files with modbus-tcp stay valid as they are."""
    found = loaded(site, f'name = "bus"\n{head}\n[[line.meter]]\nid = "m"\nprofile = "sim-carbon-meter"\n')
    carried = connection(found.config.line[0], found.profiles, SystemClock())
    assert type(carried.bus._channel._channel) is kind


SERIAL = 'name = "bus"\ntransport = "serial"\ndevice = "/dev/ttyUSB0"\n'
MODBUS = '[[line.meter]]\nid = "m"\nprofile = "sim-carbon-meter"\n'
DLT645 = '[[line.meter]]\nid = "m"\nprofile = "dlt645-three-phase"\n'
DLT698 = '[[line.meter]]\nid = "m"\nprofile = "dlt698-three-phase"\n'


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            SERIAL + 'host = "h"\n' + MODBUS,
            "line[bus].host: a line of transport 'serial' has no such key, one of 'modbus-tcp' or 'tcp' or ",
        ),
        (
            'name = "bus"\ntransport = "modbus-tcp"\nhost = "h"\nbaud = 9600\n' + MODBUS,
            "line[bus].baud: a line of transport 'modbus-tcp' has no such key, one of 'tcp' or 'serial' has",
        ),
        (SERIAL + 'partiy = "even"\n' + MODBUS, "line[bus].partiy: unknown key; did you mean 'parity'?"),
        (SERIAL + 'parity = "mark"\n' + MODBUS, "line[bus].parity: expected 'none', 'even' or 'odd', got 'mark'"),
        (SERIAL + "baud = 9601\n" + MODBUS, "line[bus].baud: expected 300, 600, 1200"),
        (SERIAL + "stop_bits = 3\n" + MODBUS, "line[bus].stop_bits: expected 1 or 2, got 3"),
        (SERIAL + "data_bits = 7\n" + MODBUS, "line[bus].data_bits: expected 8, got 7"),
        ('name = "bus"\ntransport = "serial"\n' + MODBUS, "line[bus].device: is missing"),
        ('name = "bus"\ntransport = "tcp"\nhost = "h"\n' + MODBUS, "line[bus].port: is missing"),
        ('name = "bus"\nhost = "h"\n' + MODBUS, "line[bus].transport: is missing"),
        (SERIAL + DLT645, "line[bus].meter[m].address: is missing; a meter on dlt645 has one of up to 12 digits"),
        (SERIAL + DLT645 + 'unit = 3\naddress = "1"\n', "line[bus].meter[m].unit: a meter on dlt645 has an address"),
        (SERIAL + MODBUS + 'address = "1"\n', "line[bus].meter[m].address: a Modbus meter has a unit"),
        (SERIAL + DLT645 + 'address = "1234567890123"\n', "line[bus].meter[m].address: expected 1 to 12 digits"),
        (SERIAL + DLT645 + 'address = "12AB"\n', "line[bus].meter[m].address: expected 1 to 12 digits, got '12AB'"),
        (SERIAL + DLT698 + 'address = "1234567890123"\n', "line[bus].meter[m].address: expected whole octets"),
        (SERIAL + DLT698 + 'address = "12 34"\n', "line[bus].meter[m].address: "),
        (
            'name = "bus"\ntransport = "modbus-tcp"\nhost = "h"\n' + DLT645 + 'address = "1"\n',
            "line[bus].meter[m].profile: dlt645-three-phase is for dlt645, transport 'modbus-tcp' carries modbus",
        ),
        (
            SERIAL + DLT645 + 'address = "12"\n' + DLT645.replace('"m"', '"n"') + 'address = "000000000012"\n',
            "line[bus]: meters 'm' and 'n' both have address 000000000012",
        ),
    ],
)
def test_what_does_not_fit_together_is_told_with_its_key(site: Any, line: str, expected: str) -> None:
    """One mistake, one line."""
    (problem,) = problems(site, line)
    assert problem.startswith(expected)


def test_a_port_has_one_line(site: Any) -> None:
    """Two owners of one RS-485 port would talk at once."""
    first = f"[[line]]\n{SERIAL}{MODBUS}"
    found = problems(site, SERIAL.replace('"bus"', '"other"') + MODBUS.replace('"m"', '"n"'), first)
    assert found == ["lines 'bus' and 'other' both use /dev/ttyUSB0"]
    server = 'name = "bus"\ntransport = "tcp"\nhost = "h"\nport = 26\n'
    first = f"[[line]]\n{server}{MODBUS}"
    found = problems(site, server.replace('"bus"', '"other"') + MODBUS.replace('"m"', '"n"'), first)
    assert found == ["lines 'bus' and 'other' both use h:26"]


def test_addresses_are_written_out_in_full(site: Any) -> None:
    """Twelve digits; a DL/T 698.45 address may have more, and hexadecimal ones."""
    found = loaded(
        site, SERIAL + DLT645 + 'address = "77"\n' + DLT698.replace('"m"', '"n"') + 'address = "A1B2C3d4e5f607"\n'
    )
    short, long = found.config.line[0].meter
    assert address_of(short, "dlt645") == "000000000077"
    assert address_of(long, "dlt698") == "a1b2c3d4e5f607"
