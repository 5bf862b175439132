"""The register face: what is read is what the meter has, and addresses that don't exist are refused."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim_support import profile_of

from firmware_sim.circuit import Circuit
from firmware_sim.curves import ConstantCurve
from firmware_sim.layout import AddressError, Layout
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.registers import RefusedError, RegisterMap
from firmware_sim.station import multi_function
from profiles import load, names
from profiles.modbus.codec import NoValueError, decode
from profiles.modbus.plan import decode_rows, plan_rows

MODBUS = [name for name in names() if profile_of(name).protocol == "modbus"]
START = int(datetime(2026, 6, 15, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)
ZONE = "Asia/Shanghai"
HOUR = 3_600_000
DAY = 24 * HOUR


def face(name: str = "sim-carbon-meter", **changes: int) -> RegisterMap:
    profile = profile_of(name)
    settings = MeterSettings(multi_function=multi_function(profile, None), **changes)  # type: ignore[arg-type]  # integers
    meter = Meter(ConstantCurve(START, 6_600_000), Circuit(), settings)
    return RegisterMap(meter, Layout(profile))


def _words(subject: RegisterMap, name: str, point_name: str, now: int) -> list[int]:
    point = profile_of(name).points[point_name]
    return subject.read(point.function, point.address, point.count, now)


@given(st.integers(0, 59), st.integers(1, 60))
def test_any_cut_of_a_block_shows_the_same_registers(address: int, count: int) -> None:
    subject = face(default_factor=581_000)
    whole = subject.read(4, 0, 60, START + HOUR)
    count = min(count, 60 - address)
    assert subject.read(4, address, count, START + HOUR) == whole[address : address + count]


@pytest.mark.parametrize(
    ("function", "address", "count"), [(3, 0, 1), (4, 60, 1), (4, 59, 2), (4, 0xFFFF, 1), (4, 0x0FFF, 4), (1, 0, 1)]
)
def test_registers_that_do_not_exist_are_refused(function: int, address: int, count: int) -> None:
    with pytest.raises(AddressError, match=f"no registers {address}"):
        face().read(function, address, count, START)


def test_small_gaps_read_as_zero_where_the_profile_reads_over_them() -> None:
    assert face("eastron-sdm630").read(4, 0x12, 12, START) == [0] * 12
    with pytest.raises(AddressError):
        face("chint-dtsu666").read(3, 0x201C, 1, START)


def test_freezes_are_read_through_their_table() -> None:
    subject = face(default_factor=500_000)
    table = load("sim-carbon-meter").tables["daily_freezes"]
    now = START + 3 * DAY + HOUR
    rows = {}
    for block in plan_rows(table, 1, 30):
        rows.update(decode_rows(table, block, subject.read(block.function, block.address, block.count, now)))
    assert rows[1] == {
        "time": START + 3 * DAY,
        "energy_forward": 475_200_000,
        "energy_reverse": 0,
        "carbon_forward": 237_600_000 * 10**6,
        "carbon_reverse": 0,
    }
    assert rows[3]["time"] == START + DAY
    assert rows[4] == {}  # the meter is too young


def test_a_year_of_daily_carbon_is_read_through_its_table() -> None:
    subject = face(default_factor=500_000)
    table = load("sim-carbon-meter").tables["daily_carbon"]
    now = START + 365 * DAY
    (block,) = plan_rows(table, 365, 365)
    row = decode_rows(table, block, subject.read(block.function, block.address, block.count, now))[365]
    assert row == {"time": START, "carbon_forward": 79_200_000 * 10**6, "carbon_reverse": 0}


def test_a_factor_is_written_and_read_back_from_the_history() -> None:
    subject = face()
    profile = load("sim-carbon-meter")
    write, select = profile.writes["factor"], profile.writes["factor_history_day"]
    subject.write(
        write.address, profile.command("factor", {"time": START, "carbon_factor": 432_100}, ZONE).words, START
    )
    assert (
        decode(profile.points["carbon_factor"], _words(subject, "sim-carbon-meter", "carbon_factor", START)) == 432_100
    )
    subject.write(select.address, profile.command("factor_history_day", {"day": 1}, ZONE).words, START + DAY)
    table = profile.tables["factor_history"]
    (block,) = plan_rows(table, 1, 2)
    rows = decode_rows(table, block, subject.read(block.function, block.address, block.count, START + DAY))
    assert rows[1] == {"time": START, "carbon_factor": 432_100}
    assert rows[2] == {"time": START + 900_000, "carbon_factor": 432_100}


def test_an_undefined_factor_has_no_value() -> None:
    point = load("sim-carbon-meter").points["carbon_factor"]
    with pytest.raises(NoValueError):
        decode(point, _words(face(), "sim-carbon-meter", "carbon_factor", START))


def test_the_clock_is_written() -> None:
    subject = face()
    command = load("sim-carbon-meter").command("clock", {"time": START + 5_000}, ZONE)
    subject.write(command.address, command.words, START)
    assert subject.meter.values(START)["device_time"] == START + 5_000


@pytest.mark.parametrize("time_ms", [2**32 * 1000, 253_370_678_400_000, 2**63, 2**64 - 1])
def test_a_clock_set_to_what_is_no_time_is_refused_and_the_meter_goes_on(time_ms: int) -> None:
    subject = face()
    command = load("sim-carbon-meter").command("clock", {"time": time_ms}, ZONE)
    with pytest.raises(RefusedError, match="clock: the clock goes from 0 to"):
        subject.write(command.address, command.words, START + HOUR)
    values = subject.meter.values(START + 2 * DAY)
    assert values["device_time"] == START + 2 * DAY
    assert len(subject.meter.frozen.daily) == 2


@pytest.mark.parametrize(
    ("address", "words", "error"),
    [
        (0x4000, [0, 0, 0], AddressError),
        (0x4001, [0, 0, 0, 0], AddressError),
        (0, [1], AddressError),
        (0x4000, [0, 1, 0, 1], RefusedError),  # off the 15-minute grid
        (0x4020, [366], RefusedError),
    ],
)
def test_a_wrong_write_is_refused(address: int, words: list[int], error: type[Exception]) -> None:
    with pytest.raises(error):
        face().write(address, words, START)


def test_a_32_bit_register_rolls_over() -> None:
    subject = face("acrel-adl3000-e", initial_forward_mwh=(2**32 - 1) * 400_000 + 399_999)
    point = load("acrel-adl3000-e", {"pt": 1, "ct": 40}).points["energy_forward"]
    before = decode(point, subject.read(3, point.address, 2, START))
    after = decode(point, subject.read(3, point.address, 2, START + HOUR))
    assert before == (2**32 - 1) * 400_000
    assert after == 6_400_000  # 6.6 kWh later, in steps of 0.4 kWh
