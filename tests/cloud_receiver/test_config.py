"""receiver.toml: defaults, paths, and every mistake with its key."""

from pathlib import Path

import pytest

from cloud_receiver import config
from cloud_receiver.service import link_settings
from settings.errors import ConfigError


def write(directory: Path, text: str) -> Path:
    path = directory / "receiver.toml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = config.load(
        write(tmp_path, '[centre]\nkey_file = "centre.key"\ndata_dir = "data"\n[dispatch]\nschedule = "f.csv"\n')
    )
    assert settings.centre.key_file == tmp_path / "centre.key"
    assert settings.centre.data_dir == tmp_path / "data"
    assert settings.registry == tmp_path / "registry.toml"
    assert settings.dispatch is not None
    assert settings.dispatch.schedule == tmp_path / "f.csv"
    assert settings.dispatch.slots == 96


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "[centre]\n[broker]\nport = 70000\nhots = 'x'\n[checks]\ncoverage_factor = 0\n")
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert caught.value.problems == (
        f"{path}: centre.key_file: is missing",
        f"{path}: broker.port: expected less than or equal to 65535, got 70000",
        f"{path}: broker.hots: unknown key; did you mean 'host'?",
        f"{path}: checks.coverage_factor: expected greater than 0, got 0",
    )


@pytest.mark.parametrize("text", ['protocol = "4"', "keepalive_s = 14", "keepalive_s = 65536"])
def test_a_broker_setting_out_of_range(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"broker.{text.split(maxsplit=1)[0]}"):
        config.load(write(tmp_path, f'[centre]\nkey_file = "k"\n[broker]\n{text}\n'))


@pytest.mark.parametrize("protocol", ["auto", "5", "3.1.1"])
def test_the_version_of_mqtt_is_passed_to_the_link(protocol: str, tmp_path: Path) -> None:
    settings = config.load(write(tmp_path, f'[centre]\nkey_file = "k"\n[broker]\nprotocol = "{protocol}"\n'))
    assert link_settings(settings.broker).protocol == protocol


@pytest.mark.parametrize("text", ["processes = -1", "processes = 65", "processes = 1.5", "processes = true"])
def test_a_number_of_processes_out_of_range_is_named(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"estimation.processes: "):
        config.load(write(tmp_path, f'[centre]\nkey_file = "k"\n[estimation]\n{text}\n'))
