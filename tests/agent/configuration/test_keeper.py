"""Which configuration is in force, whatever ended the run before."""

import random
from contextlib import suppress

import pytest
from keeper_support import COMMAND, ModelDisk, PowerCutError, base, chosen, confirmed, started

from agent.configuration.keeper import CUT_SHORT, Keeper
from agent.configuration.state import KEPT
from agent.configuration.store import Store, digest_of
from settings.errors import ConfigError
from wire.commands import Outcome
from wire.results import ConfigurationState

A, B, C = b"a", b"b", b"c"


def verdict(keeper: Keeper) -> tuple[Outcome, str]:
    """Return how the last trial ended."""
    assert keeper.state.verdict is not None
    return keeper.state.verdict.outcome, keeper.state.verdict.text


def test_at_first_the_gateways_own_file_is_in_force() -> None:
    """And a start by itself is no change that anybody would have to hear of."""
    keeper, first = started(ModelDisk())
    assert first.loaded == b"base"
    assert keeper.state.changes == ()
    shown = keeper.configuration()
    assert (shown.state, shown.digest, shown.previous) == (ConfigurationState.FILE, digest_of(b"base"), None)


def test_a_configuration_that_proved_itself_stays() -> None:
    """Over every later start; the one before it is what a roll-back returns to."""
    disk = ModelDisk()
    keeper, _ = started(disk)
    keeper.propose(A, COMMAND, 60)
    assert keeper.configuration().state == ConfigurationState.FILE  # until it is begun
    assert chosen(keeper).loaded == A
    shown = keeper.configuration()
    assert (shown.state, shown.digest, shown.previous) == (
        ConfigurationState.ON_TRIAL,
        digest_of(A),
        digest_of(b"base"),
    )
    keeper.confirm()
    assert verdict(keeper) == (Outcome.DONE, "")
    again, found = started(disk)
    assert found.loaded == A
    shown = again.configuration()
    assert (shown.state, shown.digest, shown.previous) == (ConfigurationState.SENT, digest_of(A), digest_of(b"base"))
    assert [(change.digest, change.command, change.text) for change in again.state.changes] == [
        (digest_of(A), COMMAND, "on trial for 60 s"),
        (digest_of(A), COMMAND, "stays: the centre answered"),
    ]


def test_a_trial_that_the_process_does_not_survive_is_over() -> None:
    """The next start has what counted before, and says so; the one after it does not say it again."""
    disk = ModelDisk()
    keeper, _ = started(disk)
    confirmed(keeper, A)
    keeper.propose(B, b"2" * 16, 60)
    assert chosen(keeper).loaded == B
    again, found = started(disk)
    assert found.loaded == A
    assert verdict(again) == (Outcome.FAILED, CUT_SHORT)
    assert again.state.verdict is not None
    assert again.state.verdict.command == b"2" * 16
    assert again.state.changes[-1].digest == digest_of(A)
    changes = again.state.changes
    again, found = started(disk)
    assert (found.loaded, again.state.changes) == (A, changes)


def test_a_trial_that_was_not_begun_is_begun_by_the_next_start() -> None:
    """The power was cut between the command and the restart."""
    disk = ModelDisk()
    keeper, _ = started(disk)
    keeper.propose(A, COMMAND, 60)
    again, found = started(disk)
    assert found.loaded == A
    again.confirm()
    assert started(disk)[1].loaded == A


def test_a_trial_that_fails_gives_way_to_what_counted() -> None:
    """With its reason."""
    keeper, _ = started(ModelDisk())
    keeper.propose(A, COMMAND, 60)
    chosen(keeper)
    assert keeper.fail_run("port in use")
    assert chosen(keeper).loaded == b"base"
    assert verdict(keeper) == (Outcome.FAILED, "port in use")
    assert not keeper.fail_run("anything")  # no trial any more


def test_one_that_can_not_be_read_any_more_gives_way_to_the_one_before() -> None:
    """A profile it names is gone, or a later release knows a key no more; down to the own file."""
    disk = ModelDisk()
    keeper, _ = started(disk)
    confirmed(keeper, A)
    confirmed(keeper, B)
    disk.visible[f"{digest_of(B).hex()}.toml"] = b"something else"
    again, found = started(disk)
    assert found.loaded == A
    assert "is not what was sent" in again.state.changes[-1].text
    del disk.visible[f"{digest_of(A).hex()}.toml"]
    again, found = started(disk)
    assert found.loaded == b"base"
    assert again.configuration().state == ConfigurationState.FILE


