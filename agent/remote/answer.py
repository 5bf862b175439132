"""Answering commands: each done at most once, answered, and recorded in the journal.

The id of every command is kept until the command could no longer be believed, with its outcome and reply: one that
comes again gets the same reply again. What has effects is done only when the id is on the disk, so that a crash in the
middle of it can't make it happen twice; the next run then says that it was interrupted. The event that tells of an
outcome is written in the same transaction.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from agent.factors import REJECTED_EVERY_MS
from agent.journal_entry import Append, StoredCommand, event, to_row
from agent.journal_schema import JournalError, StorageFullError
from agent.logs import log
from agent.remote.answered import Answered, FailedCommandError, Handler, RefusedCommandError, has_effects
from agent.remote.believe import CentreTime, Signed, UnbelievedError, objection, opened
from agent.remote.outbox import Outbox
from agent.remote.rate import Rate
from agent.uplink import Publisher
from agent.writer import JournalWriter
from clock import Clock
from wire import topics
from wire.commands import LONGEST_VALIDITY_MS, MAX_TEXT_BYTES, Command, Outcome, Reply
from wire.envelope import MAX_ENVELOPE_BYTES, KeyRing, Signer
from wire.fields import MessageError
from wire.orders import Verb
from wire.records import DetailKey, EventCode
from wire.tasks import end

A_MINUTE: Final = 60  # commands; repeated ones count too
MOST_UNDER_WAY: Final = 32
MOST_KEPT: Final = 4096
MOST_REPLY_BYTES: Final = 32 << 20  # of all replies that are kept
_MOST_PAYLOAD: Final = MAX_ENVELOPE_BYTES - 512  # the envelope takes some
_DISK_S: Final = 10.0  # real time that a command waits for the disk
_LONGEST_REASON: Final = 80  # characters: at most 256 bytes of UTF-8 travel in an event


@dataclass(slots=True)
class _Known:
    """A command that came."""

    issued_ms: int
    expires_ms: int
    verb: int
    outcome: Outcome | None = None
    reply: bytes | None = None  # until it is on the disk
    reply_bytes: int = 0

    def is_over(self, newest_ms: int) -> bool:
        """Whether it can't be believed again, and nothing more is to be said of it."""
        return self.expires_ms < newest_ms and self.outcome not in (None, Outcome.UNDER_WAY) and self.reply is None


