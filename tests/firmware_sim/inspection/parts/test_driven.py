"""Sources driven by a command or by a person."""

import asyncio
import json
import os
import pty
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_sim.inspection.bench import BenchError
from firmware_sim.inspection.parts.driven import CommandSource, ManualSource, described
from firmware_sim.inspection.points import Balance, Character, LoadPoint, Rating

RATING = Rating("B", 220_000, 250, 500, 60_000, 20)
POINT = LoadPoint(220_000, 5_001, 500_000, Character.INDUCTIVE, Balance.A, reverse=True)
RECORD = "import json, sys; json.dump([sys.argv[2:], json.load(sys.stdin)], open(sys.argv[1], 'w'))"


def record(path: Path, *arguments: str) -> CommandSource:
    return CommandSource([sys.executable, "-c", RECORD, str(path), *arguments], RATING)


def test_a_command_gets_the_point_as_arguments_and_as_json(tmp_path: Path) -> None:
    source = record(tmp_path / "told", "--u={voltage_v}", "{current_a}A", "{character}", "{reverse}", "{{", "plain")
    asyncio.run(source.set(POINT))
    arguments, told = json.loads((tmp_path / "told").read_text())
    assert arguments == ["--u=220.000", "5.001A", "L", "true", "{{", "plain"]
    assert told == {
        "action": "set",
        "voltage_v": "220.000",
        "current_a": "5.001",
        "power_factor": "0.500000",
        "character": "L",
        "balance": "a",
        "phases": 3,
        "frequency_hz": "50.000",
        "reverse": True,
        "power_w": "-550.110",
    }


def test_current_and_supply_are_taken_away_and_given_back(tmp_path: Path) -> None:
    source = record(tmp_path / "told", "{action}", "{voltage_v}", "{current_a}")

    async def said() -> list[str]:
        arguments: list[str] = json.loads((tmp_path / "told").read_text())[0]
        return arguments

    async def main() -> list[list[str]]:
        found = []
        await source.set(None)
        found.append(await said())
        await source.set(POINT)
        await source.cut()
        found.append(await said())
        await source.restore()
        found.append(await said())
        await source.set(None)
        found.append(await said())
        return found

    assert asyncio.run(main()) == [
        ["off", "220.000", "0.000"],
        ["cut", "220.000", "5.001"],
        ["restore", "220.000", "5.001"],
        ["off", "220.000", "0.000"],
    ]


def test_off_goes_back_to_the_rated_voltage(tmp_path: Path) -> None:
    source = record(tmp_path / "told", "{action}", "{voltage_v}")

    async def main() -> None:
        await source.set(replace(POINT, voltage_mv=253_000))
        await source.set(None)

    asyncio.run(main())
    assert json.loads((tmp_path / "told").read_text())[0] == ["off", "220.000"]


def test_a_command_that_fails_says_why() -> None:
    failing = CommandSource([sys.executable, "-c", "import sys; sys.exit('no voltage on phase B')"], RATING)
    with pytest.raises(BenchError, match="expected exit status 0, got 1: no voltage on phase B"):
        asyncio.run(failing.set(POINT))
    with pytest.raises(BenchError, match="can't be run: No such file"):
        asyncio.run(CommandSource(["./nothing-here"], RATING).set(POINT))


def test_a_command_that_does_not_end_is_ended_with_what_it_started(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/pid; wait"
    slow = CommandSource(["sh", "-c", script], RATING, timeout_s=1)
    with pytest.raises(BenchError, match="expected an end within 1 s"):
        asyncio.run(slow.set(POINT))
    child = int((tmp_path / "pid").read_text())
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] in "ZX"


def test_a_command_with_an_unknown_name_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"found \{volts\} in '--u=\{volts\}'"):
        CommandSource(["set", "--u={volts}"], RATING)
    with pytest.raises(ValueError, match="found nothing"):
        CommandSource([], RATING)


def test_a_person_is_told_everything_in_both_languages() -> None:
    told: list[str] = []

    async def ask(text: str) -> None:
        told.append(text)

    async def main() -> None:
        source = ManualSource(ask)
        await source.set(POINT)
        await source.cut()
        await source.restore()
        await source.set(None)

    asyncio.run(main())
    assert "U 220.000 V, I 5.001 A, cos φ 0.5 L (inductive 感性)" in told[0]
    assert "load on phase A alone 仅A相负载, reverse 反向, 50.000 Hz" in told[0]
    assert "press Enter 完成后按回车" in told[0]
    assert "off 断开" in told[1]
    assert "on 接通" in told[2]
    assert "5.001 A" in told[2]
    assert "no current" in told[3]
    assert "cos φ 1.0, balanced load 平衡负载, forward 正向" in described(LoadPoint(220_000, 1))
    assert "single phase 单相" in described(LoadPoint(220_000, 1, phases=1))


def test_the_terminal_waits_for_enter_and_a_closed_one_answers_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    reader = os.fdopen(theirs, "r")
    monkeypatch.setattr(sys, "stdin", reader)

    async def main() -> None:
        source = ManualSource()
        asking = asyncio.ensure_future(source.set(POINT))
        done, _ = await asyncio.wait([asking], timeout=0.05)
        assert not done
        os.write(ours, b"\n\n")
        await asking
        await source.set(None)  # the second line was for this one
        os.write(ours, b"\x04")
        with pytest.raises(BenchError, match="nobody answers at the terminal to: Set the source"):
            await source.set(None)

    asyncio.run(main())
    reader.close()
    os.close(ours)


def test_answers_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("\n\n")

    async def main() -> None:
        source = ManualSource()
        await source.set(POINT)
        await source.set(POINT)
        with pytest.raises(BenchError, match="nobody answers"):
            await source.set(POINT)

    with (tmp_path / "answers").open() as answers:
        monkeypatch.setattr(sys, "stdin", answers)
        asyncio.run(main())
