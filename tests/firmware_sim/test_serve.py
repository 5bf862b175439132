"""A service as a whole: its ready file, and that it opens every line or none."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest
from sim_support import DLT645, DLT698, START, ZONE, master_of, profile_of, read_block, served, service_of

from clock import ManualClock
from firmware_sim.line_config import LineSection
from firmware_sim.lines.port import PortError
from firmware_sim.serve import Service, Setup, write_ready
from profiles import names
from profiles.points import CUMULATIVE


def test_the_ready_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    write_ready(path, [{"id": "a", "host": "127.0.0.1", "port": 1, "unit": 2, "profile": "p"}], Path("sock"))
    assert json.loads(path.read_text())["meters"][0]["unit"] == 2
    assert json.loads(path.read_text())["control"] == "sock"
    assert list(tmp_path.iterdir()) == [path]


def test_the_ready_file_says_how_to_reach_every_meter(tmp_path: Path) -> None:
    link = tmp_path / "line"

    async def run() -> list[dict[str, object]]:
        meters = [served("a", line=None), served("b", DLT645, address="12"), served("c", DLT698), served("d", unit=9)]
        service = service_of(*meters, transport="pty", path=link)
        await service.start()
        try:
            return service.addresses()
        finally:
            await service.stop()

    first, *others = asyncio.run(run())
    port = first.pop("port")
    assert isinstance(port, int)
    assert port > 0
    assert first == {
        "id": "a",
        "line": "modbus-tcp-1",
        "transport": "modbus-tcp",
        "host": "127.0.0.1",
        "unit": 1,
        "profile": "sim-carbon-meter",
        "protocol": "modbus",
    }
    common = {"line": "bus", "transport": "pty", "path": str(link)}
    assert others == [
        {"id": "b", **common, "address": "000000000012", "profile": DLT645, "protocol": "dlt645"},
        {"id": "c", **common, "address": "000000000001", "profile": DLT698, "protocol": "dlt698"},
        {"id": "d", **common, "unit": 9, "profile": "sim-carbon-meter", "protocol": "modbus"},
    ]


def test_when_one_port_is_taken_none_is_kept() -> None:
    async def run() -> None:
        blocker = service_of(served("x"))
        await blocker.start()
        taken = blocker.addresses()[0]["port"]
        service = service_of(served("a", line=None), served("b", line=None, port=taken))
        with pytest.raises(PortError, match=f"can't listen on 127.0.0.1:{taken}: Address already in use"):
            await service.start()
        free = service.addresses()[0]["port"]
        again = service_of(served("c"), port=free)
        await again.start()  # the first port was given back
        await again.stop()
        await blocker.stop()

    asyncio.run(run())


@pytest.mark.parametrize("transport", ["tcp", "pty"])
@pytest.mark.parametrize("profile", names())
def test_every_point_of_every_profile_is_served_as_the_meter_has_it(profile: str, transport: str) -> None:
    async def run() -> tuple[dict[str, int], dict[str, int | None]]:
        clock = ManualClock(START)
        meter = served("m", profile, power_mw=6_600_000)
        service = service_of(meter, clock=clock, transport=transport)
        clock.wall_ms = now = START + 30 * 3_600_000 + 1_000
        place = service.addresses()[0]
        read: dict[str, int] = {}
        async with master_of(service) as master:
            for block in meter.profile.plan(meter.profile.points.values(), ZONE):
                read |= await read_block(master, meter.profile.protocol, place, block)
        return read, meter.meter.values(now)

    read, values = asyncio.run(run())
    points = profile_of(profile).points
    assert points
    for name, point in points.items():
        value = values[name]  # every point of a profile is something the meter knows
        if value is None:
            assert name not in read
        elif point.quantity in CUMULATIVE:
            assert 0 <= value - read[name] < max(point.resolution, 1), name
        elif name != "device_time":
            assert abs(value - read[name]) <= Decimal(point.resolution) / 2, name
    assert read["energy_forward"] > 0
    if "energy_forward_t1" in points:
        assert sum(read[f"energy_forward_t{n}"] for n in (1, 2, 3, 4)) == read["energy_forward"]


def test_a_fault_of_the_station_file_may_have_begun_before_the_program_did() -> None:
    faults = [
        {"kind": "stuck", "point": "energy_forward", "begin": "2026-06-15T08:00:00"},
        {"kind": "clock-jump", "by_ms": 60_000, "after_s": 0},
    ]
    noon = START + 12 * 3_600_000
    service = service_of(served("a"), clock=ManualClock(noon), faults=faults)
    service.catch_up(noon)
    values = service.meters["a"].values(noon)
    assert values["energy_forward"] == 8 * 6_600_000
    # What has no local time begins when the program does.
    assert values["device_time"] == noon + 60_000
    assert [fault.begin_ms for fault in service.book] == [START + 8 * 3_600_000, noon]


def test_a_line_without_meters_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    lines = [LineSection(name=name, transport="tcp") for name in ("bus", "spare")]
    service = Service([served("a")], ManualClock(START), Setup(lines=lines, file="s.toml"))
    assert len(service.ports) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "s.toml: line spare has no meters and is not opened",
    ]
