"""DL/T 698.45 meters for the tests of the driver: simulated ones, and replies made by hand."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from line_support import FarEnd, MemoryChannel, run_virtual

from clock import ManualClock
from diantan_core import Dlt698Frame, Dlt698Parser, dlt698_decode_apdu, dlt698_encode_apdu
from fieldbus.bus import LineBus
from fieldbus.channels.base import Channel
from fieldbus.drivers.dlt698 import Dlt698Driver
from fieldbus.line_timing import LineTiming
from firmware_sim.faces.dlt698 import Dlt698Face
from firmware_sim.meter import Row
from profiles import Profile, load
from profiles.dlt698.plan import ObjectsBlock
from profiles.dlt698.profile import Dlt698Profile

T = TypeVar("T")
ZONE = "Asia/Shanghai"
NOW = 1_743_654_005_000  # 2025-04-03 12:20:05 in Shanghai
ONE, TWO = "000000000001", "123456789012"
TIMING = LineTiming(timeout_s=0.3, gap_s=0.05, replace_after=0)
PLACE = 100_000

Answering = Callable[[bytes], Sequence[bytes]]


class Store:
    """Values that say where they stand and how often the line was asked when they were read."""

    def __init__(self, profile: Profile) -> None:
        self.asked: Callable[[], int] = lambda: 0
        self.applied: list[tuple[str, Row]] = []
        self._points = profile.points
        self._numbers = {name: number for number, name in enumerate(profile.points)}

    def values(self, now_ms: int) -> Row:
        stamp = self.asked()
        return {name: (PLACE * self._numbers[name] + stamp) * point.resolution for name, point in self._points.items()}

    def row(self, table: str, number: int, now_ms: int) -> Row:
        return {"time": NOW - NOW % 1000, "energy_forward": number * 10_000, "energy_reverse": 0} if number < 3 else {}

    def apply(self, write: str, fields: Row, now_ms: int) -> None:
        self.applied.append((write, fields))

    def place(self, name: str) -> int:
        """Return the number that a point's values have."""
        return self._numbers[name]

    def read_out(self, values: dict[str, int]) -> list[tuple[object, int]]:
        """Return (place, how often the line had been asked) of decoded values, in the order of the places."""
        raw = sorted(value // self._points[name].resolution for name, value in values.items())
        return [(number // PLACE, number % PLACE) for number in raw]


@dataclass
class Meters:
    """Simulated meters of one profile, and how to answer as them."""

    name: str = "dlt698-three-phase"
    addresses: Sequence[str] = (ONE,)
    parameters: dict[str, Any] = field(default_factory=dict)
    association: dict[str, Any] = field(default_factory=dict)  # otherwise than the profile says
    now_ms: int = NOW
    profile: Dlt698Profile = field(init=False)
    stores: dict[str, Store] = field(init=False)
    face: Dlt698Face = field(init=False)

    def __post_init__(self) -> None:
        profile = load(self.name, self.parameters)
        assert isinstance(profile, Dlt698Profile)
        if self.association:
            profile = replace(profile, association=replace(profile.association, **self.association))
        self.profile = profile
        self.stores = {address: Store(self.profile) for address in self.addresses}
        self.renew()

    def renew(self) -> None:
        """Make the meters forget their associations, as after a power cut."""
        meters = {address: (address, self.profile, store) for address, store in self.stores.items()}
        self.face = Dlt698Face(meters, ZONE)

    def answer(self, data: bytes) -> list[bytes]:
        return [answer.octets for answer in self.face.feed(data, self.now_ms)]

    def far(self, delays: Iterable[float] = (), **options: Any) -> FarEnd:
        """Return a far end with these meters, whose values count what it is asked."""
        far = FarEnd(self.answer, iter(delays), **options)
        for store in self.stores.values():
            store.asked = lambda: far.asked
        return far

    def block(self, *names: str) -> ObjectsBlock:
        """Return one request for these points, be it too long for the meter's frames."""
        wide = load(self.name)
        (block,) = wide.plan([wide.points[name] for name in names], ZONE)
        assert isinstance(block, ObjectsBlock)
        return replace(block, association=self.profile.association)


@dataclass
class Site:
    """A line with a driver at one end and a far end at the other."""

    far: FarEnd
    channel: Channel
    timing: LineTiming = TIMING
    options: dict[str, Any] = field(default_factory=dict)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    bus: LineBus = field(init=False)
    driver: Dlt698Driver = field(init=False)

    def __post_init__(self) -> None:
        self.bus = LineBus(self.channel, self.timing, self.clock)
        self.driver = Dlt698Driver(self.bus, self.clock.now_ms, timezone=ZONE, **self.options)

    def sent(self) -> list[Dlt698Frame]:
        """Return the frames that were sent to the meters."""
        parser = Dlt698Parser()
        found = [frame for data in self.far.requests for frame in parser.feed(data)]
        return [frame for frame in found if isinstance(frame, Dlt698Frame)]

    def services(self) -> list[str]:
        """Return what was asked for."""
        return [dlt698_decode_apdu(frame.user_data)[0] for frame in self.sent() if not frame.is_fragment]


def run(far: FarEnd, scenario: Callable[[Site], Awaitable[T]], **options: Any) -> T:
    """Run a scenario in virtual time over memory."""

    async def main() -> T:
        site = Site(far, MemoryChannel(far), **options)
        await site.bus.connect()
        return await scenario(site)

    return run_virtual(main())


def reply_to(request: Dlt698Frame, apdu: bytes, **changes: Any) -> bytes:
    """Return the frame of a reply, some of it changed."""
    settings = {
        "control": request.control | 0x80,
        "address": request.address,
        "client": request.client,
        "logical": request.logical,
    } | changes
    control, address, client = settings.pop("control"), settings.pop("address"), settings.pop("client")
    return Dlt698Frame(control, address, client, apdu, **settings).encode()


def by_hand(make: Callable[[Dlt698Frame, str, Any], Sequence[bytes]]) -> FarEnd:
    """Return a far end that answers each request with what `make` says to its frame, service and content."""
    parser = Dlt698Parser()

    def answer(data: bytes) -> Sequence[bytes]:
        frames = [frame for frame in parser.feed(data) if isinstance(frame, Dlt698Frame)]
        return [octets for frame in frames for octets in make(frame, *dlt698_decode_apdu(frame.user_data))]

    return FarEnd(answer)


def apdu(name: str, choice: str, **body: Any) -> bytes:
    """Return the APDU of a reply."""
    content = {"piid_acd": 1, "follow_report": None, "time_tag": None, **body}
    return dlt698_encode_apdu((name, (choice, content) if choice else content))


def carbon(**parameters: Any) -> Meters:
    return Meters("dlt698-carbon-meter", parameters=parameters)


def long_block(meters: Meters) -> ObjectsBlock:
    """Return a request that is longer than the meter's frames, and so is its reply."""
    block = Meters().block("energy_forward", "energy_forward_t1", "energy_reverse", "power", "power_a", "voltage_a")
    association = meters.profile.association
    return replace(block, wanted=block.wanted * 12, association=replace(association, apdu_size=1024))
