"""`diantan-sim inspect`: run a plan, or go on with it, and write its reports."""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from clock import Clock, SystemClock
from firmware_sim.inspection import catalogue
from firmware_sim.inspection.assemble import assembled, equipment
from firmware_sim.inspection.bench import BenchError, DutError, Item
from firmware_sim.inspection.metering.grid import GridError, current_ma, power_factor
from firmware_sim.inspection.metering.limits import FileLimits
from firmware_sim.inspection.parts.simulated import Firmware
from firmware_sim.inspection.plan import DutSection, Plan, PointsSection, SimulatedSource, StandardSection, digest
from firmware_sim.inspection.points import Balance, Rating
from firmware_sim.inspection.progress import Display
from firmware_sim.inspection.report.as_docx import as_docx
from firmware_sim.inspection.report.as_html import as_html
from firmware_sim.inspection.report.as_json import as_json
from firmware_sim.inspection.report.as_junit import as_junit
from firmware_sim.inspection.report.model import VERDICT_ZH, Report
from firmware_sim.inspection.result import ItemResult, Verdict
from firmware_sim.inspection.runner import conclusion, is_settled, run, select
from firmware_sim.inspection.store import Record, set_aside
from firmware_sim.meter import Meter

EXIT: Final = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.ERROR: 3}
INTERRUPTED: Final = 130
RECORD: Final = "record.jsonl"
_ENDING: Final = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
FORMATS: Final = ("json", "junit", "html", "docx")

