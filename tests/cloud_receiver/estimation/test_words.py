"""Whatever can be found or be a reason has words in English and Chinese, and stands in the documentation."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_receiver.estimation import branches, result, words
from cloud_receiver.estimation.carried import CARRIED, SHOWN_BY_SUMS
from cloud_receiver.estimation.words import ADVICE, BRANCHES, DECISIONS, FINDINGS, REASONS, SUSPICIONS

ROOT = Path(__file__).parents[3]
PACKAGE = Path(words.__file__).parent
STUB = ast.parse((ROOT / "diantan_core.pyi").read_text("utf-8"))
PAGE = (ROOT / "docs" / "estimation.md").read_text("utf-8")
NOTICED = ("name", "meters", "numbers", "blocks", "withdrawn")
OF_RESULTS = ("few_windows", "collinear", "station", "exchanged", "halves")
"""Reasons that `result` and `halves` give beside the constants."""


def literals(class_name: str, attribute: str) -> set[str]:
    """Return what the core's stub lists for a property of a class."""
    [found] = [node for node in STUB.body if isinstance(node, ast.ClassDef) and node.name == class_name]
    [function] = [node for node in found.body if isinstance(node, ast.FunctionDef) and node.name == attribute]
    assert function.returns is not None
    names = {node.value for node in ast.walk(function.returns) if isinstance(node, ast.Constant)}
    return {name for name in names if isinstance(name, str)}


def by_core() -> set[str]:
    """Return the findings that the core's sources name."""
    source = (ROOT / "core" / "src" / "estimation" / "finding.rs").read_text("utf-8")
    return set(re.findall(r'Self::\w+ \{ \.\. \} => "(\w+)"', source))


def made() -> Iterator[tuple[str, bool]]:
    """Yield each finding that the centre makes, and whether it may withdraw a decision."""
    for path in sorted(PACKAGE.glob("*.py")):
        module = importlib.import_module(f"cloud_receiver.estimation.{path.stem}")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
                continue
            first = node.args[0]
            if node.func.id not in ("Noticed", "StationFinding") or isinstance(first, ast.Attribute | ast.Subscript):
                continue
            given = {*NOTICED[: len(node.args)], *(one.arg for one in node.keywords)}
            if isinstance(first, ast.Constant):
                yield str(first.value), "withdrawn" in given
            elif isinstance(first, ast.Name) and hasattr(module, first.id):
                yield getattr(module, first.id), "withdrawn" in given


ALL = sorted(by_core() | {name for name, _ in made()} | {result.LONG, result.MISSING, "orders_elsewhere"})
ALL_REASONS = sorted(
    literals("ErrorEstimate", "reason")
    | {name for name, withdraws in made() if withdraws}
    | {result.LONG, result.WITHHELD, result.MIRRORED, *OF_RESULTS}
)
ALL_OF_BRANCHES = sorted(
    literals("DropBranch", "reason")
    | {value for name, value in vars(branches).items() if name.isupper() and isinstance(value, str)}
)


def test_the_lists_are_not_empty() -> None:
    assert {"implausible", "generation", "changed", "ratio", "unjudged", "halves"} <= set(ALL)
    assert {"near_limit", "level_changed", "beyond_power", "withheld"} <= set(ALL_REASONS)
    assert {"few_quarters", "power_mismatch"} <= set(ALL_OF_BRANCHES)
    assert set(FINDINGS) == set(ALL)
    assert set(REASONS) == set(ALL_REASONS)
    assert set(BRANCHES) == set(ALL_OF_BRANCHES)
    assert set(ADVICE) == set(FINDINGS), "the report says of each what to do"
    assert set(FINDINGS) >= CARRIED | SHOWN_BY_SUMS
    assert set(DECISIONS) == literals("ErrorEstimate", "decision")


@pytest.mark.parametrize(
    ("table", "name"),
    [
        *((FINDINGS, name) for name in ALL),
        *((REASONS, name) for name in ALL_REASONS),
        *((BRANCHES, name) for name in ALL_OF_BRANCHES),
        *((SUSPICIONS, name) for name in sorted(SUSPICIONS)),
        *((ADVICE, name) for name in sorted(ADVICE)),
    ],
)
def test_it_has_words_in_both_languages(table: dict[str, tuple[str, str]], name: str) -> None:
    english, chinese = table[name]
    assert english.isascii()
    assert english.strip() == english != ""
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)


@pytest.mark.parametrize("name", [*ALL, *(name for name in ALL_REASONS if name not in ALL), *sorted(SUSPICIONS)])
def test_it_stands_in_the_documentation(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("name", ALL_OF_BRANCHES)
def test_why_a_branch_is_not_used_stands_in_the_documentation(name: str) -> None:
    assert f"`{name}`" in PAGE
