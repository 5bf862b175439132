"""What the commands say when they are called wrongly, or the line is not there: one line that names the thing."""

import errno
import io
import json
import os
from pathlib import Path

import pytest

from agent import cli
from agent.commands import scan
from agent.commands.output import INTERRUPTED

MANY = "9" * 5000  # more digits than Python reads at a time
SDM630 = ("--profile", "eastron-sdm630", "--address")


@pytest.fixture
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Be where no configuration is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIANTAN_AGENT_CONFIG", raising=False)


@pytest.mark.usefixtures("_nowhere")
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("read", "--line", "tcp:127.0.0.1:1", *SDM630, "3"), 1, "line tcp:127.0.0.1:1, meter 3: no connection"),
        (("read", "--line", "tcp:127.0.0.1:1", *SDM630, "3"), 1, os.strerror(errno.ECONNREFUSED)),
        (("read", "--line", "tcp:127.0.0.1:1", *SDM630, MANY), 2, "expected its unit"),
        (("read", "--line", "tcp:127.0.0.1:1", *SDM630, "3", "nothing"), 2, "no point nothing"),
        (("read", "--line", f"tcp:127.0.0.1:{MANY}", *SDM630, "3"), 2, "the number of a port"),
        (("read", "--line", f"tcp:127.0.0.1:1?timeout_ms={MANY}", *SDM630, "3"), 2, "timeout_ms"),
        (("read", "--line", "tcp:127.0.0.1:1?timeout_ms=-5", *SDM630, "3"), 2, "10"),
        (("read", "--line", "ttyUSB0", *SDM630, "3"), 2, "'ttyUSB0'"),
        (
            ("read", "--line", "serial:absent", *SDM630, "3"),
            1,
            f"absent can't be opened: {os.strerror(errno.ENOENT)}\n",
        ),
        (("read", "--line", "serial:.", *SDM630, "3"), 1, f". can't be opened: {os.strerror(errno.EISDIR)}\n"),
        (("trace", "serial:absent"), 1, "line serial:absent: absent can't be opened"),
        (("trace", "ttyUSB0"), 2, "there is no configuration agent.toml"),
        (("trace", "tcp:127.0.0.1:1", "--count", "0"), 2, "--count"),
        (("trace", "tcp:127.0.0.1:1", "--every", "-1"), 2, "--every"),
        (("scan", "tcp:127.0.0.1:1"), 1, "line tcp:127.0.0.1:1: no connection"),
        (("scan", "tcp:127.0.0.1:1", "--baud", "auto"), 2, "--baud is for serial lines"),
        (("scan", "serial:absent", "--baud", "12345"), 2, "9600"),
        (("scan", "serial:absent", "--timeout-ms", "0"), 2, "--timeout-ms"),
        (("scan", "serial:absent", "--units", f"1-{MANY}"), 2, "from 1 to 247"),
        (("scan", "serial:absent", "--units", "5-1"), 2, "5-1"),
        (("scan", "serial:absent", "--profile", "mine.toml"), 2, "mine.toml"),
    ],
)
def test_one_line_names_what_is_wrong(
    arguments: tuple[str, ...], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the status says whether it is the command or the line."""
    ended: object
    try:
        ended = cli.main(arguments)
    except SystemExit as wrong:  # as argparse ends
        ended = wrong.code
    assert ended == status
    assert said in capsys.readouterr().err


def test_octets_that_are_no_text_are_told_like_other_mistakes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the lines behind them are read."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xdf\xfe 01\n01 03 00 00 00 0a c5 cd\n"), "utf-8"))
    assert cli.main(["frame"]) == 1
    wrong, right = map(json.loads, capsys.readouterr().out.splitlines())
    assert (wrong["error"]["kind"], right["protocol"]) == ("not-hexadecimal", "modbus-rtu")


def test_text_that_the_terminal_can_not_show_is_shown_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(shown, "ascii"))
    assert cli.main(["profile", "check", "eastron-sdm630"]) == 0
    assert b"voltage_a" in shown.getvalue()


def test_ctrl_c_is_no_mistake(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(scan, "_scan", interrupted)
    assert cli.main(["scan", "serial:absent"]) == INTERRUPTED
    assert capsys.readouterr().err == ""
