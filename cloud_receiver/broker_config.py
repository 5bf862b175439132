"""`[broker]` and `[parent.broker]` in receiver.toml: an MQTT broker and how it is reached."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from settings.values import Host, Port, Section, Whole


class Broker(Section):
    """The MQTT broker."""

    host: Host = "127.0.0.1"
    port: Port = 1883
    client_id: str = "diantan-receiver"
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    """Version of MQTT; auto tries 5 first."""
    keepalive_s: Annotated[Whole, Field(ge=15, le=65_535)] = 60
    """At least 15: while another program holds the store's lock, the receiver may not answer for 15 s (docs)."""
    session_expiry_s: Annotated[Whole, Field(ge=0)] = 86_400
    """How long the broker keeps what arrives while the receiver is away (MQTT 5)."""
    shared_group: str | None = None
    """Receivers with the same group share one subscription (MQTT 5): any of them may take any batch."""
