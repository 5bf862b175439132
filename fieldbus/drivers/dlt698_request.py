"""Requests to DL/T 698.45 meters: APDUs numbered, wrapped as the profile says, framed, and cut to size."""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from diantan_core import Dlt698Frame, dlt698_encode_apdu
from fieldbus.drivers.dlt698_framing import CONFIRMED, Dlt698Framing
from fieldbus.drivers.dlt698_message import PIIDS, PROTOCOL, Device, Message, Signature, device
from fieldbus.drivers.dlt698_reply import of_get, verifier
from fieldbus.exchange import Bus, Heard, Request
from profiles.dlt698.model import Association, Proxy
from profiles.dlt698.plan import FRAME_OCTETS

REQUEST: Final = 0x43  # control field: to the server, begun by the client, user data
ADDRESS: Final = 0x40010200
_FRAGMENT_HEADER: Final = 2
_FRAGMENTS: Final = 4096
_TERMINAL: Final = "aaaaaaaaaaaa"  # whoever it is that stands in front of the meter
_RANDOM_OCTETS: Final = 16


@dataclass(slots=True)
class MeterState:
    """What the driver remembers of one meter."""

    device: Device
    association: Association
    piid: int = 0  # of the last request
    fragment: int = 0  # number of the next fragment
    send_size: int = 0  # of the longest frame that it takes
    connection: int | None = None  # on which the association was made; None: there is none
    asked_ms: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # fragments of two requests must not mix

    @property
    def address(self) -> str:
        """Its address, in lower case."""
        return self.device[1]

    @property
    def is_wildcard(self) -> bool:
        """Whether the address is a pattern, with A for any digit (通配地址)."""
        return "a" in self.address


