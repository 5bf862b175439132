"""One round: faults drawn from a seed, then the reckoning."""

import asyncio
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.faults import FAULTS, LANES
from chaos.reckoning import Reckoning, reckon
from chaos.relay import Counts
from chaos.rig import LateError, Rig

_MOST = 2  # faults of a lane in a round


@dataclass(frozen=True, slots=True)
class Result:
    """What a round came to."""

    faults: tuple[str, ...]
    reckoning: Reckoning
    recovery_s: float  # from the end of the faults until the centre had every record made until then; inf: never
    link: Counts  # what the bad link did to messages
    unnoticed: tuple[str, ...]  # what should have come about or been told of and was not
    starts: int  # of the gateway until the end of the faults; what it has left may need one more to be delivered

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, doubled or kept from the operator."""
        return self.reckoning.sound and not self.unnoticed


def draw(seed: int) -> dict[str, list[str]]:
    """Return the faults of a round by lane."""
    chance = random.Random(seed)  # noqa: S311 - which fault comes is no secret
    return {
        lane: [fault.__name__ for fault in chance.choices(faults, k=chance.randint(1, _MOST))]
        for lane, faults in LANES.items()
    }


async def play(directory: Path, seed: int, lanes: dict[str, list[str]]) -> Result:
    """Play a round in an empty directory; DemoError when a program does not do its part."""
    async with Rig(directory, random.Random(seed)) as rig:  # noqa: S311 - likewise
        try:
            async with asyncio.TaskGroup() as group:
                for names in lanes.values():
                    group.create_task(_in_turn(rig, names))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None  # the first that failed; the others were cancelled
        starts = rig.gateway.starts
        try:
            recovery_s = await rig.recovered()
            unnoticed = await _unnoticed(rig)
            journals = await rig.settle()
            await rig.until("the checks have seen everything", rig.checked)
        except LateError as error:
            # What never arrives is lost: the reckoning names it.
            recovery_s, unnoticed = math.inf, (str(error),)
            journals = await rig.settle(deliver=False)
        reckoning = reckon(rig.store, journals, rig.keys())
        link = rig.uplink.counts
    faults = tuple(name for names in lanes.values() for name in names)
    return Result(faults, reckoning, recovery_s, link, unnoticed, starts)


async def _in_turn(rig: Rig, names: Sequence[str]) -> None:
    for name in names:
        await FAULTS[name](rig)


async def _unnoticed(rig: Rig, limit_s: float = 15.0) -> tuple[str, ...]:
    """Return which findings the centre should have and has not; wait for its checks."""
    expected = {
        "journal_opened": any(gateway.buried for gateway in rig.gateways) or rig.twin is not None,
        "key_shared": rig.twin is not None,
    }
    deadline = time.monotonic() + limit_s
    while missing := tuple(kind for kind, due in expected.items() if due and not rig.findings(kind)):
        if time.monotonic() > deadline:
            return missing
        await asyncio.sleep(0.1)
    # The other way round, a finding without a cause is as bad.
    return tuple(f"no cause for {kind}" for kind, due in expected.items() if not due and rig.findings(kind))
