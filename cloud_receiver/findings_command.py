"""`diantan-receiver findings`: what the checks found, and what became of each finding (变更记录)."""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

import clock
from cloud_receiver import config, database, finding_history, registry, report_text, service
from cloud_receiver import findings as store
from cloud_receiver.checks.day import local_time
from cloud_receiver.finding_history import Change
from cloud_receiver.report import ReportError

_UTC = ZoneInfo("UTC")


def add_arguments(parser: argparse.ArgumentParser, number: Callable[[str], int]) -> None:
    """Add what the command takes."""
    parser.add_argument("--station")
    parser.add_argument("--all", action="store_true", help="closed ones too")
    parser.add_argument("--acknowledge", type=number, metavar="ID", help="note that a person has seen this finding")
    parser.add_argument("--history", type=number, metavar="ID", help="show each change of this finding, and its cause")
    parser.add_argument("--json", action="store_true")


def run(options: argparse.Namespace) -> None:
    """List findings, or the changes of one."""
    settings = config.load(Path(options.config))
    stations = registry.load(settings.registry)
    if options.station is not None and stations.find(options.station) is None:
        raise ReportError(f"station {options.station!r} is not in {settings.registry}")
    engine = service.prepare(settings, stations)
    if options.acknowledge is not None:
        with database.writing(engine) as connection:
            now_ms = clock.from_spec(options.clock).now_ms()
            if not store.acknowledge(connection, options.acknowledge, now_ms):
                raise ReportError(f"there is no open finding {options.acknowledge}")
    zones = {item.id: ZoneInfo(item.timezone) for item in stations.station}
    with database.reading(engine) as connection:
        if options.history is None:
            _list(connection, zones, options)
        else:
            _history(connection, zones, options)
    engine.dispose()


def _list(connection: Connection, zones: Mapping[str, ZoneInfo], options: argparse.Namespace) -> None:
    found = store.listed(connection, options.station, closed=options.all)
    changes = finding_history.latest(connection, [item.id for item in found])
    shown = []
    for item in found:
        last = changes.get(item.id)
        brief = None if last is None else {"change": last.change, "cause": last.cause}
        zone = zones.get(item.station, _UTC)
        shown.append(report_text.finding_object(item, zone) | {"last_change": brief})
    if options.json:
        _say(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    for each in shown:
        _say(_line(each))
        if each["state"] != store.CLOSED:
            for said in _words_of(each["evidence"]):
                _say(f"    {report_text.printable(said)}")
        if each["state"] == store.CLOSED and isinstance(last_change := each["last_change"], dict):
            _say(f"    closed by {words(last_change['cause'])}")


def _words_of(evidence: object) -> list[str]:
    """Return what a finding says in English and Chinese, where its evidence has words."""
    found = evidence.get("words") if isinstance(evidence, dict) else None
    return [str(said) for said in found.values()] if isinstance(found, dict) else []


def _say(text: str) -> None:
    print(text)  # noqa: T201  # a command's answer


def _line(item: Mapping[str, Any]) -> str:
    meter = report_text.printable(str(item["meter"] or "-"))
    return (
        f"{item['id']}  {item['severity']}  {item['state']}  {item['station']}  {str(item['day'])[:10]}  "
        f"{item['kind']}  {meter}  {len(item['evidence']['slots'])} slots  {item['first']} .. {item['last']}"
    )


def _object(change: Change, zone: ZoneInfo) -> dict[str, Any]:
    before = None
    if change.state is not None and change.first_ms is not None and change.last_ms is not None:
        before = {
            "state": change.state,
            "severity": change.severity,
            "first": local_time(change.first_ms, zone),
            "last": local_time(change.last_ms, zone),
            "evidence": change.evidence,
        }
    return {
        "change": change.change,
        "at": local_time(change.changed_ms, zone),
        "times": change.times,
        "cause": change.cause,
        "before": before,
    }


def _history(connection: Connection, zones: Mapping[str, ZoneInfo], options: argparse.Namespace) -> None:
    found = store.listed(connection, number=options.history, closed=True)
    if not found:
        raise ReportError(f"there is no finding {options.history}")
    zone = zones.get(found[0].station, _UTC)
    item = report_text.finding_object(found[0], zone)
    changes = [_object(change, zone) for change in finding_history.of(connection, options.history)]
    if options.json:
        _say(json.dumps({"finding": item, "changes": changes}, ensure_ascii=False, indent=2))
        return
    _say(_line(item))
    for change in changes:
        times = f" ({change['times']} times)" if change["times"] > 1 else ""
        _say(f"{change['at']}  {change['change']}{times}: {words(change['cause'])}")
        if (old := change["before"]) is not None:
            slots = len((old["evidence"] or {}).get("slots", ()))
            _say(f"    before: {old['state']}, {old['severity']}, {slots} slots {old['first']} .. {old['last']}")


def words(cause: Mapping[str, Any]) -> str:
    """Return a cause in words."""
    parts = []
    for item in cause.get("records", ()):
        kinds = ", ".join(f"{count} {kind}" for kind, count in item["kinds"].items())
        parts.append(
            f"{kinds} of gateway {item['gateway']} ({item['meter_count']} meters, {item['first']} .. {item['last']}), "
            f"received {item['received_first']} .. {item['received_last']}"
        )
    if factors := cause.get("factors"):
        parts.append(
            f"{factors['count']} factors of {factors['first']} .. {factors['last']}, "
            f"issued {factors['issued_first']} .. {factors['issued_last']}"
        )
    if orders := cause.get("orders"):
        parts.append(
            f"{orders['count']} charge orders, received {orders['received_first']} .. {orders['received_last']}"
        )
    for name, text in (
        ("registry", "the registry changed"),
        ("settings", "the settings of the checks changed"),
        ("program", "another version of the program"),
        ("time_passed", "a deadline passed"),
        ("first_check", "the first check"),
        ("person", "a person"),
        ("estimate", "an estimate of the charger's error"),
        ("fleet", "what stations together say of its make"),
        ("verification_withdrawn", "a verification that was withdrawn"),
    ):
        if cause.get(name):
            parts.append(text)
    if asked := cause.get("asked"):
        parts.append(f"checked anew for {report_text.printable(str(asked))}")
    if outcome := cause.get("outcome"):
        parts.append(f"its outcome: {str(outcome).replace('_', ' ')}")
    return "; ".join(parts) or "nothing that is known"
