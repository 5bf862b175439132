"""Several receivers on one store share a subscription of MQTT 5: any of them takes any batch, and each record once."""

import asyncio
import random
import re
from pathlib import Path

import pytest

from chaos.journals import Kept
from chaos.reckoning import reckon
from chaos.rig import GROUP, Rig
from clock import SystemClock
from wire import topics
from wire.link import Link, LinkSettings, Received

# What a dead member of the group gets comes again after time-outs that double: by chance it takes several of them.
pytestmark = [pytest.mark.mosquitto, pytest.mark.usefixtures("mosquitto")]

FIRST, SECOND = "sharing-1", "sharing-2"
SOME = 200  # records, in a dozen batches or more
COUNTED = re.compile(r"receiver stopped; (\d+) records in (\d+) batches stored, (\d+) duplicates")


async def both_started(rig: Rig) -> None:
    """Start two receivers that share, and wait until both are there."""
    logs = [rig.start_receiver(name, shared=True).log for name in (FIRST, SECOND)]
    await rig.until("both are connected", lambda: all("connected to" in log.read_text() for log in logs))


async def more(rig: Rig) -> None:
    """Wait until the centre has some records more."""
    before = rig.stored_rows()
    await rig.until("more records", lambda: rig.stored_rows() > before + SOME)


def counted(log: Path) -> tuple[int, int, int]:
    """Return (records, batches, duplicates) as a receiver that ended told them."""
    found = COUNTED.search(log.read_text())
    assert found is not None, log.read_text()
    records, batches, duplicates = map(int, found.groups())
    return records, batches, duplicates


def every_record_is_there_once(rig: Rig, journals: list[Kept]) -> int:
    """Compare journals and store octet by octet; return how many records there are."""
    found = reckon(rig.store, journals, rig.keys())
    assert found.sound, found
    assert not found.reported
    return found.records


def test_two_receivers_share_what_comes(tmp_path: Path) -> None:
    """Both store, and next to nothing comes to both."""

    async def play() -> None:
        async with Rig(tmp_path / "run", random.Random(1)) as rig:
            rig.kill_receiver()
            already = rig.stored_rows()
            await both_started(rig)
            await more(rig)
            await rig.recovered()
            journals = await rig.settle()
            shares = [counted(await rig.stop_receiver(name)) for name in (FIRST, SECOND)]
            total = every_record_is_there_once(rig, journals)
            assert sum(records for records, _, _ in shares) == total - already
            # Nobody is idle: Mosquitto gives each its turn. What waited before both were there, one may have taken.
            assert min(batches for _, batches, _ in shares) > 0
            assert sum(duplicates for *_, duplicates in shares) < total // 4

    asyncio.run(play())


async def joined(rig: Rig, swallowed: list[str]) -> Link:
    """Let a client that knows the group's name take its share of the batches, and do nothing with them."""

    def swallow(message: Received) -> None:
        swallowed.append(message.topic)
        message.ack()

    stranger = Link(
        LinkSettings("127.0.0.1", rig.broker.port, "stranger", protocol="5"), SystemClock(), on_message=swallow
    )
    stranger.subscribe(f"$share/{GROUP}/{topics.ALL_RECORDS}", 1)
    await stranger.start()
    await stranger.wait_connected()
    return stranger


def test_what_a_stranger_in_the_group_swallows_comes_again(tmp_path: Path) -> None:
    """The broker gives a client that can name the group its share; the gateway sends that again, and nothing is lost.

    Even while the stranger stays, since every attempt has another chance of going to a receiver.
    """

    async def play() -> None:
        async with Rig(tmp_path / "run", random.Random(4)) as rig:
            rig.kill_receiver()
            rig.start_receiver(FIRST, shared=True)
            swallowed: list[str] = []
            stranger = await joined(rig, swallowed)
            try:
                await more(rig)
                await rig.until("the stranger has had its share", lambda: len(swallowed) > 10)
                await rig.recovered()
                journals = await rig.settle()
                assert stranger.connected
            finally:
                await stranger.stop()
            every_record_is_there_once(rig, journals)

    asyncio.run(play())


def test_one_of_two_receivers_is_killed_and_the_other_takes_what_was_its(tmp_path: Path) -> None:
    """SIGKILL of the one, its return, then SIGKILL of the other: what had been given to the dead one comes again."""

    async def play() -> None:
        async with Rig(tmp_path / "run", random.Random(2)) as rig:
            rig.kill_receiver()
            await both_started(rig)
            await more(rig)
            rig.kill_receiver(FIRST)
            await more(rig)
            await rig.recovered()
            rig.start_receiver(FIRST, shared=True)
            await more(rig)
            rig.kill_receiver(SECOND)
            await rig.recovered()
            # While a member is dead, the last words of a gateway that ends go to it half of the time.
            rig.start_receiver(SECOND, shared=True)
            journals = await rig.settle()
            assert counted(await rig.stop_receiver(FIRST))[0] > 0
            every_record_is_there_once(rig, journals)

    asyncio.run(play())
