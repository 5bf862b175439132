"""Starting current (起动), no-load condition (潜动) and meter constant (仪表常数)."""

from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import Final

from firmware_sim.inspection.bench import Ability, Bench, DutError
from firmware_sim.inspection.metering.grid import place_of
from firmware_sim.inspection.metering.judging import text
from firmware_sim.inspection.metering.measure import Quantity, flow, look, quantities
from firmware_sim.inspection.metering.registers import gained
from firmware_sim.inspection.metering.visit import load
from firmware_sim.inspection.points import LoadPoint
from firmware_sim.inspection.result import ItemInfo, ItemResult, Step, Verdict

# Recalled from the verification practice of electricity meters, not from the text of a standard:
_STARTING_TIMES: Final = Fraction(12, 10)  # of the time in which the starting current makes one pulse
# The no-load test lasts as long as Imax takes for so many pulses: 600·10⁶/(C·m·Un·Imax) min are 10 000 of them.
_NO_LOAD_PULSES: Final = {"2": 8_000, "A": 8_000, "1": 10_000, "B": 10_000, "C": 10_000}
_NO_LOAD_PULSES_FINER: Final = 15_000  # of the finer classes, and of one that is not known
_NO_LOAD_VOLTAGE: Final = Fraction(115, 100)
_SLACK: Final = Fraction(11, 10)
_TENTH: Final = 10  # of the limit: what counting may add
_STEPS: Final = 2  # of a register, where there are no pulses: one may be nearly over when the test begins


class Starting:
    """The meter registers at its starting current."""

    info = ItemInfo("metering.starting", "5.6.1", "electricity", "Starting current", "起动试验")

    def estimate_ms(self, bench: Bench) -> int:
        """Return how long the starting current takes for what is waited for."""
        return ceil(_longest_ms(bench, _starting(bench)))

    async def run(self, bench: Bench) -> ItemResult:
        """Give the starting current and wait for a pulse, or a step of the register."""
        began = int(bench.time.now())
        point = _starting(bench)
        longest = _longest_ms(bench, point)
        quantity, pulses = quantities(bench, None)
        await bench.source.set(point)
        if pulses:
            assert bench.pulses is not None
            came = await bench.pulses.next("energy", longest)
            found = "none" if came is None else f"one after {float(came - began) / 1000:.1f} s"
            step = Step(
                f"a pulse at {point.current_ma} mA", f"within {float(longest) / 1000:.1f} s", found, came is not None
            )
        else:
            name = quantity.register(point)
            before = await look(bench, [name])
            await bench.time.wait(ceil(longest))
            after = await look(bench, [name])
            came_to = gained(bench, name, before.values[name], after.values[name])
            step = Step(
                f"the register counts at {point.current_ma} mA",
                f"at least {bench.dut.resolution(name)} mWh in {float(longest) / 1000:.1f} s",
                f"{came_to} mWh",
                came_to >= bench.dut.resolution(name),
            )
        return _concluded(self.info.id, bench, began, step)


class NoLoad:
    """Voltage alone registers nothing."""

    info = ItemInfo("metering.no-load", "5.6.1", "electricity", "No-load condition", "潜动试验")

    def estimate_ms(self, bench: Bench) -> int:
        """Return how long nothing must happen."""
        return self._lasting_ms(bench) + bench.selection.settle_ms

    async def run(self, bench: Bench) -> ItemResult:
        """Give 115 % of the voltage without current and watch the registers and the pulses."""
        began = int(bench.time.now())
        rating = bench.rating
        lasting = self._lasting_ms(bench)
        rated = LoadPoint(rating.voltage_mv, 0, phases=rating.phases, frequency_mhz=rating.frequency_mhz)
        # What the device still shows of the load before is none of this test's.
        await load(bench, replace(rated, voltage_mv=int(rating.voltage_mv * _NO_LOAD_VOLTAGE)))
        try:
            steps = await self._watched(bench, lasting)
        finally:
            await bench.source.set(rated)  # no device is left at more than its voltage
        return _concluded(self.info.id, bench, began, *steps)

    @staticmethod
    async def _watched(bench: Bench, lasting: int) -> list[Step]:
        names = [f"energy_{way}" for way in ("forward", "reverse") if _has(bench, f"energy_{way}")]
        before = await look(bench, names)
        steps = []
        _, pulses = quantities(bench, None)
        if pulses:
            assert bench.pulses is not None
            count = 0
            ends = bench.time.now() + lasting
            while (left := ends - bench.time.now()) > 0 and await bench.pulses.next("energy", left) is not None:
                count += 1
            steps.append(
                Step("pulses without current", f"at most 1 in {lasting // 1000} s", str(count), good=count <= 1)
            )
        await bench.time.wait_until(before.after + lasting)
        after = await look(bench, names)
        for name in names:
            came = after.values[name] - before.values[name]
            steps.append(Step(f"{name} without current", "+0 mWh", f"{came:+} mWh", came == 0))
        return steps

    @staticmethod
    def _lasting_ms(bench: Bench) -> int:
        quantity, pulses = quantities(bench, None)
        largest = place_of(bench.rating, "1.0", "Imax").point
        if pulses:
            number = _NO_LOAD_PULSES.get(bench.rating.accuracy_class, _NO_LOAD_PULSES_FINER)
            return ceil(number * quantity.per_pulse / flow(quantity, largest))
        # As long as the starting current takes for a step: what creeps faster than that would show.
        return ceil(_longest_ms(bench, _starting(bench)))


