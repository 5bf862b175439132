"""The faults (故障) of the matrix by name, each on the part of the rig whose lane it is in."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from chaos import journals
from chaos.disk import SmallDisk, can_mount, limit_files
from chaos.relay import Trouble
from chaos.rig import LIMIT_S, SPEED, LateError, Rig, pause
from demo.processes import Program

Fault = Callable[[Rig], Awaitable[None]]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BAD_LINK = Trouble(drop=0.15, duplicate=0.15, reorder=0.15, cut=0.03, delay_s=0.02)
_BAD_S = 3.0
_HELD_S = 8.0
_ACKNOWLEDGEMENT = "/ack"
_DISK_FULL = b"database or disk is full"  # SQLITE_FULL, in both programs' logs
_ROOM_AGAIN = 0.5


async def agent_killed(rig: Rig) -> None:
    """Kill the gateway with SIGKILL, and start it again within a second and a half."""
    rig.gateway.kill()
    await _away(rig)
    rig.gateway.start()


async def agent_stalled(rig: Rig) -> None:
    """Stop the gateway's machine for hours while its clock goes on (SIGSTOP)."""
    pid = rig.gateway.pid
    pause(pid, stopped=True)
    try:
        await asyncio.sleep(rig.chance.uniform(0.5, 2.0))
    finally:
        pause(pid, stopped=False)


async def clock_forward(rig: Rig) -> None:
    """Let the gateway wake up with its clock hours ahead, and later with the right time again."""
    await _with_clock(rig, rig.chance.randint(2, 20) * HOUR_MS)


async def clock_back(rig: Rig) -> None:
    """Let the gateway wake up with its clock hours behind, and later with the right time again."""
    await _with_clock(rig, -rig.chance.randint(2, 20) * HOUR_MS)


async def _with_clock(rig: Rig, ahead_ms: int) -> None:
    for each in (ahead_ms, 0):
        rig.gateway.kill()
        rig.gateway.step_clock(each)
        log = rig.gateway.start().log
        # On a machine with much else to do it would be killed before it had looked at its clock at all.
        await rig.until("the gateway has begun", lambda log=log: log.stat().st_size > 0)  # type: ignore[misc]  # bound now
        await asyncio.sleep(rig.chance.uniform(1.5, 2.5))


async def clock_jumping_forward(rig: Rig) -> None:
    """Let the clock jump hours ahead under the running gateway, and later back to the right time."""
    await _with_jumping_clock(rig, rig.chance.randint(2, 20) * HOUR_MS)


async def clock_jumping_back(rig: Rig) -> None:
    """Let the clock jump hours back under the running gateway, and later forward to the right time."""
    await _with_jumping_clock(rig, -rig.chance.randint(2, 20) * HOUR_MS)


async def clock_jumping_by_days(rig: Rig) -> None:
    """Let the clock jump by days under the running gateway, and later to the right time."""
    await _with_jumping_clock(rig, rig.chance.choice((-1, 1)) * rig.chance.randint(2, 9) * DAY_MS)


async def _with_jumping_clock(rig: Rig, ahead_ms: int) -> None:
    for each in (ahead_ms, 0):
        rig.gateway.step_clock(each)
        # Longer than it takes to see a jump and to see that it lasts.
        await asyncio.sleep(rig.chance.uniform(1.5, 2.5))


async def gateway_disk_full(rig: Rig) -> None:
    """Let the gateway's disk be full to the last octet for some hours."""
    if can_mount():
        await _with_full_disk(rig, rig.gateway.journal, rig.gateway.kill, rig.gateway.start)
    else:
        await _with_limited_files(rig, rig.gateway.pid)


async def centre_disk_full(rig: Rig) -> None:
    """Let the centre's disk be full to the last octet for some hours."""
    if can_mount():
        start = partial(rig.start_receiver, "receiver")
        await _with_full_disk(rig, rig.store, rig.kill_receiver, start)
    else:
        await _with_limited_files(rig, rig.receiver_pid())


