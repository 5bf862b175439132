"""What is still to be asked of a meter survives a restart, and a damaged note costs nothing but itself."""

from typing import Any

import pytest

from agent.config_file import load_config
from agent.freezes import Wish
from agent.notes import MeterNotes, build_notes, figures_of, row_of
from agent.reading import Reading
from wire.records import EventCode, EventRecord, FreezeKind
from wire.row import from_body

MIDNIGHT = 1_767_196_800_000


def notes_of(site: Any, stored: dict[str, bytes], extra: str = "") -> dict[str, MeterNotes]:
    """Return the notes of a gateway with one meter."""
    loaded = load_config(site.configure(broker_port=1, meter_ports=[1], extra=extra, polls_only=False))
    return build_notes(
        loaded.config, loaded.profiles, stored, lambda: MIDNIGHT, trusted=lambda: True, tell=lambda *_: None
    )


def test_wishes_and_the_state_of_the_clock_go_on_after_a_restart(site: Any) -> None:
    """To the last field."""
    notes = notes_of(site, {})["meter-1"]
    assert notes.freezes is not None
    assert notes.clock is not None
    wishes = [
        Wish(MIDNIGHT, FreezeKind.MONTHLY, 3, (4, 5), (6, 7), None, checkable=False),
        Wish(MIDNIGHT, FreezeKind.DAILY, 2**60, (4, -5), None, (8, 9)),
    ]
    notes.freezes.wishes = list(wishes)
    notes.freezes.failing = {FreezeKind.MONTHLY}
    notes.clock.off = True
    again = notes_of(site, {"meter-1": notes.encoded()})["meter-1"]
    assert again.freezes is not None
    assert again.clock is not None
    assert again.freezes.wishes == wishes
    assert again.freezes.failing == {FreezeKind.MONTHLY}
    assert again.clock.off
    assert figures_of([again])["freezes_awaited"] == 2
    assert figures_of([again])["meter_clocks_off"] == 1


@pytest.mark.parametrize(
    "stored", [b"", b"junk", b"\xff", b"[]", b'{"freezes": [{}], "clock_off": 0}', b'{"freezes": 1}']
)
def test_notes_that_cannot_be_used_are_dropped_with_a_word(
    site: Any, stored: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """No energy depends on them."""
    notes = notes_of(site, {"meter-1": stored})["meter-1"]
    assert notes.freezes is not None
    assert notes.freezes.wishes == []
    assert "notes in the journal can't be used" in caplog.text


def test_both_can_be_switched_off(site: Any) -> None:
    """Then nothing is asked beside the polls."""
    notes = notes_of(site, {}, "[freezes]\nread = false\n[meter_clocks]\ncheck_minutes = 0")["meter-1"]
    assert notes.freezes is None
    assert notes.clock is None
    assert notes.errand() is None


CHARGER = 'profile = "sim-charger"'


@pytest.mark.parametrize(
    ("change", "extra", "read"),
    [
        (CHARGER, "", True),
        (CHARGER, "[orders]\ncheck_seconds = 0", False),
        (f'{CHARGER}\nrole = "grid"', "", False),  # it sells nothing
        ('profile = "sim-carbon-meter"', "", False),  # it has no log
    ],
)
def test_orders_are_read_of_chargers_that_log_them(site: Any, change: str, extra: str, read: bool) -> None:
    """Unless that is switched off."""
    path = site.configure(broker_port=1, meter_ports=[1], extra=extra)
    text = path.read_text()
    assert 'profile = "sim-carbon-meter"' in text
    path.write_text(text.replace('profile = "sim-carbon-meter"', change))
    loaded = load_config(path)
    stored: dict[str, bytes] = {}
    (notes,) = build_notes(
        loaded.config, loaded.profiles, stored, lambda: MIDNIGHT, trusted=lambda: True, tell=lambda *_: None
    ).values()
    assert (notes.orders is not None) == read


@pytest.mark.parametrize(("key", "connector"), [("", None), ('connector = "B"', "B")])
def test_a_meter_of_one_connector_is_told_which(site: Any, key: str, connector: str | None) -> None:
    """Of a charger whose log is one for several."""
    path = site.configure(broker_port=1, meter_ports=[1])
    path.write_text(path.read_text().replace('profile = "sim-carbon-meter"', f"{CHARGER}\n{key}"))
    loaded = load_config(path)
    (notes,) = build_notes(
        loaded.config, loaded.profiles, {}, lambda: MIDNIGHT, trusted=lambda: True, tell=lambda *_: None
    ).values()
    assert notes.orders is not None
    assert notes.orders._connector == connector


def test_how_far_orders_are_read_goes_on_after_a_restart_and_ends_with_an_exchange(site: Any) -> None:
    """And the notes of a gateway that knew no orders are of use."""
    path = site.configure(broker_port=1, meter_ports=[1])
    path.write_text(path.read_text().replace('profile = "sim-carbon-meter"', CHARGER))
    loaded = load_config(path)

    def notes(stored: bytes) -> MeterNotes:
        (found,) = build_notes(
            loaded.config,
            loaded.profiles,
            {"meter-1": stored},
            lambda: MIDNIGHT,
            trusted=lambda: True,
            tell=lambda *_: None,
        ).values()
        return found

    first = notes(b'{"freezes": [], "clock_off": false}')
    assert first.orders is not None
    assert first.orders.seen is None
    first.orders.restore({"seen": 7, "digests": ["ab", "cd"]})
    again = notes(first.encoded())
    assert again.orders is not None
    assert again.orders.stored() == {"seen": 7, "digests": ["ab", "cd"]}
    assert not again.take(Reading("meter-1", MIDNIGHT, 0, 0), [])
    assert again.take(Reading("meter-1", MIDNIGHT, 0, 0), [EventRecord("meter-1", MIDNIGHT, EventCode.EXCHANGE)])
    assert again.orders.seen is None


def test_an_order_is_kept_as_long_as_other_records_whatever_its_charger_says_of_the_time() -> None:
    """The journal forgets by age, and a charger's clock may stand anywhere."""
    order = EventRecord("m", 5, EventCode.CHARGE_ORDER, {19: "1", 20: 5, 21: 5, 22: 0})
    assert row_of(order, MIDNIGHT).start_ms == MIDNIGHT
    assert from_body(row_of(order, MIDNIGHT).body) == order
    assert row_of(EventRecord("m", 5, EventCode.FREEZE_MISSING), MIDNIGHT).start_ms == 5