class Constant:
    """Pulses and register tell of the same energy."""

    info = ItemInfo(
        "metering.constant",
        "5.6.1",
        "electricity",
        "Meter constant",
        "仪表常数试验",
        needs=frozenset({Ability.PULSES}),
    )

    def estimate_ms(self, bench: Bench) -> int:
        """Return how long Imax takes for the pulses that are counted."""
        quantity, pulses = quantities(bench, None)
        if not pulses:
            return 0
        point = place_of(bench.rating, "1.0", "Imax").point
        return bench.selection.settle_ms + ceil(
            (self._pulses(bench, quantity, point) + 1) * quantity.per_pulse / flow(quantity, point)
        )

    async def run(self, bench: Bench) -> ItemResult:
        """Count pulses while the register counts, both begun and ended with a pulse."""
        began = int(bench.time.now())
        quantity, pulses = quantities(bench, None)
        if not pulses:
            return ItemResult(
                self.info.id, Verdict.SKIPPED, began, began, note="the rating names no meter constant (imp/kWh)"
            )
        assert bench.pulses is not None
        point = place_of(bench.rating, "1.0", "Imax").point
        name = quantity.register(point)
        period = quantity.per_pulse / flow(quantity, point)
        limit = bench.limits.energy_percent(bench.rating, point)
        await load(bench, point)
        began_with = await self._pulse(bench, period)
        first = await look(bench, [name])
        number, wanted = 0, self._pulses(bench, quantity, point)
        while True:
            for _ in range(wanted - number):
                ended_with = await self._pulse(bench, period)
            number = wanted
            last = await look(bench, [name])
            expected = number * quantity.per_pulse
            # The register is read a little after the pulse, and a meter with an error runs a little faster or slower.
            behind = first.after - began_with + last.after - ended_with
            may = bench.dut.resolution(name) + (behind + bench.renewed_ms) * flow(quantity, point) * _SLACK
            if _TENTH * 100 * may <= limit * expected:
                break
            wanted = ceil(_TENTH * 100 * may * _SLACK / limit / quantity.per_pulse) + number // 10
        counted = gained(bench, name, first.values[name], last.values[name])
        step = Step(
            f"{number} pulses of {bench.rating.constant} imp/kWh",
            f"{text(expected, 3)} mWh in the register, within {text(may, 3)} mWh",
            f"{counted} mWh",
            abs(counted - expected) <= may,
        )
        return _concluded(self.info.id, bench, began, step)

    @staticmethod
    def _pulses(bench: Bench, quantity: Quantity, point: LoadPoint) -> int:
        step = bench.dut.resolution(quantity.register(point))
        limit = bench.limits.energy_percent(bench.rating, point)
        return max(10, ceil(_TENTH * 100 * step / limit / quantity.per_pulse))

    @staticmethod
    async def _pulse(bench: Bench, period: Fraction) -> Fraction:
        assert bench.pulses is not None
        instant = await bench.pulses.next("energy", 3 * period)
        if instant is None:
            raise DutError(f"expected a pulse every {float(period):.0f} ms at Imax, got none in three times that")
        return instant


def _starting(bench: Bench) -> LoadPoint:
    rating = bench.rating
    return LoadPoint(rating.voltage_mv, rating.starting_ma, phases=rating.phases, frequency_mhz=rating.frequency_mhz)


def _longest_ms(bench: Bench, point: LoadPoint) -> Fraction:
    quantity, pulses = quantities(bench, None)
    one = quantity.per_pulse if pulses else Fraction(_STEPS * bench.dut.resolution(quantity.register(point)))
    return _STARTING_TIMES * one / flow(quantity, point)


def _has(bench: Bench, name: str) -> bool:
    try:
        bench.dut.resolution(name)
    except KeyError:
        return False
    return True


def _concluded(item: str, bench: Bench, began: int, *steps: Step) -> ItemResult:
    verdict = Verdict.PASSED if all(step.good for step in steps) else Verdict.FAILED
    return ItemResult(item, verdict, began, int(bench.time.now()), steps)
