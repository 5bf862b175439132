"""Topics: built and taken apart, with names that can be one level."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import topics

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)


@given(NAMES)
def test_upward_topics_come_apart(gateway: str) -> None:
    for kind, topic in (
        ("records", topics.records(gateway)),
        ("live", topics.live(gateway)),
        ("status", topics.status(gateway)),
        ("reply", topics.reply(gateway)),
    ):
        assert topics.parse_up(topic) == (gateway, kind)


def test_the_topics_are_those_of_the_design() -> None:
    assert topics.records("gw") == "diantan/1/up/gw/records"
    assert topics.acknowledgement("gw") == "diantan/1/down/gw/ack"
    assert topics.command("gw") == "diantan/1/down/gw/command"
    assert topics.reply("gw") == "diantan/1/up/gw/reply"
    assert topics.factor("node") == "diantan/1/factor/node"
    assert topics.ALL_RECORDS == "diantan/1/up/+/records"


@pytest.mark.parametrize("name", ["", "a/b", "+", "#", "a+", "-a", ".a", "a b", "a\n", "电", "a" * 65, "\x00"])
def test_names_that_are_no_level_are_refused(name: str) -> None:
    for build in (
        topics.records,
        topics.live,
        topics.status,
        topics.acknowledgement,
        topics.factor,
        topics.command,
        topics.reply,
    ):
        with pytest.raises(topics.TopicError):
            build(name)


@pytest.mark.parametrize(
    "topic",
    ["", "diantan/1/up/gw", "diantan/2/up/gw/records", "diantan/1/up/g+/live", "diantan/1/up/gw/records\n", "x"],
)
def test_other_topics_are_refused(topic: str) -> None:
    with pytest.raises(topics.TopicError):
        topics.parse_up(topic)
