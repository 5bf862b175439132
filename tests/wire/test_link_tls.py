"""The link over TLS, with a certificate authority and keys made for the test."""

import asyncio
import datetime as dt
import ipaddress
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.x509.oid import NameOID

from clock import SystemClock
from wire.link import Link, LinkError, LinkSettings, Received

pytestmark = pytest.mark.mosquitto


def issue(directory: Path, name: str, issuer: str | None) -> None:
    """Write a key and a certificate for 127.0.0.1, signed by the issuer's key or, for an authority, by its own."""
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signing_key: Any = key
    issuer_name, issuer_public = subject, key.public_key()
    if issuer is not None:
        signing_key = serialization.load_pem_private_key((directory / f"{issuer}.key").read_bytes(), None)
        assert isinstance(signing_key, EllipticCurvePrivateKey)
        issuer_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)])
        issuer_public = signing_key.public_key()
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=issuer is None,
                crl_sign=issuer is None,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(signing_key, hashes.SHA256())
    )
    (directory / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.fixture
def broker(mosquitto: Any) -> Iterator[tuple[int, Path]]:
    """Start a second Mosquitto that speaks TLS and asks for a client certificate."""
    directory: Path = mosquitto.directory
    issue(directory, "authority", None)
    issue(directory, "broker", "authority")
    issue(directory, "gateway", "authority")
    issue(directory, "stranger", None)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = directory / "tls.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nrequire_certificate true\nuser root\nlog_type error\n"
        f"cafile {directory}/authority.crt\ncertfile {directory}/broker.crt\nkeyfile {directory}/broker.key\n"
    )
    program = mosquitto.process.args[0]
    with subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            yield port, directory
        finally:
            process.terminate()
            process.wait(10)


def settings(broker: tuple[int, Path], authority: str, client: str) -> LinkSettings:
    port, directory = broker
    return LinkSettings(
        "127.0.0.1",
        port,
        "one",
        ca_file=directory / f"{authority}.crt",
        cert_file=directory / f"{client}.crt",
        key_file=directory / f"{client}.key",
        reconnect_min_ms=50,
        reconnect_max_ms=100,
    )


def test_large_messages_pass_over_tls(broker: tuple[int, Path]) -> None:
    async def test() -> None:
        inbox: asyncio.Queue[Received] = asyncio.Queue()
        link = Link(settings(broker, "authority", "gateway"), SystemClock(), on_message=inbox.put_nowait)
        link.subscribe("t", 1)
        await link.start()
        await link.wait_connected()
        sent = [bytes([i]) * 100_000 for i in range(20)]
        publishing = [link.publish("t", payload, 1) for payload in sent]
        for payload in sent:
            message = await inbox.get()
            message.ack()
            assert message.payload == payload
        await asyncio.gather(*publishing)
        await link.stop()

    asyncio.run(asyncio.wait_for(test(), 20))


@pytest.mark.parametrize(("authority", "client"), [("stranger", "gateway"), ("authority", "stranger")])
def test_an_untrusted_peer_is_not_talked_to(
    broker: tuple[int, Path], authority: str, client: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        tries = asyncio.Queue[None]()

        def jitter() -> float:
            tries.put_nowait(None)
            return 1.0

        link = Link(settings(broker, authority, client), SystemClock(), jitter=jitter)
        await link.start()
        for _ in range(3):
            await tries.get()
        assert not link.connected
        with pytest.raises(LinkError):
            await link.publish("t", b"", 1)
        await link.stop()

    asyncio.run(asyncio.wait_for(test(), 20))
    if authority == "stranger":
        assert "certificate verify failed" in caplog.text
