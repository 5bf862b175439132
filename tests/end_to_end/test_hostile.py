"""Hostile messages at a real receiver behind a real Mosquitto: it serves on, stays small, and stores nothing false."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import hostile_input
from bench.hostile_messages import corpus, tiny
from clock import SystemClock
from wire import keys, topics
from wire.envelope import KeyRing, Signer, open_envelope
from wire.link import Link, LinkSettings, Received
from wire.messages import Acknowledgement

pytestmark = pytest.mark.mosquitto

TINY = 4000
ROUND = 400
"""Fewer than Mosquitto keeps for a client by default: none is dropped, so all can be counted."""


class Field:
    """A good gateway and everybody else, over one connection."""

    def __init__(self, port: int, key: Ed25519PrivateKey, centre: KeyRing) -> None:
        self.signer = Signer(key)
        self._centre = centre
        self._news = asyncio.Event()
        self.acknowledged = 0
        self.link = Link(LinkSettings("127.0.0.1", port, "field"), SystemClock(), on_message=self._take)
        self.link.subscribe(topics.acknowledgement("gw00"), 1)

    def _take(self, message: Received) -> None:
        content = Acknowledgement.decode(open_envelope(message.payload, message.topic, self._centre).payload)
        self.acknowledged = max(self.acknowledged, content.up_to)
        self._news.set()
        message.ack()

    async def good(self, turn: int) -> None:
        """Send the next batch of the good gateway until it is acknowledged."""
        topic = topics.records("gw00")
        while self.acknowledged < (turn + 1) * hostile_input.BATCH:
            # As gateways do: the receiver may not have subscribed yet when the first one comes.
            self._news.clear()
            await self.link.publish(topic, self.signer.sign(hostile_input.good_payload("gw00", turn), topic), 1)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), 5 if turn else 0.2)


@pytest.fixture
def receiver(tmp_path: Path, mosquitto: Any) -> Iterator[tuple[Path, int, "subprocess.Popen[bytes]"]]:
    """Start a receiver with the gateway gw00, and two that have gone bad, enrolled."""
    directory = tmp_path / "centre"
    directory.mkdir()
    key = keys.generate()
    keys.save_private(key, directory / "gw00.key")
    hostile_input.prepare(directory, mosquitto.port, {"gw00": key})
    command = [sys.executable, "-m", "cloud_receiver.cli", "run", "--config", str(directory / "receiver.toml")]
    with (directory / "log.txt").open("wb") as log, subprocess.Popen(command, stderr=log, env=os.environ) as process:
        try:
            yield directory, mosquitto.port, process
        finally:
            if process.poll() is None:
                process.kill()


def test_the_receiver_withstands_the_corpus_and_a_flood(receiver: tuple[Path, int, "subprocess.Popen[bytes]"]) -> None:
    directory, port, process = receiver
    bad, worse = hostile_input.BAD
    messages = [
        (item.topic, item.payload)
        for item in corpus(
            bad,
            hostile_input.good_payload(bad, 0),
            signer=Signer(keys.load_private(directory / f"{bad}.key")),
            stranger=Signer(keys.generate()),
            other=worse,
            other_signer=Signer(keys.load_private(directory / f"{worse}.key")),
        )
    ]
    messages += tiny(TINY, ["gw00", bad])
    centre = KeyRing()
    centre.add(keys.load_private(directory / "centre.key").public_key(), "centre")
    highest = 0

    async def scenario() -> int:
        nonlocal highest
        field = Field(port, keys.load_private(directory / "gw00.key"), centre)
        await field.link.start()
        try:
            await field.link.wait_connected()
            await field.good(0)
            turn = 1
            for start in range(0, len(messages), ROUND):
                sent = [field.link.publish(topic, payload, 1) for topic, payload in messages[start : start + ROUND]]
                # Behind them in the broker's queue: what it acknowledges was received after all of them.
                await asyncio.gather(*sent)
                await field.good(turn)
                turn += 1
                highest = max(highest, psutil.Process(process.pid).memory_info().rss)
        finally:
            await field.link.stop()
        return turn

    turns = asyncio.run(scenario())
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert highest < 300e6
    with closing(sqlite3.connect(directory / "receiver.sqlite")) as store:
        rows = store.execute("SELECT sequence, forward_mwh FROM interval ORDER BY sequence").fetchall()
        results = dict(store.execute("SELECT result, SUM(messages) FROM verification GROUP BY result").fetchall())
        empty = ("freeze", "adjustment", "event", "gateway_status", "set_aside")
        others = [store.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in empty]
        kept = store.execute("SELECT COUNT(*) FROM quarantine").fetchone()[0]
    assert rows == [(number + 1, hostile_input.energy(number)) for number in range(turns * hostile_input.BATCH)]
    assert others == [0] * len(others)
    assert results.pop("verified") >= turns
    assert sum(results.values()) == len(messages)
    assert 0 < kept < len(messages)
    # A flood is told in few lines.
    assert len((directory / "log.txt").read_text().splitlines()) < 100
