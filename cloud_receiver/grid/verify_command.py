"""`diantan-receiver grid verify`: stored slots, solved again (复算)."""

import argparse
import json
import sys
from pathlib import Path

from cloud_receiver import config, registry
from cloud_receiver.grid import history, history_command
from cloud_receiver.grid.analysis import reading
from cloud_receiver.grid.analysis.periods import utc
from cloud_receiver.grid.config import Grid as GridSettings
from cloud_receiver.grid.verify import Verifier


def run(options: argparse.Namespace) -> int:
    """Print what differs and the sum; return 1 where anything differs, or there is nothing to verify."""
    settings = config.load(Path(options.config))
    stations = registry.load(settings.registry)
    progress = history_command.progress_of(options)
    slots = different = unrepeated = 0
    with history_command.opened(options) as (connection, zone):
        span = history.span(connection, options.first, options.end, zone)
        whole = reading.clipped(connection, span)

        def tell(time_ms: int) -> None:
            if whole is not None:
                progress(f"{utc(time_ms)}, {min((time_ms - whole.first_ms) / (whole.end_ms - whole.first_ms), 1):.0%}")

        verifier = Verifier(connection, stations, settings.grid or GridSettings())
        try:
            for verdict in verifier.run(span, tell):
                slots += 1
                different += verdict.count > 0
                unrepeated += bool(verdict.unrepeated)
                if not options.json and not verdict.count:
                    continue
                progress.clear()
                if options.json:
                    sys.stdout.write(json.dumps(verdict.record(), ensure_ascii=False) + "\n")
                    continue
                sys.stdout.write(f"{utc(verdict.start_ms)} version {verdict.version}: {verdict.count} differences\n")
                sys.stdout.writelines(f"  {text}\n" for text in verdict.differences)
        finally:
            progress.clear()
    if not options.json:
        again = f", of which the reconciliation of {unrepeated} can't be repeated" if unrepeated else ""
        agree = f"{slots - different} agree to the bit"
        sys.stdout.write(f"{slots} versions of slots verified 复算: {agree}{again}, {different} differ\n")
    return 1 if different or not slots else 0
