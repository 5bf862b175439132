"""MATPOWER cases: matrices, comments and units; what can't be taken as it stands is told with its line."""

from pathlib import Path

import pytest
from grid_support import CASE, problems, said

from cloud_receiver.grid.matpower import parse, read
from cloud_receiver.grid.model import Branch, BranchKind, Generator, Load, Node
from cloud_receiver.grid.snapshot import Demand, EndPowers, Generation
from cloud_receiver.mistakes import Mistake


def test_a_solved_case_is_a_network(tmp_path: Path) -> None:
    path = tmp_path / "three.m"
    path.write_text(CASE)
    network = read(path)
    assert network.name == "three"
    assert network.grid.nodes == (
        Node("1", name="plant 1"),
        Node("2", name="town's [main]"),
        Node("30", name="园区"),
        Node("4", name="off"),
    )
    assert network.grid.branches == (
        Branch("branch1", "1", "2"),
        Branch("branch2", "2", "30", BranchKind.TRANSFORMER),
        Branch("branch3", "1", "30"),
    )
    assert network.snapshot.flows == {
        "branch1": EndPowers(100, -98),
        "branch2": EndPowers(38, -37),
        "branch3": EndPowers(0, 0),
    }
    assert network.snapshot.open_branches == {"branch3"}
    assert network.grid.generators == (Generator("gen1", "1"), Generator("gen2", "30"), Generator("gen3", "2"))
    # The third unit is out of service, whatever its power; the isolated bus 4 takes nothing; GS goes with the voltage.
    assert network.snapshot.generators == {"gen1": Generation(100), "gen2": Generation(13), "gen3": Generation(0)}
    assert network.grid.loads == (Load("load2", "2"), Load("load30", "30"), Load("shunt30", "30"))
    assert network.snapshot.loads == {"load2": Demand(60), "load30": Demand(49), "shunt30": Demand(1)}


def test_a_shunt_goes_with_the_square_of_the_voltage() -> None:
    text = CASE.replace("60\t10\t0\t0\t1\t1.00", "60\t10\t2\t0\t1\t1.10")
    assert parse(text, "f").snapshot.loads["shunt2"].megawatts == pytest.approx(2 * 1.21)


def test_direct_current_lines_deliver_at_their_to_end() -> None:
    text = CASE + "mpc.dcline = [ 1 30 1 10 9.5 0 0 1 1 0 50 0 0 0 0 0 0; 1 2 0 7 7 0 0 1 1 0 50 0 0 0 0 0 0 ];\n"
    network = parse(text, "f")
    assert network.grid.branches[3] == Branch("dcline1", "1", "30", BranchKind.OTHER)
    assert network.snapshot.flows["dcline1"] == EndPowers(10, -9.5)
    assert network.snapshot.flows["dcline2"] == EndPowers(0, 0)
    assert "dcline2" in network.snapshot.open_branches


def test_columns_in_kilowatts_are_scaled_as_the_file_says() -> None:
    statements = """
%% convert loads from kW to MW
[PQ, PV, REF, NONE, BUS_I, BUS_TYPE, PD, QD] = idx_bus;
Vbase = mpc.bus(1, BASE_KV) * 1e3;
mpc.branch(:, [BR_R BR_X]) = mpc.branch(:, [BR_R BR_X]) / (Vbase^2 / Sbase);
mpc.bus(:, [PD, QD]) = mpc.bus(:, [PD, QD]) / 1e3;
mpc.gen(:, PG) = ...  in two lines
    mpc.gen(:, PG) * 2;
"""
    network = parse(CASE + statements.replace("...  in two lines", "..."), "f")
    assert network.snapshot.loads["load2"].megawatts == pytest.approx(0.06)
    assert network.snapshot.loads["shunt30"].megawatts == 1
    assert network.snapshot.generators["gen1"].megawatts == 200
    assert network.snapshot.flows["branch1"] == EndPowers(100, -98)


