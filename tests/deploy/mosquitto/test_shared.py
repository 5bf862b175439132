"""Shared subscriptions at the deployed broker: who can join the receivers' group, and what that does."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from broker_support import SecureBroker, connected, refused

from wire import topics

pytestmark = pytest.mark.mosquitto

CENTRE = "_centre"
MESSAGES = 20
LAST = b"last"


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


def shared(group: str) -> str:
    return f"$share/{group}/{topics.ALL_RECORDS}"


async def share(broker: SecureBroker, group: str, other: str) -> tuple[list[bytes], list[bytes]]:
    """Let gw1 publish while the centre shares a group and gw2 subscribes too; return what either of them received."""
    async with (
        connected(broker.settings(CENTRE), shared(group), topics.ALL_STATUS) as centre,
        connected(broker.settings("gw2"), other, topics.acknowledgement("gw2")) as spy,
        connected(broker.settings("gw1")) as gateway,
    ):
        for number in range(MESSAGES):
            await gateway.link.publish(topics.records("gw1"), bytes([number]), 1)
        # What follows shows that everything before it has come, as far as it comes.
        await gateway.link.publish(topics.status("gw1"), LAST, 1)
        await centre.until(topics.status("gw1"), LAST)
        await centre.link.publish(topics.acknowledgement("gw2"), LAST, 1)
        await spy.until(topics.acknowledgement("gw2"), LAST)
        received, seen = ([body for _, body in item.inbox if body != LAST] for item in (centre, spy))
        return received, seen


def test_who_can_not_name_the_group_takes_nothing(broker: SecureBroker) -> None:
    """A gateway with a good certificate: any other group is one of its own, and may read nothing."""

    async def test() -> None:
        group = secrets.token_hex(16)
        for guess in ("diantan", group[:-1], group.upper() + "x", ""):
            other = shared(guess) if guess else topics.ALL_RECORDS
            received, seen = await share(broker, group, other)
            assert received == [bytes([number]) for number in range(MESSAGES)]
            assert seen == []

    run(test())


def test_who_has_no_certificate_can_not_join_even_by_name(
    broker: SecureBroker, tmp_path: Path, issue: Callable[..., str]
) -> None:
    foreign = tmp_path / "foreign"
    issue("--directory", foreign, "ca")
    issue("--directory", foreign, "centre")

    async def test() -> None:
        group = secrets.token_hex(16)
        async with (
            connected(broker.settings(CENTRE), shared(group)) as centre,
            connected(broker.settings("gw1")) as gateway,
        ):
            for stranger in (
                broker.settings(CENTRE, authority=foreign),
                type(broker.settings("gw1"))("127.0.0.1", broker.port, "gw1", reconnect_min_ms=50),
            ):
                await refused(stranger)
            for number in range(MESSAGES):
                await gateway.link.publish(topics.records("gw1"), bytes([number]), 1)
            await centre.until(topics.records("gw1"), bytes([MESSAGES - 1]))
            assert len(centre.inbox) == MESSAGES

    run(test())


def test_a_gateway_that_knows_the_name_takes_its_share_and_can_not_read_it(broker: SecureBroker) -> None:
    """What docs/broker.md warns of; that its gateway sends it again is shown with the programs, end to end.

    Should a version of Mosquitto refuse it, this test and the page are to be changed.
    """

    async def test() -> None:
        group = secrets.token_hex(16)
        received, seen = await share(broker, group, shared(group))
        assert seen == []
        assert 0 < len(received) < MESSAGES
        # Once it is gone, everything comes again.
        received, _ = await share(broker, group, topics.acknowledgement("gw2"))
        assert received == [bytes([number]) for number in range(MESSAGES)]

    run(test())


def test_a_receiver_that_is_away_keeps_its_share_until_its_session_ends(
    broker: SecureBroker, issue: Callable[..., str]
) -> None:
    """What docs/broker.md says of `session_expiry_s`: what was given to the absent one is brought to nobody else."""
    issue("--directory", broker.authority, "gateway", "second")  # may read nothing, which counts only at delivery

    async def test() -> None:
        group = secrets.token_hex(16)
        away = replace(broker.settings("second"), clean_start=False, session_expiry_s=3600)
        async with connected(away, shared(group)):
            pass
        received, _ = await share(broker, group, topics.acknowledgement("gw2"))
        assert len(received) == MESSAGES // 2

    run(test())
