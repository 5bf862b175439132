"""What is made of voltages: the loss of each branch as the product measures it, and by ordinary least squares."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.estimation.sites import Floats
from bench.estimation.voltages import Mains, Means, Voltages
from diantan_core import DropBranch, DropMeter, voltage_drop

TRUST = 0.04  # `voltage_drop_percent` as shipped: how far a drop doesn't say a loss
OWN_SD, ODD = 0.3, 3.0  # how far branches lie about their level, and beyond how many deviations one is none of its kind
NEGATIVE, MOST = -3.0, 0.1  # standard uncertainties below none, loss at rated power: beyond it nothing is believed
SINGLE_KW = 8.0  # up to which a charger is taken to be on one phase, and believed beside a phase of the master only
NORMAL_95 = 1.96


@dataclass(frozen=True)
class Branches:
    """Of one station, by charger, 1/kW: the truth and what was found; NaN where nothing was."""

    true: Floats
    loss: Floats
    u_drop: Floats  # of the drop
    ordinary: Floats  # by least squares beside the master
    panel: Floats  # by least squares beside the other chargers of the same phase, which is told
    design: float
    rated_kw: float
    uneven: Sequence[tuple[float, float] | None] = ()  # what uneven loads lose more, of the energy

    @property
    def u(self) -> Floats:
        """Return the standard uncertainty that the estimator is told."""
        return np.asarray(np.hypot(self.u_drop, TRUST * np.maximum(self.loss, self.design)), dtype=np.float64)

    def told(self, charger: int) -> tuple[float, tuple[float, float] | None, tuple[float, float] | None]:
        """Return what the estimator is told of a charger's branch as the centre does.

        Its design, as measured, and what an uneven load loses beyond that.
        """
        loss, u, u_drop = (float(each[charger]) for each in (self.loss, self.u, self.u_drop))
        if not np.isfinite(u) or loss < NEGATIVE * u_drop or loss * self.rated_kw > MOST:
            return self.design, None, None
        odd = loss - self.design > ODD * np.hypot(OWN_SD * self.design, u)
        uneven = self.uneven[charger] if self.uneven else None
        return loss if odd else self.design, (max(loss, 0.0), u), uneven


@dataclass(frozen=True)
class Known:
    """Of the branches of a row's stations: relative deviations from the truth, root mean squares."""

    share: float  # of the branches of which anything was found
    off: float
    middle: float  # median of the absolute deviations
    stated: float
    coverage: float
    ordinary: float
    panel: float

    def __str__(self) -> str:
        """Say it in per cent."""
        return (
            f"branches of {100 * self.share:.1f} % of the chargers measured, off by {100 * self.off:.1f} % (half of "
            f"them by less than {100 * self.middle:.1f} %), stated {100 * self.stated:.1f} %, covered "
            f"{100 * self.coverage:.1f} %; least squares beside the master {100 * self.ordinary:.1f} %, beside "
            f"chargers of known phase {100 * self.panel:.1f} %"
        )


def measured(mains: Mains, shown: Voltages, design: float, *, with_master: bool = True) -> Branches:
    """Measure the branches as the centre does; `design` says what they lose by it."""
    rated_kw = mains.station.site.high_kw
    meters = [meter(each) for each in shown.chargers]
    found = voltage_drop(shown.times_ms, meters, meter(shown.master) if with_master else None).branches
    loss, u = (
        np.array([(each.loss, each.u)[which] if believed(each, rated_kw) else np.nan for each in found], np.float64)
        for which in (0, 1)
    )
    return Branches(
        mains.station.losses.branches,
        loss,
        u,
        ordinary(shown),
        panel(shown, mains.phases),
        design,
        rated_kw,
        [each.uneven_loss for each in found],
    )


def believed(found: DropBranch, rated_kw: float) -> bool:
    """Return whether the centre takes a branch for measured."""
    return found.loss is not None and (rated_kw > SINGLE_KW or found.reference != "mean")


def over(stations: Sequence[Branches | None]) -> Known | None:
    """Return how well branches are known over the stations of a row, None where nothing was asked."""
    held = [each for each in stations if each is not None]
    if not held:
        return None

    def every(name: str) -> Floats:
        return np.concatenate([getattr(each, name) for each in held])

    true, loss, u = every("true"), every("loss"), every("u")
    known = np.isfinite(loss)
    off, stated = (loss / true - 1)[known], (u / true)[known]
    return Known(
        share=float(known.mean()),
        off=_rms(off),
        middle=float(np.median(np.abs(off))),
        stated=_rms(stated),
        coverage=float((np.abs(off) <= NORMAL_95 * stated).mean()),
        ordinary=_rms(every("ordinary") / true - 1),
        panel=_rms(every("panel") / true - 1),
    )


def _rms(values: Floats) -> float:
    return float(np.sqrt((values**2).mean()))


def meter(shown: Means) -> DropMeter:
    """Return what a meter shows as the core takes it."""
    return DropMeter([each.data for each in shown.volts], shown.kw.data)


def ordinary(shown: Voltages) -> Floats:
    """Return the loss of each branch by its voltage beside the master's, with its own power and the master's."""
    master = shown.master
    level, found = np.mean(master.volts, axis=0), []
    for charger in shown.chargers:
        known = np.isfinite(charger.kw) & np.isfinite(master.kw)
        ratio = np.log(np.mean(charger.volts, axis=0)[known] / level[known])
        columns = np.column_stack([-charger.kw[known], -master.kw[known], np.ones(len(ratio))])
        found.append(np.linalg.lstsq(columns, ratio, rcond=None)[0][0])
    return np.array(found)


def panel(shown: Voltages, phases: Sequence[int | None]) -> Floats:
    """Return the loss of each branch, the voltage of the board in each quarter being unknown, a phase at a time.

    Quarters in which all chargers of the phase are known.
    """
    found = np.empty(len(phases))
    for phase in set(phases):
        own = [number for number, each in enumerate(phases) if each == phase]
        volts = np.log(np.column_stack([np.mean(shown.chargers[number].volts, axis=0) for number in own]))
        power = np.column_stack([shown.chargers[number].kw for number in own])
        whole = np.isfinite(power).all(axis=1)
        volts, power = (each[whole] - each[whole].mean(axis=0) for each in (volts, power))
        apart = np.eye(len(own)) - 1 / len(own)  # of what all have in common nothing is left
        normal = (power.T @ power) * apart
        found[own] = np.linalg.lstsq(normal, -(power * (volts @ apart)).sum(axis=0), rcond=None)[0]
    return found
