"""Proofs of imported readings, also of what was filled in, corrected and settled, by the centre's public key alone."""

import asyncio

from metered_support import FIRST_MS, HOUR_MS, NOW_MS, dispatch, hours, run
from sqlalchemy import update

from cloud_receiver import database, prove, schema
from cloud_receiver.metered_import import settle as settling
from cloud_receiver.metered_import.wish import Surroundings
from wire.envelope import Signer
from wire.proof.trust import Keys
from wire.proof.verdict import Verdict
from wire.proof.verify import verify


def proved(around: Surroundings, first_hour: int, hours: int) -> Verdict:
    with database.reading(around.engine) as connection:
        source = prove.find_meter(connection, around.registry, "U", None)
        first_ms = FIRST_MS + first_hour * HOUR_MS
        data = prove.make(
            *(connection, source, Signer(around.key)),
            from_ms=first_ms,
            to_ms=first_ms + hours * HOUR_MS,
            now_ms=NOW_MS + 10,
        )
    return verify(data, Keys(centre=[around.key.public_key()]))


def faults(verdict: Verdict) -> list[str]:
    return [f"{check.name}: {check.outcome.value}: {check.text} {check.details}" for check in verdict.checks]


def test_what_was_imported_with_its_factors(around: Surroundings) -> None:
    dispatch(around, FIRST_MS, *[500_000] * 6, *[600_000] * 6)
    run(around, hours("1", "2.000001", "3"))
    verdict = proved(around, 0, 3)
    assert verdict.proved, faults(verdict)
    assert sum(item.carbon_forward_ug for item in verdict.intervals) == 500_000_000 + 1_100_000_600 + 1_800_000_000


def test_what_was_filled_in_corrected_and_settled(around: Surroundings) -> None:
    run(around, hours("1", "", "3", "4"))
    run(around, hours("1", "2", "3", "4"))
    run(around, hours("1", "2", "9", "4"), correct=True)
    dispatch(around, FIRST_MS, *[500_000] * 16)
    (meter,) = settling.meters(around, None, None, None)
    assert asyncio.run(settling.settle(*meter, around, lambda _: None)).adjusted == 5
    verdict = proved(around, 0, 4)
    assert verdict.proved, faults(verdict)
    assert sorted(item.forward_mwh // 1_000_000 for item in verdict.intervals) == [1, 2, 3, 4, 9]


def test_a_reading_that_somebody_altered_in_the_store_is_not_in_the_proof(around: Surroundings) -> None:
    run(around, hours("1", "2"))
    with database.writing(around.engine) as connection:
        connection.execute(update(schema.interval).values(forward_mwh=7))
    verdict = proved(around, 0, 2)
    assert verdict.proved, faults(verdict)
    assert [item.forward_mwh for item in verdict.intervals] == [1_000_000, 2_000_000]


def test_a_message_in_its_place_that_the_gateways_key_did_not_sign_proves_nothing(around: Surroundings) -> None:
    run(around, hours("1", "2"))
    with database.writing(around.engine) as connection:
        (message,) = connection.execute(schema.message.select()).all()
        forged = Signer(around.key).sign(b"", message.topic)
        connection.execute(update(schema.message).values(envelope=forged))
    with database.reading(around.engine) as connection:
        source = prove.find_meter(connection, around.registry, "U", None)
        data = prove.make(
            *(connection, source, Signer(around.key)), from_ms=FIRST_MS, to_ms=FIRST_MS + HOUR_MS, now_ms=NOW_MS
        )
    assert not verify(data, Keys(centre=[around.key.public_key()])).proved
