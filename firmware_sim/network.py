"""The conductors of a station: a trunk (干线) from the supply to the busbar (母线), and a cable (支路) to each charger.

At each instant at which a load or the supply changes, voltages and losses are solved for: on every conductor the
voltage falls by R·I·cosφ + X·I·sinφ (电压降, its longitudinal part), I is what the load draws at the voltage that is
left for it, and the loss is I²R. The neutral is left out, as in `firmware_sim.circuit`. All is in whole numbers.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

from firmware_sim.circuit import PHASES
from firmware_sim.curves import Curve
from firmware_sim.supply import Supply, Voltages
from profiles.rounding import half_even

_PPM: Final = 10**6
_UV2: Final = 1000  # mW times µΩ are so many µV²
_MW_PER_W: Final = 1000  # and mW² times µΩ through µV² are W
_AHEAD_MS: Final = 900_000
_UV_PER_MV: Final = 1000
# Losses in the cables depend on the busbar's voltage, and that on them: after so many rounds nothing is left of that.
_ROUNDS: Final = 3
Flow = tuple[int, int]
"""Active and reactive power of a phase, in mW and mvar."""
_Drawn = tuple[int, Flow, int, Flow]
"""A phase, what is drawn of it, and its cable's `fall` and `squares` of that."""


def left_uv(voltage_uv: int, fall: int) -> int:
    """Return the voltage that is left at the end of a conductor: half of what it was, where there is no solution."""
    return (voltage_uv + isqrt(max(voltage_uv * voltage_uv - 4 * fall, 0))) // 2


@dataclass(frozen=True, slots=True)
class Conductor:
    """Resistance and reactance in µΩ of each conductor of a cable."""

    resistance: int = 0
    reactance: int = 0

    def fall(self, flow: Flow) -> int:
        """Return R·P + X·Q of a flow, in µV²: what the voltage falls by, times the voltage that is left."""
        return (flow[0] * self.resistance + flow[1] * self.reactance) * _UV2

    def squares(self, flow: Flow) -> Flow:
        """Return what active and reactive power it takes of a flow, times the square of the voltage left."""
        square = (flow[0] * flow[0] + flow[1] * flow[1]) * _MW_PER_W
        return square * self.resistance, square * self.reactance


NO_CABLE: Final = Conductor()


