"""The authority's script: what it issues, what it refuses, and the list of revocations."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture
def call(certificates: ModuleType, tmp_path: Path) -> Callable[..., int]:
    """Run the script on an authority of this test, at a time."""

    def run(*arguments: object, now: datetime = NOW) -> int:
        return int(certificates.main(["--directory", str(tmp_path), *map(str, arguments)], now))

    return run


@pytest.fixture
def made(call: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> Callable[..., int]:
    """Make the authority first."""
    assert call("ca") == 0
    capsys.readouterr()
    return call


def load(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def revoked(directory: Path) -> list[int]:
    listed = x509.load_pem_x509_crl((directory / "ca.crl").read_bytes())
    authority = load(directory / "ca.crt").public_key()
    assert isinstance(authority, ec.EllipticCurvePublicKey)
    assert listed.is_signature_valid(authority)
    return [item.serial_number for item in listed]


@pytest.mark.parametrize(
    ("arguments", "name", "usage"),
    [
        (["broker", "mqtt.example.org", "192.0.2.7"], "broker", ExtendedKeyUsageOID.SERVER_AUTH),
        (["centre"], "_centre", ExtendedKeyUsageOID.CLIENT_AUTH),
        (["centre", "_centre-2"], "_centre-2", ExtendedKeyUsageOID.CLIENT_AUTH),
        (["child", "city"], "_child-city", ExtendedKeyUsageOID.CLIENT_AUTH),
        (["gateway", "gw1"], "gw1", ExtendedKeyUsageOID.CLIENT_AUTH),
    ],
)
def test_a_certificate_names_its_holder_and_has_one_use(
    arguments: list[str], name: str, usage: x509.ObjectIdentifier, made: Callable[..., int], tmp_path: Path
) -> None:
    assert made(*arguments) == 0
    certificate = load(tmp_path / f"{name}.crt")
    certificate.verify_directly_issued_by(load(tmp_path / "ca.crt"))
    (common,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert common.value == name
    extensions = certificate.extensions
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [usage]
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.not_valid_before_utc == NOW - timedelta(days=1)
    assert certificate.not_valid_after_utc == NOW + timedelta(days=1095)
    key = serialization.load_pem_private_key((tmp_path / f"{name}.key").read_bytes(), None)
    assert key.public_key() == certificate.public_key()
    assert (tmp_path / f"{name}.key").stat().st_mode & 0o777 == 0o600
    if name == "broker":
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["mqtt.example.org"]
        assert [str(item) for item in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]


def test_the_authority_can_only_sign(made: Callable[..., int], tmp_path: Path) -> None:
    authority = load(tmp_path / "ca.crt")
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600
    before = (tmp_path / "ca.key").read_bytes()
    assert made("ca") == 1
    assert (tmp_path / "ca.key").read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["gateway", "_centre"],
        ["gateway", "+"],
        ["gateway", "gw1/x"],
        ["gateway", ".gw1"],
        ["gateway", "ca"],
        ["gateway", "broker"],
        ["centre", "gw1"],
        ["centre", "_centre2/.."],
    ],
)
def test_a_name_that_would_be_another_is_refused(
    arguments: list[str], made: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert made(*arguments) == 1
    assert arguments[1] in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, name: str) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM)


def test_a_request_gets_a_certificate_for_its_key_and_nothing_else_it_asks(
    made: Callable[..., int], tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "gw1.csr").write_bytes(request(key, "_centre"))
    assert made("gateway", "gw1", "--request", tmp_path / "gw1.csr") == 0
    certificate = load(tmp_path / "gw1.crt")
    assert certificate.public_key() == key.public_key()
    assert [item.value for item in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["gw1"]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not (tmp_path / "gw1.key").exists()


@pytest.mark.parametrize("content", [b"", b"no request", request(ed25519.Ed25519PrivateKey.generate(), "gw1")])
def test_a_request_that_is_none_is_named(
    content: bytes, made: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gw1.csr").write_bytes(content)
    assert made("gateway", "gw1", "--request", tmp_path / "gw1.csr") == 1
    assert "gw1.csr: expected " in capsys.readouterr().err
    assert not (tmp_path / "gw1.crt").exists()


def test_a_request_changed_on_its_way_is_refused(
    made: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = x509.load_pem_x509_csr(request(ec.generate_private_key(ec.SECP256R1()), "gw1"))
    changed = original.public_bytes(serialization.Encoding.DER).replace(b"gw1", b"gw2", 1)
    forged = x509.load_der_x509_csr(changed).public_bytes(serialization.Encoding.PEM)
    (tmp_path / "gw1.csr").write_bytes(forged)
    assert made("gateway", "gw1", "--request", tmp_path / "gw1.csr") == 1
    assert "not signed with its own key" in capsys.readouterr().err


def test_a_renewal_leaves_the_former_one_good_until_it_is_revoked(
    made: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert made("gateway", "gw1") == 0
    first = load(tmp_path / "gw1.crt")
    assert made("gateway", "gw1") == 1
    assert "--renew" in capsys.readouterr().err
    assert made("gateway", "gw1", "--renew") == 0
    second = load(tmp_path / "gw1.crt")
    assert second.public_key() != first.public_key()
    assert revoked(tmp_path) == []
    assert made("revoke", "gw1", "--former", now=NOW + timedelta(days=9)) == 0
    assert revoked(tmp_path) == [first.serial_number]
    capsys.readouterr()
    assert made("list") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"gw1  gateway  {first.serial_number:x}  revoked 2026-07-10",
        f"gw1  gateway  {second.serial_number:x}  until 2029-06-30",
    ]
    assert made("revoke", "gw1", "--former") == 1


def test_revocations_add_up_and_the_list_lasts_as_long_as_the_authority(
    made: Callable[..., int], tmp_path: Path
) -> None:
    for name in ("gw1", "gw2", "gw3"):
        assert made("gateway", name) == 0
    serials = [load(tmp_path / f"{name}.crt").serial_number for name in ("gw1", "gw2")]
    assert made("revoke", "gw1") == 0
    assert made("revoke", "gw2", "--serial", f"{serials[1]:X}", now=NOW + timedelta(days=1)) == 0
    assert sorted(revoked(tmp_path)) == sorted(serials)
    listed = x509.load_pem_x509_crl((tmp_path / "ca.crl").read_bytes())
    assert listed.next_update_utc == load(tmp_path / "ca.crt").not_valid_after_utc
    assert listed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 3


@pytest.mark.parametrize("arguments", [["gw9"], ["gw1", "--serial", "abc"], ["gw1", "--former"]])
def test_what_can_not_be_revoked_is_named(
    arguments: list[str], made: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert made("gateway", "gw1") == 0
    assert made("revoke", *arguments) == 1
    assert f"{arguments[0]}: no certificate" in capsys.readouterr().err
    assert revoked(tmp_path) == []


def test_no_certificate_outlives_the_authority(
    call: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("ca", "--days", 100) == 0
    assert call("gateway", "gw1", "--days", 101) == 1
    assert "2026-10-09" in capsys.readouterr().err
    assert call("gateway", "gw1", "--days", 100) == 0


def test_without_an_authority_the_missing_file_is_named(
    call: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("gateway", "gw1") == 1
    assert f"{tmp_path / 'ca.key'}: No such file" in capsys.readouterr().err
