"""The feed of solved slots: what is told comes back, and what can't be is refused with its name."""

from dataclasses import replace

import pytest

from wire import strict
from wire.fields import MessageError
from wire.grid_feed import MAX_NODES, GridSlot, Term
from wire.messages import Origin

TOLD = GridSlot(
    *("centre", 900_000, 900_000, 1, b"s" * 32, 1_900_000, b"d" * 32, {Term.SOURCES: 5, Term.IMBALANCE: -1}, {}),
    *(0, 3, ("a", "b"), (500_000, None), (Origin.OFFICIAL, Origin.SOLVED), (4, 1)),
)


def test_a_slot_comes_back() -> None:
    again = GridSlot.decode(TOLD.encode())
    assert again == TOLD
    assert again.origins == (Origin.OFFICIAL, Origin.SOLVED)


def test_a_reader_passes_over_what_it_does_not_know() -> None:
    content = strict.load(TOLD.encode())
    assert isinstance(content, dict)
    assert GridSlot.decode(strict.dump(content | {99: [1, "x"], 8: {1: 5, 7: -1, 40: 3}})).carbon_ug[40] == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"factors": (1,)}, "factors: expected one for each of 2 nodes, got 1"),
        ({"origins": ()}, "origins: expected one for each of 2 nodes, got 0"),
        ({"all_nodes": 1}, "expected at most 1 from number 0 on, got 2"),
        ({"digest": b"short"}, "digest"),
        ({"factors": (1, 2**32)}, "factors"),
        ({"version": 0}, "version"),
        ({"carbon_ug": dict.fromkeys(range(65), 0)}, "expected at most 64 terms, got 65"),
        ({"energy_mwh": {1: 2**63}}, "energy_mwh"),
        ({"nodes": ("a", "")}, "nodes"),
    ],
    ids=lambda item: "-".join(item) if isinstance(item, dict) else "",
)
def test_what_cannot_be_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(MessageError, match=said.replace("[", r"\[")):
        replace(TOLD, **changes).encode()


def test_so_many_nodes_travel_in_one_message() -> None:
    names = tuple(f"N{number:063}" for number in range(MAX_NODES))
    many = replace(
        TOLD,
        all_nodes=MAX_NODES,
        nodes=names,
        factors=(2**32 - 1,) * MAX_NODES,
        origins=(Origin.SOLVED,) * MAX_NODES,
        qualities=(0,) * MAX_NODES,
    )
    assert GridSlot.decode(many.encode()) == many
    content = strict.load(many.encode())
    assert isinstance(content, dict)
    with pytest.raises(MessageError, match="nodes"):
        GridSlot.decode(strict.dump(content | {12: [*names, "one more"]}))
