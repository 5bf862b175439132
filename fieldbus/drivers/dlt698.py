"""DL/T 698.45-2017: reading, setting and finding meters made of objects."""

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from itertools import count
from types import MappingProxyType
from typing import Any, Final

from diantan_core import dlt698_decode_data, dlt698_encode_apdu
from fieldbus.drivers.base import MOST_REQUESTS, Address, Found, ScanLimitError
from fieldbus.drivers.dlt698_blocks import Blocks
from fieldbus.drivers.dlt698_framing import Dlt698Framing
from fieldbus.drivers.dlt698_message import PROTOCOL, Message, device
from fieldbus.drivers.dlt698_reply import of_get, of_next, of_result, of_set, wants_association
from fieldbus.drivers.dlt698_request import ADDRESS, MeterState, Requests
from fieldbus.exchange import BadReplyError, Bus, LineDownError, LineError, NoReplyError, RefusedError, UnsupportedError
from profiles import Block, Command, Profile
from profiles.dlt698.model import Association, ObjectCommand
from profiles.dlt698.moments import date_time_s
from profiles.dlt698.plan import ObjectsBlock, RecordBlock, get_response
from profiles.dlt698.profile import Dlt698Profile
from profiles.dlt698.writes import keep_beginning

CLOCK: Final = 0x40000200
SYNCHRONISE: Final = 0x40007F00  # method 127 of the clock: broadcast time sync (广播校时); one source
METER_NUMBER: Final = 0x40020200
MODEL: Final = 0x410B0200
PREAMBLE: Final = 4  # FEH before every frame, as on serial lines; a parser of TCP passes over them
VERSION: Final = 0x0010
_ALL: Final = 0xFF  # of the conformance bits: the client can do what the meter can
_ANYONE: Final = "a" * 12
_LEAST_FRAME: Final = 64
_NO_PROFILES: Final[Mapping[Address, Profile]] = MappingProxyType({})


