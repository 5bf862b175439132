"""`[parent]` and `[[child]]` in receiver.toml."""

from pathlib import Path

from cloud_receiver.broker_config import Broker
from settings.values import Name, Section


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
