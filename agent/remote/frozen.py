"""A meter's own freezes (冻结) of a midnight, asked now: for READ_DAY."""

from collections.abc import Callable, Mapping
from typing import Final
from zoneinfo import ZoneInfo

from agent.freezes import TABLES, frozen_carbon, midnights_between, shown, step_to
from agent.remote.asking import Asking, ends_asking
from fieldbus.exchange import LineError
from profiles import Profile
from profiles.model import CodecError
from wire.domain import RecordError, check_record
from wire.records import FreezeKind, FreezeRecord, FreezeSource

_COMPLETED: Final = ("energy_reverse", "carbon_forward", "carbon_reverse")


class NoFreezeError(Exception):
    """A freeze that is not to be had; `final`: nor is any other of this meter now."""

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final = final


class MeterRows:
    """Asks for rows of the meters' freeze tables."""

    def __init__(
        self, asking: Asking, profiles: Mapping[str, Profile], timezone: str, now_ms: Callable[[], int]
    ) -> None:
        """`profiles` by meter; `timezone` is that of the meters' clocks."""
        self._asking = asking
        self._profiles = profiles
        self._timezone = timezone
        self._zone = ZoneInfo(timezone)
        self._now_ms = now_ms

    def keeps(self, meter: str, kind: FreezeKind) -> bool:
        """Whether a meter has freezes of a kind at all."""
        return TABLES[kind] in self._profiles[meter].tables

    async def read(self, meter: str, time_ms: int, kind: FreezeKind, own: FreezeRecord | None) -> FreezeRecord:
        """Return a meter's freeze of a midnight; NoFreezeError says why there is none.

        What the meter does not freeze is taken from the gateway's `own` freeze of that midnight.
        """
        row = 1 + midnights_between(time_ms, self._now_ms(), kind, self._zone)
        asked: set[int] = set()
        while True:
            asked.add(row)
            values = await self._row(meter, TABLES[kind], row)
            found = values.get("time")
            step = None if found is None else step_to(found, time_ms)
            if step == 0 and "energy_forward" in values:
                return self._record(meter, time_ms, kind, values, own)
            if found is None or not step:
                raise NoFreezeError(f"row {row} of {TABLES[kind]} is empty")
            if row + step < 1 or row + step in asked:
                raise NoFreezeError(f"row {row} of {TABLES[kind]} is of {shown(found, self._zone)}")
            row += step

    async def _row(self, meter: str, table: str, row: int) -> dict[str, int]:
        try:
            blocks = self._profiles[meter].plan_row(table, row, self._timezone)
        except IndexError:
            raise NoFreezeError(f"the meter does not keep row {row} of {table}") from None
        values: dict[str, int] = {}
        for block in blocks:
            try:
                found, _ = await self._asking.ask(meter, block)
            except (LineError, CodecError) as error:
                raise NoFreezeError(str(error), final=ends_asking(error)) from error
            values |= found
        return values

    def _record(
        self, meter: str, time_ms: int, kind: FreezeKind, values: Mapping[str, int], own: FreezeRecord | None
    ) -> FreezeRecord:
        forward = values["energy_forward"]
        if own is None and (absent := [name for name in _COMPLETED if name not in values]):
            raise NoFreezeError(
                f"{shown(time_ms, self._zone)}: energy_forward {forward} mWh; the meter does not freeze "
                f"{', '.join(absent)}, and the journal has no freeze to take them from"
            )
        reverse, carbon = 0, (0, 0)
        if own is not None:
            reverse, carbon = own.reverse_total_mwh, (own.carbon_forward_total_ug, own.carbon_reverse_total_ug)
        record = FreezeRecord(
            meter,
            time_ms,
            kind,
            forward,
            values.get("energy_reverse", reverse),
            *frozen_carbon(values, carbon),
            FreezeSource.METER,
        )
        try:
            check_record(record)
        except RecordError as error:
            raise NoFreezeError(str(error)) from error
        return record
