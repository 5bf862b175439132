"""How the loads and meters of a station file are wired: at one constant voltage, or on a supply with a busbar."""

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import Final

from firmware_sim.circuit import PHASES, Circuit
from firmware_sim.config import ChargerSection, MeterSection, StationConfig
from firmware_sim.curves import ConstantCurve, Curve, MappedCurve, SumCurve
from firmware_sim.network import Branch, Conductor, Draw, Network, tangent
from firmware_sim.supply import Supply
from firmware_sim.supply_config import SupplySection
from firmware_sim.tap import Tap
from settings.errors import ConfigError

_AHEAD_MS: Final = 900_000
_PPM: Final = 10**6
_PPM_PER_PERCENT: Final = 10_000
_MOST_FALL_PERCENT: Final = 10
_UV_PER_MV: Final = 1000


class Wiring:
    """The losses of a station and what its grid-side meter measures, and the voltage at each meter.

    `losses` has those of each charger's cable, in the order of the file. Without `[supply]` every voltage is constant
    and the trunk loses nothing. ConfigError for cables that can't carry what is at their end.
    """

    def __init__(
        self, config: StationConfig, start_ms: int, loads: Sequence[Curve], auxiliary: Curve, *, file: str = "station"
    ) -> None:
        self._config = config
        self._network: Network | None = None
        self._own = [
            MappedCurve(load, partial(_loss, circuit_of(config, charger), Fraction(_resistance(config, charger), 1000)))
            for load, charger in zip(loads, config.charger, strict=True)
        ]
        self.losses: list[Curve] = [*self._own]
        self.trunk_loss: Curve = ConstantCurve(start_ms, 0)
        self.grid: Curve
        if config.supply is None:
            self.grid = SumCurve(start_ms, [*loads, *self.losses, auxiliary], ahead_ms=_AHEAD_MS)
            return
        branches = [self._branch(number, load) for number, load in enumerate(loads)]
        branches.append(Branch(auxiliary, _auxiliary_draw(config)))
        trunk = _trunk(config.supply)
        if problems := _overloaded(config, branches, trunk):
            raise ConfigError([f"{file}: {problem}" for problem in problems])
        self._network = network = Network(start_ms, _supply(config, config.supply), trunk, branches)
        self.losses = [
            own if charger.voltage_v is not None else solved
            for own, solved, charger in zip(self._own, network.losses[:-1], config.charger, strict=True)
        ]
        self.trunk_loss, self.grid = network.trunk_loss, network.total

    def tap(self, section: MeterSection, role: str, number: int, error: Fraction) -> Tap | None:
        """Return where a meter is connected, `number` of the chargers in order; None: its circuit says all of it."""
        network = self._network
        if network is None or section.voltage_v is not None:
            return constant_tap(circuit_of(self._config, section), error)
        if role == "charger":
            return Tap(partial(network.branch_uv, number), error)
        if role == "auxiliary":
            return Tap(partial(network.branch_uv, len(self.losses)), error)
        if len(section.phase_shares) == len(PHASES):
            return Tap(network.source_uv, error, tuple(network.phases))
        phase = _phase(section, 0)
        return Tap(lambda now_ms: (network.source_uv(now_ms)[phase],), error)

    def _branch(self, number: int, load: Curve) -> Branch:
        config, charger = self._config, self._config.charger[number]
        factor = tangent(int(charger.power_factor * _PPM))
        if charger.voltage_v is not None:
            # A direct current, say: its converter draws from all phases what is measured and lost behind it.
            return Branch(SumCurve(load.start_ms, [load, self._own[number]]), Draw(tangent=factor))
        own = charger.cable_reactance_milliohm
        reactance = config.loss.cable_reactance_milliohm if own is None else own
        cable = Conductor(_resistance(config, charger), int(reactance * 1000))
        return Branch(load, _draw(charger, number, factor, config), cable)


def circuit_of(config: StationConfig, section: MeterSection) -> Circuit:
    """Return the circuit of a meter at its nominal voltage."""
    return Circuit(
        voltage_mv=int((section.voltage_v or config.station.voltage_v) * 1000),
        frequency_mhz=int(config.station.frequency_hz * 1000),
        power_factor=int(section.power_factor * _PPM),
        shares=section.phase_shares,
    )


def constant_tap(circuit: Circuit, error: Fraction) -> Tap | None:
    """Return a place with a constant voltage; None where the meter shows it as it is."""
    voltages = (circuit.voltage_mv * _UV_PER_MV,) * circuit.phases
    return Tap(lambda _: voltages, error) if error else None


def _loss(circuit: Circuit, resistance_mohm: Fraction, power_mw: int) -> int:
    return circuit.loss_mw(power_mw, resistance_mohm)


def _resistance(config: StationConfig, charger: ChargerSection) -> int:
    """Return the resistance of each conductor of a charger's cable in µΩ."""
    own = charger.cable_milliohm
    return int((config.loss.cable_milliohm if own is None else own) * 1000)


def _phase(section: MeterSection, number: int) -> int:
    return number % len(PHASES) if section.phase is None else PHASES.index(section.phase)


def _draw(section: MeterSection, number: int, factor: int, config: StationConfig) -> Draw:
    if len(section.phase_shares) > 1:
        return Draw(shares=section.phase_shares, tangent=factor)
    if section.phase is None and config.grid is not None and len(config.grid.phase_shares) == 1:
        number, section = 0, config.grid
    return Draw((_phase(section, number),), (1,), factor)


def _auxiliary_draw(config: StationConfig) -> Draw:
    meter = config.auxiliary.meter
    return Draw() if meter is None else _draw(meter, 0, tangent(int(meter.power_factor * _PPM)), config)


def _trunk(section: SupplySection) -> Conductor:
    return Conductor(int(section.trunk_milliohm * 1000), int(section.trunk_reactance_milliohm * 1000))


def _supply(config: StationConfig, section: SupplySection) -> Supply:
    return Supply(
        nominal_mv=int(config.station.voltage_v * 1000),
        seed=config.station.seed,
        timezone=config.station.timezone,
        daily=int(section.daily_percent * _PPM_PER_PERCENT),
        highest_hour=section.highest_hour,
        wander=int(section.wander_percent * _PPM_PER_PERCENT),
        phase_wander=int(section.phase_wander_percent * _PPM_PER_PERCENT),
        step_ms=1000 * section.step_seconds,
    )


def _overloaded(config: StationConfig, branches: Sequence[Branch], trunk: Conductor) -> list[str]:
    """Return which conductors can't carry the rated power at their end; there may be no voltage at which they could."""
    square = int(config.station.voltage_v * 10**6) ** 2
    limit = square * _MOST_FALL_PERCENT * (100 - _MOST_FALL_PERCENT) // 100**2
    text = f"expected that the voltage falls by at most {_MOST_FALL_PERCENT} % at rated power"
    rated = [int(charger.rated_kw * _PPM) for charger in config.charger] + [int(config.auxiliary.load_w * 1000)]
    through = [[0, 0] for _ in PHASES]
    problems = []
    for number, (branch, power) in enumerate(zip(branches, rated, strict=True)):
        drawn = branch.drawn(power)
        for phase, flow, _, _ in drawn:
            through[phase] = [sum(pair) for pair in zip(through[phase], flow, strict=True)]
        if any(fall > limit for _, _, fall, _ in drawn):
            problems.append(f"charger {config.charger[number].id}: cable_milliohm: {text}")
    if any(trunk.fall((flow[0], flow[1])) > limit for flow in through):
        problems.append(f"supply.trunk_milliohm: {text} of all chargers")
    return problems
