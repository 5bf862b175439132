"""How long things take on a line, and how long to wait for them; real seconds, since meters know no other."""

from dataclasses import dataclass
from typing import Final, Self

# Modbus over serial line 1.02, 2.5.1.1: frames are 3.5 characters apart; above 19200 Bd a fixed 1.75 ms.
FRAME_PAUSE_CHARACTERS: Final = 3.5
FASTEST_COUNTED_BAUD: Final = 19200
FIXED_FRAME_PAUSE_S: Final = 0.00175

_SERIAL_GAP_S: Final = 0.05  # three times what a USB adapter holds octets back (16 ms by default)
_NETWORK_GAP_S: Final = 0.5  # a lost TCP segment is sent again after 0.2 s or more
_LONGEST_FRAME: Final = 512  # octets; what a request may still wait for once its reply has begun


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTiming:
    """The times of a line."""

    timeout_s: float = 1.0  # from the end of a request until its reply begins
    gap_s: float = _NETWORK_GAP_S  # silence that ends a broken frame, where the protocol allows none that is longer
    pause_s: float = 0.0  # silence before every request
    character_s: float = 0.0  # what a character takes to send; 0 where the line is another machine's
    after_broadcast_s: float = 0.1  # Modbus over serial line 1.02, 2.4.1: 100 to 200 ms
    late_s: float = 60.0  # how long a reply may be late, at least, until it may no longer come
    longest_reply_s: float = 3.0  # from the time-out on, for a reply that has begun
    replace_after: int = 3  # requests in a row without a single octet; then the connection is replaced (0: never)

    @classmethod
    def serial(
        cls,
        baud: int,
        *,
        bits_per_character: int = 11,
        timeout_s: float = 1.0,
        gap_s: float | None = None,
        pause_s: float = 0.0,
        late_s: float = 60.0,
    ) -> Self:
        """Return the timing of a serial line: start, data, parity and stop bits make `bits_per_character`."""
        character_s = bits_per_character / baud
        frame_pause_s = FIXED_FRAME_PAUSE_S if baud > FASTEST_COUNTED_BAUD else FRAME_PAUSE_CHARACTERS * character_s
        return cls(
            timeout_s=timeout_s,
            gap_s=max(_SERIAL_GAP_S, 2 * frame_pause_s) if gap_s is None else gap_s,
            pause_s=max(pause_s, frame_pause_s),
            character_s=character_s,
            late_s=late_s,
            longest_reply_s=_LONGEST_FRAME * character_s + 1.0,
            replace_after=10,  # a port holds nothing back that a new one would not; but an adapter may need it
        )
