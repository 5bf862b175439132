"""What the commands of `diantan-receiver` do; their answers go to standard output."""

import argparse
import asyncio
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeAlias

import clock
from cloud_receiver import (
    config,
    database,
    enrolment,
    gateway_facts,
    gateway_status,
    logs,
    registry,
    report_text,
    report_words,
    service,
)
from cloud_receiver import report as reports
from cloud_receiver.estimation import processes
from wire import keys, topics
from wire.messages import StatusState
from wire.records import ClockState

FIRST_YEAR, LAST_YEAR = 1970, 9998
"""Years whose days, in any time zone, are within the range of the store's times."""

_HOUR_MS = 3_600_000

Command: TypeAlias = Callable[[argparse.Namespace], None]


def _say(text: str) -> None:
    print(text)  # noqa: T201  # a command's answer


def _load(options: argparse.Namespace) -> tuple[config.Settings, registry.Registry]:
    settings = config.load(Path(options.config))
    return settings, registry.load(settings.registry)


def _time(time_ms: int | None) -> str | None:
    return None if time_ms is None else datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")


def run(options: argparse.Namespace) -> None:
    """Serve until a signal."""
    settings, stations = _load(options)
    program_clock = clock.from_spec(options.clock)
    logs.configure(program_clock, options.log)
    nights = processes.command("--config", options.config, "--clock", options.clock, "--log", options.log)
    asyncio.run(service.serve(settings, stations, program_clock, nights))


def gateway_add(options: argparse.Namespace) -> None:
    """Enrol a key."""
    settings, stations = _load(options)
    topics.checked_name(options.gateway)
    if stations.find(options.station) is None:
        raise enrolment.EnrolmentError(f"station {options.station!r} is not in {settings.registry}")
    owner = next(
        (item.id for item in stations.station for meter in item.meter if meter.gateway == options.gateway), None
    )
    if owner not in {None, options.station}:
        raise enrolment.EnrolmentError(f"gateway {options.gateway}: {settings.registry} gives it to station {owner}")
    public_key = keys.load_public(options.public_key_file)
    engine = service.prepare(settings, stations)
    with database.writing(engine) as connection:
        kid = enrolment.add(
            connection, options.gateway, public_key, options.station, clock.from_spec(options.clock).now_ms()
        )
    engine.dispose()
    _say(f"gateway {options.gateway} of station {options.station}: key {kid.hex()} enrolled")


def gateway_list(options: argparse.Namespace) -> None:
    """List keys."""
    settings, _ = _load(options)
    engine = database.open_store(settings.centre.database, settings.centre.data_dir)
    database.require_current(engine)
    with database.reading(engine) as connection:
        rows = enrolment.keys(connection)
        states = gateway_status.by_name(connection)
    engine.dispose()
    now_ms = clock.from_spec(options.clock).now_ms()
    if options.json:
        content = [
            {
                "gateway": row.gateway,
                "station": row.station,
                "key": row.kid.hex(),
                "added": _time(row.added_ms),
                "revoked": _time(row.revoked_ms),
                "status": _status(states.get(row.gateway)),
            }
            for row in rows
        ]
        _say(json.dumps(content, indent=2))
        return
    for row in rows:
        state = _belief(row.revoked_ms, now_ms)
        _say(f"{row.gateway}  {row.station}  {row.kid.hex()}  added {_time(row.added_ms)}  {state}")
    for name in dict.fromkeys(row.gateway for row in rows):
        status = _status(states.get(name))
        if status is None:
            _say(f"{name}  no status received")
            continue
        _say(
            f"{name}  {status['state']}  last seen {status['last_seen']}  {status['unacknowledged']} unacknowledged  "
            f"{status['dropped']} dropped  clock {status['clock']}  journal {status['journal']}"
        )
        if (facts := gateway_facts.line(states[name].facts)) is not None:
            _say(f"{name}  {facts}")


def _belief(revoked_ms: int | None, now_ms: int) -> str:
    if revoked_ms is None:
        return "valid"
    return f"revoked {_time(revoked_ms)}" if revoked_ms <= now_ms else f"valid until {_time(revoked_ms)}"


def _status(known: gateway_status.Known | None) -> dict[str, object] | None:
    if known is None:
        return None
    return {
        "state": "offline" if known.state == StatusState.OFFLINE else "online",
        "last_seen": _time(known.seen_ms),
        "unacknowledged": known.unacknowledged,
        "dropped": known.dropped,
        "clock": ClockState(known.clock_state).name.lower(),
        "journal": known.context.hex(),
        "next_sequence": known.next_sequence,
        "facts": gateway_facts.shown(known.facts),
    }


