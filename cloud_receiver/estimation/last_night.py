"""What was said of a station last: what a night goes on from is read and understood once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, bindparam, literal_column, select

from cloud_receiver.checks.model import STATION
from cloud_receiver.estimation.result import HalvesResult
from cloud_receiver.schema import error_estimate
from wire.domain import MAX_TIME_MS

_TABLE: Final = error_estimate.c
_STATION: Final = bindparam("station", type_=BigInteger)
# The condition of the index, to the letter.
_OF_STATION: Final = (
    _TABLE.station == _STATION,
    _TABLE.meter == literal_column(str(STATION)),
    _TABLE.made_ms <= bindparam("until_ms", type_=BigInteger),
)
_NEWEST: Final = (
    select(_TABLE.end_ms, _TABLE.made_ms)
    .where(*_OF_STATION)
    .order_by(_TABLE.made_ms.desc(), _TABLE.end_ms.desc())
    .limit(1)
    .subquery()
)
_LAST: Final = select(_TABLE.meter, _TABLE.made_ms, _TABLE.content).where(
    _TABLE.station == _STATION, _TABLE.end_ms == _NEWEST.c.end_ms, _TABLE.made_ms == _NEWEST.c.made_ms
)
_MADE: Final = select(_TABLE.made_ms).where(*_OF_STATION).order_by(_TABLE.made_ms.desc()).limit(1)


@dataclass(frozen=True, slots=True)
class LastNight:
    """What was said last, and when: of the station, and of each charger by its number, as it was kept."""

    made_ms: int | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    chargers: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def decisions(self) -> dict[int, str]:
        """Return what was decided of each charger."""
        return {number: one["decision"] for number, one in self.chargers.items()}

    @property
    def nights(self) -> dict[int, int]:
        """Return for how many nights running nothing was decided of each charger."""
        return {number: one.get("nights", 0) for number, one in self.chargers.items()}

    @property
    def findings(self) -> frozenset[str]:
        """Return the names of what was found."""
        return frozenset(item["name"] for item in self.about.get("findings", ()))

    @property
    def halves(self) -> HalvesResult | None:
        """Return what the halves of the last run over all windows said; a run of a day carries it on."""
        found = self.about.get("halves")
        if found is None:
            return None
        return HalvesResult(**found | {"chargers": tuple(tuple(one) for one in found["chargers"])})


def read(connection: Connection, station: int, until_ms: int = MAX_TIME_MS) -> LastNight:
    """Return what was said of a station last; nothing where that never was.

    What was made later than `until_ms` was by a clock that was ahead, and is not the last word.
    """
    rows = connection.execute(_LAST, {"station": station, "until_ms": until_ms}).all()
    content = {meter: json.loads(text) for meter, _, text in rows}
    return LastNight(rows[0][1], content.pop(STATION), content) if rows else LastNight()


def made_ms(connection: Connection, station: int, until_ms: int = MAX_TIME_MS) -> int | None:
    """Return when it was said."""
    return connection.execute(_MADE, {"station": station, "until_ms": until_ms}).scalar()
