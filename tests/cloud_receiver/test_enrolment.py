"""Keys of gateways: their end, at once or settled, and the overlap of a rotation."""

import hashlib
import json
from pathlib import Path

import cbor2
import pytest
from intake_support import Bench, Message, batch
from key_support import BOTH_ALGORITHMS, needs_sm2, new_key
from receiver_support import DAY_MS, FakeGateway, enrol, interval, stored_sequences
from sqlalchemy import Engine, insert, select, update

from cloud_receiver import database, enrolment
from cloud_receiver.cli import main
from cloud_receiver.enrolment import EnrolmentError
from cloud_receiver.refusal import Reason
from cloud_receiver.schema import gateway as gateway_table
from cloud_receiver.schema import gateway_key, quarantine
from wire import sm2_library
from wire.keys import generate, key_id
from wire.proof.form import unverified_payload

pytestmark = BOTH_ALGORITHMS

HOUR_MS = 3_600_000
DAY = 24 * HOUR_MS


def kid(gateway: FakeGateway) -> bytes:
    return key_id(gateway.key.public_key())


def successor(engine: Engine, now_ms: int, overlap_ms: int, name: str = "gw1") -> tuple[FakeGateway, dict[bytes, int]]:
    """Rotate the gateway's key and return the gateway with the next one, and the ends of the former ones."""
    key = new_key()
    with database.writing(engine) as connection:
        new, ends = enrolment.rotate(connection, name, key.public_key(), now_ms, overlap_ms)
    assert new == key_id(key.public_key())
    return FakeGateway(name, key), ends


def pass_time(bench: Bench, duration_ms: int) -> None:
    bench.clock.wall_ms += duration_ms
    bench.clock.elapsed_ms += duration_ms


def test_both_keys_are_believed_during_the_overlap_and_the_next_one_after_it(
    engine: Engine, gateway: FakeGateway
) -> None:
    bench = Bench(engine)
    bench.take(batch(gateway, 1, 1))
    late, ends = successor(engine, DAY_MS, DAY)
    assert ends == {kid(gateway): DAY_MS + DAY}
    pass_time(bench, DAY - 1)
    bench.take(batch(gateway, 2, 1), batch(late, 3, 1))
    assert bench.rows(quarantine) == []
    pass_time(bench, 6_000)  # the key ring is read every five seconds
    bench.take(batch(gateway, 4, 1), batch(late, 5, 1))
    assert [row.reason for row in bench.rows(quarantine)] == [Reason.REVOKED_KEY]
    assert stored_sequences(engine) == [1, 2, 3, 5]


def test_the_journal_goes_on_under_the_next_key(engine: Engine, gateway: FakeGateway) -> None:
    """What was sent under the former key and comes again under the next one is the same record."""
    bench = Bench(engine)
    bench.take(batch(gateway, 1, 3))
    late, _ = successor(engine, DAY_MS, 0)
    pass_time(bench, 1_000)  # the key ring is read again for an unknown key, once a second at most
    bench.take(batch(late, 2, 4))
    assert stored_sequences(engine) == [1, 2, 3, 4, 5]
    assert bench.acknowledgements()[-1].up_to == 5
    assert bench.rows(quarantine) == []


@needs_sm2
def test_a_rotation_goes_from_one_algorithm_to_the_other(engine: Engine, gateway: FakeGateway, algorithm: str) -> None:
    bench = Bench(engine)
    key = generate("ed25519" if algorithm == "sm2" else "sm2")
    with database.writing(engine) as connection:
        enrolment.rotate(connection, "gw1", key.public_key(), DAY_MS, DAY)
    bench.take(batch(gateway, 1, 1), batch(FakeGateway("gw1", key), 2, 1))
    assert stored_sequences(engine) == [1, 2]
    assert bench.rows(quarantine) == []


def test_a_rotation_does_not_put_off_an_end_that_was_settled(engine: Engine, gateway: FakeGateway) -> None:
    second, _ = successor(engine, DAY_MS, HOUR_MS)
    _, ends = successor(engine, DAY_MS + 1, DAY)
    assert ends == {kid(gateway): DAY_MS + HOUR_MS, kid(second): DAY_MS + 1 + DAY}