def gateway_rotate(options: argparse.Namespace) -> None:
    """Enrol a gateway's next key beside the present one, which ends after the overlap."""
    settings, stations = _load(options)
    public_key = keys.load_public(options.public_key_file)
    engine = service.prepare(settings, stations)
    now_ms = clock.from_spec(options.clock).now_ms()
    with database.writing(engine) as connection:
        kid, former = enrolment.rotate(
            connection, options.gateway, public_key, now_ms, options.overlap_hours * _HOUR_MS
        )
    engine.dispose()
    _say(f"gateway {options.gateway}: key {kid.hex()} enrolled")
    for item, end_ms in former.items():
        _say(f"gateway {options.gateway}: key {item.hex()} {_belief(end_ms, now_ms)}")


def gateway_revoke(options: argparse.Namespace) -> None:
    """End belief in keys, now or from a time on."""
    settings, _ = _load(options)
    try:
        kid = bytes.fromhex(options.key) if options.key else None
    except ValueError:
        raise enrolment.EnrolmentError(f"--key {options.key!r}: expected 16 hexadecimal digits") from None
    at_ms = clock.from_spec(options.clock).now_ms() if options.at is None else _instant(options.at)
    engine = database.open_store(settings.centre.database, settings.centre.data_dir)
    database.require_current(engine)
    with database.writing(engine) as connection:
        kids = enrolment.revoke(connection, options.gateway, kid, at_ms)
        doubtful = enrolment.doubtful(connection, kids, at_ms)
    engine.dispose()
    from_time = "" if options.at is None else f" from {_time(at_ms)} on"
    _say(f"gateway {options.gateway}: revoked {', '.join(item.hex() for item in kids)}{from_time}")
    if doubtful is not None:
        _say(
            f"gateway {options.gateway}: {doubtful.messages} messages under it, received {_time(doubtful.first_ms)} to "
            f"{_time(doubtful.last_ms)}, are stored and doubtful"
        )


def _instant(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise enrolment.EnrolmentError(f"--at {text!r}: expected a time with its zone, as 2026-07-01T08:00:00+08:00")
    return int(moment.timestamp()) * 1000


def report(options: argparse.Namespace) -> None:
    """Show a station's day."""
    settings, stations = _load(options)
    try:
        day = date.fromisoformat(options.day)
    except ValueError:
        day = None
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise reports.ReportError(f"day {options.day!r}: expected YYYY-MM-DD, {FIRST_YEAR} to {LAST_YEAR}")
    engine = service.prepare(settings, stations)
    with database.reading(engine) as connection:
        content = reports.make(
            connection, stations, settings.checks, options.station, day, with_estimates=options.with_estimates
        )
    engine.dispose()
    if options.format == "csv":
        text = report_text.csv_text(content)
    elif options.format == "json":
        text = report_text.json_text(content)
    else:
        text = report_text.table_text(content, report_words.Language(options.lang))
    _say(text.removesuffix("\n"))


def key_new(options: argparse.Namespace) -> None:
    """Make a key pair."""
    private_key = keys.generate(options.algorithm)
    keys.save_private(private_key, options.file)
    keys.save_public(private_key.public_key(), f"{options.file}.pub")
    _say(f"key {keys.key_id(private_key.public_key()).hex()}: {options.file} and {options.file}.pub")


def key_show(options: argparse.Namespace) -> None:
    """Show a key's id; never its private part."""
    try:
        public_key = keys.load_public(options.file)
    except keys.KeyFileError as error:
        if "private key" not in str(error):
            raise
        public_key = keys.load_private(options.file).public_key()
    _say(f"key id      {keys.key_id(public_key).hex()}")
    _say(f"algorithm   {keys.algorithm_name(public_key)}")
    _say(f"public key  {keys.public_bytes(public_key).hex()}")


def database_upgrade(options: argparse.Namespace) -> None:
    """Bring the schema up to date."""
    settings, _ = _load(options)
    engine = database.open_store(settings.centre.database, settings.centre.data_dir)
    before, now = database.upgrade(engine)
    engine.dispose()
    _say(f"schema {now}, was {before or 'none'}" if before != now else f"schema {now} is current")
