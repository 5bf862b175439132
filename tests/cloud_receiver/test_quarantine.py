"""The quarantine: bounded, counted, and shown; and what only shows against what came before."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from intake_support import FAST, Bench, Message, batch
from receiver_support import FakeGateway, enrol, interval, stored_sequences, until
from sqlalchemy import Engine, event

from cloud_receiver import commit
from cloud_receiver.cli import main
from cloud_receiver.quarantine import KEPT_BYTES
from cloud_receiver.schema import gateway_status, quarantine, quarantine_dropped, verification
from wire import topics
from wire.envelope import Signer
from wire.messages import Status, StatusState
from wire.records import ClockState


def junk(gateway: FakeGateway, number: int, size: int = 4) -> Message:
    return Message(gateway.topic, number.to_bytes(4, "big") + bytes(size - 4))


def results(bench: Bench) -> dict[tuple[str, str], int]:
    return {(row.gateway, row.result): row.messages for row in bench.rows(verification)}


def test_the_oldest_rows_make_room_and_are_counted(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine, FAST.model_copy(update={"quarantine_rows": 5}))
    for number in range(8):
        bench.take(junk(gateway, number))
    assert [bytes(row.envelope)[3] for row in bench.rows(quarantine)] == [3, 4, 5, 6, 7]
    (dropped,) = bench.rows(quarantine_dropped)
    assert (dropped.reason, dropped.entries, dropped.messages) == ("malformed", 3, 3)


def test_bytes_are_bounded_too(engine: Engine, gateway: FakeGateway) -> None:
    limit = 3 * KEPT_BYTES
    bench = Bench(engine, FAST.model_copy(update={"quarantine_bytes": limit}))
    for number in range(6):
        bench.take(junk(gateway, number, 200_000))
    for number in range(6, 10):
        bench.take(junk(gateway, number))
    rows = bench.rows(quarantine)
    assert sum(len(row.envelope) for row in rows) <= limit
    assert [bytes(row.envelope)[3] for row in rows] == [4, 5, 6, 7, 8, 9]
    assert sum(row.entries for row in bench.rows(quarantine_dropped)) == 4
    assert rows[0].size == 200_000


def test_the_rate_limit_of_one_gateway_hides_no_other(engine: Engine, gateway: FakeGateway) -> None:
    other = enrol(engine, "gw2")
    bench = Bench(engine, FAST.model_copy(update={"quarantine_per_minute": 2}))
    # Names that nobody enrolled share one limit: anybody can invent them.
    strangers = [Message(topics.records(f"nobody-{number}"), b"x") for number in range(5)]
    bench.take(*(junk(gateway, number) for number in range(5)), *strangers, junk(other, 9))
    assert sorted(row.gateway or "-" for row in bench.rows(quarantine)) == ["-", "-", "gw1", "gw1", "gw2"]
    assert results(bench) == {("", "malformed"): 5, ("gw1", "malformed"): 5, ("gw2", "malformed"): 1}


def test_the_verification_of_every_message_is_counted(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(batch(gateway, 1, 3), batch(gateway, 1, 3), batch(gateway, 4, 1), junk(gateway, 1))
    other = Message(gateway.topic, gateway.envelope(4, [interval(9)]))
    bench.take(other)
    # A conflict is signed well and counted as what it is.
    assert results(bench) == {("gw1", "conflict"): 1, ("gw1", "malformed"): 1, ("gw1", "verified"): 3}
    (row,) = [row for row in bench.rows(quarantine) if row.reason == "conflict"]
    assert (row.gateway, bytes(row.envelope)) == ("gw1", other.payload)


def test_a_flood_costs_no_transaction_beyond_one_a_second(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine, FAST.model_copy(update={"quarantine_per_minute": 1}))
    bench.take(junk(gateway, 1))
    writes: list[str] = []

    def note(_conn: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if sql.startswith(("INSERT", "UPDATE")):
            writes.append(sql)

    event.listen(engine, "before_cursor_execute", note)
    for number in range(2, 50):
        bench.intake._attempt([junk(gateway, number)])
    assert writes == []
    bench.clock.wall_ms += 1000
    bench.intake._attempt([junk(gateway, 50)])
    event.remove(engine, "before_cursor_execute", note)
    assert len(writes) == 1
    assert results(bench) == {("gw1", "malformed"): 50}
    assert bench.intake.counters.refused == {"malformed": 50}


def test_what_is_counted_in_memory_is_written_at_the_end(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine, FAST.model_copy(update={"quarantine_per_minute": 1, "commit_batches": 1}))
    bench.take(*(junk(gateway, number) for number in range(20)))
    assert results(bench) == {("gw1", "malformed"): 20}


def test_what_is_counted_in_memory_is_written_when_nothing_comes(
    engine: Engine, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud_receiver.intake.TALLY_MS", 1)
    bench = Bench(engine, FAST.model_copy(update={"quarantine_per_minute": 1, "commit_batches": 1}))

    async def run() -> None:
        task = asyncio.create_task(bench.intake.run())
        for number in range(20):
            bench.intake.receive(junk(gateway, number))
        await until(lambda: results(bench) == {("gw1", "malformed"): 20})
        bench.intake.stop()
        await task

    asyncio.run(run())


def test_a_message_that_comes_again_later_than_a_broker_would_send_it_was_replayed(
    engine: Engine, gateway: FakeGateway
) -> None:
    bench = Bench(engine)
    message = batch(gateway, 1, 3)
    bench.take(message)
    bench.clock.wall_ms += 90_000_000
    bench.take(message)
    assert bench.rows(quarantine) == []
    bench.clock.wall_ms += 1
    bench.take(message)
    (row,) = bench.rows(quarantine)
    assert (row.reason, row.detail) == ("replayed", "the same message was stored 90000 s before")
    # The gateway itself signs anew what it sends again, however late.
    bench.take(Message(gateway.topic, gateway.envelope(1, [interval(0), interval(1)])))
    assert len(bench.rows(quarantine)) == 1
    assert stored_sequences(engine) == [1, 2, 3]


def status(gateway: FakeGateway, context: bytes, state: StatusState, sequence: int = 5) -> Message:
    topic = topics.status(gateway.name)
    content = Status(gateway.name, state, 1, context, sequence, 0, ClockState.SYNCHRONISED)
    return Message(topic, Signer(gateway.key).sign(content.encode(), topic))


def test_a_status_of_a_journal_that_was_given_up_is_replayed(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    old = status(gateway, b"journal1", StatusState.HEALTH)
    will = status(gateway, b"journal1", StatusState.OFFLINE)
    bench.take(batch(gateway, 1, 1), old)
    bench.take(
        Message(gateway.topic, gateway.envelope(1, [interval(3)], context=b"journal2")),
        status(gateway, b"journal2", StatusState.BIRTH),
    )
    bench.take(old, will)
    (row,) = bench.rows(gateway_status)
    assert (bytes(row.context), row.state) == (b"journal2", StatusState.BIRTH)
    # A will of before is late and not forged.
    assert [(row.reason, bytes(row.envelope)) for row in bench.rows(quarantine)] == [("replayed", old.payload)]


def test_a_journal_can_not_be_received_in_any_number_of_pieces(
    engine: Engine, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "MAX_RANGES", 3)
    bench = Bench(engine)
    bench.take(*(batch(gateway, first, 1) for first in (1, 3, 5, 7)))
    assert stored_sequences(engine) == [1, 3, 5]
    assert [row.reason for row in bench.rows(quarantine)] == ["fragmented"]
    # What continues a piece or closes a gap is taken, and then there is room again.
    bench.take(batch(gateway, 2, 1), batch(gateway, 6, 1), batch(gateway, 8, 1))
    assert stored_sequences(engine) == [1, 2, 3, 5, 6, 8]
    assert bench.acknowledgements()[-1].missing == ((4, 4), (7, 7))


def test_few_records_are_decoded_at_the_same_time(
    engine: Engine, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud_receiver.portion.PORTION_RECORDS", 10)
    bench = Bench(engine)
    messages = [batch(gateway, first, 4) for first in range(1, 41, 4)]
    bench.take(*messages)
    assert stored_sequences(engine) == list(range(1, 41))
    assert bench.intake.counters.transactions == 5  # four of three batches and of one, and the last counts
    assert all(item.acked == ["ack"] for item in messages)
    assert bench.acknowledgements()[-1].up_to == 40


@pytest.fixture
def config(tmp_path: Path, engine: Engine, gateway: FakeGateway) -> str:
    (tmp_path / "receiver.toml").write_text(
        '[centre]\nkey_file = "centre.key"\ndatabase = "sqlite:///store.sqlite"\n[intake]\nquarantine_rows = 3\n'
    )
    bench = Bench(engine, FAST.model_copy(update={"quarantine_rows": 3}))
    bench.take(batch(gateway, 1, 1), *(junk(gateway, number) for number in range(2)))
    bench.take(Message("diantan/1/up/x\x1b[2J/records", bytes(range(256)) * 4), Message(topics.records("gw9"), b"\xd2"))
    return str(tmp_path / "receiver.toml")


def test_the_quarantine_is_listed(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quarantine", "ls", "--config", config]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["4", "3", "2"]
    assert "malformed  -  1 bytes  x1  diantan/1/up/gw9/records" in lines[0]
    assert "\\x1b[2J" in lines[1]
    assert not any("\x1b" in line for line in lines)
    assert [line.split("  ")[:3] for line in lines[3:]] == [
        ["(no enrolled gateway)", "malformed", "1 messages"],
        ["(no enrolled gateway)", "topic", "1 messages"],
        ["gw1", "malformed", "2 messages"],
        ["gw1", "verified", "1 messages"],
        ["dropped to make room", "malformed", "1 entries of 1 messages"],
    ]


def test_the_list_is_narrowed(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quarantine", "ls", "--config", config, "--gateway", "gw1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [item["id"] for item in found["entries"]] == [2]
    assert {(item["gateway"], item["result"]) for item in found["verification"]} == {
        ("gw1", "malformed"),
        ("gw1", "verified"),
    }
    assert main(["quarantine", "ls", "--config", config, "--reason", "topic", "--limit", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [item["reason"] for item in found["entries"]] == ["topic"]
    assert main(["quarantine", "ls", "--config", config, "--counts"]) == 0
    assert "bytes" not in capsys.readouterr().out


def test_an_entry_is_shown(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "message"
    assert main(["quarantine", "show", "--config", config, "3", "--output", str(out)]) == 0
    text = capsys.readouterr().out
    assert out.read_bytes() == bytes(range(256)) * 4
    assert "reason    topic" in text
    assert "00000040  40 41 42 43" in text
    assert "512 bytes more" in text
    assert "\x1b" not in text
    assert main(["quarantine", "show", "--config", config, "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["gateway"], found["envelope"], found["messages"]) == ("gw1", "00000001", 1)


def test_an_entry_that_is_not_there(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quarantine", "show", "--config", config, "1"]) == 1
    assert "no entry 1: it never had, or" in capsys.readouterr().err
