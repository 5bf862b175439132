"""What a round is played on: a station, a gateway, a broker behind two bad links, and a centre."""

import asyncio
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chaos import journals
from chaos.broker import Mosquitto
from chaos.gateway import KILL_S, Gateway
from chaos.journals import Kept
from chaos.relay import Relay
from clock import SimulatedClock
from demo import files as demo_files
from demo import plan as demo_plan
from demo.files import Broker, Files
from demo.processes import DemoError, Program, Programs, command
from wire.envelope import KeyRing
from wire.keys import generate, load_public, save_private, save_public

SPEED = 7200  # a day in 12 s
CHARGERS = 3
POLL_SECONDS = 900
LIMIT_S = 60.0
_START_UP_S = 3.0
_STEP_S = 0.02
GROUP = "fa3c0d"  # of the receivers that share; in the field it is one that nobody guesses
_QUIET_S = 0.5
_FIRST_RECORDS = 20


class LateError(DemoError):
    """Something did not come about in its time, though every process lived."""


class Rig:
    """Everything that runs; leaving the context ends it."""

    def __init__(self, directory: Path, chance: random.Random, *, protocol: str = "auto") -> None:
        """Prepare it in an empty directory; `protocol` is the centre's version of MQTT."""
        self.chance = chance
        self._protocol = protocol
        self.broker = Mosquitto(directory / "broker")
        self.uplink = Relay(self.broker.port, chance)  # between gateways and broker
        self.downlink = Relay(self.broker.port, chance)  # between broker and centre
        self._directory = directory
        self._files = Files(directory)
        self._programs = Programs(directory)
        self._plan = demo_plan.generated(chargers=CHARGERS, hours=24, seed=chance.randrange(1 << 30))
        self.clock = SimulatedClock(self._plan.origin_ms, SPEED, 0)
        self._station: Program | None = None
        self._receivers: dict[str, Program] = {}
        self._starts = 0
        self.gateway = self._gateway("gateway", self._files.agent)
        self.twin: Gateway | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def _begin(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self.broker.start(persistent=True)
        await self.uplink.start()
        await self.downlink.start()
        for file in (self._files.gateway_key, self._files.centre_key):
            key = generate()
            save_private(key, file)
            save_public(key.public_key(), f"{file}.pub")
        demo_files.write_station(self._files, self._plan)
        demo_files.write_receiver(self._files, self._plan, Broker(self.downlink.port, self._protocol))
        demo_files.enrol(self._files, self.clock.spec())
        anchor_ms = time.monotonic_ns() // 1_000_000 + int(_START_UP_S * 1000)
        self.clock = SimulatedClock(self._plan.origin_ms, SPEED, anchor_ms)
        self.gateway.clock = self.clock
        arguments = (str(self._files.station), "--clock", self.clock.spec(), "--ready-file", str(self._files.ready))
        self._station = self._programs.start("station", "diantan-sim", "station", *arguments)
        self.start_receiver()
        await self.until("the broker listens", lambda: self.broker.listens)
        await self.until("the station listens", self._files.ready.exists)
        demo_files.write_agent(self._files, self._plan, Broker(self.uplink.port, "auto"))
        text = self._files.agent.read_text()
        polled = f"poll_seconds = {demo_files.POLL_SECONDS}"
        assert polled in text
        self._files.agent.write_text(text.replace(polled, f"poll_seconds = {POLL_SECONDS}"))
        self.gateway.start()
        await self.until("first records at the centre", lambda: self.stored() > _FIRST_RECORDS)

    async def _end(self) -> None:
        self._programs.__exit__()
        self.broker.kill()
        await self.uplink.stop()
        await self.downlink.stop()

    def _gateway(self, name: str, config: Path) -> Gateway:
        return Gateway(name, config, self._directory / name, self._programs, self.clock)

    @property
    def store(self) -> Path:
        """The centre's store."""
        return self._directory / "centre" / "receiver.sqlite"

    @property
    def gateways(self) -> list[Gateway]:
        """Every gateway that has worked."""
        return [self.gateway] if self.twin is None else [self.gateway, self.twin]

    def keys(self) -> KeyRing:
        """Return the public key of the gateways: all that is needed to check what they signed."""
        ring = KeyRing()
        public = load_public(f"{self._files.gateway_key}.pub")
        assert isinstance(public, Ed25519PublicKey)
        ring.add(public, demo_files.GATEWAY)
        return ring

    async def until(self, what: str, ready: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
        """Wait until something has come about; LateError, or DemoError when a process ends."""
        deadline = time.monotonic() + limit_s
        while not ready():
            self._programs.check()
            if time.monotonic() > deadline:
                raise LateError(f"{what}: not within {limit_s:.0f} s")
            await asyncio.sleep(_STEP_S)

    def start_receiver(self, name: str = "receiver", prefix: tuple[str, ...] = (), *, shared: bool = False) -> Program:
        """Start a receiver; one with a name of its own works on the same store, beside the first, and checks nothing.

        Those that are `shared`, which the first can't be, have one subscription together.
        """
        config = self._files.receiver
        if name != config.stem:
            config = self._directory / f"{name}.toml"
            text = self._files.receiver.read_text().replace("[broker]", f'[broker]\nclient_id = "{name}"')
            if shared:
                text = text.replace(f'protocol = "{self._protocol}"', f'protocol = "5"\nshared_group = "{GROUP}"')
                assert GROUP in text
            config.write_text(text.replace("[checks]", "[checks]\nenabled = false"))
        self._starts += 1
        arguments = ("run", "--config", str(config), "--clock", self.clock.spec())
        line = (*prefix, *command("diantan-receiver", *arguments))
        self._receivers[name] = self._programs.start(f"{name}-{self._starts}", *line)
        return self._receivers[name]

    def kill_receiver(self, name: str = "receiver") -> None:
        """End a receiver as a power cut would."""
        program = self._taken(name)
        program.process.kill()
        program.process.wait(KILL_S)

    async def stop_receiver(self, name: str = "receiver") -> Path:
        """End a receiver properly and return its log; DemoError when it does not end."""
        program = self._taken(name)
        # In a thread, as the link over which it says goodbye is of this event loop.
        await asyncio.to_thread(program.stop)
        return program.log

    def _taken(self, name: str) -> Program:
        program = self._receivers.pop(name)
        self._programs.running.remove(program)
        return program

    def receiver_pid(self) -> int:
        """Return the process of the first receiver."""
        return self._receivers["receiver"].process.pid

    async def restart_broker(self, *, persistent: bool = True) -> None:
        """Start the broker again after `broker.kill`."""
        self.broker.start(persistent=persistent)
        await self.until("the broker listens again", lambda: self.broker.listens)

    def start_twin(self) -> None:
        """Start a second gateway with the name and the key of the first, and a journal of its own."""
        config = self._directory / "twin.toml"
        text = self._files.agent.read_text()
        config.write_text(text.replace('data_dir = "gateway"', 'data_dir = "twin"'))
        self.twin = self.twin or self._gateway("twin", config)
        self.twin.clock = self.clock
        self.twin.start()

    def stored(self) -> int:
        """Return how many records of the gateway's journal in use the centre has without a gap."""
        reached = self.gateway.reached()
        return 0 if reached is None else journals.received(self.store, reached[0])

    def told(self) -> int:
        """Return up to which sequence the gateway has told the centre of its journal in use."""
        reached = self.gateway.reached()
        return 0 if reached is None else journals.told(self.store, reached[0])

    def stored_rows(self) -> int:
        """Return how many signed messages the centre has."""
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT coalesce(sum(count), 0) FROM message").fetchone()[0])

    def delivered(self, gateway: Gateway, at_least: int | None = None) -> bool:
        """Return whether the centre has every record of a gateway's journal in use, or those up to a sequence."""
        reached = gateway.reached()
        if reached is None:
            return False
        return journals.received(self.store, reached[0]) >= (reached[1] if at_least is None else at_least)

    def findings(self, kind: str) -> int:
        """Return how many findings of a kind the centre has."""
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM finding WHERE kind = ?", (kind,)).fetchone()[0])

    def checked(self) -> bool:
        """Return whether the centre's checks have seen everything that came, but for what is not due yet."""
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as connection:
            return not connection.execute("SELECT count(*) FROM dirty WHERE due_ms IS NULL").fetchone()[0]

    async def recovered(self) -> float:
        """Wait until the centre has a record made after now and all before it; return how many seconds that took."""
        begun = time.monotonic()
        await self.until("the gateway has a journal", lambda: self.gateway.reached() is not None)
        reached = self.gateway.reached()
        assert reached is not None
        await self.until("the centre has caught up", lambda: self.delivered(self.gateway, reached[1] + 1))
        return time.monotonic() - begun

    async def settle(self, *, deliver: bool = True) -> list[Kept]:
        """Let no more be metered, deliver the rest, stop the gateways and return all their journals."""
        if self._station is not None:
            self._programs.running.remove(self._station)
            self._station.stop()
            self._station = None
        for gateway in self.gateways:
            # One at a time: two of one name take the link away from each other.
            for other in self.gateways:
                if other is not gateway:
                    await other.stop()
            while deliver and (gateway.runs or not self.delivered(gateway)):
                if not gateway.runs:
                    gateway.start()
                await self.until("the rest is delivered", partial(self.delivered, gateway))
                await asyncio.sleep(_QUIET_S)
                await gateway.stop()
        await self.gateway.stop()
        return [kept for gateway in self.gateways for kept in gateway.kept()]


def pause(pid: int, *, stopped: bool) -> None:
    """Stop a process where it is, or let it go on."""
    os.kill(pid, signal.SIGSTOP if stopped else signal.SIGCONT)
