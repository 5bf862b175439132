"""One line with three protocols, served by the real program on a real terminal, misbehaving on the real CLI's word."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from sim_support import (
    DLT645,
    START,
    TtyMaster,
    master_of,
    profile_of,
    program,
    read_block,
    read_pdu,
    rtu,
    served,
    service_of,
)

from clock import SystemClock
from firmware_sim.cli import main

EXAMPLE = Path(__file__).parents[2] / "firmware_sim" / "examples" / "mixed-line.toml"
ZONE = "Asia/Shanghai"
NOON = START + 12 * 3_600_000


def at_noon() -> list[str]:
    """Return the options of a clock that stands at noon when the program starts."""
    return ["--clock", f"simulated:{NOON}:1:{time.monotonic_ns() // 1_000_000}"]


async def read_all(place: dict[str, Any], master: Any) -> dict[str, int]:
    profile = profile_of(place["profile"])
    values: dict[str, int] = {}
    for block in profile.plan(profile.points.values(), ZONE):
        values |= await read_block(master, profile.protocol, place, block)
    return values


def test_the_example_is_read_in_three_protocols_over_one_terminal(tmp_path: Path) -> None:
    async def run(places: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
        master = TtyMaster(places[0]["path"])
        try:
            return {place["id"]: await read_all(place, master) for place in places}
        finally:
            master.close()

    with program(tmp_path, "station", str(EXAMPLE), *at_noon()) as (ready, _):
        on_line = [place for place in ready["meters"] if place["line"] == "rs485"]
        assert {place["protocol"] for place in on_line} == {"modbus", "dlt645", "dlt698"}
        assert len({place["path"] for place in on_line}) == 1
        values = asyncio.run(run(on_line))
        behind_tcp = next(place for place in ready["meters"] if place["id"] == "c04")
        assert (behind_tcp["transport"], behind_tcp["address"]) == ("tcp", "202600000004")
    assert all(abs(found["frequency"] - 50_000) < 1 for found in values.values())
    # The grid-side meter counts all chargers; each protocol shows 0.01 kWh or finer.
    chargers = sum(values[name]["energy_forward"] for name in ("c01", "c02", "c03"))
    assert values["grid"]["energy_forward"] >= chargers - 40_000
    for name in ("grid", "c02"):
        tariffs = [values[name][f"energy_forward_t{number}"] for number in (1, 2, 3, 4)]
        assert sum(tariffs) == values[name]["energy_forward"]


def test_many_meters_of_three_protocols_do_not_disturb_each_other() -> None:
    async def run() -> None:
        meters = [
            *(served(f"m{unit}", unit=unit, power_mw=unit * 10**6) for unit in range(1, 6)),
            *(served(f"d{n}", DLT645, address=str(n), power_mw=n * 10**6) for n in range(1, 6)),
            *(served(f"o{n}", "dlt698-three-phase", address=str(n), power_mw=n * 10**6) for n in range(1, 6)),
        ]
        service = service_of(*meters, transport="pty")
        places = service.addresses()
        async with master_of(service) as master:
            for _ in range(3):
                for place, meter in zip(places, meters, strict=True):
                    blocks = meter.profile.plan([meter.profile.points["power"]], ZONE)
                    values = [await read_block(master, meter.profile.protocol, place, block) for block in blocks]
                    assert values[0]["power"] == int(place["id"][1:]) * 10**6
        assert all(counters.requests == counters.answers == 3 for counters in service.book.counters.values())

    asyncio.run(run())


def fault(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    code = main(["fault", *arguments])
    captured = capsys.readouterr()
    return code, [json.loads(line) for line in captured.out.splitlines()], captured.err


def test_faults_are_set_and_cleared_while_the_program_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a Unix socket has at most 107 bytes
    control = "control"
    options = ["--profile", DLT645, "--serial-pty", str(tmp_path / "line"), "--address", "112233445566"]
    with program(tmp_path, "meter", *options, "--control", control, *at_noon()) as (ready, _):
        assert ready["control"] == control
        (place,) = ready["meters"]
        assert (place["path"], place["address"]) == (str(tmp_path / "line"), "112233445566")

        def power() -> int:
            async def run() -> int:
                master = TtyMaster(place["path"])
                try:
                    (block,) = profile_of(DLT645).plan([profile_of(DLT645).points["power"]], ZONE)
                    return (await read_block(master, "dlt645", place, block))["power"]
                finally:
                    master.close()

            return asyncio.run(run())

        assert power() == 7_000_000
        code, (set_,), _ = fault(capsys, control, "set", "stuck", "meter=meter", "point=power", "value=1.5 kW")
        assert (code, set_["id"], set_["state"]) == (0, 1, "active")
        assert power() == 1_500_000
        code, listed, _ = fault(capsys, control, "list")
        assert [(entry["id"], entry["fault"]["kind"]) for entry in listed] == [(1, "stuck")]
        code, (counters,), _ = fault(capsys, control, "counters")
        assert counters == {"meter": "meter", "requests": 2, "answers": 2, "faults": {"stuck": 1}}
        code, cleared, _ = fault(capsys, control, "clear", "1")
        assert cleared == [{"cleared": [1]}]
        assert power() == 7_000_000
        code, _, errors = fault(capsys, control, "set", "late", "meter=meter", "delay_ms=[9,1]")
        assert code == 2
        assert "diantan-sim: fault.delay_ms: expected 1 to 3600000 ms" in errors
        code, _, errors = fault(capsys, control, "set", "silent", "line=x", "line=y")
        assert (code, errors) == (2, "diantan-sim: line: expected it once, found it twice\n")
    assert not (tmp_path / "line").is_symlink()
    code, _, errors = fault(capsys, control, "list")
    assert code == 2
    assert f"no simulator answers at {control}" in errors


def test_a_line_keeps_its_speed() -> None:
    """At 1200 Bd 8E1 a request of 8 octets and a reply of 9 take 156 ms; the meter thinks 50 ms."""

    async def run() -> float:
        keys = {"transport": "pty", "baud": 1200, "timed": True, "turnaround_ms": 50}
        service = service_of(served("a"), clock=SystemClock(), **keys)
        async with master_of(service) as master:
            loop = asyncio.get_running_loop()
            begin_s = loop.time()
            for _ in range(3):
                master.send(rtu(1, read_pdu(0x12, 2)))
                await master.receive(9)
            return loop.time() - begin_s

    # No less: a slow machine may take longer, a line never shorter. The clock's 1 ms may be missing each time.
    assert asyncio.run(run()) >= 3 * (17 * 11 / 1.2 + 50 - 2) / 1000
