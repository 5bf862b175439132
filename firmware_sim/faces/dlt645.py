"""DL/T 645-2007 as simulated meters speak it, many of them on one line.

A meter answers what is meant for it and nothing else: its own address, the wildcard, and shortened addresses
(缩位寻址). A broadcast is obeyed and not answered. Several meters that answer at once disturb each other.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from diantan_core import (
    Dlt645Error,
    Dlt645Frame,
    Dlt645Message,
    Dlt645Parser,
    dlt645_build,
    dlt645_encode,
    dlt645_matches,
    dlt645_parse,
)
from firmware_sim.faces.base import Answer, Values
from firmware_sim.faces.dlt645_items import Items, clock_fields, freeze, new_freezes
from firmware_sim.meter import Row
from profiles import Profile
from profiles.dlt645.codec import decode_moment
from profiles.dlt645.model import Authority
from profiles.dlt645.moments import to_instant, to_moment
from profiles.dlt645.profile import CLOCK_LAYOUTS, Dlt645Profile
from profiles.model import CodecError

BROADCAST: Final = "9" * 12
OTHER, NO_SUCH_DATA, NOT_AUTHORISED = 0x01, 0x02, 0x04  # bits of the ERR byte
PROGRAMMED, TIME_SET = 0x0330_0000, 0x0330_0400  # how often (编程总次数, 校时总次数)
PREAMBLE: Final = 4
MOST_DATA: Final = 200  # of a reply's L, one source
_OBEYED_BY_ALL: Final = frozenset({"time_sync", "freeze"})
_NOW: Final = {99}
_DEFAULT_AUTHORITY: Final = Authority(2, bytes(3), bytes(4))
_DI_OCTETS: Final = 4
_SEQ_OCTETS: Final = 1
_OVERLAP: Final = 3
_IDLE: Final = 0xFF


class _RefusedError(Exception):
    """A request that the meter refuses, with the ERR byte."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class MeterMemory:
    """What a meter keeps of what was said to it, whoever listens on its line."""

    address: str
    rate: int | None = None  # bits a second that it was told to use; None: any
    frozen: deque[Row] = field(default_factory=new_freezes)
    counts: dict[int, int] = field(default_factory=lambda: {PROGRAMMED: 0, TIME_SET: 0})
    password: tuple[int, bytes] | None = None  # level and digits, where they were changed


@dataclass(slots=True)
class _Meter:
    id: str
    items: Items
    values: Values
    memory: MeterMemory
    authority: Authority
    following: tuple[int, list[bytes]] | None = None  # identifier and the pieces that follow up (后续数据)


