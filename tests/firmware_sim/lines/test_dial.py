"""Meters that call: they log in, say that they are there, answer, and call again."""

import asyncio
from typing import Any, Self

from sim_support import DLT698, LIMIT_S, START, TcpMaster, dlt698_get, dlt698_reply, rtu, served, service_of

from clock import ManualClock
from diantan_core import Dlt698Frame, dlt698_decode_apdu, dlt698_encode_apdu
from firmware_sim.serve import Service

ADDRESS = "112233445566"


class Centre:
    """Listens for meters."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[TcpMaster] = asyncio.Queue()
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._writers.append(writer)
            await self.calls.put(TcpMaster(reader, writer))

        self._server = await asyncio.start_server(take, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)

    async def call(self) -> TcpMaster:
        async with asyncio.timeout(LIMIT_S):
            return await self.calls.get()


def calling(port: int, clock: ManualClock, **keys: Any) -> Service:
    meter = served("m", DLT698, address=ADDRESS)
    return service_of(meter, clock=clock, transport="dial-out", port=port, retry_seconds=10, **keys)


async def linked(master: TcpMaster) -> str:
    """Take a LINK-Request, agree, and return its type."""
    frame = await dlt698_reply(master)
    assert (frame.address, frame.control) == (ADDRESS, 0x81)
    _, request = dlt698_decode_apdu(frame.user_data)
    assert request["heartbeat_s"] == 30
    response = {
        "piid": request["piid_acd"],
        "result": 0x80,
        "requested": request["time"],
        "received": request["time"],
        "responded": request["time"],
    }
    apdu = dlt698_encode_apdu(("link_response", response))
    master.send(Dlt698Frame(0x01, ADDRESS, 0, apdu).encode())
    return str(request["type"][0])


async def pass_time(clock: ManualClock, ms: int) -> None:
    """Let time pass when everybody waits for it: what is on the way over loopback arrives first."""
    for _ in range(20):
        await asyncio.sleep(0.001)
    await clock.advance(ms)


def test_a_meter_logs_in_sends_heartbeats_and_answers() -> None:
    async def run() -> list[str]:
        clock = ManualClock(START)
        said = []
        async with Centre() as centre:
            service = calling(centre.port, clock, heartbeat_seconds=30)
            await service.start()
            master = await centre.call()
            said.append(await linked(master))
            master.send(dlt698_get(ADDRESS, 0x200F0200))
            reply = await dlt698_reply(master)
            assert dlt698_decode_apdu(reply.user_data)[1][1]["result"] == ("data", ("long_unsigned", 5_000))
            for _ in range(2):
                heartbeat = asyncio.ensure_future(linked(master))
                async with asyncio.timeout(LIMIT_S):
                    while not heartbeat.done():
                        await pass_time(clock, 1_000)
                said.append(heartbeat.result())
            elapsed = clock.elapsed_ms
            assert 60_000 <= elapsed <= 66_000
            master.close()
            await service.stop()
        return said

    assert asyncio.run(run()) == ["login", "heartbeat", "heartbeat"]


def test_a_meter_calls_again_when_the_connection_is_gone() -> None:
    async def run() -> None:
        clock = ManualClock(START)
        async with Centre() as centre:
            service = calling(centre.port, clock, heartbeat_seconds=30)
            await service.start()
            for _ in range(3):
                master = await centre.call()
                assert await linked(master) == "login"
                master.close()
                again = asyncio.ensure_future(centre.calls.get())
                before = clock.elapsed_ms
                async with asyncio.timeout(LIMIT_S):
                    while not again.done():
                        await pass_time(clock, 1_000)
                assert clock.elapsed_ms - before >= 10_000
                centre.calls.put_nowait(again.result())
            await service.stop()

    asyncio.run(run())


def test_a_meter_calls_until_somebody_is_there() -> None:
    async def run() -> str:
        clock = ManualClock(START)
        async with Centre() as early:
            port = early.port
        service = calling(port, clock, heartbeat_seconds=30)
        await service.start()
        assert service.addresses()[0]["transport"] == "dial-out"
        await pass_time(clock, 25_000)
        late = Centre()
        late.port = port
        async with late:
            call = asyncio.ensure_future(late.call())
            async with asyncio.timeout(LIMIT_S):
                while not call.done():
                    await pass_time(clock, 1_000)
            word = await linked(call.result())
            await service.stop()
        return word

    assert asyncio.run(run()) == "login"


def test_faults_hit_logins_too() -> None:
    async def run() -> tuple[dict[str, Any], bytes]:
        clock = ManualClock(START)
        async with Centre() as centre:
            meters = served("m", DLT698, address=ADDRESS), served("dtu", unit=1)
            faults = [{"kind": "silent", "meter": "m", "count": 1}]
            service = service_of(
                *meters, clock=clock, transport="dial-out", port=centre.port, heartbeat_seconds=30, faults=faults
            )
            await service.start()
            master = await centre.call()
            # A meter on Modbus behind a DTU that calls, too, says nothing by itself, and answers.
            master.send(rtu(1, bytes((17,))))
            head = await master.receive(2)
            login = asyncio.ensure_future(linked(master))
            await master_rest(master, login, clock)
            await service.stop()
            return service.book.counters["m"].as_json(), head

    async def master_rest(master: TcpMaster, login: "asyncio.Future[str]", clock: ManualClock) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not login.done():
                await pass_time(clock, 1_000)
        assert login.result() == "login"  # repeated, because nobody answered the first one

    counters, head = asyncio.run(run())
    assert counters == {"requests": 0, "answers": 1, "faults": {"silent": 1}}
    assert head == bytes((1, 17))
