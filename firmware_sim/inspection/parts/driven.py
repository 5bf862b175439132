"""Sources that somebody else drives: a laboratory's own command for each load point, or a person who sets it."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from firmware_sim.inspection.bench import BenchError
from firmware_sim.inspection.points import Balance, Character, LoadPoint, Rating

TIMEOUT_S: Final = 60.0
_PLACEHOLDER: Final = re.compile(r"\{([a-z_]*)\}")
_LONGEST_TOLD: Final = 500

NAMES: Final = (
    *("action", "voltage_v", "current_a", "power_factor", "character", "balance", "phases", "frequency_hz"),
    *("reverse", "power_w"),
)
"""What stands in braces in a command, and in the JSON on its standard input.

`action` is `set`, `off` (voltage without current), `cut` or `restore`; `character` 1, L or C; `balance` balanced, a, b
or c; `reverse` true or false. Numbers are exact decimals; in JSON they are texts.
"""


class CommandSource:
    """Runs a command for each load point; exit status 0 says that the point is there and stable."""

    def __init__(
        self, command: Sequence[str], rating: Rating, *, timeout_s: float = TIMEOUT_S, cwd: str | None = None
    ) -> None:
        """Make a source of a program and its arguments, with names in braces; ValueError for an unknown name."""
        if not command:
            raise ValueError("expected a program and its arguments, found nothing")
        for argument in command:
            for name in _PLACEHOLDER.findall(argument):
                if name not in NAMES:
                    raise ValueError(f"expected one of {', '.join(NAMES)} in braces, found {{{name}}} in {argument!r}")
        self._command = tuple(command)
        self._timeout_s = timeout_s
        self._cwd = cwd
        self._last = self._rated = LoadPoint(
            rating.voltage_mv, 0, phases=rating.phases, frequency_mhz=rating.frequency_mhz
        )

    async def set(self, point: LoadPoint | None) -> None:
        """Give the point, or (None) the rated voltage without current; BenchError when the command fails."""
        self._last = self._rated if point is None else point
        await self._run(told(self._last, "set" if point is not None else "off"))

    async def cut(self) -> None:
        """Take the supply away."""
        await self._run(told(self._last, "cut"))

    async def restore(self) -> None:
        """Give the supply back, and with it the load point as it was."""
        await self._run(told(self._last, "restore"))

    async def _run(self, values: Mapping[str, Any]) -> None:
        command = [_PLACEHOLDER.sub(lambda found: _text(values[found[1]]), argument) for argument in self._command]
        about = f"source: {' '.join(command)}"
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                cwd=self._cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise BenchError(f"{about}: can't be run: {error.strerror or error}") from None
        try:
            async with asyncio.timeout(self._timeout_s):
                said, _ = await process.communicate(json.dumps(values).encode() + b"\n")
        except TimeoutError:
            raise BenchError(f"{about}: expected an end within {self._timeout_s:g} s, it still runs") from None
        finally:
            if process.returncode is None:
                _kill(process.pid)
                await process.wait()
        if process.returncode:
            words = said.decode(errors="replace").strip()[-_LONGEST_TOLD:]
            raise BenchError(f"{about}: expected exit status 0, got {process.returncode}: {words or 'it says nothing'}")


def _kill(group: int) -> None:
    """End a command and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def told(point: LoadPoint, action: str) -> dict[str, Any]:
    """Return a load point as a command gets it."""
    current_ma = 0 if action == "off" else point.current_ma
    power_mw = 0 if action == "off" else point.power_mw
    return {
        "action": action,
        "voltage_v": _decimal(point.voltage_mv, 3),
        "current_a": _decimal(current_ma, 3),
        "power_factor": _decimal(10**6 if action == "off" else point.power_factor_ppm, 6),
        "character": (Character.UNITY if action == "off" else point.character).value,
        "balance": point.balance.value,
        "phases": point.phases,
        "frequency_hz": _decimal(point.frequency_mhz, 3),
        "reverse": point.reverse,
        "power_w": _decimal(round(power_mw), 3),
    }


def _decimal(value: int, places: int) -> str:
    whole, rest = divmod(abs(value), 10**places)
    return f"{'-' if value < 0 else ''}{whole}.{rest:0{places}d}"


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


Ask = Callable[[str], Awaitable[None]]
"""Shows a text and returns when somebody has said that it is done; EOFError when nobody can."""

_BALANCES: Final = {
    Balance.BALANCED: "balanced load 平衡负载",
    Balance.A: "load on phase A alone 仅A相负载",
    Balance.B: "load on phase B alone 仅B相负载",
    Balance.C: "load on phase C alone 仅C相负载",
}
_CHARACTERS: Final = {
    Character.UNITY: "",
    Character.INDUCTIVE: " L (inductive 感性)",
    Character.CAPACITIVE: " C (capacitive 容性)",
}


class ManualSource:
    """Asks a person to set each load point, and waits for Enter."""

    def __init__(self, ask: Ask | None = None) -> None:
        """`ask` None: the terminal."""
        self._ask = ask or ask_on_terminal
        self._point: LoadPoint | None = None

    async def set(self, point: LoadPoint | None) -> None:
        """Ask for the point, or (None) for voltage without current."""
        await self._prompt(f"Set the source 设置功率源: {described(point)}")
        self._point = point

    async def cut(self) -> None:
        """Ask for the supply to be taken away."""
        await self._prompt("Switch the supply of the meter off 断开被检表电源")

    async def restore(self) -> None:
        """Ask for the supply, and the load point as it was."""
        await self._prompt(f"Switch the supply of the meter on 接通被检表电源: {described(self._point)}")

    async def _prompt(self, text: str) -> None:
        try:
            await self._ask(f"{text}\n  then press Enter 完成后按回车: ")
        except EOFError:
            raise BenchError(f"source: nobody answers at the terminal to: {text}") from None


def described(point: LoadPoint | None) -> str:
    """Return a load point in words."""
    if point is None:
        return "voltage on all phases, no current 只加电压，无电流"
    factor = _decimal(point.power_factor_ppm, 6).rstrip("0")
    factor += "0" if factor.endswith(".") else ""
    way = "reverse 反向" if point.reverse else "forward 正向"
    load = "single phase 单相" if point.phases == 1 else _BALANCES[point.balance]
    return (
        f"U {_decimal(point.voltage_mv, 3)} V, I {_decimal(point.current_ma, 3)} A, "
        f"cos φ {factor}{_CHARACTERS[point.character]}, {load}, {way}, {_decimal(point.frequency_mhz, 3)} Hz"
    )


async def ask_on_terminal(text: str) -> None:
    """Show a text on standard error and wait for a line on standard input; EOFError at its end."""
    sys.stderr.write(text)
    sys.stderr.flush()
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bool] = loop.create_future()
    file = sys.stdin.fileno()

    def read() -> None:
        # One octet at a time: what is behind the end of the line answers the next prompt.
        octet = os.read(file, 1)
        if octet in (b"", b"\n") and not answered.done():
            answered.set_result(octet == b"\n")

    try:
        loop.add_reader(file, read)
    except PermissionError:  # a plain file is always ready
        while not answered.done():
            read()
    try:
        if not await answered:
            raise EOFError
    finally:
        loop.remove_reader(file)
