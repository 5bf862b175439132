"""A charging station: chargers with sessions, cable losses, auxiliary load, and the grid-side meter of their sum."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from firmware_sim.charger import Charger, OrderSettings
from firmware_sim.circuit import Circuit
from firmware_sim.config import CLASS_LIMITS, ChargerSection, MeterSection, StationConfig
from firmware_sim.curves import ConstantCurve, Curve
from firmware_sim.generated import AC, DC, GeneratedSessions
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.multifunction import MEASURED_BY_ALL, MultiFunctionSettings
from firmware_sim.orders import Prices
from firmware_sim.places import Served, address_of
from firmware_sim.replay import Replay, replay
from firmware_sim.sessions import Session, SessionCurve
from firmware_sim.tap import Tap
from firmware_sim.tariffs import DEFAULT_HOURS
from firmware_sim.wiring import Wiring, circuit_of
from profiles import Profile, ProfileError, load
from profiles.modbus.orders import RegisterOrders
from settings.errors import ConfigError

_DEFAULT_SESSIONS: Final = {"ac": Decimal(4), "dc": Decimal(10)}
_MW_PER_KW: Final = 10**6
_RESOLUTION_MWH: Final = 1_000


@dataclass(frozen=True, slots=True)
class SimulatedMeter:
    """A meter of the station, what it measures, and its model."""

    section: MeterSection
    role: str  # charger, grid, auxiliary
    load: Curve
    meter: Meter
    profile: Profile
    address: str | None  # of a DL/T meter


class Station:
    """Everything a station file describes, from its start on."""

    def __init__(self, config: StationConfig, start_ms: int, *, file: str = "station") -> None:
        self.config = config
        self.start_ms = start_ms
        self.zone = ZoneInfo(config.station.timezone)
        self.replay: Replay | None = None
        if config.sessions.file is not None:
            self.replay = replay(
                config.sessions.file,
                len(config.charger),
                self.zone,
                config.sessions.day,
                config.sessions.replay_on,
                days=config.sessions.days,
            )
        self.charger_loads = [self._charger_load(number, charger) for number, charger in enumerate(config.charger)]
        self.auxiliary = ConstantCurve(start_ms, int(config.auxiliary.load_w * 1000))
        self._wiring = Wiring(config, start_ms, self.charger_loads, self.auxiliary, file=file)
        self.meters = self._meters(file)

    @property
    def losses(self) -> Sequence[Curve]:
        """The loss of each charger's cable."""
        return self._wiring.losses

    @property
    def trunk_loss(self) -> Curve:
        """The loss of the trunk."""
        return self._wiring.trunk_loss

    @property
    def grid(self) -> Curve:
        """What flows through the grid-side meter."""
        return self._wiring.grid

    @property
    def served(self) -> list[Served]:
        """Return the meters as they are served."""
        return [Served(item.section, item.profile, item.meter, item.address) for item in self.meters]

    def _charger_load(self, number: int, charger: ChargerSection) -> SessionCurve:
        rated_mw = int(charger.rated_kw * _MW_PER_KW)
        return SessionCurve(self.start_ms, self.zone, rated_mw, self._sessions_of(number, charger, rated_mw))

    def _sessions_of(self, number: int, charger: ChargerSection, rated_mw: int) -> Callable[[date], Sequence[Session]]:
        if self.replay is not None:
            return partial(self.replay.of, number)
        return GeneratedSessions(
            seed=self.config.station.seed,
            charger=charger.id,
            zone=self.zone,
            rated_mw=rated_mw,
            per_day=_DEFAULT_SESSIONS[charger.kind] if charger.sessions_per_day is None else charger.sessions_per_day,
            v2g_share=charger.v2g_share,
            habits=AC if charger.kind == "ac" else DC,
        )

    def _meters(self, file: str) -> list[SimulatedMeter]:
        wanted: list[tuple[MeterSection, str, Curve]] = [
            (charger, "charger", load) for charger, load in zip(self.config.charger, self.charger_loads, strict=True)
        ]
        if self.config.grid is not None:
            wanted.append((self.config.grid, "grid", self.grid))
        if self.config.auxiliary.meter is not None:
            wanted.append((self.config.auxiliary.meter, "auxiliary", self.auxiliary))
        problems: list[str] = []
        meters = []
        for number, (section, role, curve) in enumerate(wanted, 1):
            try:
                profile = load(section.profile, section.parameters)
                address = address_of(section, profile.protocol, number)
            except ProfileError as error:
                problems += [f"{file}: meter {section.id}: {problem}" for problem in error.problems]
                continue
            except ValueError as error:
                problems.append(f"{file}: meter {section.id}: {error}")
                continue
            off = voltage_error(section, self.config.station.seed)
            tap = self._wiring.tap(section, role, number - 1, off)
            settings = self._settings(section, number, profile, address, tap=tap)
            meter = self._meter(curve, circuit_of(self.config, section), settings, profile)
            meters.append(SimulatedMeter(section, role, curve, meter, profile, address))
        if problems:
            raise ConfigError(problems)
        return meters

    def _meter(self, curve: Curve, circuit: Circuit, settings: MeterSettings, profile: Profile) -> Meter:
        if not isinstance(curve, SessionCurve) or not isinstance(profile.orders, RegisterOrders):
            return Meter(curve, circuit, settings)
        station, selling = self.config.station, self.config.orders
        prices = Prices(*(_micro(each) for each in (selling.electricity_price, selling.service_price)))
        orders = OrderSettings(profile.orders, prices, station.tariff_hours, selling.connector)
        return Charger(curve, circuit, settings, orders)

    def _settings(
        self, section: MeterSection, number: int, profile: Profile, address: str | None, *, tap: Tap | None
    ) -> MeterSettings:
        default = self.config.factor.default
        return MeterSettings(
            timezone=self.config.station.timezone,
            gain_error=gain_error(section, self.config.station.seed),
            resolution_mwh=resolution_of(section, profile),
            carbon_resolution_ng=int(section.carbon_resolution_kg * 10**12),
            startup_current_ma=section.startup_current_ma,
            clock_offset_ms=section.clock_offset_ms,
            clock_drift_ppm=Fraction(section.clock_drift_ppm),
            default_factor=None if default is None else int(default * 10**6),
            initial_forward_mwh=int(section.initial_forward_kwh * 10**6),
            initial_reverse_mwh=int(section.initial_reverse_kwh * 10**6),
            serial_number=number if section.serial_number is None else section.serial_number,
            meter_constant=section.meter_constant,
            parameters=dict(section.parameters),
            multi_function=multi_function(profile, address, self.config.station.tariff_hours, tap),
            tap=tap,
        )


