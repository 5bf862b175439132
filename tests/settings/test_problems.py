"""Mistakes as lines: keys as people find them, what was expected, what came, the nearest known key."""

import tomllib
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from settings.errors import ConfigError
from settings.problems import lines_of, problems_of
from settings.values import Exact, Section, Whole


class Meter(Section):
    id: str = Field(pattern="^[a-z0-9]+$")
    baud: Literal[1200, 9600] = 9600
    kind: str = Field(default="1", alias="class")
    gain: Exact | Literal["random"] = Decimal(0)
    ratios: dict[str, Exact] = Field(default_factory=dict)
    shares: tuple[int, ...] = (1,)

    @field_validator("kind")
    @classmethod
    def _kind_is_known(cls, value: str) -> str:
        if value == "9":
            raise ValueError("expected 1 or 2")
        return value


class _Line(Section):
    name: str = "x"
    gap_ms: Whole | None = Field(default=None, ge=5)
    meter: list[Meter] = Field(default_factory=list)

    @model_validator(mode="after")
    def _gap_is_lucky(self) -> "_Line":
        if self.gap_ms == 13:
            raise ValueError("gap_ms: expected no 13")
        return self


class Tcp(_Line):
    transport: Literal["tcp"]
    host: str
    port: int = Field(default=502, le=65535)


class Serial(_Line):
    transport: Literal["serial"]
    device: str = "/dev/ttyS0"
    parity: Literal["none", "even"] = "even"


AnyLine = Annotated[Tcp | Serial, Field(discriminator="transport")]


class Station(Section):
    since: Any = None
    grid: Meter | None = None
    line: list[AnyLine] = Field(default_factory=list)
    spare: AnyLine | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Station":
        names = [line.name for line in self.line]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ConfigError([f"line {name!r} is there more than once" for name in doubled])
        if self.since == "never":
            raise ValueError("since: expected a time")
        return self


def lines(text: str) -> list[str]:
    document = tomllib.loads(text, parse_float=Decimal)
    with pytest.raises(ValidationError) as caught:
        Station.model_validate(document)
    return lines_of(document, caught.value, Station)


TCP = '[[line]]\nname = "bus"\ntransport = "tcp"\nhost = "h"\n'
METER = '[[line.meter]]\nid = "m3"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TCP + METER + "baud = 9601", "line[bus].meter[m3].baud: expected 1200 or 9600, got 9601"),
        (TCP + METER + "baut = 9600", "line[bus].meter[m3].baut: unknown key; did you mean 'baud'?"),
        (TCP + METER + "clas = '1'", "line[bus].meter[m3].clas: unknown key; did you mean 'class'?"),
        (TCP + METER + "class = '9'", "line[bus].meter[m3].class: expected 1 or 2, got '9'"),
        (TCP + METER + "colour = 'red'", "line[bus].meter[m3].colour: unknown key"),
        (
            TCP + METER + "gain = 'some'",
            "line[bus].meter[m3].gain: expected a valid decimal or 'random', got 'some'",
        ),
        (TCP + METER + "shares = [1, 'x']", "line[bus].meter[m3].shares[#2]: expected a valid integer"),
        (TCP + METER + "ratios = {ct = true}", "line[bus].meter[m3].ratios.ct: expected a number, got True"),
        (TCP + METER + "ratios = {ct = 1e99}", "line[bus].meter[m3].ratios.ct: expected at most 50 digits"),
        (TCP + "[[line.meter]]\nbaud = 1200", "line[bus].meter[#1].id: is missing"),
        (TCP + '[[line.meter]]\nid = "A\\nB"', "line[bus].meter[#1].id: expected text of the form '^[a-z0-9]+$'"),
        (TCP + METER * 2 + "baud = 1", "line[bus].meter[m3 #2].baud: expected 1200 or 9600, got 1"),
        (TCP + "meter = 3", "line[bus].meter: expected an array, got 3"),
        (TCP + "meter = [3]", "line[bus].meter[#1]: expected a table, got 3"),
        (TCP + "gap_ms = 13", "line[bus]: gap_ms: expected no 13"),
        ("line = 3", "line: expected an array, got 3"),
        ("[grid]\nid = 'G'", "grid.id: expected text of the form '^[a-z0-9]+$', got 'G'"),
        ("[grdi]\nid = 'G'", "grdi: unknown key; did you mean 'grid'?"),
        ('"gr.id\\n" = 3', "'gr.id\\n': unknown key; did you mean 'grid'?"),
        ("since = 'never'", "since: expected a time"),
        ("[spare]\ntransport = 'serial'\nport = 3", "spare.port: a spare of transport 'serial' has no such key, "),
        ("[spare]\ntransport = 3", "spare.transport: expected one of 'tcp', 'serial', got 3"),
    ],
)
def test_a_mistake_is_one_line_with_its_key(text: str, expected: str) -> None:
    (line,) = lines(text)
    assert line.startswith(expected)


def test_a_key_of_another_kind_of_table_is_told() -> None:
    assert lines("[[line]]\ntransport = 'serial'\nhost = 'h'\npartiy = 'even'") == [
        "line[#1].host: a line of transport 'serial' has no such key, one of 'tcp' has",
        "line[#1].partiy: unknown key; did you mean 'parity'?",
    ]


def test_a_table_of_unknown_kind_is_checked_as_far_as_all_kinds_agree() -> None:
    """Its host may be right in one of them."""
    text = "[[line]]\nname = 'bus'\nhost = 'h'\ngap_ms = 1\n" + METER + "baud = 1"
    told = ["line[bus].gap_ms: expected greater than or equal to 5, got 1"]
    told.append("line[bus].meter[m3].baud: expected 1200 or 9600, got 1")
    assert lines(text) == ["line[bus].transport: is missing", *told]
    assert lines(text.replace("host", "transport = 'radio'\nhost")) == [
        "line[bus].transport: expected one of 'tcp', 'serial', got 'radio'",
        *told,
    ]


def test_each_of_several_mistakes_between_keys_has_a_line() -> None:
    names = "".join(f"[[line]]\ntransport = 'serial'\nname = '{name}'\n" for name in "abba")
    assert lines(names) == ["line 'a' is there more than once", "line 'b' is there more than once"]


def test_a_long_value_is_cut() -> None:
    (line,) = lines(f"[grid]\nid = '{'A' * 5000}'")
    assert line.endswith("AAA…")
    assert len(line) < 200


def test_tables_told_apart_may_stand_alone() -> None:
    adapter: TypeAdapter[Tcp | Serial] = TypeAdapter(AnyLine)

    def told(document: object) -> list[str]:
        with pytest.raises(ValidationError) as caught:
            adapter.validate_python(document)
        return problems_of("option", document, caught.value, AnyLine)

    assert told({"transport": "radio"}) == ["option: transport: expected one of 'tcp', 'serial', got 'radio'"]
    assert told({"transport": "tcp", "prot": 1}) == [
        "option: host: is missing",
        "option: prot: unknown key; did you mean 'port'?",
    ]
    assert told({"transport": "tcp", "parity": "even", "host": "h"}) == [
        "option: parity: a table of transport 'tcp' has no such key, one of 'serial' has"
    ]
    assert told({"transport": "serial", "gap_ms": 13}) == ["option: gap_ms: expected no 13"]
    assert told(3) == ["option: (whole): expected a table, got 3"]
