"""The worked example in docs/wire.md is what the code writes, and what the decoder reads."""

from pathlib import Path

import diantan_core
from wire import example
from wire.batch import encode_batch
from wire.records import DetailKey, EventCode

DOCUMENT = (Path(__file__).parents[2] / "docs" / "wire.md").read_text(encoding="utf-8")


def test_the_document_shows_what_the_code_writes() -> None:
    lines = example.lines()
    assert "\n".join(lines) in DOCUMENT
    data = bytes.fromhex("".join(line.split(";")[0] for line in lines))
    assert data == encode_batch(example.EXAMPLE)
    assert f"{len(data)} bytes." in DOCUMENT


def test_the_example_decodes_to_its_records() -> None:
    batch = diantan_core.decode_batch(encode_batch(example.EXAMPLE))
    assert batch.meters == ["charger-1", "charger-2"]
    first, second = batch.interval_rows([1, 2])
    assert (first[6], second[10]) == (98_766_750_000, 7_172_838_919)
    assert batch.event_rows([1, 2]) == [(3, None, 1_790_000_060_000, EventCode.CONTEXT_OPENED, {5: 1})]


def test_every_event_code_and_detail_is_documented() -> None:
    events = DOCUMENT.split("## Events")[1]
    for code in EventCode:
        assert f"\n| {int(code)} |" in events, code
    documented = {
        int(part)
        for line in events.split("| key | detail")[1].splitlines()
        if line.startswith("| ")
        for part in line.split("|")[1].split(",")
        if part.strip().isdigit()
    }
    assert documented == set(DetailKey)
