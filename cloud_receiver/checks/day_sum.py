"""What a day leaves for its month: the tallies of its energy and carbon balance, as the store keeps them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cloud_receiver.checks import carbon_balance
from cloud_receiver.checks.carbon_balance import CarbonTally
from cloud_receiver.checks.day import carbons, whole
from cloud_receiver.checks.evaluate import SlotResult
from cloud_receiver.checks.model import Context
from cloud_receiver.checks.parties import MeterCarbon
from cloud_receiver.checks.tolerance import Run, Tally, tally


@dataclass(frozen=True, slots=True)
class DaySum:
    """The sums of a day's complete slots, and of the meters with carbon registers of their own."""

    energy: Tally
    carbon: CarbonTally
    parties: Mapping[int, MeterCarbon] = field(default_factory=dict)
    """By meter."""


def make(results: Mapping[int, SlotResult], context: Context, parties: Mapping[int, MeterCarbon]) -> DaySum:
    """Return the sums of a day."""
    slots = whole(results, context)
    return DaySum(tally(context, slots), carbon_balance.of(context, carbons(results, slots)), parties)


def to_json(day: DaySum, registry: str) -> str:
    """Return it as it is stored, with the digest of the registry by which it was made."""
    return json.dumps({"of": registry, **asdict(day)}, separators=(",", ":"))


def from_json(text: str, registry: str) -> DaySum | None:
    """Return what is stored; None where it was made by another registry, or is none."""
    content: dict[str, Any] = json.loads(text)
    if content.get("of") != registry:
        return None
    energy, carbon = content["energy"], content["carbon"]
    energy["energy"] = {int(number): tuple(pair) for number, pair in energy["energy"].items()}
    energy["runs"] = [Run(**run) for run in energy["runs"]]
    carbon["throughput_ng"] = {int(number): amount for number, amount in carbon["throughput_ng"].items()}
    carbon["runs"] = [Run(**run) for run in carbon["runs"]]
    parties = {int(number): MeterCarbon(**each) for number, each in content["parties"].items()}
    return DaySum(Tally(**energy), CarbonTally(**carbon), parties)
