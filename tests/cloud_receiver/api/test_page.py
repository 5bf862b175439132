"""The page: every name is text in it."""

from analysis_support import grids, kept, powers, small

from cloud_receiver.api.page import page
from cloud_receiver.grid.show_slot import StoredSlot
from wire.messages import Origin

HOSTILE = "<img src=x onerror=alert(1)>"


def test_names_are_text() -> None:
    network = small(node=[["P1", "plant", HOSTILE], ["S1", "substation", "a & b"], ["U1", "load", "'\""]])
    slot = kept(network.grid, powers(network))
    stored = StoredSlot(slot, grids(network.grid)[1], ())
    text = page(stored, None, "<centre>")
    assert HOSTILE not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "a &amp; b" in text
    assert "<centre>" not in text


def test_what_is_not_solved_is_said() -> None:
    network = small(gen=[["G1", "P1", 70.0, None, None], ["G2", "P1", 30.0, 0.4, None], ["PV", "U1", 15.0, 0.0, None]])
    slot = kept(network.grid, powers(network), stand_in=(570_300, Origin.OFFICIAL))
    text = page(StoredSlot(slot, grids(network.grid)[1], ()), None, "centre")
    assert text.count("官方因子 official") == 3
    assert text.count("0.570300") == 3
    assert "来源不明 origin unknown" in text
