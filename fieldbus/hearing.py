"""What a line's bus hears: octets in, through every protocol's framing, frames and noise out."""

from collections.abc import Callable, Sequence

from fieldbus.exchange import Framing, Heard, Noise
from fieldbus.noise import Burst


class Hearing:
    """The framings of a line. Each gets every octet, since nothing else tells whose they are."""

    def __init__(
        self,
        gap_s: float,
        on_frame: Callable[[Framing, Heard], None],
        on_noise: Callable[[Noise], None],
        on_lost: Callable[[Noise], None],
    ) -> None:
        """`gap_s` is the line's silence that ends a broken frame; `on_lost` is told when a framing has lost its place.

        `on_noise` is told late: only when it is known that no framing makes anything of the octets.
        """
        self._line_gap_s = gap_s
        self._on_frame = on_frame
        self._on_noise = on_noise
        self._on_lost = on_lost
        self._framings: list[Framing] = []
        self._burst = Burst()

    def attach(self, framing: Framing) -> None:
        """Listen with this framing, too."""
        if framing not in self._framings:
            self._framings.append(framing)

    @property
    def gap_s(self) -> float | None:
        """What silence ends the unfinished frames; None when there is none."""
        pauses = [framing.longest_pause_s for framing in self._framings if framing.pending]
        return max(self._line_gap_s, *pauses) if pauses else None

    def feed(self, data: bytes) -> None:
        """Take octets as they come."""
        whole: Framing | None = None
        for framing in self._framings:
            events = framing.feed(data)
            self._take(framing, events)
            if events and isinstance(events[-1], Heard) and not framing.pending:
                whole = framing
        if whole is not None and len(self._framings) > 1:
            # One has found a frame that ends here: no other one need wait for more of it.
            self._give_up(whole)

    def flush(self) -> None:
        """Give up unfinished frames: the line was silent long enough, or a new request begins."""
        self._give_up(None)
        self.settle()

    def settle(self) -> None:
        """Tell of what no framing knew what to do with, unless one still waits for more."""
        if self.gap_s is None:
            for noise in self._burst.end(self._framings):
                self._on_noise(noise)

    def forget(self) -> None:
        """Forget the beginnings of frames that an old connection brought."""
        for framing in self._framings:
            framing.flush()
        self._burst = Burst()

    def _give_up(self, but: Framing | None) -> None:
        for framing in self._framings:
            if framing is not but and framing.pending:
                self._take(framing, framing.flush())

    def _take(self, framing: Framing, events: Sequence[Heard | Noise]) -> None:
        for event in events:
            if isinstance(event, Heard):
                self._burst.heard(framing, event)
                self._on_frame(framing, event)
                continue
            self._burst.noise(framing, event)
            if event.lost:
                self.settle()
                self._on_lost(event)