def test_what_can_not_be_rotated_is_named_and_nothing_changes(engine: Engine, gateway: FakeGateway) -> None:
    with pytest.raises(EnrolmentError, match="gateway gw9 is not enrolled"):
        successor(engine, DAY_MS, DAY, "gw9")
    other = enrol(engine, "gw2")
    with (
        pytest.raises(EnrolmentError, match="already enrolled for gateway gw2"),
        database.writing(engine) as connection,
    ):
        enrolment.rotate(connection, "gw1", other.key.public_key(), DAY_MS, DAY)
    with database.writing(engine) as connection:
        assert {item.revoked_ms for item in enrolment.keys(connection)} == {None}
        enrolment.revoke(connection, "gw1", None, DAY_MS)
    with pytest.raises(EnrolmentError, match="gateway gw1 has no valid key to rotate"):
        successor(engine, DAY_MS, DAY)


def test_a_key_is_believed_until_the_time_it_is_revoked_for(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    with database.writing(engine) as connection:
        assert enrolment.revoke(connection, "gw1", None, DAY_MS + HOUR_MS) == [kid(gateway)]
    bench.take(batch(gateway, 1, 2))
    pass_time(bench, HOUR_MS)
    bench.take(batch(gateway, 3, 1))
    assert stored_sequences(engine) == [1, 2]
    assert [row.reason for row in bench.rows(quarantine)] == [Reason.REVOKED_KEY]


def test_a_revocation_can_be_brought_forward_and_not_put_off(engine: Engine, gateway: FakeGateway) -> None:
    with database.writing(engine) as connection:
        enrolment.revoke(connection, "gw1", None, DAY_MS + HOUR_MS)
        enrolment.revoke(connection, "gw1", None, DAY_MS)
        with pytest.raises(EnrolmentError, match="no valid key"):
            enrolment.revoke(connection, "gw1", None, DAY_MS + HOUR_MS)
        assert [item.revoked_ms for item in enrolment.keys(connection)] == [DAY_MS]


def test_what_is_stored_under_a_key_that_this_receiver_can_not_use_is_compared_all_the_same(
    engine: Engine, gateway: FakeGateway
) -> None:
    """As under SM2 where another receiver of the store has its library and this one has not."""
    Bench(engine).take(batch(gateway, 1, 2))
    late, _ = successor(engine, DAY_MS, DAY)
    with database.writing(engine) as connection:
        connection.execute(update(gateway_key).where(gateway_key.c.kid == kid(gateway)).values(public_key=b"?"))
    bench = Bench(engine)
    other = Message(late.topic, late.envelope(2, [interval(7)]))
    bench.take(batch(late, 2, 2), other)
    assert [row.reason for row in bench.rows(quarantine)] == [Reason.CONFLICT]
    assert stored_sequences(engine) == [1, 2, 3]


def test_a_key_of_an_earlier_release_for_which_anybody_could_sign_is_left_out(
    engine: Engine, gateway: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    enrolment._tell_unusable.cache_clear()
    neutral = b"\x01" + bytes(31)
    kid = hashlib.sha256(neutral).digest()[:8]
    enrol(engine, "gw2")
    with database.writing(engine) as connection:
        number = connection.execute(select(gateway_table.c.id).where(gateway_table.c.name == "gw2")).scalar_one()
        connection.execute(insert(gateway_key).values(kid=kid, gateway=number, public_key=neutral, added_ms=0))
    # R the neutral point, s = 0: no private key has any part in it.
    payload = unverified_payload(batch(FakeGateway("gw2", new_key()), 1, 8).payload)
    header = b"\xa2\x01\x27\x04\x48" + kid
    parts = (cbor2.dumps(header), b"\xa0", cbor2.dumps(payload), cbor2.dumps(neutral + bytes(32)))
    forged = Message("diantan/1/up/gw2/records", b"\xd2\x84" + b"".join(parts))
    bench = Bench(engine)
    bench.take(batch(gateway, 1, 2), forged)
    assert [row.reason for row in bench.rows(quarantine)] == [Reason.UNKNOWN_KEY.value]
    assert stored_sequences(engine) == [1, 2]
    assert "gateway gw2: key" in caplog.text


def test_what_came_after_a_revocation_in_the_past_is_told(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(batch(gateway, 1, 2))
    pass_time(bench, HOUR_MS)
    bench.take(batch(gateway, 3, 2))
    pass_time(bench, HOUR_MS)
    bench.take(batch(gateway, 5, 2))
    with database.writing(engine) as connection:
        kids = enrolment.revoke(connection, "gw1", None, DAY_MS + 1)
        assert enrolment.doubtful(connection, kids, DAY_MS + 1) == enrolment.Doubtful(
            2, DAY_MS + HOUR_MS, DAY_MS + 2 * HOUR_MS
        )
        assert enrolment.doubtful(connection, kids, DAY_MS + 3 * HOUR_MS) is None
    # Nothing that was taken in is lost.
    assert stored_sequences(engine) == [1, 2, 3, 4, 5, 6]


def test_a_receiver_without_the_library_refuses_and_says_so(
    engine: Engine,
    gateway: FakeGateway,
    algorithm: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Another receiver enrolled the key. Gateways of the other algorithm are served; what is refused stays there."""
    bench, first, second = Bench(engine), batch(gateway, 1, 2), batch(gateway, 3, 1)
    believed = kid(gateway).hex()
    monkeypatch.setattr(sm2_library, "_found", lambda: "SM2 needs the extra `sm2`: pip install diantan[sm2]")
    enrolment._tell_unusable.cache_clear()
    bench.take(first)
    pass_time(bench, 6_000)  # the key ring is read again
    bench.take(second)
    told = [record.getMessage() for record in caplog.records if "can't be used" in record.getMessage()]
    if algorithm == "sm2":
        assert stored_sequences(engine) == []
        assert {row.reason for row in bench.rows(quarantine)} == {Reason.WRONG_ALGORITHM}
        (line,) = told
        assert f"gateway gw1: key {believed}" in line
        assert line.endswith("pip install diantan[sm2]")
    else:
        assert stored_sequences(engine) == [1, 2, 3]
        assert told == []


REGISTRY = """
[[station]]
id = "S1"
node = "node1"
[[station.meter]]
id = "C01"
role = "charger"
gateway = "gw1"
rated_kw = 60
"""
CLOCK = ["--clock", f"simulated:{DAY_MS}:1:99999999999999"]


@pytest.fixture
def config(tmp_path: Path, algorithm: str) -> str:
    (tmp_path / "registry.toml").write_text(REGISTRY)
    path = tmp_path / "receiver.toml"
    path.write_text('[centre]\nkey_file = "centre.key"\n')
    for name in ("one", "two"):
        assert main(["key", "new", "--algorithm", algorithm, str(tmp_path / f"{name}.key")]) == 0
    assert (
        main(["gateway", "add", "-c", str(path), "gw1", str(tmp_path / "one.key.pub"), "--station", "S1", *CLOCK]) == 0
    )
    return str(path)


def test_the_command_rotates_and_the_list_shows_until_when(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    new = str(tmp_path / "two.key.pub")
    assert main(["gateway", "rotate", "-c", config, "gw1", new, "--overlap-hours", "24", *CLOCK]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith(" enrolled")
    assert second.endswith(" valid until 2026-07-01T16:00:00+00:00")
    assert main(["gateway", "list", "-c", config, *CLOCK]) == 0
    shown = capsys.readouterr().out
    assert "added 2026-06-30T16:00:00+00:00  valid until 2026-07-01T16:00:00+00:00\n" in shown
    assert "added 2026-06-30T16:00:00+00:00  valid\n" in shown
    assert main(["gateway", "rotate", "-c", config, "gw1", new, *CLOCK]) == 1
    assert "is already enrolled for gateway gw1" in capsys.readouterr().err


def test_the_command_revokes_from_a_time_on(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gateway", "revoke", "-c", config, "gw1", "--at", "2026-07-02T00:00:00+08:00", *CLOCK]) == 0
    assert capsys.readouterr().out.endswith(" from 2026-07-01T16:00:00+00:00 on\n")
    assert main(["gateway", "list", "-c", config, "--json", *CLOCK]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["revoked"] == "2026-07-01T16:00:00+00:00"


@pytest.mark.parametrize("text", ["tomorrow", "2026-07-02T00:00:00", "0001-01-01T00:00:00Z", ""])
def test_a_time_that_is_none_is_named(text: str, config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gateway", "revoke", "-c", config, "gw1", f"--at={text}", *CLOCK]) == 1
    assert f"--at {text!r}: expected a time with its zone" in capsys.readouterr().err


@pytest.mark.parametrize("hours", ["-1", "9000", "x"])
def test_an_overlap_that_is_none_is_wrong_usage(hours: str, config: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["gateway", "rotate", "-c", config, "gw1", "two.key.pub", f"--overlap-hours={hours}"])
    assert caught.value.code == 2
    assert "number of hours" in capsys.readouterr().err
