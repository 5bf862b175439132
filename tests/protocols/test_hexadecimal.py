"""Octets as people write them."""

import pytest

from protocols import NotHexadecimalError, octets_of


@pytest.mark.parametrize(
    "text",
    [
        "68170043",
        "68 17 00 43",
        "68 17 0 43",
        "0x68,0x17,0x00,0x43",
        "0x68170043",
        r"\x68\x17\x00\x43",
        "68-17-00-43",
        "68:17:00:43",
        "68H 17H 00h 43H",
        "[0x68, 0x17, 0x00, 0x43];",
        " 6817\t0043\n",
    ],
)
def test_forms(text: str) -> None:
    assert octets_of(text) == b"\x68\x17\x00\x43"


@pytest.mark.parametrize(("text", "named"), [("68 1g", "1g"), ("681 70043", "681"), ("frame", "frame")])
def test_anything_else_is_named(text: str, named: str) -> None:
    with pytest.raises(NotHexadecimalError, match=named):
        octets_of(text)


def test_nothing_is_nothing() -> None:
    assert octets_of("  ") == b""
