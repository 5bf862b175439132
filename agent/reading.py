"""A reading (抄读): what one poll of a meter brought, with the time at which it came."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.logs import log
from profiles import Block
from profiles.model import CodecError


@dataclass(frozen=True, slots=True)
class Reading:
    """One poll's values. Energies are decoded at once; the rest only if somebody asks."""

    meter: str
    time_ms: int  # when the reply with the energy registers arrived, ms UTC
    forward_mwh: int
    reverse_mwh: int
    blocks: Sequence[tuple[Block, bytes]] = field(default=(), repr=False)
    exchanged: bool = False  # the meter has another serial number than before
    serial_number: int | None = None  # where this poll asked for it
    emission_ng: int | None = None  # a generating unit's emission register (排放量), where this poll brought it
    emission_ms: int | None = None  # when the reply with it arrived, ms UTC; None: with the energies
    brief: bool = False  # only the energies were asked for; the rest follows

    def values(self) -> dict[str, int]:
        """Return every value read, by point name, in canonical units; a point without a usable value is absent."""
        values: dict[str, int] = {}
        for block, data in self.blocks:
            try:
                values |= block.decode(data)
            except CodecError as error:
                log.warning("some of its values can't be used: %s", error, extra={"about": self.meter})
        return values
