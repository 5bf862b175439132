"""The format of a file is found by what it is; factors come from a table where a format has none."""

import json
from pathlib import Path

import pytest
from grid_support import CASE, DOCUMENT, TABLES, pandapower, said

from cloud_receiver.grid.files import read, with_factors
from cloud_receiver.grid.snapshot import Generation


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, Path]:
    found = {
        name: tmp_path / file for name, file in (("json", "a.json"), ("pandapower", "b.json"), ("matpower", "C.M"))
    }
    found["json"].write_text(json.dumps(DOCUMENT))
    found["pandapower"].write_text(pandapower())
    found["matpower"].write_text(CASE)
    found["csv"] = tmp_path / "tables"
    found["csv"].mkdir()
    for name, text in TABLES.items():
        (found["csv"] / name).write_text(text)
    found["nodes.csv"] = found["csv"] / "nodes.csv"
    return found


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("json", "made by hand"),
        ("pandapower", "pandapower 3.5.6"),
        ("matpower", "MATPOWER"),
        ("csv", "CSV"),
        ("nodes.csv", "CSV"),
    ],
)
def test_each_format_is_found_by_what_it_is(paths: dict[str, Path], name: str, source: str) -> None:
    assert read(paths[name]).source == source


def test_the_limit_of_factors_reaches_every_format(paths: dict[str, Path]) -> None:
    (paths["csv"] / "generators.csv").write_text("id,node,p_mw,factor\nG1,P1,100,0.8\n")
    # MATPOWER cases have no factors.
    for name in ("json", "pandapower", "csv", "nodes.csv"):
        assert any("factor: expected 0 to 0.5" in text for text in said(read, paths[name], max_factor=0.5)), name


def test_a_table_gives_factors(paths: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "factors.csv"
    path.write_text("factor,generator\n0.8,gen1\n,gen2\n")
    network = with_factors(read(paths["matpower"]), path)
    assert network.snapshot.generators == {"gen1": Generation(100, 0.8), "gen2": Generation(13), "gen3": Generation(0)}
    path.write_text("factor,generator\n0.7,G1\n")
    assert with_factors(read(paths["csv"]), path).snapshot.generators["G1"] == Generation(100, 0.7)


def test_mistakes_of_that_table_have_their_lines(paths: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "factors.csv"
    path.write_text("generator,factor\ngen1,800\ngen9,0.1\ngen2,x\ngen2,0.2\n")
    assert said(with_factors, read(paths["matpower"]), path) == [
        f"{path}: line 2: generator gen1: factor: expected 0 to 10 kgCO2/kWh, found 800.0 (is it in g/kWh?)",
        f"{path}: line 3: generator gen9: the network has no such generator",
        f"{path}: line 4: factor: expected a number, found 'x'",
        f"{path}: line 5: generator gen2: is there twice, first in line 4",
    ]
    path.write_text("generator;factor\n")
    assert said(with_factors, read(paths["matpower"]), path)[0] == (
        f"{path}: line 1: expected generator, factor; found no heading generator"
    )
