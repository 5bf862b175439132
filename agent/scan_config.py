"""The configuration of what a scan found, ready to be pasted."""

import json
import re
from collections.abc import Sequence

from agent.config_lines import Line
from agent.scan_command import Meter
from agent.suggest import Suggestion


def configuration(line: Line, name: str, meters: Sequence[Meter]) -> str:
    """Return a `[[line]]` with its meters as TOML; what a person has to decide stands in comments."""
    keys = line.model_dump(exclude={"meter", "name", "transport"}, exclude_defaults=True)
    rows = ["[[line]]", f"name = {_text(name)}", f"transport = {_text(line.transport)}"]
    # Rate and parity in any case: whoever reads the file should not have to know the defaults.
    keys |= {key: getattr(line, key) for key in ("baud", "parity") if getattr(line, key, None) is not None}
    rows += [f"{key} = {_value(value)}" for key, value in keys.items()]
    seen: set[str] = set()
    for number, meter in enumerate(meters, 1):
        rows += ["", *_meter(name, number, meter, doubled=str(meter.found.address) in seen)]
        if not isinstance(meter.found.address, int):
            seen.add(meter.found.address)
    return "\n".join(rows)


def _meter(line: str, number: int, meter: Meter, *, doubled: bool) -> list[str]:
    found = meter.found
    best = meter.suggestions[0] if meter.suggestions else None
    rows = [f"# {key.replace('_', ' ')}: {_comment(value)}" for key, value in found.details.items()]
    rows += [f"# profile, {best.sure} confidence: {_comment(best.why)}" if best else "# no profile fits: write one"]
    rows += [f"# or {_also(other)}" for other in meter.suggestions[1:3]]
    where = f"unit = {found.address}" if isinstance(found.address, int) else f"address = {_text(found.address)}"
    entry = [
        "[[line.meter]]",
        f"id = {_text(f'{line}-{number}')}",
        f"profile = {_text(best.profile if best else '?')}",
        where,
    ]
    if best and best.parameters:
        set_them = ", ".join(f"{name} = 1" for name in best.parameters)
        entry.append(f"parameters = {{ {set_them} }} # set as installed")
    if doubled:
        rows.append("# the same address answers in another protocol too: read it in one only")
    return rows + [f"# {row}" if doubled or best is None else row for row in entry]


def _also(other: Suggestion) -> str:
    return f"{other.profile}, {other.sure} confidence: {_comment(other.why)}"


def _comment(text: str) -> str:
    """Return what a meter said, on one line whatever it is."""
    return re.sub(r"[^ -~\u00a1-\uffff]", "?", text)


def _text(text: str) -> str:
    # A JSON string of these characters is a TOML string.
    return json.dumps(text, ensure_ascii=False)


def _value(value: object) -> str:
    return _text(value) if isinstance(value, str) else str(value)
