"""A centre's directory whose command line the test runs, at an instant that stands still."""

from pathlib import Path
from typing import Any

import pytest
from orders_support import reply
from receiver_support import FakeGateway
from sqlalchemy import select, update

from cloud_receiver import database, schema
from cloud_receiver.cli import main
from wire import keys, topics
from wire.commands import Command, Outcome
from wire.envelope import KeyRing, Signer, open_envelope

NOW_MS = 1_782_835_200_000
CLOCK = f"simulated:{NOW_MS}:1:99999999999999"  # it stands still
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


class Place:
    """A centre's directory with the gateway gw1 enrolled."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self._capsys = capsys
        (directory / "registry.toml").write_text(REGISTRY)
        self.config = directory / "receiver.toml"
        self.config.write_text('[centre]\nkey_file = "centre.key"\n')
        for name in ("centre.key", "gw1.key"):
            assert main(["key", "new", str(directory / name)]) == 0
        assert self.run("gateway", "add", "gw1", str(directory / "gw1.key.pub"), "--station", "S1")[0] == 0
        self.gateway = FakeGateway("gw1", keys.load_private(directory / "gw1.key"))

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run the command line; return its exit status, what it printed and what it said on stderr."""
        self._capsys.readouterr()
        options = ("--config", str(self.config), "--clock", CLOCK)
        try:
            status = main([*arguments, *options])
        except SystemExit as ended:
            status = int(ended.code or 0)
        captured = self._capsys.readouterr()
        return status, captured.out, captured.err

    def command(self, *arguments: str) -> tuple[int, str, str]:
        return self.run("command", "gw1", *arguments)

    def issued(self, *arguments: str) -> Command:
        """Issue a command without waiting; return it as the gateway would read it."""
        status, out, _ = self.command(*arguments, "--no-wait")
        assert status == 0
        row = self.row(out.strip())
        ring = KeyRing()
        ring.add(keys.load_public(self.directory / "centre.key.pub"), "centre")
        found = Command.decode(open_envelope(bytes(row.envelope), topics.command("gw1"), ring).payload)
        assert found.id.hex() == out.strip()
        return found

    def row(self, number: str) -> Any:
        engine = database.open_store("sqlite:///receiver.sqlite", self.directory)
        with database.reading(engine) as connection:
            found = connection.execute(select(schema.command).where(schema.command.c.id == bytes.fromhex(number))).one()
        engine.dispose()
        return found

    def change(self, **values: Any) -> None:
        engine = database.open_store("sqlite:///receiver.sqlite", self.directory)
        with database.writing(engine) as connection:
            connection.execute(update(schema.command).values(**values))
        engine.dispose()

    def answer(self, number: bytes, outcome: Outcome, **fields: Any) -> None:
        """Enter a reply as the intake does."""
        message = reply(self.gateway, number, outcome, **fields)
        kid = Signer(self.gateway.key).kid
        self.change(outcome=int(outcome), reply=message.payload, reply_kid=kid, reply_ms=NOW_MS + 1000)

    def count(self) -> int:
        engine = database.open_store("sqlite:///receiver.sqlite", self.directory)
        with database.reading(engine) as connection:
            found = len(connection.execute(select(schema.command.c.id)).all())
        engine.dispose()
        return found

    def file(self, content: str | bytes) -> str:
        path = self.directory / "gateway.toml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)
