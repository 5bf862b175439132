"""The page about validation says what the program does: rules, kinds and defaults."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel

from cloud_receiver.config import load
from cloud_receiver.validation.catalogue import RULES
from cloud_receiver.validation.config import Validation
from settings.errors import ConfigError

PAGE = Path(__file__).parents[3] / "docs" / "validation.md"


def leaves(section: BaseModel, prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        found |= leaves(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else {prefix + name: value}
    return found


def test_every_default_stands_in_the_page_and_is_taken_from_a_file() -> None:
    text = PAGE.read_text().split("## `[validation]`")[1]
    told = dict(re.findall(r"^\| `([\w.]+)` \| (.*?) \|", text, re.MULTILINE))
    assert told.keys() == leaves(Validation()).keys()
    content = tomllib.loads("\n".join(f"{name} = {value}" for name, value in told.items()))
    assert leaves(Validation.model_validate(content)) == leaves(Validation())


def test_every_rule_stands_in_the_page_with_its_findings() -> None:
    text = PAGE.read_text()
    rows = {
        name: (chinese, kinds)
        for name, chinese, kinds in re.findall(r"^\| `(\w+)` \| (\S+) \| .* \| (.*) \|$", text, re.MULTILINE)
    }
    for rule in RULES:
        chinese, kinds = rows[rule.name]
        assert chinese == rule.chinese
        assert set(re.findall(r"`(\w+)`", kinds)) == {str(kind) for kind in rule.told_by.values()}


def test_the_section_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "receiver.toml"
    head = '[centre]\nkey_file = "centre.key"\n'
    path.write_text(head + '[validation]\noff = ["low"]\n[validation.spike]\nratio = 5.5\n')
    found = load(path).validation
    assert (found.off, found.spike.ratio, found.spike.minimum_slots) == (("low",), Decimal("5.5"), 20)
    path.write_text(head + "[validation.spikes]\nratio = 5\n")
    with pytest.raises(ConfigError, match=r"validation\.spikes"):
        load(path)
    path.write_text(head + "[validation.spike]\nratio = 1\n")
    with pytest.raises(ConfigError, match=r"validation\.spike\.ratio"):
        load(path)
