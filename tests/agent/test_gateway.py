"""The gateway with real sockets: a Modbus responder, a real broker, and a centre that verifies and acknowledges."""

import asyncio
import dataclasses
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import diantan_core
from agent.config_file import load_config
from agent.gateway import Gateway
from agent.journal import Journal
from agent.journal_check import open_read_only, records, verify
from agent.journal_schema import StorageFullError
from agent.reading import Reading
from clock import Clock, SimulatedClock
from wire import keys, topics
from wire.envelope import Signer
from wire.messages import Acknowledgement, Factors, Live, Status, StatusState
from wire.records import AdjustmentRecord, ClockState, EventCode, EventRecord, IntervalRecord

SLOT = 900_000
ORIGIN_MS = 1_767_196_800_000


def context(length: int) -> bytes:
    """Return a context that differs each time, as a real one does."""
    return random.Random().randbytes(length)


class Running:
    """A gateway in this process."""

    def __init__(self, config: Path, clock: Clock) -> None:
        loaded = load_config(config)
        loaded.config.gateway.data_dir.mkdir(exist_ok=True)
        self.file = loaded.config.journal_file
        journal = Journal.open(self.file, now_ms=clock.now_ms(), entropy=context)
        self.gateway = Gateway(loaded, journal, clock, chance=random.Random(1))
        self.stop = asyncio.Event()

    async def __aenter__(self) -> Gateway:
        self.task = asyncio.create_task(self.gateway.run(self.stop))
        return self.gateway

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await self.task


@dataclass
class Scene:
    """What every test here needs."""

    broker: Any
    site: Any
    responder: Any
    clock: SimulatedClock

    def configure(self, meters: int = 1, extra: str = "") -> Path:
        """Write the configuration; to be called while the responder listens."""
        ports = [self.responder.port] * meters
        return Path(self.site.configure(broker_port=self.broker.port, meter_ports=ports, extra=extra))

    def gateway(self, meters: int = 1, extra: str = "") -> Running:
        """Return a gateway in this process."""
        return Running(self.configure(meters, extra), self.clock)


async def until(condition: Callable[[], bool], limit_s: float = 40) -> None:
    """Look every few milliseconds whether something has become true."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - counters and files have no event to wait for
            await asyncio.sleep(0.005)


async def silence(_request: Any, _reply: bytes) -> None:
    """Answer nothing."""


def intervals(found: list[Any], meter: str) -> list[IntervalRecord]:
    """Return a meter's intervals."""
    return [record for record in found if isinstance(record, IntervalRecord) and record.meter == meter]


def assert_delivered(centre: Any, file: Path) -> None:
    """Every sequence that the centre has is there once and without gap, and says what the journal says."""
    assert verify(file).problems == []
    kept = journal_records(file)
    assert sorted(centre.stored) == list(range(1, len(centre.stored) + 1))
    assert set(centre.stored) <= set(kept)
    for sequence, payload in centre.stored.items():
        batch = diantan_core.decode_batch(payload)
        meters = batch.meters
        rows = {row[0]: row for row in batch.interval_rows(range(len(meters)))}
        record = kept[sequence]
        if isinstance(record, IntervalRecord):
            assert (meters[rows[sequence][1]], *rows[sequence][2:]) == dataclasses.astuple(record)
        else:
            assert sequence not in rows


def journal_records(file: Path) -> dict[int, Any]:
    """Return the records of a journal by sequence."""
    connection = open_read_only(file)
    try:
        return dict(records(connection))
    finally:
        connection.close()


@pytest.fixture
def scene(mosquitto: Any, site: Any, responder: Any, fast_clock: Any, registers_of: Any) -> Scene:
    """Return a broker, keys, a responder that meters constant power, and a fast clock."""
    responder.registers = registers_of(fast_clock)
    return Scene(mosquitto, site, responder, fast_clock)


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
                stranger = Signer(keys.generate())
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
                await until(lambda: gateway.held_back > 5)
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


