"""One poll of one meter: who it is, its energies, what else is wanted, and the carbon factor given to it."""

from collections.abc import Callable
from typing import Final

from agent.line_meter import FACTOR, LineMeter
from agent.logs import log
from agent.reading import Reading
from fieldbus.exchange import LineError, RefusedError, UnsupportedError
from profiles import Block
from profiles.model import CodecError, NoValueError

_NOT_TAKEN: Final = (RefusedError, UnsupportedError, CodecError)  # asking again would bring the same


class Poller:
    """Asks a line's meters; knows nothing of when."""

    def __init__(
        self,
        line: str,
        timezone: str,
        now_ms: Callable[[], int],
        factor_at: Callable[[int], tuple[int, int | None] | None],
    ) -> None:
        self._line = line
        self._timezone = timezone
        self._now_ms = now_ms
        self._factor_at = factor_at

    async def read(self, meter: LineMeter, *, brief: bool = False) -> Reading:
        """Ask for a meter's blocks, or (`brief`) for its energies alone; LineError or CodecError when those don't come.

        Of what stands beside the energies, a block that is refused is left out, and one that is not answered ends the
        poll: what the meter has said until then counts.
        """
        serial = await self._identify(meter) if meter.identity_due else None
        exchanged = serial is not None and meter.serial_number not in (None, serial)
        energy: dict[str, int] = {}
        blocks: list[tuple[Block, bytes]] = []
        time_ms = 0
        emission_ms: int | None = None
        for index, block in enumerate(meter.blocks):
            if meter.is_needed(block):
                data = await meter.driver.read(meter.address, block)
                time_ms = self._now_ms()
                energy |= _only(block, meter.energy_points, data)
            elif (brief or not meter.wants(index)) and not meter.has_emission(block):
                continue
            else:
                try:
                    data = await meter.driver.read(meter.address, block)
                except (LineError, CodecError) as error:
                    self.warn(meter, error)
                    meter.answered(index, well=False)
                    if isinstance(error, LineError) and error.silent:
                        break
                    continue
                if meter.has_emission(block):
                    emission_ms = self._now_ms()
                meter.answered(index, well=True)
            blocks.append((block, data))
        reading = Reading(
            meter.id,
            time_ms,
            energy["energy_forward"],
            energy.get("energy_reverse", 0),
            blocks,
            exchanged=exchanged,
            serial_number=serial,
            emission_ng=self._emission(meter, blocks),
            emission_ms=emission_ms,
            brief=brief,
        )
        if serial is not None:
            meter.serial_number = serial
        meter.identity_due = False
        return reading

    def _emission(self, meter: LineMeter, blocks: list[tuple[Block, bytes]]) -> int | None:
        """Return a generating unit's emission register in ng; None where it has none, or no value came."""
        for block, data in blocks:
            if meter.emission_point is not None and meter.has_emission(block):
                try:
                    return block.decode(data).get(meter.emission_point)
                except CodecError as error:
                    self.warn(meter, error)
        return None

    async def _identify(self, meter: LineMeter) -> int | None:
        if meter.identity is None:
            return None
        try:
            return meter.identity.decode(await meter.driver.read(meter.address, meter.identity)).get("serial_number")
        except (LineError, CodecError) as error:
            if isinstance(error, LineError) and error.silent:
                raise
            self.warn(meter, error)
            return None

    async def forward_factor(self, meter: LineMeter) -> None:
        """Give the meter the factor of the running slot, so that its own carbon registers count with it."""
        if meter.profile is None:
            return
        applies = self._factor_at(self._now_ms())
        if applies is None or applies == meter.factor_written or not meter.wants(FACTOR):
            return
        try:
            slot_ms, factor = applies
            fields = {"time": slot_ms, "carbon_factor": factor}
            await meter.driver.write(meter.address, meter.profile.command("factor", fields, self._timezone))
        except (LineError, CodecError) as error:
            log.warning("the carbon factor was not taken: %s", error, extra=about(meter, error))
            if isinstance(error, _NOT_TAKEN):
                meter.factor_written = applies  # it refused; the next factor may please it
            else:
                meter.answered(FACTOR, well=False)
            return
        meter.answered(FACTOR, well=True)
        meter.factor_written = applies

    def warn(self, meter: LineMeter, error: Exception) -> None:
        """Log a failure, with line and address."""
        where = "unit" if meter.driver.protocol == "modbus" else "address"
        log.warning("line %s, %s %s: %s", self._line, where, meter.address, error, extra=about(meter, error))


def _only(block: Block, names: frozenset[str], data: bytes) -> dict[str, int]:
    """Return the named points of a block; NoValueError when the meter has none for one of them."""
    values = block.decode(data)
    wanted = [point.name for point in block.points if point.name in names]
    for name in wanted:
        if name not in values:
            raise NoValueError(f"{name}: the meter has no value")
    return {name: values[name] for name in wanted}


def about(meter: LineMeter, error: Exception) -> dict[str, str]:
    """Return what a log entry says of an error."""
    return {"about": meter.id, "kind": type(error).__name__}
