"""`diantan-agent frame`, as a person or a script runs it."""

import io
import json
import subprocess
import sys
from typing import Any

import pytest

from agent import cli

READ = "68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    status = cli.main(["frame", *arguments])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_octets_as_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    """Parted by the shell or not, with or without prefixes: the same frame."""
    forms = [[READ], READ.split(), [READ.replace(" ", "")], [f"0x{octet}," for octet in READ.split()]]
    for form in forms:
        status, (told,) = run(capsys, *form)
        assert status == 0
        assert told["values"] == [
            {
                "di": "02010100",
                "raw": "0110",
                "value": "100.1",
                "unit": "V",
                "name": "voltage phase A",
                "name_zh": "电压（A相）",
            }
        ]
        assert (told["protocol"], told["direction"], told["address"]) == ("dlt645", "reply", "000000000161")
        assert told["octets"] == READ


def test_several_frames_as_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    status, told = run(capsys, "01 03 00 64 00 01 C5 D5", "01 03 02 00 1A 39 8F")
    assert (status, [entry["direction"] for entry in told]) == (0, ["request", "reply"])
    assert told[1]["values"][0]["register"] == 100


def test_lines_of_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One object a line, whatever a line holds; comments and empty lines say nothing."""
    lines = ["# a capture", "", f"{READ}  # the voltage", READ.replace("10 16", "11 16"), "what?", f"{READ}{READ}"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines) + "\n"))
    status, told = run(capsys)
    assert status == 1
    kinds = [entry["error"] and entry["error"]["kind"] for entry in told]
    assert kinds == [None, "checksum", "not-hexadecimal", None, None]
    assert (told[1]["error"]["expected"], told[1]["error"]["found"]) == ("10", "11")
    assert told[2]["error"]["input"] == "what?"


def test_a_refusal_is_an_intact_frame(capsys: pytest.CaptureFixture[str]) -> None:
    status, (told,) = run(capsys, "FE FE FE FE 68 11 11 11 11 11 11 68 D1 01 35 3D 16")
    assert (status, told["error"]["code"]) == (0, 2)


def test_a_protocol_can_be_forced(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--protocol", "dlt645", READ)[0] == 0
    status, (told,) = run(capsys, "--protocol", "modbus-rtu", READ)
    assert (status, told["protocol"]) == (1, None)
    with pytest.raises(SystemExit) as ended:
        cli.main(["frame", "--protocol", "profibus", READ])
    assert ended.value.code == 2


def test_it_answers_each_line_at_once_and_ends_quietly_with_its_reader() -> None:
    """Beside a running capture: a line in, a line out, in UTF-8."""
    command = [sys.executable, "-m", "agent.cli", "frame"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(2):
            process.stdin.write(f"{READ}\n".encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["values"][0]["name_zh"] == "电压（A相）"
        process.stdout.close()
        process.stdin.write(f"{READ}\n".encode())
        process.stdin.close()
        assert process.wait(10) == 1
        assert b"Traceback" not in process.stderr.read()


def test_a_profile_names_registers(capsys: pytest.CaptureFixture[str]) -> None:
    frames = ["0001 0000 0006 07 04 0046 0002", "0001 0000 0007 07 04 04 42480000"]
    status, told = run(capsys, "--profile", "eastron-sdm630", *frames)
    assert status == 0
    assert told[1]["values"][0]["name"] == "frequency"
    assert cli.main(["frame", "--profile", "nothing", READ]) == 2
    assert cli.main(["frame", "--parameter", "ct=1", READ]) == 2
