"""The form of a file as people say it: by option and by parameter alike."""

import argparse

import pytest

from cloud_receiver.delimited import arguments
from cloud_receiver.delimited.form import FormError, decimal, encoding, separator


def test_what_is_said_and_what_is_not() -> None:
    assert [separator(text) for text in (None, ",", ";", "tab", "\t")] == [None, ",", ";", "\t", "\t"]
    assert [decimal(text) for text in (None, "point", ".", "comma", ",")] == [None, ".", ".", ",", ","]
    assert [encoding(text) for text in (None, "gb18030")] == ["utf-8", "gb18030"]


@pytest.mark.parametrize(("reader", "name"), [(separator, "separator"), (decimal, "decimal"), (encoding, "encoding")])
def test_what_is_none_is_named(reader: object, name: str) -> None:
    assert callable(reader)
    with pytest.raises(FormError, match=f"{name}: expected one of .*; found 'rot13'"):
        reader("rot13")


def test_the_options_of_every_command() -> None:
    parser = argparse.ArgumentParser()
    arguments.add(parser, ("time",))
    found = vars(
        parser.parse_args(["--column", "time=a", "--column", "time=b", "--separator", "tab", "--decimal", ","])
    )
    assert found == {
        "column": ["time=a", "time=b"],
        "separator": "tab",
        "decimal": ",",
        "encoding": "utf-8",
        "zone": None,
        "dates": "auto",
        "time_format": None,
    }
