"""Every seeded defect, in the order of the mutation table."""

from collections.abc import Iterable
from typing import Final

from firmware_sim.inspection.defects import carbon, factors, front_end, line, power, registers, storage
from firmware_sim.inspection.defects.defect import Defect

ALL: Final[tuple[Defect, ...]] = (
    *front_end.DEFECTS,
    *carbon.DEFECTS,
    *factors.DEFECTS,
    *storage.DEFECTS,
    *registers.DEFECTS,
    *power.DEFECTS,
    *line.DEFECTS,
)
BY_ID: Final = {defect.id: defect for defect in ALL}


class UnknownDefectError(ValueError):
    """A defect that there is none of."""


def chosen(ids: Iterable[str]) -> list[Defect]:
    """Return the defects with these ids, without ids all; UnknownDefectError."""
    wanted = list(ids)
    for name in wanted:
        if name not in BY_ID:
            raise UnknownDefectError(f"no defect {name!r}; there are {', '.join(BY_ID)}")
    return [BY_ID[name] for name in wanted] or list(ALL)
