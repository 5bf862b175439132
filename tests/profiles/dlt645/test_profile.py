"""What is written to a meter."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from profiles import load
from profiles.dlt645.model import Authority, SyncStep, WriteStep
from profiles.dlt645.profile import Dlt645Profile
from profiles.loader import parse
from profiles.model import CodecError

ZONE = "Asia/Shanghai"
HEAD = """[meter]\nmodel = "m"\nmanufacturer = "f"\nprotocol = "dlt645"\nsource = "s"
[points]\nenergy_forward = { di = "00010000", unit = "kWh" }\n[writes.clock]\n"""


def at(hour: int, minute: int) -> int:
    return int(datetime(2026, 11, 20, hour, minute, 30, 500_000, tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)


def test_the_time_is_written_before_the_date_with_password_and_operator() -> None:
    profile = load("dlt645-three-phase", {"level": 4, "password": 123456, "operator": 87654321})
    authority = Authority(4, bytes.fromhex("56 34 12"), bytes.fromhex("21 43 65 87"))
    command = profile.command("clock", {"time": at(20, 15)}, ZONE)
    assert isinstance(profile, Dlt645Profile)
    assert command == type(command)(
        "clock",
        (
            WriteStep(0x04000102, bytes.fromhex("30 15 20"), authority),
            WriteStep(0x04000101, bytes.fromhex("05 20 11 26"), authority),
        ),
    )


def test_a_password_of_zeros_is_one() -> None:
    profile = load("dlt645-three-phase", {"password": 0})
    assert isinstance(profile, Dlt645Profile)
    assert profile.writes["clock"].authority == Authority(2, bytes(3), bytes(4))


@pytest.mark.parametrize(("hour", "minute"), [(0, 0), (23, 59)])
def test_the_day_must_not_turn_between_two_writes(hour: int, minute: int) -> None:
    profile = load("dlt645-three-phase")
    with pytest.raises(CodecError, match="a minute from midnight"):
        profile.command("clock", {"time": at(hour, minute)}, ZONE)
    for allowed in ((0, 1), (23, 58)):
        assert profile.command("clock", {"time": at(*allowed)}, ZONE)


def test_one_item_may_be_written_at_midnight() -> None:
    profile = parse(HEAD + 'method = "write"\nmoment = "0400010C"\npassword = 0\noperator = 0\n', "x.toml", "x")
    command = profile.command("clock", {"time": at(0, 0)}, ZONE)
    assert command.steps[0].data == bytes.fromhex("30 00 00 05 20 11 26")


def test_a_broadcast_needs_no_password() -> None:
    profile = parse(HEAD + 'method = "broadcast"\n', "x.toml", "x")
    (step,) = profile.command("clock", {"time": at(0, 0)}, ZONE).steps
    assert step == SyncStep({"year": 26, "month": 11, "day": 20, "hour": 0, "minute": 0, "second": 30})


@pytest.mark.parametrize("fields", [{}, {"time": None}, {"time": 0}, {"time": 1, "day": 2}])
def test_other_fields_are_refused(fields: dict[str, int | None]) -> None:
    with pytest.raises(CodecError):
        load("dlt645-three-phase").command("clock", fields, ZONE)


def test_what_a_profile_does_not_have_is_a_key_error() -> None:
    profile = load("dlt645-three-phase")
    with pytest.raises(KeyError):
        profile.command("factor", {"time": 0, "carbon_factor": 0}, ZONE)
    with pytest.raises(KeyError):
        profile.plan_row("daily_carbon", 1, ZONE)
    assert [block.points[0].name for block in profile.plan_row("daily_freezes", 1, ZONE)] == ["time"]
