"""What else is on a line (线路干扰): garbage, parts of frames, frames of others, frames with wrong checks.

After each, the device answers the next requests rightly, and nothing of it has changed. On TCP a part of a frame leaves
the stream out of step, so the bench may need a new connection: the device must answer one of three requests.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from firmware_sim.inspection.bench import Ability, Bench, DutError
from firmware_sim.inspection.functions.account import registers
from firmware_sim.inspection.functions.checks import Checks, NotLookedAtError
from firmware_sim.inspection.functions.expectations import Expectations
from firmware_sim.inspection.functions.given import SLOT_MS
from firmware_sim.inspection.functions.journey import Journey
from firmware_sim.inspection.functions.loads import factor, hold, steady
from firmware_sim.inspection.functions.octets import (
    GARBAGE,
    cut_short,
    foreign,
    has_check,
    readdressed,
    spoken,
    wrong_bit,
    wrong_check,
)
from firmware_sim.inspection.functions.shown import factor_shown
from firmware_sim.inspection.functions.storage import MINUTE_MS

_REQUESTS: Final = 3
_LASTING_MS: Final = 8 * MINUTE_MS

Packets = Mapping[str, bytes]


async def garbage(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Put octets on the line that are nothing."""
    journey = await _ready(bench, expectations)
    await _send(journey, checks, {f"garbage {number}": octets for number, octets in enumerate(GARBAGE, 1)})


async def truncated(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Put beginnings of the bench's own requests on the line."""
    journey = await _ready(bench, expectations)
    requests = await spoken(bench, journey.look)
    if not requests:
        raise NotLookedAtError("what the bench sends to the device can't be heard")
    _, octets = requests[0]
    packets = {f"the first {len(part)} of {len(octets)} octets of a request": part for part in cut_short(octets)}
    await _send(journey, checks, packets)


async def others(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Put frames for other devices on the line, and the bench's own requests with another address."""
    journey = await _ready(bench, expectations)
    packets = dict(foreign())
    for what, (protocol, octets) in (await _requests(journey, factor(72))).items():
        changed = readdressed(protocol, octets)
        if changed is not None:
            packets[f"{what}, to another address"] = changed
    await _send(journey, checks, packets)


async def bad_checks(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Put the bench's own requests on the line with a bit of them or their check wrong, a factor among them."""
    journey = await _ready(bench, expectations)
    requests = await _requests(journey, factor(73))
    packets: dict[str, bytes] = {}
    for what, (protocol, octets) in requests.items():
        if has_check(protocol, octets):
            packets[f"{what} with a wrong bit"] = wrong_bit(octets)
            packets[f"{what} with a wrong check"] = wrong_check(protocol, octets)
    if not packets:
        raise NotLookedAtError("requests on this line carry no check of their own (Modbus TCP)")
    await _send(journey, checks, packets)


async def _ready(bench: Bench, expectations: Expectations) -> Journey:
    journey = await Journey.begin(bench, expectations)
    if journey.slot_ms + SLOT_MS - journey.device_ms < _LASTING_MS:
        await journey.next_slot()  # a factor that is sent again must still be of the same slot
    await hold(journey, factor(71), _LASTING_MS + SLOT_MS)
    await journey.load(steady(bench))
    await journey.wait(MINUTE_MS)
    return journey


async def _requests(journey: Journey, factor_mg: int) -> dict[str, tuple[str, bytes]]:
    """Return requests that the bench sends: a reading, a factor; the device is then as it was before."""
    bench = journey.bench
    found: dict[str, tuple[str, bytes]] = {}

    async def note(what: str, ask: Callable[[], Awaitable[object]]) -> None:
        for protocol, octets in (await spoken(bench, ask))[-1:]:
            found[what] = protocol, octets

    await note("a reading", journey.look)
    if Ability.FACTOR in bench.dut.abilities:
        await note("a factor", lambda: hold(journey, factor_mg))
        await hold(journey, factor(71), _LASTING_MS + SLOT_MS)
    return found


async def _send(journey: Journey, checks: Checks, packets: Packets) -> None:
    """Send each, then ask; at the end all that could have changed is looked at."""
    bench = journey.bench
    for what, octets in packets.items():
        bench.tell(what)
        await bench.dut.raw(octets)
        answer = await _answer(journey)
        checks.that(f"after {what}", f"an answer to one of {_REQUESTS} requests", answer or "none", good=bool(answer))
        if not answer:
            raise NotLookedAtError("the device no longer answers: what follows was not looked at")
        await journey.wait(MINUTE_MS // 4)
    if journey.counts_carbon:
        await factor_shown(journey, checks, "the factor after all of them")
    await registers(journey, checks, "after all of them")
    if Ability.CLOCK_READ in bench.dut.abilities:
        began, before = journey.now, journey.device_ms
        await journey.sync()
        moved = abs(journey.device_ms - before - (journey.now - began))
        limit = journey.clock_ms + 2 * journey.vague_ms + 1000
        checks.that(
            "the clock after all of them", f"as it was, within {limit} ms", f"{moved} ms off", good=moved < limit
        )
    await journey.load(None)


async def _answer(journey: Journey) -> str:
    """Return which of some requests was answered; "" when none was."""
    for number in range(1, _REQUESTS + 1):
        try:
            await journey.look()
        except DutError:
            continue
        return f"an answer to request {number}"
    return ""


def lasting(*_: object) -> int:
    """Return how long the load is on."""
    return 3 * MINUTE_MS
