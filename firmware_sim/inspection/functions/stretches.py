"""How the device's clock went beside the bench's time: stretches in which both passed evenly, and jumps between."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(slots=True)
class Stretch:
    """From one instant of the bench to another, and what the device's clock showed at both."""

    begin: Fraction
    end: Fraction
    device_begin: Fraction
    device_end: Fraction

    def device_at(self, instant: Fraction) -> Fraction:
        """Return what the device shows at the bench's instant."""
        if self.end == self.begin:
            return self.device_begin
        rate = (self.device_end - self.device_begin) / (self.end - self.begin)
        return self.device_begin + (instant - self.begin) * rate

    def instant_of(self, device_ms: Fraction | int) -> Fraction:
        """Return the bench's instant at which the device shows a time of this stretch."""
        if self.device_end == self.device_begin:
            return self.begin
        rate = (self.end - self.begin) / (self.device_end - self.device_begin)
        return self.begin + (device_ms - self.device_begin) * rate


class Stretches:
    """All of them, in the order of the bench's time; the last one goes on until it is told otherwise."""

    def __init__(self, instant: Fraction, device_ms: Fraction) -> None:
        self._all = [Stretch(instant, instant, device_ms, device_ms)]

    def extend(self, instant: Fraction) -> None:
        """Let the last one last until now, the device's clock running as true time does."""
        last = self._all[-1]
        if instant > last.end:
            last.device_end += instant - last.end
            last.end = instant

    def show(self, instant: Fraction, device_ms: Fraction) -> None:
        """Note what the device shows now; the difference came about evenly since the last time."""
        self.extend(instant)
        last = self._all[-1]
        last.device_end = device_ms
        self._all.append(Stretch(instant, instant, device_ms, device_ms))

    def jump(self, instant: Fraction, device_ms: Fraction) -> None:
        """Note that the clock was set: it shows another time from now on. How it went since the last is not known."""
        self._all.append(Stretch(instant, instant, device_ms, device_ms))

    def device_at(self, instant: Fraction) -> Fraction:
        """Return what the device shows now or showed lately, about."""
        last = self._all[-1]
        return last.device_end + instant - last.end

    def lasting(self, instant: Fraction) -> Fraction:
        """Return for how long nobody has noted what the device shows."""
        return instant - self._all[-1].begin

    def passed(self, device_ms: Fraction | int) -> Fraction:
        """Return the first instant at which the device showed a time or a later one; LookupError when it never did."""
        for stretch in self._all:
            if stretch.device_begin >= device_ms:
                return stretch.begin
            if stretch.device_end >= device_ms:
                return stretch.instant_of(device_ms)
        raise LookupError(f"the device's clock has not passed {device_ms} ms")

    def between(self, first: Fraction, last: Fraction) -> list[Stretch]:
        """Return the stretches between two instants, cut at both."""
        found = []
        for whole in self._all:
            begin, end = max(whole.begin, first), min(whole.end, last)
            if end > begin:
                found.append(Stretch(begin, end, whole.device_at(begin), whole.device_at(end)))
        return found
