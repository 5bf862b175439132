"""The receiver's session survives: what comes while it is away waits at the broker, and needs no gateway any more."""

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chaos import journals
from chaos.reckoning import reckon
from chaos.rig import Rig

pytestmark = [pytest.mark.mosquitto, pytest.mark.usefixtures("mosquitto")]

WAITING = 8  # records that are sent at least while nobody receives; a gateway waits when a few batches are out


def sent(rig: Rig) -> int:
    """Return up to which sequence the gateway has sent."""
    with closing(sqlite3.connect(f"file:{rig.gateway.journal}?mode=ro", uri=True)) as journal:
        return int(journal.execute("SELECT sent FROM header").fetchone()[0])


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("killed", [True, False], ids=["killed", "stopped"])
def test_what_comes_while_the_receiver_is_away_is_stored_without_the_gateway(
    protocol: str, tmp_path: Path, *, killed: bool
) -> None:
    """MQTT 5: session expiry; 3.1.1: a session that is not clean. The gateway is gone when the receiver comes back."""

    async def play() -> None:
        async with Rig(tmp_path / "run", random.Random(3), protocol=protocol) as rig:
            if killed:
                rig.kill_receiver()
            else:
                await rig.stop_receiver()
            before = rig.stored()
            await rig.until("more is sent", lambda: sent(rig) > before + WAITING)
            # It says goodbye last, and waits for the broker's receipt: so the broker has everything before it.
            await rig.gateway.stop()
            reached = rig.gateway.reached()
            assert reached is not None
            context, _ = reached
            until = sent(rig)
            assert journals.received(rig.store, context) == before
            rig.start_receiver()
            await rig.until("what had waited is stored", lambda: journals.received(rig.store, context) >= until)
            assert not rig.gateway.runs
            found = reckon(rig.store, [journals.read(rig.gateway.journal, deleted=False)], rig.keys())
            # What the gateway had not sent is in its journal alone, and nothing else is amiss.
            (kept,) = found.lost.values() or [[until + 1]]
            assert min(kept) == until + 1
            assert found.doubled == found.altered == found.invented == {}

    asyncio.run(play())
