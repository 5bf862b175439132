"""docs/sales.md: its settings, its fields and its findings are those that there are, and its registry loads."""

import re
from pathlib import Path

from cloud_receiver import registry
from cloud_receiver.checks.model import Kind
from cloud_receiver.report_words import WORDS
from cloud_receiver.sales.config import Sales
from cloud_receiver.sales.csv_file import MOST_LINES
from cloud_receiver.sales.order import MOST_PERIODS
from cloud_receiver.sales.record import NAMES

TEXT = (Path(__file__).parents[3] / "docs" / "sales.md").read_text()


def test_all_settings_are_told_with_their_defaults() -> None:
    told = dict(re.findall(r"^\| `sales\.(\w+)` \| (\S+) \|", TEXT, re.MULTILINE))
    assert told == {name: str(field.default).lower() for name, field in Sales.model_fields.items()}


def test_all_fields_are_told_with_both_names() -> None:
    table = TEXT[TEXT.index("### Fields") : TEXT.index("Capitals don't matter")]
    for ours, theirs in NAMES.items():
        assert f"`{ours}`" in table
        assert all(f"`{name}`" in table for name in theirs)
    assert f"at most {MOST_PERIODS}, of" in table
    assert f"at most {MOST_LINES:,} lines".replace(",", " ") in TEXT


def test_all_findings_are_told() -> None:
    kinds = [kind for kind in Kind if kind.value.startswith(("order_", "sold_", "unsold_"))]
    assert len(kinds) == 13
    for kind in kinds:
        assert f"`{kind.value}`" in TEXT
        if kind not in (Kind.SOLD_DAY, Kind.SOLD_MONTH):
            assert WORDS[kind.value][1] in TEXT


def test_the_registry_of_the_document_loads(tmp_path: Path) -> None:
    example = TEXT[TEXT.index("[[station]]") :].partition("```")[0].replace("# ...", 'id = "S1"\nnode = "n"')
    path = tmp_path / "registry.toml"
    path.write_text(example, encoding="utf-8")
    (station,) = registry.load(path).station
    assert len(station.tariff) == 2
    assert station.meter[0].connectors == ("3301061234501", "3301061234502")
