"""The faults (故障) of the matrix by name, each on the part of the rig whose lane it is in."""

import asyncio
from collections.abc import Awaitable, Callable

from chaos.relay import Trouble
from chaos.rig import SPEED, Rig, fill_disk, pause

Fault = Callable[[Rig], Awaitable[None]]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BAD_LINK = Trouble(drop=0.15, duplicate=0.15, reorder=0.15, cut=0.03, delay_s=0.02)
_BAD_S = 3.0
_ACKNOWLEDGEMENT = "/ack"


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
        rig.gateway.ahead_ms = each
        rig.gateway.start()
        await asyncio.sleep(rig.chance.uniform(1.5, 2.5))


async def gateway_disk_full(rig: Rig) -> None:
    """Let no write of the gateway succeed for some hours."""
    await _with_full_disk(rig, rig.gateway.pid)


async def centre_disk_full(rig: Rig) -> None:
    """Let no write of the centre succeed for some hours."""
    await _with_full_disk(rig, rig.receiver_pid())


async def _with_full_disk(rig: Rig, pid: int) -> None:
    fill_disk(pid, full=True)
    try:
        await asyncio.sleep(rig.chance.uniform(1.0, 2.5))
    finally:
        fill_disk(pid, full=False)


async def journal_deleted(rig: Rig) -> None:
    """Delete the gateway's journal with records in it that the centre has not: they must be told as lost."""
    rig.uplink.cut()
    before = rig.gateway.reached()
    await rig.until("records that the centre has not", lambda: rig.gateway.reached() != before)
    rig.gateway.kill()
    rig.gateway.bury()
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
    twin.stop()


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
    rig.downlink.hold()
    before = rig.stored_rows()
    await rig.until("an acknowledgement held back", lambda: _acknowledges(rig) and rig.stored_rows() > before)
    rig.kill_receiver()
    rig.downlink.heal()
    rig.start_receiver()


def _acknowledges(rig: Rig) -> bool:
    return any(topic.endswith(_ACKNOWLEDGEMENT) for topic in rig.downlink.held or ())


async def receivers_race(rig: Rig) -> None:
    """Let two receivers on one store take the same batches; then kill one."""
    rig.start_receiver("second")
    await asyncio.sleep(rig.chance.uniform(3.0, 4.0))
    rig.kill_receiver("second")


async def _away(rig: Rig) -> None:
    await asyncio.sleep(rig.chance.uniform(0.0, 1.5))


LANES: dict[str, tuple[Fault, ...]] = {
    "gateway": (
        *(agent_killed, agent_stalled, clock_forward, clock_back, gateway_disk_full),
        *(journal_deleted, key_shared),
    ),
    "link": (
        *(broker_killed, broker_killed_without_persistence, broker_wiped),
        *(link_cut, link_cut_for_a_day, link_silent, link_bad),
    ),
    "centre": (receiver_killed, receiver_killed_before_acknowledging, receivers_race, centre_disk_full),
}
"""Faults of one lane come one after the other, those of different lanes at the same time."""

FAULTS: dict[str, Fault] = {fault.__name__: fault for lane in LANES.values() for fault in lane}
