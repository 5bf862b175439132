"""How to reach a broker: address, secrets in files, TLS."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


class LinkError(Exception):
    """The link is not there, broke before the broker answered, or the broker refused; the message says which."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """How to reach the broker. Secrets stay in files."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password_file: Path | str | None = None
    ca_file: Path | str | None = None
    cert_file: Path | str | None = None
    key_file: Path | str | None = None
    tls: bool = False  # with the system's certificate authorities; implied by any of the three files
    keepalive_s: int = 60
    clean_start: bool = True
    session_expiry_s: int = 0  # how long the broker keeps the session of a client that left (MQTT 5)
    protocol: Literal["auto", "5", "3.1.1"] = "auto"  # auto: 5 is tried first
    window: int = 20  # publishes awaiting PUBACK: paho's cost per message grows with their number
    receive_maximum: int = 1000  # messages the broker may send before they are acknowledged (MQTT 5)
    reconnect_min_ms: int = 1_000
    reconnect_max_ms: int = 60_000


class _ClosingSocket(ssl.SSLSocket):
    """A TLS socket that a failed handshake closes; paho drops it open."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  # the overridden signature
        """Shake hands, or close and raise."""
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def tls_context(settings: LinkSettings) -> ssl.SSLContext | None:
    """Return what the settings say about TLS, None for a plain connection; LinkError names a file that is no good."""
    if not (settings.tls or settings.ca_file or settings.cert_file or settings.key_file):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        context.sslsocket_class = _ClosingSocket
        if settings.cert_file is not None:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        files = [str(file) for file in (settings.ca_file, settings.cert_file, settings.key_file) if file]
        raise LinkError(f"TLS files {', '.join(files)}: {reason_of(error)}") from error
    return context


def read_password(settings: LinkSettings) -> str | None:
    """Return the password from its file, read anew for each connection so that it can be changed in place."""
    if settings.password_file is None:
        return None
    try:
        return Path(settings.password_file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise LinkError(f"password file {settings.password_file}: {reason_of(error)}") from error


def reason_of(error: Exception) -> str:
    """Return an error's text, or its type's name where it has none."""
    return str(error) or type(error).__name__
