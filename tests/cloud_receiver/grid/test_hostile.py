"""Whatever is in a file: a network, or an error with a type, and never anything else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from grid_support import CASE, DOCUMENT, TABLES, pandapower, said
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.grid import matpower, pandapower_json, reading, reference, tables
from cloud_receiver.grid.reference_writing import dumps
from cloud_receiver.grid.snapshot import Network, require
from cloud_receiver.mistakes import InputError

TOKENS = (
    """0 -1 1e999 nan inf null true " ' [ ] { } , ; % ... = \\ [[[ - 1.5 "bus" : \\u0000 L1 P1 S1 电 1_0 mpc.gen=["""
)
PIECES = st.sampled_from(
    [*TOKENS.split(), "", "\n", "\r", "\0", "%{\n", "\ud800", "\x1b[2J", "9" * 20, "mpc.bus = mpc.bus * 1e999;"]
)
EDITS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 40), PIECES | st.text(max_size=5)),
    min_size=1,
    max_size=6,
)


def _edited(text: str, edits: list[tuple[float, int, str]]) -> str:
    for where, length, piece in edits:
        start = int(where * len(text))
        text = text[:start] + piece + text[start + length :]
    return text


def _is_sound_or_refused(read: Callable[[], Network]) -> None:
    refused = None
    try:
        network = read()
    except InputError as error:
        refused = error
    if refused is None:
        require(network.grid, network.snapshot)
        assert reference.parse(dumps(network), "f").snapshot == network.snapshot
    else:
        assert refused.problems
        assert all(problem.file.startswith("f") for problem in refused.problems)
        # What is shown on a terminal has no control characters of the file.
        assert all(char.isprintable() or char == "\n" for char in str(refused)), str(refused)


@given(EDITS)
def test_mutated_json(edits: list[tuple[float, int, str]]) -> None:
    text = _edited(json.dumps(DOCUMENT), edits)
    _is_sound_or_refused(lambda: reference.parse(text, "f"))


@given(st.sampled_from(sorted(TABLES)), EDITS)
def test_mutated_tables(name: str, edits: list[tuple[float, int, str]]) -> None:
    changed = {**TABLES, name: _edited(TABLES[name], edits)}
    _is_sound_or_refused(lambda: tables.parse(changed, "f"))


@given(EDITS)
def test_mutated_cases(edits: list[tuple[float, int, str]]) -> None:
    text = _edited(CASE, edits)
    _is_sound_or_refused(lambda: matpower.parse(text, "f"))


PANDAPOWER = json.loads(pandapower())
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from([10**400, -1, 3]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_mutated_pandapower_networks(data: st.DataObject) -> None:
    content = dict(PANDAPOWER["_object"])
    name = data.draw(st.sampled_from(sorted(content)))
    value = content[name]
    if isinstance(value, dict) and data.draw(st.booleans()):
        table = json.loads(value["_object"])
        key = data.draw(st.sampled_from(["columns", "index", "data"]))
        if table[key] and data.draw(st.booleans()):
            part = table[key]
            at = data.draw(st.integers(0, len(part) - 1))
            if key == "data" and data.draw(st.booleans()):
                part[at][data.draw(st.integers(0, len(part[at]) - 1))] = data.draw(VALUES)
            else:
                part[at] = data.draw(VALUES)
        else:
            table[key] = data.draw(VALUES)
        content[name] = value | {"_object": json.dumps(table)}
    elif isinstance(value, dict) and data.draw(st.booleans()):
        content[name] = value | {"_object": _edited(value["_object"], data.draw(EDITS))}
    else:
        content[name] = data.draw(VALUES)
    document = PANDAPOWER | {"_object": content}
    _is_sound_or_refused(lambda: pandapower_json.convert(document, "f"))


@given(st.text() | st.binary().map(lambda octets: octets.decode("latin-1")))
def test_any_text(text: str) -> None:
    for parse in (reference.parse, matpower.parse, pandapower_json.parse):
        with pytest.raises(InputError):
            parse(text, "f")


def test_a_file_beyond_the_bound_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    path.write_bytes(b" " * 101)
    with pytest.raises(InputError, match="expected at most 100 bytes, found more"):
        reading.text_of(path, 100)
    assert reading.LARGEST == 32 << 20


def test_more_elements_than_the_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud_receiver.grid.builder.MOST_ELEMENTS", 2)
    text = json.dumps(DOCUMENT)
    assert said(reference.parse, text, "f") == ["f: bus[2]: expected at most 2 of kind node, found more"]


def test_rows_and_statements_of_a_case_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    scaling = "mpc.bus(:, PD) = mpc.bus(:, PD) * 1;\n"
    assert matpower.parse(CASE + scaling * 100, "f") == matpower.parse(CASE, "f")
    (text,) = said(matpower.parse, CASE + scaling * 101, "f")
    assert text.endswith("expected at most 100 statements that change a matrix, found more")
    monkeypatch.setattr("cloud_receiver.grid.matpower_text.MOST_ELEMENTS", 3)
    assert said(matpower.parse, CASE, "f") == ["f: line 10: mpc.bus: expected at most 3 rows, found more"]


def test_so_many_mistakes_that_the_rest_tells_nothing_end_the_reading() -> None:
    document = dict(DOCUMENT) | {"load": [["x", "S1", "y"]] * 5000}
    with pytest.raises(InputError) as refused:
        reference.parse(json.dumps(document), "f")
    assert len(refused.value.problems) == 1000


def test_a_matrix_without_end_costs_no_more_than_its_size() -> None:
    hostile = ["mpc.bus_name = {" + "'" * 200_001, "mpc.bus(:, [" + "A " * 100_000, "[" * 200_000, "%{\n" * 100_000]
    for text in hostile:
        with pytest.raises(InputError):
            matpower.parse(text, "f")
