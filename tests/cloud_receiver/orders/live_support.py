"""Receivers and command lines as processes, behind a real Mosquitto, and a gateway played by the test."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from orders_support import DIGEST, DOCUMENT, RESULTS
from receiver_support import DAY_MS, FakeGateway, until
from sqlalchemy import select

from clock import SystemClock
from cloud_receiver import database, enrolment, meters, registry, schema
from wire import keys, topics
from wire.commands import Command, Outcome, Reply
from wire.envelope import KeyRing, Signer, open_envelope
from wire.link import Link, LinkSettings, Received
from wire.messages import Status, StatusState
from wire.orders import Configure, ConfigureAction, Read
from wire.records import ClockState
from wire.results import Configuration, ConfigurationState

RECEIVER = """
registry = "registry.toml"
[centre]
key_file = "centre.key"
[broker]
port = {port}
client_id = "{client}"
protocol = "5"
"""
REGISTRY = """
[[station]]
id = "S1"
node = "node1"
[[station.meter]]
id = "C01"
role = "charger"
gateway = "gw1"
rated_kw = 60
"""


@dataclass
class Centre:
    """A centre's directory; what is started in it ends with the test."""

    directory: Path
    port: int
    speed: int = 1
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    gateways: dict[str, FakeGateway] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = f"simulated:{DAY_MS}:{self.speed}:{SystemClock().monotonic_ms()}"
        (self.directory / "registry.toml").write_text(REGISTRY)
        centre = keys.generate()
        keys.save_private(centre, self.directory / "centre.key")
        self.ring = KeyRing()
        self.ring.add(centre.public_key(), "centre")
        engine = database.open_store("sqlite:///receiver.sqlite", self.directory)
        database.upgrade(engine)
        with database.writing(engine) as connection:
            meters.enter_registry(connection, registry.load(self.directory / "registry.toml"))
            for name in ("gw1", "gw2"):
                self.gateways[name] = FakeGateway(name, keys.generate())
                enrolment.add(connection, name, self.gateways[name].key.public_key(), "S1", 0)
        engine.dispose()

    def _config(self, client: str) -> str:
        path = self.directory / f"{client}.toml"
        path.write_text(RECEIVER.format(port=self.port, client=client))
        return str(path)

    def start(self, client: str = "receiver") -> "subprocess.Popen[bytes]":
        """Start a receiver."""
        arguments = ["run", "--config", self._config(client), "--clock", self.clock]
        with (self.directory / f"{client}.log").open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", "cloud_receiver.cli", *arguments], stderr=log)
        self.processes.append(process)
        return process

    def log(self, client: str = "receiver") -> str:
        return (self.directory / f"{client}.log").read_text()

    async def line(self, *arguments: str) -> tuple[int, str, str]:
        """Run the command line as a process; return exit status, standard output and standard error."""
        command = [sys.executable, "-m", "cloud_receiver.cli", *arguments]
        command += ["--config", self._config("line"), "--clock", self.clock]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, out.decode(), err.decode()

    async def issue(self, *arguments: str) -> str:
        """Issue a command to gw1 without waiting; return its id."""
        status, out, err = await self.line("command", "gw1", *arguments, "--no-wait")
        assert status == 0, err
        return out.strip()

    def rows(self, table: Any = schema.command) -> list[Any]:
        engine = database.open_store("sqlite:///receiver.sqlite", self.directory)
        try:
            with database.reading(engine) as connection:
                return list(connection.execute(select(table)).all())
        finally:
            engine.dispose()

    def outcomes(self) -> list[int | None]:
        return [row.outcome for row in self.rows()]

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait(10)


class Gateway:
    """A gateway as the wire sees it: it does each command once, and repeats its reply when the command is repeated."""

    def __init__(self, centre: Centre, name: str = "gw1") -> None:
        self.name = name
        self.answering = True
        self.received: list[bytes] = []
        self.done: dict[bytes, bytes] = {}
        self.in_force = DOCUMENT
        self._centre = centre
        self._signer = Signer(centre.gateways[name].key)
        settings = LinkSettings("127.0.0.1", centre.port, name, protocol="5", reconnect_min_ms=100)
        self.link = Link(settings, SystemClock(), on_message=self._take, on_connect=self._born)
        self.link.subscribe(topics.command(name), 1)

    async def __aenter__(self) -> Self:
        await self.link.start()
        await self.link.wait_connected()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.link.stop()

    def tell(self, state: StatusState) -> "asyncio.Future[None]":
        """Publish a status, as gateways do: retained."""
        status = Status(self.name, state, DAY_MS, b"journal1", 1, 0, ClockState.SYNCHRONISED)
        return self.send(topics.status(self.name), status.encode(), retain=True)

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> "asyncio.Future[None]":
        return self.link.publish(topic, self._signer.sign(payload, topic), 1, retain=retain)

    def _born(self) -> None:
        self.tell(StatusState.BIRTH)

    def _take(self, message: Received) -> None:
        opened = open_envelope(message.payload, message.topic, self._centre.ring)
        command = Command.decode(opened.payload)
        message.ack()
        self.received.append(command.id)
        if self.answering:
            self.answer(command)

    def answer(self, command: Command) -> None:
        """Reply to a command."""
        if command.id not in self.done:
            if isinstance(command.order, Configure) and command.order.action is not ConfigureAction.SHOW:
                self._reply(Reply(self.name, command.id, DAY_MS, Outcome.UNDER_WAY, "on trial", command.verb))
            self.done[command.id] = self._do(command).encode()
        self.send(topics.reply(self.name), self.done[command.id])

    def _reply(self, reply: Reply) -> None:
        self.send(topics.reply(self.name), reply.encode())

    def _do(self, command: Command) -> Reply:
        order = command.order
        head = (self.name, command.id, DAY_MS)
        if isinstance(order, Read) and order.meter != "C01":
            return Reply(*head, Outcome.REFUSED, f"no meter {order.meter!r}", command.verb)
        result = RESULTS[command.verb]
        if isinstance(order, Configure):
            if order.action is ConfigureAction.SET:
                if order.base not in {None, DIGEST}:
                    return Reply(*head, Outcome.REFUSED, "another configuration is in force", command.verb)
                self.in_force = order.document or ""
            result = Configuration(ConfigurationState.SENT, DIGEST, None, self.in_force)
        return Reply(*head, Outcome.DONE, "", command.verb, result)

    def command(self, number: bytes) -> Command:
        """Return a command of the centre's store, as it was received."""
        row = next(row for row in self._centre.rows() if bytes(row.id) == number)
        topic = topics.command(self.name)
        return Command.decode(open_envelope(bytes(row.envelope), topic, self._centre.ring).payload)


def playing(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario."""

    async def run() -> None:
        await scenario()

    asyncio.run(run())


async def serving(centre: Centre, client: str = "receiver") -> None:
    """Wait until a receiver has subscribed."""
    await until(lambda: "connected to" in centre.log(client))


def shown(out: str) -> Any:
    """Return what `--json` printed."""
    return json.loads(out)
