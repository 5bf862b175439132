"""The rule for names that stand in topics, file names and keys: one level of a topic, whoever writes it."""

import re
from typing import Final

# No wildcard, separator or control character, so that a name is one level of a topic and no path.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

NAME_RULE: Final = "1 to 64 letters, digits, '.', '_' or '-', the first a letter or a digit"


def is_name(text: str) -> bool:
    """Return whether a text keeps the rule."""
    return _NAME.fullmatch(text) is not None
