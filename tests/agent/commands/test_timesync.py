"""`diantan-agent timesync`: only when asked, only when sure."""

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from bench_line import BenchLine, Shown

from agent import cli, timekeeper
from clock import SystemClock

CLOCK = SystemClock()


@pytest.fixture(autouse=True)
def synchronised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timekeeper, "kernel_synchronised", lambda: True)


def configured(site: Any, line: BenchLine) -> Path:
    path: Path = site.configure(broker_port=1, meter_ports=[1])
    text = path.read_text()
    path.write_text(
        text[: text.index("[[line]]")]
        + f'[[line]]\nname = "bus"\ntransport = "tcp"\nhost = "127.0.0.1"\nport = {line.port}\ntimeout_ms = 5000\n\n'
        '[[line.meter]]\nid = "m-645"\nprofile = "dlt645-three-phase"\naddress = "1"\n\n'
        '[[line.meter]]\nid = "m-698"\nprofile = "dlt698-three-phase"\naddress = "2"\n'
    )
    return path


def sync(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = cli.main(["timesync", *(str(argument) for argument in arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def two_meters() -> tuple[list[Any], Shown, Shown]:
    slow, fast = Shown(CLOCK, -10_050_000), Shown(CLOCK, 9_050_000)
    return [("dlt645-three-phase", "1", slow), ("dlt698-three-phase", "000000000002", fast)], slow, fast


def test_named_meters(capsys: pytest.CaptureFixture[str], site: Any) -> None:
    """Before and after are shown, and the meters have the time."""
    meters, slow, fast = two_meters()
    with BenchLine(meters, CLOCK) as line:
        path = configured(site, line)
        status, out, _ = sync(capsys, "m-645", "m-698", "--yes", "--config", path)
    assert status == 0
    first, second = out.splitlines()
    assert re.fullmatch(r"m-645: 100\d\d\.\d s slow before, .* after", first)
    assert re.fullmatch(r"m-698: 90\d\d\.\d s fast before, .* after", second)
    assert (abs(slow.offset_ms) < 45_000, abs(fast.offset_ms) < 45_000) == (True, True)


def test_a_broadcast(capsys: pytest.CaptureFixture[str], site: Any) -> None:
    meters, slow, fast = two_meters()
    with BenchLine(meters, CLOCK) as line:
        path = configured(site, line)
        status, out, errors = sync(capsys, "--line", "bus", "--broadcast", "--yes", "--config", path)
    assert status == 0
    assert "sent 20" in out
    assert "dlt645 and dlt698" in out
    assert re.search(r"m-645: 100\d\d\.\d s slow", errors)
    assert (abs(slow.offset_ms) < 45_000, abs(fast.offset_ms) < 45_000) == (True, True)


def test_a_broadcast_in_one_protocol(capsys: pytest.CaptureFixture[str], site: Any) -> None:
    meters, slow, fast = two_meters()
    with BenchLine(meters, CLOCK) as line:
        status, _, _ = sync(capsys, "--line", line.spec, "--broadcast", "--protocol", "dlt698", "--yes")
    assert status == 0
    assert (slow.offset_ms, abs(fast.offset_ms) < 45_000) == (-10_050_000, True)


def test_nothing_is_set_unasked(capsys: pytest.CaptureFixture[str], site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal it needs --yes; on one, a yes."""
    meters, slow, fast = two_meters()

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    with BenchLine(meters, CLOCK) as line:
        path = configured(site, line)
        monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
        status, _, errors = sync(capsys, "m-645", "--config", path)
        assert (status, "--yes" in errors) == (2, True)
        monkeypatch.setattr(sys, "stdin", Terminal("\n"))
        status, _, errors = sync(capsys, "m-645", "--config", path)
        assert (status, "nothing was set" in errors) == (1, True)
        assert "s slow" in errors
        assert (slow.applied, fast.applied) == ([], [])
        monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
        status, _, errors = sync(capsys, "m-645", "--config", path)
        assert status == 0
        assert "Set m-645 to 20" in errors
    assert abs(slow.offset_ms) < 45_000


def test_a_clock_that_nobody_keeps(
    capsys: pytest.CaptureFixture[str], site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timekeeper, "kernel_synchronised", lambda: False)
    meters, slow, _ = two_meters()
    with BenchLine(meters, CLOCK) as line:
        path = configured(site, line)
        status, _, errors = sync(capsys, "m-645", "--yes", "--config", path)
        assert (status, "no time service" in errors) == (1, True)
        assert slow.applied == []
        assert sync(capsys, "m-645", "--yes", "--force", "--config", path)[0] == 0
    assert slow.applied


def test_a_meter_that_does_not_answer(capsys: pytest.CaptureFixture[str], site: Any) -> None:
    """The others are set; the status says that one was not."""
    meters, _, fast = two_meters()
    with BenchLine(meters[1:], CLOCK) as line:
        path = configured(site, line)
        path.write_text(path.read_text().replace("timeout_ms = 5000", "timeout_ms = 500"))
        status, out, _ = sync(capsys, "m-645", "m-698", "--yes", "--config", path)
    assert status == 1
    assert "m-645: clock not known before, not set: " in out
    assert abs(fast.offset_ms) < 45_000


def test_a_meter_that_does_not_confirm_may_have_been_set(capsys: pytest.CaptureFixture[str], site: Any) -> None:
    """As when its power goes in the middle of the write: nobody knows, so nothing is claimed."""
    meters, slow, _ = two_meters()

    def refuse(write: str, fields: Any, now_ms: int) -> None:
        raise ValueError("no")

    slow.apply = refuse  # type: ignore[method-assign] # the meter takes no time
    with BenchLine(meters, CLOCK) as line:
        status, out, _ = sync(capsys, "m-645", "--yes", "--config", configured(site, line))
    assert status == 1
    assert re.search(r"m-645: 100\d\d\.\d s slow before, not confirmed: ", out)


@pytest.mark.parametrize(
    "arguments", [[], ["m-1", "--broadcast"], ["--line", "tcp:h:1"], ["--broadcast"], ["m-1", "--line", "tcp:h:1"]]
)
def test_wrong_arguments(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    status, _, errors = sync(capsys, *arguments)
    assert (status, "expected METERs" in errors) == (2, True)