def test_a_damaged_state_leaves_the_own_file() -> None:
    """Told, and written anew."""
    disk = ModelDisk()
    keeper, _ = started(disk)
    confirmed(keeper, A)
    disk.visible["state.json"] = b'{"version": 1, "base": 3}'
    again, found = started(disk)
    assert found.loaded == b"base"
    assert "state.json" in again.state.changes[-1].text
    assert Store(disk).load() == again.state


def test_who_edits_the_own_file_is_nearer_than_the_centre() -> None:
    """What was sent over the old one does not count any more, nor does a trial."""
    disk = ModelDisk()
    keeper, _ = started(disk)
    confirmed(keeper, A)
    keeper.propose(B, b"2" * 16, 60)
    again, found = started(disk, base(b"edited"))
    assert found.loaded == b"edited"
    assert again.configuration().state == ConfigurationState.FILE
    assert verdict(again) == (Outcome.FAILED, "the gateway's own file was changed")
    last = again.state.changes[-1]
    assert (last.digest, last.command, last.text) == (digest_of(b"edited"), None, "the gateway's own file was changed")
    assert set(disk.visible) == {"state.json"}


def test_an_own_file_that_somebody_made_wrong_ends_the_start_and_changes_nothing() -> None:
    """Put right again, everything is as it was."""
    disk = ModelDisk()
    keeper, _ = started(disk)
    confirmed(keeper, A)
    with pytest.raises(ConfigError):
        started(disk, base(b"bad edit"))
    assert started(disk)[1].loaded == A


def test_an_own_file_that_became_wrong_by_itself_does_not_matter_where_it_is_not_in_force() -> None:
    """A later release knows one of its keys no more: the gateway goes on with what the centre sent."""
    disk = ModelDisk()
    own = base(b"bad today")
    keeper = Keeper(own, Store(disk), lambda: 1000)
    confirmed(keeper, A)
    assert started(disk, own)[1].loaded == A
    disk.visible[f"{digest_of(A).hex()}.toml"] = b"x"
    with pytest.raises(ConfigError, match="bad today"):
        started(disk, own)


def test_roll_backs_go_down_step_by_step_to_the_own_file() -> None:
    """Each of them is a trial of its own."""
    disk = ModelDisk()
    keeper, _ = started(disk)
    confirmed(keeper, A)
    confirmed(keeper, B)
    for expected, previous in ((A, digest_of(b"base")), (b"base", None)):
        keeper.propose(None, COMMAND, 60)
        assert chosen(keeper).loaded == expected
        keeper.confirm()
        shown = keeper.configuration()
        assert (shown.digest, shown.previous) == (digest_of(expected), previous)
    assert started(disk)[1].loaded == b"base"
    assert set(disk.visible) == {"state.json"}


def test_a_roll_back_that_fails_stays_where_it_was() -> None:
    """Also one to the own file, and one that the process does not survive."""
    disk = ModelDisk()
    keeper, _ = started(disk)
    confirmed(keeper, A)
    keeper.propose(None, b"2" * 16, 60)
    assert chosen(keeper).loaded == b"base"
    assert keeper.configuration().state == ConfigurationState.ON_TRIAL
    again, found = started(disk)
    assert found.loaded == A
    assert again.configuration().state == ConfigurationState.SENT


def test_only_so_many_are_kept() -> None:
    """The oldest goes, from the disk too; below the rest lies the own file as before."""
    disk = ModelDisk()
    keeper, _ = started(disk)
    documents = [b"document %d" % number for number in range(KEPT + 3)]
    for document in documents:
        confirmed(keeper, document)
    assert set(disk.visible) == {"state.json", *(f"{digest_of(kept).hex()}.toml" for kept in documents[-KEPT:])}
    for expected in (*reversed(documents[-KEPT:-1]), b"base"):
        keeper.propose(None, COMMAND, 60)
        assert chosen(keeper).loaded == expected
        keeper.confirm()


@pytest.mark.parametrize("document", [b"bad", b"bad fault"])
def test_what_is_to_be_tried_gives_way_when_it_can_not_be_used(document: bytes) -> None:
    """It was good when it came: a file that it names is gone since, or the check itself fails with it."""
    keeper, _ = started(ModelDisk())
    keeper.propose(document, COMMAND, 60)
    assert chosen(keeper).loaded == b"base"
    assert verdict(keeper)[0] == Outcome.FAILED


