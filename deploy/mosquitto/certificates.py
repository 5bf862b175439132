#!/usr/bin/env python3
"""A private authority for a broker of Diantan: certificates for the broker, centres and gateways; revocation.

The directory of the authority holds ca.crt, ca.key and ca.crl, the newest NAME.crt and NAME.key of each name, and
issued/SERIAL.crt for every certificate ever issued. ca.crl is the record of what is revoked. docs/broker.md tells what
goes where. Formats: RFC 5280; PEM throughout.
"""

import argparse
import ipaddress
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from settings.names import NAME_RULE, is_name

# Not a gateway's name, so that no gateway can be issued the centre's identity.
_CENTRE: Final = re.compile(r"_centre(-[A-Za-z0-9._-]{1,32})?")
_CHILD: Final = "_child-"
# A gateway whose clock runs a little behind shall take a new certificate all the same.
_BACKDATED: Final = timedelta(days=1)
_LEAST_RSA_BITS: Final = 2048


class CertificateError(Exception):
    """A certificate can't be issued or revoked as asked; the message names it and the file."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate of this authority, as `list` shows it."""

    name: str
    role: str
    certificate: x509.Certificate
    revoked: datetime | None

    @property
    def serial(self) -> str:
        """Return the serial number in hexadecimal digits."""
        return f"{self.certificate.serial_number:x}"


