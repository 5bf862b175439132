"""Reading registry.toml."""

from pathlib import Path
from typing import Final

from cloud_receiver.registry.problems import problems_of
from cloud_receiver.registry.station import Registry
from settings.errors import ConfigError
from settings.load import load as load_file

_LARGEST_FILE: Final = 64 << 20  # a province's meters, some hundred bytes each


def load(path: Path) -> Registry:
    """Read and check registry.toml; ConfigError has every mistake."""
    registry = load_file(path, Registry, _LARGEST_FILE)
    if problems := problems_of(registry):
        raise ConfigError([f"{path}: {problem}" for problem in problems])
    return registry