def _micro(prices: Sequence[Decimal]) -> tuple[int, ...]:
    return tuple(int(price * 10**6) for price in prices)


def multi_function(
    profile: Profile, address: str | None, hours: Sequence[int] = DEFAULT_HOURS, tap: Tap | None = None
) -> MultiFunctionSettings | None:
    """Return what a multi-function meter needs; None for a model that shows nothing of that, which is quicker."""
    if profile.points.keys() <= MEASURED_BY_ALL:
        return None
    number = int(address) if address is not None and address.isdecimal() else None
    loads = () if tap is None else tap.phase_loads
    return MultiFunctionSettings(tuple(hours), communication_address=number, phase_loads=loads)


def resolution_of(section: MeterSection, profile: Profile) -> int:
    """Return the step of the energy registers in mWh: as given, or 0.001 kWh.

    With tariffs it is the step that the meter shows, so that the four add up to the total in what is read too.
    """
    if section.resolution_kwh is not None:
        return int(section.resolution_kwh * 10**6)
    tariffs = any(name.startswith("energy_forward_t") for name in profile.points)
    shown = profile.points.get("energy_forward")
    return shown.resolution if tariffs and shown is not None else _RESOLUTION_MWH


def gain_error(section: MeterSection, seed: int) -> Fraction:
    """Return a meter's gain error: as given, or drawn from the seed within half of the limit of its class."""
    return _error(section.gain_error, section, f"{seed}/{section.id}/gain")


def voltage_error(section: MeterSection, seed: int) -> Fraction:
    """Return the error of the voltage that a meter shows, likewise."""
    return _error(section.voltage_error, section, f"{seed}/{section.id}/voltage")


def _error(given: Decimal | str, section: MeterSection, stream: str) -> Fraction:
    if given != "random":
        return Fraction(given)
    half_limit = CLASS_LIMITS[section.accuracy_class] / 200
    # Drawn in steps of 10⁻⁷, so that the error is a short exact number.
    steps = int(half_limit * 10**7)
    return Fraction(random.Random(stream).randint(-steps, steps), 10**7)  # noqa: S311


def start_of(config: StationConfig, now_ms: int) -> int:
    """Return when the station begins: as its file says (local time unless it has an offset), or last local midnight."""
    zone = ZoneInfo(config.station.timezone)
    start = config.station.start
    if start is None:
        start = datetime.fromtimestamp(now_ms / 1000, zone).date()
    if not isinstance(start, datetime):
        start = datetime.combine(start, time())
    if start.tzinfo is None:
        start = start.replace(tzinfo=zone)
    return round(start.timestamp() * 1000)
