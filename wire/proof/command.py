"""The command that verifies a proof; it needs neither configuration nor database.

`diantan-receiver verify FILE` and `python -m wire.proof FILE` are the same.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from wire.keys import KeyFileError, PublicKey, load_public
from wire.proof.contents import Interval
from wire.proof.form import MAX_FILE_BYTES
from wire.proof.times import shown
from wire.proof.trust import Keys
from wire.proof.verdict import Outcome, Verdict
from wire.proof.verify import verify
from wire.records import FactorQuality, FreezeKind, FreezeSource, Quality

PINNED_VARIABLE = "DIANTAN_CENTRE_KEY"
_ROWS = 12
"""How many intervals are shown to people; --json has all."""

_MARKS = {Outcome.PASSED: "ok  ", Outcome.FAILED: "FAIL", Outcome.NOT_CHECKED: "-   "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    pinned = os.environ.get(PINNED_VARIABLE)
    parser.add_argument("file", metavar="FILE", help="the proof")
    parser.add_argument(
        "--key",
        action="append",
        metavar="FILE",
        help=f"the centre's public key, by default the file in ${PINNED_VARIABLE}"
        f"{f' ({pinned})' if pinned else ''}; may be repeated",
    )
    parser.add_argument(
        "--former-key",
        action="append",
        metavar="FILE",
        help="a public key that the centre had before: believed for factors that were dispatched under it, but not for "
        "the proof itself; may be repeated",
    )
    parser.add_argument(
        "--gateway-key",
        action="append",
        metavar="FILE",
        help="the gateway's public key: batches must be signed by it, whatever the file says; may be repeated",
    )
    parser.add_argument("--json", action="store_true")


def run(options: argparse.Namespace) -> int:
    """Verify the file and print the verdict; return 0 when nothing failed, 1 otherwise.

    KeyFileError, OSError or ValueError when a file can't be read or no key is given.
    """
    pinned = [path for path in os.environ.get(PINNED_VARIABLE, "").split(os.pathsep) if path]
    # A gateway's key alone is a choice of its own; the pinned ones would then be a surprise.
    centre = options.key or ([] if options.gateway_key else pinned)
    if options.former_key and not centre:
        raise ValueError("--former-key needs the centre's present key beside it: give --key")
    if not centre and not options.gateway_key:
        raise ValueError(
            f"no key to verify with: give --key (the centre's public key), --gateway-key, or set ${PINNED_VARIABLE}"
        )
    keys = Keys(*(_loaded(paths) for paths in (centre, options.gateway_key, options.former_key)))
    with Path(options.file).open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    verdict = verify(data, keys)
    print(json_text(verdict) if options.json else plain_text(verdict))  # noqa: T201  # a command's answer
    return 0 if verdict.proved else 1


def _loaded(paths: Sequence[str] | None) -> list[PublicKey]:
    return [load_public(path) for path in paths or ()]


def main(arguments: Sequence[str] | None = None, program: str = "python -m wire.proof") -> int:
    """Run the command by itself; return the exit status: 0 proved, 1 not, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog=program, description="Verify a proof of readings.")
    add_arguments(parser)
    try:
        return run(parser.parse_args(arguments))
    except (KeyFileError, OSError, ValueError) as error:
        print(f"{program}: {error}", file=sys.stderr)  # noqa: T201  # a command's answer
        return 1


def plain_text(verdict: Verdict) -> str:
    """Return the verdict for people: a line for each check, the proved readings, and the answer."""
    lines = []
    for check in verdict.checks:
        lines.append(f"{_MARKS[check.outcome]}  {check.name}: {check.text}")
        lines += [f"        {detail}" for detail in check.details]
    for item in verdict.intervals[:_ROWS]:
        lines.append(
            f"      {shown(item.start_ms)}  {item.duration_ms // 1000} s  "
            f"+{_kwh(item.forward_mwh)} -{_kwh(item.reverse_mwh)} kWh  register {_kwh(item.forward_total_mwh)} kWh  "
            f"{_kg(item.carbon_forward_ug)} kgCO2  factor {_factor(item.factor)}  "
            f"{Quality(item.quality).name.lower()}"
        )
    if len(verdict.intervals) > _ROWS:
        lines.append(f"      and {len(verdict.intervals) - _ROWS} more (--json has all)")
    unchecked = [check.name for check in verdict.checks if check.outcome is Outcome.NOT_CHECKED]
    if not verdict.proved:
        lines.append("NOT PROVED")
    elif unchecked:
        lines.append(f"PROVED, except for what was not checked: {', '.join(unchecked)}")
    else:
        lines.append("PROVED")
    return "\n".join(map(_printable, lines))


def json_text(verdict: Verdict) -> str:
    """Return the verdict for machines; quantities are exact decimals as texts, in kWh and kg."""
    claim = verdict.claim
    content = {
        "proved": verdict.proved,
        "claim": None
        if claim is None
        else {
            "gateway": claim.gateway,
            "station": claim.station,
            "meter": claim.meter,
            "from": shown(claim.from_ms),
            "to": shown(claim.to_ms),
            "exported": shown(claim.exported_ms),
        },
        "checks": [
            {
                "check": check.name,
                "verdict": check.outcome.value,
                "text": check.text,
                "details": list(check.details),
            }
            for check in verdict.checks
        ],
        "intervals": [_interval(item) for item in verdict.intervals],
        "freezes": [
            {
                "time": shown(item.time_ms),
                "kind": FreezeKind(item.kind).name.lower(),
                "source": FreezeSource(item.source).name.lower(),
                "forward_total_kwh": _kwh(item.forward_total_mwh),
                "reverse_total_kwh": _kwh(item.reverse_total_mwh),
                "carbon_forward_total_kg": _kg(item.carbon_forward_total_ug),
                "carbon_reverse_total_kg": _kg(item.carbon_reverse_total_ug),
                "journal": item.context.hex(),
                "sequence": item.sequence,
            }
            for item in verdict.freezes
        ],
    }
    return json.dumps(content, ensure_ascii=True, indent=2)


def _interval(item: Interval) -> dict[str, object]:
    return {
        "start": shown(item.start_ms),
        "duration_ms": item.duration_ms,
        "forward_kwh": _kwh(item.forward_mwh),
        "reverse_kwh": _kwh(item.reverse_mwh),
        "forward_total_kwh": _kwh(item.forward_total_mwh),
        "reverse_total_kwh": _kwh(item.reverse_total_mwh),
        "factor_kg_per_kwh": None if item.factor is None else _factor(item.factor),
        "factor_quality": FactorQuality(item.factor_quality).name.lower(),
        "carbon_forward_kg": _kg(item.carbon_forward_ug),
        "carbon_reverse_kg": _kg(item.carbon_reverse_ug),
        "carbon_forward_total_kg": _kg(item.carbon_forward_total_ug),
        "carbon_reverse_total_kg": _kg(item.carbon_reverse_total_ug),
        "readings": item.readings,
        "quality": Quality(item.quality).name.lower(),
        "journal": item.context.hex(),
        "sequence": item.sequence,
    }


def _kwh(mwh: int) -> str:
    return f"{Decimal(mwh).scaleb(-6):f}"


def _kg(microgram: int) -> str:
    return f"{Decimal(microgram).scaleb(-9):f}"


def _factor(mg_per_kwh: int | None) -> str:
    return "undefined" if mg_per_kwh is None else f"{Decimal(mg_per_kwh).scaleb(-6):f}"


def _printable(text: str) -> str:
    """Return the line without characters that would steer a terminal or add a line: a forged file may hold any."""
    return "".join(char if char.isprintable() else "?" for char in text)
