"""Partners from the configuration: topics, limits, and mistakes by their keys."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cloud_receiver.levels.config import Child, Parent
from cloud_receiver.levels.partner import Rank, Side, partners
from cloud_receiver.registry import Meter, Registry, Role, Station
from settings.errors import ConfigError
from wire.keys import generate, save_public


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pub"
    save_public(generate().public_key(), path)
    return path


REGISTRY = Registry(
    station=(
        Station(
            id="S",
            node="N",
            meter=(
                Meter(
                    id="tie",
                    role=Role.FLOW,
                    gateway="g",
                    rated_kw=Decimal(1),
                    accuracy_class=Decimal("0.2"),
                    resolution_kwh=Decimal("0.1"),
                    measures="load town",
                ),
            ),
        ),
    )
)


def test_each_side_speaks_on_its_topic(key: Path) -> None:
    parent = Parent(centre="nation", node="N1", source="nation", key_file=key)
    child = Child(centre="town", node="N2", load="town", key_file=key)
    above, below = partners(parent, [child], REGISTRY, "city")
    assert (above.rank, below.rank) == (Rank.PARENT, Rank.CHILD)
    assert above.topic_of(Side.OURS, "city") == "diantan/1/level/city/up"
    assert above.topic_of(Side.THEIRS, "city") == "diantan/1/level/city/down"
    assert below.topic_of(Side.OURS, "city") == "diantan/1/level/town/down"
    assert below.topic_of(Side.THEIRS, "city") == "diantan/1/level/town/up"
    assert below.limits([0]) == (2000, 100_000)
    assert above.limits([0]) == (None, None)
    assert (above.feed, below.feed) == ("centre nation", "centre town")


def test_mistakes_are_named_by_their_keys(key: Path, tmp_path: Path) -> None:
    parent = Parent(centre="city", node="N1", source="x", key_file=key)
    children = [
        Child(centre="a", node="N2", load="town", key_file=tmp_path / "none"),
        Child(centre="a", node="N2", load="town", key_file=key),
        Child(centre="b" * 58, node="N3", load="village", key_file=key),
    ]
    with pytest.raises(ConfigError) as caught:
        partners(parent, children, REGISTRY, "city")
    text = str(caught.value)
    assert "parent.centre: city is the name of centre.name too" in text
    assert "child[1].key_file" in text
    assert "child[2].centre: a is the name of child[1] too" in text
    assert "child[2]: load town stands for child[1] already" in text
    assert "child[3].centre: expected at most 57 characters, found 58" in text


def test_limits_are_those_of_the_meter_in_service(key: Path) -> None:
    """An exchange that is planned says nothing of the slots before it."""
    at = datetime(2026, 7, 1, tzinfo=UTC)
    old = REGISTRY.station[0].meter[0].model_copy(update={"until": at})
    new = old.model_copy(update={"id": "new", "since": at, "until": None, "accuracy_class": Decimal("0.5")})
    registry = Registry(station=(REGISTRY.station[0].model_copy(update={"meter": (new, old)}),))
    (town,) = partners(None, [Child(centre="town", node="N2", load="town", key_file=key)], registry, "city")
    exchange = int(at.timestamp()) * 1000
    assert [item.id for item in town.meters] == ["tie", "new"]
    assert town.limits([exchange - 900_000]) == (2000, 100_000)
    assert town.limits([exchange]) == town.limits([exchange - 900_000, exchange]) == (5000, 100_000)
