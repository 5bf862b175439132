"""What is still to be asked of a meter survives a restart, and a damaged note costs nothing but itself."""

from typing import Any

import pytest

from agent.config_file import load_config
from agent.freezes import Wish
from agent.notes import MeterNotes, build_notes, figures_of
from wire.records import FreezeKind

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
