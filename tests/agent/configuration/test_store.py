"""What is stored comes back as it was; what is damaged is named."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keeper_support import COMMAND, ModelDisk

from agent.configuration.disk import Directory
from agent.configuration.state import Change, State, Trial, Verdict
from agent.configuration.store import Store, StoredError, digest_of
from wire.commands import Outcome

DIGESTS = st.binary(min_size=32, max_size=32)
COMMANDS = st.binary(min_size=16, max_size=16)
VERSIONS = st.lists(DIGESTS, max_size=3).map(tuple)
TEXTS = st.text(max_size=40)
STATES = st.builds(
    State,
    DIGESTS,
    VERSIONS,
    st.none() | st.builds(Trial, VERSIONS, COMMANDS, st.integers(1, 3600), st.booleans()),
    st.none() | st.builds(Verdict, COMMANDS, st.sampled_from(Outcome), TEXTS, st.booleans()),
    st.lists(st.builds(Change, st.integers(0, 2**53), DIGESTS, st.none() | COMMANDS, TEXTS), max_size=3).map(tuple),
)


@given(STATES)
def test_a_state_comes_back_as_it_was(state: State) -> None:
    """Every part of it."""
    disk = ModelDisk()
    Store(disk).save(state)
    assert Store(disk).load() == state


def test_files_are_their_owners_only_and_go_when_nobody_names_them(tmp_path: Path) -> None:
    """In a real directory; what a power cut left half written goes too."""
    store = Store(Directory(tmp_path / "configuration"))
    assert store.load() is None
    state = State(digest_of(b"base"), (digest_of(b"a"),))
    store.put(b"a")
    store.put(b"nobody's")
    (tmp_path / "configuration" / "x.toml.new").write_bytes(b"half")
    store.save(state)
    names = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "configuration").iterdir()}
    assert names == {"state.json": 0o600, f"{digest_of(b'a').hex()}.toml": 0o600}
    assert store.load() == state
    assert store.document(digest_of(b"a")) == b"a"
    with pytest.raises(StoredError, match="can't be read: No such file"):
        store.document(digest_of(b"nobody's"))


def test_a_document_that_changed_is_not_taken(tmp_path: Path) -> None:
    """By a person, or by a bad disk."""
    store = Store(Directory(tmp_path / "configuration"))
    store.put(b"a")
    (tmp_path / "configuration" / f"{digest_of(b'a').hex()}.toml").write_bytes(b"b")
    with pytest.raises(StoredError, match="is not what was sent"):
        store.document(digest_of(b"a"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        b'{"version": 2}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_state_is_named(content: bytes) -> None:
    """With a typed error, whatever stands there."""
    disk = ModelDisk(visible={"state.json": content})
    with pytest.raises(StoredError, match=r"configuration/state\.json: expected what the agent writes"):
        Store(disk).load()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("base",), "00"),
        (("base",), 5),
        (("versions",), ["zz" * 32]),
        (("versions",), None),
        (("trial", "begun"), 1),
        (("trial", "trial_s"), "60"),
        (("trial", "command"), "00"),
        (("verdict", "outcome"), "GREAT"),
        (("verdict", "text"), 5),
        (("verdict", "told"), None),
        (("changes", "time_ms"), 1.5),
    ],
)
def test_a_state_with_a_wrong_part_is_named(path: tuple[str, ...], value: object) -> None:
    """Nothing of it is believed then."""
    disk = ModelDisk()
    change = Change(1, bytes(32), None, "text")
    state = State(bytes(32), (), Trial((), COMMAND, 60), Verdict(COMMAND, Outcome.DONE, ""), (change,))
    Store(disk).save(state)
    parts: Any = json.loads(disk.visible["state.json"])
    place = parts
    for step in path[:-1]:
        place = place[step][0] if isinstance(place[step], list) else place[step]
    assert path[-1] in place
    place[path[-1]] = value
    disk.visible["state.json"] = json.dumps(parts).encode()
    with pytest.raises(StoredError, match="expected what the agent writes"):
        Store(disk).load()
