"""The network: what goes in comes out or is lost, and voltages fall as Ohm says."""

import cmath
import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.curves import Curve, ManualCurve, RepeatedCurve
from firmware_sim.network import Branch, Conductor, Draw, Network, tangent
from firmware_sim.supply import Supply

START = 1_781_452_800_000
MINUTE = 60_000
HOUR = 60 * MINUTE


def supply(**changes: int) -> Supply:
    return Supply(nominal_mv=220_000, seed=1, timezone="Asia/Shanghai", **changes)


def cycle(*powers: int, minutes: int = 7) -> Curve:
    return RepeatedCurve(START, [(minutes * MINUTE + 1, power) for power in powers])


def station(
    *branches: Branch, trunk: Conductor | None = None, wander: int = 5_000, step_ms: int = 2 * MINUTE
) -> Network:
    return Network(START, supply(wander=wander, phase_wander=2_000, step_ms=step_ms), trunk or Conductor(), branches)


def single(power: Curve, phase: int, resistance: int, reactance: int = 0, factor: int = 10**6) -> Branch:
    return Branch(power, Draw((phase,), (1,), tangent(factor)), Conductor(resistance, reactance))


def example(trunk: Conductor | None = None) -> Network:
    return station(
        single(cycle(7_000_000, 0, 3_000_000), 0, 60_000, 8_000, 990_000),
        single(cycle(0, 6_600_000, -5_000_000, minutes=11), 1, 45_000, 5_000, 950_000),
        Branch(cycle(21_000_000, 40_000_000), Draw((0, 1, 2), (3, 1, 2), tangent(980_000)), Conductor(20_000, 2_000)),
        Branch(cycle(350_000), Draw()),
        trunk=trunk,
    )


TRUNKS = pytest.mark.parametrize("trunk", [Conductor(), Conductor(5_000, 3_000)])


@TRUNKS
def test_energies_balance_exactly(trunk: Conductor) -> None:
    network = example(trunk)
    until = START + 5 * HOUR + 12_345

    def net(curve: Curve) -> int:
        forward, reverse = curve.energy_at(until)
        return forward - reverse

    parts = [branch.load for branch in network.branches]
    lost = [*network.losses, network.trunk_loss]
    assert net(network.total) == sum(map(net, [*parts, *lost]))
    assert net(network.total) == sum(map(net, network.phases))
    assert all(net(loss) > 0 for loss in network.losses[:3])
    assert net(network.losses[3]) == 0  # at the busbar
    assert (net(network.trunk_loss) > 0) == (trunk != Conductor())


def phasors(network: Network, trunk: Conductor, now_ms: int) -> tuple[float, list[list[complex]]]:
    """Return the grid side's power (W) and the currents, from the voltages alone: Ohm's and Kirchhoff's laws."""
    busbar = [voltage / 1e6 for voltage in network.busbar_uv(now_ms)]
    into = [0j, 0j, 0j]
    currents = []
    for number, branch in enumerate(network.branches):
        ends = [voltage / 1e6 for voltage in network.branch_uv(number, now_ms)]
        own = []
        for (phase, flow), end in zip(branch.draw.flows(branch.load.power_at(now_ms)), ends, strict=True):
            current = (complex(*flow) / 1000 / end).conjugate()
            own.append(current)
            fall = branch.cable.resistance * current.real - branch.cable.reactance * current.imag
            assert end == pytest.approx(busbar[phase] - fall / 1e6, abs=3e-6)
            lost = complex(branch.cable.resistance, branch.cable.reactance) / 1e6 * abs(current) ** 2
            assert end * current.conjugate() == pytest.approx(complex(*flow) / 1000)
            into[phase] += complex(*flow) / 1000 + lost
        currents.append(own)
    total = 0.0
    for voltage, source, power in zip(busbar, network.source_uv(now_ms), into, strict=True):
        current = (power / voltage).conjugate()
        fall = trunk.resistance * current.real - trunk.reactance * current.imag
        assert voltage == pytest.approx(source / 1e6 - fall / 1e6, abs=5.5e-4)  # to the mV
        total += power.real + trunk.resistance / 1e6 * abs(current) ** 2
    return total, currents


