"""A grid file: many meters that follow their profiles, served and read back; every mistake named."""

import asyncio
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sim_support import LIMIT_S, master_of, mbap, program, read_block, read_pdu

from clock import ManualClock
from firmware_sim.cli import main
from firmware_sim.grid import Grid, grid_start, grid_truth
from firmware_sim.grid_config import GridConfig, load_grid
from firmware_sim.serve import Service, Setup
from settings.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "firmware_sim" / "examples" / "grid.toml"
START = int(datetime(2026, 6, 15, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)
HOUR = 3_600_000
KWH = 10**6  # mWh
KG = 10**12  # ng
COAL = {"id": "g1", "power": 600_000, "fuel_factor": "0.8", "no_load_kg_per_h": 1000}


def config(**sections: Any) -> GridConfig:
    return GridConfig.model_validate({"grid": {"id": "g"}, "unit": [COAL], **sections})


def problems(**sections: Any) -> str:
    with pytest.raises((ConfigError, ValueError)) as error:
        Grid(config(**sections), START)
    return str(error.value)


def test_the_example_is_served_and_says_what_flowed() -> None:
    """Unit and loads of hundreds of MW; the coal unit's emission is a part for its energy and one for its hours."""
    grid = Grid(load_grid(EXAMPLE), START)
    rows = {str(row["id"]): row for row in grid_truth(grid, START, START + 24 * HOUR)}
    assert rows["coal-1"]["registered_forward_mwh"] == 10_800_000 * KWH
    assert rows["coal-1"]["emission_ng"] == (10_800_000 * 78 // 100 + 24 * 30_000) * KG
    assert rows["wind-1"]["emission_ng"] == 0
    assert rows["storage-1"]["registered_reverse_mwh"] == 80_000 * KWH
    assert rows["steel-works"]["role"] == "load"
    steps = {row["id"]: row["true_forward_uj"] for row in rows.values()}
    assert steps["stations"] == 12_500 * KWH * 24 * HOUR


def test_a_hundred_and_twenty_meters_on_one_port(tmp_path: Path) -> None:
    """Each by its unit, each following its column of one file, in steps of 0.001 kWh."""
    names = [f"load-{n}" for n in range(119)]
    header = ",".join(["time", *names])
    rows = [",".join([f"{n // 4:02}:{15 * (n % 4):02}", *(str(10 + m + n) for m in range(119))]) for n in range(96)]
    (tmp_path / "loads.csv").write_text("\n".join([header, *rows]))
    loads = [{"id": name, "file": str(tmp_path / "loads.csv"), "power_unit": "MW"} for name in names]
    grid = Grid(config(load=loads), START)
    now_ms = START + HOUR + 1000

    async def scenario() -> list[dict[str, int]]:
        service = Service(grid.served, ManualClock(now_ms), Setup(file="grid"))
        found = []
        async with master_of(service) as master:
            places = service.addresses()
            assert {(place["host"], place["port"]) for place in places} == {(places[0]["host"], places[0]["port"])}
            assert [place["unit"] for place in places] == list(range(1, 121))
            for point, place in zip(grid.points, places, strict=True):
                profile = point.served.profile
                names = [name for name in ("energy_forward", "carbon_forward", "power") if name in profile.points]
                values: dict[str, int] = {}
                for block in profile.plan([profile.points[name] for name in names], "Asia/Shanghai"):
                    values |= await read_block(master, "modbus", place, block)
                found.append(values)
        return found

    unit, *loads_read = asyncio.run(scenario())
    assert unit["power"] == 600 * 10**9
    true_mwh = 600_000 * KWH * (HOUR + 1000) // HOUR
    assert unit["energy_forward"] == true_mwh - true_mwh % 1000
    emitted = (600_000 * 800_000 * KWH + 1000 * KG) * (HOUR + 1000) // HOUR
    assert unit["carbon_forward"] == emitted - emitted % 10**6
    for number, values in enumerate(loads_read):
        mw = [10 + number + n for n in range(5)]
        true = (sum(mw[:4]) * 1000 * KWH * (HOUR // 4) + mw[4] * 1000 * KWH * 1000) // HOUR
        assert values == {"energy_forward": true - true % 1000, "power": mw[4] * 10**9}


def test_a_unit_is_read_over_rtu() -> None:
    """Behind a serial server, as meters of plants mostly are."""
    document = config(line=[{"name": "bus", "transport": "tcp"}], unit=[{**COAL, "line": "bus", "unit": 7}])
    grid = Grid(document, START)

    async def scenario() -> dict[str, int]:
        service = Service(grid.served, ManualClock(START + HOUR), Setup(lines=document.line, file="grid"))
        profile = grid.points[0].served.profile
        (block,) = profile.plan([profile.points["energy_forward"], profile.points["carbon_forward"]], "UTC")
        async with master_of(service) as master:
            return await read_block(master, "modbus", service.addresses()[0], block)

    values = asyncio.run(scenario())
    assert values["energy_forward"] == 600_000 * KWH
    assert values["carbon_forward"] == 481_000 * KG


def test_the_command_serves_and_tells_the_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "grid.toml"
    path.write_text(
        '[grid]\nid = "g"\nstart = 2026-06-15\n[[unit]]\nid = "g1"\npower = 1000\nfuel_factor = "0.5"\n'
        '[[load]]\nid = "l1"\nvalues = [1, 2]\n'
    )
    with program(tmp_path, "grid", str(path), "--clock", f"simulated:{START + HOUR}:1:0") as (ready, _):
        assert [(meter["id"], meter["unit"], meter["profile"]) for meter in ready["meters"]] == [
            ("g1", 1, "sim-grid-meter"),
            ("l1", 2, "sim-grid-meter"),
        ]

        async def power() -> bytes:
            where = ready["meters"][0]
            reader, writer = await asyncio.open_connection(where["host"], where["port"])
            writer.write(mbap(1, read_pdu(12, 4)))
            async with asyncio.timeout(LIMIT_S):
                reply = await reader.readexactly(17)
            writer.close()
            await writer.wait_closed()
            return reply[9:]

        assert asyncio.run(power()) == (10**6).to_bytes(8, "big")
    period = ("--from", "2026-06-15T00:00", "--to", "2026-06-16T00:00")
    assert main(["grid-truth", str(path), *period, "--json"]) == 0
    unit, load = json.loads(capsys.readouterr().out)["meters"]
    assert (unit["emission_ng"], unit["registered_forward_mwh"]) == (12_000 * KG, 24_000 * KWH)
    assert (load["emission_ng"], load["registered_forward_mwh"]) == (0, 36 * KWH)
    assert main(["grid-truth", str(path), *period]) == 0
    assert "24000.000000" in capsys.readouterr().out
    assert main(["grid-truth", str(path), "--from", "2026-06-14T00:00", "--to", "2026-06-16T00:00"]) == 2
    assert "not before the start" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        ({"unit": [{"id": "g1", "power": 1}]}, "fuel_factor"),
        ({"unit": [{**COAL, "values": [1]}]}, "expected one of power, values, file and sine, found power, values"),
        ({"load": [{"id": "l1"}]}, "found none"),
        ({"load": [{"id": "l1", "power": 1, "column": "x"}]}, "column: expected it beside file"),
        ({"load": [{"id": "l1", "values": [1] * 7}]}, "such as 96, found 7"),
        ({"load": [{"id": "g1", "power": 1}]}, "'g1': expected a name of its own"),
        ({"load": [{"id": "l1", "power": 1, "line": "bus"}]}, "expected one of \\[\\], found 'bus'"),
        ({"load": [{"id": "l1", "sine": {"mean": 1, "amplitude": 1, "period_hours": 7}}]}, "divide a day"),
        ({"load": [{"id": "l1", "file": "none.csv"}]}, "none.csv: can't be read"),
        ({"load": [{"id": "l1", "power": 1, "profile": "nothing"}]}, "grid: meter l1: "),
        ({"load": [{"id": "l1", "power": "1e10"}]}, "less than or equal to"),
        ({"unit": [{**COAL, "fuel_factor": "0.1234567"}]}, "1 mg/kWh"),
        ({"load": [{"id": "l1", "power": 1, "phase": "a", "phase_shares": [1]}]}, "only a station has a supply"),
        ({"unit": []}, "expected a \\[\\[unit\\]\\] or a \\[\\[load\\]\\]"),
    ],
)
def test_every_mistake_is_named(sections: dict[str, Any], problem: str) -> None:
    assert re.search(problem, problems(**sections)), problems(**sections)


def test_a_voltage_may_be_shown_with_an_error() -> None:
    points = Grid(config(load=[{"id": "l1", "power": 1, "voltage_error": "-0.002"}]), START).points
    assert [point.meter.values(START)["voltage_b"] for point in points] == [63_500_000, 63_373_000]


def test_a_bad_file_is_told_once(tmp_path: Path) -> None:
    """Not for each of the meters that follow it; the other mistakes are told with it."""
    (tmp_path / "loads.csv").write_text("time,a\n00:00,x\n")
    loads = [{"id": f"l{n}", "file": str(tmp_path / "loads.csv"), "column": "a"} for n in range(5)]
    with pytest.raises(ConfigError) as error:
        Grid(config(load=[*loads, {"id": "m", "power": 1, "profile": "nothing"}]), START)
    assert len(error.value.problems) == 2


def test_a_grid_begins_when_its_file_says() -> None:
    assert grid_start(config(), START + 5 * HOUR) == START
    begun = config(grid={"id": "g", "start": datetime(2026, 1, 1, 8, tzinfo=ZoneInfo("UTC"))})
    assert grid_start(begun, START) == int(datetime(2026, 1, 1, 8, tzinfo=ZoneInfo("UTC")).timestamp() * 1000)