class Dlt645Face:
    """All meters of one line that speak DL/T 645-2007.

    `preamble` is how many octets FEH come before a reply, `most_data` the longest data of one: what is longer is read
    by follow-up frames. `memory` is kept by the caller where meters outlive a connection. `rate` is the line's speed in
    bits a second, where it has one: a meter that was told to use another hears nothing.
    """

    protocol: str = "dlt645"

    def __init__(
        self,
        meters: Mapping[str, tuple[str, Profile, Values]],
        timezone: str,
        *,
        preamble: int = PREAMBLE,
        most_data: int = MOST_DATA,
        memory: dict[str, MeterMemory] | None = None,
        rate: int | None = None,
    ) -> None:
        self.rate = rate
        self._timezone = timezone
        self._preamble = preamble
        self._most_data = most_data
        self._parser = Dlt645Parser()
        memory = {} if memory is None else memory
        layouts: dict[int, Items] = {}
        self._meters: list[_Meter] = []
        for name, (address, profile, values) in meters.items():
            if not isinstance(profile, Dlt645Profile):
                raise TypeError(f"{name}: profile {profile.name} is not for DL/T 645 but for {profile.protocol}")
            if id(profile) not in layouts:
                layouts[id(profile)] = Items(profile, timezone)
            clock = profile.writes.get("clock")
            authority = _DEFAULT_AUTHORITY if clock is None or clock.authority is None else clock.authority
            kept = memory.setdefault(name, MeterMemory(Dlt645Frame(address, 0).address))
            self._meters.append(_Meter(name, layouts[id(profile)], values, kept, authority))

    def addresses(self) -> Mapping[str, str]:
        """Return each meter's address by its id, 12 digits."""
        return {meter.id: meter.memory.address for meter in self._meters}

    def misaddressed(self, octets: bytes) -> bytes:
        """Return a reply as if the meter with the next address had sent it."""
        preamble = len(octets) - len(octets.lstrip(b"\xfe"))
        found = Dlt645Parser(255).feed(octets)
        frame = next((event for event in found if isinstance(event, Dlt645Frame)), None)
        if frame is None:
            return octets
        other = f"{(int(frame.address) + 1) % int(BROADCAST):012d}"
        return Dlt645Frame(other, frame.control, frame.data).encode(preamble)

    def flush(self) -> None:
        """Give up an unfinished request."""
        self._parser.flush()

    def feed(self, data: bytes, now_ms: int) -> Sequence[Answer]:
        """Take octets; return the replies to the requests in them. A request with a bad checksum has none."""
        answers: list[Answer] = []
        for event in self._parser.feed(data):
            if isinstance(event, Dlt645Frame) and not event.from_meter:
                answers += self._request(event, now_ms)
        return answers

    def _request(self, frame: Dlt645Frame, now_ms: int) -> list[Answer]:
        try:
            message = dlt645_parse(frame)
        except Dlt645Error:
            return []
        silent = frame.address == BROADCAST or message["kind"] == "time_sync"
        if frame.address == BROADCAST and message["kind"] not in _OBEYED_BY_ALL:
            return []
        replies = []
        for meter in self._meters:
            if self.rate is not None and meter.memory.rate not in (None, self.rate):
                continue
            if _is_meant(frame.address, meter.memory.address):
                reply = self._reply(meter, message, now_ms)
                if not silent:
                    # An address just written is the one that the reply has already.
                    octets = dlt645_build(meter.memory.address, reply).encode(self._preamble)
                    replies.append(Answer(meter.id, octets))
        return replies if len(replies) <= 1 else [_collision(replies)]

    def _reply(self, meter: _Meter, message: Dlt645Message, now_ms: int) -> Dlt645Message:
        reply: dict[str, Any] = {"kind": message["kind"], "reply": True}
        try:
            reply |= self._obey(meter, message, now_ms)
        except _RefusedError as error:
            reply["error"] = error.code
        return reply

    def _obey(self, meter: _Meter, message: Dlt645Message, now_ms: int) -> dict[str, Any]:
        """Carry out a request; return what its reply has besides its kind."""
        obey = {
            "read": self._read,
            "read_next": self._follow,
            "read_address": self._tell_address,
            "write_address": self._set_address,
            "write": self._write,
            "time_sync": self._sync,
            "freeze": self._freeze,
            "change_baud": self._change_baud,
            "change_password": self._change_password,
        }.get(message["kind"], self._refuse)
        return obey(meter, message, now_ms)

    def _tell_address(self, meter: _Meter, _message: Dlt645Message, _now_ms: int) -> dict[str, Any]:
        return {"address": meter.memory.address}

    def _set_address(self, meter: _Meter, message: Dlt645Message, _now_ms: int) -> dict[str, Any]:
        if not message["address"].isdecimal() or message["address"] == BROADCAST:
            raise _RefusedError(OTHER)
        meter.memory.address = message["address"]
        return {}

    def _sync(self, meter: _Meter, message: Dlt645Message, now_ms: int) -> dict[str, Any]:
        self._set_clock(meter, message["time"], now_ms)
        return {}

    def _freeze(self, meter: _Meter, message: Dlt645Message, now_ms: int) -> dict[str, Any]:
        # A template (定时冻结) would need a meter that freezes at other times than midnight.
        if set(message["time"].values()) != _NOW:
            raise _RefusedError(OTHER)
        freeze(meter.memory.frozen, meter.values, now_ms)
        return {}

    def _change_baud(self, meter: _Meter, message: Dlt645Message, _now_ms: int) -> dict[str, Any]:
        meter.memory.rate = message["baud"]
        return {"baud": message["baud"]}

    def _change_password(self, meter: _Meter, message: Dlt645Message, _now_ms: int) -> dict[str, Any]:
        self._check(meter, message)
        meter.memory.password = (message["new_level"], message["new_password"])
        return {}

    def _refuse(self, meter: _Meter, message: Dlt645Message, _now_ms: int) -> dict[str, Any]:
        if "level" in message:
            self._check(meter, message)
        raise _RefusedError(OTHER)

    def _read(self, meter: _Meter, message: Dlt645Message, now_ms: int) -> dict[str, Any]:
        di, memory = message["di"], meter.memory
        if di in memory.counts:
            data: bytes | None = dlt645_encode(di, [(memory.counts[di], 0)])
        else:
            data = meter.items.read(di, meter.values, memory.address, memory.frozen, now_ms)
        if data is None:
            raise _RefusedError(NO_SUCH_DATA)
        first = self._most_data - _DI_OCTETS
        size = first - _SEQ_OCTETS
        pieces = [data[start : start + size] for start in range(first, len(data), size)]
        meter.following = (di, pieces) if pieces else None
        return {"di": di, "data": data[:first], "more": bool(pieces)}

    def _follow(self, meter: _Meter, message: Dlt645Message, _now_ms: int) -> dict[str, Any]:
        di, sequence = message["di"], message["seq"]
        known, pieces = meter.following or (None, [])
        if known != di or not 1 <= sequence <= len(pieces):
            raise _RefusedError(NO_SUCH_DATA)
        return {"di": di, "data": pieces[sequence - 1], "seq": sequence, "more": sequence < len(pieces)}

    def _check(self, meter: _Meter, message: Dlt645Message) -> None:
        expected = meter.memory.password or (meter.authority.level, meter.authority.password)
        if (message["level"], message["password"]) != expected:
            raise _RefusedError(NOT_AUTHORISED)

    def _write(self, meter: _Meter, message: Dlt645Message, now_ms: int) -> dict[str, Any]:
        clock = meter.items.profile.writes.get("clock")
        layouts: dict[int | None, str] = {}
        if clock is not None:
            layouts = {getattr(clock, name): layout for name, layout in CLOCK_LAYOUTS.items()}
        layout = layouts.get(message["di"])
        if layout is None:
            raise _RefusedError(NO_SUCH_DATA)
        self._check(meter, message)
        try:
            parts = decode_moment(message["di"], layout, message["data"])
        except CodecError:
            raise _RefusedError(OTHER) from None
        self._set_clock(meter, parts, now_ms)
        meter.memory.counts[PROGRAMMED] += 1
        return {}

    def _set_clock(self, meter: _Meter, parts: Mapping[str, int], now_ms: int) -> None:
        shown = meter.values.values(now_ms).get("device_time")
        try:
            moment = clock_fields(parts, to_moment(now_ms if shown is None else shown, self._timezone))
            meter.values.apply("clock", {"time": to_instant(moment, self._timezone)}, now_ms)
            meter.memory.counts[TIME_SET] += 1
        except (ValueError, KeyError):
            raise _RefusedError(OTHER) from None


def _is_meant(requested: str, address: str) -> bool:
    """Return whether a request is meant for a meter; what is no address is meant for none."""
    try:
        return dlt645_matches(requested, address)
    except Dlt645Error:
        return False


def _collision(answers: Sequence[Answer]) -> Answer:
    """Return what is heard when several meters answer at once: each a little later, and any 0 on the line wins."""
    length = max(len(answer.octets) + _OVERLAP * index for index, answer in enumerate(answers))
    mixed = bytearray([_IDLE]) * length
    for index, answer in enumerate(answers):
        for position, octet in enumerate(answer.octets, _OVERLAP * index):
            mixed[position] &= octet
    return Answer(answers[0].meter, bytes(mixed))
