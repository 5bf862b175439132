"""What the deployed broker lets a centre below this one do, with the block of diantan.acl that is made for it."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from broker_support import DEPLOY, SecureBroker, connected

from wire import topics
from wire.link import LinkError

pytestmark = pytest.mark.mosquitto

CENTRE, CITY, TOWN = "_centre", "_child-city", "_child-town"
UP, DOWN = topics.level_up("city"), topics.level_down("city")


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


@pytest.fixture
def broker(
    start_broker: Callable[..., SecureBroker], authority: Path, issue: Callable[..., str], tmp_path: Path
) -> SecureBroker:
    """Start the deployed configuration with two children, city and town, and a gateway that is called city too."""
    text = (DEPLOY / "diantan.acl").read_text()
    rules, template = text.split("#user _child-city", 1)
    block = f"#user _child-city{template}".replace("#user", "user").replace("#topic", "topic")
    assert "user _child" not in rules
    acl = tmp_path / "diantan.acl"
    acl.write_text(f"{rules}{block}\n{block.replace('city', 'town')}")
    for name in ("city", "town"):
        issue("--directory", authority, "child", name)
    issue("--directory", authority, "gateway", "city")
    return start_broker(acl)


def test_a_child_and_its_parent_speak(broker: SecureBroker) -> None:
    """Statements are retained: a child that comes later has the newest."""

    async def test() -> None:
        async with connected(broker.settings(CENTRE), topics.ALL_LEVEL_UP) as centre:
            await centre.link.publish(DOWN, b"down", 1, retain=True)
            async with connected(broker.settings(CITY), DOWN) as city:
                await city.until(DOWN, b"down")
                await city.link.publish(UP, b"up", 1, retain=True)
                await centre.until(UP, b"up")

    run(test())


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize(
    ("forger", "topic"),
    [
        (CITY, topics.level_up("town")),
        (CITY, topics.level_down("city")),
        (CITY, topics.level_down("town")),
        (CITY, topics.records(CITY.removeprefix("_child-"))),
        (CITY, "diantan/1/up/_child-city/records"),
        (CITY, topics.acknowledgement("gw1")),
        (CITY, topics.factor("N7")),
        (CITY, topics.GRID_FEED),
        (CITY, f"{UP}/more"),
        ("city", UP),
        ("city", DOWN),
        ("gw2", topics.level_up("gw2")),
    ],
)
def test_nobody_speaks_for_another(forger: str, topic: str, protocol: Any, broker: SecureBroker) -> None:
    """All that may read it would show it; the message behind it comes."""

    async def test() -> None:
        async with (
            connected(broker.settings(CENTRE), "diantan/1/level/+/up", "diantan/1/up/+/records", "#") as centre,
            connected(broker.settings("gw1"), "diantan/1/down/gw1/+", "diantan/1/factor/+") as gateway,
            connected(broker.settings(TOWN), topics.level_down("town")) as town,
        ):
            async with connected(broker.settings(forger, protocol=protocol)) as false:
                publish = false.link.publish(topic, b"forged", 1, retain=True)
                if protocol == "5":
                    with pytest.raises(LinkError, match="Not authorized"):
                        await publish
                else:
                    await publish
            async with connected(broker.settings(CITY), DOWN) as city:
                await city.link.publish(UP, b"behind", 1)
                await centre.until(UP, b"behind")
                for listener, own in (
                    (city, DOWN),
                    (town, topics.level_down("town")),
                    (gateway, topics.acknowledgement("gw1")),
                ):
                    await centre.link.publish(own, b"behind", 1)
                    await listener.until(own, b"behind")
                seen = [*centre.inbox, *gateway.inbox, *town.inbox, *city.inbox]
            assert b"forged" not in {payload for _, payload in seen}

    run(test())


@pytest.mark.parametrize("spy", [CITY, "city", "gw2"])
def test_nobody_hears_what_is_for_another(spy: str, broker: SecureBroker) -> None:
    """Neither a child, nor a gateway, even of the child's name."""
    own = {CITY: DOWN, "city": topics.acknowledgement("city"), "gw2": topics.acknowledgement("gw2")}[spy]
    everything = (
        *("#", "diantan/1/level/+/down", "diantan/1/level/+/up", "diantan/1/up/+/records", "diantan/1/down/+/+"),
        *(topics.level_down("town"), topics.level_up("town"), UP, topics.GRID_FEED, "$SYS/#"),
    )

    async def test() -> None:
        async with (
            connected(broker.settings(CENTRE), topics.ALL_LEVEL_UP, topics.ALL_RECORDS) as centre,
            connected(broker.settings(TOWN), topics.level_down("town")) as town,
            connected(broker.settings(spy), *everything, own) as listener,
        ):
            await town.link.publish(topics.level_up("town"), b"secret", 1)
            await centre.until(topics.level_up("town"), b"secret")
            await centre.link.publish(topics.level_down("town"), b"secret", 1)
            await town.until(topics.level_down("town"), b"secret")
            if spy != CITY:
                await centre.link.publish(DOWN, b"secret", 1)
            await centre.link.publish(topics.acknowledgement("gw1"), b"secret", 1)
            await centre.link.publish(own, b"behind", 1)
            await listener.until(own, b"behind")
            assert {topic for topic, _ in listener.inbox} == {own}

    run(test())
