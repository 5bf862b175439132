"""The device under test (被检表) on a line, asked by its profile as a gateway would ask it."""

from collections.abc import Callable, Mapping
from typing import Final

from clock import Clock
from fieldbus.connection import connection
from fieldbus.drivers.base import Address
from fieldbus.exchange import LineError, RefusedError
from fieldbus.lines import Line, ModbusTcpLine
from fieldbus.opened import connect
from firmware_sim.inspection.bench import Ability, DutError, DutRefusedError
from profiles import Block, Profile
from profiles.model import CodecError

SILENCE_S: Final = 0.7
"""After octets that are no request: longer than a meter on a serial line or behind a network waits for their rest."""

_BY_POINT: Final = {
    "carbon_forward": Ability.CARBON,
    "device_time": Ability.CLOCK_READ,
    "energy_reverse": Ability.REVERSE,
}
_BY_WRITE: Final = {"factor": Ability.FACTOR, "factor_day": Ability.FACTOR, "clock": Ability.CLOCK_SET}
_BY_TABLE: Final = {
    "daily_freezes": Ability.DAILY_FREEZES,
    "monthly_freezes": Ability.MONTHLY_FREEZES,
    "daily_carbon": Ability.DAILY_CARBON,
    "factor_history": Ability.FACTOR_HISTORY,
}


def abilities_of(profile: Profile) -> frozenset[Ability]:
    """Return what a profile lets a device do; any line takes octets of any kind."""
    found = {Ability.RAW}
    found |= {ability for name, ability in _BY_POINT.items() if name in profile.points}
    found |= {ability for name, ability in _BY_WRITE.items() if name in profile.writes}
    found |= {ability for name, ability in _BY_TABLE.items() if name in profile.tables}
    return frozenset(found)


class LineDut:
    """A device on a Modbus TCP, TCP, serial or dial-in line (fieldbus.lines)."""

    def __init__(
        self,
        line: Line,
        address: Address,
        profile: Profile,
        clock: Clock,
        *,
        timezone: str,
        more: frozenset[Ability] = frozenset(),
        less: frozenset[Ability] = frozenset(),
        retries: int = 0,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Make a device that is not yet connected.

        `more` and `less` are abilities that the bench adds to those of the profile, or the plan takes away. A reading
        that is not answered is asked again up to `retries` times. `tell` is told that a meter is waited for.
        """
        self.profile = profile
        self.name = f"line {line.name}, address {address}"
        self._line = line
        self._address = address
        self._timezone = timezone
        self._abilities = (abilities_of(profile) | more) - less
        self._retries = retries
        self._tell = tell
        carried = connection(line, {profile.protocol: {address: profile}}, clock, timezone=timezone)
        self.bus = carried.bus
        self._driver = carried.drivers[profile.protocol]
        self._plans: dict[tuple[str, ...], list[Block]] = {}

    @property
    def abilities(self) -> frozenset[Ability]:
        """What can be done with it."""
        return self._abilities

    async def open(self) -> None:
        """Connect, or wait until the device dials in; DutError."""
        try:
            await connect(self.bus, self._line, self._tell)
        except LineError as error:
            raise DutError(f"{self.name}: {error}") from error

    def close(self) -> None:
        """Close the line."""
        self.bus.close()

    def resolution(self, point: str) -> int:
        """Return the step of a point in canonical units; KeyError when the profile has no such point."""
        return self.profile.points[point].resolution

    async def read(self, *points: str) -> Mapping[str, int]:
        """Read points by standard name, in canonical units; what the device has no value for is absent.

        KeyError for a point that the profile has not.
        """
        plan = self._plans.get(points)
        if plan is None:
            wanted = [self.profile.points[name] for name in points]
            plan = self._plans[points] = self.profile.plan(wanted, self._timezone)
        wanted_names = set(points)
        values = await self._values(plan, f"read {', '.join(points)}")
        return {name: value for name, value in values.items() if name in wanted_names}

    async def row(self, table: str, number: int) -> Mapping[str, int]:
        """Read a row of a table (profiles.points.TABLES); empty when the device has nothing there.

        Rows count from 1. KeyError for a table, IndexError for a row that the profile has not.
        """
        return await self._values(self.profile.plan_row(table, number, self._timezone), f"read row {number} of {table}")

    async def write(self, name: str, fields: Mapping[str, int | None]) -> None:
        """Write (profiles.points.WRITES); DutRefusedError when the device does not take it.

        KeyError for a write that the profile has not.
        """
        about = f"write {name}"
        try:
            command = self.profile.command(name, fields, self._timezone)
        except CodecError as error:
            raise DutError(f"{self.name}, {about}: the profile can't say {_shown(fields)}: {error}") from error
        await self._reach(about)
        try:
            await self._driver.write(self._address, command)
        except LineError as error:
            raise self._told(error, about) from error

    async def raw(self, octets: bytes) -> None:
        """Put octets on the line and let silence follow (Ability.RAW).

        A Modbus TCP connection ends with it: its frames are told apart by their lengths alone, so nobody who was sent
        half a frame can find the next one there. The device must answer on a new one.
        """
        await self._reach("raw octets")
        try:
            await self.bus.raw(octets, SILENCE_S)
        except LineError as error:
            raise self._told(error, f"raw octets {octets[:16].hex(' ')}") from error
        if isinstance(self._line, ModbusTcpLine):
            self.bus.close()

    async def _values(self, plan: list[Block], about: str) -> dict[str, int]:
        values: dict[str, int] = {}
        for block in plan:
            reply = await self._reply(block, about)
            try:
                values |= block.decode(reply)
            except CodecError as error:
                raise DutError(f"{self.name}, {about}: {error}; the reply was {reply[:64].hex(' ')}") from error
        return values

    async def _reply(self, block: Block, about: str) -> bytes:
        left = self._retries
        while True:
            await self._reach(about)
            try:
                return await self._driver.read(self._address, block)
            except CodecError as error:
                raise DutError(f"{self.name}, {about}: {error}") from error
            except LineError as error:
                if isinstance(error, RefusedError) or left == 0:
                    raise self._told(error, about) from error
                left -= 1

    async def _reach(self, about: str) -> None:
        """Connect anew where the connection is gone."""
        if self.bus.connected:
            return
        try:
            await connect(self.bus, self._line, self._tell)
        except LineError as error:
            raise self._told(error, about) from error

    def _told(self, error: LineError, about: str) -> DutError:
        kind = DutRefusedError if isinstance(error, RefusedError) and not error.silent else DutError
        return kind(f"{self.name}, {about}: {error}")


def _shown(fields: Mapping[str, int | None]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in list(fields.items())[:4])
