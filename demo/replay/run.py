"""Runs a replay: simulator, gateway, a real Mosquitto and centre as processes of their own, in time that waits.

Each quarter of an hour passes in a few real milliseconds. In its middle time is no faster than real until all meters
have been read for their voltages and powers; at its end until all have been read, their records have come to the
broker, and those before have been acknowledged; at half past two also until the centre has estimated the day before. So
what comes out depends neither on the machine nor on its load.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from chaos.broker import Mosquitto
from clock.governed import GovernedClock, Governor
from demo import files as demo_files
from demo.files import GRID, Broker, Files
from demo.plan import SLOT_MS
from demo.processes import DemoError, Programs
from demo.progress import Display
from demo.replay import files as replay_files
from demo.replay.judge import history, nights_of
from demo.replay.pace import Pace
from demo.replay.plan import ReplayPlan, local
from demo.replay.polls import Polls

FAST: Final = 40_000
"""How many times faster than real time goes on between two readings."""
ON_THE_WHOLE: Final = 10_000
"""About how fast it goes on with the waiting: by this programs convert durations."""
READ_MS: Final = 900
"""After the end of an interval all lines of a gateway have had their turn by then (agent.schedule)."""
POLL_MS: Final = 1000 * replay_files.POLL_SECONDS
START_UP_S: Final = 60.0
MOST_MISSED: Final = 30
LOOK_S: Final = 1.0
NIGHT_LOOKS: Final = 240
_STEP_S: Final = 0.002


async def run(plan: ReplayPlan, files: Files) -> GovernedClock:
    """Replay until the centre has estimated the last night; return the clock. DemoError, NoBrokerError."""
    broker = Mosquitto(files.directory / "broker")
    served = Broker(broker.port, "5")
    try:
        with (
            Programs(files.directory) as programs,
            Governor(files.directory / "clock", plan.origin_ms, FAST) as governor,
        ):
            broker.start(persistent=False)
            clock = GovernedClock(governor.file, ON_THE_WHOLE)
            demo_files.write_keys(files)
            replay_files.write_station(files, plan)
            replay_files.write_receiver(files, plan, served)
            demo_files.enrol(files, clock.spec())
            programs.wait_until("the broker listens", lambda: broker.listens)
            await _play(plan, files, served, clock, governor=governor, programs=programs)
            return clock
    finally:
        broker.kill()


async def _play(
    plan: ReplayPlan,
    files: Files,
    broker: Broker,
    clock: GovernedClock,
    *,
    governor: Governor,
    programs: Programs,
) -> None:
    told = ("--clock", clock.spec())
    control = files.directory / "control"
    served = ("--ready-file", str(files.ready), "--control", str(control))
    station = programs.start("station", "diantan-sim", "station", str(files.station), *told, *served)
    receiver = programs.start("receiver", "diantan-receiver", "run", "--config", str(files.receiver), *told)
    programs.wait_until("the station listens", files.ready.exists)
    replay_files.write_agent(files, plan, broker)
    gateway_key, centre_key = (Path(f"{key}.pub") for key in (files.gateway_key, files.centre_key))
    meters = [*(charger.id for charger in plan.chargers), GRID]
    with Display(plan.origin_ms, plan.end_ms, plan.zone) as display:
        async with Pace(broker.port, gateway_key, centre_key, meters) as pace:
            await _started(pace, "the centre", lambda: pace.centre_is_up, programs)
            agent = programs.start("agent", "diantan-agent", "run", "--config", str(files.agent), *told)
            await _started(pace, "the gateway", lambda: pace.gateway_is_up, programs)
            await _pass(plan, files, governor, pace, Polls(control), programs=programs, display=display)
            await pace.comes(lambda: pace.settled, programs.check)
    for program in (agent, receiver, station):
        program.stop()


async def _started(pace: Pace, what: str, ready: Callable[[], bool], programs: Programs) -> None:
    if not await pace.comes(ready, programs.check, START_UP_S):
        raise DemoError(f"{what} was not heard within {START_UP_S:.0f} s")


async def _pass(
    plan: ReplayPlan,
    files: Files,
    governor: Governor,
    pace: Pace,
    polls: Polls,
    *,
    programs: Programs,
    display: Display,
) -> None:
    """Let all quarters of an hour pass; DemoError when nothing comes any more."""
    missed = 0
    for end_ms in range(plan.origin_ms + SLOT_MS, plan.end_ms + 1, SLOT_MS):
        for poll_ms in range(end_ms - SLOT_MS + POLL_MS, end_ms, POLL_MS):
            polls.count()
            await _arrive(governor, poll_ms + READ_MS)
            await polls.come(programs.check)
        before = pace.written
        await _arrive(governor, end_ms + READ_MS)
        # What does not come is not waited for again and again: who was read too late for the first time, or not at all,
        # will be the next time.
        ready = partial(_is_done, pace, end_ms, before)
        missed = 0 if await pace.comes(ready, programs.check) else missed + 1
        if missed > MOST_MISSED:
            raise DemoError(f"nothing comes any more after {local(end_ms, plan.zone)}")
        display.show(governor.now_ms(), f"{pace.written} records written, {pace.acknowledged} acknowledged")
        if end_ms in plan.nights_ms:
            await _night(plan, files, end_ms, pace, programs=programs)


async def _arrive(governor: Governor, until_ms: int) -> None:
    governor.let_go(until_ms)
    while not governor.arrived:  # noqa: ASYNC110 - time gives no sign
        await asyncio.sleep(_STEP_S)


def _is_done(pace: Pace, end_ms: int, sequence: int) -> bool:
    return pace.complete(end_ms) and pace.acknowledged >= sequence


async def _night(plan: ReplayPlan, files: Files, since_ms: int, pace: Pace, *, programs: Programs) -> None:
    """Wait until the centre has estimated the day before; DemoError when it does not."""
    await pace.comes(lambda: pace.settled, programs.check)
    clock = GovernedClock(files.directory / "clock", ON_THE_WHOLE)
    for _ in range(NIGHT_LOOKS):
        programs.check()
        if max(nights_of(history(plan, files, clock.spec())), default=0) >= since_ms:
            return
        await asyncio.sleep(LOOK_S)
    raise DemoError(f"the centre has not estimated the day before {local(since_ms, plan.zone)}")
