"""A manufacturer inspects firmware: bench and device are processes of their own, on sockets."""

import json
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from firmware_sim import examples

LIMIT_S = 100
EXAMPLES = Path(examples.__file__).parent
PLAN = """
[inspection]
number = "E-1"
[rating]
class = "B"
voltage_v = 220
imin_a = 0.25
itr_a = 0.5
imax_a = 60
starting_a = 0.02
constant = 1000
carbon_constant = 1000
[points]
factors = [{factors}]
power_factors = ["1.0"]
currents = ["Imax", "0.5Imax", "10Itr", "Itr"]
balances = ["balanced"]
dwell_seconds = {dwell}
[dut]
profile = "{profile}"
[dut.line]
name = "dut"
transport = "modbus-tcp"
host = "127.0.0.1"
port = {dut}
[source]
kind = "stream"
port = {bench}
form = "{form}"
connect_seconds = 30
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Bench:
    """A plan in a folder of its own, and the processes that it was given to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "plan.toml"
        self.ports = {"dut": free_port(), "bench": free_port()}
        self.running: list[subprocess.Popen[str]] = []
        self.plan()

    def plan(
        self,
        *,
        form: str = "phasors",
        dwell: int = 10,
        profile: str = "sim-carbon-meter",
        factors: str = '"0.1", "1"',
    ) -> None:
        text = PLAN.format(form=form, dwell=dwell, profile=profile, factors=factors, **self.ports)
        self.path.write_text(text, encoding="utf-8")

    def start(self, *command: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True, cwd=self.folder)
        self.running.append(process)
        return process

    def sim(self, *arguments: str) -> subprocess.Popen[str]:
        return self.start(sys.executable, "-m", "firmware_sim.cli", *arguments)

    def serve(self, *arguments: str) -> subprocess.Popen[str]:
        return self.sim("serve", str(self.path), *arguments)

    def inspect(self, *items: str, more: tuple[str, ...] = ()) -> tuple[int, str]:
        chosen = [word for item in items for word in ("--items", item)]
        return ended(self.sim("inspect", str(self.path), *chosen, *more))

    def results(self, folder: str = "inspection-E-1") -> dict[str, Any]:
        report = json.loads((self.folder / folder / "report.json").read_text(encoding="utf-8"))
        return {item["id"]: item for item in report["items"]}

    def record(self, folder: str = "inspection-E-1") -> list[dict[str, Any]]:
        lines = (self.folder / folder / "record.jsonl").read_bytes().split(b"\n")[:-1]
        return [json.loads(line) for line in lines]

    def until_points(self, number: int, process: subprocess.Popen[str]) -> None:
        """Wait until so many load points are in the record."""
        deadline = time.monotonic() + LIMIT_S
        path = self.folder / "inspection-E-1" / "record.jsonl"
        while not path.exists() or path.read_bytes().count(b'\n{"point"') < number:
            assert process.poll() is None, ended(process)[1]
            assert time.monotonic() < deadline, "no load points are measured"
            time.sleep(0.01)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=LIMIT_S)
    return process.returncode, said


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for process in made.running:
        if process.poll() is None:
            process.kill()
        process.communicate()


FUNCTIONS = ("communication.factor", "robustness.factor-day-end", "robustness.power-cut", "robustness.local-midnight")


def test_healthy_firmware_that_is_served_passes_the_metering(bench: Bench) -> None:
    device = bench.serve("--once")
    status, said = bench.inspect("metering.*", more=("--fast",))
    assert status == 0, said
    found = bench.results("inspection-E-1-fast")
    assert found["metering.carbon.fixed"]["points"]
    assert {found[name]["verdict"] for name in ("metering.starting", "metering.carbon.dynamic")} == {"passed"}
    assert ended(device)[0] == 0


def test_healthy_firmware_that_is_served_passes_functions_after_the_metering(bench: Bench) -> None:
    # Pulses leave the bench's time inside of a ms: what comes after them must not depend on that.
    bench.serve()
    items = ("metering.electricity", "metering.carbon.fixed", *FUNCTIONS)
    status, said = bench.inspect(*items)
    assert status == 0, said
    found = bench.results()
    assert {found[name]["verdict"] for name in items} == {"passed"}
    assert {reading["by"] for point in found[items[0]]["points"] for reading in point["readings"]} >= {"pulse"}


def test_a_month_of_days_with_load_passes_in_no_time(bench: Bench) -> None:
    bench.serve()
    status, said = bench.inspect("functions.daily-freezes")
    assert status == 0, said
    assert bench.results()["functions.daily-freezes"]["verdict"] == "passed"