async def _with_full_disk(
    rig: Rig, database: Path, kill: Callable[[], None], start: Callable[[tuple[str, ...]], Program]
) -> None:
    """Restart a program with its data on a small disk, and fill that; where chance has it, kill it while it is full."""
    kill()
    # With an empty log nothing can be written that takes no room.
    journals.checkpoint(database)
    disk = SmallDisk.mount(database.parent)
    try:
        program = start(disk.prefix)
        log = disk.root / f"{database.name}-wal"
        await rig.until("the program writes", lambda: log.exists() and log.stat().st_size > 0)
        disk.fill()
        await rig.until("the program meets the full disk", lambda: _DISK_FULL in program.log.read_bytes())
        await asyncio.sleep(rig.chance.uniform(0.5, 2.0))
        if rig.chance.random() < _ROOM_AGAIN:
            disk.make_room()
            await asyncio.sleep(rig.chance.uniform(0.5, 1.5))
        kill()
        disk.bring_home()
    finally:
        disk.unmount()
    start(())


async def _with_limited_files(rig: Rig, pid: int) -> None:
    limit_files(pid, full=True)
    try:
        await asyncio.sleep(rig.chance.uniform(1.0, 2.5))
    finally:
        limit_files(pid, full=False)


async def journal_deleted(rig: Rig) -> None:
    """Delete the gateway's journal with records in it that the centre has not: they must be told as lost."""
    await _without_journal(rig, rig.gateway.bury)


async def journal_deleted_untold(rig: Rig) -> None:
    """Delete the gateway's journal when its statuses reach the centre, and its records don't: how many is known."""

    def told_more() -> bool:
        rig.uplink.withheld = "/records"  # again and again: a fault of the link that ends heals it
        return rig.told() > rig.stored()

    await rig.until("the centre is told of records that it has not", told_more)
    rig.gateway.kill()
    rig.gateway.bury()
    rig.uplink.heal()
    rig.gateway.start()
    await rig.until("the new journal reaches the centre", lambda: rig.stored() > 0)


async def journal_set_aside(rig: Rig) -> None:
    """Set the gateway's journal aside with records in it that the centre has not: they must be told exactly."""
    await _without_journal(rig, rig.gateway.set_aside)


async def _without_journal(rig: Rig, take_away: Callable[[], None]) -> None:
    rig.uplink.cut()
    before = rig.gateway.reached()
    await rig.until("records that the centre has not", lambda: rig.gateway.reached() != before)
    rig.gateway.kill()
    take_away()
    rig.uplink.heal()
    rig.gateway.start()
    await rig.until("the new journal reaches the centre", lambda: rig.stored() > 0)


async def key_shared(rig: Rig) -> None:
    """Let a second gateway work with the name and the key of the first."""
    rig.start_twin()
    assert rig.twin is not None
    twin = rig.twin
    before = rig.stored_rows()
    await rig.until("both deliver", lambda: (found := twin.reached()) is not None and found[1] > 0)
    await rig.until("both deliver", lambda: rig.delivered(twin, 1) and rig.stored_rows() > before)
    await rig.recovered()
    await twin.stop()


async def broker_killed(rig: Rig) -> None:
    """Kill the broker with SIGKILL; it keeps what it had stored."""
    rig.broker.kill()
    await _away(rig)
    await rig.restart_broker()


async def broker_killed_without_persistence(rig: Rig) -> None:
    """Kill the broker with SIGKILL; it has stored nothing and goes on storing nothing."""
    rig.broker.kill()
    await _away(rig)
    await rig.restart_broker(persistent=False)


async def broker_wiped(rig: Rig) -> None:
    """Kill the broker and delete everything it had stored."""
    rig.broker.kill()
    rig.broker.wipe()
    await _away(rig)
    await rig.restart_broker()


async def link_cut(rig: Rig) -> None:
    """Let there be no connection for some hours."""
    await _cut(rig, rig.chance.uniform(0.5, 2.5))


async def link_cut_for_a_day(rig: Rig) -> None:
    """Let there be no connection for a simulated day."""
    await _cut(rig, DAY_MS / SPEED / 1000)


