"""What the centre's commands do to the configuration, while the gateway runs."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from agent.config import AgentConfig
from agent.configuration import candidate
from agent.configuration.events import ChangeLog
from agent.configuration.keeper import Chosen, Keeper
from agent.configuration.store import StoredError, digest_of
from agent.logs import log
from agent.timing import at_least_real
from agent.writer import JournalWriter
from clock import Clock
from settings.errors import ConfigError
from wire.commands import Command, Outcome
from wire.orders import MAX_DOCUMENT_BYTES, Configure
from wire.results import Configuration
from wire.tasks import end

HAND_OVER_S: Final = 1.0  # real: for the reply "under way" to reach the journal and the broker
SETTLING_MS: Final = 10_000
"""How long a configuration must have run before it stays, however soon the centre answers: not all that makes a
gateway end does so at once."""
_TRIAL_FLOOR_S: Final = 15.0  # on a clock that runs fast, a broker and a centre still take real time
_AGAIN_MS: Final = 5_000
_AGAIN_FLOOR_S: Final = 0.2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pending:
    """How a command ended whose first reply was UNDER_WAY, as it is still to be told to the centre."""

    command: bytes
    outcome: Outcome
    text: str
    configuration: Configuration


@dataclass(frozen=True, slots=True)
class Reach:
    """What the link to the broker says of itself."""

    connected: Callable[[], bool]
    trouble: Callable[[], str | None]


class Configurator:
    """Shows, replaces and rolls back the configuration in force; one for each run of the gateway."""

    def __init__(self, keeper: Keeper, chosen: Chosen, clock: Clock, *, hand_over_s: float = HAND_OVER_S) -> None:
        self.restart = asyncio.Event()  # ends the gateway, which then starts again with what is in force
        self.on_pending: Callable[[], None] = lambda: None  # called when there is one while the gateway runs
        self._keeper = keeper
        self._config: AgentConfig = chosen.loaded.config
        self._clock = clock
        self._hand_over_s = hand_over_s
        self._disk = asyncio.Lock()  # one use of the keeper at a time; in threads, since a sync may take a second
        self._heard = asyncio.Event()
        self._work = asyncio.Event()
        self._told: bytes | None = None
        self.pending = self._pending()

    def _pending(self) -> Pending | None:
        verdict = self._keeper.state.verdict
        if verdict is None or verdict.told:
            return None
        return Pending(verdict.command, verdict.outcome, verdict.text, self._keeper.configuration())

    async def show(self) -> Configuration:
        """Return the configuration in force with its document (None where it is too large to travel)."""
        async with self._disk:
            shown = self._keeper.configuration()
            try:
                document = await _whole(self._keeper.document)
            except StoredError as error:
                return replace(shown, problems=candidate.fitting((str(error),)))
        if len(document) > MAX_DOCUMENT_BYTES:
            return replace(shown, problems=(f"{len(document)} bytes: too large to travel",))
        return replace(shown, document=document.decode())

    async def set(self, order: Configure, command: Command) -> tuple[Outcome, str, Configuration]:
        """Check a configuration and have it tried: UNDER_WAY, or DONE, REFUSED or FAILED with nothing changed.

        The same command again (by its id) gets the same answer, and is not done twice. After UNDER_WAY the gateway
        goes on for a second or so, for the reply to be journalled and sent, before `restart` is set.
        """
        assert order.document is not None
        document = order.document.encode()
        async with self._disk:
            if (known := self._known(command)) is not None:
                return known
            present = self._keeper.state.in_force
            if digest_of(document) == present and self._keeper.state.trial is None:
                return self._answer(Outcome.DONE, "it is in force already")
            if (reason := self._why_not_now()) is not None:
                return self._answer(Outcome.REFUSED, reason)
            if order.base is not None and order.base != present:
                return self._answer(Outcome.REFUSED, f"another one is in force: {present.hex()}")
            try:
                await _whole(candidate.check, document, self._keeper.base, self._config)
            except ConfigError as error:
                text = f"{len(error.problems)} mistakes" if len(error.problems) > 1 else "a mistake"
                return self._answer(Outcome.REFUSED, text, candidate.fitting(error.problems))
            return await self._propose(document, command, order.trial_s)

    async def roll_back(self, command: Command) -> tuple[Outcome, str, Configuration]:
        """Have the configuration before this one tried; as `set`."""
        assert isinstance(command.order, Configure)
        async with self._disk:
            if (known := self._known(command)) is not None:
                return known
            if (reason := self._why_not_now()) is not None:
                return self._answer(Outcome.REFUSED, reason)
            if not self._keeper.state.versions:
                return self._answer(Outcome.REFUSED, "the gateway's own file is in force: there is none before it")
            return await self._propose(None, command, command.order.trial_s)

    def _known(self, command: Command) -> tuple[Outcome, str, Configuration] | None:
        """Return the answer to a command that has been here before."""
        trial, verdict = self._keeper.state.trial, self._keeper.state.verdict
        if trial is not None and trial.command == command.id:
            return self._under_way(trial.trial_s)
        if verdict is not None and verdict.command == command.id:
            return self._answer(verdict.outcome, verdict.text)
        return None

    def _why_not_now(self) -> str | None:
        if self._keeper.state.trial is not None:
            return "a configuration is on trial: wait for its outcome"
        if self.pending is not None:
            return "the outcome of the last trial is not in the journal yet"
        return None

    async def _propose(
        self, document: bytes | None, command: Command, trial_s: int
    ) -> tuple[Outcome, str, Configuration]:
        try:
            await _whole(self._keeper.propose, document, command.id, trial_s)
        except OSError as error:
            return self._answer(Outcome.FAILED, f"it can't be stored: {error.strerror}")
        finally:
            # Also where whoever asked has been cancelled meanwhile: what is to be tried is on the disk.
            trial = self._keeper.state.trial
            if trial is not None and trial.command == command.id:
                log.info("the gateway starts again with another configuration, by command %s", command.id.hex())
                asyncio.get_running_loop().call_later(self._hand_over_s, self.restart.set)
        return self._under_way(trial_s)

    def _under_way(self, trial_s: int) -> tuple[Outcome, str, Configuration]:
        return self._answer(Outcome.UNDER_WAY, f"on trial for {trial_s} s")

    def _answer(
        self, outcome: Outcome, text: str, problems: tuple[str, ...] = ()
    ) -> tuple[Outcome, str, Configuration]:
        return outcome, text, self._keeper.configuration(problems=problems)

    def told(self) -> None:
        """Forget `pending`: the journal has it."""
        if self.pending is not None:
            self._told, self.pending = self.pending.command, None
            self._work.set()

    def heard_centre(self) -> None:
        """Take note that a message of the centre, sent since this run connected, was verified."""
        self._heard.set()

    async def run(self, writer: JournalWriter, reach: Reach) -> None:
        """Watch over the trial, and put into the journal what changed, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep(ChangeLog(writer)), name="configuration's records")
            trial = self._keeper.state.trial
            if trial is not None and trial.begun:
                tasks.create_task(self._try(trial.trial_s, reach), name="trial")

    async def _try(self, trial_s: int, reach: Reach) -> None:
        limit_ms = at_least_real(self._clock, 1000 * trial_s, min(trial_s, _TRIAL_FLOOR_S))
        staying = asyncio.create_task(self._stay(min(SETTLING_MS, limit_ms / 2)), name="trial's good end")
        timer = asyncio.create_task(self._sleep(limit_ms), name="trial's time")
        try:
            await asyncio.wait({staying, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end({staying, timer})
        async with self._disk:
            if self._keeper.state.trial is not None:
                await _whole(self._keeper.fail, self._why(trial_s, reach))
                self.restart.set()

    async def _stay(self, settling_ms: float) -> None:
        """Let the configuration stay once it has run for a while and the centre has answered."""
        await self._sleep(settling_ms)
        await self._heard.wait()
        while self._keeper.state.trial is not None:
            try:
                async with self._disk:
                    await _whole(self._keeper.confirm)
            except OSError as error:
                log.error("what is on trial can't stay: %s", error.strerror, extra={"about": "configuration"})
                await self._sleep(at_least_real(self._clock, _AGAIN_MS, _AGAIN_FLOOR_S))
        self.pending = self._pending()
        self._work.set()
        self.on_pending()

    async def _sleep(self, duration_ms: float) -> None:
        await self._clock.sleep_ms(duration_ms)

    def _why(self, trial_s: int, reach: Reach) -> str:
        broker = f"broker {self._config.broker.host}:{self._config.broker.port}"
        if self._heard.is_set():
            return f"the centre answered, but within {trial_s} s that could not be stored"
        if reach.connected():
            return f"{broker} was reached, but the centre did not answer within {trial_s} s"
        trouble = reach.trouble()
        return f"{broker} not reached within {trial_s} s" + (f": {trouble}" if trouble else "")

    async def _keep(self, changes: ChangeLog) -> None:
        """Journal what changed, and write what the disk refused: at once when there is something, else later again."""
        while True:
            self._work.clear()
            try:
                await self._keep_once(changes)
            except Exception:
                log.exception("the configuration's records could not be kept", extra={"about": "configuration"})
            keeper = self._keeper
            if keeper.stored and not keeper.state.changes and self._told is None:
                await self._work.wait()
            else:
                await self._more_work_or_later()

    async def _more_work_or_later(self) -> None:
        # What came while the rest was kept may not wait like what the disk refused.
        later = at_least_real(self._clock, _AGAIN_MS, _AGAIN_FLOOR_S)
        waits = {asyncio.create_task(self._work.wait()), asyncio.create_task(self._sleep(later))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(waits)

    async def _keep_once(self, log_of_changes: ChangeLog) -> None:
        changes = self._keeper.state.changes
        if changes and await log_of_changes.write(changes):
            async with self._disk:
                await _whole(self._keeper.journalled, changes)
        if self._told is not None:
            command, self._told = self._told, None
            async with self._disk:
                await _whole(self._keeper.told, command)
        if not self._keeper.stored:
            async with self._disk:
                await _whole(self._keeper.store_again)


async def _whole(function: Callable[..., T], *arguments: object) -> T:
    """Run a function in a thread, and wait for its end also when cancelled: whoever comes next finds it done."""
    task = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        raise
