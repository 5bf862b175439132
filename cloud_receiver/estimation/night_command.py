"""`diantan-receiver nights`: makes nights of error estimation, with whoever else does so on the same store."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from typing import Final

import clock
from cloud_receiver import logs
from cloud_receiver.estimation.night import Nights
from cloud_receiver.estimation.processes import NICE, OF_RECEIVER
from cloud_receiver.orders.waiting import Progress
from cloud_receiver.report import ReportError
from cloud_receiver.validation.command import opened

log = logging.getLogger(__name__)

_INPUT: Final = 0


def add_nights(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nights`."""
    parser.add_argument("--once", action="store_true", help="end when this night is over, whoever has a share in it")
    parser.add_argument("--again", action="store_true", help="begin with what failed in this night")
    parser.add_argument("--log", choices=("human", "json"), default="human", help="form of the log lines on stderr")
    parser.add_argument(OF_RECEIVER, metavar="NAME", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make nights until a signal, or until one is over; return 1 where a station's failed, or it didn't come so far."""
    program_clock = clock.from_spec(options.clock)
    logs.configure(program_clock, options.log)
    try:
        os.nice(NICE)
    except OSError as error:
        log.warning("error estimation runs at the priority of others: %s", error)
    with opened(options) as at:
        if not at.settings.estimation.enabled:
            raise ReportError("estimation.enabled: expected true where nights are made")
        progress = Progress(lambda: at.seconds.monotonic_ms() / 1000)
        if options.once and sys.stderr.isatty():
            logging.getLogger().setLevel(logging.WARNING)

        def told(left: int, estimated: int) -> None:
            if options.once:
                progress(f"{estimated} stations estimated, {left} left")

        nights = Nights(
            *(at.engine, at.registry, program_clock),
            # The share of time is that of the receiver's own process.
            at.settings.estimation.model_copy(update={"share_percent": 100}),
            owner=options.of_receiver,
            anew=options.again,
            told=told,
        )
        over = asyncio.run(_run(nights, once=options.once, of_receiver=options.of_receiver is not None))
        progress.clear()
    if not options.once:
        return 0
    ended = "" if over else "; ended before the night was over"
    print(f"{nights.estimated} stations estimated, {nights.failed} failed{ended}")  # noqa: T201  # a command's answer
    return int(bool(nights.failed) or not over)


async def _run(nights: Nights, *, once: bool, of_receiver: bool) -> bool:
    """Make nights until told to end; return whether the work came to its own end."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if not once:  # else it's told of as of any command that is interrupted
        loop.add_signal_handler(signal.SIGINT, stop.set)
    if of_receiver:

        def heard() -> None:
            if not os.read(_INPUT, 4096):
                loop.remove_reader(_INPUT)
                stop.set()

        loop.add_reader(_INPUT, heard)
    work = asyncio.create_task(nights.once() if once else nights.run())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    over = work.done()
    for task in (work, stopped):
        task.cancel()
    await asyncio.gather(work, stopped, return_exceptions=True)
    if over:
        work.result()
    return over
