"""A file as a model: its paths, its size, its mistakes."""

from pathlib import Path

import pytest
from pydantic import Field

from settings.errors import ConfigError
from settings.load import load
from settings.values import Section


class Link(Section):
    path: Path | None = None
    name: str = "a"


class Settings(Section):
    key_file: Path = Path("default.key")
    link: tuple[Link, ...] = ()
    more: list[Link] = Field(default_factory=list)
    one: Link = Link()


def write(directory: Path, text: str) -> Path:
    path = directory / "f.toml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file_and_the_rest_is_as_it_was(tmp_path: Path) -> None:
    text = "more = [{path = '/abs'}]\n[[link]]\npath = 'l'\n[[link]]\nname = 'b'\n[one]\npath = '../x'"
    settings = load(write(tmp_path, text), Settings)
    assert settings.key_file == tmp_path / "default.key"
    assert settings.link == (Link(path=tmp_path / "l"), Link(name="b"))
    assert settings.more == [Link(path=Path("/abs"))]
    assert settings.one.path == tmp_path / "../x"


def test_a_relative_name_of_the_file_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "")
    monkeypatch.chdir(tmp_path)
    assert load(Path("f.toml"), Settings).key_file == tmp_path / "default.key"


def test_every_mistake_is_told_with_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "key_fiel = 'k'\n[[link]]\nname = 3")
    with pytest.raises(ConfigError) as caught:
        load(path, Settings)
    assert caught.value.problems == (
        f"{path}: link[#1].name: expected a valid string, got 3",
        f"{path}: key_fiel: unknown key; did you mean 'key_file'?",
    )
    assert str(caught.value) == "\n".join(caught.value.problems)


def test_the_bound_is_the_programs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected at most 3 bytes, found more"):
        load(write(tmp_path, "#123"), Settings, 3)
