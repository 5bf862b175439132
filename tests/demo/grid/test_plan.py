"""The plan: who meters what, for how long, and that nothing is measured twice or not at all."""

from pathlib import Path

from centre_support import DAY_START

from demo.grid.fleet import SOURCES, USERS, load_id
from demo.grid.plan import GridPlan, load
from demo.grid.tables import SLOT_MS


def planned(flow_directory: Path, users: int = 5, hours: int = 24) -> GridPlan:
    """Return a plan."""
    return load(flow_directory, users=users, hours=hours)


def test_every_unit_and_the_first_users_have_a_gateway(flow_directory: Path) -> None:
    """Two gateways share the units; each user has its own, at its node."""
    plan = planned(flow_directory)
    assert [gateway.id for gateway in plan.gateways] == [
        *("gw-plants-1", "gw-plants-2"),
        *(f"gw-park-{bus:03}" for bus in USERS[:5]),
    ]
    units = [meter for gateway in plan.gateways[:2] for meter in gateway.meters]
    assert [meter.element for meter in units] == [f"generator {source.id}" for source in SOURCES]
    assert all(meter.generates for meter in units)
    park = plan.gateways[2]
    assert (park.station, park.node) == (f"park-{USERS[0]:03}", f"B{USERS[0]:03}")
    assert [(meter.element, meter.role, meter.rated_kw) for meter in park.meters] == [
        (f"load {load_id(USERS[0])}", "grid", 8400)
    ]
    assert len({meter.id for gateway in plan.gateways for meter in gateway.meters}) == 19 + 5


def test_telemetry_has_what_no_gateway_meters(flow_directory: Path) -> None:
    """Also in the slots before the day, in which the programs already run; none that don't end while they do."""
    plan = planned(flow_directory)
    rest = plan.telemetry
    assert set(rest.loads) == {"D001", *map(load_id, USERS[5:])}
    assert not rest.generators
    assert (set(rest.branches), set(rest.storages)) == ({"L001"}, {"E070"})
    assert round(rest.starts[0].timestamp()) * 1000 == plan.origin_ms
    assert round(rest.starts[-1].timestamp()) * 1000 == plan.day_end_ms - SLOT_MS
    assert [len(values) for values in rest.loads.values()] == [len(rest.starts)] * len(rest.loads)
    assert plan.simulated.generators["G010"][1][0] == 95_000_000
    assert plan.simulated.generators["G010"][2][0] == 0


def test_a_short_run_books_fewer_slots(flow_directory: Path) -> None:
    """The books are of whole slots, from local midnight on."""
    assert len(planned(flow_directory).slots_ms) == 96
    plan = planned(flow_directory, hours=2)
    assert list(plan.slots_ms) == [round(DAY_START.timestamp()) * 1000 + slot * SLOT_MS for slot in range(8)]
    # Another slot must not close while the last one is being delivered.
    assert plan.day_end_ms < plan.end_ms < plan.day_end_ms + SLOT_MS
    assert plan.zone.key == "Asia/Shanghai"
