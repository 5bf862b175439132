"""The command line without a receiver: what is issued, what is refused, and the audit."""

import getpass
import json
import os
import pwd
from pathlib import Path

import pytest
from command_line_support import NOW_MS, Place
from orders_support import DIGEST, DOCUMENT, RESULTS
from sqlalchemy import update

from cloud_receiver import database, schema
from cloud_receiver.cli import main
from cloud_receiver.orders import command_line
from wire.commands import LONGEST_VALIDITY_MS, Outcome
from wire.orders import Configure, ConfigureAction, Order, Read, ReadDay, Resend, TellStatus, Verb


@pytest.fixture(autouse=True)
def _logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the user of the process be who has logged in, wherever the tests run."""
    monkeypatch.setattr(command_line.os, "getlogin", lambda: pwd.getpwuid(os.getuid()).pw_name)


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path, capsys)


@pytest.mark.parametrize(
    ("arguments", "order"),
    [
        (("read", "C01"), Read("C01")),
        (("read", "充电桩 1", "power", "energy_forward"), Read("充电桩 1", ("power", "energy_forward"))),
        (("day", "2026-07-01"), ReadDay("2026-07-01")),
        (
            ("day", "2026-07-01", "--meter", "C01", "--meter", "G", "--from-meters"),
            ReadDay("2026-07-01", ("C01", "G"), from_meters=True),
        ),
        (("resend", "3", "9", "--context", "6a6f75726e616c31"), Resend(b"journal1", 3, 9)),
        (("status",), TellStatus()),
        (("config", "show"), Configure(ConfigureAction.SHOW)),
        (("config", "rollback"), Configure(ConfigureAction.ROLL_BACK)),
    ],
)
def test_each_verb_is_issued_as_it_was_written(place: Place, arguments: tuple[str, ...], order: Order) -> None:
    command = place.issued(*arguments)
    assert (command.gateway, command.order) == ("gw1", order)
    assert (command.issued_ms, command.expires_ms) == (NOW_MS, NOW_MS + 3_600_000)
    assert place.row(command.id.hex()).author == pwd.getpwuid(os.getuid()).pw_name


def test_options_may_stand_before_and_behind_what_they_belong_to(place: Place) -> None:
    assert place.issued("read", "--valid", "5", "C01", "power").order == Read("C01", ("power",))
    assert place.issued("resend", "--context", "00" * 8, "1", "1").order == Resend(bytes(8), 1, 1)


def test_validity_and_author(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    command = place.issued("status", "--valid", "10080", "--by", "李雷")
    assert command.expires_ms - command.issued_ms == LONGEST_VALIDITY_MS
    assert place.row(command.id.hex()).author == "李雷"
    # The environment may say anything.
    monkeypatch.setenv("LOGNAME", "somebody else")
    assert getpass.getuser() == "somebody else"
    assert place.row(place.issued("status").id.hex()).author != "somebody else"


def test_a_configuration_is_sent_whole_with_what_it_replaces(place: Place) -> None:
    document = "# 配置\r\n[gateway]\nid = 'gw1'\n"
    path = place.file(document)
    assert place.issued("config", "set", path, "--any-base").order == Configure(ConfigureAction.SET, document, None)
    based = place.issued("config", "set", path, "--base", DIGEST.hex(), "--trial", "60")
    assert based.order == Configure(ConfigureAction.SET, document, DIGEST, 60)
    exactly = "#" * 65_536
    largest = place.issued("config", "set", place.file(exactly), "--any-base").order
    assert isinstance(largest, Configure)
    assert largest.document == exactly


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("#" * 65_537, "expected 1 to 65536 bytes, got 65537"),
        ("", "expected 1 to 65536 bytes, got 0"),
        ("a = ", "no TOML: Invalid value"),
        ("[gateway]\n[gateway]\n", "no TOML"),
        (b"a = '\xff'", "expected UTF-8, got the byte 0xff at 5"),
    ],
)
def test_a_file_that_can_be_no_configuration_is_refused(place: Place, content: str | bytes, said: str) -> None:
    status, out, err = place.command("config", "set", place.file(content), "--any-base", "--no-wait")
    assert (status, out) == (1, "")
    assert said in err
    assert "gateway.toml" in err
    assert place.count() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("read", "x" * 65), "meter: expected 1 to 64 bytes"),
        (("read", ""), "meter: expected 1 to 64 bytes"),
        (("resend", "9", "3", "--context", "00" * 8), "at least the first, 9, got 3"),
        (("resend", "1", "3"), "no journal of it is known yet"),
        (("resend", "1", "3", "--context", "zz"), "--context 'zz': expected 16 hexadecimal digits"),
        (("config", "set", "missing.toml", "--any-base"), "missing.toml"),
        (("status", "--by", "a\tb"), "author 'a\\tb'"),
    ],
)
def test_what_can_not_be_ordered_is_named(place: Place, arguments: tuple[str, ...], said: str) -> None:
    status, out, err = place.command(*arguments, "--no-wait")
    assert (status, out) == (1, "")
    assert said in err
    assert err.startswith("diantan-receiver: ")
    assert place.count() == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("day", "2026-7-1"),
        ("day", "2026-W01-1"),
        ("resend", "0", "3"),
        ("resend", "1", str(2**63)),
        ("status", "--valid", "0"),
        ("status", "--valid", "10081"),
        ("config", "set", "f", "--trial", "9"),
        ("config", "set", "f", "--trial", "3601"),
        ("config", "set", "f", "--any-base", "--base", "00"),
        ("status", "--wait", "1", "--no-wait"),
        ("config",),
        (),
    ],
)
def test_wrong_usage_ends_with_2(place: Place, arguments: tuple[str, ...]) -> None:
    status, _, err = place.command(*arguments)
    assert status == 2
    assert "usage: diantan-receiver command" in err


def test_a_gateway_that_nobody_enrolled_or_whose_keys_are_revoked_is_refused(place: Place) -> None:
    status, _, err = place.run("command", "gw9", "status", "--no-wait")
    assert (status, "gateway 'gw9' is not enrolled" in err) == (1, True)
    assert place.run("gateway", "revoke", "gw1")[0] == 0
    status, _, err = place.command("status", "--no-wait")
    assert (status, "all its keys are revoked" in err) == (1, True)
    assert place.count() == 0


def test_the_key_of_the_centre_is_needed(place: Place) -> None:
    (place.directory / "centre.key").chmod(0o644)
    status, _, err = place.command("status", "--no-wait")
    assert (status, "centre.key" in err) == (1, True)
    (place.directory / "centre.key").unlink()
    assert place.command("status", "--no-wait")[0] == 1
    assert place.count() == 0


def test_what_was_not_waited_for_can_be_looked_up(place: Place) -> None:
    status, out, _ = place.command("status", "--no-wait", "--json", "--by", "tester")
    found = json.loads(out)
    assert status == 0
    assert (found["gateway"], found["verb"], found["state"], found["author"]) == ("gw1", "status", "new", "tester")
    assert found["issued"] == "2026-07-01T00:00:00+08:00"
    assert found["expires"] == "2026-07-01T01:00:00+08:00"
    assert (found["published"], found["reply"], found["order_fault"]) == (0, None, None)


def test_patience_that_ends_is_told_with_the_id(place: Place) -> None:
    status, out, err = place.command("status", "--wait", "0")
    assert (status, out) == (1, "")
    number = err.split()[1]
    assert f"command {number} is new, published 0 times; `diantan-receiver commands show {number}`" in err
    status, out, _ = place.command("status", "--wait", "0", "--json")
    assert (status, json.loads(out)["state"]) == (1, "new")


def test_a_configuration_is_not_sent_while_the_present_one_is_unknown(place: Place) -> None:
    status, out, err = place.command("config", "set", place.file(DOCUMENT), "--wait", "0")
    assert (status, out) == (1, "")
    assert "so nothing was sent" in err
    assert place.count() == 1  # the question alone


def test_a_configuration_that_nobody_waits_for_needs_a_base(place: Place) -> None:
    """To ask for it would take as long as a gateway that is away stays away."""
    status, out, err = place.command("config", "set", place.file("a = 1\n"), "--valid", "1", "--no-wait")
    assert (status, out) == (1, "")
    assert "--base" in err
    assert place.run("commands")[1] == ""


def test_the_list(place: Place) -> None:
    first = place.issued("status", "--by", "one").id
    line = (
        f"{first.hex()}  gw1  status  new  by one  issued 2026-07-01T00:00:00+08:00  "
        "expires 2026-07-01T01:00:00+08:00  published x0\n"
    )
    assert place.run("commands")[:2] == (0, line)
    place.answer(first, Outcome.DONE)
    second = place.issued("read", "C01", "--valid", "1").id
    lines = place.run("commands", "gw1")[1].splitlines()
    assert sorted(line.split()[0] for line in lines) == sorted([first.hex(), second.hex()])
    assert any("  done  by one  " in line and "answered 2026-07-01T00:00:01+08:00" in line for line in lines)
    assert [line.split()[0] for line in place.run("commands", "--open")[1].splitlines()] == [second.hex()]
    assert len(place.run("commands", "--limit", "1")[1].splitlines()) == 1
    assert place.run("commands", "gw9")[:2] == (0, "")
    assert place.run("commands", "--open", "show")[:2] == (0, "")  # a gateway may have this name
    assert place.run("commands", "show")[0] == 2
    found = json.loads(place.run("commands", "gw1", "--open", "--json")[1])
    assert [(item["id"], item["verb"], item["state"]) for item in found] == [(second.hex(), "read", "new")]
    place.change(expires_ms=NOW_MS)
    assert "  read  expired  " in place.run("commands")[1]


@pytest.mark.parametrize("verb", list(Verb))
def test_a_command_in_full(place: Place, verb: Verb) -> None:
    arguments = {
        Verb.READ: ("read", "C01"),
        Verb.READ_DAY: ("day", "2026-07-01"),
        Verb.RESEND: ("resend", "1", "4", "--context", "00" * 8),
        Verb.STATUS: ("status",),
        Verb.CONFIGURE: ("config", "show"),
    }[verb]
    number = place.issued(*arguments).id
    status, out, _ = place.run("commands", "show", number.hex())
    assert status == 0
    assert "order is        verified: signed by the centre with key" in out
    assert "reply is" not in out
    place.answer(number, Outcome.DONE, verb=verb)
    status, out, _ = place.run("commands", "show", number.hex()[:6])
    assert status == 0
    assert "state           done" in out
    assert "reply is        verified: signed by gw1 with key" in out
    telling = {
        Verb.READ: "  energy_forward  12.345678  kWh",
        Verb.READ_DAY: "12.345678  0.000000  7040.000000001  0.000000000  meter  -",
        Verb.RESEND: "on their way again: 1-2, 4",
        Verb.STATUS: "  line.a.ok  3",
        Verb.CONFIGURE: f"# in force: file, SHA-256 {DIGEST.hex()}\n[gateway]\n",
    }
    assert telling[verb] in out
    found = json.loads(place.run("commands", "show", number.hex(), "--json")[1])
    assert (found["id"], found["state"], found["order_fault"], found["reply_fault"]) == (
        *(number.hex(), "done"),
        *(None, None),
    )
    assert found["reply"]["result"]
    assert RESULTS[verb]


def test_the_document_that_was_ordered_is_shown_and_can_not_move_the_cursor(place: Place) -> None:
    number = place.issued("config", "set", place.file('a = "x"\nb = 2\n'), "--any-base").id
    out = place.run("commands", "show", number.hex())[1]
    assert 'ordered configuration:\n  a = "x"\n  b = 2\n' in out


def test_what_is_not_proved_is_said_and_ends_with_1(place: Place) -> None:
    number = place.issued("status").id
    place.answer(number, Outcome.DONE)
    place.change(outcome=int(Outcome.REFUSED))
    status, out, _ = place.run("commands", "show", number.hex())
    assert status == 1
    assert "NOT PROVED: the signed reply is another than the store's row says" in out


def test_a_former_key_of_the_centre_can_be_named(place: Place) -> None:
    number = place.issued("status").id.hex()
    (place.directory / "centre.key").rename(place.directory / "old.key")
    (place.directory / "centre.key.pub").rename(place.directory / "old.key.pub")
    assert main(["key", "new", str(place.directory / "centre.key")]) == 0
    assert place.run("commands", "show", number)[0] == 1
    assert place.run("commands", "show", number, "--key", str(place.directory / "old.key.pub"))[0] == 0


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("zzzz", "expected the 32 hexadecimal digits"),
        ("00", "expected the 32 hexadecimal digits"),
        ("00" * 17, "expected the 32 hexadecimal digits"),
        ("0000", "there is no command 0000"),
        ("00" * 16, "there is no command"),
    ],
)
def test_a_command_that_is_none(place: Place, number: str, said: str) -> None:
    status, out, err = place.run("commands", "show", number)
    assert (status, out) == (1, "")
    assert said in err


def test_digits_that_two_commands_begin_with_are_too_few(place: Place) -> None:
    for number in ("abcd01" + "00" * 13, "abcd02" + "00" * 13):
        first = place.issued("status").id
        engine = database.open_store("sqlite:///receiver.sqlite", place.directory)
        with database.writing(engine) as connection:
            mine = update(schema.command).where(schema.command.c.id == first)
            connection.execute(mine.values(id=bytes.fromhex(number)))
        engine.dispose()
    status, _, err = place.run("commands", "show", "abcd0")
    assert (status, "2 begin so: abcd01" in err) == (1, True)
    # One was renamed in the store, which its signature tells.
    status, out, _ = place.run("commands", "show", "abcd01")
    assert (status, "NOT PROVED" in out) == (1, True)


def test_who_acts_as_another_is_named_with_both(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    user = pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr(command_line.os, "getlogin", lambda: "li")
    assert place.row(place.issued("status").id.hex()).author == f"li as {user}"

    def nobody() -> str:
        raise OSError(6, "No such device or address")

    monkeypatch.setattr(command_line.os, "getlogin", nobody)
    assert place.row(place.issued("status").id.hex()).author == user
    monkeypatch.setattr(command_line.os, "getuid", lambda: 4_000_000)
    assert place.row(place.issued("status").id.hex()).author == "uid 4000000"


@pytest.mark.parametrize("arguments", [("command", "-h"), ("commands", "-h"), ("commands", "show", "-h")])
def test_help(place: Place, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 0
    assert f"usage: diantan-receiver {arguments[0]}" in capsys.readouterr().out
