"""`diantan-agent trace`: frames with their meaning as they pass (报文监视)."""

import argparse
import asyncio
from collections.abc import Coroutine
from typing import Final

from agent.commands.options import add_config, whole
from agent.commands.output import FAILED, UsageError, say, show
from clock import from_spec

_DESCRIPTION: Final = """
Shows the frames on LINE with their meaning, one line each: time, direction (→ to the meter, ← from it), protocol,
address, what it says. LINE is a configured line's name, or serial:…, tcp:… as for scan. Only listens, beside another
master; with --poll it reads the meters that the configuration has on this line itself. Ends with Ctrl-C.
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    trace = commands.add_parser("trace", help="show frames with their meaning as they pass", description=_DESCRIPTION)
    trace.set_defaults(command=_trace)
    add_config(trace)
    trace.add_argument("line", metavar="LINE")
    trace.add_argument("--json", action="store_true", help="an object a line, as frame prints it, with its time")
    trace.add_argument("--poll", action="store_true", help="read the configured meters of the line meanwhile")
    trace.add_argument(
        "--every", type=whole(0, 86_400), metavar="S", help="--poll: seconds from round to round (default: as polled)"
    )
    trace.add_argument("--count", type=whole(1, 10**9), metavar="N", help="end after N frames")


def _trace(arguments: argparse.Namespace) -> int:
    from agent import logs, trace_command  # noqa: PLC0415
    from agent.line_spec import find_line  # noqa: PLC0415
    from agent.trace import line_trace  # noqa: PLC0415

    logs.silence_driver()
    clock = from_spec("system")
    target = find_line(arguments.line, arguments.config)
    if arguments.poll and not target.line.meter:
        raise UsageError(f"--poll reads the meters of a configured line; {arguments.line} has none")
    trace = line_trace(target.line, target.profiles, target.timezone, show, as_json=arguments.json)
    trace.most = arguments.count

    def work(stop: asyncio.Event) -> Coroutine[None, None, None]:
        limit = trace_command.Limit(trace, stop)
        if not arguments.poll:
            return trace_command.listen(target.line, clock, limit)
        every_ms = (
            trace_command.shortest_poll_ms(target.line.meter) if arguments.every is None else 1000 * arguments.every
        )
        return trace_command.poll(target, clock, limit, every_ms=every_ms, say=say)

    trace_command.run(work)
    return FAILED if trace.broken else 0
