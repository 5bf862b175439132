"""`config show` and `reset`, and what other commands take for the configuration in force."""

import json
from typing import Any

import pytest

from agent.cli import main
from agent.configuration.base import BaseFile
from agent.configuration.keeper import Keeper
from agent.configuration.shown import in_force
from agent.configuration.store import digest_of
from agent.read_command import configured
from agent.run_command import locked
from settings.errors import ConfigError
from wire.commands import Outcome

COMMAND = b"c" * 16


@pytest.fixture
def own(site: Any) -> BaseFile:
    """Return the gateway's own file with one meter."""
    found = BaseFile.read(site.configure(broker_port=1, meter_ports=[1]))
    found.data_dir.mkdir()
    return found


def keeper_of(own: BaseFile) -> Keeper:
    """Return the keeper of a gateway that is about to run."""
    return Keeper(own, own.store, lambda: 1)


def sent(own: BaseFile, *, confirmed: bool = True) -> bytes:
    """Have the centre send a configuration with another meter; return it."""
    keeper = keeper_of(own)
    document = own.content.replace(b"meter-1", b"meter-new")
    keeper.propose(document, COMMAND, 60)
    keeper.choose()
    if confirmed:
        keeper.confirm()
    return document


def shown(own: BaseFile, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return what `config show --json` says."""
    assert main(["config", "show", "--json", "-c", str(own.path)]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_the_own_file_is_shown(own: BaseFile, capsys: pytest.CaptureFixture[str]) -> None:
    """Before any agent ran, too."""
    assert shown(own, capsys) == {
        "state": "file",
        "digest": own.digest.hex(),
        "previous": None,
        "file": str(own.path),
        "file_digest": own.digest.hex(),
        "versions": [],
        "trial": None,
        "problems": [],
        "document": own.content.decode(),
    }
    assert main(["config", "show", "-c", str(own.path)]) == 0
    assert capsys.readouterr().out == f"in force: {own.digest.hex()}, the gateway's own file, {own.path}\n"
    assert not (own.data_dir / "configuration").exists()


def test_what_the_centre_sent_is_shown(own: BaseFile, capsys: pytest.CaptureFixture[str]) -> None:
    """For machines, for people, and as a document; `check` says that the file is not what counts."""
    document = sent(own)
    digest = digest_of(document).hex()
    found = shown(own, capsys)
    assert (found["state"], found["digest"], found["previous"]) == ("sent", digest, own.digest.hex())
    assert found["document"] == document.decode()
    assert main(["config", "show", "-c", str(own.path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"in force: {digest}, sent by the centre, over {own.path}",
        f"before it: {own.digest.hex()}, the gateway's own file",
    ]
    assert main(["config", "show", "--document", "-c", str(own.path)]) == 0
    assert capsys.readouterr().out == document.decode()
    assert main(["check", "-c", str(own.path)]) == 0
    assert digest in capsys.readouterr().out


def test_a_trial_is_shown(own: BaseFile, capsys: pytest.CaptureFixture[str]) -> None:
    """One that lasts, and one that the next start begins."""
    keeper_of(own).propose(b"# soon\n" + own.content, COMMAND, 60)
    assert main(["config", "show", "-c", str(own.path)]) == 0
    assert f"to be tried at the next start, by command {COMMAND.hex()}" in capsys.readouterr().out
    keeper_of(own).choose()
    found = shown(own, capsys)
    assert found["state"] == "on_trial"
    assert found["trial"] == {"command": COMMAND.hex(), "trial_s": 60, "begun": True}
    assert main(["config", "show", "-c", str(own.path)]) == 0
    assert f"on trial, over {own.path}" in capsys.readouterr().out


def test_commands_for_meters_take_the_one_in_force(own: BaseFile) -> None:
    """A meter that only the centre's has can be read; of an edited file, or another one, the file counts."""
    sent(own)
    assert configured(own.path, "meter-new", []).meter == "meter-new"
    other = own.path.with_name("other.toml")
    other.write_bytes(own.content + b"\n")
    assert configured(other, "meter-1", []).meter == "meter-1"


def test_a_reset_lets_the_own_file_count(own: BaseFile, capsys: pytest.CaptureFixture[str]) -> None:
    """At the gateway, while no agent runs; a trial has failed by that."""
    sent(own, confirmed=False)
    with locked(own.data_dir):
        assert main(["config", "reset", "-c", str(own.path)]) == 1
    assert "another diantan-agent is using this data directory" in capsys.readouterr().err
    sent(own)
    assert main(["config", "reset", "-c", str(own.path)]) == 0
    assert "the next run tells the centre" in capsys.readouterr().out
    assert shown(own, capsys)["state"] == "file"
    state = own.store.load()
    assert state is not None
    assert state.changes[-1].text == "somebody at the gateway chose its own file"
    assert main(["config", "reset", "-c", str(own.path)]) == 0
    assert "was in force already" in capsys.readouterr().out


def test_a_reset_of_a_trial_to_come_is_its_failure(own: BaseFile) -> None:
    """The centre waits for an outcome."""
    keeper_of(own).propose(b"# soon\n" + own.content, COMMAND, 60)
    assert main(["config", "reset", "-c", str(own.path)]) == 0
    state = own.store.load()
    assert state is not None
    assert state.verdict is not None
    assert (state.verdict.command, state.verdict.outcome) == (COMMAND, Outcome.FAILED)


def test_what_is_stored_and_can_not_be_used_is_said(own: BaseFile, capsys: pytest.CaptureFixture[str]) -> None:
    """The own file is what counts then, or nothing."""
    document = sent(own)
    path = own.data_dir / "configuration" / f"{digest_of(document).hex()}.toml"
    path.write_bytes(b"")
    assert main(["config", "show", "-c", str(own.path)]) == 0
    found = capsys.readouterr()
    assert "is not what was sent" in found.err
    assert own.digest.hex() in found.out
    (own.data_dir / "configuration" / "state.json").write_bytes(b"{}")
    assert main(["config", "show", "-c", str(own.path)]) == 0
    assert "state.json" in capsys.readouterr().err
    own.path.write_bytes(b"[gateway]\n")
    with pytest.raises(ConfigError, match=r"gateway\.id: is missing"):
        in_force(own.path)
    assert main(["config", "reset", "-c", str(own.path)]) == 2
