"""What branches carry in a slot, in integers: by direction what was sent, delivered and lost, of energy and carbon.

By the loss-borne convention (docs/carbon-flow.md): what is sent has the factor of the node that sends, what arrives
keeps it, and the loss is the difference of both integers, so that nothing is lost between the ends. The carbon of
power that a node without a solved factor sends is unknown: its energy is told of instead.
"""

from collections.abc import Sequence

from cloud_receiver.grid.analysis.layout import Layout
from cloud_receiver.grid.analysis.quantities import LARGEST_MEGAWATTS, MWH_PER_MW_H, UG_PER_T
from cloud_receiver.grid.kept import FLOW, KeptSlot

Way = tuple[int, int, int, int, int, int]
"""Sent and delivered mWh; sent and delivered µg; sent without a factor, mWh; come out and sent by nobody, mWh."""
IDLE: Way = (0, 0, 0, 0, 0, 0)


def way(sent: float, delivered: float, factor: float, to_mwh: float, to_ug: float) -> Way:
    """Return what went one way through a branch: powers in MW, the sender's factor in kg/kWh."""
    out = round(delivered * to_mwh)
    if sent <= 0:
        return (0, 0, 0, 0, 0, out)
    into = round(sent * to_mwh)
    if factor != factor:  # noqa: PLR0124 - NaN isn't itself
        return (into, out, 0, 0, into, 0)
    return (into, out, round(factor * sent * to_ug), round(factor * delivered * to_ug), 0, 0)


def carried(layout: Layout, picks: Sequence[int], slot: KeptSlot) -> list[tuple[Way, Way] | None]:
    """Return what went from the from end to the to end and back, of the branches at these places; None: unknown."""
    flows, factors, ends, opened = slot.used.flows, layout.solved(slot), layout.ends, slot.used.open_branches
    to_mwh, to_ug = slot.used.hours * MWH_PER_MW_H, slot.used.hours * UG_PER_T
    result: list[tuple[Way, Way] | None] = []
    top = LARGEST_MEGAWATTS
    for pick in picks:
        from_in, from_out, to_in, to_out = flows[FLOW * pick : FLOW * pick + FLOW]
        if pick in opened:
            result.append((IDLE, IDLE))
            continue
        if not (0 <= from_in <= top and 0 <= from_out <= top and 0 <= to_in <= top and 0 <= to_out <= top):
            result.append(None)
            continue
        start, end = ends[pick]
        forward = way(from_in, to_out, factors[start], to_mwh, to_ug) if from_in or to_out else IDLE
        reverse = way(to_in, from_out, factors[end], to_mwh, to_ug) if to_in or from_out else IDLE
        result.append((forward, reverse))
    return result