@pytest.mark.parametrize(
    "statement",
    [
        "mpc.bus(:, PD) = 0;",
        "mpc.bus(:, 3) = mpc.bus(:, 3) / 1e3;",
        "mpc.bus(2, PD) = 5;",
        "mpc.gen(:, [PG QG]) = mpc.gen(:, [PG QG]) * factor;",
        "mpc.bus(:, [PD, QD]) = mpc.bus(:, [QD, PD]) / 1e3;",
        "mpc.branch = [mpc.branch; 1 2];",
        "x = 1; mpc.gen = gen;",
    ],
)
def test_a_statement_that_computes_powers_is_not_skipped(statement: str) -> None:
    found = problems(parse, CASE + statement, "f")
    assert {problem.mistake for problem in found} & {Mistake.UNSUPPORTED, Mistake.DUPLICATE}
    assert all(problem.place == f"line {CASE.count(chr(10)) + 1}" for problem in found)


@pytest.mark.parametrize(
    "text",
    [
        CASE.replace("\t100\t5\t-98\t...\n\t-4;", ";")
        .replace("\t38\t2\t-37\t-1;", ";")
        .replace("\t0\t0\t0\t0;\n];", "\n];"),
        CASE.replace("100\t5\t-98", "0\t0\t0").replace("38\t2\t-37", "0\t0\t0"),
    ],
)
def test_a_case_that_nobody_solved_says_that_it_needs_flows(text: str) -> None:
    (problem,) = problems(parse, text, "case.m")
    assert problem.mistake is Mistake.NO_FLOWS
    assert "savecase(file, runpf(case))" in str(problem)
    assert str(problem).startswith("case.m: needs a solved power flow: expected the columns PF, QF, PT and QT")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mpc.gen =", "mpc.gun =", "f: expected the matrix mpc.gen, found none"),
        ("\nmpc.bus = [", "\nmpc.bus = {", "f: expected the matrix mpc.bus, found none"),
        ("\t2\t1\t60", "\t2\t1\tNaN", "f: line 8: load load2: p_mw: expected a finite number of MW, found nan"),
        ("\t2\t1\t60", "\t2\t1\tsixty", "f: line 8: mpc.bus: expected a number, found 'sixty'"),
        ("\t2\t1\t60", "\t2\t60", "f: line 8: mpc.bus: expected 13 numbers, found 12"),
        ("\t2\t1\t60", "\t1\t1\t60", "f: line 8: node 1: is there twice, first in line 7"),
        ("\t2\t1\t60", "\t2.5\t1\t60", "f: line 8: expected the number of a bus, found 2.5"),
        ("\t2\t30\t0\t0.1", "\t2\t31\t0\t0.1", "f: line 17: branch branch2: there is no node 31"),
        ("\t2\t30\t0\t0.1", "\t2\t2\t0\t0.1", "f: line 17: branch branch2: both ends are node 2"),
        (
            "\t100\t5\t-98\t",
            "\tInf\t5\t-98\t",
            "f: line 15: branch branch1: PF: expected a finite number of MW, found inf",
        ),
        ("\t38\t2\t-37\t-1;", "\t38\t2\t-37;", "f: line 17: mpc.branch: expected 17 numbers, found 16"),
        ("1.02 100 1 200 0;", "1.02 100 NaN 200 0;", "f: line 12: expected a status, 0 or 1, found nan"),
        ("\t'off';\n", "", "f: mpc.bus_name: expected 4 names, one a bus, found 3"),
        ("30 13 0 0 0 1 100", "31 13 0 0 0 1 100", "f: line 12: generator gen2: there is no node 31"),
    ],
)
def test_a_mistake_has_its_line(old: str, new: str, message: str) -> None:
    assert CASE.count(old) == 1
    found = said(parse, CASE.replace(old, new), "f")
    assert any(text.startswith(message) for text in found), found


def test_what_is_commented_out_is_not_there() -> None:
    text = CASE[: CASE.index("mpc.bus_name")].replace("\t30, 1, 49", "%\t30, 1, 49")
    assert any("there is no node 30" in line for line in said(parse, text, "f"))
    block = "%{\nmpc.bus(:, PD) = 0;\n%}\n"
    assert parse(CASE + block, "f") == parse(CASE, "f")
    assert parse("%{\nmpc.bus = [\n%}\n" + CASE, "f").grid == parse(CASE, "f").grid


def test_an_unfinished_matrix_is_told() -> None:
    assert any("expected ], found the end" in line for line in said(parse, CASE[: CASE.index("mpc.bus_name") - 3], "f"))
