"""Any sequence of commands, restarts, edits and power cuts: the keeper is always in one of the states it may be in."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from keeper_support import CheapBase, ModelDisk, PowerCutError, base, chosen

from agent.configuration.keeper import Keeper
from agent.configuration.state import KEPT
from agent.configuration.store import Store, digest_of

DOCUMENTS = (b"a", b"b", b"c", b"d", b"bad one", b"bad fault", b"base")
CUT = {"steps": st.none() | st.integers(0, 14), "seed": st.integers(0, 1000)}
OWN_FILES = (b"base", b"edited", b"a")


@dataclass(frozen=True)
class Model:
    """What should be: documents instead of digests, nothing about disks."""

    own: bytes = b"base"
    versions: tuple[bytes, ...] = ()
    trial: tuple[bytes, ...] | None = None
    begun: bool = False

    @property
    def in_force(self) -> bytes:
        """Return the document that counts."""
        versions = self.trial if self.trial is not None and self.begun else self.versions
        return versions[-1] if versions else self.own

    def process_started(self, own: bytes) -> "Model":
        """Return what follows from a start of the process and of the gateway in it."""
        if own != self.own:
            return Model(own)
        return (replace(self, trial=None, begun=False) if self.begun else self).gateway_started()

    def gateway_started(self) -> "Model":
        """Return what follows from a start of the gateway."""
        if self.trial is None:
            return self
        begun = replace(self, begun=True)
        return replace(self, trial=None, begun=False) if begun.in_force.startswith(b"bad") else begun


class Succession(RuleBasedStateMachine):
    """The keeper on a disk that loses power."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = ModelDisk()
        self.own = b"base"
        self.model = Model()
        self.commands = 0
        self.begun: Counter[bytes] = Counter()
        self.keeper = self._started(None)

    def _started(self, steps: int | None) -> Keeper:
        """Start a process, with power cuts on the way."""
        own: CheapBase = base(self.own)
        while True:
            self.disk.steps_left = steps
            steps = None
            try:
                keeper = Keeper(own, Store(self.disk), lambda: 1000)
                self._run(keeper)
            except PowerCutError:
                self.disk.cut(random.Random(0))
                continue
            self.disk.steps_left = None
            return keeper

    def _run(self, keeper: Keeper) -> None:
        """Start the gateway."""
        found: Any = chosen(keeper).loaded
        assert not found.startswith(b"bad")
        trial = keeper.state.trial
        if trial is not None:
            self.begun[trial.command] += 1

    def _matches(self, model: Model) -> bool:
        state = self.keeper.state
        trial = None if state.trial is None else state.trial.versions
        return (
            state.base == digest_of(model.own)
            and state.versions == tuple(map(digest_of, model.versions))
            and trial == (None if model.trial is None else tuple(map(digest_of, model.trial)))
            and (state.trial is not None and state.trial.begun) is model.begun
        )

    def _do(self, after: Model, act: Callable[[], None], steps: int | None, seed: int) -> None:
        """Do something that leads to a model; a power cut leaves that or the one before."""
        before = self.model
        self.disk.steps_left = steps
        try:
            act()
        except PowerCutError:
            self.disk.cut(random.Random(seed))
            self.keeper = self._started(None)
            possible = [model.process_started(self.own) for model in (before, after)]
            self.model = next(model for model in possible if self._matches(model))
        else:
            self.disk.steps_left = None
            self.model = after

    def _propose(self, document: bytes | None, trial: tuple[bytes, ...], steps: int | None, seed: int) -> None:
        self.commands += 1
        command = self.commands.to_bytes(16)
        self._do(replace(self.model, trial=trial), lambda: self.keeper.propose(document, command, 60), steps, seed)

    @precondition(lambda self: self.model.trial is None)
    @rule(document=st.sampled_from(DOCUMENTS), **CUT)
    def set(self, document: bytes, steps: int | None, seed: int) -> None:
        """Have one sent by the centre."""
        self._propose(document, (*self.model.versions, document)[-KEPT:], steps, seed)

    @precondition(lambda self: self.model.trial is None and self.model.versions)
    @rule(**CUT)
    def roll_back(self, steps: int | None, seed: int) -> None:
        """Have the one before wanted by the centre."""
        self._propose(None, self.model.versions[:-1], steps, seed)

    @rule(**CUT)
    def start_again(self, steps: int | None, seed: int) -> None:
        """End the gateway and start it in the same process; a trial that was begun has failed by that."""
        model = self.model
        if model.begun:
            self.keeper.fail("no answer")
            model = self.model = replace(model, trial=None, begun=False)
        self._do(model.gateway_started(), lambda: self._run(self.keeper), steps, seed)

    @precondition(lambda self: self.model.begun)
    @rule(**CUT)
    def answer(self, steps: int | None, seed: int) -> None:
        """Have the centre answer in the trial."""
        trial = self.model.trial
        assert trial is not None
        self._do(replace(self.model, versions=trial, trial=None, begun=False), self.keeper.confirm, steps, seed)

    @rule(own=st.sampled_from(OWN_FILES), steps=st.none() | st.integers(0, 14))
    def kill(self, own: bytes, steps: int | None) -> None:
        """Kill the process; somebody may edit the own file, and the next start loses power perhaps."""
        self.own = own
        before = self.model.process_started(own)
        self.keeper = self._started(steps)
        # A start that begins a trial and loses power is a run that did not survive it.
        assert self._matches(before) or (steps is not None and self._matches(before.process_started(own)))
        self.model = before if self._matches(before) else before.process_started(own)

    @rule(seed=st.integers(0, 1000))
    def lose_power(self, seed: int) -> None:
        """Between two steps of the agent: nothing that it had noted is lost."""
        self.disk.cut(random.Random(seed))
        self.model = self.model.process_started(self.own)
        self.keeper = self._started(None)

    @invariant()
    def is_as_it_may_be(self) -> None:
        """Compare keeper, model and disk."""
        assert self._matches(self.model)
        assert self.keeper.state.in_force == digest_of(self.model.in_force)
        assert self.keeper.document() == self.model.in_force
        assert Store(self.disk).load() == self.keeper.state

    @invariant()
    def no_trial_is_begun_twice(self) -> None:
        """However often the power goes off."""
        assert all(times == 1 for times in self.begun.values())

    @invariant()
    def no_document_is_lost_or_left(self) -> None:
        """Those that count are there; not much more than those."""
        kept = {f"{digest.hex()}.toml" for digest in self.keeper.state.documents}
        assert kept <= set(self.disk.visible)


TestSuccession = Succession.TestCase
TestSuccession.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
