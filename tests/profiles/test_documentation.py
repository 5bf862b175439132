"""The examples of docs/profiles.md are what they say."""

from pathlib import Path

import pytest

from profiles import ProfileError
from profiles.loader import parse


def test_the_example_of_the_documentation_is_a_profile() -> None:
    text = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text("utf-8")
    blocks = [part.split("```")[0] for part in text.split("```toml\n")[1:]]
    profile = parse("\n".join(blocks), "x100.toml", "x100", {"ct": 40})
    assert set(profile.points) == {"energy_forward", "voltage_a", "power"}
    assert profile.tables["daily_freezes"].rows == 30
    assert profile.writes["factor"].count == 4
    wrong = blocks[0].replace('unit = "W"', 'unit = "kWh"').replace("0x0110", "0x0101")
    with pytest.raises(ProfileError) as caught:
        parse(wrong.replace(', default = "1"', ""), "x100.toml", "x100")
    for problem in caught.value.problems:
        assert str(problem).split(" (")[0] in text
