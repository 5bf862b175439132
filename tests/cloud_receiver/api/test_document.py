"""docs/api.md: its examples are answered as it says, its paths are those that there are, and its keys too."""

import asyncio
import json
import re
import shlex
from pathlib import Path

import pytest
from analysis_support import DAY_MS
from api_support import Answer, serving

from cloud_receiver.api import findings, tokens
from cloud_receiver.api.config import Api as Settings
from cloud_receiver.api.parameters import DEFAULT_ROWS, LONGEST_DAYS, MOST_ROWS
from cloud_receiver.api.server import Api, Surroundings
from cloud_receiver.api.tokens import Role
from cloud_receiver.grid.analysis.periods import SLOT_MS, By, utc

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "api.md").read_text()
EXAMPLES = [line for line in TEXT.splitlines() if line.startswith("curl ")]
TIME = utc(DAY_MS + 50 * SLOT_MS)
FILES = {
    "loads.csv": f"time,town.p\n{TIME},5\n",
    "slot.json": json.dumps([{"time": TIME, "load": {"town": {"p": 5}}}]),
}


def replayed(directory: Path, line: str) -> Answer:
    """Send what curl would."""

    async def run() -> Answer:
        async with serving(directory, role=Role.READ) as client:
            assert client.token is not None
            measure = tokens.make(directory / "tokens.toml", "feed", Role.MEASURE)
            filled_in = line.replace("$READ", client.token).replace("$MEASURE", measure).replace("$URL", "")
            words = shlex.split(filled_in)[1:]
            client.token = None
            headers, body, path = {}, None, ""
            while words:
                word = words.pop(0)
                if word == "-H":
                    name, _, value = words.pop(0).partition(": ")
                    headers[name] = value
                elif word == "--data-binary":
                    body = FILES[words.pop(0).removeprefix("@")]
                else:
                    path = word
            return await client.ask("GET" if body is None else "POST", path, headers=headers, data=body)

    return asyncio.run(run())


@pytest.mark.parametrize("line", EXAMPLES)
def test_the_examples_are_answered(tmp_path: Path, line: str) -> None:
    answer = replayed(tmp_path, line)
    assert answer.status == 200, answer.body
    if "text/csv" in line and "POST" not in line and "--data" not in line:
        assert answer.body.startswith(b"interval_start_utc,")
    elif "--data-binary" in line:
        assert answer.json["new"] == 1
    else:
        assert answer.json.get("rows") or answer.json["factors"]


def test_there_are_examples_of_both_directions() -> None:
    assert len(EXAMPLES) == 6
    assert sum("--data-binary" in line for line in EXAMPLES) == 2


def test_all_paths_are_told() -> None:
    async def paths() -> set[str]:
        application = Api(Settings(), Surroundings(None, lambda: 0, ""))._application()  # type: ignore[arg-type]  # nothing is asked
        return {resource.canonical for resource in application.router.resources()}

    there = asyncio.run(paths())
    told = set(re.findall(r"`(?:POST )?(/[^`?]*)`", TEXT))
    assert there == told


def test_all_keys_are_told_with_their_defaults() -> None:
    told = dict(re.findall(r"^\| `api\.(\w+)` \| (\w+) \|", (DOCS / "receiver.md").read_text(), re.MULTILINE))
    fields = Settings.model_fields
    assert told == {name: str(fields[name].default).lower() for name in fields if name not in {"host", "port"}}
    assert f"| `api.host`, `.port` | `{fields['host'].default}`, none |" in (DOCS / "receiver.md").read_text()


def test_limits_are_those_that_hold() -> None:
    days = tuple(LONGEST_DAYS[by] for by in By)
    assert "at most {}, {} or {} days in one request".format(*days) in TEXT
    assert f"({DEFAULT_ROWS}, at most {MOST_ROWS})" in TEXT
    assert f"`limit` ({findings.DEFAULT_ROWS}, at most {findings.MOST_ROWS})" in TEXT
