"""`[api]` in receiver.toml."""

from pathlib import Path

from settings.values import Host, Port, Section


class Api(Section):
    """The HTTP interface; off without a port. TLS is the reverse proxy's, so the default is loopback."""

    host: Host = "127.0.0.1"
    port: Port | None = None
    tokens_file: Path | None = None
    """Who may do what, with the hashes of their tokens."""
