"""How a command and its answer are printed, as text or as JSON, and which exit status they make."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from cloud_receiver.orders import book, evidence, shown
from cloud_receiver.orders.book import Entry, Stored
from cloud_receiver.orders.evidence import Evidence
from cloud_receiver.orders.lines import document_lines, order_line, result_lines
from cloud_receiver.orders.shown import Object
from cloud_receiver.orders.values import local
from cloud_receiver.registry import Registry
from cloud_receiver.report_text import printable
from wire.commands import Outcome
from wire.keys import PublicKey


@dataclass(frozen=True, slots=True)
class Account:
    """A command with everything that is known of it."""

    stored: Stored
    evidence: Evidence
    zone: ZoneInfo

    @property
    def entry(self) -> Entry:
        """Return its row."""
        return self.stored.entry

    @property
    def done(self) -> bool:
        """Return whether the gateway has done it, provably."""
        return self.entry.outcome == Outcome.DONE and self.evidence.sound


def account(connection: Connection, number: bytes, stations: Registry, centre_keys: list[PublicKey]) -> Account | None:
    """Return the account of a command, times in its station's zone."""
    stored = book.load(connection, number)
    if stored is None:
        return None
    return Account(stored, evidence.examine(connection, stored, centre_keys), zone_of(stations, stored.entry.station))


def zone_of(stations: Registry, station: str) -> ZoneInfo:
    """Return a station's time zone; UTC for one that is not in the registry any more."""
    known = stations.find(station)
    return ZoneInfo(known.timezone) if known else ZoneInfo("UTC")


def entry_object(entry: Entry, zone: ZoneInfo, now_ms: int) -> Object:
    """Return what the list says of a command."""
    return {
        "id": entry.id.hex(),
        "gateway": entry.gateway,
        "station": entry.station,
        "verb": entry.verb_name,
        "author": entry.author,
        "state": entry.state(now_ms),
        "issued": local(entry.issued_ms, zone),
        "expires": local(entry.expires_ms, zone),
        "published": entry.published,
        "last_published": None if entry.published_ms is None else local(entry.published_ms, zone),
        "answered": None if entry.reply_ms is None else local(entry.reply_ms, zone),
    }


def account_object(item: Account, now_ms: int) -> Object:
    """Return the whole account."""
    proof, stored = item.evidence, item.stored
    return {
        **entry_object(item.entry, item.zone, now_ms),
        "order": None if proof.order is None else shown.order_object(proof.order),
        "order_signed_by": None if proof.order_kid is None else proof.order_kid.hex(),
        "order_fault": proof.order_fault,
        "reply": None if proof.reply is None else shown.reply_object(proof.reply, item.zone),
        "reply_signed_by": None if stored.reply_kid is None else stored.reply_kid.hex(),
        "reply_fault": proof.reply_fault,
    }


def entry_line(entry: Entry, zone: ZoneInfo, now_ms: int) -> str:
    """Return a command in one line of the list."""
    answered = "" if entry.reply_ms is None else f"  answered {local(entry.reply_ms, zone)}"
    return (
        f"{entry.id.hex()}  {entry.gateway}  {entry.verb_name}  {entry.state(now_ms)}  by {printable(entry.author)}  "
        f"issued {local(entry.issued_ms, zone)}  expires {local(entry.expires_ms, zone)}  "
        f"published x{entry.published}{answered}"
    )


def account_lines(item: Account, now_ms: int) -> Iterator[str]:
    """Yield the whole account."""
    proof = item.evidence
    content = entry_object(item.entry, item.zone, now_ms)
    content["order"] = "-" if proof.order is None else order_line(shown.order_object(proof.order))
    for name, value in content.items():
        yield f"{name.replace('_', ' '):<16}{printable(str(value if value is not None else '-'))}"
    yield f"{'order is':<16}{_verdict(proof.order_fault, 'the centre', proof.order_kid)}"
    order = None if proof.order is None else shown.order_object(proof.order)
    if order is not None and order.get("document") is not None:
        yield "ordered configuration:"
        yield from ("  " + line for line in document_lines(order["document"]))
    if item.stored.reply is None:
        return
    yield f"{'reply is':<16}{_verdict(proof.reply_fault, item.entry.gateway, item.stored.reply_kid)}"
    yield from answer_lines(item)


def answer_lines(item: Account) -> Iterator[str]:
    """Yield what the gateway has said."""
    reply = item.evidence.reply
    if reply is None:
        return
    found = shown.reply_object(reply, item.zone)
    if found["text"] or item.entry.outcome != Outcome.DONE:
        yield f"{item.entry.gateway}: {found['outcome']}{': ' if found['text'] else ''}{printable(found['text'])}"
    if found["result"] is not None:
        yield from result_lines(found["result"])


def json_text(content: object) -> str:
    """Return an object as JSON for people and programs."""
    return json.dumps(content, ensure_ascii=False, indent=2)


def _verdict(fault: str | None, signer: str, kid: bytes | None) -> str:
    key = "" if kid is None else f" with key {kid.hex()}"
    return f"verified: signed by {signer}{key}" if fault is None else f"NOT PROVED: {printable(fault)}"
