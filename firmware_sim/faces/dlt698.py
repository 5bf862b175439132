"""DL/T 698.45-2017 as simulated meters speak it: frames, addresses, link fragments, and dialling in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from diantan_core import (
    Dlt698DecodeError,
    Dlt698FragmentError,
    Dlt698Frame,
    Dlt698FrameError,
    Dlt698Parser,
    Dlt698Reassembler,
    dlt698_decode_apdu,
    dlt698_encode_apdu,
)
from firmware_sim.faces.base import Answer, Values
from firmware_sim.faces.dlt698_link import Dialler
from firmware_sim.faces.dlt698_objects import Objects
from firmware_sim.faces.dlt698_server import UNREADABLE, UNSUPPORTED, Server, error_response
from profiles.dlt698.plan import FRAME_OCTETS
from profiles.dlt698.profile import Dlt698Profile
from profiles.model import Profile

PREAMBLE: Final = b"\xfe" * 4
HEARTBEAT_S: Final = 60
_DIRECTION: Final = 0x80
_FRAGMENT: Final = 0x20
_FRAGMENT_HEADER: Final = 2
_FRAGMENTS: Final = 4096
_USER_DATA: Final = 3
_DAR_TIMEOUT: Final = 33
_PROXY_REQUEST: Final = 0x09
_LONGEST_MESSAGE: Final = 65535


@dataclass(slots=True)
class _Meter:
    """A meter and what is under way with it."""

    id: str
    address: str
    server: Server
    dialler: Dialler
    joined: Dlt698Reassembler = field(default_factory=lambda: Dlt698Reassembler(_LONGEST_MESSAGE))
    to_send: list[Dlt698Frame] = field(default_factory=list)  # fragments that wait for a confirmation each
    fragment: int = 0  # number of the next one


class Dlt698Face:
    """The DL/T 698.45 meters of one line, or at the end of one connection."""

    protocol = "dlt698"

    def __init__(
        self,
        meters: Mapping[str, tuple[str, Profile, Values]],
        timezone: str,
        heartbeat_s: int = HEARTBEAT_S,
    ) -> None:
        """`heartbeat_s` is what meters that dial in promise in their login; TypeError for another profile."""
        self._parser = Dlt698Parser()
        self._meters: list[_Meter] = []
        for name, (address, profile, values) in meters.items():
            if not isinstance(profile, Dlt698Profile):
                raise TypeError(f"{name}: {profile.name} is not a profile of DL/T 698.45")
            lower = address.lower()
            server = Server(Objects(lower, profile, values, timezone))
            dialler = Dialler(lower, profile.association.client, heartbeat_s, timezone)
            self._meters.append(_Meter(name, lower, server, dialler))

    def addresses(self) -> Mapping[str, str]:
        """Return each meter's address by its id."""
        return {meter.id: meter.address for meter in self._meters}

    def feed(self, data: bytes, now_ms: int) -> Sequence[Answer]:
        """Take octets as they come from the client; return the replies of the meters that are meant."""
        frames = [found for found in self._parser.feed(data) if isinstance(found, Dlt698Frame)]
        return [answer for frame in frames if not frame.from_server for answer in self._hear(frame, now_ms)]

    def flush(self) -> None:
        """Give up an unfinished frame."""
        self._parser.flush()

    def misaddressed(self, octets: bytes) -> bytes:
        """Return a reply with the last digit of its address changed; octets that are no frame as they are."""
        try:
            frame = Dlt698Frame.decode(octets)
        except Dlt698FrameError:
            return octets
        digit = (int(frame.address[-1], 16) + 1) % 10
        return PREAMBLE + _readdressed(frame, f"{frame.address[:-1]}{digit}").encode()

    def opened(self, now_ms: int) -> Sequence[Answer]:
        """Return the logins of the meters, when the connection that they made is up."""
        return [Answer(meter.id, meter.dialler.login(now_ms)) for meter in self._meters]

    def due(self, now_ms: int) -> tuple[Sequence[Answer], int | None]:
        """Return the heartbeats, and logins not answered yet, that are due, and when to ask again."""
        said = [(meter.id, meter.dialler.say(now_ms)) for meter in self._meters]
        following = [meter.dialler.due_ms for meter in self._meters]
        return [Answer(name, octets) for name, octets in said if octets is not None], min(following, default=None)

    def _hear(self, frame: Dlt698Frame, now_ms: int) -> list[Answer]:
        meters = [meter for meter in self._meters if meant(frame, meter.address)]
        answered = frame.kind not in ("group", "broadcast")
        if meters and answered and frame.kind == "wildcard" and frame.user_data[:1] == bytes([_PROXY_REQUEST]):
            meters = meters[:1]  # one of them is the terminal that the others are behind
        answers: list[Answer] = []
        for meter in meters:
            for reply in self._serve(meter, frame, now_ms):
                # A meter says its own address, also where it was asked by a pattern.
                own = _readdressed(reply, meter.address)
                if answered:
                    answers.append(Answer(meter.id, PREAMBLE + own.encode()))
        return answers

    def _serve(self, meter: _Meter, frame: Dlt698Frame, now_ms: int) -> list[Dlt698Frame]:
        if frame.function != _USER_DATA:
            meter.dialler.hear(frame, now_ms)
            return []
        if not frame.is_fragment:
            meter.to_send.clear()
            return self._reply(meter, frame, now_ms)
        try:
            outcome, content = meter.joined.feed(frame)
        except Dlt698FragmentError:
            return []
        if outcome == "confirmed":
            waiting = meter.to_send
            if waiting and waiting[0].fragment()[0] == content:
                del waiting[0]
            return waiting[:1]
        replies = [frame.confirmation()]
        if isinstance(content, Dlt698Frame):
            replies += self._reply(meter, content, now_ms)
        return replies

    def _reply(self, meter: _Meter, frame: Dlt698Frame, now_ms: int) -> list[Dlt698Frame]:
        apdu = (
            self._pass_on(frame.user_data, now_ms)
            if frame.user_data[:1] == bytes([_PROXY_REQUEST])
            else meter.server.answer(frame.user_data, frame.client, now_ms)
        )
        if apdu is None:
            return []
        control = (frame.control | _DIRECTION) & ~_FRAGMENT
        reply = Dlt698Frame(control, meter.address, frame.client, apdu, logical=frame.logical)
        limit = meter.server.session(frame.client).receive_size
        if len(apdu) + FRAME_OCTETS <= limit:
            return [reply]
        pieces = reply.split(limit - FRAME_OCTETS - _FRAGMENT_HEADER, meter.fragment)
        meter.fragment = (meter.fragment + len(pieces)) % _FRAGMENTS
        meter.to_send = pieces
        return pieces[:1]

    def _pass_on(self, apdu: bytes, now_ms: int) -> bytes:
        """Answer PROXY-TransCommand (透明转发) as the terminal that the meters of this line are behind."""
        try:
            _, (choice, body) = dlt698_decode_apdu(apdu)
        except Dlt698DecodeError:
            return error_response(apdu, UNREADABLE)
        if choice != "transparent":
            return error_response(apdu, UNSUPPORTED)
        try:
            inner = Dlt698Frame.decode(bytes(body["command"]))
            answers = [] if inner.user_data[:1] == bytes([_PROXY_REQUEST]) else self._hear(inner, now_ms)
        except Dlt698FrameError:
            answers = []
        content = {
            "piid_acd": body["piid"],
            "port": body["port"],
            "result": ("answer", answers[0].octets) if answers else ("dar", _DAR_TIMEOUT),
            "follow_report": None,
            "time_tag": body["time_tag"],
        }
        return dlt698_encode_apdu(("proxy_response", ("transparent", content)))


def meant(frame: Dlt698Frame, address: str) -> bool:
    """Return whether a frame is for a meter: by its address, a pattern with A for any digit, or to all of them."""
    if frame.kind in ("group", "broadcast"):
        return True
    pattern = frame.address
    return len(pattern) == len(address) and all(
        wanted in ("a", digit) for wanted, digit in zip(pattern, address, strict=True)
    )


def _readdressed(frame: Dlt698Frame, address: str) -> Dlt698Frame:
    return Dlt698Frame(frame.control, address, frame.client, frame.user_data, logical=frame.logical)
