"""The driver of DL/T 645-2007: asks meters by data identifier (数据标识) on a line's bus.

A reply counts only when its address, function, identifier and SEQ are those that were asked. A refusal (D1H …) names
its function alone; the meter means it, and it is not asked again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from fractions import Fraction
from typing import Any, Final, cast

from diantan_core import Dlt645Error, Dlt645Frame, Dlt645Message, dlt645_build
from fieldbus.drivers import dlt645_scan
from fieldbus.drivers.base import MOST_REQUESTS, Address, Found
from fieldbus.drivers.dlt645_framing import (
    CHANGE_BAUD,
    FREEZE,
    PROTOCOL,
    READ,
    READ_ADDRESS,
    READ_NEXT,
    WRITE,
    WRITE_ADDRESS,
    Dlt645Framing,
    Said,
    device,
    signature,
)
from fieldbus.drivers.dlt645_known import Known
from fieldbus.drivers.dlt645_wild import Wild
from fieldbus.exchange import REFUSED, BadReplyError, Bus, Heard, LineError, NoReplyError, RefusedError, Request
from profiles import Block, Command
from profiles.dlt645.formats import DataItem, di_text, parse_format
from profiles.dlt645.model import Dlt645Command, ItemPoint, Query, SyncStep
from profiles.dlt645.moments import to_moment
from profiles.dlt645.plan import ClockBlock, QueryBlock, join
from profiles.dlt645.profile import SYNC_PARTS
from profiles.points import POINTS

PREAMBLE: Final = 4  # octets FEH before a request
WILDCARD: Final = "A" * 12
BROADCAST: Final = "9" * 12
COMMUNICATION_ADDRESS: Final = 0x0400_0401
NOW: Final = {"month": 99, "day": 99, "hour": 99, "minute": 99}
_MOST_FOLLOWING: Final = 64  # follow-up frames of one reply: 12 kB
_HAS_NOT: Final = 0x03  # ERR bits: other, no such data
_SYNC_TOLERANCE_MS: Final = 10_000
_CONFIRMATIONS: Final = 2


class Dlt645Driver:
    """DL/T 645-2007 on one line."""

    protocol: str = PROTOCOL

    def __init__(self, bus: Bus, *, preamble: int = PREAMBLE) -> None:
        """`preamble` is how many octets FEH wake a meter before each request."""
        self.bus = bus
        self._preamble = preamble
        self._framing = Dlt645Framing()
        self._known = Known()
        bus.attach(self._framing)

    # What every driver has

    async def read(self, address: Address, block: Block) -> bytes:
        """Ask for what a block of a DL/T 645 profile needs; return what its `decode` takes.

        CodecError when the replies so far show that the block can't have a value.
        """
        asked = cast("QueryBlock", block)
        replies: list[bytes | None] = []
        while (query := asked.next_query(replies)) is not None:
            replies.append(await self._reply(address, query))
        return join(replies)

    async def write(self, address: Address, command: Command) -> None:
        """Carry out a command of a DL/T 645 profile, step by step; a time sync is a broadcast, to all meters."""
        for step in cast("Dlt645Command", command).steps:
            if isinstance(step, SyncStep):
                await self._tell(BROADCAST, {"kind": "time_sync", "time": dict(step.time)})
                continue
            authority = step.authority
            message = {
                "kind": "write",
                "di": step.di,
                "level": authority.level,
                "password": authority.password,
                "operator": authority.operator,
                "data": step.data,
            }
            await self._ask(address, message, WRITE, about=f"write {di_text(step.di)}")

    async def time_sync(self, address: Address | None, time_ms: int, timezone: str) -> None:
        """Set the clocks of all meters by broadcast (广播校时), or with an address that meter's.

        No meter answers a time sync, so the clock of a single one is read back: RefusedError when it is more than 10 s
        from the time that was sent. Whether a meter obeys one to its own address is not in our sources, and many take a
        broadcast only when their clock is off by a little; the profile's write with password is the sure way.
        """
        moment = to_moment(time_ms, timezone)
        message = {"kind": "time_sync", "time": {part: moment[part] for part in SYNC_PARTS}}
        await self._tell(BROADCAST if address is None else digits(address), message)
        if address is None:
            return
        block = ClockBlock(_CLOCK, timezone)
        shown = block.decode(await self.read(address, block)).get(_CLOCK.name)
        if shown is None or abs(shown - time_ms) > _SYNC_TOLERANCE_MS:
            raise RefusedError(0, f"meter {address}: sent the time {time_ms} ms, and its clock says {shown}")

    def scan(
        self,
        *,
        progress: Callable[[dlt645_scan.Progress], None] | None = None,
        most_requests: int = MOST_REQUESTS,
        thorough: bool = False,
    ) -> AsyncIterator[Found]:
        """Look for meters by wildcard and shortened addresses; see `fieldbus.drivers.dlt645_scan.scan`."""
        return dlt645_scan.scan(self, progress=progress, most_requests=most_requests, thorough=thorough)

    # What this protocol has besides

    async def query(self, address: Address, di: int) -> bytes:
        """Return the data behind an identifier, follow-up frames (后续数据) included."""
        about = f"read {di_text(di)}"
        message = await self._ask(address, {"kind": "read", "di": di}, READ, di, about=about)
        data = bytes(message["data"])
        for seq in range(1, _MOST_FOLLOWING + 1):
            if not message["more"]:
                self._known.answered(digits(address), di)
                return data
            message = await self._ask(
                address, {"kind": "read_next", "di": di, "seq": seq}, READ_NEXT, di, seq, about=about
            )
            data += message["data"]
        raise BadReplyError(f"meter {address}, {about}: more than {_MOST_FOLLOWING} follow-up frames")

    async def read_address(self, address: str = WILDCARD) -> str:
        """Return the address of the meter that answers; with the wildcard there may be only one on the line."""
        requested = digits(address)
        said = await self.ask_any(requested, {"kind": "read_address"}, READ_ADDRESS)
        _check(said.message, f"meter {requested}, read the address")
        return str(said.message["address"])

    async def write_address(self, new: str, address: str = WILDCARD) -> None:
        """Give the meter a new address; with the wildcard there may be only one on the line."""
        message = {"kind": "write_address", "address": new}
        said = await self.ask_any(digits(address), message, WRITE_ADDRESS, also=digits(new))
        _check(said.message, f"meter {address}, write the address {new}")

    async def freeze(self, address: Address | None, moment: dict[str, int] | None = None) -> None:
        """Have a meter freeze (冻结), or by broadcast all of them (None), which is not answered.

        `moment` has month, day, hour and minute, 99 for any: 99DDhhmm monthly, 9999hhmm daily, 999999mm hourly; None
        means now.
        """
        message = {"kind": "freeze", "time": dict(NOW if moment is None else moment)}
        if address is None:
            await self._tell(BROADCAST, message)
        else:
            await self._ask(address, message, FREEZE, about="freeze")

    async def change_baud(self, address: Address, rate: int, present: int, switch: Callable[[int], None]) -> None:
        """Have a meter change its speed to `rate` bits a second, then change ours with `switch`, and try it.

        Both sides are at `present` again, or the meter was never elsewhere, when this raises: RefusedError when the
        meter refuses or stays, NoReplyError when it answers at neither speed. Its neighbours keep their speed.
        """
        about = f"change to {rate} Bd"
        lost: NoReplyError | None = None
        try:
            message = await self._ask(address, {"kind": "change_baud", "baud": rate}, CHANGE_BAUD, about=about)
        except NoReplyError as error:
            lost = error  # the meter may have changed all the same
        else:
            if message["baud"] != rate:
                raise BadReplyError(f"meter {address}, {about}: it says {message['baud']} Bd")
        for tried in (rate, present):
            switch(tried)
            if await self._present(address):
                if tried == present:
                    raise RefusedError(0, f"meter {address}, {about}: it stays at {present} Bd")
                return
        raise lost or NoReplyError(f"meter {address}, {about}: it answers neither there nor at {present} Bd")

    async def ask_any(self, requested: str, message: dict[str, Any], function: int, *, also: str | None = None) -> Said:
        """Ask whoever a wildcard or shortened address (缩位寻址) is meant for; `also`: or who has this address then.

        A refusal is an answer too: it tells who is there.
        """
        wild = Wild(requested, frozenset({function}))
        other = None if also is None else Wild(also, frozenset({function}))
        request = Request(
            device=device(requested),
            octets=self._octets(requested, message),
            signature=wild,
            framing=self._framing,
            about=f"meter {requested}, {message['kind']}",
            answers=lambda heard: wild.answers(heard) or (other is not None and wild.open and other.answers(heard)),
        )
        try:
            heard = await self.bus.exchange(request)
        finally:
            # What comes later is foreign: it must not be held against another meter that answers the same way.
            wild.open = False
        assert heard is not None
        assert isinstance(heard.frame, Said)
        return heard.frame

    # Exchanges

    async def _reply(self, address: Address, query: Query) -> bytes | None:
        """Return an item's data, None where the meter has no such data; that it said so is believed for a while."""
        if not query.optional:
            return await self.query(address, query.di)
        meter, now = digits(address), asyncio.get_running_loop().time()
        if self._known.lacks(meter, query.di, now):
            return None
        try:
            return await self.query(address, query.di)
        except RefusedError as error:
            if not error.code & _HAS_NOT:
                raise
            self._known.refused(meter, query.di, now)
            return None

    async def _present(self, address: Address) -> bool:
        for _ in range(_CONFIRMATIONS):
            try:
                if not self.bus.connected:
                    await self.bus.connect()
                await self.query(address, COMMUNICATION_ADDRESS)
            except RefusedError:
                return True
            except LineError:
                continue
            return True
        return False

    async def _tell(self, address: str, message: dict[str, Any]) -> None:
        """Send what nobody answers."""
        about = f"{'all meters' if address == BROADCAST else f'meter {address}'}, {message['kind']}"
        octets = self._octets(address, message)
        await self.bus.exchange(Request(device(address), octets, None, self._framing, about))

    async def _ask(
        self,
        address: Address,
        message: dict[str, Any],
        function: int,
        di: int | None = None,
        seq: int | None = None,
        *,
        about: str,
    ) -> Dlt645Message:
        meter = digits(address)
        heard = await self.bus.exchange(self._request(meter, message, signature(function, di, seq), about))
        assert heard is not None
        assert isinstance(heard.frame, Said)
        return heard.frame.message

    def _request(
        self, meter: str, message: dict[str, Any], known: Hashable, about: str, *, probe: bool = False
    ) -> Request:
        about = f"meter {meter}, {about}"

        def verify(heard: Heard) -> None:
            assert isinstance(heard.frame, Said)
            _check(heard.frame.message, about)

        return Request(
            device=device(meter),
            octets=self._octets(meter, message),
            signature=known,
            framing=self._framing,
            about=about,
            probe=None if probe else lambda unanswered: self._probe(meter, unanswered),
            verify=verify,
        )

    def _probe(self, meter: str, unanswered: frozenset[Hashable]) -> Request | None:
        """Return something else to ask, best what the meter has answered before.

        After a refusal that may be that of any reading, the address is read: another function.
        """
        if REFUSED not in unanswered:
            for di in self._known.likely(meter):
                known = signature(READ, di)
                if known not in unanswered:
                    return self._request(meter, {"kind": "read", "di": di}, known, f"read {di_text(di)}", probe=True)
        known = signature(READ_ADDRESS)
        if known in unanswered:
            return None
        return self._request(meter, {"kind": "read_address"}, known, "read the address", probe=True)

    def _octets(self, address: str, message: dict[str, Any]) -> bytes:
        try:
            return dlt645_build(address, message).encode(self._preamble)
        except Dlt645Error as error:
            raise ValueError(f"meter {address}, {message['kind']}: {error}") from None


def digits(address: Address) -> str:
    """Return an address as 12 digits; Dlt645Error for what is none."""
    return Dlt645Frame(str(address), 0).address


def _check(message: Dlt645Message, about: str) -> None:
    """Raise RefusedError for a refusal."""
    if "error" in message:
        raise RefusedError(message["error"], f"{about}: refused, {_reasons(message)}")


def _reasons(message: Dlt645Message) -> str:
    names: Sequence[str] = message["reasons"]
    return f"ERR {message['error']:02X}H" + "".join(f", {name.replace('_', ' ')}" for name in names)


def _clock_point() -> ItemPoint:
    layout = parse_format("YYMMDDWW")
    assert layout is not None
    return ItemPoint(
        name="device_time",
        quantity=POINTS["device_time"].quantity,
        scale=Fraction(1),
        resolution=1000,
        item=DataItem(0x0400_0101, (layout,)),
        time_di=0x0400_0102,
    )


_CLOCK: Final = _clock_point()
