"""Source, standard meter, pulses and registers of a simulated meter in this process: exact, on instants they share."""

from collections.abc import Callable, Mapping
from fractions import Fraction

from firmware_sim.inspection.bench import BenchError, Truth
from firmware_sim.inspection.parts.time import VirtualTime
from firmware_sim.inspection.points import LoadPoint
from firmware_sim.meter import Meter
from firmware_sim.pulses import PulseOutputs
from firmware_sim.terminals import SetCurve, Terminals, circuit_of


class Simulation:
    """The meter in its time. What its faults ask for before now has happened when `now_ms` has been asked."""

    def __init__(self, meter: Meter, time: VirtualTime, bring: Callable[[int], None]) -> None:
        """`bring` brings the meter, with its faults, to an instant."""
        self.meter = meter
        self.time = time
        self._bring = bring

    def now_ms(self) -> int:
        """Bring the meter to the present, and return when that is."""
        now_ms = self.time.clock.now_ms()
        self._bring(now_ms)
        return now_ms


class SimulatedSource:
    """Puts load points on a simulated meter's terminals; each is there from the very instant on."""

    def __init__(self, terminals: Terminals, simulation: Simulation) -> None:
        self._terminals = terminals
        self._simulation = simulation
        self._point: LoadPoint | None = None
        self._is_cut = False

    async def set(self, point: LoadPoint | None) -> None:
        """Give the point, or (None) voltage without current; BenchError while the supply is cut."""
        if self._is_cut:
            raise BenchError("the source can't set a load point: the supply is cut")
        self._put(point)
        self._point = point

    async def cut(self) -> None:
        """Take the supply away: nothing flows, and the meter answers nobody."""
        now_ms = self._simulation.now_ms()
        self._simulation.meter.cut(now_ms)
        self._terminals.set(now_ms, None)
        self._is_cut = True

    async def restore(self) -> None:
        """Give the supply back, and with it the load point as it was."""
        self._simulation.meter.restore(self._simulation.now_ms())
        self._is_cut = False
        self._put(self._point)

    def _put(self, point: LoadPoint | None) -> None:
        now_ms = self._simulation.now_ms()
        if point is not None:
            self._simulation.meter.set_circuit(now_ms, circuit_of(point))
        self._terminals.set(now_ms, point)


class SimulatedStandard:
    """What flowed through the terminals, exactly: the source's own history."""

    def __init__(self, flow: SetCurve, time: VirtualTime) -> None:
        self._flow = flow
        self._time = time
        self._started: Fraction | None = None

    async def start(self) -> None:
        """Begin."""
        if self._started is None:
            self._started = self._time.now()

    async def between(self, first_ms: Fraction, last_ms: Fraction) -> Truth:
        """Return what flowed between two instants since `start`, without uncertainty."""
        if self._started is None or not self._started <= first_ms <= last_ms <= self._time.now():
            raise BenchError(
                f"the standard meter was asked for {first_ms} to {last_ms} ms; it has run from {self._started} ms, and "
                f"now is {self._time.now()} ms"
            )
        before, after = self._flow.flowed(first_ms), self._flow.flowed(last_ms)
        return Truth(after[0] - before[0], after[1] - before[1])


class SimulatedPulses:
    """The outputs of a simulated meter."""

    def __init__(self, outputs: PulseOutputs, simulation: Simulation) -> None:
        self._outputs = outputs
        self._simulation = simulation

    async def next(self, kind: str, longest_ms: Fraction) -> Fraction | None:
        """Wait for the next pulse of `energy` or `carbon`; return its exact instant, None when `longest_ms` is over.

        Time stands at the first whole ms that is not before it; pulses within the same ms come one by one.
        """
        if kind not in self._outputs.kinds:
            kinds = ", ".join(sorted(self._outputs.kinds)) or "none"
            raise BenchError(f"the meter gives no {kind} pulses; it gives {kinds}")
        now_ms = self._simulation.now_ms()
        until_ms = now_ms + longest_ms
        instant_ms = self._outputs.next(kind, now_ms, until_ms)
        await self._simulation.time.wait_until(until_ms if instant_ms is None else instant_ms)
        return instant_ms


class SimulatedRegisters:
    """Registers that the simulation sets from within."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def end(self, point: str) -> int:
        """Return at what value a register starts again from 0; KeyError when it never does."""
        settings = self._simulation.meter.settings
        end = {"energy": settings.rollover_mwh, "carbon": settings.carbon_rollover_ng}.get(point.partition("_")[0])
        if end is None:
            raise KeyError(point)
        return end

    async def preset(self, registers: Mapping[str, int]) -> None:
        """Bring registers to values in canonical units."""
        try:
            self._simulation.meter.preset(self._simulation.now_ms(), registers)
        except ValueError as error:
            raise BenchError(f"registers can't be set: {error}") from None
