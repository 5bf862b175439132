"""MQTT topics, version 1 (design section 6)."""

import re

from settings.names import NAME_RULE, is_name

ROOT = "diantan/1"


class TopicError(ValueError):
    """A name that can't be part of a topic, or a topic of another form than expected."""


def checked_name(name: str) -> str:
    """Return the name if it may be one level of a topic, else raise TopicError."""
    if not is_name(name):
        raise TopicError(f"name {name!r}: expected {NAME_RULE}")
    return name


def records(gateway: str) -> str:
    """Return the topic of a gateway's record batches."""
    return f"{ROOT}/up/{checked_name(gateway)}/records"


def live(gateway: str) -> str:
    """Return the topic of a gateway's latest instantaneous values."""
    return f"{ROOT}/up/{checked_name(gateway)}/live"


def status(gateway: str) -> str:
    """Return the topic of a gateway's birth, will and health."""
    return f"{ROOT}/up/{checked_name(gateway)}/status"


def reply(gateway: str) -> str:
    """Return the topic of a gateway's replies to commands."""
    return f"{ROOT}/up/{checked_name(gateway)}/reply"


def command(gateway: str) -> str:
    """Return the topic on which the centre commands a gateway."""
    return f"{ROOT}/down/{checked_name(gateway)}/command"


def acknowledgement(gateway: str) -> str:
    """Return the topic on which the centre acknowledges a gateway's records."""
    return f"{ROOT}/down/{checked_name(gateway)}/ack"


def factor(node: str) -> str:
    """Return the topic of a node's carbon factors."""
    return f"{ROOT}/factor/{checked_name(node)}"


def level_up(child: str) -> str:
    """Return the topic on which a child speaks to its parent, at the parent's broker."""
    return f"{ROOT}/level/{checked_name(child)}/up"


def level_down(child: str) -> str:
    """Return the topic on which a parent speaks to a child."""
    return f"{ROOT}/level/{checked_name(child)}/down"


GRID_FEED = f"{ROOT}/feed/grid/slot"
"""On which the centre tells of each solved slot of the grid."""
ALL_RECORDS = f"{ROOT}/up/+/records"
ALL_LIVE = f"{ROOT}/up/+/live"
ALL_STATUS = f"{ROOT}/up/+/status"
ALL_REPLIES = f"{ROOT}/up/+/reply"
ALL_LEVEL_UP = f"{ROOT}/level/+/up"

_UP = re.compile(rf"{re.escape(ROOT)}/up/([^/]+)/(records|live|status|reply)")


def parse_up(topic: str) -> tuple[str, str]:
    """Return (gateway, kind) of an upward topic, kind being records, live, status or reply; else raise TopicError."""
    match = _UP.fullmatch(topic)
    if not match:
        raise TopicError(f"topic {topic!r}: expected {ROOT}/up/GATEWAY/(records|live|status|reply)")
    return checked_name(match[1]), match[2]
