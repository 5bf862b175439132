"""The connection itself, where a real broker would not show the difference reliably."""

from wire.connection import _READ_AT_ONCE, Connection


def test_one_wake_up_reads_no_flood() -> None:
    """Paho reads a packet for each publish on the way at a time: counted are messages, not calls."""
    connection = object.__new__(Connection)
    connection._arrived = 0
    connection._socket = None

    class Busy:
        def loop_read(self) -> None:
            connection._arrived += 20

    connection._client = Busy()  # type: ignore[assignment]  # all that reading needs of a client
    connection._guarded = lambda work: work()  # type: ignore[assignment,method-assign]  # nothing goes wrong here
    connection._read()
    assert _READ_AT_ONCE <= connection._arrived < _READ_AT_ONCE + 20
