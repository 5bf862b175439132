"""`[parent]`, `[[child]]` and `[levels]` in receiver.toml."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cloud_receiver.broker_config import Broker
from settings.values import Name, Section, Whole


class LevelStore(Section):
    """What is kept of the talks with other centres."""

    keep_days: Annotated[Whole, Field(ge=40, le=36_500)] = 1200
    """How long what both sides said of a slot is kept; what a statement tells is of at most the last 35 days."""


class Parent(Section):
    """The centre above this one, at whose node this grid hangs."""

    centre: Name
    """Its name."""
    node: Name
    """The boundary node (关口节点) in the parent's grid: its factor is that of what comes in."""
    source: str
    """The generator of this grid that stands for what comes in over the boundary."""
    key_file: Path
    """The parent's public key."""
    broker: Broker = Broker(client_id="diantan-child")
    """The parent's broker."""


class Child(Section):
    """A centre below this one."""

    centre: Name
    node: Name
    """The node of this grid at which it hangs."""
    load: str
    """The load of this grid that it is."""
    key_file: Path
    """Its public key."""
