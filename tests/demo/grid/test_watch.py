"""Several gateways together: what is written and what waits."""

from dataclasses import replace

from demo.grid.watch import sum_of
from wire.messages import Status, StatusState
from wire.records import ClockState

STATUS = Status(
    gateway="a",
    state=StatusState.HEALTH,
    time_ms=5,
    context=bytes(8),
    next_sequence=11,
    unacknowledged=2,
    clock_state=ClockState.SYNCHRONISED,
)


def test_records_of_all_gateways_are_summed() -> None:
    """As one status, which the display shows."""
    together = sum_of([STATUS, replace(STATUS, gateway="b", next_sequence=1, unacknowledged=0)])
    assert together is not None
    assert (together.next_sequence - 1, together.unacknowledged) == (10, 2)
    assert sum_of([]) is None
