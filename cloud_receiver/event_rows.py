"""Conditions by which events are found: as the partial indexes of their table have them, to the letter.

No planner takes a value that is bound for the one an index was made with.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import ColumnElement, and_, literal

from cloud_receiver.schema import event
from wire.records import EventCode


def _literal(code: EventCode) -> ColumnElement[int]:
    return literal(int(code), literal_execute=True)


OPENED: Final = event.c.code == _literal(EventCode.CONTEXT_OPENED)
"""The beginnings of journals, by (journal, sequence)."""
MEANS: Final = event.c.code == _literal(EventCode.VOLTAGE_MEANS)
"""Means of voltage, by time."""
_OTHERS: Final = event.c.code != _literal(EventCode.VOLTAGE_MEANS)


def told(codes: Iterable[int]) -> ColumnElement[bool]:
    """Return the condition of events of some codes, means of voltage not among them: by (station, code, time)."""
    return and_(event.c.code.in_(sorted(int(code) for code in codes)), _OTHERS)