@dataclass(frozen=True, slots=True)
class Draw:
    """How a load spreads over the phases of the station (0 to 2), with its tan φ in 10⁻⁶: an inductive one."""

    phases: tuple[int, ...] = (0, 1, 2)
    shares: tuple[int, ...] = (1, 1, 1)
    tangent: int = 0

    def flows(self, power_mw: int) -> list[tuple[int, Flow]]:
        """Return the flow in each of its phases; active powers add up exactly."""
        total, before, done, flows = sum(self.shares), 0, 0, []
        for phase, share in zip(self.phases, self.shares, strict=True):
            before += share
            upto = half_even(power_mw * before, total)
            active, done = upto - done, upto
            flows.append((phase, (active, abs(active) * self.tangent // _PPM)))
        return flows


def tangent(power_factor: int) -> int:
    """Return tan φ in 10⁻⁶ for a power factor in 10⁻⁶."""
    return isqrt(_PPM * _PPM - power_factor * power_factor) * _PPM // power_factor


@dataclass(frozen=True, slots=True)
class Branch:
    """A load at the end of a cable of its own, or at the busbar."""

    load: Curve
    draw: Draw
    cable: Conductor = NO_CABLE

    def drawn(self, power_mw: int) -> list[_Drawn]:
        """Return what it draws of each of its phases."""
        cable = self.cable
        return [(phase, flow, cable.fall(flow), cable.squares(flow)) for phase, flow in self.draw.flows(power_mw)]


class SolvedCurve(Curve):
    """A power that follows from the state of the network."""

    def __init__(self, start_ms: int, solve: Callable[[int], None]) -> None:
        super().__init__(start_ms)
        self._solve = solve

    def set(self, time_ms: int, power_mw: int) -> None:
        """Let the power be another from an instant on."""
        self._append(time_ms, power_mw)

    def _extend(self, until_ms: int) -> None:
        self._solve(until_ms)


@dataclass(slots=True)
class _Load:
    """What a branch draws, and what of active and reactive power its cable takes in each phase at two voltages."""

    drawn: list[_Drawn]
    at_source: list[Flow]
    at_busbar: list[Flow]


class Network:
    """Supply, trunk and branches from an instant on, worked out as far as somebody asks, some minutes ahead.

    `losses` has the loss of each branch's cable and `trunk_loss` the trunk's; `phases` has the power of each phase
    upstream of the trunk and `total` of all: the loads and losses, to the mW. Behind a trunk, the voltage of the busbar
    is rounded to 1 mV: so few of the other branches have another voltage when a load changes a little.
    """

    def __init__(self, start_ms: int, supply: Supply, trunk: Conductor, branches: Sequence[Branch]) -> None:
        self.branches = tuple(branches)
        self.losses = [SolvedCurve(start_ms, self._cover) for _ in branches]
        self.trunk_loss = SolvedCurve(start_ms, self._cover)
        self.phases = [SolvedCurve(start_ms, self._cover) for _ in PHASES]
        self.total = SolvedCurve(start_ms, self._cover)
        self._supply = supply
        self._trunk = trunk
        self._covered_ms = start_ms
        self._source = self._busbar = supply.voltages_uv(start_ms)
        self._loads: dict[int, _Load] = {}
        # Of each phase, active and reactive: what is drawn, and what the cables take at the voltages of both ends.
        self._drawn, self._at_source, self._at_busbar = ([[0, 0] for _ in PHASES] for _ in range(3))
        self._times = [start_ms]
        self._sources = [self._source]
        self._busbars = [self._busbar]

    def source_uv(self, time_ms: int) -> Voltages:
        """Return the voltage upstream of the trunk."""
        return self._sources[self._state(time_ms)]

    def busbar_uv(self, time_ms: int) -> Voltages:
        """Return the voltage at the busbar (母线电压)."""
        return self._busbars[self._state(time_ms)]

    def branch_uv(self, number: int, time_ms: int) -> Voltages:
        """Return the voltage at the end of a branch."""
        branch, busbar = self.branches[number], self.busbar_uv(time_ms)
        return tuple(left_uv(busbar[phase], fall) for phase, _, fall, _ in branch.drawn(branch.load.power_at(time_ms)))

    def _state(self, time_ms: int) -> int:
        if time_ms >= self._covered_ms:
            self._cover(time_ms + 1)
        return max(bisect_right(self._times, time_ms) - 1, 0)

    def _cover(self, until_ms: int) -> None:
        from_ms = self._covered_ms
        if until_ms <= from_ms:
            return
        until_ms = max(until_ms, from_ms + _AHEAD_MS)
        changes = sorted(
            (start, number, power)
            for number, branch in enumerate(self.branches)
            for start, power in branch.load.steps(from_ms, until_ms)
        )
        following, upcoming = from_ms, 0
        while following < until_ms:
            now_ms = following
            self._take_source(now_ms)
            following = min(self._supply.next_change(now_ms), until_ms)
            while True:
                while upcoming < len(changes) and changes[upcoming][0] <= now_ms:
                    self._take_load(*changes[upcoming])
                    upcoming += 1
                self._settle(now_ms)
                if upcoming == len(changes) or changes[upcoming][0] >= following:
                    break
                now_ms = changes[upcoming][0]
        self._covered_ms = until_ms
        for curve in (*self.losses, self.trunk_loss, *self.phases, self.total):
            curve.covered_ms = until_ms

    def _take_source(self, time_ms: int) -> None:
        source = self._supply.voltages_uv(time_ms)
        if source != self._source:
            self._source = source
            self._at_source = [[0, 0] for _ in PHASES]
            for load in self._loads.values():
                load.at_source = _taken(load.drawn, source)
                _add(self._at_source, load.drawn, load.at_source)

    def _take_load(self, time_ms: int, number: int, power_mw: int) -> None:
        before = self._loads.pop(number, None)
        if before is None and not power_mw:
            return
        if before is not None:
            _add(self._drawn, before.drawn, [flow for _, flow, _, _ in before.drawn], -1)
            _add(self._at_source, before.drawn, before.at_source, -1)
            _add(self._at_busbar, before.drawn, before.at_busbar, -1)
        drawn = self.branches[number].drawn(power_mw) if power_mw else []
        load = _Load(drawn, _taken(drawn, self._source), _taken(drawn, self._busbar))
        if power_mw:
            self._loads[number] = load
            _add(self._drawn, drawn, [flow for _, flow, _, _ in drawn])
            _add(self._at_source, drawn, load.at_source)
            _add(self._at_busbar, drawn, load.at_busbar)
        self.losses[number].set(time_ms, sum(taken[0] for taken in load.at_busbar))

    def _settle(self, time_ms: int) -> None:
        """Work out the state from an instant on, once its source and loads are known."""
        trunk = self._trunk
        busbar = self._source if trunk == NO_CABLE else tuple(map(self._behind_trunk, range(len(PHASES))))
        if busbar != self._busbar:
            self._busbar = busbar
            self._at_busbar = [[0, 0] for _ in PHASES]
            for number, load in self._loads.items():
                load.at_busbar = _taken(load.drawn, busbar)
                _add(self._at_busbar, load.drawn, load.at_busbar)
                self.losses[number].set(time_ms, sum(taken[0] for taken in load.at_busbar))
        flows = [
            (drawn[0] + taken[0], drawn[1] + taken[1])
            for drawn, taken in zip(self._drawn, self._at_busbar, strict=True)
        ]
        lost = [half_even(trunk.squares(flow)[0], left**2) for left, flow in zip(busbar, flows, strict=True)]
        self.trunk_loss.set(time_ms, sum(lost))
        powers = [flow[0] + loss for flow, loss in zip(flows, lost, strict=True)]
        for phase, power in zip(self.phases, powers, strict=True):
            phase.set(time_ms, power)
        self.total.set(time_ms, sum(powers))
        if (self._source, busbar) != (self._sources[-1], self._busbars[-1]):
            if self._times[-1] == time_ms:
                self._sources[-1], self._busbars[-1] = self._source, busbar
            else:
                self._times.append(time_ms)
                self._sources.append(self._source)
                self._busbars.append(busbar)

    def _behind_trunk(self, phase: int) -> int:
        """Return the voltage of a phase at the busbar, what the cables take going by the square of it."""
        source, drawn, taken = self._source[phase], self._drawn[phase], self._at_source[phase]
        busbar, square = source, source * source
        for _ in range(_ROUNDS):
            more = [amount * square // (busbar * busbar) for amount in taken]
            busbar = left_uv(source, self._trunk.fall((drawn[0] + more[0], drawn[1] + more[1])))
        return half_even(busbar, _UV_PER_MV) * _UV_PER_MV


def _taken(drawn: Sequence[_Drawn], voltages: Voltages) -> list[Flow]:
    """Return what the cable takes of active and reactive power, by the voltages at its beginning."""
    result = []
    for phase, _, fall, squares in drawn:
        square = left_uv(voltages[phase], fall) ** 2
        result.append((half_even(squares[0], square), squares[1] // square))
    return result


def _add(sums: list[list[int]], drawn: Sequence[_Drawn], flows: Sequence[Flow], sign: int = 1) -> None:
    for (phase, _, _, _), flow in zip(drawn, flows, strict=True):
        sums[phase][0] += sign * flow[0]
        sums[phase][1] += sign * flow[1]
