"""Mistakes in a DL/T 645 profile are named with their key; what is right becomes what it says."""

from fractions import Fraction

import pytest

from profiles import ProfileError
from profiles.dlt645.profile import Dlt645Profile
from profiles.loader import parse

HEAD = '[meter]\nmodel = "m"\nmanufacturer = "f"\nprotocol = "dlt645"\nsource = "s"\n'
ENERGY = '[points]\nenergy_forward = { di = "00010000", unit = "kWh" }\n'


def build(text: str, **parameters: int) -> Dlt645Profile:
    profile = parse(HEAD + text, "x.toml", "x", parameters)
    assert isinstance(profile, Dlt645Profile)
    return profile


def problems(text: str) -> dict[str, str]:
    with pytest.raises(ProfileError) as caught:
        build(text)
    return {problem.key: f"{problem.expected}, found {problem.found}" for problem in caught.value.problems}


def point(text: str, name: str = "energy_forward") -> str:
    return f"[points]\n{name} = {{ {text} }}\n"


def test_the_least_profile() -> None:
    profile = build(ENERGY)
    energy = profile.points["energy_forward"]
    assert (energy.scale, energy.resolution, energy.rollover) == (10_000, 10_000, 10**12)
    assert energy.place == {"di": "00010000", "format": "XXXXXX.XX"}
    assert (profile.blocks, profile.turnaround) == ((), 20)


def test_a_private_identifier_brings_its_format() -> None:
    profile = build(point('di = "00d10000", format = "XXXXX.XXX", unit = "kWh", scale = "0.1"'))
    assert profile.points["energy_forward"].scale == 100
    profile = build(point('di = "02FF0001", formats = ["±XX.XX", "bits:1"], unit = "V"', "voltage"))
    assert profile.points["voltage"].item.width == 3


def test_a_register_that_never_gets_to_the_end_of_its_digits_has_none() -> None:
    """And no gateway fails for an end that it can't count to."""
    profile = build(point('di = "00D10000", format = "digits:16", unit = "kWh"'))
    assert profile.points["energy_forward"].rollover is None