_FAST_FACTORS: Final = (Decimal("0.1"), Decimal(1))
_FAST_POWER_FACTORS: Final = ("1.0", "0.5L")
_FAST_CURRENTS: Final = ("Imax", "Itr", "Imin")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks beyond the plan."""

    items: Sequence[str] = ()
    fast: bool = False
    anew: bool = False
    formats: Sequence[str] = FORMATS
    output: Path | None = None  # None: where the plan says


def self_plan(plan: Plan) -> Plan:
    """Return the plan for the simulated firmware instead of the device: an inspection of the bench itself.

    Its record is another one than the device's, in a folder of its own (…-self).
    """
    dut = DutSection(profile=plan.dut.profile, parameters=plan.dut.parameters, address=plan.dut.address)
    simulated = {"dut": dut, "source": SimulatedSource(kind="simulated"), "standard": StandardSection()}
    return _beside(plan.model_copy(update=simulated), "self")


def shortened(plan: Plan) -> Plan:
    """Return the plan with few load points, in a folder of its own (…-fast): a look at every commit, no inspection.

    Of the plan's own factors, power factors and currents those that a short run takes; all where it takes none.
    """
    points = plan.points
    few = {
        "factors": [factor for factor in points.factors if factor in _FAST_FACTORS] or points.factors,
        "power_factors": [name for name in points.power_factors if name in _FAST_POWER_FACTORS] or points.power_factors,
        "currents": [name for name in points.currents if name in _FAST_CURRENTS] or points.currents,
    }
    return _beside(plan.model_copy(update={"points": points.model_copy(update=few)}), "fast")


def _beside(plan: Plan, ending: str) -> Plan:
    output = plan.inspection.output
    assert output is not None  # load_plan has put the default there
    return _into(plan, output.with_name(f"{output.name}-{ending}"))


def _into(plan: Plan, output: Path) -> Plan:
    return plan.model_copy(update={"inspection": plan.inspection.model_copy(update={"output": output})})


def has_every_point(points: PointsSection, rating: Rating) -> bool:
    """Return whether the standard's load points are all among those of a plan; further ones take nothing away.

    They are the defaults of the section, at the rated voltage, each standing 2 minutes at least (one source); currents
    that the meter can't take are none of its points. Any phase may be the one that is loaded alone.
    """
    standard = PointsSection()
    # A single-phase meter has no unbalanced load.
    loads = {balance is Balance.BALANCED for balance in standard.balances if rating.phases > 1}
    return (
        {*standard.factors} <= {*points.factors}
        and {*map(power_factor, standard.power_factors)} <= {*map(power_factor, points.power_factors)}
        and _currents(standard, rating) <= _currents(points, rating)
        and loads <= {balance is Balance.BALANCED for balance in points.balances}
        and rating.voltage_mv in (points.selection().voltages_mv or (rating.voltage_mv,))
        and points.dwell_seconds >= standard.dwell_seconds
    )


def _currents(points: PointsSection, rating: Rating) -> set[int]:
    found = set()
    for name in points.currents:
        with contextlib.suppress(GridError):
            found.add(current_ma(name, rating))
    return found


def inspect(plan: Plan, options: Options, *, clock: Clock | None = None, firmware: Firmware = Meter) -> int:
    """Perform the plan's items, write the reports and return the exit status.

    0: everything that was performed conforms; 1: something does not; 3: no conclusion, the bench failed or nothing was
    performed; 130: interrupted. Raises what the plan's parts raise before anything was measured.
    """
    clock = clock or SystemClock()
    # What the simulated firmware has to say of refused requests is the items' affair.
    logging.getLogger("firmware_sim").setLevel(logging.WARNING)
    if options.fast:
        plan = shortened(plan)
    if options.output is not None:
        plan = _into(plan, options.output)
    every = catalogue.items(plan.inspection.kind, plan.functions.expectations())
    chosen = select(every, options.items or plan.items)
    whole = len(chosen) == len(every) and has_every_point(plan.points, plan.rating.rating())
    whole = whole and plan.functions.is_whole
    output = plan.inspection.output
    assert output is not None  # load_plan has put the default there
    assert plan.inspection.limits is not None
    limits = FileLimits.load(plan.inspection.limits)
    if options.anew:
        set_aside(output / RECORD)
    record = Record(output / RECORD, digest(plan), clock.now_ms())
    # A person who is asked for each load needs lines that stay.
    changing = sys.stderr.isatty() and plan.source.kind != "manual"
    display = Display(sys.stderr, time.monotonic, changing=changing)
    session = _Session(plan, record, limits.name, frozenset(item.info.id for item in chosen), whole=whole)
    try:
        results = asyncio.run(_perform(session, chosen, display, firmware))
    except (KeyboardInterrupt, asyncio.CancelledError):
        display.end()
        session.write(every, options.formats, clock.now_ms())
        _say(f"interrupted; run it again to go on ({record.path})")
        return INTERRUPTED
    except (BenchError, DutError) as error:
        display.end()
        _say(f"the bench can't be used: {error}")
        return EXIT[Verdict.ERROR]
    finally:
        record.close()
    display.end()
    _conclude(results)
    session.write(every, options.formats, clock.now_ms())
    return EXIT[conclusion(results)]


async def _perform(
    session: "_Session", chosen: Sequence[Item], display: Display, firmware: Firmware
) -> list[ItemResult]:
    # Ended by a CI or with its terminal, a run leaves the device without load and writes its reports as after Ctrl-C.
    task = asyncio.current_task()
    assert task is not None
    for number in _ENDING:
        with contextlib.suppress(NotImplementedError, ValueError):  # not on Windows, not beside the main thread
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    known = [session.record.items[item.info.id] for item in chosen if is_settled(session.record, item)]
    if known:
        # Else somebody takes what an earlier state of the device came to for what this one comes to.
        path = session.record.path
        _say(f"{len(known)} of {len(chosen)} items are in {path} and not measured again; --anew measures all")
    if len(known) == len(chosen):
        return known  # reports can be written again without a device
    async with assembled(session.plan, tell=_say, firmware=firmware) as bench:
        return await run(bench, chosen, session.record, show=display.show)


@dataclass(frozen=True, slots=True)
class _Session:
    plan: Plan
    record: Record
    limits: str
    asked: frozenset[str]
    whole: bool

    def write(self, every: Sequence[Item], formats: Sequence[str], now_ms: int) -> None:
        """Write the reports of what the record has and name their files; OSError for the first that can't be."""
        plan = self.plan
        assert plan.inspection.output is not None
        report = Report(
            plan.inspection.kind,
            plan.subject_of(),
            plan.environment_of(),
            plan.rating.rating(),
            plan.inspection.timezone,
            [*(item.info for item in every), *catalogue.laboratory(plan.inspection.kind)],
            self.record.items,
            equipment(plan),
            self.limits,
            f"diantan {_version()}",
            self.record.begun_ms,
            now_ms,
            self.whole,
            self.asked,
            {item: tuple(points.values()) for item, points in self.record.points.items()},
        )
        forms: dict[str, tuple[str, Callable[[Report], str | bytes]]] = {
            "json": ("report.json", as_json),
            "junit": ("junit.xml", as_junit),
            "html": ("report.html", as_html),
            "docx": ("report.docx", as_docx),
        }
        for form in formats:
            name, make = forms[form]
            path = plan.inspection.output / name
            content = make(report)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            _print(f"  {path}")


def _conclude(results: Sequence[ItemResult]) -> None:
    width = max((len(result.id) for result in results), default=0)
    for result in results:
        wrong = [step.what for step in result.steps if not step.good] or [p.key for p in result.points if not p.good]
        note = f"{wrong[0]}{f' and {len(wrong) - 1} more' if len(wrong) > 1 else ''}" if wrong else result.note
        _print(f"{result.id:<{width}}  {VERDICT_ZH[result.verdict]} {result.verdict.value}  {note}".rstrip())
    verdict = conclusion(results)
    _print(f"conclusion: {VERDICT_ZH[verdict]} {verdict.value}")


def listed(plan: Plan) -> str:
    """Return the items of a plan, a line each."""
    every = catalogue.items(plan.inspection.kind)
    width = max(len(item.info.id) for item in every)
    return "\n".join(f"{item.info.id:<{width}}  {item.info.title_zh} {item.info.title}" for item in every)


def _version() -> str:
    try:
        return version("diantan")
    except PackageNotFoundError:
        return "(not installed)"


def _say(text: str) -> None:
    print(f"diantan-sim: {text}", file=sys.stderr)  # noqa: T201 - what people wait for


def _print(text: str) -> None:
    print(text)  # noqa: T201 - the command's answer
