"""What a gateway tells beyond its counters (backlog, drops, overdue meters): as it is stored, and shown."""

import json
from dataclasses import asdict
from typing import Any

from wire.messages import Status
from wire.status_facts import Dropped

_REASONS = {int(reason): reason.name.lower() for reason in Dropped}


def stored(status: Status, received_ms: int | None) -> str | None:
    """Return the facts of a status as JSON; None where it has none, as a will and an older gateway.

    `received_ms` is when it came, or None where a broker had kept it: then nobody knows how long it was under way.
    """
    if status.backlog is None and status.overdue is None and status.dropped_by is None:
        return None
    facts: dict[str, Any] = {
        "backlog": None if status.backlog is None else asdict(status.backlog),
        "resent": status.resent,
        "dropped": None if status.dropped_by is None else {_reason(key): n for key, n in status.dropped_by.items()},
        "clock_offset_ms": status.clock_offset_ms,
        "clock_against_centre_ms": None if received_ms is None else status.time_ms - received_ms,
        "overdue": None,
    }
    if (overdue := status.overdue) is not None:
        facts["overdue"] = {
            "meters": overdue.meters,
            "overdue": overdue.overdue,
            "limit_ms": overdue.limit_ms,
            "worst": [{"meter": meter, "age_ms": age} for meter, age in overdue.worst],
        }
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


def shown(facts: str | None) -> dict[str, Any] | None:
    """Return the facts for `--json`."""
    return None if facts is None else json.loads(facts)


def line(facts: str | None) -> str | None:
    """Return the facts for people, in one line; None where a gateway told none."""
    if facts is None:
        return None
    told = json.loads(facts)
    parts = []
    if (backlog := told["backlog"]) is not None:
        oldest = f", the oldest {backlog['oldest_age_ms'] // 1000} s old" if backlog["records"] else ""
        parts.append(f"backlog {backlog['records']} records, {backlog['size']} bytes{oldest}")
    if told["resent"] is not None:
        parts.append(f"{told['resent']} batches resent")
    if told["dropped"] is not None:
        dropped = [f"{count} {reason}" for reason, count in told["dropped"].items() if count]
        parts.append(f"dropped {', '.join(dropped) or 'nothing'}")
    if told["clock_offset_ms"] is not None:
        against = told["clock_against_centre_ms"]
        parts.append(
            f"clock offset {told['clock_offset_ms']} ms" + ("" if against is None else f", {against} ms to the centre")
        )
    if (overdue := told["overdue"]) is not None:
        parts.append(f"{overdue['overdue']} of {overdue['meters']} meters overdue{_worst(overdue['worst'])}")
    return "  ".join(parts)


def _worst(meters: list[dict[str, Any]]) -> str:
    # Quoted: a gateway may give its meters any names.
    named = [f"{meter['meter']!r} {_age(meter['age_ms'])}" for meter in meters]
    return f" ({', '.join(named)})" if named else ""


def _age(age_ms: int | None) -> str:
    return "never read" if age_ms is None else f"{age_ms // 1000} s"


def _reason(code: int) -> str:
    return _REASONS.get(code, f"reason_{code}")
