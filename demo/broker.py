"""An MQTT broker for the demonstration, so that a newcomer installs none: `python -m demo.broker PORT`."""

import asyncio
import contextlib
import logging
import signal
import sys

from amqtt.broker import Broker


async def serve(port: int) -> None:
    """Listen on loopback until SIGTERM. Anonymous and without persistence: nothing but the demonstration uses it."""
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await broker.start()
    await stop.wait()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(broker.shutdown(), 5)


def main() -> int:
    """Run the broker on the port given."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    asyncio.run(serve(int(sys.argv[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
