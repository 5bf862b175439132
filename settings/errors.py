"""The error of a file or an option that can't be used."""

from collections.abc import Sequence


class ConfigError(ValueError):
    """What was configured can't be used; `problems` has one line for each mistake.

    A validator that finds several mistakes between keys raises it, too: each becomes a line of its own.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