@TRUNKS
def test_every_voltage_falls_by_ohm_and_every_loss_is_the_squared_current_times_the_resistance(
    trunk: Conductor,
) -> None:
    network = example(trunk)
    for minute in range(0, 180, 3):
        now_ms = START + minute * MINUTE
        total, currents = phasors(network, trunk, now_ms)
        assert network.total.power_at(now_ms) / 1000 == pytest.approx(total, abs=0.01)
        for branch, loss, own in zip(network.branches, network.losses, currents, strict=True):
            expected = sum(abs(current) ** 2 for current in own) * branch.cable.resistance / 1e6
            assert loss.power_at(now_ms) / 1000 == pytest.approx(expected, abs=0.003)


def test_the_longitudinal_drop_is_what_phasors_say_but_for_their_angle() -> None:
    """The transversal part leaves some 10⁻⁶ of the voltage at this load."""
    load = ManualCurve(START)
    load.set_power(START, 7_000_000)
    network = station(single(load, 0, 60_000, 8_000, 990_000), wander=0)
    source, end = (network.source_uv(START)[0] / 1e6, network.branch_uv(0, START)[0] / 1e6)
    current = 7000 / (end * 0.99) * cmath.exp(-1j * math.acos(0.99))
    assert source == pytest.approx(abs(end + complex(0.06, 0.008) * current), rel=1e-5)
    assert source - end == pytest.approx(0.06 * 7000 / end + 0.008 * 7000 / end * math.tan(math.acos(0.99)), abs=1e-5)
    assert 1.9 < source - end < 2.1


def test_at_unity_power_factor_the_relative_drop_is_the_relative_loss() -> None:
    network = station(single(cycle(7_000_000), 2, 60_000))
    for minute in range(30):
        now_ms = START + minute * MINUTE
        before, after = network.source_uv(now_ms)[2], network.branch_uv(0, now_ms)[0]
        assert network.losses[0].power_at(now_ms) / 7_000_000 == pytest.approx((before - after) / after, rel=1e-5)


@TRUNKS
def test_what_feeds_back_lifts_the_voltage(trunk: Conductor) -> None:
    network = station(single(cycle(-7_000_000), 0, 60_000), trunk=trunk)
    assert network.branch_uv(0, START)[0] > network.busbar_uv(START)[0] >= network.source_uv(START)[0]
    assert network.busbar_uv(START)[1:] == network.source_uv(START)[1:] or trunk != Conductor()
    powers = [phase.power_at(START) for phase in network.phases]
    assert powers[0] > -7_000_000  # something is lost on the way
    assert powers[1:] == [0, 0]


def test_a_load_pulls_its_own_phase_and_all_behind_the_trunk() -> None:
    trunk = Conductor(10_000)
    network = station(
        single(cycle(0, 7_000_000, minutes=30), 1, 60_000), single(cycle(3_000_000), 1, 60_000), trunk=trunk, wander=0
    )
    idle, busy = (network.branch_uv(1, START + minutes * MINUTE)[0] for minutes in (29, 31))
    source = [network.source_uv(START + minutes * MINUTE)[1] for minutes in (29, 31)]
    assert 0.0012 < (idle / source[0]) - (busy / source[1]) < 0.0018  # 32 A through 10 mOhm of 220 V


@TRUNKS
@settings(max_examples=20)
@given(asked=st.lists(st.integers(0, 4 * HOUR), min_size=1, max_size=12))
def test_what_is_asked_and_when_changes_nothing(trunk: Conductor, asked: Sequence[int]) -> None:
    network, at_once = example(trunk), example(trunk)
    at_once.total.cover(START + 5 * HOUR)
    for time in asked:
        for look in (network.busbar_uv, network.source_uv, network.phases[1].power_at):
            look(START + time)
        network.total.energy_at(START + time)
    for time in (*asked, 4 * HOUR):
        now_ms = START + time
        assert network.busbar_uv(now_ms) == at_once.busbar_uv(now_ms)
        assert network.source_uv(now_ms) == at_once.source_uv(now_ms)
        assert [network.branch_uv(n, now_ms) for n in range(4)] == [at_once.branch_uv(n, now_ms) for n in range(4)]
        assert network.total.energy_at(now_ms) == at_once.total.energy_at(now_ms)
        assert [loss.energy_at(now_ms) for loss in network.losses] == [
            loss.energy_at(now_ms) for loss in at_once.losses
        ]


def test_where_there_is_no_solution_half_of_the_voltage_is_left() -> None:
    network = station(single(cycle(7_000_000), 0, 10_000_000), wander=0)
    assert network.branch_uv(0, START)[0] == network.source_uv(START)[0] // 2
