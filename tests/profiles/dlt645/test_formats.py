"""Formats against the core, which reads them too, and the places of values in FF blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import Dlt645Error, dlt645_decode, dlt645_item
from profiles.dlt645.formats import Format, Kind, block_place, di_text, parse_format, standard_item

FORMATS = ["XXXXXX.XX", "±XX.XXXX", "XX", "YYMMDDhhmm", "YYMMDDWW", "hhmmss", "digits:6", "bits:2", "bits:8"]


@pytest.mark.parametrize("text", FORMATS)
def test_a_format_has_the_length_that_the_core_demands(text: str) -> None:
    found = parse_format(text)
    assert found is not None
    assert dlt645_decode(0, bytes(found.length), [text])
    for other in (found.length - 1, found.length + 1):
        with pytest.raises(Dlt645Error):
            dlt645_decode(0, bytes(other), [text])


@given(st.text(alphabet="X.±YMDhmsW:digtbs0189²", max_size=12))
def test_what_is_no_format_here_is_none_of_the_core_or_holds_no_number(text: str) -> None:
    found = parse_format(text)
    try:
        dlt645_decode(0, bytes(found.length if found else 0), [text])
        known = True
    except Dlt645Error as error:
        known = "format such as" not in str(error)
    assert (found is not None) == (known and text != "raw" and not text.startswith("ascii:"))


def test_the_range_of_a_format_ends_at_its_digits() -> None:
    assert [_ends(text) for text in ("XXXXXX.XX", "±XX.XXXX", "bits:2", "digits:6")] == [
        (0, 99_999_999),
        (-799_999, 799_999),
        (0, 0xFFFF),
        (0, 10**12 - 1),
    ]
    assert parse_format("±XX.XXXX") == Format("±XX.XXXX", Kind.DECIMAL, 3, 4, signed=True)


def _ends(text: str) -> tuple[int, int]:
    found = parse_format(text)
    assert found is not None
    return found.least, found.greatest


def test_text_is_no_number() -> None:
    assert parse_format("ascii:32") is None
    assert standard_item(0x0400040B) is None
    assert standard_item(0x00D10000) is None


@pytest.mark.parametrize(
    ("di", "place"),
    [
        ("00010000", ("0001FF00", 0)),
        ("00010400", ("0001FF00", 4)),
        ("00013F00", ("0001FF00", 63)),
        ("01010000", ("0101FF00", 0)),
        ("02010100", ("0201FF00", 0)),
        ("02020300", ("0202FF00", 2)),
        ("02030000", ("0203FF00", 0)),
        ("02060300", ("0206FF00", 3)),
        ("04000501", ("040005FF", 0)),
        ("04000507", ("040005FF", 6)),
        ("00010001", ("0001FF01", 0)),
        ("0001FF00", None),
        ("02800002", None),
        ("04000401", None),
        ("05060101", None),
        ("02000200", None),
        ("00150000", None),
    ],
)
def test_a_value_has_its_place_in_a_block(di: str, place: tuple[str, int] | None) -> None:
    found = block_place(int(di, 16))
    assert (found and (di_text(found[0]), found[1])) == place
    if found is not None:
        item = dlt645_item(found[0])
        assert item is not None
        assert item.repeats
