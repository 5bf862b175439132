"""Tells the centre over HTTP what no gateway meters, as a control centre's telemetry does: a slot when it has ended."""

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from clock import Clock
from demo.grid.tables import SLOT_MS, Day, decimal_text
from demo.processes import DemoError

PATH: Final = "/v1/grid/measurements"
PATIENCE_S: Final = 60.0
"""Real time: how long the centre may not answer before the demonstration gives up."""
_AGAIN_S: Final = 0.2
_LATER: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_MILLIWATTS: Final = 9  # decimals of a MW
_MICROGRAMS: Final = 12  # decimals of a t
_THOUSANDTHS: Final = 3  # of an efficiency


class TelemetryFeed:
    """Posts the slots of a day, each as soon as it has ended by the clock; it runs as long as its context."""

    def __init__(self, port: int, token: str, day: Day, clock: Clock, *, patience_s: float = PATIENCE_S) -> None:
        self._url = f"http://127.0.0.1:{port}{PATH}"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._day = day
        self._clock = clock
        self._patience_s = patience_s
        self._task: asyncio.Task[None] | None = None
        self.told = 0
        """Slots that the centre has stored."""
        self.latest_s = 0.0
        """The longest simulated time between the end of a slot and the centre's answer, in s."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError, DemoError):
            await self._task

    @property
    def over(self) -> bool:
        """Return whether the centre has all slots; DemoError when it did not take one."""
        assert self._task is not None
        if not self._task.done():
            return False
        self._task.result()
        return True

    async def _run(self) -> None:
        async with aiohttp.ClientSession(headers=self._headers) as session:
            for slot, start in enumerate(self._day.starts):
                end_ms = round(start.timestamp()) * 1000 + SLOT_MS
                while (left_ms := end_ms - self._clock.now_ms()) > 0:
                    await self._clock.sleep_ms(left_ms)
                await self._tell(session, json.dumps(document(self._day, slot)))
                self.told += 1
                self.latest_s = max(self.latest_s, (self._clock.now_ms() - end_ms) / 1000)

    async def _tell(self, session: aiohttp.ClientSession, body: str) -> None:
        """Post until it is stored: what was stored before an answer was lost is not stored twice."""
        reason = ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s):
                while True:
                    try:
                        async with session.post(self._url, data=body) as answer:
                            if answer.status == HTTPStatus.OK:
                                return
                            reason = f"{answer.status}: {(await answer.text())[:500]}"
                            if answer.status not in _LATER:
                                break
                    except aiohttp.ClientError as error:
                        reason = str(error)
                    await asyncio.sleep(_AGAIN_S)
        raise DemoError(f"telemetry: the centre did not take slot {self.told + 1}: {reason or 'no answer'}")


def document(day: Day, slot: int) -> dict[str, Any]:
    """Return a slot as docs/grid.md has it in JSON; powers in MW, emissions in t/h."""
    powers = (_MILLIWATTS, _MILLIWATTS)
    kinds: tuple[tuple[str, Mapping[str, Sequence[Sequence[int]]], Sequence[str], Sequence[int]], ...] = (
        ("branch", day.branches, ("from", "to"), powers),
        ("gen", day.generators, ("p", "emission"), (_MILLIWATTS, _MICROGRAMS)),
        ("load", {name: [(value,) for value in values] for name, values in day.loads.items()}, ("p",), powers[:1]),
        (
            *("storage", day.storages, ("charge", "discharge", "charge_efficiency", "discharge_efficiency")),
            (*powers, _THOUSANDTHS, _THOUSANDTHS),
        ),
    )
    return {"time": day.starts[slot].isoformat()} | {
        kind: {
            name: {
                field: float(decimal_text(value, decimals))
                for field, value, decimals in zip(fields, values[slot], places, strict=True)
            }
            for name, values in elements.items()
        }
        for kind, elements, fields, places in kinds
    }
