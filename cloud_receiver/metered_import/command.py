"""`diantan-receiver readings`: imports a file of readings, and settles what was imported."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import clock
from cloud_receiver import config, registry, service
from cloud_receiver.delimited.columns import columns_of
from cloud_receiver.metered_import import choices, importing, shown, signing
from cloud_receiver.metered_import import settle as settling
from cloud_receiver.metered_import.wish import Outcome, Surroundings, Wish
from cloud_receiver.orders.command_line import login_name
from cloud_receiver.orders.waiting import Progress
from cloud_receiver.registry import Meter, Station
from wire.keys import load_private


def import_file(options: argparse.Namespace) -> int:
    """Import a file; return 1 where intervals are stored with other values, or lines were left out."""
    with _surroundings(options) as around:
        station, meter = choices.find(around.registry, options.station, options.meter, options.gateway)
        wish = Wish(
            station,
            meter,
            choices.form(_texts(options), station),
            by=options.by or login_name(),
            name=options.file,
            base_mwh=choices.base(options.base),
            correct=options.correct,
            skip_bad=options.skip_bad,
            dry_run=options.dry_run,
            enrol=options.enrol,
            by_slot=options.by_slot,
        )
        outcome = asyncio.run(_import(Path(options.file), wish, around))
    if options.json:
        _say([json.dumps(shown.document(outcome, wish), ensure_ascii=False, indent=2)])
    else:
        sys.stderr.write("".join(f"{line}\n" for line in shown.mistakes(outcome)))
        _say(shown.text(outcome, wish))
    return int(bool(outcome.refused or outcome.told.count))


async def _import(path: Path, wish: Wish, around: Surroundings) -> Outcome:
    progress = Progress(asyncio.get_running_loop().time)
    try:
        return await importing.run(path, wish, around, progress)
    finally:
        progress.clear()


def enrol(options: argparse.Namespace) -> int:
    """Make and enrol the key of a meter's gateway."""
    with _surroundings(options) as around:
        station, meter = choices.find(around.registry, options.station, options.meter, options.gateway)
        now_ms = around.clock.now_ms()
        kid = signing.enrol(
            *(around.engine, meter.gateway, station.id),
            data_dir=around.data_dir,
            centre_key=around.key,
            now_ms=now_ms,
        )
        signer = signing.signer(around.engine, meter.gateway, around.data_dir, around.key, now_ms)
    state = "enrolled already" if kid is None else "made and enrolled"
    _say([f"gateway {meter.gateway} of station {station.id}: key {signer.kid.hex()} {state}"])
    return 0


def settle(options: argparse.Namespace) -> int:
    """Settle imported meters."""
    with _surroundings(options) as around:
        if options.station is not None and around.registry.find(options.station) is None:
            raise choices.ReadingsError(f"station {options.station!r} is not in the registry")
        found = settling.meters(around, options.station, options.meter, options.gateway)
        results = asyncio.run(_settle(found, around, dry_run=options.dry_run))
    if options.json:
        _say([json.dumps([settling.document(item) for item in results], ensure_ascii=False, indent=2)])
    else:
        _say([settling.text(item, dry_run=options.dry_run) for item in results] or ["no imported meter to settle"])
    return 0


async def _settle(found: list[tuple[Station, Meter]], around: Surroundings, *, dry_run: bool) -> list[settling.Settled]:
    progress = Progress(asyncio.get_running_loop().time)
    try:
        return [await settling.settle(*item, around, progress, dry_run=dry_run) for item in found]
    finally:
        progress.clear()


@contextmanager
def _surroundings(options: argparse.Namespace) -> Iterator[Surroundings]:
    settings = config.load(Path(options.config))
    stations = registry.load(settings.registry)
    key = load_private(settings.centre.key_file)
    engine = service.prepare(settings, stations)
    try:
        data_dir = settings.centre.data_dir
        data_dir.mkdir(parents=True, exist_ok=True)
        yield Surroundings(engine, stations, clock.from_spec(options.clock), settings.intake, data_dir, key)
    finally:
        engine.dispose()


def _texts(options: argparse.Namespace) -> dict[str, str]:
    """Return what was said of the file's form."""
    given = {name: getattr(options, name) for name in choices.FORM}
    texts = {name: str(value) for name, value in given.items() if value is not None and not isinstance(value, bool)}
    for name, heading in columns_of(options.column, [column.value for column in choices.COLUMNS.values()]).items():
        if texts.setdefault(name.replace("-", "_"), heading) != heading:
            raise choices.ReadingsError(f"--column {name}: expected it once, found --{name} too")
    return texts | {name: "1" for name, value in given.items() if value is True}


def _say(lines: list[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