def test_a_reset_at_the_gateway_ends_all_that_was_sent() -> None:
    """Whether it stayed or was still to be tried."""
    disk = ModelDisk()
    keeper, _ = started(disk)
    assert not keeper.reset("by hand")
    confirmed(keeper, A)
    keeper.propose(B, b"2" * 16, 60)
    assert keeper.reset("by hand")
    assert verdict(keeper) == (Outcome.FAILED, "by hand")
    assert keeper.state.changes[-1].text == "by hand"
    assert started(disk)[1].loaded == b"base"
    assert set(disk.visible) == {"state.json"}


def test_a_disk_that_refuses_changes_nothing_when_something_is_proposed_or_stays() -> None:
    """OSError, and the same in force now and at the next start."""
    disk = ModelDisk()
    keeper, _ = started(disk)
    confirmed(keeper, A)
    before = keeper.state
    for refused, stored in (("", True), ("state", False)):
        disk.full = refused
        with pytest.raises(OSError, match="No space"):
            keeper.propose(B, COMMAND, 60)
        assert keeper.state == before
        assert keeper.stored is stored
    disk.full = None
    keeper.store_again()
    assert keeper.stored
    assert started(disk)[1].loaded == A
    keeper.propose(B, COMMAND, 60)
    chosen(keeper)
    disk.full = ""
    with pytest.raises(OSError, match="No space"):
        keeper.confirm()
    assert keeper.configuration().state == ConfigurationState.ON_TRIAL
    assert started(disk)[1].loaded == A


def test_a_trial_that_the_disk_can_not_note_is_not_begun() -> None:
    """It could begin at every start, for ever."""
    disk = ModelDisk()
    keeper, _ = started(disk)
    keeper.propose(A, COMMAND, 60)
    disk.full = ""
    assert chosen(keeper).loaded == b"base"
    assert verdict(keeper) == (Outcome.FAILED, "the trial can't be noted: No space left on device")
    disk.full = None
    keeper.store_again()
    assert started(disk)[1].loaded == b"base"


def _life(keeper: Keeper) -> None:
    """Do a step of everything."""
    keeper.propose(B, b"2" * 16, 60)
    keeper.choose()
    keeper.confirm()
    keeper.journalled(keeper.state.changes[:1])
    keeper.told(b"2" * 16)
    keeper.propose(C, b"3" * 16, 60)
    keeper.choose()
    keeper.fail("no answer")
    keeper.propose(None, b"4" * 16, 60)
    keeper.choose()
    keeper.confirm()
    keeper.reset("by hand")


def _cut_in_life(step: int | None) -> tuple[ModelDisk, Keeper]:
    disk = ModelDisk()
    keeper, _ = started(disk)
    confirmed(keeper, A)
    disk.steps, disk.steps_left = 0, step
    with suppress(PowerCutError):
        _life(keeper)
    return disk, keeper


def test_a_power_cut_at_any_step_leaves_a_configuration_in_force() -> None:
    """That which was, or that which was to be; a second start finds it settled."""
    steps = _cut_in_life(None)[0].steps
    assert steps > 80
    seen = set()
    for step in range(steps):
        for seed in range(12):
            disk, keeper = _cut_in_life(step)
            before = keeper.state  # what the process knew last: the disk has that, or what it was about to note
            disk.cut(random.Random(seed))
            again, found = started(disk)
            seen.add(found.loaded)
            if before.on_trial is not None:
                # What had counted, or what its good end would have left; never the trial once more.
                assert found.digest in (before.settled, before.on_trial)
                assert again.state.trial is None
            # The process that dies in the trial dies once: the next start is settled, and so are all later ones.
            for _ in range(2):
                last, second = started(disk)
                assert second.digest == again.state.settled
                assert last.state.trial is None
    assert seen == {A, B, C, b"base"}


def test_a_cut_would_be_seen_if_the_state_were_not_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is no good if it forgives that: a trial that was begun would be begun again."""
    disk = ModelDisk()
    keeper, _ = started(disk)
    confirmed(keeper, A)
    keeper.propose(B, COMMAND, 60)
    monkeypatch.setattr(disk, "sync", lambda: None)
    assert chosen(keeper).loaded == B
    monkeypatch.undo()
    outcomes = set()
    for seed in range(20):
        copy = ModelDisk(dict(disk.durable), dict(disk.visible), list(disk.unsynced))
        copy.cut(random.Random(seed))
        outcomes.add(started(copy)[1].loaded)
    assert B in outcomes
