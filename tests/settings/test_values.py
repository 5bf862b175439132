"""The kinds of value that files share."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from settings.values import Exact, Flag, FreePort, Host, Name, PlainName, Port, Section, Whole, Zone


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (Name, ["a", "C01.b_c-d", "x" * 64], ["", "a/b", "+", "-a", "桩", "a\n", "x" * 65]),
        (PlainName, ["a/b", "一号桩", "桩" * 21], ["", "a\nb", "桩" * 22]),
        (Zone, ["Asia/Shanghai", "UTC"], ["Asia/Shanghia", "", "../etc", "/etc/localtime"]),
        (Whole, [0, -3], [True, "60", Decimal(1), 1.0]),
        (Flag, [True], [1, "true"]),
        (Port, [1, 65535], [0, 65536, "80", True]),
        (FreePort, [0, 65535], [-1, 65536, "80", True]),
        (Host, ["h"], [""]),
        (Exact, ["0.1", 7, Decimal("-1e49")], [True, "x", "nan", Decimal("inf"), "1e50", Decimal("1e-51")]),
    ],
)
def test_what_a_value_may_be(kind: Any, right: list[object], wrong: list[object]) -> None:
    adapter = TypeAdapter(kind)
    for value in right:
        assert adapter.validate_python(value) == (Decimal(str(value)) if kind is Exact else value)
    for value in wrong:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)


def test_a_table_refuses_unknown_keys_and_change_and_wrong_defaults() -> None:
    class Table(Section):
        port: Port = 502

    class Wrong(Section):
        port: Port = 0

    with pytest.raises(ValidationError, match="Extra inputs"):
        Table.model_validate({"prot": 1})
    with pytest.raises(ValidationError, match="frozen"):
        Table().port = 1  # type: ignore[misc]  # that is what is tried
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Wrong()
