"""Gateways that come back: since when each may have missed what was published meanwhile.

A gateway keeps no session with its broker, and the broker retains but the newest message of a node. So what was issued
of older slots while a gateway was away never reaches it, unless it is told again. That it was there is known from its
health: its birth says no more than that it begins to listen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, insert, select, update

from cloud_receiver.registry import Registry
from cloud_receiver.schema import factor_reached, gateway, gateway_status
from wire.messages import StatusState

POLL_MS: Final = 1000
SURE_MS: Final = 120_000
"""How long after its birth a gateway's health must come for what it was told at its birth to have reached it."""
QUIET_MS: Final = 1_200_000
"""A longer silence is an absence, whatever state comes after it: the centre itself may have missed a birth."""
KEEP_MS: Final = 3_600_000
"""How old the time in the store may be until which a gateway was there: what it costs is telling more again."""


@dataclass
class _Gateway:
    reached_ms: int | None
    """Until when it is known to have got what was published; None: never heard."""
    stored_ms: int | None
    told: tuple[int, int, int] | None = None
    """The status that was looked at last."""
    began_ms: int | None = None
    """When it came back; None since its health was heard after that."""


class Returned:
    """Follows the statuses of the registry's gateways in the store."""

    def __init__(self, registry: Registry) -> None:
        nodes: dict[str, set[str]] = {}
        for station in registry.station:
            for meter in station.meter:
                nodes.setdefault(meter.gateway, set()).add(station.node)
        self._nodes: Mapping[str, set[str]] = nodes
        self._known: dict[int, _Gateway] | None = None
        self._looked_ms: int | None = None

    def forget(self) -> None:
        """Begin anew from what is stored: a transaction has failed."""
        self._known = self._looked_ms = None

    def since(self, connection: Connection, now_ms: int) -> dict[str, int]:
        """Return by node since when a gateway of it that has come back may have missed messages; 0: ever."""
        if self._looked_ms is not None and 0 <= now_ms - self._looked_ms < POLL_MS:
            return {}
        self._looked_ms = now_ms
        if self._known is None:
            self._known = {
                number: _Gateway(reached, reached) for number, reached in connection.execute(select(factor_reached))
            }
        columns = (gateway.c.id, gateway.c.name, gateway_status.c.state, gateway_status.c.time_ms)
        statement = select(*columns, gateway_status.c.seen_ms).join(gateway, gateway.c.id == gateway_status.c.gateway)
        result: dict[str, int] = {}
        for number, name, *told in connection.execute(statement):
            if name not in self._nodes or told[0] == StatusState.OFFLINE:
                continue
            known = self._known.setdefault(number, _Gateway(None, None))
            if known.told == (status := (told[0], told[1], told[2])):
                continue
            if _is_back(known, status):
                for node in self._nodes[name]:
                    result[node] = min(result.get(node, now_ms), max((known.reached_ms or 0) - SURE_MS, 0))
            _note(known, status, now_ms)
        return result

    def unstored(self) -> bool:
        """Return whether `store` has anything to do."""
        return any(
            known.stored_ms is None or not 0 <= known.reached_ms - known.stored_ms < KEEP_MS
            for known in (self._known or {}).values()
            if known.reached_ms is not None
        )

    def store(self, connection: Connection) -> None:
        """Keep until when gateways were there."""
        for number, known in (self._known or {}).items():
            if known.reached_ms is None or known.reached_ms == known.stored_ms:
                continue
            change = update(factor_reached).where(factor_reached.c.gateway == number)
            if not connection.execute(change.values(reached_ms=known.reached_ms)).rowcount:
                connection.execute(insert(factor_reached).values(gateway=number, reached_ms=known.reached_ms))
            known.stored_ms = known.reached_ms


def _is_back(known: _Gateway, status: tuple[int, int, int]) -> bool:
    state, _, seen_ms = status
    if known.told is None or state == StatusState.BIRTH:
        return True
    return seen_ms - known.told[2] > QUIET_MS


def _note(known: _Gateway, status: tuple[int, int, int], now_ms: int) -> None:
    state, _, seen_ms = status
    back = _is_back(known, status)
    if state == StatusState.HEALTH:
        if known.began_ms is not None and seen_ms - known.began_ms >= SURE_MS:
            known.reached_ms, known.began_ms = known.began_ms, None
        if known.began_ms is None and not back:
            known.reached_ms = seen_ms
    if back:
        known.began_ms = now_ms
    known.told = status
