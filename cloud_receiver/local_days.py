"""Days and months as people write them on a command line."""

import argparse
import re
from datetime import date, timedelta
from typing import Final, NamedTuple

_FORM: Final = re.compile(r"\d{4}-\d{2}(-\d{2})?", re.ASCII)


class Days(NamedTuple):
    """A local day, or all days of a month."""

    first: date
    last: date


def days(text: str) -> Days:
    """Return what `2026-07` or `2026-07-01` means; an argument's mistake otherwise."""
    wrong = argparse.ArgumentTypeError(f"expected a month (2026-07) or a day (2026-07-01), found {text!r}")
    if not _FORM.fullmatch(text):
        raise wrong
    try:
        first = date.fromisoformat(f"{text}-01" if text.count("-") == 1 else text)
        following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    except ValueError:
        raise wrong from None
    return Days(first, following - timedelta(days=1) if text.count("-") == 1 else first)
