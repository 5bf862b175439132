"""Whatever comes as an order is taken, or refused with a typed error."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from window_support import context

from cloud_receiver.delimited.zone import zone_of
from cloud_receiver.exact_json import parse_json
from cloud_receiver.mistakes import InputError, Problems
from cloud_receiver.sales import csv_file
from cloud_receiver.sales.chargers import Chargers
from cloud_receiver.sales.csv_file import Form
from cloud_receiver.sales.from_gateway import MalformedError, parse
from cloud_receiver.sales.order import beyond
from cloud_receiver.sales.record import NAMES, Reading, order_cells
from cloud_receiver.sales.times import Times

HEAD = "number,charger,start,end,energy_kwh,amount,periods\n"
CELLS = st.sampled_from(
    [
        *(
            "a",
            "C01",
            "2026-07-01 10:00",
            "2026-07-01T11:00:00Z",
            "9999-12-31 23:59",
            "0001-01-01 00:00",
            "1e400",
            "NaN",
        ),
        *("-1", "1.5", "9" * 30, '"[]"', '"[{""start"":1}]"', "\x00", "\ud7ff", "'=1+1", "", ",", "\n", '"', "٣"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(NAMES)), inner, max_size=4),
    max_leaves=12,
)


def reading() -> Reading:
    return Reading(Chargers(context()), Times(zone_of("Europe/Oslo")), Problems())


@given(st.lists(st.lists(CELLS, max_size=8), max_size=6), st.binary(max_size=20))
def test_files(rows: list[list[str]], noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "orders.csv"
        path.write_bytes((HEAD + "\n".join(",".join(row) for row in rows)).encode() + noise)
        at = reading()
        try:
            found = csv_file.read(path, at, Form())
        except InputError:
            return
        assert all(beyond(item.order) is None for item in found.told)
        assert bool(found.wrong) == bool(at.problems)


@given(st.dictionaries(st.sampled_from(list(NAMES)), VALUES, max_size=8))
def test_documents(item: dict[str, object]) -> None:
    at = reading()
    cells = order_cells(parse_json(json.dumps(item)), "order 1", at.problems)
    told = None if cells is None else at.order(cells, "order 1")
    assert (told is None) == bool(at.problems)


@given(st.dictionaries(st.integers(0, 40), st.integers(-(2**63), 2**63 - 1) | st.text(max_size=300), max_size=16))
def test_details_of_events(details: dict[int, int | str]) -> None:
    text = json.dumps(details, ensure_ascii=False)
    try:
        order = parse(1, text)
    except MalformedError:
        return
    assert beyond(order) is None


@pytest.mark.parametrize("change", [{}, {20: 0}, {21: 2**53}, {22: 2**61}, {23: -(2**61)}, {28: "0,60,1,,,,;" * 20}])
def test_values_of_the_wire_that_no_order_has_are_malformed(change: dict[int, int | str]) -> None:
    start = 1_782_871_200_000
    details: dict[int, int | str] = {19: "a", 20: start, 21: start + 3_600_000, 22: 5}
    if not change:
        assert parse(1, json.dumps(details)).energy_mwh == 5
        return
    with pytest.raises(MalformedError):
        parse(1, json.dumps(details | change))
