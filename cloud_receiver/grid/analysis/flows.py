"""Flow side (电网潮流): energy at both ends of branches, carbon carried (支路碳流) either way, and what is lost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from cloud_receiver.grid.analysis import fields, gaps
from cloud_receiver.grid.analysis.carried import carried
from cloud_receiver.grid.analysis.fields import Field, Kind, Value
from cloud_receiver.grid.analysis.layout import Layout
from cloud_receiver.grid.analysis.periods import SLOT_MS, By
from cloud_receiver.grid.analysis.quantities import half_even
from cloud_receiver.grid.analysis.tally import Analysis, Sheet, Versions
from cloud_receiver.grid.kept import FLOW

_FIELDS = (
    fields.energy("from_in", "into, from end 首端流入"),
    fields.energy("from_out", "out of, from end 首端流出", shown=False),
    fields.energy("to_in", "into, to end 末端流入", shown=False),
    fields.energy("to_out", "out of, to end 末端流出"),
    fields.energy("loss", "loss 损耗"),
    fields.carbon("carbon_forward", "carbon fwd 正向碳流"),
    fields.carbon("carbon_reverse", "carbon rev 反向碳流"),
    fields.carbon("carbon_loss", "loss 损耗碳量"),
)
_REST = (
    fields.energy("without_factor", "without factor 无因子电量", shown=False),
    fields.energy("unsent", "sent by nobody 无来源电量", shown=False),
    fields.count("slots", "slots 时段", shown=False),
    *gaps.GAP_FIELDS,
)
_RATES = (
    Field("carbon_rate_forward_kg_per_h", "carbon flow rate fwd 正向碳流率 t/h", Kind.CARBON, shown=False),
    Field("carbon_rate_reverse_kg_per_h", "carbon flow rate rev 反向碳流率 t/h", Kind.CARBON, shown=False),
)
"""Mean of the slots that are known (支路碳流率)."""
_HOUR_MS: Final = 3_600_000


class Branches(Analysis):
    """Each branch; forward is from its from end to its to end."""

    title = "Branches 支路"

    def fields(self, by: By) -> tuple[Field, ...]:
        """Return the columns of a row."""
        head = (
            *(fields.text("branch", "branch 支路"), fields.text("from_node", "from 首端")),
            *(fields.text("to_node", "to 末端"), fields.text("kind", "kind 类型", shown=False)),
        )
        return (*head, *_FIELDS, *_RATES, *_REST)

    def ids(self, layout: Layout) -> Sequence[str]:
        """Return the id of each element."""
        return [item.id for item in layout.kept.grid.branches]

    def labels(self, layout: Layout, place: int) -> Mapping[str, Value]:
        """Return what is known of an element besides its slots."""
        item = layout.kept.grid.branches[place]
        return {"branch": item.id, "from_node": item.start, "to_node": item.end, "kind": item.kind.value}

    def sheet(self, layout: Layout, picks: Sequence[int], versions: Versions) -> Sheet:
        """Return what a slot adds."""
        rare: Counter[tuple[str, int]] = Counter()
        columns: list[tuple[int, ...]] = []
        for place, ways in enumerate(carried(layout, picks, versions.newest)):
            if ways is None:
                columns.append((0,) * 9)
                rare["slots_unknown", place] = 1
                continue
            (sent, out, sent_ug, out_ug, bare, unsent), back = ways
            sent_back, out_back, sent_back_ug, out_back_ug, bare_back, unsent_back = back
            columns.append(
                (
                    *(sent, out_back + unsent_back, sent_back, out + unsent),
                    *(sent - out + sent_back - out_back, out_ug, out_back_ug),
                    *(sent_ug - out_ug + sent_back_ug - out_back_ug, bare + bare_back),
                )
            )
            if unsent or unsent_back:
                rare["unsent", place] = unsent + unsent_back
        gaps.note(rare, versions, lambda powers: powers.flows, picks, stride=FLOW, width=FLOW)
        names = ("from_in", "from_out", "to_in", "to_out", "loss", "forward", "reverse", "carbon_loss", "bare")
        parts = zip(*columns, strict=True) if columns else ([] for _ in names)
        return Sheet({name: list(part) for name, part in zip(names, parts, strict=True)}, rare)

    def row(self, sums: Counter[str], by: By) -> Mapping[str, Value]:
        """Return the columns that sums make."""
        known_ms = (sums["slots"] - sums["slots_unknown"]) * SLOT_MS
        return {
            "from_in_kwh": sums["from_in"],
            "from_out_kwh": sums["from_out"],
            "to_in_kwh": sums["to_in"],
            "to_out_kwh": sums["to_out"],
            "loss_kwh": sums["loss"],
            "carbon_forward_kg": sums["forward"],
            "carbon_reverse_kg": sums["reverse"],
            "carbon_loss_kg": sums["carbon_loss"],
            "carbon_rate_forward_kg_per_h": _rate(sums["forward"], known_ms),
            "carbon_rate_reverse_kg_per_h": _rate(sums["reverse"], known_ms),
            "without_factor_kwh": sums["bare"],
            "unsent_kwh": sums["unsent"],
            "slots": sums["slots"],
            **gaps.row(sums),
        }


def _rate(carbon: int, known_ms: int) -> int | None:
    return half_even(carbon * _HOUR_MS, known_ms) if known_ms > 0 else None
