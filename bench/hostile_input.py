"""Good gateways' rate with and without a flood of hostile messages, through a real Mosquitto, in the same run.

Good gateways send signed batches of 64 records at a steady pace, much more than meters make, for a while alone, and
then during a flood of tiny messages and messages of `bench.hostile_messages`. `FLOOD` in the environment
changes the number of tiny messages, `SECONDS` how long they take; the receiver's memory is read all the time.
"""

import asyncio
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cbor2
import psutil
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.hostile_messages import corpus, tiny
from bench.mqtt_load import connect, publish_packets
from cloud_receiver import database, enrolment, meters, registry
from wire import keys, topics
from wire.batch import RecordBatchMessage, encode_batch
from wire.envelope import Signer
from wire.records import ClockState, FactorQuality, IntervalRecord, Quality

FLOOD = int(os.environ.get("FLOOD", "1000000"))
SECONDS = float(os.environ.get("SECONDS", "60"))
ALONE_S = SECONDS / 4
GATEWAYS = 20
BATCH = 64
BATCHES_PER_S = 100
LARGE_PER_S = 4
"""Messages of the corpus a second; many of them have half a megabyte or more."""
LIMIT_MB = 300
SHARE = 0.8
BAD = ("gw-bad", "gw-worse")
START_MS = 1_782_835_200_000
SLOT_MS = 900_000
_TICK_S = 0.01
_SILENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Phase:
    """What good gateways got in one phase."""

    records: int
    seconds: float
    delays_s: list[float]

    @property
    def rate(self) -> float:
        """Records a second, from the first batch sent to the last acknowledged."""
        return self.records / self.seconds

    def delay(self, share: float) -> float:
        """Return the delay of acknowledgement that this share of the batches keeps to."""
        return sorted(self.delays_s)[min(int(len(self.delays_s) * share), len(self.delays_s) - 1)]


def run() -> list[str]:
    """Measure and return the lines to print."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        return ["hostile input: mosquitto is not installed, nothing measured"]
    with tempfile.TemporaryDirectory(prefix="diantan-bench-") as name:
        directory = Path(name)
        return _measure(program, directory)


def _name(number: int) -> str:
    return f"gw{number:02}"


def prepare(directory: Path, port: int, private: dict[str, Ed25519PrivateKey]) -> None:
    """Write the configuration of broker and receiver, and enrol the gateways."""
    (directory / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\nlog_type error\n"
    )
    (directory / "receiver.toml").write_text(
        f'[centre]\nkey_file = "centre.key"\n[broker]\nport = {port}\n[checks]\nenabled = false\n'
    )
    (directory / "registry.toml").write_text(
        "".join(
            f'[[station]]\nid = "S-{name}"\nnode = "n"\n[[station.meter]]\nid = "C1"\nrole = "charger"\n'
            f'gateway = "{name}"\nrated_kw = 60\n'
            for name in private
        )
    )
    keys.save_private(keys.generate(), directory / "centre.key")
    engine = database.open_store("sqlite:///receiver.sqlite", directory)
    database.upgrade(engine)
    with database.writing(engine) as connection:
        meters.enter_registry(connection, registry.load(directory / "registry.toml"))
        for name, key in private.items():
            enrolment.add(connection, name, key.public_key(), f"S-{name}", 0)
        # Enrolled, and gone bad: what they sign is good and what they say is not.
        for name in BAD:
            key = keys.generate()
            keys.save_private(key, directory / f"{name}.key")
            enrolment.add(connection, name, key.public_key(), "S-bad", 0)
    engine.dispose()


def good_payload(gateway: str, turn: int) -> bytes:
    """Return a gateway's batch: the records from turn · 64 + 1 on, whose energies say which they are."""
    first = turn * BATCH
    records = [_record(first + place) for place in range(BATCH)]
    message = RecordBatchMessage(gateway, b"context1", first + 1, START_MS, ClockState.SYNCHRONISED, records)
    return encode_batch(message)


def energy(number: int) -> int:
    """Return the energy in mWh of a gateway's record by its number from 0."""
    return (number * 7919 + 13) % 1_000_003