class Requests:
    """Makes the requests of one line."""

    def __init__(self, bus: Bus, framing: Dlt698Framing, preamble: int, random: Callable[[int], bytes]) -> None:
        self._bus = bus
        self._framing = framing
        self._preamble = b"\xfe" * preamble
        self._random = random

    def make(
        self,
        meter: MeterState,
        name: str,
        content: Any,  # noqa: ANN401 - the body of any APDU, without PIID and time tag
        check: Callable[[str, Message], None],
        about: str,
    ) -> list[Request]:
        """Return what to send one after the other: one request, or the fragments of one, the last with the answer."""
        piid = self._piid(meter)
        apdu = _numbered(name, content, piid)
        frame, signature = self._frame(meter, apdu, piid, name.replace("_request", "_response"))
        limit = meter.send_size or meter.association.send_size
        octets = frame.encode()
        if len(octets) <= limit or meter.association.proxy is not None:  # it is the terminal's to cut it for the meter
            return [self._request(meter, octets, signature, about, verifier(about, check))]
        size = limit - FRAME_OCTETS - _FRAGMENT_HEADER
        pieces = frame.split(size, meter.fragment)
        numbers = [(meter.fragment + index) % _FRAGMENTS for index in range(len(pieces))]
        meter.fragment = (numbers[-1] + 1) % _FRAGMENTS
        requests = [
            self._request(meter, piece.encode(), (number, CONFIRMED), f"{about}, fragment {number}", None)
            for piece, number in zip(pieces[:-1], numbers, strict=False)
        ]
        last = self._request(meter, pieces[-1].encode(), signature, about, verifier(about, check))
        self._framing.leave_unsaid(meter.device, numbers[-1])
        return [*requests, last]

    def broadcast(self, apdu: bytes, about: str) -> Request:
        """Return what is sent to every meter and answered by none (广播)."""
        frame = Dlt698Frame(REQUEST, "aa", 0, apdu, kind="broadcast")
        return Request(device("aa"), self._preamble + frame.encode(), None, self._framing, about)

    def _request(
        self,
        meter: MeterState,
        octets: bytes,
        signature: Hashable,
        about: str,
        verify: Callable[[Heard], None] | None,
    ) -> Request:
        return Request(
            meter.device,
            self._preamble + octets,
            signature,
            self._framing,
            about,
            answers=_pattern(meter.address, signature) if meter.is_wildcard else None,
            probe=lambda unanswered: self._probe(meter, unanswered),
            verify=verify,
        )

    def _probe(self, meter: MeterState, unanswered: frozenset[Hashable]) -> Request | None:
        """Return a request for the meter's address; it needs a PIID of its own, of which there are 64."""
        taken = {signature[0] for signature in unanswered if isinstance(signature, tuple)}
        free = next((piid for piid in _round(meter.piid) if piid not in taken), None)
        if free is None:
            return None
        meter.piid = free
        apdu = _numbered("get_request", ("normal", {"oad": ADDRESS}), free)
        frame, signature = self._frame(meter, apdu, free, "get_response")
        about = f"address {meter.address}, to see what is still under way"
        return self._request(meter, frame.encode(), signature, about, verifier(about, of_get("normal", (ADDRESS,))))

    def _piid(self, meter: MeterState) -> int:
        """Return the next PIID, not one of those whose reply may still come."""
        taken = {signature[0] for signature in self._bus.unanswered(meter.device) if isinstance(signature, tuple)}
        meter.piid = next((piid for piid in _round(meter.piid) if piid not in taken), (meter.piid + 1) % PIIDS)
        return meter.piid

    def _frame(self, meter: MeterState, apdu: bytes, piid: int, reply: str) -> tuple[Dlt698Frame, Signature]:
        association = meter.association
        if association.plain_security:
            verification = ("rn", self._random(_RANDOM_OCTETS))
            apdu = dlt698_encode_apdu(("security_request", {"apdu": ("plain", apdu), "verification": verification}))
        frame = Dlt698Frame(
            REQUEST,
            meter.address,
            association.client,
            apdu,
            kind="wildcard" if meter.is_wildcard else "single",
            logical=association.logical,
        )
        if association.proxy is not None:
            frame = self._passed_on(meter, association.proxy, frame, piid)
        return frame, (piid, reply, association.client, association.logical)

    def _passed_on(self, meter: MeterState, proxy: Proxy, inner: Dlt698Frame, piid: int) -> Dlt698Frame:
        terminal = proxy.terminal or _TERMINAL
        self._framing.expect_passed_on(piid, device(terminal), meter.device)
        content = {
            "piid": piid,
            "port": proxy.port,
            "settings": {
                "baud": proxy.baud,
                "parity": proxy.parity,
                "data_bits": 8,
                "stop_bits": 1,
                "flow": 0,
            },
            "message_timeout_s": proxy.message_timeout_s,
            "byte_timeout_ms": proxy.byte_timeout_ms,
            "command": inner.encode(),
            "time_tag": None,
        }
        apdu = dlt698_encode_apdu(("proxy_request", ("transparent", content)))
        kind: Literal["single", "wildcard"] = "single" if proxy.terminal else "wildcard"
        return Dlt698Frame(REQUEST, terminal, meter.association.client, apdu, kind=kind)


def _round(last: int) -> list[int]:
    return [(last + step) % PIIDS for step in range(1, PIIDS + 1)]


def _numbered(name: str, content: Any, piid: int) -> bytes:  # noqa: ANN401 - the body of any APDU
    added = {"piid": piid, "time_tag": None}
    whole = (content[0], {**content[1], **added}) if isinstance(content, tuple) else {**content, **added}
    return dlt698_encode_apdu((name, whole))


def _pattern(address: str, signature: Hashable) -> Callable[[Heard], bool]:
    """Return what accepts the reply of any meter that a wildcard address means."""

    def answers(heard: Heard) -> bool:
        if heard.signature is None:
            may_be = heard.refuses is not None and heard.refuses(signature)
        else:
            may_be = heard.signature == signature
        return (
            may_be
            and isinstance(heard.device, tuple)
            and heard.device[0] == PROTOCOL
            and meant(address, heard.device[1])
        )

    return answers


def meant(pattern: str, address: str) -> bool:
    """Return whether a wildcard address (通配地址), with A for any digit, means this address."""
    return len(pattern) == len(address) and all(
        wanted in ("a", digit) for wanted, digit in zip(pattern, address, strict=True)
    )
