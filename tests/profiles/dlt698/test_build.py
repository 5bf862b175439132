"""Reading a DL/T 698.45 profile: every mistake is named."""

from fractions import Fraction

import pytest

from diantan_core import dlt698_object
from profiles import ProfileError, load
from profiles.dlt698.model import Association, DataType, ObjectPoint, Proxy
from profiles.dlt698.profile import Dlt698Profile
from profiles.loader import parse
from profiles.points import UNITS, Quantity

HEAD = """
[meter]
model = "M"
manufacturer = "N"
protocol = "dlt698"
source = "S"
"""
POINT = '[points]\nenergy_forward = { oad = "00100201", type = "double_long_unsigned", unit = "kWh", scale = "0.01" }\n'


def build(text: str, **parameters: int) -> Dlt698Profile:
    profile = parse(HEAD + text, "meter.toml", "meter", parameters)
    assert isinstance(profile, Dlt698Profile)
    return profile


def problems(text: str, **parameters: int) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        build(text, **parameters)
    return [f"{problem.key}: {problem.expected}" for problem in caught.value.problems]


def test_a_profile_without_settings_uses_the_preset_association() -> None:
    profile = build(POINT)
    assert profile.association == Association()
    point = profile.points["energy_forward"]
    assert (point.oad, point.index, point.base, point.type) == (
        0x00100201,
        1,
        0x00100200,
        DataType.DOUBLE_LONG_UNSIGNED,
    )
    assert (point.scale, point.resolution, point.rollover) == (10_000, 10_000, 10_000 << 32)
    assert point.place == {"oad": "00100201", "type": "double_long_unsigned"}


def test_what_a_profile_does_not_say_is_the_standards() -> None:
    short = build("""
[points]
energy_forward = { oad = "00100201" }
voltage_a = { oad = "20000200", element = 1 }
demand_forward = { oad = "10100201", part = 1 }
demand_forward_time = { oad = "10100201", part = 2 }
power_factor = { oad = "200A0201" }
frequency = { oad = "200F0200", type = "unsigned", unit = "Hz" }
device_time = { oad = "40000200" }
[writes.clock]
oad = "40000200"
""")
    long = load("dlt698-three-phase").points
    for name in ("energy_forward", "demand_forward", "demand_forward_time", "power_factor", "device_time"):
        assert short.points[name] == long[name]
    voltage = short.points["voltage_a"]
    assert (voltage.type, voltage.scale, voltage.index) == (DataType.LONG_UNSIGNED, 100, 1)
    assert (short.points["frequency"].type, short.points["frequency"].scale) == (DataType.UNSIGNED, 1000)
    assert set(short.writes) == {"clock"}


def test_the_shipped_models_say_what_the_standard_says() -> None:
    """Where its table knows the object: both were written down from the same sources by different hands."""
    compared = 0
    for name in ("dlt698-three-phase", "dlt698-carbon-meter"):
        profile = load(name)
        for point in profile.points.values():
            assert isinstance(point, ObjectPoint)
            known = dlt698_object(point.oad)
            value = known.fields[point.part - 1] if known is not None and point.part else known
            if value is None or value.exponent is None:
                assert point.name.startswith("carbon_")
                continue
            assert point.type.value == value.data_type
            if point.quantity is not Quantity.TIME:
                assert point.scale == Fraction(10) ** value.exponent * UNITS[point.quantity][value.unit or "1"], (
                    point.name
                )
            compared += 1
    assert compared > 80


