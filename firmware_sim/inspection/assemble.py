"""From a plan to a bench: the parts that it names, connected, and what the report says of them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from fractions import Fraction
from typing import Final

from clock import Clock, SystemClock
from fieldbus.lines import Line
from firmware_sim.inspection.bench import (
    Ability,
    Bench,
    BenchError,
    BenchTime,
    Dut,
    FastForward,
    Pulses,
    Registers,
    Source,
    Standard,
)
from firmware_sim.inspection.metering.factor import fields_of
from firmware_sim.inspection.metering.grid import conditions, places
from firmware_sim.inspection.metering.limits import FileLimits
from firmware_sim.inspection.metering.points import factor_text
from firmware_sim.inspection.parts.driven import CommandSource, ManualSource
from firmware_sim.inspection.parts.dut import LineDut
from firmware_sim.inspection.parts.fast import SetForward
from firmware_sim.inspection.parts.pulse_input import PulseInput
from firmware_sim.inspection.parts.simulated import Firmware, simulated_bench
from firmware_sim.inspection.parts.standard import PowerStandard, RegisterStandard
from firmware_sim.inspection.parts.stream import SampleStream
from firmware_sim.inspection.parts.stream_frames import Takes
from firmware_sim.inspection.parts.stream_parts import (
    StreamPulses,
    StreamRegisters,
    StreamSource,
    StreamStandard,
    StreamTime,
    forward_of,
)
from firmware_sim.inspection.parts.stream_parts import abilities_of as stream_abilities
from firmware_sim.inspection.parts.time import ClockTime
from firmware_sim.inspection.plan import CommandSource as CommandSection
from firmware_sim.inspection.plan import ManualSource as ManualSection
from firmware_sim.inspection.plan import Plan
from firmware_sim.inspection.plan import StreamSource as StreamSection
from firmware_sim.inspection.points import Rating
from firmware_sim.meter import Meter
from profiles import Profile
from profiles import load as load_profile
from profiles.model import CodecError

_OUTPUTS: Final = {"energy": Ability.PULSES, "carbon": Ability.CARBON_PULSES}
Tell = Callable[[str], None]
_DIGITS = 12
_RENEWED_MS = 1000
_DLT645_LEAD_MS = 61_000
"""Before midnight: a DL/T 645 clock whose date and time are written apart can't be set in the minute beside it."""


@asynccontextmanager
async def assembled(
    plan: Plan, *, tell: Tell = lambda _: None, firmware: Firmware = Meter, pace: Clock | None = None
) -> AsyncIterator[Bench]:
    """Connect the bench of a plan; ConfigError, ProfileError, BenchError or DutError when that fails.

    `firmware` and `pace` are for the simulated one: which, and whether time is waited for.
    """
    assert plan.inspection.limits is not None  # load_plan has put the default there
    rating, limits = plan.rating.rating(), FileLimits.load(plan.inspection.limits)
    profile = load_profile(plan.dut.profile, _parameters(plan.dut.parameters))
    check(plan, limits, profile)
    async with AsyncExitStack() as stack:
        if plan.dut.line is None:
            bench: Bench = await stack.enter_async_context(
                simulated_bench(
                    rating,
                    limits,
                    profile=plan.dut.profile,
                    parameters=_parameters(plan.dut.parameters),
                    timezone=plan.inspection.timezone,
                    firmware=firmware,
                    pace=pace,
                )
            )
        else:
            bench = await _real(plan, rating, limits, stack, tell)
        bench.selection = plan.points.selection()
        if not plan.fast:
            bench.fast = None
        bench.ends = {name: point.rollover for name, point in profile.points.items() if point.rollover is not None}
        bench.renewed_ms = _renewed_ms(plan)
        if isinstance(bench.time, ClockTime):
            known = plan.inspection.clock_ppm
            bench.clock_ppm = None if known is None else Fraction(known)
        bench.tell = tell
        yield bench


def check(plan: Plan, limits: FileLimits, profile: Profile) -> None:
    """Tell before anything is switched on what would otherwise end an item after hours.

    NoLimitError for a load point without a limit, BenchError for a factor that the device's profile can't say.
    """
    rating, selection = plan.rating.rating(), plan.points.selection()
    limits.interval_percent(rating)
    for voltage, balance in conditions(rating, selection):
        for place in places(rating, selection, balance=balance, voltage_mv=voltage):
            limits.energy_percent(rating, place.point)
    for name in [name for name in ("factor", "factor_day") if name in profile.writes][:1]:
        for factor_mg in selection.factors:
            try:
                profile.command(name, fields_of(name, 0, factor_mg), plan.inspection.timezone)
            except CodecError as error:
                told = f"the profile {plan.dut.profile} can't say {factor_text(factor_mg)} kg/kWh"
                raise BenchError(f"points.factors: {told}: {error}") from None


