"""Numbers of JSON stay texts."""

import pytest

from cloud_receiver.exact_json import parse_json


def test_numbers_are_the_texts_that_they_were() -> None:
    text = '{"a": 1.10, "b": -0, "c": 1e999999999, "d": [true, null, "1"], "e": NaN}'
    assert parse_json(text) == {"a": "1.10", "b": "-0", "c": "1e999999999", "d": [True, None, "1"], "e": "NaN"}
    assert parse_json(b"123456789012345678901234567890") == "123456789012345678901234567890"


@pytest.mark.parametrize("text", ["", "{", "[" * 200_000, b"\xff", '{"a": 01}'])
def test_what_is_none_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # what json says of it
        parse_json(text)
