"""docs/inspection.md names each key of a plan and each item, and no other."""

import re
import tomllib
from pathlib import Path
from typing import get_args

from pydantic import BaseModel

from firmware_sim.inspection import catalogue
from firmware_sim.inspection import plan as plans
from firmware_sim.inspection.plan import Plan

PAGE = (Path(__file__).parents[3] / "docs" / "inspection.md").read_text(encoding="utf-8")
SOURCES = (plans.SimulatedSource, plans.StreamSource, plans.CommandSource, plans.ManualSource)


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(title: str) -> set[str]:
    rows = [line.split("|")[1] for line in section(title).splitlines() if line.startswith("| `")]
    return {name for cell in rows for name in re.findall(r"`([^`]+)`", cell)}


def keys() -> set[str]:
    found = set()
    for name, field in Plan.model_fields.items():
        models = SOURCES if name == "source" else get_args(field.annotation) or (field.annotation,)
        for model in models:
            if model is type(None):
                continue
            if not (isinstance(model, type) and issubclass(model, BaseModel)):
                found.add(name)
                continue
            found |= {f"{name}.{inner.alias or key}" for key, inner in model.model_fields.items()}
    return found


def test_each_key_of_a_plan_is_told_and_no_other() -> None:
    assert first_cells("PLAN.toml") == keys()


def test_each_item_is_told_and_no_other() -> None:
    assert first_cells("Items") == {item.info.id for kind in ("factory", "type") for item in catalogue.items(kind)}


def test_the_plans_of_the_page_can_be_read() -> None:
    plan, real = (tomllib.loads(text) for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
    Plan.model_validate(plan)
    Plan.model_validate({**plan, **real})
