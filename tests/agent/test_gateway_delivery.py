"""The gateway with a real broker and a centre that verifies and acknowledges: delivery, factors, a full disk."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from gateway_support import (
    SLOT,
    Scene,
    assert_delivered,
    intervals,
    journal_records,
    until,
)
from key_support import both_algorithms, new_key

from agent.journal_check import verify
from agent.journal_schema import StorageFullError
from wire import topics
from wire.envelope import Signer
from wire.messages import Acknowledgement, Factors, Live, Status, StatusState
from wire.records import AdjustmentRecord, EventCode, EventRecord


@both_algorithms
@pytest.mark.mosquitto
def test_every_record_arrives_once_and_energy_is_exact(scene: Scene, make_centre: Any) -> None:
    """Two meters, several slots, factors dispatched: the centre has what the journal has, and the sums agree."""

    async def scenario() -> Path:
        centre = make_centre(scene.broker.port)
        async with scene.responder.listening(), centre.running():
            centre.dispatch(scene.clock.now_ms() // SLOT * SLOT, *[500_000] * 96)
            running = scene.gateway(meters=2)
            async with running:
                await centre.until(lambda: len(centre.stored) >= 12)
            assert Status.decode(centre.statuses[0]).state == StatusState.BIRTH
            await centre.until(lambda: Status.decode(centre.statuses[-1]).state == StatusState.OFFLINE)
        assert_delivered(centre, running.file)
        return running.file

    file = asyncio.run(scenario())
    found = list(journal_records(file).values())
    assert found[0].code == EventCode.CONTEXT_OPENED
    for meter in ("meter-1", "meter-2"):
        rows = intervals(found, meter)
        assert rows[-1].forward_total_mwh - rows[0].forward_total_mwh == sum(row.forward_mwh for row in rows[1:])
        assert all(13_000_000 < row.forward_mwh < 17_000_000 for row in rows[1:])
        assert {row.factor for row in rows[1:]} == {500_000}


@pytest.mark.mosquitto
def test_lost_batches_and_lost_acknowledgements_are_made_good(scene: Scene, make_centre: Any) -> None:
    """A centre that is deaf, then mute, then well."""

    async def scenario() -> None:
        centre = make_centre(scene.broker.port, deaf=True)
        async with scene.responder.listening(), centre.running():
            running = scene.gateway(extra="[uplink]\nbatch = 3")
            async with running as gateway:
                await until(lambda: gateway.writer.next_sequence > 4)
                centre.deaf, centre.mute = False, True
                await centre.until(lambda: len(centre.batches) > 2)
                assert gateway.uplink.unacknowledged >= len(centre.stored)
                centre.mute = False
                await until(lambda: gateway.uplink.window.acknowledged > 6)
            assert gateway.uplink.window.resent > 0
        assert_delivered(centre, running.file)

    asyncio.run(scenario())


@pytest.mark.mosquitto
def test_broker_restart_loses_nothing(scene: Scene, make_centre: Any) -> None:
    """The broker has no persistence: what it had taken and not delivered is gone with it."""

    async def scenario() -> None:
        centre = make_centre(scene.broker.port, deaf=True)
        async with scene.responder.listening(), centre.running():
            running = scene.gateway()
            async with running as gateway:
                await until(lambda: gateway.writer.next_sequence > 3)
                scene.broker.process.kill()
                scene.broker.process.wait()
                await until(lambda: not gateway.link.connected)
                written = gateway.writer.next_sequence
                await until(lambda: gateway.writer.next_sequence > written + 1)
                centre.deaf = False
                program = scene.broker.process.args[0]
                again = await asyncio.create_subprocess_exec(program, *scene.broker.process.args[1:])
                try:
                    await centre.until(lambda: len(centre.stored) > written)
                    await until(lambda: gateway.uplink.window.acknowledged > written)
                finally:
                    again.terminate()
                    await again.wait()
        assert sorted(centre.stored) == list(range(1, len(centre.stored) + 1))

    asyncio.run(scenario())


@pytest.mark.mosquitto
def test_missing_ranges_are_filled_out_of_order(scene: Scene, make_centre: Any) -> None:
    """The centre lost records in the middle: it gets them again, and only then is `up_to` whole."""

    async def scenario() -> None:
        centre = make_centre(scene.broker.port, mute=True)
        async with scene.responder.listening(), centre.running():
            running = scene.gateway(extra="[uplink]\nbatch = 2\nwindow = 20")
            async with running as gateway:
                await centre.until(lambda: len(centre.stored) >= 8)
                for sequence in (1, 4, 5):
                    del centre.stored[sequence]
                centre.mute = False
                centre.acknowledge()
                await until(lambda: gateway.uplink.window.acknowledged >= 8)
        assert_delivered(centre, running.file)

    asyncio.run(scenario())


@pytest.mark.mosquitto
def test_dropped_records_do_not_end_delivery(scene: Scene, make_centre: Any) -> None:
    """The centre never gets the first ones, and everything after them."""

    async def scenario() -> Path:
        centre = make_centre(scene.broker.port)
        centre.deaf = True
        async with scene.responder.listening(), centre.running():
            running = scene.gateway(meters=4, extra="[uplink]\nbatch = 4\nwindow = 2\ntimeout_seconds = 600")
            async with running as gateway:
                await until(lambda: gateway.writer.next_sequence > 20)
                _, lost = await gateway.writer.call(
                    lambda: gateway.writer.journal.prune(None, keep_days=400, max_bytes=1)
                )
                assert lost is not None
                assert lost[0] == 1
                centre.deaf = False
                await until(lambda: gateway.uplink.window.acknowledged > 30)
                assert min(centre.stored) == lost[1] + 1
        return running.file

    assert verify(asyncio.run(scenario())).problems == []


@pytest.mark.mosquitto
def test_killed_agent_goes_on_without_loss_or_doubling(scene: Scene, make_centre: Any) -> None:
    """SIGKILL, twice, as a process of its own: one context, no gap, energy from the registers; SIGTERM ends with 0."""

    async def scenario() -> Path:
        centre = make_centre(scene.broker.port)
        async with scene.responder.listening(), centre.running():
            config = scene.configure()
            for number, end in enumerate((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM), 1):
                agent = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "agent.cli", "run", "--config", str(config), "--clock", scene.clock.spec()),
                    *("--log", "json"),
                    stderr=asyncio.subprocess.PIPE,
                )
                before = len(centre.stored)
                await centre.until(lambda before=before: len(centre.stored) >= before + 4)  # type: ignore[misc]  # bound now
                agent.send_signal(end)
                _, errors = await agent.communicate()
                assert agent.returncode == (0 if end == signal.SIGTERM else -end), errors.decode()
                assert len(centre.contexts) == 1, number
        file = scene.site.directory / "data" / "journal.db"
        assert_delivered(centre, file)
        return file

    rows = intervals(list(journal_records(asyncio.run(scenario())).values()), "meter-1")
    ends = [row.start_ms + row.duration_ms for row in rows]
    assert [row.start_ms for row in rows[1:]] == ends[:-1]
    # Constant power: whatever was interpolated over a kill, the whole is what the register moved by.
    whole = rows[-1].forward_total_mwh - rows[0].forward_total_mwh
    assert whole == sum(row.forward_mwh for row in rows[1:])
    assert abs(whole - 15_000_000 * len(rows[1:])) < 2_500_000


@pytest.mark.mosquitto
def test_deleted_journal_is_a_new_context(scene: Scene, make_centre: Any) -> None:
    """The loss shows at the centre."""

    async def scenario() -> None:
        centre = make_centre(scene.broker.port)
        async with scene.responder.listening(), centre.running():
            for count in (1, 2):
                running = scene.gateway()
                async with running:
                    await centre.until(lambda count=count: len(centre.contexts) == count)  # type: ignore[misc]  # bound now
                for part in running.file.parent.glob("journal.db*"):
                    part.unlink()
                centre.stored.clear()

    asyncio.run(scenario())


@both_algorithms
@pytest.mark.mosquitto
def test_forged_acknowledgements_and_factors_are_refused(scene: Scene, make_centre: Any) -> None:
    """Another key, another context, more than there is: nothing is forgotten; forged factors are not used."""

    async def scenario() -> Path:
        centre = make_centre(scene.broker.port, mute=True)
        async with scene.responder.listening(), centre.running():
            running = scene.gateway()
            async with running as gateway:
                await centre.until(lambda: len(centre.stored) >= 2)
                topic = topics.acknowledgement("gw-1")
                context = centre.contexts[0]
                stranger = Signer(new_key())
                good = Acknowledgement("gw-1", context, 2, (), 0).encode()
                centre.send(topic, good, stranger)
                for forged in (
                    Acknowledgement("gw-1", bytes(8), 2, (), 0).encode(),
                    Acknowledgement("gw-2", context, 2, (), 0).encode(),
                    Acknowledgement("gw-1", context, 10**6, (), 0).encode(),
                    b"junk",
                ):
                    centre.send(topic, forged)
                factors = Factors("node-1", b"x", 1, SLOT, scene.clock.now_ms() // SLOT * SLOT, (1,) * 96)
                centre.send(topics.factor("node-1"), factors.encode(), stranger)
                await until(lambda: gateway.factors.rejected == 1)
                assert gateway.uplink.window.acknowledged == 0
                centre.send(topic, good)
                await until(lambda: gateway.uplink.window.acknowledged == 2)
        return running.file

    found = list(journal_records(asyncio.run(scenario())).values())
    assert [record.code for record in found if isinstance(record, EventRecord)] == [
        EventCode.CONTEXT_OPENED,
        EventCode.FACTOR_REJECTED,
    ]
    assert {row.factor for row in intervals(found, "meter-1")} == {None}


@pytest.mark.mosquitto
def test_a_late_factor_adjusts_what_was_closed(scene: Scene, make_centre: Any) -> None:
    """Undefined at first: the factor that comes brings the carbon of the pending energy, and nothing is rewritten."""

    async def scenario() -> Path:
        centre = make_centre(scene.broker.port)
        async with scene.responder.listening(), centre.running():
            running = scene.gateway()
            async with running as gateway:
                await centre.until(lambda: len(centre.stored) >= 3)
                first = journal_records(running.file)[2].start_ms // SLOT * SLOT
                centre.dispatch(first, 600_000)
                written = gateway.writer.next_sequence
                await centre.until(lambda: len(centre.stored) > written)
        assert_delivered(centre, running.file)
        return running.file

    found = list(journal_records(asyncio.run(scenario())).values())
    late = [record for record in found if isinstance(record, AdjustmentRecord)]
    assert late
    for record in late:
        (interval,) = [row for row in intervals(found, "meter-1") if row.start_ms == record.start_ms]
        assert interval.factor is None
        assert interval.carbon_forward_ug == 0
        assert (record.factor_used, record.factor_now, record.forward_mwh) == (None, 600_000, interval.forward_mwh)
        assert record.carbon_forward_ug == interval.forward_mwh * 600_000 // 1000


@pytest.mark.mosquitto
def test_full_disk_for_a_while_loses_nothing(
    scene: Scene, make_centre: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Polls go on; memory fills up, then readings are held back; the energy is there when the disk has room again."""

    async def scenario() -> Path:
        centre = make_centre(scene.broker.port)
        async with scene.responder.listening(), centre.running():
            running = scene.gateway(extra="[journal]\nmemory_records = 100")
            journal, commit, full = running.gateway.writer.journal, running.gateway.writer.journal.commit, False

            def limited(*arguments: Any, **options: Any) -> int:
                if full:
                    raise StorageFullError("no space left on device")
                return commit(*arguments, **options)

            monkeypatch.setattr(journal, "commit", limited)
            running.gateway.writer._memory_records = 2  # so that the test need not wait for more
            async with running as gateway:
                await centre.until(lambda: len(centre.stored) >= 3)
                full = True
                await until(lambda: gateway.recorder.held_back > 5)
                assert gateway.writer.waiting_records >= 2
                full = False
                await until(lambda: not gateway.writer.full)
                stored = len(centre.stored)
                await centre.until(lambda: len(centre.stored) > stored + 3)
        assert_delivered(centre, running.file)
        return running.file

    found = list(journal_records(asyncio.run(scenario())).values())
    assert EventCode.STORAGE_FULL in {record.code for record in found if isinstance(record, EventRecord)}
    rows = intervals(found, "meter-1")
    assert rows[-1].forward_total_mwh - rows[0].forward_total_mwh == sum(row.forward_mwh for row in rows[1:])
    assert [row.start_ms for row in rows] == [rows[0].start_ms + SLOT * n for n in range(len(rows))]
    assert "no space left on device" in caplog.text


