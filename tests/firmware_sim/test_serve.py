"""Ports and units: who answers where."""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clock import ManualClock
from firmware_sim.config import ConfigError, MeterSection, StationConfig
from firmware_sim.serve import Place, Service, assign, write_ready
from firmware_sim.server import MeterServer, ServerError
from firmware_sim.station import Station


def section(name: str, *, unit: int | None = None, port: int | None = None) -> MeterSection:
    return MeterSection(id=name, unit=unit, port=port)


def test_meters_share_a_port_and_count_up_around_given_units() -> None:
    listen, places = assign([section("a"), section("b", unit=1), section("c"), section("d", unit=3)], 0, 1, "f")
    assert listen == [0]
    assert places == [Place(0, 2), Place(0, 1), Place(0, 4), Place(0, 3)]


def test_meters_are_spread_over_ports() -> None:
    listen, places = assign([section(str(n)) for n in range(5)], 5020, 2, "f")
    assert listen == [5020, 5021]
    assert places == [Place(0, 1), Place(1, 1), Place(0, 2), Place(1, 2), Place(0, 3)]


def test_own_ports_are_kept() -> None:
    sections = [section("a", port=0), section("b", port=0), section("c", port=7000), section("d", port=7000)]
    listen, places = assign([*sections, section("e")], 6000, 1, "f")
    assert listen == [6000, 0, 0, 7000]
    assert places == [Place(1, 1), Place(2, 1), Place(3, 1), Place(3, 2), Place(0, 1)]


def test_a_port_nobody_uses_is_not_opened() -> None:
    listen, places = assign([section("a", port=0)], 6000, 1, "f")
    assert (listen, places) == ([0], [Place(0, 1)])


def test_a_unit_taken_twice_is_named() -> None:
    with pytest.raises(ConfigError, match="f: meter b: unit: 5 is that of a on its port"):
        assign([section("a", unit=5), section("b", unit=5)], 0, 1, "f")


def test_more_meters_than_units_are_refused() -> None:
    with pytest.raises(ConfigError, match="m247: all 247 units of its port are taken"):
        assign([section(f"m{n}") for n in range(248)], 0, 1, "f")


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 3), st.none() | st.integers(1, 6)), min_size=1, max_size=12),
    st.integers(1, 4),
)
def test_no_two_meters_answer_at_the_same_place(wishes: list[tuple[int | None, int | None]], ports: int) -> None:
    sections = [section(f"m{n}", port=port, unit=unit) for n, (port, unit) in enumerate(wishes)]
    try:
        listen, places = assign(sections, 0, ports, "f")
    except ConfigError:
        return
    assert len(set(places)) == len(sections)
    assert all(wish[1] in (None, place.unit) for wish, place in zip(wishes, places, strict=True))
    assert all(wish[0] in (None, listen[place.server]) for wish, place in zip(wishes, places, strict=True))


def test_the_ready_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    write_ready(path, [{"id": "a", "host": "127.0.0.1", "port": 1, "unit": 2, "profile": "p"}])
    assert json.loads(path.read_text())["meters"][0]["unit"] == 2
    assert list(tmp_path.iterdir()) == [path]


def test_when_one_port_is_taken_none_is_kept() -> None:
    async def run() -> None:
        blocker = MeterServer("127.0.0.1", 0, {}, ManualClock())
        await blocker.start()
        document = {"station": {"id": "s"}, "charger": [{"id": "a"}, {"id": "b", "port": blocker.port}]}
        station = Station(StationConfig.model_validate(document), 0)
        service = Service([(item.section, item.registers) for item in station.meters], ManualClock(), host="127.0.0.1")
        with pytest.raises(ServerError, match=str(blocker.port)):
            await service.start()
        free = service.servers[0].port
        again = MeterServer("127.0.0.1", free, {}, ManualClock())
        await again.start()  # the first port was given back
        await again.stop()
        await blocker.stop()

    asyncio.run(run())