class Dlt698Driver:
    """The DL/T 698.45 meters of one line."""

    protocol: Final = PROTOCOL

    def __init__(
        self,
        bus: Bus,
        now_ms: Callable[[], int],
        *,
        timezone: str = "Asia/Shanghai",
        profiles: Mapping[Address, Profile] = _NO_PROFILES,
        preamble: int = PREAMBLE,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Make the driver of a line.

        `now_ms` (UTC) and the time zone date the answers to heartbeats; `profiles` says by address how meters are
        talked to that nothing was read from yet; `random` makes the numbers of SECURITY.
        """
        self._bus = bus
        self._framing = Dlt698Framing(now_ms, timezone)
        self._requests = Requests(bus, self._framing, preamble, random)
        self._now_ms = now_ms
        self._meters: dict[str, MeterState] = {}
        for address, profile in profiles.items():
            if isinstance(profile, Dlt698Profile):
                self._meter(address, profile.association)
        bus.attach(self._framing)

    async def read(self, address: Address, block: Block) -> bytes:
        """Return the APDU of the GET-Response, joined if it came in blocks; RefusedError when all of it is refused."""
        if not isinstance(block, (ObjectsBlock, RecordBlock)):
            raise UnsupportedError(f"{address}: not a request of DL/T 698.45")
        meter = self._meter(address, block.association)
        return await self._get(meter, block.request, block.oads, f"{address}, {_name(block)}")

    async def write(self, address: Address, command: Command) -> None:
        """Set an attribute; where a part of it is to stay as it is, that is asked for first."""
        if not isinstance(command, ObjectCommand):
            raise UnsupportedError(f"{address}: not a command of DL/T 698.45")
        meter = self._meter(address, command.association)
        item = dlt698_decode_data(command.data)
        if command.kept:
            request = ("normal", {"oad": command.oad})
            try:
                reply = await self._get(meter, request, (command.oad,), f"{address}, {command.oad:08X}")
                _, body = get_response(reply)
                item = keep_beginning(item, body["result"][1], command.kept)
            except RefusedError:
                pass  # the meter has nothing of that day, or does not show it
        await self._set(meter, command.oad, item)

    async def time_sync(self, address: Address | None, time_ms: int, timezone: str) -> None:
        """Set the clock of one meter (SET), or of all at once (broadcast ACTION, unanswered); whole seconds."""
        item = ("date_time_s", date_time_s(time_ms, timezone))
        if address is None:
            body = {"piid": 0, "omd": SYNCHRONISE, "data": item, "time_tag": None}
            apdu = dlt698_encode_apdu(("action_request", ("normal", body)))
            await self._bus.exchange(self._requests.broadcast(apdu, "broadcast time sync"))
            return
        await self._set(self._meter(address), CLOCK, item)

    async def release(self, address: Address) -> None:
        """End the association (断开应用连接), if there is one."""
        meter = self._meter(address)
        if meter.connection is None:
            return
        meter.connection = None
        await self._ask(meter, "release_request", {}, of_result, f"{address}, RELEASE")

    async def scan(self, *, most_requests: int = MOST_REQUESTS) -> AsyncIterator[Found]:
        """Look for meters by wildcard address, and where several answer at once, digit by digit from the last.

        ScanLimitError after so many addresses asked for.
        """
        found: set[str] = set()
        patterns = [_ANYONE]
        for asked in count():
            if not patterns:
                return
            pattern = patterns.pop()
            if asked >= most_requests:
                raise ScanLimitError(f"the search for meters was given up after {asked} requests, at {pattern}")
            meter, disturbed = await self._who(pattern)
            if meter is not None and meter[0] not in found:
                found.add(meter[0])
                yield Found(PROTOCOL, *meter)
            fixed = len(pattern.lstrip("a"))
            if disturbed and fixed < len(pattern):
                rest = pattern[len(pattern) - fixed :]
                patterns += [f"{digit}{rest}".rjust(len(pattern), "a") for digit in "9876543210"]

    async def _who(self, pattern: str) -> tuple[tuple[str, dict[str, str]] | None, bool]:
        """Return the meter that answers a wildcard address, and whether there was more to be heard than one reply."""
        counters = self._bus.counters
        before = counters.corrupt + counters.foreign
        content, about = ("normal", {"oad": ADDRESS}), f"{pattern}, address"
        (request,) = self._requests.make(
            self._meter(pattern), "get_request", content, of_get("normal", (ADDRESS,)), about
        )
        try:
            # Without `verify`: a meter that refuses has been found as well.
            heard = await self._bus.exchange(replace(request, verify=None))
        except LineDownError:
            raise
        except LineError:
            return None, counters.corrupt + counters.foreign > before
        assert heard is not None
        assert isinstance(heard.frame, Message)
        found = _address(heard.frame)
        # Another meter's reply comes behind the first one's: ask something more, and so listen.
        details = await self._describe(found)
        return (found, details), counters.corrupt + counters.foreign > before

    async def _describe(self, address: str) -> dict[str, str]:
        """Return what a meter says of itself; nothing that it refuses, with an association or without."""
        meter = self._meter(address)
        details: dict[str, str] = {}
        for name, oad in (("meter_number", METER_NUMBER), ("model", MODEL)):
            try:
                item = await self._tell(meter, oad)
            except (NoReplyError, BadReplyError, RefusedError):
                continue
            if item[0] in ("octet_string", "visible_string"):
                details[name] = item[1].hex() if item[0] == "octet_string" else item[1].strip("\0 ")
        return details

    async def _tell(self, meter: MeterState, oad: int) -> tuple[str, Any]:
        content, about = ("normal", {"oad": oad}), f"{meter.address}, {oad:08X}"
        check = of_get("normal", (oad,))
        try:
            reply = await self._ask(meter, "get_request", content, check, about)
        except RefusedError as error:
            if meter.connection is not None or not wants_association(error):
                raise
            await self._connect(meter)
            reply = await self._ask(meter, "get_request", content, check, about)
        if reply.choice != "normal":
            raise BadReplyError(f"{about}: expected a short text, got it in blocks")
        item: tuple[str, Any] = reply.body["result"][1]
        return item

    def _meter(self, address: Address, association: Association | None = None) -> MeterState:
        key = str(address).lower()
        meter = self._meters.get(key)
        if meter is None:
            meter = self._meters[key] = MeterState(device(key), association or Association())
        elif association is not None and meter.association != association:
            meter.association, meter.connection, meter.send_size = association, None, 0
        return meter

    async def _get(
        self, meter: MeterState, request: tuple[str, dict[str, Any]], oads: tuple[int, ...], about: str
    ) -> bytes:
        """Return the APDU of the GET-Response about these attributes, joined if it came in blocks."""
        choice, _ = request
        message = await self._serve(meter, "get_request", request, of_get(choice, oads), about)
        if message.choice != "next":
            return message.apdu
        blocks = Blocks(choice, oads, about)
        while (number := blocks.take(message)) is not None:
            check = of_next(choice, number)
            message = await self._ask(meter, "get_request", ("next", {"block": number}), check, about)
        return blocks.joined()

    async def _set(self, meter: MeterState, oad: int, item: tuple[str, Any]) -> None:
        content = ("normal", {"oad": oad, "data": item})
        await self._serve(meter, "set_request", content, of_set(oad), f"{meter.address}, set {oad:08X}")

    async def _serve(
        self,
        meter: MeterState,
        name: str,
        content: Any,  # noqa: ANN401 - the body of any APDU
        check: Callable[[str, Message], None],
        about: str,
    ) -> Message:
        """Ask within the association that the profile wants; made anew once if the meter seems to have forgotten it."""
        if not meter.association.connect:
            return await self._ask(meter, name, content, check, about)
        had_one = self._associated(meter)
        if not had_one:
            await self._connect(meter)
        try:
            return await self._ask(meter, name, content, check, about)
        except RefusedError as error:
            if not had_one or not wants_association(error):
                raise
        await self._connect(meter)
        return await self._ask(meter, name, content, check, about)

    def _associated(self, meter: MeterState) -> bool:
        if meter.device in self._framing.released:
            self._framing.released.discard(meter.device)
            return False
        expires_ms = meter.asked_ms + meter.association.timeout_s * 1000
        return meter.connection == self._bus.counters.connects and self._now_ms() < expires_ms

    async def _connect(self, meter: MeterState) -> None:
        """Ask for an association (建立应用连接) without authentication, offering the profile's sizes."""
        association = meter.association
        meter.connection = None
        meter.send_size = 0
        content = {
            "version": VERSION,
            "protocol_conformance": bytes([_ALL] * 8),
            "function_conformance": bytes([_ALL] * 16),
            "send_size": association.send_size,
            "receive_size": association.receive_size,
            "receive_window": 1,
            "apdu_size": association.apdu_size,
            "timeout_s": association.timeout_s,
            "mechanism": ("none", None),
        }
        reply = await self._ask(meter, "connect_request", content, of_result, f"{meter.address}, CONNECT")
        meter.send_size = max(min(association.send_size, reply.body["receive_size"]), _LEAST_FRAME)
        meter.connection = self._bus.counters.connects

    async def _ask(
        self,
        meter: MeterState,
        name: str,
        content: Any,  # noqa: ANN401 - the body of any APDU
        check: Callable[[str, Message], None],
        about: str,
    ) -> Message:
        try:
            async with meter.turn:
                for request in self._requests.make(meter, name, content, check, about):
                    heard = await self._bus.exchange(request)
        except (NoReplyError, LineDownError):
            meter.connection = None  # who does not answer may have been without power
            raise
        assert heard is not None
        assert isinstance(heard.frame, Message)
        meter.asked_ms = self._now_ms()
        return heard.frame


def _address(message: Message) -> str:
    """Return whose reply to the address request it is; some repeat the wildcard and say it in the data only."""
    address = message.frame.address.lower()
    if "a" in address and message.choice == "normal" and message.body["result"][0] == "data":
        kind, told = message.body["result"][1]
        if kind == "octet_string" and told.hex().isdecimal():
            return str(told.hex())
    return address


def _name(block: ObjectsBlock | RecordBlock) -> str:
    if isinstance(block, RecordBlock):
        return f"record {block.last} of {block.table.oad:08X}"
    first = f"{block.oads[0]:08X}"
    return first if len(block.oads) == 1 else f"{first} and {len(block.oads) - 1} more"