async def _cut(rig: Rig, real_s: float) -> None:
    rig.uplink.cut()
    await asyncio.sleep(real_s)
    rig.uplink.heal()


async def link_silent(rig: Rig) -> None:
    """Let the connection stand and bring nothing."""
    rig.uplink.silent = True
    await asyncio.sleep(rig.chance.uniform(0.5, 2.5))
    rig.uplink.heal()


async def link_bad(rig: Rig) -> None:
    """Drop, delay, duplicate and reorder messages, and end connections in the middle of packets."""
    rig.uplink.trouble = BAD_LINK
    await asyncio.sleep(_BAD_S)
    rig.uplink.heal()


async def receiver_killed(rig: Rig) -> None:
    """Kill the centre with SIGKILL at any moment."""
    await asyncio.sleep(rig.chance.uniform(0.0, 0.2))
    rig.kill_receiver()
    await _away(rig)
    rig.start_receiver()


async def receiver_killed_before_acknowledging(rig: Rig) -> None:
    """Kill the centre with SIGKILL when it has committed records and nobody has got its acknowledgement.

    What the receiver sends is held back in the link; it sends the acknowledgement after the commit, never before.
    """
    for last in (False, False, True):
        rig.downlink.hold()
        try:
            await rig.until("an acknowledgement held back", _acknowledges_more(rig), LIMIT_S if last else _HELD_S)
        except LateError:
            if last:
                raise
        else:
            break
        # All that the gateway may have under way is stored already, since earlier acknowledgements were lost: it sends
        # nothing new before it is told so.
        more = _stores_more(rig)
        rig.downlink.heal()
        await rig.until("records again", more)
    rig.kill_receiver()
    rig.downlink.heal()
    rig.start_receiver()


def _stores_more(rig: Rig) -> Callable[[], bool]:
    before = rig.stored_rows()
    return lambda: rig.stored_rows() > before


def _acknowledges_more(rig: Rig) -> Callable[[], bool]:
    more = _stores_more(rig)
    return lambda: any(topic.endswith(_ACKNOWLEDGEMENT) for topic in rig.downlink.held or ()) and more()


async def receivers_race(rig: Rig) -> None:
    """Let two receivers on one store take the same batches; then kill one."""
    rig.start_receiver("second")
    await asyncio.sleep(rig.chance.uniform(3.0, 4.0))
    rig.kill_receiver("second")


async def receivers_share(rig: Rig) -> None:
    """Let two receivers on one store share a subscription in the place of the first; kill one, then the other."""
    rig.kill_receiver()
    for name in ("sharing-1", "sharing-2"):
        rig.start_receiver(name, shared=True)
    await asyncio.sleep(rig.chance.uniform(2.0, 3.0))
    rig.kill_receiver("sharing-1")
    await _away(rig)
    rig.start_receiver("sharing-1", shared=True)
    await asyncio.sleep(rig.chance.uniform(1.0, 2.0))
    for name in ("sharing-1", "sharing-2"):
        rig.kill_receiver(name)
    rig.start_receiver()


async def _away(rig: Rig) -> None:
    await asyncio.sleep(rig.chance.uniform(0.0, 1.5))


LANES: dict[str, tuple[Fault, ...]] = {
    "gateway": (
        *(agent_killed, agent_stalled, clock_forward, clock_back, gateway_disk_full),
        *(clock_jumping_forward, clock_jumping_back, clock_jumping_by_days),
        *(journal_deleted, journal_deleted_untold, journal_set_aside, key_shared),
    ),
    "link": (
        *(broker_killed, broker_killed_without_persistence, broker_wiped),
        *(link_cut, link_cut_for_a_day, link_silent, link_bad),
    ),
    "centre": (
        *(receiver_killed, receiver_killed_before_acknowledging, centre_disk_full),
        *(receivers_race, receivers_share),
    ),
}
"""Faults of one lane come one after the other, those of different lanes at the same time."""

FAULTS: dict[str, Fault] = {fault.__name__: fault for lane in LANES.values() for fault in lane}
