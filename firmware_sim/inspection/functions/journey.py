"""A journey through the device's time: load, factors and clock are known at every instant, so the truth is too.

Whatever brings the device's clock forward (parts.fast), only what flowed is counted: where the clock is set on the way,
the load is taken off meanwhile.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from diantan_core import day_start_ms, next_day_start_ms
from firmware_sim.inspection.bench import Ability, Bench, BenchError, DutError
from firmware_sim.inspection.functions.checks import NotLookedAtError
from firmware_sim.inspection.functions.device_time import DeviceTime
from firmware_sim.inspection.functions.expectations import Expectations
from firmware_sim.inspection.functions.given import SLOT_MS, Given, UnknownFactorError
from firmware_sim.inspection.functions.stretches import Stretches
from firmware_sim.inspection.functions.truth import Flowed, Scale, Seen, flowed
from firmware_sim.inspection.metering.measure import UJ_PER_MWH
from firmware_sim.inspection.parts.fast import JumpForward
from firmware_sim.inspection.points import LoadPoint
from profiles.model import CodecError

REGISTERS: Final = ("energy_forward", "energy_reverse", "carbon_forward", "carbon_reverse")
DAY_MS: Final = 86_400_000
DAY_SLOTS: Final = 96
FRESH_DAYS: Final = 2  # beyond the next midnight
_MARGIN_MS: Final = 60_000
STORED_MS: Final = 60_000
"""How long after midnight what it froze is looked at: no text known here says how soon a meter must have stored it."""


class UnsayableError(NotLookedAtError):
    """The profile has no way to say a value."""


class Journey:
    """The bench's parts, and a book of what was done with them."""

    def __init__(self, bench: Bench, expectations: Expectations, seen: Seen) -> None:
        """`begin` makes one."""
        self.bench = bench
        self.expectations = expectations
        self.given = Given(expectations)
        self.first = self.last = seen
        self.peak = Fraction(0)  # the largest load so far, mWh in a ms
        self.counts_carbon = Ability.FACTOR in bench.dut.abilities
        self.points: list[LoadPoint] = []  # that were set
        self.ends: dict[str, int] = {}  # at which registers start again from 0, where the item lets them
        self.slack_ms = Fraction(0)  # in which the device may not have measured: it was starting
        self._kept: dict[str, tuple[Fraction, Fraction]] = {}  # by way: scale, and how uncertain it is
        self._exact_standard = True
        self._point: LoadPoint | None = None
        self._by_day: bool | None = None  # whether the factors of a whole day are written at once
        self._clock = DeviceTime(bench, step_of(bench, "device_time") or 1)
        self._stretches = Stretches(seen.middle, seen.middle)

    @classmethod
    async def begin(cls, bench: Bench, expectations: Expectations, *, clock: bool = True) -> "Journey":
        """Take the load off, read the registers and find out what the device's clock shows.

        With `clock` false, of a device without one, its time is taken to be the bench's.
        """
        await bench.source.set(None)
        journey = cls(bench, expectations, await read(bench))
        if clock and step_of(bench, "device_time") is not None:
            await journey.sync()
        return journey

    # Time

    @property
    def now(self) -> Fraction:
        """Return the bench's time."""
        return self.bench.time.now()

    @property
    def device_ms(self) -> Fraction:
        """Return what the device's clock shows, as it is known since the last look at it."""
        return self._stretches.device_at(self.now)

    @property
    def vague_ms(self) -> Fraction:
        """Return how well it is known when the device's clock shows what."""
        return self._clock.vague_ms

    @property
    def clock_ms(self) -> int:
        """Return the step in which the device's clock is shown."""
        return self._clock.step_ms

    @property
    def slot_ms(self) -> int:
        """Return the start of the slot that is running by the device's clock."""
        now = int(self.device_ms)
        return now - now % SLOT_MS

    @property
    def midnight_ms(self) -> int:
        """Return the next local midnight of the device's clock."""
        return next_day_start_ms(int(self.device_ms), self.bench.timezone)

    @property
    def today_ms(self) -> int:
        """Return the last local midnight of the device's clock."""
        return day_start_ms(int(self.device_ms), self.bench.timezone)

    async def sync(self) -> None:
        """Find out what the device's clock shows, finer than its own step; DutError when it shows nothing."""
        self._stretches.show(*await self._clock.find())

    async def wait(self, duration_ms: Fraction | int) -> None:
        """Let true time pass, and the device's clock with it."""
        await self.bench.time.wait(duration_ms)
        self._stretches.extend(self.now)

    async def fresh(self) -> None:
        """Travel to a local midnight that no factor sent by another item can reach, without load."""
        await self.load(None)
        midnight = self.midnight_ms
        for _ in range(FRESH_DAYS):
            midnight = next_day_start_ms(midnight, self.bench.timezone)
        await self.travel(midnight)

    async def let_store(self) -> None:
        """Wait until what the midnight that has just passed froze must be there; with the load as it is."""
        await self.wait(STORED_MS)

    async def live_to(self, device_ms: int) -> None:
        """Wait until the device's clock shows a time: every moment until then is lived through."""
        await self.wait(max(device_ms - self.device_ms, Fraction(0)))

    async def next_slot(self) -> None:
        """Wait until the next slot has begun, a minute ago: then it has begun on a clock that drifts, too."""
        await self.live_to(self.slot_ms + SLOT_MS + _MARGIN_MS)

    async def travel(self, device_ms: int) -> None:
        """Bring the device's clock to a time by the fast way; the load is off meanwhile where the clock is set."""
        bench = self.bench
        if bench.fast is None:
            raise NotLookedAtError("time can't be run forward")
        if not by_setting(bench):
            await bench.fast.to(device_ms)
            self._stretches.extend(self.now)
            await self.look_at_clock()
            return
        point = self._point
        await self.load(None)
        self._stretches.extend(self.now)
        await bench.fast.to(device_ms)
        self._stretches.jump(*await self._clock.find())
        await self.load(point)

    async def set_clock(self, device_ms: int) -> None:
        """Set the device's clock; DutRefusedError when it does not let it, UnsayableError."""
        before = self.now
        await self.say("clock", {"time": device_ms})
        after = self.now
        self._stretches.extend((before + after) / 2)
        self._stretches.jump((before + after) / 2, Fraction(device_ms))
        self._clock.no_better_than((after - before) / 2)
        await self.sync()

    def passed(self, device_ms: int) -> Fraction:
        """Return the bench's instant at which the device's clock first showed a time, or was set beyond it."""
        self._stretches.extend(self.now)
        return self._stretches.passed(device_ms)

    async def look_at_clock(self) -> None:
        """Keep what is known of the clock while it agrees with what it shows; find it out anew when it has drifted.

        DutError when it is further off than any clock drifts: it stood, or somebody set it.
        """
        if step_of(self.bench, "device_time") is not None:
            await self._clock.look(self._stretches)

    # Load

    async def load(self, point: LoadPoint | None) -> None:
        """Put a load on the device from now on."""
        await self.bench.source.set(point)
        self._point = point
        if point is not None:
            self.points.append(point)
            self.peak = max(self.peak, abs(point.power_mw) / UJ_PER_MWH)

    # Factors

    async def give(self, factors: Mapping[int, int | None]) -> None:
        """Write the factors of slots, in the order of time; DutRefusedError, UnsayableError.

        A device that takes the factors of a whole day is sent each day concerned, and in slots of which nothing is
        known what would be held in them.
        """
        if self._by_day is not False:
            try:
                await self._give_days(factors)
            except KeyError:
                if self._by_day:
                    raise
                self._by_day = False
            else:
                self._by_day = True
                return
        for slot_ms in sorted(factors):
            await self._give_slot(slot_ms, factors[slot_ms])

    async def _give_slot(self, slot_ms: int, factor: int | None) -> None:
        before = self.now
        await self.say("factor", {"time": slot_ms, "carbon_factor": factor})
        self._note({slot_ms: factor}, before)

    async def _give_days(self, factors: Mapping[int, int | None]) -> None:
        for day_ms in sorted({day_start_ms(slot_ms, self.bench.timezone) for slot_ms in factors}):
            day = self._filled(day_ms, factors)
            before = self.now
            fields = {f"carbon_factor_{number}": factor for number, factor in enumerate(day.values(), 1)}
            await self.say("factor_day", {"time": day_ms, **fields})
            self._note(day, before)

    def _filled(self, day_ms: int, factors: Mapping[int, int | None]) -> dict[int, int | None]:
        """Return the factors of all slots of a day."""
        slots = [day_ms + number * SLOT_MS for number in range(DAY_SLOTS)]
        try:
            held = self.given.at(day_ms, self.now)
        except UnknownFactorError:
            held = factors[min(factors)]
        day: dict[int, int | None] = {}
        for slot_ms in slots:
            if slot_ms in factors:
                held = factors[slot_ms]
            elif self.given.known(slot_ms):
                held = self.given.of_slot(slot_ms)
            day[slot_ms] = held
        return day

    async def say(self, name: str, fields: Mapping[str, int | None]) -> None:
        """Write; DutRefusedError, DutError, UnsayableError."""
        try:
            await self.bench.dut.write(name, fields)
        except DutError as error:
            if isinstance(error.__cause__, CodecError):
                raise UnsayableError(str(error)) from error
            raise

    def _note(self, factors: Mapping[int, int | None], before: Fraction) -> None:
        after = self.now
        arrived = (before + after) / 2
        self._clock.no_better_than((after - before) / 2)
        for slot_ms, factor in factors.items():
            self.given.add(slot_ms, factor, arrived)

    # Registers

    async def look(self) -> Seen:
        """Read the registers."""
        self.last = await read(self.bench)
        self._stretches.extend(self.now)
        return self.last

    def gained(self, name: str) -> int:
        """Return by how much a register has grown from the first look to the last."""
        return self.since_first(name, self.last.values[name])

    def since_first(self, name: str, value: int) -> int:
        """Return by how much a value of a register is beyond the first one."""
        gained = value - self.first.values[name]
        return gained % self.ends[name] if name in self.ends else gained

    async def restart(self) -> None:
        """Begin to count here: what was looked at before counts no longer."""
        self.first = await self.look()

    async def flowed(self, first: Fraction, last: Fraction) -> Flowed:
        """Return what flowed between two instants of the bench; BenchError where no factor was given for it."""
        self._stretches.extend(self.now)
        try:
            return await flowed(
                self.bench.standard, self._stretches, self.given, first, last, carbon_counts=self.counts_carbon
            )
        except UnknownFactorError as error:
            raise BenchError(f"an item gave no factor for a time at which there was load: {error}") from None

    async def scale(self, way: str) -> Scale:
        """Return how the device's energy register compares with the standard, from the first look to the last."""
        name = f"energy_{way}"
        first, last = self.first, self.last
        truth = await self.bench.standard.between(first.middle, last.middle)
        self._exact_standard &= truth.uncertainty_mwh == 0
        expected = truth.forward_mwh if way == "forward" else truth.reverse_mwh
        if name not in last.values:
            return Scale(Fraction(1), truth.uncertainty_mwh == 0, Fraction(0), None, 0, expected)
        found, step = self.gained(name), self.bench.dut.resolution(name)
        vague = truth.uncertainty_mwh + (first.vague_ms + last.vague_ms + self.slack_ms) * self.peak
        error = 100 * (found - expected) / expected if expected else None
        if abs(found - expected) < step + vague:
            exact = truth.uncertainty_mwh == 0
            return Scale(Fraction(1), exact, Fraction(0 if exact else 2 * step), error, found, expected)
        if way in self._kept and len(self._points(way)) == 1:
            factor, share = self._kept[way]
            return Scale(
                factor, exact=False, vague_mwh=share * expected, error_percent=error, found=found, expected=expected
            )
        factor = Fraction(found) / expected if expected else Fraction(1)
        return Scale(
            factor, exact=False, vague_mwh=Fraction(2 * step), error_percent=error, found=found, expected=expected
        )

    async def keep_scale(self, way: str) -> None:
        """Keep how the device's energy compares with the standard at its first load: at that one it stays so.

        What the device counts twice or loses later is then no metering error. Of a standard that is not exact, the
        repeatability that the limits allow is not known either.
        """
        scale = await self.scale(way)
        points = self._points(way)
        if way in self._kept or len(points) != 1 or scale.expected <= 0 or f"energy_{way}" not in self.last.values:
            return
        bench = self.bench
        share = Fraction(2 * bench.dut.resolution(f"energy_{way}")) / scale.expected
        if not self._exact_standard:
            share += bench.limits.repeatability_percent(bench.rating, next(iter(points))) / 100
        self._kept[way] = scale.factor, share

    def _points(self, way: str) -> set[LoadPoint]:
        return {point for point in self.points if point.reverse == (way == "reverse")}


def by_setting(bench: Bench) -> bool:
    """Return whether time is run forward by setting the device's clock, so that the time between is not lived."""
    return bench.fast is not None and not isinstance(bench.fast, JumpForward)


async def read(bench: Bench) -> Seen:
    """Read the registers of energy and carbon that the device has; DutError when one does not come."""
    names = [name for name in REGISTERS if step_of(bench, name) is not None]
    before = bench.time.now()
    values = await bench.dut.read(*names) if names else {}
    missing = [name for name in names if name not in values]
    if missing:
        raise DutError(f"expected values of {', '.join(names)}, got none of {', '.join(missing)}")
    return Seen(dict(values), before, bench.time.now())


def step_of(bench: Bench, name: str) -> int | None:
    """Return the step of a point in canonical units; None when the device has no such point."""
    try:
        return bench.dut.resolution(name)
    except KeyError:
        return None
