"""A meter's own clock (电能表时钟): an offset, a drift, and the moments at which somebody set it."""

from fractions import Fraction


def _rate(drift_ppm: Fraction) -> Fraction:
    rate = 1 + drift_ppm / 10**6
    if rate <= 0:
        raise ValueError(f"a clock that drifts by {drift_ppm} ppm does not run")
    return rate


class DeviceClock:
    """Maps true time to what the meter believes, in whole ms, and back.

    `drift_ppm` above 0 means that the meter's clock runs fast (10 ppm: 0.864 s a day).
    """

    def __init__(self, start_ms: int, *, offset_ms: int = 0, drift_ppm: Fraction = Fraction(0)) -> None:
        self._rate = _rate(drift_ppm)
        self._true_ms = start_ms
        self._device_ms = start_ms + offset_ms

    def at(self, true_ms: int) -> int:
        """Return the meter's time at a true instant."""
        return self._device_ms + (true_ms - self._true_ms) * self._rate.numerator // self._rate.denominator

    def when(self, device_ms: int) -> int:
        """Return the first true instant at which the meter's clock shows at least `device_ms`."""
        return self._true_ms - (self._device_ms - device_ms) * self._rate.denominator // self._rate.numerator

    def set_time(self, true_ms: int, device_ms: int) -> None:
        """Set the clock; it drifts on from there."""
        self._true_ms, self._device_ms = true_ms, device_ms

    @property
    def drift_ppm(self) -> Fraction:
        """How fast it runs."""
        return (self._rate - 1) * 10**6

    def set_drift(self, true_ms: int, drift_ppm: Fraction) -> None:
        """Let it drift otherwise from an instant on."""
        rate = _rate(drift_ppm)
        self.set_time(true_ms, self.at(true_ms))
        self._rate = rate
