"""What is counted: time of intervals, summed over meters, that was expected, that is there, and when it came."""

from dataclasses import dataclass, fields
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from cloud_receiver.checks.model import SLOT_MS

_CENT: Final = Decimal("0.01")
_TENTH: Final = Decimal("0.1")


@dataclass(slots=True)
class Figures:
    """Times in ms, summed over meters: a slot (时段) is 15 minutes of one meter, however long its intervals are."""

    expected_ms: int = 0
    present_ms: int = 0
    in_15_min_ms: int = 0
    """Stored at the centre within 15 minutes of the interval's end."""
    in_60_min_ms: int = 0
    by_day_end_ms: int = 0
    """Stored by the end of the local day and the time of grace of the checks."""
    interpolated_ms: int = 0
    estimated_ms: int = 0
    partial_ms: int = 0
    """Of what is present, what its gateway interpolated or estimated, and what lacks part of its energy."""
    substituted_ms: int = 0
    """Not there, and estimated by the centre (估补)."""

    def add(self, other: "Figures") -> None:
        """Add another's times."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def missing_ms(self) -> int:
        """Return what was expected and is not there."""
        return max(0, self.expected_ms - self.present_ms)

    def percent(self, amount_ms: int) -> Decimal | None:
        """Return a share of what was expected, cut to hundredths: what is not complete never shows as 100."""
        if not self.expected_ms:
            return None
        share = Decimal(min(amount_ms, self.expected_ms) * 100) / Decimal(self.expected_ms)
        return share.quantize(_CENT, "ROUND_DOWN")

    def of_present(self, amount_ms: int) -> Decimal | None:
        """Return a share of what is there, to hundredths."""
        if not self.present_ms:
            return None
        return (Decimal(amount_ms * 100) / Decimal(self.present_ms)).quantize(_CENT, ROUND_HALF_EVEN)


def slots(amount_ms: int) -> str:
    """Return a time in slots, to tenths where it is no whole number of them."""
    whole, rest = divmod(amount_ms, SLOT_MS)
    return f"{(Decimal(amount_ms) / SLOT_MS).quantize(_TENTH, ROUND_HALF_EVEN):f}" if rest else str(whole)
