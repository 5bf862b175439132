"""The agent's bus and driver alone, doing what `bench.modbus_peer` does: the same reads at the same rate.

`python -m bench.modbus_lines PORTS_JSON REGISTERS PERIOD_S` reads until it is terminated.
"""

import asyncio
import json
import sys

from clock import SystemClock
from fieldbus.bus import LineBus
from fieldbus.channels.tcp import TcpChannel
from fieldbus.drivers.modbus import ModbusDriver
from fieldbus.line_timing import LineTiming


async def _poll(port: int, count: int, period_s: float, phase_s: float) -> None:
    bus = LineBus(TcpChannel("127.0.0.1", port, 5.0), LineTiming(timeout_s=1.0), SystemClock())
    driver = ModbusDriver(bus, framing="tcp")
    await bus.connect()
    loop = asyncio.get_running_loop()
    due = loop.time() + phase_s
    while True:
        await asyncio.sleep(max(due - loop.time(), 0))
        due += period_s
        await driver.read_registers(1, 4, 0, count)


async def _main(ports: list[int], count: int, period_s: float) -> None:
    shift = period_s / len(ports)
    await asyncio.gather(*(_poll(port, count, period_s, i * shift) for i, port in enumerate(ports)))


if __name__ == "__main__":
    asyncio.run(_main(json.loads(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