class Answerer:
    """Takes the messages of the command topic."""

    def __init__(
        self,
        gateway: str,
        handlers: Mapping[Verb, Handler],
        writer: JournalWriter,
        link: Publisher,
        *,
        signer: Signer,
        centre: KeyRing,
        clock: Clock,
        now_ms: Callable[[], int],
        time: CentreTime,
    ) -> None:
        """Go on from what the journal keeps; nobody else may be using the journal yet."""
        self.topic = topics.command(gateway)
        self.counts = dict.fromkeys(("done", "refused", "failed", "under_way", "repeated", "put_off", "unbelieved"), 0)
        self._gateway = gateway
        self._handlers = handlers
        self._writer = writer
        self._centre = centre
        self._now_ms = now_ms
        self._time = time
        self._rate = Rate(A_MINUTE, clock)
        self._known = {
            kept.id: _Known(
                kept.issued_ms,
                kept.expires_ms,
                kept.verb,
                None if kept.outcome is None else Outcome(kept.outcome),
            )
            for kept in writer.journal.commands()
        }
        for command, size in writer.journal.reply_sizes().items():
            self._known[command].reply_bytes = size
        self._outbox = Outbox(topics.reply(gateway), link, signer, writer, unwritten=self._unwritten)
        self._tasks: set[asyncio.Task[object]] = set()
        self._failure: asyncio.Future[None] | None = None
        self._unbelieved_told: int | None = None
        self._is_over = False

    def _unwritten(self, command: bytes) -> bytes | None:
        known = self._known.get(command)
        return None if known is None else known.reply

    @property
    def unfinished(self) -> dict[bytes, int]:
        """The verbs of the commands that have no final answer, by id."""
        return {
            command: known.verb for command, known in self._known.items() if known.outcome in (None, Outcome.UNDER_WAY)
        }

    def is_answered(self, command: bytes) -> bool:
        """Whether a command is known and has its final answer."""
        return command in self._known and command not in self.unfinished

    async def run(self) -> None:
        """Answer until cancelled; JournalError when the journal turns out to be damaged."""
        self._failure = asyncio.get_running_loop().create_future()
        sending = asyncio.create_task(self._outbox.run(), name="replies")
        try:
            await asyncio.wait({sending, self._failure}, return_when=asyncio.FIRST_COMPLETED)
            for ended in (sending, self._failure):
                if ended.done():
                    ended.result()
        finally:
            self._is_over = True
            self._failure.cancel()
            await end({sending, *self._tasks})

    def connected(self) -> None:
        """Look again: the link is (back) up."""
        self._outbox.connected()

    def message(self, topic: str, envelope: bytes) -> bool:
        """Take a message from the command topic; return whether it is believed."""
        if self._is_over:
            return False  # the gateway is about to end: the next run gets it again
        try:
            signed = opened(topic, envelope, self._centre)
        except UnbelievedError as error:
            self._disbelieve(str(error))
            return False
        known = self._known.get(signed.id)
        problem = objection(signed, self._gateway, self._time)
        self._time.heard(signed.issued_ms)
        if known is not None and known.outcome is None:
            return problem is None  # its answer is on its way
        self._forget()
        if not self._rate.take() or (known is None and not self._has_room()):
            # Not refused, which would have to be remembered: whoever asks repeats it until there is an answer.
            self.counts["put_off"] += 1
            log.warning("too many commands: one is left for later", extra={"about": "commands"})
        elif known is not None:
            self.counts["repeated"] += 1
            self._outbox.put(signed.id)
        elif problem is not None and problem.lasting:
            self._count(Outcome.REFUSED)
            log.warning("command %s refused: %s", signed.id.hex(), problem.text, extra={"about": "commands"})
            verb = None if signed.command is None else signed.command.verb
            reply = Reply(self._gateway, signed.id, self._now_ms(), Outcome.REFUSED, _clipped(problem.text), verb)
            self._outbox.put(signed.id, reply.encode())
        else:
            self._known[signed.id] = _Known(signed.issued_ms, signed.expires_ms, signed.verb)
            self.start(self._do(signed, None if problem is None else problem.text))
        return problem is None

    async def finish(self, command: bytes, answered: Answered) -> bool:
        """Answer a command that a former run began, or that was UNDER_WAY; return whether that is on the disk."""
        known = self._known.get(command)
        if known is None:  # the journal that knew it was set aside
            now = self._time.now_ms()
            known = self._known[command] = _Known(now, now + LONGEST_VALIDITY_MS, Verb.CONFIGURE)
        return await self._finish(command, answered, Verb(known.verb) if known.verb in set(Verb) else None)

    def start(self, work: Coroutine[Any, Any, object]) -> None:
        """Have something done beside; what it raises ends `run`. After that, nothing is begun."""
        if self._is_over:
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[object]") -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)

    def _has_room(self) -> bool:
        under_way = sum(known.outcome is None or known.reply is not None for known in self._known.values())
        return under_way < MOST_UNDER_WAY and len(self._known) < MOST_KEPT

    def _forget(self) -> None:
        newest = self._time.newest_ms
        for command in [command for command, known in self._known.items() if known.is_over(newest)]:
            del self._known[command]

    async def _do(self, signed: Signed, problem: str | None) -> None:
        command = signed.command
        if problem is not None:
            answered = Answered(Outcome.REFUSED, problem)
        elif command is None:
            answered = Answered(Outcome.REFUSED, f"this program does not know verb {signed.verb}")
        else:
            try:
                answered = await self._try(command)
            except RefusedCommandError as error:
                answered = Answered(Outcome.REFUSED, str(error))
            except FailedCommandError as error:
                answered = Answered(Outcome.FAILED, str(error))
            except StorageFullError as error:
                answered = Answered(Outcome.FAILED, f"the journal can't be read: {error}")
            except JournalError:
                raise
            except Exception as error:
                log.exception("a command failed", extra={"about": signed.id.hex()})
                answered = Answered(Outcome.FAILED, f"a fault of the gateway's program: {type(error).__name__}")
        await self._finish(signed.id, answered, None if command is None else command.verb)

    async def _try(self, command: Command) -> Answered:
        if sum(known.reply_bytes for known in self._known.values()) > MOST_REPLY_BYTES:
            raise RefusedCommandError("the replies that are kept take too much room; later, when they have expired")
        if has_effects(command.order):
            known = self._known[command.id]
            begun = StoredCommand(command.id, known.issued_ms, known.expires_ms, known.verb)
            if not await self._kept(Append(command=begun)):
                raise RefusedCommandError("the gateway's disk takes nothing, so it could be done twice")
            if command.expires_ms <= self._time.now_ms():
                raise RefusedCommandError("it expired while it waited for the gateway's disk")
        return await self._handlers[command.verb](command)

    async def _finish(self, command: bytes, answered: Answered, verb: Verb | None) -> bool:
        known = self._known[command]
        reply = Reply(
            self._gateway,
            command,
            self._now_ms(),
            answered.outcome,
            _clipped(answered.text),
            verb,
            None if verb is None else answered.result,
        )
        try:
            payload = reply.encode()
            problem = f"{len(payload)} bytes, at most {_MOST_PAYLOAD} travel" if len(payload) > _MOST_PAYLOAD else None
        except MessageError as error:
            payload, problem = b"", str(error)
        if problem is not None:
            advice = "ask for fewer meters" if verb is Verb.READ_DAY else "the answer can't travel"
            outcome = Outcome.REFUSED if verb is Verb.READ_DAY else Outcome.FAILED
            return await self._finish(command, Answered(outcome, f"{advice}: {problem}"), verb)
        row = to_row(event(self._now_ms(), EventCode.COMMAND, details=self._details(command, answered)))
        stored = StoredCommand(command, known.issued_ms, known.expires_ms, known.verb, answered.outcome, payload)

        def kept() -> None:
            if known.reply is payload:
                known.reply = None

        is_kept = await self._kept(Append([row], command=stored, on_kept=kept))
        if not is_kept:
            known.reply = payload  # while the disk refuses, it is sent all the same
        known.outcome, known.reply_bytes = answered.outcome, len(payload)
        self._count(answered.outcome)
        log.info(
            "command %s (%s): %s",
            command.hex(),
            "unknown" if verb is None else verb.name.lower(),
            answered.outcome.name.lower().replace("_", " "),
            extra={"about": "commands", "details": {"why": answered.text} if answered.text else {}},
        )
        self._outbox.put(command)
        return is_kept

    def _details(self, command: bytes, answered: Answered) -> dict[DetailKey, int | str]:
        details: dict[DetailKey, int | str] = {
            DetailKey.COMMAND: command.hex(),
            DetailKey.VERB: self._known[command].verb,
            DetailKey.OUTCOME: answered.outcome,
        }
        if answered.text:
            details[DetailKey.TEXT] = answered.text[:_LONGEST_REASON]
        return details

    async def _kept(self, operation: Append) -> bool:
        """Have something written; return whether it is on the disk before long."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        also = operation.on_kept

        def kept() -> None:
            if also is not None:
                also()
            if not done.done():
                done.set_result(None)

        self._writer.submit(replace(operation, on_kept=kept))
        await asyncio.wait({done}, timeout=_DISK_S)
        return done.done()

    def _count(self, outcome: Outcome) -> None:
        self.counts[outcome.name.lower()] += 1

    def _disbelieve(self, reason: str) -> None:
        self.counts["unbelieved"] += 1
        log.warning("a command is not believed: %s", reason, extra={"about": "commands"})
        now = self._now_ms()
        # Not "less than": the time may have leapt back since.
        if self._unbelieved_told is not None and 0 <= now - self._unbelieved_told < REJECTED_EVERY_MS:
            return
        self._unbelieved_told = now
        details: dict[DetailKey, int | str] = {
            DetailKey.OUTCOME: Outcome.REFUSED,
            DetailKey.COUNT: self.counts["unbelieved"],
            DetailKey.TEXT: reason[:_LONGEST_REASON],
        }
        self._writer.submit(Append([to_row(event(now, EventCode.COMMAND, details=details))]))


def _clipped(text: str) -> str:
    return text.encode("utf-8", "replace")[:MAX_TEXT_BYTES].decode(errors="ignore")
