"""Chargers of which nothing could be decided for many nights: whoever escapes judgement shall not be overlooked."""

import logging
from dataclasses import replace
from typing import Final

from cloud_receiver.estimation.last_night import LastNight
from cloud_receiver.estimation.result import StationFinding, StationResult

log = logging.getLogger(__name__)

UNJUDGED: Final = "unjudged"
NIGHTS: Final = 14
"""Two weeks of readings are enough for a charger that charges."""
_SAME_NIGHT_MS: Final = 12 * 3_600_000


def counted(found: StationResult, before: LastNight, now_ms: int) -> StationResult:
    """Return a night's result with how many nights running each charger was undetermined, named from `NIGHTS` on."""
    another = before.made_ms is None or now_ms - before.made_ms > _SAME_NIGHT_MS
    nights = before.nights
    chargers = tuple(
        replace(one, nights=max(nights.get(one.number, 0) + another, 1)) if one.decision == "undetermined" else one
        for one in found.chargers
    )
    late = [one for one in chargers if one.nights >= NIGHTS]
    findings = [
        StationFinding(UNJUDGED, (one.meter,), {"nights": float(one.nights), "reason": one.reason or ""}, blocks=False)
        for one in late
    ]
    for one in late:
        if another and one.nights % NIGHTS == 0:
            log.warning("station %s: %s not judged for %d nights: %s", found.station, one.meter, one.nights, one.reason)
    return replace(found, chargers=chargers, findings=(*found.findings, *findings))