async def _real(plan: Plan, rating: Rating, limits: FileLimits, stack: AsyncExitStack, tell: Tell) -> Bench:
    assert plan.dut.line is not None
    clock = SystemClock()
    stream = await _stream(plan, rating, clock, stack, tell)
    time: BenchTime = ClockTime(clock) if stream is None else StreamTime(stream)
    more = frozenset(plan.dut.can)
    if stream is not None:
        await stream.open()
        more |= stream_abilities(stream)
    if plan.pulses is not None:
        more |= {_OUTPUTS[name] for name in plan.pulses.outputs}
    dut = _dut(plan, clock, more, tell)
    stack.callback(dut.close)
    await dut.open()
    source = _source(plan, rating, stream)
    standard: Standard
    if plan.standard.kind != "source":
        standard = await _standard(plan, time, clock, stack, tell)
    else:
        assert isinstance(time, StreamTime)  # the plan's own check
        assert stream is not None
        standard = StreamStandard(stream, time)
    pulses = await _pulses(plan, stream, time, stack, tell)
    fast: FastForward | None = None
    if Ability.FAST in dut.abilities and stream is not None:
        assert isinstance(source, StreamSource)
        assert isinstance(time, StreamTime)
        fast = forward_of(stream, source, time, dut)
    elif Ability.FAST in dut.abilities and Ability.CLOCK_SET in dut.abilities:
        fast = set_forward(time, dut, dut.profile, plan.inspection.timezone)
    registers: Registers | None = None
    if stream is not None and Ability.ROLLOVER in stream_abilities(stream):
        registers = StreamRegisters(stream, dut.profile)
    parts = (time, source, standard, dut, limits)
    bench = Bench(rating, plan.inspection.timezone, *parts, pulses=pulses, fast=fast, registers=registers)
    if plan.pulses is not None:
        bench.jitter_ms = Fraction(plan.pulses.jitter_ms)
    return bench


def set_forward(time: BenchTime, dut: Dut, profile: Profile, timezone: str) -> SetForward:
    """Return what runs a device's time forward by setting its clock, when its protocol lets it be set."""
    midnight_lead_ms = _DLT645_LEAD_MS if profile.protocol == "dlt645" else None
    return SetForward(time, dut, timezone, midnight_lead_ms=midnight_lead_ms)


def _source(plan: Plan, rating: Rating, stream: SampleStream | None) -> Source:
    if stream is not None:
        return StreamSource(stream)
    section = plan.source
    if isinstance(section, CommandSection):
        return CommandSource(section.command, rating, timeout_s=section.timeout_seconds, cwd=str(section.directory))
    return ManualSource()


async def _pulses(
    plan: Plan, stream: SampleStream | None, time: BenchTime, stack: AsyncExitStack, tell: Tell
) -> Pulses | None:
    if stream is not None and isinstance(time, StreamTime):
        return StreamPulses(stream, time)
    if plan.pulses is None:
        return None
    heads = PulseInput(time, host=plan.pulses.host, port=plan.pulses.port, tell=tell)
    stack.push_async_callback(heads.close)
    await heads.open()
    return heads


async def _stream(plan: Plan, rating: Rating, clock: Clock, stack: AsyncExitStack, tell: Tell) -> SampleStream | None:
    section = plan.source
    if not isinstance(section, StreamSection):
        return None
    stream = SampleStream(
        rating,
        clock.now_ms() // 1000 * 1000,  # so that slots and midnights begin with a sample
        host=section.host,
        port=section.port,
        rate=section.rate,
        prefer=Takes.SAMPLES if section.form == "samples" else Takes.PHASORS,
        connect_s=section.connect_seconds,
        tell=tell,
    )
    stack.push_async_callback(stream.close)
    await stream.listen()
    return stream


def _dut(plan: Plan, clock: Clock, more: frozenset[Ability], tell: Tell) -> LineDut:
    section = plan.dut
    assert section.line is not None
    profile = load_profile(section.profile, _parameters(section.parameters))
    address = _address(profile.protocol, section.unit, section.address)
    return LineDut(
        section.line,
        address,
        profile,
        clock,
        timezone=plan.inspection.timezone,
        more=more,
        less=frozenset(section.cannot),
        retries=section.retries,
        tell=tell,
    )


async def _standard(plan: Plan, time: BenchTime, clock: Clock, stack: AsyncExitStack, tell: Tell) -> Standard:
    section = plan.standard
    assert section.line is not None
    assert section.profile is not None
    profile = load_profile(section.profile, _parameters(section.parameters))
    meter = LineDut(
        section.line,
        _address(profile.protocol, section.unit, section.address),
        profile,
        clock,
        timezone=plan.inspection.timezone,
        retries=1,
        tell=tell,
    )
    stack.callback(meter.close)
    await meter.open()
    accuracy = Fraction(section.accuracy_percent)
    kind = RegisterStandard if section.kind == "registers" else PowerStandard
    standard = kind(meter, time, period_ms=section.period_ms, accuracy_percent=accuracy)
    stack.push_async_callback(standard.stop)
    return standard


def _renewed_ms(plan: Plan) -> int:
    """Return how often the device renews its registers: a real one every second, if the plan says nothing else."""
    if plan.dut.renewed_ms is not None:
        return plan.dut.renewed_ms
    return _RENEWED_MS if isinstance(plan.source, CommandSection | ManualSection) else 0


def _parameters(given: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return dict(given)


def _address(protocol: str, unit: int, address: str | None) -> int | str:
    return unit if protocol == "modbus" else (address or "1").lower().zfill(_DIGITS)


def equipment(plan: Plan) -> dict[str, str]:
    """Return what was used, for the report."""
    where = "simulated firmware, virtual time" if plan.dut.line is None else _where(plan.dut.line)
    standard = plan.standard
    read = "" if standard.line is None else f" {standard.profile} on {_where(standard.line)}"
    return {
        "Device 被检表": f"{plan.dut.profile}, {where}",
        "Source 功率源": plan.source.kind,
        "Standard meter 标准表": f"{standard.kind}{read}",
    }


def _where(line: Line) -> str:
    told = line.model_dump(include={"transport", "host", "port", "device", "baud"}, exclude_none=True)
    return " ".join(str(value) for value in told.values())
