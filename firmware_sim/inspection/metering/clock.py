"""The daily error of the device's clock (日计时误差), from the instants at which its time changes.

It is seen beside the bench's own clock, so the plan says how exactly that one goes.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final

from firmware_sim.inspection.bench import Ability, Bench, BenchError, DutError
from firmware_sim.inspection.metering.judging import text
from firmware_sim.inspection.result import ItemInfo, ItemResult, Step, Verdict

DAY_MS: Final = 86_400_000
LEAST_MS: Final = 3_600_000
MOST_MS: Final = DAY_MS
_MOST_SHARE: Final = 2  # of the limit: what edges and the bench's own clock together may be wrong by
_PPM_DAY: Final = Fraction(864, 10_000)  # s that a clock wrong by 10^-6 gains in a day
_SHARE: Final = 5  # of the limit: what the edges may be wrong by
_PATIENCE: Final = 3  # seconds in which a clock that shows seconds must change
_PAUSE_MS: Final = 5  # between looks for an edge: finer costs more requests than it tells


@dataclass(frozen=True, slots=True)
class _Edge:
    device_ms: int
    time_ms: Fraction
    vague_ms: Fraction


class DailyClock:
    """How much the clock gains in a day."""

    info = ItemInfo(
        "metering.clock",
        "",
        "electricity",
        "Daily clock error",
        "日计时误差",
        needs=frozenset({Ability.CLOCK_READ}),
    )

    def estimate_ms(self, bench: Bench) -> int:
        """Return how long the clock is watched if a request takes 20 ms."""
        return self._lasting(bench, Fraction(20))

    async def run(self, bench: Bench) -> ItemResult:
        """Find two edges of the clock far enough apart, and compare."""
        began = int(bench.time.now())
        limit = bench.limits.clock_seconds_per_day
        if bench.clock_ppm is None:
            # A computer's quartz may be wrong by ten times what this item looks for.
            note = "needs inspection.clock_ppm: how exactly the bench's own clock goes (by NTP 1, alone 50 or more)"
            return ItemResult(self.info.id, Verdict.SKIPPED, began, began, note=note)
        first = await _edge(bench)
        bench.tell(f"watching the clock for {self._lasting(bench, first.vague_ms) // 60_000} min")
        await bench.time.wait(self._lasting(bench, first.vague_ms))
        last = await _edge(bench)
        passed = last.time_ms - first.time_ms
        gained = Fraction(last.device_ms - first.device_ms) - passed
        per_day = gained / passed * DAY_MS / 1000
        vague = (first.vague_ms + last.vague_ms) / passed * DAY_MS / 1000
        vague += bench.clock_ppm * _PPM_DAY
        if _MOST_SHARE * vague > limit:
            raise BenchError(
                f"line and bench's clock tell the clock's error to {text(vague, 2)} s/d only; expected half the "
                f"limit of {text(limit, 2)} s/d at most"
            )
        step = Step(
            f"the clock over {float(passed) / 3_600_000:.2f} h",
            f"within {text(limit, 2)} s/d",
            f"{text(per_day, 3)} s/d, known to {text(vague, 3)} s/d",
            abs(per_day) <= limit,
        )
        verdict = Verdict.PASSED if step.good else Verdict.FAILED
        return ItemResult(self.info.id, verdict, began, int(bench.time.now()), (step,))

    @staticmethod
    def _lasting(bench: Bench, vague_ms: Fraction) -> int:
        limit_ms = bench.limits.clock_seconds_per_day * 1000
        wanted = _SHARE * 2 * vague_ms * DAY_MS / limit_ms
        return min(max(ceil(wanted), LEAST_MS), MOST_MS)


async def _edge(bench: Bench) -> _Edge:
    """Wait for the next change of the device's time; it happened between two requests."""
    before, unchanged = await _time(bench)
    patient_until = unchanged + 1000 * _PATIENCE
    while True:
        await bench.time.wait(_PAUSE_MS)
        asked = bench.time.now()
        now, answered = await _time(bench)
        if now != before:
            return _Edge(now, (unchanged + answered) / 2, (answered - unchanged) / 2)
        if asked > patient_until:
            raise DutError(f"expected the clock to run, it shows {now} ms for more than {_PATIENCE} s")
        unchanged = asked


async def _time(bench: Bench) -> tuple[int, Fraction]:
    values = await bench.dut.read("device_time")
    if "device_time" not in values:
        raise DutError("expected device_time, got no value")
    return values["device_time"], bench.time.now()
