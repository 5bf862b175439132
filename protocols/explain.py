"""Octets to what they say: the frames in them, and what a frame says because of the one before it."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

from diantan_core import (
    Dlt645Frame,
    Dlt698DecodeError,
    Dlt698FragmentError,
    Dlt698Frame,
    Dlt698Reassembler,
    dlt698_decode_apdu,
)
from protocols.dlt645.meaning import tell as tell_645
from protocols.dlt698 import meaning as dlt698
from protocols.explained import Direction, Explained, fault
from protocols.modbus.meaning import tell as tell_modbus
from protocols.modbus.shape import EXCEPTION
from protocols.names import Names
from protocols.split import PROTOCOLS, Splitter
from protocols.starts import ModbusFrame, Piece

BARE_APDU: Final = "dlt698-apdu"
_MOST_REMEMBERED: Final = 256


class Explainer:
    """Tells what passes on one line, in order.

    It remembers what a later frame needs: Modbus requests, for the registers of their replies, and the fragments of a
    DL/T 698.45 message. `names` finds the values of profiles where no standard explains them.
    """

    def __init__(self, protocols: Iterable[str] = PROTOCOLS, *, names: Names | None = None) -> None:
        self._protocols = tuple(protocols)
        self._splitter = Splitter(name for name in self._protocols if name != BARE_APDU)
        self._names = names
        self._direction: Direction | None = None
        self._asked: ModbusFrame | None = None
        self._transactions: OrderedDict[tuple[int, int | None], bytes] = OrderedDict()
        self._fragments: OrderedDict[tuple[str, int, bool], Dlt698Reassembler] = OrderedDict()

    @property
    def pending(self) -> int:
        """How many octets wait for more."""
        return self._splitter.pending

    def feed(self, octets: bytes, direction: Direction | None = None) -> list[Explained]:
        """Take octets as they pass; `direction` where it is known, since some Modbus messages don't show it."""
        told = self.flush() if direction != self._direction else []
        self._direction = direction
        return told + [self._told(piece) for piece in self._splitter.feed(octets)]

    def flush(self) -> list[Explained]:
        """Give up what waits for more octets, after a silence."""
        return [self._told(piece) for piece in self._splitter.flush()]

    def forget_requests(self) -> None:
        """Take the next Modbus messages for no reply to what was heard so far: too much time has passed."""
        self._asked = None
        self._transactions.clear()

    def message(self, octets: bytes, direction: Direction | None = None) -> list[Explained]:
        """Take octets that belong together and to which nothing is added; a DL/T 698.45 APDU needs no frame here."""
        if self._protocols == (BARE_APDU,):
            return [_bare(octets)]
        told = self.feed(octets, direction) + self.flush()
        if "dlt698" in self._protocols and not any(found.intact for found in told) and _is_apdu(octets):
            return [_bare(octets)]
        return told

    def _told(self, piece: Piece) -> Explained:
        told = Explained(piece.octets, piece.protocol, error=piece.fault)
        frame = piece.frame
        if isinstance(frame, ModbusFrame):
            self._modbus(told, frame)
        elif isinstance(frame, Dlt645Frame):
            tell_645(told, frame, self._names)
        elif isinstance(frame, Dlt698Frame):
            self._dlt698(told, frame)
        return told

    def _modbus(self, told: Explained, frame: ModbusFrame) -> None:
        told.address = frame.unit
        if frame.transaction is not None:
            told.details["transaction"] = frame.transaction
        asked = self._request(frame)
        direction: Direction = frame.directions[0] if frame.directions else self._direction or "request"
        if len(frame.directions) != 1:
            direction = self._direction or ("reply" if asked is not None else "request")
        told.direction = direction
        told.sender = "master" if direction == "request" else "meter"
        try:
            tell_modbus(told, frame.pdu, direction, asked if direction == "reply" else None, self._names)
        except IndexError:
            told.error = fault("content", f"function {frame.pdu[0] if frame.pdu else '?'}: too short to be understood")
        if direction == "request":
            self._asked = frame if frame.transaction is None else self._asked
            if frame.transaction is not None:
                self._transactions[(frame.unit, frame.transaction)] = frame.pdu
                while len(self._transactions) > _MOST_REMEMBERED:
                    self._transactions.popitem(last=False)
        elif asked is not None:
            self._asked = None if frame.transaction is None else self._asked
            self._transactions.pop((frame.unit, frame.transaction), None)

    def _request(self, frame: ModbusFrame) -> bytes | None:
        """Return the request that a frame, if it is a reply, answers."""
        if frame.transaction is not None:
            asked = self._transactions.get((frame.unit, frame.transaction))
        else:
            asked = self._asked.pdu if self._asked is not None and self._asked.unit == frame.unit else None
        if asked and frame.pdu and asked[0] == frame.pdu[0] & ~EXCEPTION:
            return asked
        return None

    def _dlt698(self, told: Explained, frame: Dlt698Frame) -> None:
        dlt698.tell_frame(told, frame)
        message: Dlt698Frame | None = frame
        if frame.is_fragment:
            message = self._joined(told, frame)
        if message is not None:
            dlt698.tell_apdu(told, message.user_data, _inner, self._names)

    def _joined(self, told: Explained, frame: Dlt698Frame) -> Dlt698Frame | None:
        """Tell of a fragment (分帧); return the message when it is the last one."""
        try:
            number, kind, piece = frame.fragment()
        except Dlt698FragmentError as error:
            told.error = fault("content", str(error))
            return None
        told.type = f"fragment {number}, {kind}"
        told.details["fragment"] = {"number": number, "kind": kind, "size": len(piece)}
        if kind == "confirm":
            return None
        key = (frame.address, frame.client, frame.from_server)
        reassembler = self._fragments.setdefault(key, Dlt698Reassembler())
        while len(self._fragments) > _MOST_REMEMBERED:
            self._fragments.popitem(last=False)
        try:
            outcome, whole = reassembler.feed(frame)
        except Dlt698FragmentError as error:
            told.error = fault("content", str(error))
            return None
        if outcome == "repeated":
            told.details["repeated"] = True
        if isinstance(whole, Dlt698Frame):
            told.details["message_size"] = len(whole.user_data)
            return whole
        return None


def _inner(octets: bytes, direction: Direction) -> list[Explained]:
    """Explain what a frame carries, one level down."""
    return Explainer().message(octets, direction)


def _is_apdu(octets: bytes) -> bool:
    try:
        dlt698_decode_apdu(octets)
    except Dlt698DecodeError:
        return False
    return True


def _bare(octets: bytes) -> Explained:
    """Explain an APDU that stands without a frame."""
    told = Explained(octets, BARE_APDU)
    if _is_apdu(octets):
        told.direction, told.sender = dlt698.directions(octets)
    dlt698.tell_apdu(told, octets, _inner)
    return told


def explain(octets: bytes, protocol: str | None = None) -> list[dict[str, Any]]:
    """Return what octets say, a dictionary for each frame and each stretch of noise, in order.

    `protocol` is one of PROTOCOLS or "dlt698-apdu"; without it each is recognised. See `Explained` for what is told;
    ValueError for another protocol.
    """
    explainer = Explainer(PROTOCOLS if protocol is None else (protocol,))
    return [told.as_json() for told in explainer.message(octets)]