class Authority:
    """The directory of an authority, at an instant."""

    def __init__(self, directory: Path, now: datetime) -> None:
        self._directory = directory
        self._now = now.replace(microsecond=0)

    def create(self, name: str, days: int) -> None:
        """Make the authority: its key, its certificate and an empty list of revocations (CRL)."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._directory / "issued").mkdir(exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        public = key.public_key()
        certificate = (
            self._builder(subject, subject, public, public, days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(authority=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        _write(self._directory / "ca.key", _private_pem(key), 0o600, new=True)
        _write(self._directory / "ca.crt", _pem(certificate), 0o644, new=True)
        self._write_list(certificate, key, [], 1)

    def issue(
        self, name: str, role: str, days: int, *, hosts: Sequence[str] = (), request: Path | None = None, renew: bool
    ) -> Path:
        """Issue a certificate and return its file; with a request (CSR), for the key of the request.

        `renew` replaces the files of the name; the former certificate stays good until it ends or is revoked.
        """
        _check_name(name, role)
        authority, authority_key = self._load()
        if self._now + timedelta(days=days) > authority.not_valid_after_utc:
            raise CertificateError(
                f"{days} days go beyond the authority's end, {authority.not_valid_after_utc:%Y-%m-%d}"
            )
        target = self._directory / f"{name}.crt"
        if target.exists() and not renew:
            raise CertificateError(f"{target}: is there already; --renew issues another one")
        key = None if request else ec.generate_private_key(ec.SECP256R1())
        public = key.public_key() if key else _requested(request)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if role == "broker" else ExtendedKeyUsageOID.CLIENT_AUTH
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, name),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role),
            ]
        )
        builder = (
            self._builder(subject, authority.subject, public, authority_key.public_key(), days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            # A gateway that could pass for the broker would read what the others are sent.
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if hosts:
            names = x509.SubjectAlternativeName([_host(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(authority_key, hashes.SHA256())
        # The record first: what is not in issued/ could not be revoked by name.
        _write(self._directory / "issued" / f"{certificate.serial_number:x}.crt", _pem(certificate), 0o644, new=True)
        if key:
            _write(self._directory / f"{name}.key", _private_pem(key), 0o600)
        _write(target, _pem(certificate), 0o644)
        return target

    def revoke(self, name: str, serial: str | None = None, *, former: bool = False) -> list[Issued]:
        """Revoke the certificates of a name, or the one with the serial number, or all but the newest (`former`)."""
        authority, key = self._load()
        good = [item for item in self.issued() if item.name == name and item.revoked is None]
        if serial is not None:
            good = [item for item in good if item.serial == serial.lower()]
        elif former:
            good = good[:-1]
        if not good:
            raise CertificateError(f"{name}: no certificate of that name and serial number is left to revoke")
        entries = [
            x509.RevokedCertificateBuilder()
            .serial_number(item.certificate.serial_number)
            .revocation_date(self._now)
            .build()
            for item in good
        ]
        former_list = self._list()
        self._write_list(authority, key, [*former_list, *entries], _number_of(former_list) + 1)
        return good

    def issued(self) -> list[Issued]:
        """Return every certificate ever issued, by name and age."""
        revoked = {item.serial_number: item.revocation_date_utc for item in self._list()}
        found = []
        for file in (self._directory / "issued").glob("*.crt"):
            certificate = x509.load_pem_x509_certificate(_read(file))
            name, role = (
                str(certificate.subject.get_attributes_for_oid(oid)[0].value)
                for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME)
            )
            found.append(Issued(name, role, certificate, revoked.get(certificate.serial_number)))
        # Two of one second are told apart by the file's time, so that the newest is the newest.
        ages = {item.serial: (self._directory / "issued" / f"{item.serial}.crt").stat().st_mtime_ns for item in found}
        return sorted(found, key=lambda item: (item.name, item.certificate.not_valid_before_utc, ages[item.serial]))

    def _load(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = serialization.load_pem_private_key(_read(self._directory / "ca.key"), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise CertificateError(f"{self._directory / 'ca.key'}: expected an elliptic-curve key")
        return x509.load_pem_x509_certificate(_read(self._directory / "ca.crt")), key

    def _list(self) -> x509.CertificateRevocationList:
        return x509.load_pem_x509_crl(_read(self._directory / "ca.crl"))

    def _builder(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
        issuer_public: ec.EllipticCurvePublicKey,
        days: int,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _BACKDATED)
            .not_valid_after(self._now + timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public), critical=False)
        )

    def _write_list(
        self,
        authority: x509.Certificate,
        key: ec.EllipticCurvePrivateKey,
        entries: Sequence[x509.RevokedCertificate],
        number: int,
    ) -> None:
        # It lasts as long as the authority: when a list has run out, Mosquitto lets nobody in.
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(authority.subject)
            .last_update(self._now)
            .next_update(authority.not_valid_after_utc)
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        )
        for entry in entries:
            builder = builder.add_revoked_certificate(entry)
        _write(self._directory / "ca.crl", _pem(builder.sign(key, hashes.SHA256())), 0o644)


def _check_name(name: str, role: str) -> None:
    if role == "centre":
        if not _CENTRE.fullmatch(name):
            raise CertificateError(f"centre {name!r}: expected _centre, or _centre- and letters or digits")
    elif not is_name(name.removeprefix(_CHILD) if role == "child" else name):
        raise CertificateError(f"{role} {name!r}: expected {NAME_RULE}")
    elif name.lower() == "ca" or (role == "gateway" and name == "broker"):
        raise CertificateError(f"{role} {name!r}: the name is taken, its files would be those of another")


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _requested(file: Path | None) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    """Return the key of a request. Its name and wishes are passed over: the authority decides them."""
    assert file is not None
    try:
        request = x509.load_pem_x509_csr(_read(file))
        if not request.is_signature_valid:
            raise CertificateError(f"{file}: the request is not signed with its own key")
        key = request.public_key()
    except (ValueError, InvalidSignature) as error:
        raise CertificateError(f"{file}: expected a certificate request in PEM: {error}") from error
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS:
        return key
    raise CertificateError(f"{file}: expected an elliptic-curve key, or RSA of at least {_LEAST_RSA_BITS} bits")


def _number_of(revocations: x509.CertificateRevocationList) -> int:
    return revocations.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def _pem(item: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    return item.public_bytes(serialization.Encoding.PEM)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CertificateError(f"{file}: {error.strerror}") from error


def _write(file: Path, content: bytes, mode: int, *, new: bool = False) -> None:
    """Put a file in place whole, so that a broker that reads it meanwhile has the old or the new one."""
    if new and file.exists():
        raise CertificateError(f"{file}: is there already and is not overwritten")
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:  # noqa: PTH123  # a descriptor
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)


def main(arguments: Sequence[str] | None = None, now: datetime | None = None) -> int:
    """Run the command; return 0, or 1 when it failed (the reason is on stderr)."""
    options = _parser().parse_args(arguments)
    authority = Authority(options.directory, now or datetime.now(UTC))
    try:
        answer = _run(authority, options)
    except (CertificateError, ValueError, OSError) as error:
        sys.stderr.write(f"certificates: {error}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in answer))
    return 0


def _run(authority: Authority, options: argparse.Namespace) -> list[str]:
    if options.command == "ca":
        authority.create(options.name, options.days)
        return [f"authority {options.name!r} in {options.directory}"]
    if options.command == "revoke":
        revoked = authority.revoke(options.name, options.serial, former=options.former)
        return [f"revoked {item.name} {item.serial}" for item in revoked] + ["give the broker ca.crl and restart it"]
    if options.command == "list":
        return [_line(item) for item in authority.issued()]
    hosts = options.host if options.command == "broker" else ()
    name = f"{_CHILD}{options.name}" if options.command == "child" else options.name
    file = authority.issue(
        name, options.command, options.days, hosts=hosts, request=options.request, renew=options.renew
    )
    return [str(file)]


def _line(item: Issued) -> str:
    end = f"until {item.certificate.not_valid_after_utc:%Y-%m-%d}"
    state = f"revoked {item.revoked:%Y-%m-%d}" if item.revoked else end
    return f"{item.name}  {item.role}  {item.serial}  {state}"


def _days(text: str) -> int:
    days = int(text)
    if not 1 <= days <= 36_500:  # noqa: PLR2004  # a century
        raise ValueError(text)
    return days


def _parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(description="A private authority for a broker of Diantan.")
    root.add_argument("--directory", type=Path, default=Path("authority"), help="of the authority (default: authority)")
    sub = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    item = sub.add_parser("ca", help="make the authority")
    item.add_argument("--name", default="Diantan authority")
    item.add_argument("--days", type=_days, default=7300)
    roles = (("broker", "the broker"), ("centre", "a receiver"), ("child", "a centre below"), ("gateway", "a gateway"))
    for role, text in roles:
        item = sub.add_parser(role, help=f"issue a certificate for {text}")
        if role == "broker":
            item.set_defaults(name="broker")
            item.add_argument("host", nargs="+", help="name or address under which clients reach the broker")
        elif role == "centre":
            item.add_argument("name", nargs="?", default="_centre")
        else:
            item.add_argument("name")
        item.add_argument("--days", type=_days, default=1095)
        item.add_argument(
            "--request", type=Path, metavar="CSR", help="for the key of this request; it stays where it is"
        )
        item.add_argument("--renew", action="store_true", help="though there is one; that one stays good until its end")
    item = sub.add_parser("revoke", help="end certificates of a name before their time")
    item.add_argument("name")
    which = item.add_mutually_exclusive_group()
    which.add_argument("--serial", help="only this one")
    which.add_argument("--former", action="store_true", help="all but the newest, after a renewal")
    sub.add_parser("list", help="list what was issued")
    return root


if __name__ == "__main__":
    sys.exit(main())
