"""A candidate for re-verification from its flag to its end."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from estimation_support import DAY, LENGTH, Site, rows_of

from cloud_receiver import database, finding_history, findings
from cloud_receiver.estimation import suspects, verification
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.estimation.run import estimate
from cloud_receiver.estimation.verification import VerificationError

END = DAY + 3 * LENGTH
NOW = END + 3_600_000


@pytest.fixture
def said(site: Site) -> StationResult:
    """Return an estimate that flags C02."""
    site.store(rows_of(site.numbers(), 3))
    found = estimate(site.engine, site.context(), Estimation(), DAY, END).result
    assert [one.decision for one in found.chargers] == ["clear", "flag", "clear"]
    return found


def told(site: Site, found: StationResult, now_ms: int = NOW) -> tuple[int, int]:
    with database.writing(site.engine) as connection:
        return suspects.update_candidates(connection, site.context(), found, now_ms)


def decided(found: StationResult, decision: str, *, later: int = 1, since_ms: int | None = None) -> StationResult:
    """Return the estimate of a later night, in which C02 has another decision."""
    chargers = tuple(
        replace(one, decision=decision, since_ms=since_ms) if one.meter == "C02" else one for one in found.chargers
    )
    return replace(found, chargers=chargers, end_ms=found.end_ms + later * LENGTH)


def shown(site: Site) -> list[tuple[str | None, str, str, Any]]:
    with database.reading(site.engine) as connection:
        found = findings.listed(connection, "S1", closed=True)
    return [(item.meter, item.state, item.severity, item.evidence["outcome"]) for item in found]


def verified(site: Site, error: str, left: str | None = None, at_ms: int = END) -> tuple[int, str | None]:
    with database.writing(site.engine) as connection:
        context = site.context()
        item = verification.enter(
            connection,
            context.number,
            site.numbers()[1],
            at_ms=at_ms,
            error_percent=Decimal(error),
            u_percent=Decimal("0.1"),
            left_percent=None if left is None else Decimal(left),
            made_by="Li",
            document="R-17",
            now_ms=NOW,
        )
        return item.id, suspects.settle(connection, context, item, NOW)


def test_a_flag_opens_one_candidate_that_lasts(site: Site, said: StationResult) -> None:
    assert told(site, said) == (1, 0)
    assert told(site, decided(said, "flag")) == (0, 0)
    assert told(site, decided(said, "undetermined", later=2)) == (0, 0)
    with database.reading(site.engine) as connection:
        [item] = findings.listed(connection)
    assert (item.kind, item.meter, item.state, item.first_ms) == ("charger_suspect", "C02", "open", DAY)
    assert item.last_ms == END + 2 * LENGTH
    evidence: dict[str, Any] = item.evidence
    [detail] = evidence["details"]
    assert detail["decision"] == "undetermined"
    assert detail["u_percent"] > detail["u_common_percent"] > 0
    assert "±" in evidence["common_mode"]["zh"]


def test_the_checks_of_its_day_leave_it_open(site: Site, said: StationResult) -> None:
    told(site, said)
    with database.writing(site.engine) as connection:
        [item] = findings.listed(connection)
        assert findings.synchronise(connection, site.context(), item.day_ms, [], NOW) == (0, 0)
        assert len(findings.listed(connection)) == 1


def test_a_clear_estimate_closes_it_and_a_flag_opens_it_again(site: Site, said: StationResult) -> None:
    told(site, said)
    assert told(site, decided(said, "clear")) == (0, 1)
    assert shown(site) == [("C02", "closed", "warning", "cleared")]
    assert told(site, said) == (1, 0)
    assert shown(site) == [("C02", "open", "warning", None)]


def test_a_verification_within_the_limit_closes_it(site: Site, said: StationResult) -> None:
    told(site, said)
    number, outcome = verified(site, "0.4")
    assert outcome == "refuted"
    assert shown(site) == [("C02", "closed", "warning", "refuted")]
    with database.writing(site.engine) as connection:
        suspects.unsettle(connection, site.context(), number, NOW)
    assert shown(site) == [("C02", "open", "warning", None)]


def test_a_verification_beyond_the_limit_confirms_it(site: Site, said: StationResult) -> None:
    told(site, said)
    assert verified(site, "3.9")[1] == "confirmed"
    assert told(site, decided(said, "clear")) == (0, 0)
    assert shown(site) == [("C02", "open", "alarm", "confirmed")]
    assert told(site, decided(said, "clear", later=2, since_ms=END + LENGTH)) == (0, 1)
    assert shown(site) == [("C02", "closed", "alarm", "exchanged_or_adjusted")]


def test_a_flag_that_rests_on_a_verification_is_confirmed_by_it(site: Site, said: StationResult) -> None:
    """Whoever entered it before any candidate was there need not have it verified again."""
    number, outcome = verified(site, "3.9")
    assert outcome is None
    found = estimate(site.engine, site.context(), Estimation(), DAY, END).result
    assert [(one.decision, one.verified) for one in found.chargers][1] == ("flag", True)
    assert told(site, found) == (1, 0)
    assert told(site, decided(found, "flag")) == (0, 0)
    assert shown(site) == [("C02", "open", "alarm", "confirmed")]
    with database.reading(site.engine) as connection:
        [item] = findings.listed(connection)
        [opened] = finding_history.of(connection, item.id)
    evidence: dict[str, Any] = item.evidence
    assert (evidence["verification"]["id"], opened.cause["outcome"]) == (number, "confirmed")
    assert "have it adjusted or exchanged" in evidence["words"]["en"]
    with database.writing(site.engine) as connection:
        suspects.unsettle(connection, site.context(), number, NOW)
    assert shown(site) == [("C02", "open", "warning", None)]


@pytest.mark.parametrize(("error", "left"), [("0.4", None), ("3.9", "0.1")])
def test_one_that_found_it_right_or_left_it_so_confirms_nothing(
    site: Site, said: StationResult, error: str, left: str | None
) -> None:
    verified(site, error, left, at_ms=DAY)
    chargers = tuple(replace(one, verified=one.meter == "C02") for one in said.chargers)
    assert told(site, replace(said, chargers=chargers)) == (1, 0)
    assert shown(site) == [("C02", "open", "warning", None)]


def test_an_exchange_that_a_gateway_tells_of_closes_nothing_by_itself(site: Site, said: StationResult) -> None:
    told(site, said)
    since = {"since_ms": END + LENGTH}
    assert told(site, decided(said, "undetermined", later=2, **since)) == (0, 0)
    with database.reading(site.engine) as connection:
        [item] = findings.listed(connection)
    # What it is accused by stays, whatever later nights do not know.
    assert (item.evidence["details"][0]["decision"], item.evidence["flagged"]["decision"]) == ("undetermined", "flag")
    assert told(site, decided(said, "undetermined", later=3, **since)) == (0, 0)
    with database.reading(site.engine) as connection:
        [item] = findings.listed(connection)
    assert item.evidence["flagged"]["decision"] == "flag"
    assert told(site, decided(said, "clear", later=4, **since)) == (0, 1)
    assert shown(site) == [("C02", "closed", "warning", "exchanged_or_adjusted")]


def test_a_verification_from_before_settles_nothing(site: Site, said: StationResult) -> None:
    told(site, said)
    assert verified(site, "0.1", at_ms=DAY - LENGTH)[1] == "not_settled_by_an_earlier_result"
    assert shown(site) == [("C02", "open", "warning", None)]


def test_an_adjustment_closes_it(site: Site, said: StationResult) -> None:
    told(site, said)
    assert verified(site, "3.9", left="0.1")[1] == "confirmed_and_adjusted"
    assert shown(site) == [("C02", "closed", "warning", "confirmed_and_adjusted")]


def test_a_charger_that_is_gone_is_no_candidate(site: Site, said: StationResult) -> None:
    told(site, said)
    assert told(site, replace(said, chargers=said.chargers[:1])) == (0, 1)
    assert shown(site) == [("C02", "closed", "warning", "out_of_service")]


def test_a_charger_taken_out_of_service_is_no_candidate_though_its_windows_are_there(
    site: Site, said: StationResult
) -> None:
    told(site, said)
    first, second, *others = site.station.meter
    gone = second.model_copy(update={"until": datetime.fromtimestamp((END - LENGTH) / 1000, UTC)})
    site.enter(site.station.model_copy(update={"meter": (first, gone, *others)}))
    assert told(site, decided(said, "flag")) == (0, 1)
    assert shown(site) == [("C02", "closed", "warning", "out_of_service")]
    assert told(site, decided(said, "flag", later=2)) == (0, 0)


def test_a_verification_without_a_candidate_is_only_kept(site: Site) -> None:
    number, outcome = verified(site, "0.2")
    assert outcome is None
    station = site.context().number
    with database.writing(site.engine) as connection:
        verification.withdraw(connection, station, number, by="Wu", reason="wrong charger", now_ms=NOW)
        assert verification.listed(connection, station) == []
        [item] = verification.listed(connection, station, withdrawn=True)
        assert (item.error_percent, item.withdrawn_by, item.withdrawn_reason) == (Decimal("0.2"), "Wu", "wrong charger")
        with pytest.raises(VerificationError, match=f"no verification {number} in force"):
            verification.withdraw(connection, station, number, by="Wu", reason="", now_ms=NOW)


def test_a_result_is_not_entered_twice(site: Site) -> None:
    verified(site, "0.2")
    with pytest.raises(VerificationError, match="withdraw it first"):
        verified(site, "0.3")


@pytest.mark.parametrize("text", ["", "x", "nan", "1e1", "50", "-49.1", "٣", "1.1234567"])
def test_an_error_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(VerificationError, match="--error"):
        verification.error_of(text)
    assert verification.error_of("-0.35") == Decimal("-0.35")


@pytest.mark.parametrize("text", ["0", "-0.1", "11"])
def test_an_uncertainty_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(VerificationError, match="--u"):
        verification.u_of(text)


def test_each_turn_of_a_candidate_is_kept(site: Site, said: StationResult) -> None:
    told(site, said)
    told(site, decided(said, "clear"), NOW + 1)
    with database.reading(site.engine) as connection:
        (item,) = findings.listed(connection, "S1", closed=True)
        changes = finding_history.of(connection, item.id)
    assert [(change.change, change.changed_ms, change.state, change.cause) for change in changes] == [
        ("opened", NOW, None, {"estimate": True}),
        ("closed", NOW + 1, "open", {"outcome": "cleared"}),
    ]


def test_what_a_verification_settles_and_its_withdrawal_are_kept(site: Site, said: StationResult) -> None:
    told(site, said)
    number, _ = verified(site, "0.1")
    with database.writing(site.engine) as connection:
        suspects.unsettle(connection, site.context(), number, NOW + 9)
        (item,) = findings.listed(connection, "S1", closed=True)
        changes = finding_history.of(connection, item.id)
    assert [(change.change, change.cause) for change in changes[1:]] == [
        ("closed", {"outcome": "refuted"}),
        ("reopened", {"verification_withdrawn": number}),
    ]
