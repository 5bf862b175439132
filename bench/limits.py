"""What a benchmark raises that has measured, and found a limit broken."""

from collections.abc import Sequence


class LimitError(Exception):
    """A limit is broken; the lines say what was measured and which one."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(lines[-1])
        self.lines = list(lines)