def test_works_without_a_broker_and_stores_everything_at_the_end(site: Any, responder: Any, fast_clock: Any) -> None:
    """No broker at all: records are kept."""

    async def scenario() -> Path:
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), fast_clock)
            async with running as gateway:
                await until(lambda: gateway.writer.next_sequence > 3)
        return running.file

    assert verify(asyncio.run(scenario())).problems == []


def test_a_clock_that_went_back_over_a_restart_doubles_no_slot(site: Any, responder: Any) -> None:
    """The gateway wakes up an hour before its last record: time goes on from there, at half speed."""

    async def scenario() -> Path:
        started = time.monotonic_ns() // 1_000_000
        async with responder.listening():
            config = site.configure(broker_port=1, meter_ports=[responder.port])
            first = Running(config, SimulatedClock(ORIGIN_MS, 1800, started))
            async with first as gateway:
                await until(lambda: gateway.writer.next_sequence > 3)
            second = Running(config, SimulatedClock(ORIGIN_MS - 3_600_000, 1800, time.monotonic_ns() // 1_000_000))
            async with second as gateway:
                written = gateway.writer.next_sequence
                assert gateway.time.state == ClockState.STEPPED
                await until(lambda: gateway.writer.next_sequence > written + 3)
        return second.file

    file = asyncio.run(scenario())
    assert verify(file).problems == []
    found = list(journal_records(file).values())
    starts = [row.start_ms for row in intervals(found, "meter-1")]
    assert starts == sorted(set(starts))
    assert EventCode.CLOCK_STEPPED in {record.code for record in found if isinstance(record, EventRecord)}


@dataclass
class Adjustable:
    """A fast clock whose wall time can be set wrong; a time service that says so."""

    clock: SimulatedClock
    wrong_ms: int = 0

    def now_ms(self) -> int:
        """Return the wall time."""
        return self.clock.now_ms() + self.wrong_ms

    def __getattr__(self, name: str) -> Any:
        return getattr(self.clock, name)


@pytest.mark.parametrize("days", [-4000, 3, 4000])
def test_a_clock_that_was_wrong_by_years_and_is_corrected_costs_no_energy(
    site: Any, responder: Any, fast_clock: Any, registers_of: Any, days: int
) -> None:
    """Records go on at the wrong time and then at the right one; the registers' difference is in them exactly once."""
    clock = Adjustable(fast_clock)
    wrong_ms = days * 86_400_000
    responder.registers = registers_of(fast_clock)

    def newest(file: Path) -> int:
        rows = intervals(list(journal_records(file).values()), "meter-1")
        return rows[-1].start_ms if rows else 0

    async def scenario() -> Path:
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), clock)  # type: ignore[arg-type]
            async with running as gateway:
                await until(lambda: newest(running.file) >= ORIGIN_MS)
                clock.wrong_ms = wrong_ms
                there = fast_clock.now_ms() + wrong_ms
                await until(lambda: abs(newest(running.file) - there) < 7_200_000)
                clock.wrong_ms = 0
                there = fast_clock.now_ms()
                await until(lambda: there < newest(running.file) < there + 7_200_000)
                assert gateway.figures()["timeout"] == 0
        return running.file

    file = asyncio.run(scenario())
    assert verify(file).problems == []
    found = list(journal_records(file).values())
    rows = intervals(found, "meter-1")
    codes = [record.code for record in found if isinstance(record, EventRecord)]
    assert codes.count(EventCode.CLOCK_STEPPED) == 2
    assert not {EventCode.JUMP, EventCode.GAP, EventCode.TIME_BACK, EventCode.RESET} & set(codes)
    # What the meter counted, 1 kWh a minute, and nothing more or less; no rows for the years between.
    counted = 10**9 + 10**6 * (rows[-1].start_ms + rows[-1].duration_ms - ORIGIN_MS) // 60_000
    assert abs(rows[-1].forward_total_mwh - counted) < 5_000_000
    assert len(rows) < 100
    with closing(open_read_only(file)) as connection:
        states = {state for (state,) in connection.execute("SELECT DISTINCT clock_state FROM records")}
    assert ClockState.STEPPED in states


