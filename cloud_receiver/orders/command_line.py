"""`diantan-receiver command GATEWAY …`: orders a gateway to do something, and waits for its answer."""

import argparse
import asyncio
import hashlib
import os
import pwd
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

import clock
from clock import Clock
from cloud_receiver import config, database, registry
from cloud_receiver.orders import answer, issue, waiting
from cloud_receiver.orders.answer import Account
from cloud_receiver.orders.issue import OrderError
from cloud_receiver.registry import Registry
from wire.envelope import Signer
from wire.fields import CONTEXT_BYTES
from wire.keys import PublicKey, load_private
from wire.orders import (
    DIGEST_BYTES,
    MAX_DOCUMENT_BYTES,
    Configure,
    ConfigureAction,
    Order,
    Read,
    ReadDay,
    Resend,
    TellStatus,
)
from wire.results import Configuration

MINUTE_MS: Final = 60_000

Make = Callable[["Session"], Order]


@dataclass(frozen=True, slots=True)
class Session:
    """What the run of a command needs."""

    options: argparse.Namespace
    engine: Engine
    stations: Registry
    signer: Signer
    centre_key: PublicKey
    clock: Clock

    def issue(self, order: Order) -> bytes:
        """Sign and enter an order; return its id."""
        options = self.options
        with database.writing(self.engine) as connection:
            return issue.issue(
                *(connection, self.signer, options.gateway, order),
                author=options.by or login_name(),
                now_ms=self.clock.now_ms(),
                valid_ms=options.valid * MINUTE_MS,
            )

    def wait(self, number: bytes, order: Order) -> Account:
        """Wait for the answer to a command; return its account as it is then."""
        trial_ms = 0
        if isinstance(order, Configure) and order.action is not ConfigureAction.SHOW:
            trial_ms = order.trial_s * 1000

        async def waited() -> None:
            progress = waiting.Progress(asyncio.get_running_loop().time)
            limit_s = self.options.wait
            await waiting.wait(self.engine, number, self.clock, limit_s=limit_s, trial_ms=trial_ms, progress=progress)

        try:
            asyncio.run(waited())
        except KeyboardInterrupt:
            # The command stands in the store whether anybody waits or not.
            _hint("not waited for any longer")
        return self.account(number)

    def account(self, number: bytes) -> Account:
        """Return the account of a command of this session."""
        with database.reading(self.engine) as connection:
            found = answer.account(connection, number, self.stations, [self.centre_key])
        assert found is not None  # no row is ever deleted
        return found


def run(options: argparse.Namespace) -> int:
    """Issue the command and wait for its answer; return 0 where the gateway has done it."""
    settings = config.load(Path(options.config))
    stations = registry.load(settings.registry)
    key = load_private(settings.centre.key_file)
    engine = database.open_store(settings.centre.database, settings.centre.data_dir)
    try:
        database.require_current(engine)
        session = Session(options, engine, stations, Signer(key), key.public_key(), clock.from_spec(options.clock))
        return _run(session, options.make)
    finally:
        engine.dispose()


def _run(session: Session, make: Make) -> int:
    options = session.options
    order = make(session)
    number = session.issue(order)
    if options.no_wait:
        found = session.account(number)
        now_ms = session.clock.now_ms()
        _say(answer.json_text(answer.account_object(found, now_ms)) if options.json else number.hex())
        return 0
    _hint(f"command {number.hex()} for {options.gateway}")
    found = session.wait(number, order)
    _tell(session, found)
    return 0 if found.done else 1


def _tell(session: Session, found: Account) -> None:
    now_ms = session.clock.now_ms()
    if session.options.json:
        _say(answer.json_text(answer.account_object(found, now_ms)))
    else:
        for line in answer.answer_lines(found):
            _say(line)
    entry, proof = found.entry, found.evidence
    if not proof.sound:
        _hint(f"diantan-receiver: not proved: {proof.order_fault or proof.reply_fault}")
    if not entry.final:
        state = entry.state(now_ms)
        _hint(
            f"diantan-receiver: command {entry.id.hex()} is {state.replace('_', ' ')}, published {entry.published} "
            f"times; `diantan-receiver commands show {entry.id.hex()}` tells what becomes of it"
        )