def test_the_example_firmware_passes_the_metering(bench: Bench) -> None:
    bench.plan(form="samples", profile=str(EXAMPLES / "host_firmware.toml"), factors='"1"', dwell=2)
    # It does not wait for the bench, as `serve` does: the bench is there first.
    inspecting = bench.sim(
        "inspect", str(bench.path), "--items", "metering.electricity", "--items", "metering.carbon.*"
    )
    wait_for_port(bench.ports["bench"], inspecting)
    bench.start(
        sys.executable,
        str(EXAMPLES / "host_firmware.py"),
        f"127.0.0.1:{bench.ports['bench']}",
        str(bench.ports["dut"]),
    )
    status, said = ended(inspecting)
    assert status == 0, said


def wait_for_port(port: int, process: subprocess.Popen[str]) -> None:
    """Wait until somebody listens, without a connection that the bench would take for the firmware."""
    deadline = time.monotonic() + LIMIT_S
    wanted = f":{port:04X} 00000000:0000 0A"
    while wanted not in Path("/proc/net/tcp").read_text(encoding="ascii"):
        assert process.poll() is None, ended(process)[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_defect_is_caught_and_named(bench: Bench) -> None:
    bench.serve("--defect", "carbon-pulses-divided")
    status, said = bench.inspect("metering.carbon.fixed", "metering.electricity")
    assert status == 1, said
    suite = ET.parse(bench.folder / "inspection-E-1" / "junit.xml").getroot()
    failed = [case for case in suite.iter("testcase") if case.find("failure") is not None]
    assert failed
    assert all("metering.carbon.fixed" in "".join(case.attrib.values()) for case in failed)


def test_an_interrupted_run_goes_on_where_it_was(bench: Bench) -> None:
    factors = '"0.1", "0.2", "0.5", "1"'
    bench.plan(dwell=600, factors=factors)
    bench.serve()
    item = "metering.carbon.fixed"
    first = bench.sim("inspect", str(bench.path), "--items", item)
    bench.until_points(4, first)
    first.send_signal(signal.SIGINT)
    status, said = ended(first)
    assert status == 130, said
    before = [entry["key"] for entry in bench.record() if "point" in entry]
    assert bench.inspect(item)[0] == 0
    after = [entry["key"] for entry in bench.record() if "point" in entry]
    assert len(before) < len(after)
    assert after[: len(before)] == before
    assert len(set(after)) == len(after)  # none was measured again
    assert bench.inspect(item, more=("--output", "undisturbed"))[0] == 0

    def judged(folder: str) -> list[tuple[Any, ...]]:
        points = bench.results(folder)[item]["points"]
        # A run begins at the system's time: which side of 0 a mean rounds to is not the same in each.
        return [(p["key"], p["good"], p["limit_percent"], Decimal(p["rounded_percent"])) for p in points]

    assert judged("inspection-E-1") == judged("undisturbed")


def test_a_device_that_goes_away_fails_and_nothing_hangs(bench: Bench) -> None:
    bench.plan(dwell=600, factors='"0.1", "0.2", "0.5", "1"')
    device = bench.serve()
    inspecting = bench.sim("inspect", str(bench.path), "--items", "metering.carbon.*")
    bench.until_points(2, inspecting)
    device.kill()
    status, said = ended(inspecting)
    assert status == 1, said
    found = bench.results()["metering.carbon.fixed"]
    assert found["verdict"] == "failed"
    assert any("sample stream" in step["found"] or "line dut" in step["found"] for step in found["steps"])


def test_every_mistake_of_a_plan_is_told(bench: Bench) -> None:
    text = bench.path.read_text(encoding="utf-8").replace("dwell_seconds = 10", "dwell_seconds = 0\nturns = 3")
    bench.path.write_text(text.replace('form = "phasors"', 'form = "noise"'), encoding="utf-8")
    for command in ("inspect", "serve"):
        status, said = ended(bench.sim(command, str(bench.path)))
        assert status == 2
        assert all(wrong in said for wrong in ("dwell_seconds", "turns", "form")), said


def test_the_bench_inspects_itself_and_every_report_can_be_read(bench: Bench) -> None:
    status, said = ended(bench.sim("inspect", "--self", "--fast", "--output", "own"))
    assert status == 0, said
    own = bench.folder / "own"
    assert bench.results("own")["metering.carbon.fixed"]["verdict"] == "passed"
    assert ET.parse(own / "junit.xml").getroot().tag in ("testsuite", "testsuites")
    assert "<svg" in (own / "report.html").read_text(encoding="utf-8")
    with zipfile.ZipFile(own / "report.docx") as document:
        assert "检验" in document.read("word/document.xml").decode()