def test_ratios_multiply() -> None:
    text = '[parameters]\nct = { description = "d" }\n' + point('di = "00010000", unit = "kWh", multiply = ["ct"]')
    assert build(text, ct=40).points["energy_forward"].scale == Fraction(400_000)


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        (point('unit = "kWh"'), "points.energy_forward.di", "nothing"),
        (point('di = "0001000", unit = "kWh"'), "points.energy_forward.di", "8 hexadecimal digits"),
        (point('di = "00D10000", unit = "kWh"'), "points.energy_forward.format", "has no numbers for this identifier"),
        (point('di = "00010000"'), "points.energy_forward.unit", "nothing"),
        (point('di = "00010000", unit = "V"'), "points.energy_forward.unit", "kWh"),
        (point('di = "00010000", unit = "kWh", format = "XXX"'), "points.energy_forward.format", "XXX"),
        (point('di = "00010000", unit = "kWh", format = "ascii:4"'), "points.energy_forward.format", "ascii"),
        (point('di = "00010000", unit = "kWh", field = 1'), "points.energy_forward.field", "one of its 1 fields"),
        (point('di = "00010000", unit = "kWh", element = 1'), "points.energy_forward.element", "no block"),
        (point('di = "00010000", unit = "kWh", scale = "0.00001"'), "points.energy_forward.scale", "a whole number"),
        (point('di = "00010000", unit = "kWh", scale = "0"'), "points.energy_forward.scale", "above 0"),
        (point('di = "00010000", unit = "kWh", resolution = "1"'), "points.energy_forward.resolution", "no resolution"),
        (point('di = "00010000", unit = "kWh", other = 1'), "points.energy_forward.other", "unknown key"),
        (point('di = "01010000", field = 1, unit = "kWh"'), "points.energy_forward.format", "a number"),
        (point('di = "00010000"', "demand_forward_time"), "points.demand_forward_time.format", "a date and time"),
        (point('di = "04000102"', "device_time"), "points.device_time.format", "year, month and day"),
        (
            point('di = "0400010C", time_di = "04000102"', "device_time"),
            "points.device_time.time_di",
            "only the date",
        ),
        (point('di = "02010100", unit = "V"', "voltage_x"), "points.voltage_x", "unknown name"),
        ('[dlt645]\nblocks = ["00010000"]\n' + ENERGY, "dlt645.blocks", "FF blocks"),
        ('[dlt645]\nblocks = ["0001FF"]\n' + ENERGY, "dlt645.blocks", "FF blocks"),
        ("[dlt645]\nturnaround = -1\n" + ENERGY, "dlt645.turnaround", "0..2000"),
        ("[dlt645]\nbaud = 1\n" + ENERGY, "dlt645.baud", "unknown key"),
        (
            ENERGY + 'energy_reverse = { di = "00010000", unit = "kWh" }\n',
            "points.energy_reverse.di",
            "points.energy_forward has this one",
        ),
        (
            ENERGY + 'energy_reverse = { di = "0001FF00", unit = "kWh" }\n',
            "points.energy_reverse.di",
            "points.energy_forward has this one",
        ),
        (
            ENERGY + 'energy_reverse = { di = "00010000", format = "XXXX", unit = "kWh" }\n',
            "points.energy_reverse.format",
            "the formats that points.energy_forward has",
        ),
        (
            ENERGY + "[tables.daily_freezes]\nrows = 3\n[tables.daily_freezes.columns]\n"
            'energy_forward = { di = "05060101", unit = "kWh" }\n',
            "tables.daily_freezes.columns.time",
            "the time of a row",
        ),
        (
            ENERGY + '[tables.daily_freezes]\nrows = 254\n[tables.daily_freezes.columns]\ntime = { di = "05060002" }\n',
            "tables.daily_freezes.columns.time.di",
            "DI0 up to 254",
        ),
        (
            ENERGY + "[tables.monthly_freezes]\nrows = 3\nsettlement_days = []\n[tables.monthly_freezes.columns]\n"
            'energy_forward = { di = "00010001", unit = "kWh" }\n',
            "tables.monthly_freezes.settlement_days",
            "the identifiers of the meter's settlement days",
        ),
        (ENERGY + '[writes.clock]\nmethod = "telepathy"\n', "writes.clock.method", "write, broadcast"),
        (
            ENERGY + '[writes.clock]\nmethod = "write"\ndate = "04000101"\npassword = 0\noperator = 0\n',
            "writes.clock.date",
            "date and time, or moment",
        ),
        (
            ENERGY + '[writes.clock]\nmethod = "write"\nmoment = "0400010C"\npassword = 1000000\noperator = 0\n',
            "writes.clock.password",
            "up to 6 digits",
        ),
        (
            ENERGY + '[writes.clock]\nmethod = "write"\nmoment = "0400010C"\nlevel = 10\npassword = 0\noperator = 0\n',
            "writes.clock.level",
            "0..9",
        ),
        (ENERGY + '[writes.factor]\nmethod = "write"\n', "writes.factor", "no other of the standard ones"),
    ],
)
def test_a_mistake_is_named(text: str, key: str, said: str) -> None:
    found = problems(text)
    assert key in found
    assert said in found[key]


def test_a_wrong_password_is_not_repeated_in_the_message() -> None:
    text = ENERGY + '[writes.clock]\nmethod = "write"\nmoment = "0400010C"\npassword = 7654321\noperator = 0\n'
    assert "7654321" not in str(problems(text))


def test_all_mistakes_are_told_at_once() -> None:
    text = point('di = "1", unit = "kWh"') + '[tables.daily_freezes]\nrows = 0\n[writes.clock]\nmethod = "x"\n'
    assert {"points.energy_forward.di", "tables.daily_freezes.rows", "writes.clock.method"} <= set(problems(text))