def test_the_association_is_as_the_profile_and_its_parameters_say() -> None:
    text = """
[parameters.client]
description = "client"
default = 16
minimum = 0
maximum = 255

[dlt698]
client = "$client"
logical = 1
connect = 1
send_size = 200
receive_size = 300
apdu_size = 400
timeout_s = 100
security = "plain"

[dlt698.proxy]
port = "F2010201"
parity = "none"
terminal = "111111111111"
"""
    proxy = Proxy(0xF201_0201, 6, 0, 10, 100, "111111111111")
    expected = Association(16, 1, True, 200, 300, 400, 100, plain_security=True, proxy=proxy)
    assert build(text + POINT).association == expected
    assert build(text + POINT, client=0).association.client == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[points]\nfrequency = { oad = "200F02", type = "long_unsigned", unit = "Hz" }\n',
            "points.frequency.oad: an OAD",
        ),
        (
            '[points]\nfrequency = { oad = "200F0200", type = "word", unit = "Hz" }\n',
            "points.frequency.type: one of bool",
        ),
        (
            '[points]\nfrequency = { oad = "200F0200", type = "long", unit = "W" }\n',
            "points.frequency.unit: one of mHz",
        ),
        (
            '[points]\nfrequency = { oad = "200F0201", element = 1, type = "long", unit = "Hz" }\n',
            "points.frequency.element: no element",
        ),
        (
            '[points]\nfrequency = { oad = "200F0200", type = "date_time_s", unit = "Hz" }\n',
            "points.frequency.type: one of",
        ),
        ('[points]\ndevice_time = { oad = "40000200", type = "long" }\n', "points.device_time.type: one of date_time,"),
        (
            '[points]\nstatus = { oad = "20140201", type = "bit_string", unit = "1" }\n',
            "points.status.length: an integer",
        ),
        (
            '[points]\nstatus = { oad = "20140201", type = "octet_string", length = 2, missing = 0, unit = "1" }\n',
            "points.status.missing: no pattern for octet_string",
        ),
        (
            '[points]\npower = { oad = "20040201", type = "float32", unit = "W" }\n',
            "points.power.resolution: a decimal",
        ),
        ('[points]\ncarbon_forward = { oad = "20800200" }\n', "points.carbon_forward.type: a text"),
        ('[points]\npower = { oad = "200F0200" }\n', "points.power.unit: one of mW"),
        (POINT + "[dlt698]\nclient = 256\n", "dlt698.client: a whole number 0..255"),
        (POINT + "[dlt698]\nclients = 1\n", "dlt698.clients: one of the known keys"),
        (POINT + '[dlt698.proxy]\nbaud = "9601"\nport = "F2010201"\n', "dlt698.proxy.baud: one of 300"),
        (POINT + '[dlt698.proxy]\nport = "F2010201"\nterminal = "123"\n', "dlt698.proxy.terminal: an address"),
        (POINT + '[tables.daily_carbon]\noad = "50040200"\n', "tables.daily_carbon: one of the standard names"),
        (POINT + '[tables.daily_freezes]\noad = "50040200"\n', "tables.daily_freezes.rows: an integer"),
        (
            POINT + '[writes.factor]\noad = "41200200"\ntype = "long_unsigned"\nunit = "kg/kWh"\nvalues = 48\n'
            "interval_unit = 1\ninterval = 15\n",
            "writes.factor.values: 1, 24 or 96",
        ),
        (POINT + '[writes.factor_history_day]\noad = "41200200"\n', "writes.factor_history_day: one of the standard"),
    ],
)
def test_a_mistake_is_named(text: str, expected: str) -> None:
    assert any(problem.startswith(expected) for problem in problems(text)), problems(text)


def test_the_carbon_meter_is_what_its_parameters_say() -> None:
    plain = load("dlt698-carbon-meter")
    assert isinstance(plain, Dlt698Profile)
    assert (plain.association.client, plain.association.connect) == (0xA0, True)
    carbon = plain.points["carbon_forward"]
    assert (carbon.oad, carbon.index, carbon.scale) == (0x2080_0200, 0, 10**10)
    other = load(
        "dlt698-carbon-meter",
        {"carbon_scale": "0.001", "carbon_type": 21, "carbon_element": 1, "connect": 0, "client": 16},
    )
    assert isinstance(other, Dlt698Profile)
    carbon = other.points["carbon_forward"]
    assert (carbon.index, carbon.scale, carbon.type) == (1, 10**9, DataType.LONG64_UNSIGNED)
    assert (other.association.client, other.association.connect) == (16, False)
    with pytest.raises(ProfileError, match="the tag of an integer type"):
        load("dlt698-carbon-meter", {"carbon_type": 9 + 1})


@pytest.mark.parametrize("name", ["dlt698-three-phase", "dlt698-carbon-meter"])
def test_secondary_values_are_multiplied_by_the_transformers_ratios(name: str) -> None:
    both = {Quantity.ENERGY, Quantity.REACTIVE_ENERGY, Quantity.POWER, Quantity.REACTIVE_POWER, Quantity.APPARENT_POWER}
    ratios = {**dict.fromkeys(both, 400), Quantity.VOLTAGE: 10, Quantity.CURRENT: 40}
    plain, behind = load(name), load(name, {"ct": 40, "pt": 10})
    assert isinstance(plain, Dlt698Profile)
    assert isinstance(behind, Dlt698Profile)
    for key, point in plain.points.items():
        assert behind.points[key].scale == point.scale * ratios.get(point.quantity, 1), key
    for table, other in zip(plain.tables.values(), behind.tables.values(), strict=True):
        for column, same in zip(table.columns, other.columns, strict=True):
            assert same.scale == column.scale * ratios.get(column.quantity, 1), column.name
