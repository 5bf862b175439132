"""A console script runs its program, or says which extra is missing."""

import json
import sys
from io import BytesIO, TextIOWrapper
from types import ModuleType

import pytest

from settings.entry import start


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("program_under_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def run(module: ModuleType) -> int:
    return start("diantan-x", module.__name__, extra="x", needs={"serial"})


def test_the_status_is_the_programs(program: ModuleType) -> None:
    program.__dict__["main"] = lambda: 2
    assert run(program) == 2


@pytest.mark.parametrize("name", ["serial", "serial.tools"])
def test_what_an_extra_brings_is_named_even_when_a_command_loads_it(
    program: ModuleType, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> int:
        raise ModuleNotFoundError(name=name)

    program.__dict__["main"] = main
    assert run(program) == 1
    assert capsys.readouterr().err == "diantan-x: serial is not installed: pip install 'diantan[x]'\n"


def test_another_missing_module_is_raised(program: ModuleType) -> None:
    def main() -> int:
        raise ModuleNotFoundError(name="other")

    program.__dict__["main"] = main
    with pytest.raises(ModuleNotFoundError):
        run(program)
    with pytest.raises(ModuleNotFoundError):
        start("diantan-x", "no_such_module", extra="x", needs={"serial"})


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("latin-1", b'"\\u5145 \xb1 \\ud83d\\udd0c"'),
        ("gbk", b'"\xb3\xe4 \xa1\xc0 \\ud83d\\udd0c"'),
        ("ascii", b'"\\u5145 \\u00b1 \\ud83d\\udd0c"'),
    ],
)
def test_what_the_locale_has_no_sign_for_is_escaped_as_json_has_it(
    program: ModuleType, encoding: str, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\u5145 \xb1 \U0001f50c"
    content = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(content, encoding=encoding, newline="\n"))

    def main() -> int:
        sys.stdout.write(json.dumps(text, ensure_ascii=False))
        sys.stdout.flush()
        return 0

    program.__dict__["main"] = main
    assert run(program) == 0
    assert content.getvalue() == said
    assert json.loads(said.decode(encoding)) == text
