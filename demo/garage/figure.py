"""Both halves of the year side by side, each charger twice, as a figure of errors."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cloud_receiver.figures.errors import ChargerError, Decision, ErrorPicture, draw
from demo.garage.files import STATION, ZONE


def draw_halves(halves: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw what was estimated from each half alone."""
    pairs = zip(*(half["chargers"] for half in halves), strict=True)
    chargers = [_error(one, place) for pair in pairs for place, one in enumerate(pair, 1)]
    zone = ZoneInfo(ZONE)
    spans = [
        " .. ".join(f"{datetime.fromtimestamp(half[edge] / 1000, zone):%Y-%m-%d}" for edge in ("first_ms", "end_ms"))
        for half in halves
    ]
    period = "   ".join(f"({place}) {span}" for place, span in enumerate(spans, 1))
    draw(ErrorPicture(f"{STATION}, by halves 前后两半", chargers, period=period, zone=ZONE), path)


def _error(one: Mapping[str, Any], place: int) -> ChargerError:
    charged = bool(one["active_windows"])
    return ChargerError(
        f"{one['meter']} ({place})",
        one["error"] if charged else None,
        one["u"] if charged else None,
        one["limit"],
        Decision(one["decision"]),
    )
