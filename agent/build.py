"""From configuration to parts: lines with their meters, integrators with their stored state, the link's settings."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from agent.config import AgentConfig, Meter
from agent.config_file import Loaded
from agent.config_lines import EMISSION, address_of
from agent.connection import connection
from agent.generation import GeneratingUnit, own_schedule
from agent.line import Line
from agent.line_meter import LineMeter, LineSettings
from agent.metering import Metering
from agent.reading import Reading
from agent.schedule import phase
from agent.spare import Errand
from agent.uplink import UplinkSettings
from clock import Clock
from fieldbus.drivers.base import Driver
from profiles import Point, Profile
from wire.connection import LinkSettings

ENERGY: Final = ("energy_forward", "energy_reverse")

# What a poll reads where the configuration does not say: energies, carbon and what a station's display shows.
_DEFAULT_POINTS: Final = (
    *ENERGY,
    "carbon_forward",
    "carbon_reverse",
    "carbon_factor",
    "power",
    "power_factor",
    "frequency",
    *(f"{name}_{part}" for name in ("power", "voltage", "current") for part in "abc"),
    *("voltage", "current"),  # of a direct-current meter
)


def polled_points(meter: Meter, profile: Profile) -> list[Point]:
    """Return the points that a poll of this meter reads: energies and emission always, then those configured."""
    wanted = meter.points if meter.points is not None else _DEFAULT_POINTS
    emission = (EMISSION,) if meter.has_emission_register else ()
    names = dict.fromkeys((*ENERGY, *emission, *wanted))
    return [profile.points[name] for name in names if name in profile.points]


def line_meter(meter: Meter, profile: Profile, driver: Driver, timezone: str, *, forward_factor: bool) -> LineMeter:
    """Return a meter as its line needs it: the requests of a poll, how to read its number and write its factor."""
    serial = profile.points.get("serial_number")
    energies = frozenset(ENERGY) & profile.points.keys()
    points = polled_points(meter, profile)
    if meter.has_emission_register:
        # A request of its own: where the emission register is refused, the energies are not.
        blocks = profile.plan([point for point in points if point.name in energies], timezone)
        blocks += profile.plan([point for point in points if point.name not in energies], timezone)
    else:
        blocks = profile.plan(points, timezone)
    # The energies first: what comes late or not at all must not delay or cost them.
    firsts = (energies, frozenset({EMISSION} if meter.has_emission_register else ()))
    blocks.sort(key=lambda block: [first.isdisjoint(point.name for point in block.points) for first in firsts])
    return LineMeter(
        meter.id,
        driver,
        address_of(meter, profile.protocol),
        1000 * meter.poll_seconds,
        blocks,
        energies,
        emission_point=EMISSION if meter.has_emission_register else None,
        identity=profile.plan([serial], timezone)[0] if serial is not None else None,
        # A generating unit has a factor of its own, not that of the node.
        profile=profile if forward_factor and meter.role != "generation" and "factor" in profile.writes else None,
    )


def build_lines(
    loaded: Loaded,
    clock: Clock,
    *,
    now_ms: Callable[[], int],
    serial_numbers: Mapping[str, int],
    on_reading: Callable[[Reading], None],
    on_silent: Callable[[str, int, str], None],
    on_back: Callable[[str, int, int], None],
    factor_at: Callable[[int], tuple[int, int | None] | None],
    errand_for: Callable[[str], Errand | None],
) -> list[Line]:
    """Return every line of the configuration, ready to run."""
    config = loaded.config
    shortest = min(meter.poll_seconds for line in config.line for meter in line.meter) * 1000
    make = partial(
        Line,
        clock=clock,
        now_ms=now_ms,
        on_reading=on_reading,
        on_silent=on_silent,
        on_back=on_back,
        factor_at=factor_at,
        errand_for=errand_for,
    )
    lines = []
    for index, line in enumerate(config.line):
        carried = connection(line, loaded.profiles, clock, timezone=config.gateway.timezone, now_ms=now_ms)
        meters = [
            line_meter(
                meter,
                loaded.profiles[meter.id],
                carried.drivers[loaded.profiles[meter.id].protocol],
                config.gateway.timezone,
                forward_factor=config.factor.forward_to_meters,
            )
            for meter in line.meter
        ]
        for meter in meters:
            meter.serial_number = serial_numbers.get(meter.id)
        settings = LineSettings(
            line.name,
            config.interval_ms,
            phase(index, len(config.line), shortest),
            1000 * line.longest_silence_seconds,
            config.gateway.timezone,
            line.timeout_ms,
            getattr(line, "pause_after_connect_ms", 0),
        )
        lines.append(make(settings, carried.bus, meters))
    return lines


def build_metering(loaded: Loaded, states: Mapping[str, tuple[bytes | None, int | None]]) -> dict[str, Metering]:
    """Return every meter's integrator, gone on from its stored state; MeteringError when a state can't be used."""
    config = loaded.config
    found: dict[str, Metering] = {}
    for line in config.line:
        for meter in line.meter:
            metering = _metering(meter, loaded.profiles[meter.id], config)
            state, _ = states.get(meter.id, (None, None))
            if state is not None:
                metering.restore(state)
            found[meter.id] = metering
    return found


def _metering(meter: Meter, profile: Profile, config: AgentConfig) -> Metering:
    interval_ms, timezone = config.interval_ms, config.gateway.timezone
    end = profile.points["energy_forward"].rollover
    if meter.has_emission_register:
        return GeneratingUnit(
            meter, profile.points[EMISSION], interval_ms=interval_ms, timezone=timezone, register_end_mwh=end
        )
    schedule = own_schedule(meter)
    return Metering(meter, interval_ms=interval_ms, timezone=timezone, register_end_mwh=end, schedule=schedule)


def link_settings(config: AgentConfig) -> LinkSettings:
    """Return how to reach the broker."""
    broker = config.broker
    return LinkSettings(
        host=broker.host,
        port=broker.port,
        client_id=f"diantan-agent-{config.gateway.id}",
        username=broker.username,
        password_file=broker.password_file,
        ca_file=broker.ca_file,
        cert_file=broker.cert_file,
        key_file=broker.key_file,
        tls=broker.tls,
        keepalive_s=broker.keepalive_seconds,
        protocol=broker.protocol,
    )


def uplink_settings(config: AgentConfig) -> UplinkSettings:
    """Return how records are to travel."""
    uplink = config.uplink
    return UplinkSettings(
        config.gateway.id,
        uplink.batch,
        uplink.window,
        float(1000 * uplink.linger_seconds),
        1000.0 * uplink.timeout_seconds,
        1000.0 * uplink.longest_timeout_seconds,
        uplink.drain_records_per_second,
    )
