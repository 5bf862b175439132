"""`diantan-receiver prove`: writes the proof of a meter's readings to a file."""

import argparse
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import clock
from cloud_receiver import config, database, prove, registry
from wire.domain import MAX_TIME_MS
from wire.envelope import Signer
from wire.keys import load_private
from wire.proof import form
from wire.proof.form import ProofError
from wire.proof.times import shown

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def run(options: argparse.Namespace) -> None:
    """Export a proof; ProofError when there is nothing to prove or the file exists."""
    settings = config.load(Path(options.config))
    stations = registry.load(settings.registry)
    signer = Signer(load_private(settings.centre.key_file))
    engine = database.open_store(settings.centre.database, settings.centre.data_dir)
    database.require_current(engine)
    try:
        with database.reading(engine) as connection:
            source = prove.find_meter(connection, stations, options.meter, options.gateway)
            known = stations.find(source.station)
            zone = ZoneInfo(known.timezone) if known else ZoneInfo("UTC")
            from_ms = _instant(options.time, zone, "TIME")
            to_ms = from_ms + 1 if options.to is None else _instant(options.to, zone, "--to")
            if to_ms <= from_ms:
                raise ProofError(f"--to {options.to}: expected a time after {options.time}")
            now_ms = clock.from_spec(options.clock).now_ms()
            data = prove.make(connection, source, signer, from_ms=from_ms, to_ms=to_ms, now_ms=now_ms)
    finally:
        engine.dispose()
    path = Path(options.output or _file_name(options.meter, from_ms))
    _write_new(path, data)
    print(  # noqa: T201  # a command's answer
        f"{path}: {len(data)} bytes, meter {source.name} of gateway {source.gateway}, "
        f"{shown(from_ms)}{'' if options.to is None else f' to {shown(to_ms)}'}"
    )
    if former := _former_keys(data, signer):
        print(  # noqa: T201  # likewise
            f"{path}: factors were dispatched under the former key {', '.join(former)} of the centre: "
            "`verify` needs its public key as --former-key"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    parser.add_argument("meter", metavar="METER")
    parser.add_argument("time", metavar="TIME", help="ISO 8601, in the station's time zone where it names none")
    parser.add_argument("--to", metavar="TIME", help="end of a range; without it, the interval that TIME lies in")
    parser.add_argument("--gateway", metavar="GATEWAY", help="where meters of several gateways have the name")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: METER-TIME.proof here; never overwritten")


def _former_keys(data: bytes, signer: Signer) -> list[str]:
    kids = {form.unverified_kid(item.envelope) for item in form.decode(data).factor_messages}
    return sorted(kid.hex() for kid in kids - {signer.kid})


def _instant(text: str, zone: ZoneInfo, what: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ProofError(
            f"{what} {text!r}: expected a time such as 2026-07-01T08:15 or 2026-07-01T08:15+08:00"
        ) from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=zone)
    try:
        time_ms = (time.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)
    except OverflowError:
        time_ms = -1
    if not 0 <= time_ms <= MAX_TIME_MS:
        raise ProofError(f"{what} {text!r}: expected a time since 1970")
    return time_ms


def _file_name(meter: str, from_ms: int) -> str:
    # A meter's name is any text: only what is harmless in a file name is taken over.
    name = re.sub(r"[^\w.-]", "_", meter).lstrip(".") or "meter"
    return f"{name}-{re.sub(r'[^0-9TZ]', '', shown(from_ms)[:19])}Z.proof"


def _write_new(path: Path, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise ProofError(f"{path}: exists, and a proof is never overwritten") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError:
        path.unlink(missing_ok=True)  # half a proof would only be taken for a forged one
        raise