def test_a_line_that_fails_unexpectedly_starts_again(
    site: Any, responder: Any, fast_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in the handling of one line is logged and does not end the gateway."""

    async def scenario() -> None:
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), fast_clock)
            line = running.gateway.lines[0]
            poll, failures = line._poll, iter([True])

            async def failing(meter: Any) -> None:
                if next(failures, False):
                    raise RuntimeError("unforeseen")
                await poll(meter)

            monkeypatch.setattr(line, "_poll", failing)
            async with running as gateway:
                await until(lambda: gateway.writer.next_sequence > 2)

    asyncio.run(scenario())


def test_a_first_reading_is_stored_at_once_and_an_exchange_is_not_forgotten(
    site: Any, responder: Any, fast_clock: Any
) -> None:
    """Else a crash before the first boundary would lose energy; and a held-back reading's exchange counts later."""

    async def scenario() -> None:
        responder.fault = silence
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), fast_clock)
            gateway = running.gateway
            async with running:
                now = fast_clock.now_ms() - 10_000
                gateway.reading(Reading("meter-1", now, 10**9, 0, serial_number=7))
                assert await gateway.writer.flush()
                states = await gateway.writer.call(gateway.writer.journal.states)
                assert states["meter-1"][0]
                assert states["meter-1"][1] == 7
                gateway.writer._memory_records = 0
                gateway.reading(Reading("meter-1", now + 1000, 5, 0, exchanged=True, serial_number=8))
                assert gateway.held_back == 1
                gateway.writer._memory_records = 100
                gateway.reading(Reading("meter-1", now + 2000, 6, 0))
        events = [record for record in journal_records(running.file).values() if isinstance(record, EventRecord)]
        assert EventCode.EXCHANGE in {record.code for record in events}
        assert EventCode.RESET not in {record.code for record in events}
        # Nor is the new number: with the old one, the next start would see another exchange and lose energy.
        journal = Journal.open(running.file, now_ms=0, entropy=context)
        assert journal.states()["meter-1"][1] == 8
        journal.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("register", [-1, 2**63, 10**45])
def test_an_absurd_register_is_not_used_and_does_not_trouble_the_line(
    site: Any, responder: Any, fast_clock: Any, caplog: pytest.LogCaptureFixture, register: int
) -> None:
    """A float register may hold anything; the meter's neighbours on the line must not notice."""

    async def scenario() -> None:
        responder.fault = silence
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), fast_clock)
            gateway = running.gateway
            async with running:
                now = fast_clock.now_ms() - 10_000
                gateway.reading(Reading("meter-1", now, 10**9, 0))
                gateway.reading(Reading("meter-1", now + 1000, register, 0, exchanged=True, serial_number=8))
                gateway.reading(Reading("meter-1", now + 2000, 6, 0))
        events = [record for record in journal_records(running.file).values() if isinstance(record, EventRecord)]
        assert EventCode.EXCHANGE in {record.code for record in events}

    asyncio.run(scenario())
    assert "meter-1" in {getattr(record, "about", None) for record in caplog.records}


def test_a_duty_that_fails_does_not_end_the_gateway(
    site: Any, responder: Any, fast_clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake in a report is logged; metering goes on."""

    async def scenario() -> None:
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), fast_clock)

            def fail() -> None:
                raise ValueError("unforeseen")

            monkeypatch.setattr(running.gateway.live, "publish", fail)
            async with running as gateway:
                await until(lambda: "a duty failed" in caplog.text)
                written = gateway.writer.next_sequence
                await until(lambda: gateway.writer.next_sequence > written)

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