def _record(number: int) -> IntervalRecord:
    amount = energy(number)
    return IntervalRecord(
        *("C1", START_MS + number * SLOT_MS, SLOT_MS, amount, 0, amount, 0, 500_000),
        *(FactorQuality.DISPATCHED, amount // 2, 0, amount // 2, 0, 15, Quality.MEASURED),
    )


class Field:
    """The good gateways: a paced sender and a listener for acknowledgements."""

    def __init__(self, port: int, private: dict[str, Ed25519PrivateKey]) -> None:
        self._port = port
        self._names = list(private)
        self._signers = {name: Signer(key) for name, key in private.items()}
        self._turn = 0
        self._due: dict[tuple[str, int], float] = {}
        self._delays: list[float] = []
        self.sent: Counter[str] = Counter()

    def prepare(self, seconds: float) -> list[tuple[str, int, bytes]]:
        """Return (gateway, last sequence, packet) of the batches of so many seconds."""
        rounds = int(seconds * BATCHES_PER_S / len(self._names))
        batches = [(name, turn) for turn in range(self._turn, self._turn + rounds) for name in self._names]
        self._turn += rounds
        messages = []
        for name, turn in batches:
            topic = topics.records(name)
            messages.append((topic, self._signers[name].sign(good_payload(name, turn), topic)))
        return [
            (name, (turn + 1) * BATCH, packet)
            for (name, turn), packet in zip(batches, publish_packets(messages), strict=True)
        ]

    async def phase(self, batches: Sequence[tuple[str, int, bytes]]) -> Phase:
        """Send at the pace and wait until everything is acknowledged."""
        self._delays = []
        reader, writer = await self._connect("good", None)
        listener, listening = await self._connect("listener", "diantan/1/down/+/ack")
        heard = asyncio.create_task(self._listen(listener))
        drained = asyncio.create_task(_drain(reader))
        begin = time.perf_counter()
        for place, (name, last, packet) in enumerate(batches):
            ahead = begin + place / BATCHES_PER_S - time.perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)
            self._due[name, last] = time.perf_counter()
            self.sent[name] += BATCH
            writer.write(packet)
            await writer.drain()
        await heard
        elapsed = time.perf_counter() - begin
        drained.cancel()
        for end in (writer, listening):
            end.close()
        return Phase(len(batches) * BATCH, elapsed, self._delays)

    async def _connect(self, client: str, subscribe: str | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        plain = connect(self._port, client, subscribe=subscribe)
        plain.setblocking(False)  # noqa: FBT003  # the socket's own signature
        return await asyncio.open_connection(sock=plain)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Note when each batch is acknowledged, until all are."""
        while True:
            head = await asyncio.wait_for(reader.readexactly(1), _SILENCE_S)
            size = shift = 0
            while True:
                digit = (await reader.readexactly(1))[0]
                size |= (digit & 0x7F) << shift
                shift += 7
                if not digit & 0x80:
                    break
            body = await reader.readexactly(size)
            if head[0] >> 4 != 3:
                continue
            content = cbor2.loads(cbor2.loads(body[2 + int.from_bytes(body[:2], "big") :]).value[2])
            now = time.perf_counter()
            for key in [key for key in self._due if key[0] == content[1] and key[1] <= content[3]]:
                self._delays.append(now - self._due.pop(key))
            if not self._due and all(self.sent[name] == self._turn * BATCH for name in self._names):
                return


async def _drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 16):
        pass


def _measure(program: str, directory: Path) -> list[str]:
    private = {_name(number): keys.generate() for number in range(GATEWAYS)}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    prepare(directory, port, private)
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    with (
        subprocess.Popen([program, "-c", str(directory / "mosquitto.conf")], stderr=subprocess.DEVNULL) as broker,
        (directory / "log.txt").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "cloud_receiver.cli", "run", "--config", str(directory / "receiver.toml")],
            stderr=log,
            env=environment,
        ) as receiver,
    ):
        try:
            return asyncio.run(_scenario(directory, port, private, receiver, environment))
        finally:
            receiver.send_signal(signal.SIGTERM)
            receiver.wait(60)
            broker.terminate()


async def _scenario(
    directory: Path,
    port: int,
    private: dict[str, Ed25519PrivateKey],
    receiver: "subprocess.Popen[bytes]",
    environment: dict[str, str],
) -> list[str]:
    while "connected to" not in (directory / "log.txt").read_text():
        if receiver.poll() is not None:
            raise RuntimeError(f"the receiver ended with {receiver.returncode}")
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)  # the subscriptions go out with the connection
    process = psutil.Process(receiver.pid)
    field = Field(port, private)
    alone = await field.phase(field.prepare(ALONE_S))
    batches = field.prepare(SECONDS)
    flood = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.hostile_input", str(port), str(directory)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    assert flood.stdin is not None
    assert flood.stdout is not None
    await flood.stdout.readline()
    before = process.memory_info().rss / 1e6
    used = _cpu(process)
    peak = asyncio.create_task(_watch(process))
    begin = time.perf_counter()
    flood.stdin.write(b"go\n")
    flooded = await field.phase(batches)
    elapsed = time.perf_counter() - begin
    await asyncio.wait_for(flood.wait(), 600)
    busy = (_cpu(process) - used) / elapsed
    refused, stored, false = await _settled(directory, int((directory / "flood.txt").read_text()))
    peak.cancel()
    highest = max(before, *_peaks)
    share = flooded.rate / alone.rate
    flood_s = float((directory / "seconds.txt").read_text())
    total = sum(field.sent.values())
    flooding = (
        f"flood: {FLOOD:,} tiny messages and {refused - FLOOD:,} of the corpus in {flood_s:.1f} s, "
        f"{refused / flood_s:,.0f} a second"
    )
    quiet = (
        f"good gateways alone: {alone.rate:,.0f} records/s of {BATCHES_PER_S * BATCH:,} offered, acknowledged within "
        f"{alone.delay(0.5):.2f} s (median), {alone.delay(0.99):.2f} s (99 %)"
    )
    loud = (
        f"during the flood: {flooded.rate:,.0f} records/s, {flooded.delay(0.5):.2f} s, {flooded.delay(0.99):.2f} s; "
        f"{share:.0%} of their rate (target {SHARE:.0%})"
    )
    memory = (
        f"resident: {before:.0f} MB before, at most {highest:.0f} MB (target {LIMIT_MB} MB); "
        f"of one core: receiver {busy:.0%}"
    )
    return [flooding, quiet, loud, memory, f"stored: {stored:,} of {total:,} records sent, {false} false ones"]


_peaks: list[float] = []


async def _watch(process: psutil.Process) -> None:
    while True:
        _peaks.append(process.memory_info().rss / 1e6)
        await asyncio.sleep(0.02)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _settled(directory: Path, expected: int) -> tuple[int, int, int]:
    """Wait until the receiver has seen the whole flood; return (refused, records stored, false ones among them)."""
    last, still = -1, 0
    while True:
        with sqlite3.connect(f"file:{directory / 'receiver.sqlite'}?mode=ro", uri=True) as store:
            question = "SELECT COALESCE(SUM(messages), 0) FROM verification WHERE result <> 'verified'"
            refused = int(store.execute(question).fetchone()[0])
            if refused >= expected or still > 100:
                rows = store.execute("SELECT sequence, forward_mwh, start_ms FROM interval").fetchall()
                others = sum(
                    int(store.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])
                    for table in ("freeze", "adjustment", "event", "gateway_status")
                )
                break
        still = still + 1 if refused == last else 0
        last = refused
        await asyncio.sleep(0.1)
    false = sum(row[1] != energy(row[0] - 1) or row[2] != START_MS + (row[0] - 1) * SLOT_MS for row in rows)
    return refused, len(rows), false + others


def flood_packets(directory: Path) -> tuple[list[bytes], list[bytes]]:
    """Return tiny messages, and the corpus signed by an enrolled gateway that is not one of the good ones."""
    names = [_name(number) for number in range(GATEWAYS)]
    bad, worse = BAD
    large = corpus(
        bad,
        encode_batch(RecordBatchMessage(bad, b"hostile!", 1, START_MS, ClockState.SYNCHRONISED, [_record(0)])),
        signer=Signer(keys.load_private(directory / f"{bad}.key")),
        stranger=Signer(keys.generate()),
        other=worse,
        other_signer=Signer(keys.load_private(directory / f"{worse}.key")),
    )
    return publish_packets(list(tiny(FLOOD, names))), publish_packets([(item.topic, item.payload) for item in large])


def flood(port: int, directory: Path, tiny_packets: Sequence[bytes], large: Sequence[bytes]) -> None:
    """Send the flood evenly over its time."""
    connection = connect(port, "flood")
    connection.setblocking(False)  # noqa: FBT003  # the socket's own signature
    begin = time.perf_counter()
    sent = corpus_sent = 0
    while sent < len(tiny_packets):
        now = time.perf_counter() - begin
        end = min(int(now / SECONDS * len(tiny_packets)) + 1, len(tiny_packets))
        data = b"".join(tiny_packets[sent:end])
        sent = end
        while corpus_sent < now * LARGE_PER_S:
            data += large[corpus_sent % len(large)]
            corpus_sent += 1
        _send(connection, data)
        time.sleep(_TICK_S)
    elapsed = time.perf_counter() - begin
    connection.setblocking(True)  # noqa: FBT003
    connection.sendall(b"\xe0\x00")  # DISCONNECT: what is still on the way is read all the same
    while connection.recv(1 << 16):
        pass
    (directory / "seconds.txt").write_text(str(elapsed))
    (directory / "flood.txt").write_text(str(sent + corpus_sent))


def _send(connection: socket.socket, data: bytes) -> None:
    """Send all of it, reading what the broker answers meanwhile."""
    view = memoryview(data)
    while view:
        with suppress(BlockingIOError):
            connection.recv(1 << 16)
        try:
            view = view[connection.send(view) :]
        except BlockingIOError:
            time.sleep(0.001)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        packets = flood_packets(Path(sys.argv[2]))
        print("ready", flush=True)
        sys.stdin.readline()
        flood(int(sys.argv[1]), Path(sys.argv[2]), *packets)
    else:
        print("\n".join(run()))