@pytest.mark.mosquitto
def test_live_values_and_factor_for_the_meter(scene: Scene, make_centre: Any) -> None:
    """Live values carry the time of their reading; the meter gets the factor of the slot."""

    async def scenario() -> None:
        centre = make_centre(scene.broker.port)
        async with scene.responder.listening(), centre.running():
            centre.dispatch(scene.clock.now_ms() // SLOT * SLOT, *[500_000] * 96)
            async with scene.gateway():
                await centre.until(lambda: len(centre.lives) > 1)
                await until(lambda: len(scene.responder.written) > 1)
        live = Live.decode(centre.lives[-1])
        ((meter, time_ms, values),) = live.meters
        assert meter == "meter-1"
        assert time_ms <= live.time_ms
        assert values["energy_forward"] > 10**9
        for request in scene.responder.written:
            start = request.words[0] << 16 | request.words[1]
            assert start * 1000 % SLOT == 0
            assert request.words[2] << 16 | request.words[3] == 500_000

    asyncio.run(scenario())


@pytest.mark.mosquitto
def test_a_message_that_can_not_be_handled_does_not_break_the_link(
    scene: Scene, make_centre: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The next one is."""

    async def scenario() -> None:
        centre = make_centre(scene.broker.port)
        async with scene.responder.listening(), centre.running():
            running = scene.gateway()
            factors = running.gateway.factors
            take = factors.message

            def fail(*_: Any) -> bool:
                monkeypatch.setattr(factors, "message", take)
                raise ValueError("unforeseen")

            monkeypatch.setattr(factors, "message", fail)
            async with running as gateway:
                await centre.until(lambda: len(centre.stored) > 0)
                for issued in (1, 2):
                    centre.dispatch(scene.clock.now_ms() // SLOT * SLOT, 1, issued_ms=issued)
                await until(lambda: bool(gateway.factors._known))
        assert "a message could not be handled" in caplog.text

    asyncio.run(scenario())
