"""What two centres that talked have heard of each other, and found."""

from typing import Any

from receiver_support import DAY_MS, SLOT_MS

from cloud_receiver.database import reading
from cloud_receiver.grid import findings
from cloud_receiver.levels import book
from cloud_receiver.levels.partner import Side

MWH = 1_000_000


def said(centre: Any, side: Side = Side.THEIRS) -> dict[int, tuple[int | None, int | None, int | None]]:
    """Return energy forward in kWh, factor and carbon in kg of what a side said, by slot of the day."""
    with reading(centre.engine) as connection:
        found = book.newest(connection, centre.partner.centre, side, DAY_MS, DAY_MS + 96 * SLOT_MS)
    return {
        (start - DAY_MS) // SLOT_MS: (
            None if item.forward_mwh is None else item.forward_mwh // MWH,
            item.factor,
            None if item.carbon_forward_ug is None else item.carbon_forward_ug // 10**9,
        )
        for start, item in found.items()
    }


def told(centre: Any) -> list[tuple[str, str, int]]:
    """Return kind, state and begin of what a centre has found, what is closed included."""
    with reading(centre.engine) as connection:
        return [(item.kind, item.state, item.first_ms) for item in findings.listed(connection, closed=True)]
