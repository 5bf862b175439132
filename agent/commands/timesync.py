"""`diantan-agent timesync`: sets the clocks of meters, only when somebody asks for it."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from agent.commands.options import add_config
from agent.commands.output import FAILED, CommandError, UsageError, say, show
from clock import Clock, from_spec

if TYPE_CHECKING:
    from agent.line_spec import Target
    from agent.read_command import Asked

_BROADCAST: Final = ("dlt645", "dlt698")
_DESCRIPTION: Final = """
Sets the clocks of the named meters (校时), or with --line and --broadcast of all DL/T meters on a line (广播校时), to
this machine's time, and shows how far each was off before and after. Refuses when no time service keeps this machine's
clock. Asks before it writes. The gateway never does this by itself: it changes what the meter freezes.
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    sync = commands.add_parser("timesync", help="set the clocks of meters (校时)", description=_DESCRIPTION)
    sync.set_defaults(command=_sync)
    add_config(sync)
    sync.add_argument("meters", nargs="*", metavar="METER")
    sync.add_argument("--line", metavar="LINE", help="with --broadcast: a line's name, or serial:… tcp:…")
    sync.add_argument("--broadcast", action="store_true", help="one frame for all meters of the line; unanswered")
    sync.add_argument("--protocol", choices=_BROADCAST, help="--broadcast: in this protocol only")
    sync.add_argument("--force", action="store_true", help="even if no time service keeps this machine's clock")
    sync.add_argument("--yes", action="store_true", help="don't ask")


def _sync(arguments: argparse.Namespace) -> int:
    from agent import logs  # noqa: PLC0415
    from agent.timekeeper import kernel_synchronised  # noqa: PLC0415

    _check(arguments)
    logs.silence_driver()
    clock = from_spec("system")
    if not arguments.force and not kernel_synchronised():
        raise CommandError("no time service keeps this machine's clock, so it was not sent (--force sends it anyway)")
    return _all(arguments, clock) if arguments.broadcast else _each(arguments, clock)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.broadcast != (arguments.line is not None) or arguments.broadcast == bool(arguments.meters):
        raise UsageError("expected METERs of the configuration, or --line LINE --broadcast")
    if arguments.protocol is not None and not arguments.broadcast:
        raise UsageError("--protocol goes with --broadcast")


def _confirmed(question: str, arguments: argparse.Namespace) -> None:
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to ask: --yes sets the clocks without asking")
    say(f"{question} [y/N] ")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was set")


def _each(arguments: argparse.Namespace, clock: Clock) -> int:
    from agent import timesync_command  # noqa: PLC0415
    from agent.read_command import configured  # noqa: PLC0415

    asked: Sequence[Asked] = [configured(arguments.config, meter, []) for meter in arguments.meters]
    for outcome in timesync_command.offsets(asked, clock):
        say(f"{outcome.meter}: {outcome.error or timesync_command.offset_text(outcome.before_ms)}")
    now = timesync_command.local(clock.now_ms(), asked[0].timezone)
    _confirmed(f"Set {', '.join(each.meter for each in asked)} to {now}?", arguments)
    failed = False
    for outcome in timesync_command.set_clocks(asked, clock):
        before, after = (timesync_command.offset_text(each) for each in (outcome.before_ms, outcome.after_ms))
        failed = failed or outcome.error is not None
        # A meter that was asked for its time was also told it: without its word, the time may be set or not.
        fault = "not set" if outcome.before_ms is None else "not confirmed"
        show(
            f"{outcome.meter}: {before} before, " + (f"{fault}: {outcome.error}" if outcome.error else f"{after} after")
        )
    return FAILED if failed else 0


def _all(arguments: argparse.Namespace, clock: Clock) -> int:
    from agent import timesync_command  # noqa: PLC0415
    from agent.line_spec import find_line  # noqa: PLC0415
    from fieldbus.exchange import LineError  # noqa: PLC0415

    target = find_line(arguments.line, arguments.config)
    protocols = _protocols(arguments, target)
    known = _known(arguments, target)
    for outcome in timesync_command.offsets(known, clock):
        say(f"{outcome.meter}: {outcome.error or timesync_command.offset_text(outcome.before_ms)}")
    now = timesync_command.local(clock.now_ms(), target.timezone)
    _confirmed(f"Send {now} to all meters of {arguments.line} that speak {' or '.join(protocols)}?", arguments)
    try:
        sent = timesync_command.broadcast(target, protocols, clock)
    except LineError as error:
        raise CommandError(f"line {target.line.name}: {error}") from error
    show(f"{arguments.line}: sent {now} in {' and '.join(sent)}; meters don't answer a broadcast")
    for outcome in timesync_command.offsets(known, clock):
        show(f"{outcome.meter}: {outcome.error or timesync_command.offset_text(outcome.before_ms)}")
    return 0


def _protocols(arguments: argparse.Namespace, target: "Target") -> list[str]:
    if target.line.transport == "modbus-tcp":
        raise UsageError(f"{arguments.line}: Modbus has no broadcast of the time; name the meters")
    if arguments.protocol is not None:
        return [arguments.protocol]
    spoken = {profile.protocol for profile in target.profiles.values()}
    return [name for name in _BROADCAST if not target.profiles or name in spoken] or list(_BROADCAST)


def _known(arguments: argparse.Namespace, target: "Target") -> "list[Asked]":
    """Return the configured meters of the line, whose clocks can be shown."""
    from agent.read_command import configured  # noqa: PLC0415

    meters = [configured(arguments.config, meter.id, []) for meter in target.line.meter]
    return [meter for meter in meters if meter.profile.protocol in _BROADCAST]
