"""What served firmware says to its bench on a sample stream, and what it does not take."""

import asyncio
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from served_support import LIMIT_S, hello, served
from serving_support import HEAD, driven_plan, stream_plan

from firmware_sim.cli import main
from firmware_sim.inspection.defects.catalogue import UnknownDefectError
from firmware_sim.inspection.parts.stream_frames import HEAD as FRAME_HEAD
from firmware_sim.inspection.parts.stream_frames import Can, Phasor, phasors, want
from firmware_sim.inspection.plan import load_plan
from firmware_sim.inspection.serving import ServeOptions, Serving
from firmware_sim.lines.port import stop_listening
from settings.errors import ConfigError


async def crooked(path: Path, said: bytes) -> tuple[int, bytes]:
    """Be a bench that says something; return the exit status and what the firmware said."""
    plan, heard = load_plan(path), b""
    done = asyncio.Event()

    async def bench(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        writer.write(said)
        heard = await reader.read()
        writer.close()
        done.set()

    server = await asyncio.start_server(bench, "127.0.0.1", getattr(plan.source, "port", 0))
    async with asyncio.timeout(LIMIT_S), served(path, once=True) as task:
        await done.wait()
        await stop_listening(server)
        return await task, heard


@pytest.mark.parametrize(
    ("say", "told"),
    [
        (lambda path: hello(path, constant=2_000), "expected the rating of the plan"),
        (lambda path: FRAME_HEAD.pack(b"PASS", 0), "expected HELO"),
        (lambda path: hello(path) + FRAME_HEAD.pack(b"SAMP", 9) + bytes(9), "expected whole samples"),
        (lambda path: hello(path) + FRAME_HEAD.pack(b"PASS", 20) + bytes(20), "expected samples from 0 on"),
        (lambda path: hello(path) + FRAME_HEAD.pack(b"PHAS", 4) + bytes(4), "expected more than 4 octets"),
        (lambda path: hello(path) + FRAME_HEAD.pack(b"PASS", 1 << 20), "expected a frame of at most"),
    ],
)
def test_a_bench_that_does_not_keep_to_the_protocol_is_told_so(
    tmp_path: Path, say: Callable[[Path], bytes], told: str
) -> None:
    path = stream_plan(tmp_path)
    status, heard = asyncio.run(crooked(path, say(path)))
    assert status == 1
    assert b"FAIL" in heard
    assert told in heard.decode(errors="replace")


def phasors_frame(index: int, seconds: int) -> bytes:
    """Return a PHAS frame of 60 A."""
    return phasors(index, seconds * 6_400, 50_000, [Phasor(220_000_000, 60_000_000, 10**6, 0)] * 3)


async def told_pulses(path: Path, wants: Sequence[int | None]) -> list[list[tuple[int, int]]]:
    """Be a bench; return index and kind of the pulses in each of several frames of 10 s, before which it says WANT."""
    told: list[list[tuple[int, int]]] = []
    done = asyncio.Event()

    async def bench(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(hello(path))
        for number, kinds in enumerate(wants):
            writer.write((b"" if kinds is None else want(Can(kinds))) + phasors_frame(number * 64_000, 10))
            told.append([])
            letters = b""
            while letters != b"ACK ":
                letters, length = FRAME_HEAD.unpack(await reader.readexactly(FRAME_HEAD.size))
                rest = await reader.readexactly(length)
                told[-1] += [struct.unpack("<QI4x", rest)] if letters == b"PULS" else []
        writer.close()
        done.set()

    server = await asyncio.start_server(bench, "127.0.0.1", getattr(load_plan(path).source, "port", 0))
    async with asyncio.timeout(LIMIT_S), served(path, once=True):
        await done.wait()
        await stop_listening(server)
    return told


def test_pulses_that_the_bench_does_not_wait_for_are_not_told_but_counted(tmp_path: Path) -> None:
    path = stream_plan(tmp_path)
    told = asyncio.run(told_pulses(path, [None, 0, 2, 1]))
    assert [len(pulses) for pulses in told] == [110, 0, 0, 110]  # no factor, no carbon
    # 11 a second: the first of the last frame is the 331st.
    assert abs(told[3][0][0] - 331 * 6_400 / 11) < 7
    assert {kind for pulses in told for _, kind in pulses} == {1}


def test_what_does_not_go_together_is_told(tmp_path: Path) -> None:
    simulated = tmp_path / "simulated.toml"
    simulated.write_text(HEAD, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"simulated\.toml: source\.kind: expected"):
        Serving(load_plan(simulated), ServeOptions(simulated.name))
    path = driven_plan(tmp_path, 'kind = "manual"')
    with pytest.raises(ConfigError, match="needs --control PATH"):
        Serving(load_plan(path), ServeOptions(path.name))
    path = stream_plan(tmp_path)
    with pytest.raises(ConfigError, match="with --standard"):
        Serving(load_plan(path), ServeOptions(path.name, standard=True))
    with pytest.raises(UnknownDefectError, match="no defect 'none'"):
        Serving(load_plan(path), ServeOptions(path.name, defect="none"))


def test_a_real_device_is_not_put_out_of_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = f'name = "dut"\ntransport = "serial"\ndevice = "{tmp_path}/tty"\n'
    (tmp_path / "tty").write_text("")
    path = stream_plan(tmp_path, line=line)
    assert asyncio.run(_refused(path)) == "expected --device"
    assert (tmp_path / "tty").is_file()
    assert main(["serve", str(tmp_path / "none.toml")]) == 2
    assert "none.toml" in capsys.readouterr().err


async def _refused(path: Path) -> str:
    async def bench(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(hello(path))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(bench, "127.0.0.1", getattr(load_plan(path).source, "port", 0))
    try:
        async with asyncio.timeout(LIMIT_S):
            await Serving(load_plan(path), ServeOptions(path.name)).run()
    except ConfigError as error:
        return "expected --device" if "expected --device" in str(error) else str(error)
    finally:
        await stop_listening(server)
    return "served"
