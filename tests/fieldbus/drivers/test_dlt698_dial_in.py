"""Meters of DL/T 698.45 that dial in over TCP: several at one port, each with its login and its heartbeats."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from dlt698_support import NOW, ONE, TIMING, TWO, ZONE, Meters

from clock import ManualClock
from fieldbus.bus import LineBus
from fieldbus.channels.listen import ListenChannel
from fieldbus.drivers.dlt698 import Dlt698Driver
from fieldbus.exchange import LineDownError
from firmware_sim.faces.dlt698 import Dlt698Face


class DialledIn:
    """A simulated meter at the end of a connection of its own."""

    def __init__(self, meters: Meters, address: str, heartbeat_s: int) -> None:
        store = meters.stores[address]
        self.face = Dlt698Face({address: (address, meters.profile, store)}, ZONE, heartbeat_s)
        self.agreed = asyncio.Event()
        self.gone = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def dial(self, port: int) -> None:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        self._say([answer.octets for answer in self.face.opened(NOW)])
        self._task = asyncio.create_task(self._listen(reader))

    def heartbeat(self, after_ms: int) -> None:
        said, _ = self.face.due(NOW + after_ms)
        self._say([answer.octets for answer in said])

    def _say(self, octets: list[bytes]) -> None:
        assert self._writer is not None
        self._writer.writelines(octets)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(4096):
                self._say([answer.octets for answer in self.face.feed(data, NOW)])
                if all(meter.dialler.logged_in for meter in self.face._meters):
                    self.agreed.set()
        except ConnectionError:
            pass
        self.gone.set()

    async def hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._task is not None:
            await self._task


class Site:
    def __init__(self, meters: Meters) -> None:
        self.meters = meters
        self.channel = ListenChannel("127.0.0.1", 0, 5.0)
        self.bus = LineBus(self.channel, replace(TIMING, timeout_s=5.0), ManualClock(NOW))
        self.driver = Dlt698Driver(self.bus, lambda: NOW, timezone=ZONE)
        self.dialled: list[DialledIn] = []

    async def listen(self) -> None:
        self.channel._wait_s = 0.01
        with pytest.raises(LineDownError):
            await self.bus.connect()
        self.channel._wait_s = 5.0

    async def dial(self, address: str, heartbeat_s: int = 60) -> DialledIn:
        meter = DialledIn(self.meters, address, heartbeat_s)
        self.dialled.append(meter)
        await meter.dial(self.channel.port)
        async with asyncio.timeout(10):
            await meter.agreed.wait()
        return meter

    async def places(self, address: str) -> list[object]:
        block = self.meters.block("power")
        values = block.decode(await self.driver.read(address, block))
        return [place for place, _ in self.meters.stores[address].read_out(values)]


def run(meters: Meters, scenario: Callable[[Site], Awaitable[None]]) -> None:
    async def main() -> None:
        site = Site(meters)
        await site.listen()
        try:
            await scenario(site)
        finally:
            site.bus.close()
            for meter in site.dialled:
                await meter.hang_up()

    asyncio.run(main())


def test_meters_that_share_a_port_log_in_and_are_each_read() -> None:
    meters = Meters("dlt698-carbon-meter", addresses=(ONE, TWO))

    async def scenario(site: Site) -> None:
        await site.dial(ONE)
        await site.dial(TWO)
        await site.bus.connect()
        power = meters.stores[ONE].place("power")
        for address in (TWO, ONE, TWO):
            assert await site.places(address) == [power]
        assert site.bus.counters.timeout == 0
        assert site.bus.counters.foreign == 0

    run(meters, scenario)


def test_a_meter_that_has_not_dialled_in_is_down_and_costs_no_time() -> None:
    meters = Meters(addresses=(ONE, TWO))

    async def scenario(site: Site) -> None:
        await site.dial(ONE)
        await site.bus.connect()
        with pytest.raises(LineDownError, match=TWO):
            await site.places(TWO)
        assert await site.places(ONE) == [meters.stores[ONE].place("power")]

    run(meters, scenario)


def test_heartbeats_are_answered_at_any_time() -> None:
    meters = Meters()

    async def scenario(site: Site) -> None:
        meter = await site.dial(ONE)
        await site.bus.connect()
        answers: list[bytes] = []
        heard = asyncio.Event()
        feed = meter.face.feed

        def listen(data: bytes, now_ms: int) -> object:
            answers.append(data)
            heard.set()
            return feed(data, now_ms)

        meter.face.feed = listen  # type: ignore[assignment,method-assign]  # to hear what the meter hears
        meter.heartbeat(60_000)
        async with asyncio.timeout(10):
            await heard.wait()
        assert answers[0][14:15] == b"\x81"  # LINK-Response
        assert await site.places(ONE) == [meters.stores[ONE].place("power")]

    run(meters, scenario)


def test_a_link_that_misses_its_heartbeats_is_closed_and_the_meter_may_dial_in_again() -> None:
    meters = Meters(addresses=(ONE, TWO))

    async def scenario(site: Site) -> None:
        silent = await site.dial(ONE, heartbeat_s=1)
        alive = await site.dial(TWO, heartbeat_s=60)
        await site.bus.connect()
        (peer,) = [peer for peer in site.channel._peers if ONE in peer.addresses]
        assert peer._overdue is not None
        left = peer._overdue.when() - asyncio.get_running_loop().time()
        assert 2 < left <= 3  # three heartbeats
        site.channel.overdue(peer)
        async with asyncio.timeout(10):
            await silent.gone.wait()
        assert not alive.gone.is_set()
        with pytest.raises(LineDownError):
            await site.places(ONE)
        await site.dial(ONE)
        assert await site.places(ONE) == [meters.stores[ONE].place("power")]
        assert await site.places(TWO) == [meters.stores[TWO].place("power")]

    run(meters, scenario)


def test_a_meter_that_dials_in_again_is_connected_to_again() -> None:
    """The association went with the connection; the old one need not be closed yet."""
    meters = Meters("dlt698-carbon-meter")

    async def scenario(site: Site) -> None:
        first = await site.dial(ONE)
        await site.bus.connect()
        await site.places(ONE)
        await site.dial(ONE)
        async with asyncio.timeout(10):
            await first.gone.wait()
        assert await site.places(ONE) == [meters.stores[ONE].place("power")]
        assert site.bus.counters.exception == 0

    run(meters, scenario)
