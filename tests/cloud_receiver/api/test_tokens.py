"""Tokens: made once, kept as hashes in a file of their owner's, withdrawn."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloud_receiver.api import tokens
from cloud_receiver.api.tokens import Role, TokenError
from cloud_receiver.cli import main
from settings.errors import ConfigError


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "receiver.toml"
    path.write_text('[centre]\nkey_file = "centre.key"\n[api]\ntokens_file = "tokens.toml"\n')
    return str(path)


def test_a_token_is_shown_once_and_kept_as_a_hash(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["token", "new", "scada", "--role", "measure", "--config", config]) == 0
    said = capsys.readouterr()
    secret = said.out.strip()
    assert len(secret) > 40
    assert secret not in said.err
    file = tmp_path / "tokens.toml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret not in file.read_text()
    found = tokens.load(file).find(secret)
    assert found is not None
    assert (found.name, found.role) == ("scada", Role.MEASURE)
    assert tokens.load(file).find(secret[:-1]) is None
    assert tokens.load(file).find("") is None


def test_tokens_that_are_made_at_the_same_time_are_all_entered(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    names = [f"feed{number}" for number in range(16)]
    with ThreadPoolExecutor(len(names)) as pool:
        made = list(pool.map(lambda name: tokens.make(file, name, Role.READ), names))
    known = tokens.load(file)
    assert {item.name for item in known.token} == set(names)
    assert None not in [known.find(secret) for secret in made]


def test_tokens_are_listed_and_revoked(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = tokens.make(tmp_path / "tokens.toml", "scada", Role.MEASURE)
    second = tokens.make(tmp_path / "tokens.toml", "report", Role.READ)
    assert first != second
    assert main(["token", "list", "--config", config]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["scada", "measure"],
        ["report", "read"],
    ]
    assert main(["token", "revoke", "scada", "--config", config]) == 0
    assert "token scada: revoked" in capsys.readouterr().out
    assert main(["token", "list", "--json", "--config", config]) == 0
    assert [item["name"] for item in json.loads(capsys.readouterr().out)] == ["report"]
    known = tokens.load(tmp_path / "tokens.toml")
    assert known.find(first) is None
    assert known.find(second) is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new", "scada", "--role", "read"], "there is a token scada already"),
        (["new", "a/b", "--role", "read"], "token 'a/b': expected"),
        (["revoke", "nobody"], "there is no token nobody (known: scada)"),
    ],
)
def test_mistakes_are_told(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    tokens.make(tmp_path / "tokens.toml", "scada", Role.MEASURE)
    assert main(["token", *arguments, "--config", config]) == 1
    assert said in capsys.readouterr().err


def test_a_configuration_without_a_file_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "receiver.toml"
    path.write_text('[centre]\nkey_file = "centre.key"\n')
    assert main(["token", "new", "scada", "--role", "read", "--config", str(path)]) == 1
    assert "api.tokens_file: expected the file of the tokens" in capsys.readouterr().err


HASH = "0" * 64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("token = 5", "token"),
        ("[[token]]\nname = 'a'", "role"),
        (f"[[token]]\nname = 'a'\nrole = 'all'\nsha256 = '{HASH}'", "role"),
        (f"[[token]]\nname = 'a b'\nrole = 'read'\nsha256 = '{HASH}'", "name"),
        ("[[token]]\nname = 'a'\nrole = 'read'\nsha256 = '00'", "sha256"),
        (f"[[token]]\nname = 'a'\nrole = 'read'\nsha256 = '{HASH}'\n" * 2, "the name a is there twice"),
        ("[[token", "not TOML"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match=said) as error:
        tokens.load(file)
    assert "tokens.toml" in str(error.value)


def test_a_file_that_others_may_use_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    tokens.make(file, "scada", Role.READ)
    file.chmod(0o640)
    with pytest.raises(ConfigError, match=r"only its owner can access \(mode 0600\), got mode 0640"):
        tokens.load(file)
    with pytest.raises(ConfigError):
        tokens.make(file, "other", Role.READ)
    with pytest.raises(ConfigError, match="can't be read"):
        tokens.load(tmp_path / "elsewhere.toml")


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match="can't be written"):
        tokens.make(tmp_path / "nowhere" / "tokens.toml", "scada", Role.READ)
