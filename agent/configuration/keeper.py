"""Which configuration is in force in this process, from start to end, over every restart of the gateway within it.

Whatever happens, the next start finds a configuration: each that can't be used gives way to the one before it, down
to the gateway's own file, and a trial that a run did not survive is over.
"""

from collections.abc import Callable
from dataclasses import dataclass

from agent.config_file import Loaded
from agent.configuration.base import BaseFile
from agent.configuration.candidate import shortened
from agent.configuration.state import Change, State
from agent.configuration.store import Store, StoredError, digest_of
from agent.logs import log
from settings.errors import ConfigError
from wire.commands import MAX_TEXT_BYTES
from wire.results import Configuration, ConfigurationState

CUT_SHORT = "the gateway did not survive the trial: it ended before the centre had answered"
STOPPED = "the gateway was told to stop before the centre had answered"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A configuration that a run of the gateway begins with."""

    loaded: Loaded
    digest: bytes


class Keeper:
    """Keeps the state and the documents, for the one process that has the data directory locked."""

    def __init__(self, base: BaseFile, store: Store, now_ms: Callable[[], int]) -> None:
        """Take over what a run before left; what can't be read counts as nothing, and the own file is in force.

        ConfigError where somebody has made the own file wrong: then nothing is changed, so that it can be mended.
        """
        self.base = base
        self.now_ms = now_ms
        self._store = store
        self.state = State(base.digest)
        self.stored = False  # the disk has the state
        try:
            found = store.load()
        except StoredError as error:
            log.error("%s: the gateway's own file counts", error)
            self.state = self.state.with_change(now_ms(), None, f"own file: {error}")
        else:
            if found is not None:
                self.state = self._after(found)
                self.stored = self.state is found
        self._try_to_store()

    def _after(self, found: State) -> State:
        """Return what follows from the end of the run before."""
        state = found
        if state.base != self.base.digest:
            if isinstance(self.base.loaded, ConfigError):
                raise self.base.loaded
            log.warning("%s was changed: it counts again", self.base.path)
            state = state.over(self.base.digest, self.now_ms(), "the gateway's own file was changed")
        if state.trial is not None and state.trial.begun:
            log.error("the configuration on trial is rolled back: %s", CUT_SHORT)
            state = state.failed(self.now_ms(), CUT_SHORT)
        return state

    def choose(self) -> Chosen:
        """Return what the gateway starts with, begin the trial where one is to come; ConfigError where nothing is left.

        Each turn takes away what could not be used, so this ends.
        """
        if self.state.trial is not None and not self.state.trial.begun:
            self._begin()
        while True:
            digest = self.state.in_force
            try:
                return Chosen(self._load(digest), digest)
            except Exception as error:  # a fault of the check must not make each start fail: there is another one
                reason = str(error).partition("\n")[0] or type(error).__name__
                if self.state.on_trial is not None:
                    self.fail(reason)
                elif self.state.versions:
                    log.error("the configuration %s can't be used, the one before it counts: %s", digest.hex(), error)
                    self._move(self.state.without_newest(self.now_ms(), f"the one before: {reason}"))
                else:
                    raise

    def _begin(self) -> None:
        """Begin the trial; where the disk does not take note of it there is none, since it could be one without end."""
        assert self.state.trial is not None
        try:
            self.store(self.state.begun(self.now_ms()))
        except OSError as error:
            self.fail(f"the trial can't be noted: {error.strerror}")
            return
        log.info("on trial for %d s: configuration %s", self.state.trial.trial_s, self.state.in_force.hex())

    def _load(self, digest: bytes) -> Loaded:
        if digest != self.base.digest:
            return self.base.check(self._store.document(digest))
        if isinstance(self.base.loaded, ConfigError):
            raise self.base.loaded
        return self.base.loaded

    def fail(self, reason: str) -> None:
        """End the trial: what counted before it does again, and the command is told why."""
        reason = shortened(reason, MAX_TEXT_BYTES)
        log.error("the configuration on trial is rolled back: %s", reason)
        self._move(self.state.failed(self.now_ms(), reason))

    def fail_run(self, reason: str) -> bool:
        """Take note that a run of the gateway ended; return whether it was a trial, which thereby failed."""
        if self.state.on_trial is None:
            return False
        self.fail(reason)
        return True

    def confirm(self) -> None:
        """Let the configuration on trial stay; OSError when the disk refuses, and nothing is changed."""
        self.store(self.state.confirmed(self.now_ms()))
        log.info("configuration %s stays: the centre answered", self.state.in_force.hex())

    def propose(self, document: bytes | None, command: bytes, trial_s: int) -> None:
        """Have a document, or (None) the configuration before, tried at the next start; OSError, nothing changed."""
        if document is not None:
            self._store.put(document)
        digest = None if document is None else digest_of(document)
        self.store(self.state.proposed(digest, command, trial_s))

    def reset(self, reason: str) -> bool:
        """Let the gateway's own file count; return whether anything else did. OSError, nothing changed."""
        changed = bool(self.state.documents)
        self.store(self.state.over(self.base.digest, self.now_ms(), reason))
        return changed

    def journalled(self, changes: tuple[Change, ...]) -> None:
        """Forget changes that the journal has."""
        self._move(self.state.journalled(changes))

    def told(self, command: bytes) -> None:
        """Forget that the outcome of a command is to be told."""
        self._move(self.state.told(command))

    def store_again(self) -> None:
        """Write what the disk has refused."""
        self._try_to_store()

    def configuration(self, *, problems: tuple[str, ...] = ()) -> Configuration:
        """Return what is in force, as the centre is told."""
        state = self.state
        if state.on_trial is not None:
            kind = ConfigurationState.ON_TRIAL
        else:
            kind = ConfigurationState.SENT if state.versions else ConfigurationState.FILE
        return Configuration(kind, state.in_force, state.before, problems=problems)

    def document(self) -> bytes:
        """Return the configuration in force; StoredError when it has gone from the disk since the start."""
        digest = self.state.in_force
        return self.base.content if digest == self.base.digest else self._store.document(digest)

    def store(self, state: State) -> None:
        """Make a state the one that counts; OSError when the disk refuses: then the one before is written again."""
        try:
            self._store.save(state)
        except OSError:
            self.stored = False  # it may have either
            self._try_to_store()
            raise
        self.state, self.stored = state, True

    def _move(self, state: State) -> None:
        """Make a state the one that counts, on the disk as soon as it takes it."""
        self.state, self.stored = state, False
        self._try_to_store()

    def _try_to_store(self) -> None:
        if self.stored:
            return
        try:
            self._store.save(self.state)
        except OSError as error:
            log.error(
                "what is known of configurations can't be stored: %s", error.strerror, extra={"about": "configuration"}
            )
        else:
            self.stored = True
