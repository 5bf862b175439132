"""Documents of JSON whose numbers stay as they were written."""

import json


def parse_json(text: str | bytes) -> object:
    """Return a document with its numbers as their texts: 1e999999 is one of few bytes, until it is computed with.

    ValueError for a text that is none.
    """
    try:
        return json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except RecursionError:
        raise ValueError("nested too deeply") from None
