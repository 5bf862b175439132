"""`[api]` in receiver.toml."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from settings.values import Host, Port, Section, Whole


class Api(Section):
    """The HTTP interface; off without a port. TLS is the reverse proxy's, so the default is loopback."""

    host: Host = "127.0.0.1"
    port: Port | None = None
    tokens_file: Path | None = None
    """Who may do what, with the hashes of their tokens."""
    connections: Annotated[Whole, Field(ge=1, le=10_000)] = 64
    """Open at a time; what comes beyond is closed."""
    requests_per_minute: Annotated[Whole, Field(ge=1, le=1_000_000)] = 600
    """Of a token, or of an address without one."""
    body_mib: Annotated[Whole, Field(ge=1, le=256)] = 32
    """Largest body of a request, uncompressed; JSON is parsed at once and may have 2 MiB at most."""
    timeout_s: Annotated[Whole, Field(ge=1, le=600)] = 30
    """How long a client may take for its headers, and for each part of a body, either way."""
