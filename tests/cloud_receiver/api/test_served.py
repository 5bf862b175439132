"""The receiver as a process with its interface: what is told over HTTP is solved, and read over HTTP again."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from analysis_support import DAY_MS, SMALL, small
from api_support import Answer, Client
from metrics_support import free_port
from stored_support import enter

from clock import SystemClock
from cloud_receiver import database
from cloud_receiver.api import tokens
from cloud_receiver.api.tokens import Role
from cloud_receiver.cli import main
from cloud_receiver.grid.analysis.periods import SLOT_MS, utc

pytestmark = pytest.mark.mosquitto

TOML = """
[centre]
key_file = "centre.key"
[broker]
host = "{host}"
port = {broker}
[grid]
[api]
port = {port}
tokens_file = "tokens.toml"
"""
SLOT = utc(DAY_MS + 8 * SLOT_MS)


def _started(directory: Path, config: Path) -> subprocess.Popen[bytes]:
    clock = f"simulated:{DAY_MS + 10 * SLOT_MS + 1000}:1:{SystemClock().monotonic_ms()}"
    command = [sys.executable, "-m", "cloud_receiver.cli", "run", "--config", str(config), "--clock", clock]
    with (directory / "log.txt").open("wb") as log:
        return subprocess.Popen(command, stderr=log)


@asynccontextmanager
async def _running(directory: Path, config: Path, port: int) -> AsyncIterator[subprocess.Popen[bytes]]:
    process = _started(directory, config)
    try:
        while True:
            assert process.poll() is None, (directory / "log.txt").read_text()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            break
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


async def _solved(client: Client) -> Answer:
    """Return the slot when what was told of it is solved. It may be solved without it first."""
    while True:
        found = await client.get(f"/v1/grid/slots/{SLOT}")
        if found.status == 200 and found.json["factors"][0]["origin"] == "solved":
            return found
        assert found.status in {200, 404}, found.body
        await asyncio.sleep(0.1)


def test_what_is_told_is_solved_and_read(tmp_path: Path, mosquitto: Any) -> None:
    assert main(["key", "new", str(tmp_path / "centre.key")]) == 0
    (tmp_path / "registry.toml").write_text("station = []\n")
    port = free_port()
    config = tmp_path / "receiver.toml"
    config.write_text(TOML.format(host=mosquitto.host, broker=mosquitto.port, port=port))
    measure = tokens.make(tmp_path / "tokens.toml", "scada", Role.MEASURE)
    read = tokens.make(tmp_path / "tokens.toml", "report", Role.READ)
    engine = database.open_store("sqlite:///receiver.sqlite", tmp_path)
    database.upgrade(engine)
    enter(engine, small())
    engine.dispose()

    async def run() -> tuple[Answer, Answer, int]:
        async with _running(tmp_path, config, port) as process, aiohttp.ClientSession() as session:
            client = Client(session, port, measure)
            told = await client.post("/v1/grid/measurements", json.dumps({**SMALL, "start": SLOT}))
            client.token = read
            found = await _solved(client)
            process.send_signal(signal.SIGTERM)
            return told, found, await asyncio.to_thread(process.wait, 20)

    told, found, status = asyncio.run(run())
    assert (told.status, told.json["feed"], told.json["new"]) == (200, "scada", 1), told.body
    plant = found.json["factors"][0]
    assert (plant["node"], plant["factor_kg_per_kwh"], plant["origin"]) == ("P1", "0.680000", "solved")
    assert status == 0
    assert main(["grid", "verify", "--config", str(config)]) == 0
