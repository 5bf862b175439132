"""The peer of the agent benchmark: plain pymodbus doing the same reads at the same rate, and nothing else.

`python -m bench.modbus_peer PORTS_JSON REGISTERS PERIOD_S` reads until it is terminated.
"""

import asyncio
import json
import sys

from pymodbus.client import AsyncModbusTcpClient


async def _poll(port: int, count: int, period_s: float, phase_s: float) -> None:
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    loop = asyncio.get_running_loop()
    due = loop.time() + phase_s
    while True:
        await asyncio.sleep(max(due - loop.time(), 0))
        due += period_s
        await client.read_input_registers(0, count=count, device_id=1)


async def _main(ports: list[int], count: int, period_s: float) -> None:
    # Spread over the period as the agent's lines are: a burst would be a different load.
    shift = period_s / len(ports)
    await asyncio.gather(*(_poll(port, count, period_s, i * shift) for i, port in enumerate(ports)))


if __name__ == "__main__":
    asyncio.run(_main(json.loads(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