def read(session: Session) -> Order:
    """Make the order to read a meter now."""
    return Read(session.options.meter, tuple(session.options.point))


def read_day(session: Session) -> Order:
    """Make the order to read a day's freezes and factors."""
    options = session.options
    return ReadDay(options.day, tuple(options.meter), from_meters=options.from_meters)


def resend(session: Session) -> Order:
    """Make the order to send records again; of the present journal where none is named."""
    options = session.options
    if options.context is not None:
        context = _hexadecimal(options.context, "--context", CONTEXT_BYTES)
    else:
        with database.reading(session.engine) as connection:
            context = issue.present_journal(connection, options.gateway)
    return Resend(context, options.first, options.last)


def tell_status(_session: Session) -> Order:
    """Make the order to tell the status."""
    return TellStatus()


def show_configuration(_session: Session) -> Order:
    """Make the order to show the configuration."""
    return Configure(ConfigureAction.SHOW)


def roll_back(_session: Session) -> Order:
    """Make the order to return to the configuration before."""
    return Configure(ConfigureAction.ROLL_BACK)


def set_configuration(session: Session) -> Order:
    """Make the order to replace the configuration, after asking which one is in force."""
    options = session.options
    document = read_document(Path(options.file))
    base = None
    if options.base is not None:
        base = _hexadecimal(options.base, "--base", DIGEST_BYTES)
    elif not options.any_base:
        if options.no_wait:
            raise OrderError(
                "--no-wait: `config set` has to ask first which configuration is in force, and to wait for the answer: "
                "name that one with --base, or replace whichever it is with --any-base"
            )
        base = _present_digest(session)
    return Configure(ConfigureAction.SET, document, base, options.trial)


def _present_digest(session: Session) -> bytes:
    order = show_configuration(session)
    number = session.issue(order)
    _hint(f"command {number.hex()} for {session.options.gateway}: which configuration is in force")
    found = session.wait(number, order)
    reply = found.evidence.reply
    if not found.done or reply is None or not isinstance(reply.result, Configuration):
        _tell(session, found)
        raise OrderError(
            f"gateway {session.options.gateway} has not told which configuration is in force, so nothing was sent: "
            f"--any-base replaces whichever it is"
        )
    _hint(f"replaces {reply.result.digest.hex()} ({reply.result.state.name.lower()})")
    return reply.result.digest


def read_document(path: Path) -> str:
    """Return a configuration to send; OrderError when it is too large or no TOML. The gateway checks the rest."""
    with path.open("rb") as file:
        data = file.read(MAX_DOCUMENT_BYTES + 1)
    if not 0 < len(data) <= MAX_DOCUMENT_BYTES:
        raise OrderError(f"{path}: expected 1 to {MAX_DOCUMENT_BYTES} bytes, got {_size(path, data)}")
    try:
        document = data.decode()
        tomllib.loads(document)
    except UnicodeDecodeError as error:
        raise OrderError(f"{path}: expected UTF-8, got the byte 0x{data[error.start]:02x} at {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise OrderError(f"{path}: no TOML: {error}") from error
    _hint(f"{path}: {len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")
    return document


def _size(path: Path, data: bytes) -> int:
    return max(path.stat().st_size, len(data))


def _hexadecimal(text: str, what: str, size: int) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != size:
        raise OrderError(f"{what} {text!r}: expected {2 * size} hexadecimal digits")
    return value


def login_name() -> str:
    """Return who has logged in, and as whom, if that is another; not from the environment, which anybody sets."""
    number = os.getuid()
    try:
        user = pwd.getpwuid(number).pw_name
    except KeyError:
        user = f"uid {number}"
    try:
        login = os.getlogin()
    except OSError:  # nobody has: a service, a timer
        return user
    return user if login == user else f"{login} as {user}"


def _say(text: str) -> None:
    print(text)  # noqa: T201  # a command's answer


def _hint(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201  # what is said beside the answer
