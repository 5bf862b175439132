"""Arguments that several commands have."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

CONFIG_VARIABLE: Final = "DIANTAN_AGENT_CONFIG"
DEFAULT_CONFIG: Final = "agent.toml"


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the gateway's configuration file."""
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        default=Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_CONFIG)),
        metavar="FILE",
        help=f"the gateway's TOML file (default: ${CONFIG_VARIABLE}, else {DEFAULT_CONFIG} here)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the choice of JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """Add the parameters of a profile."""
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        type=_parameter,
        metavar="NAME=VALUE",
        help="a parameter of the profile, such as ct=40; may be repeated",
    )


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number of an option; more digits than `most` has are not even looked at."""

    def number(text: str) -> int:
        plain = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
        if not plain or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, found {text[:40]!r}")
        return int(text)

    return number


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, found {text!r}")
    return name, value
