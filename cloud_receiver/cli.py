"""The command line `diantan-receiver`."""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import date

from sqlalchemy.exc import SQLAlchemyError

from cloud_receiver import commands, findings_command, prove_command, quarantine_commands
from cloud_receiver.api import token_command
from cloud_receiver.checks import balance_command, recheck_command
from cloud_receiver.completeness import arguments as completeness_arguments
from cloud_receiver.database import StoreError
from cloud_receiver.enrolment import EnrolmentError
from cloud_receiver.estimation import command as estimation_command
from cloud_receiver.estimation import night_command
from cloud_receiver.estimation.fleet import command as fleet_command
from cloud_receiver.grid import arguments as grid_arguments
from cloud_receiver.levels import command as levels_command
from cloud_receiver.metered_import import arguments as readings_arguments
from cloud_receiver.orders import arguments as order_arguments
from cloud_receiver.report import ReportError
from cloud_receiver.report_words import Language
from cloud_receiver.sales import arguments as sales_arguments
from cloud_receiver.validation import arguments as validation_arguments
from settings.errors import ConfigError
from wire.keys import ALGORITHMS, KeyFileError
from wire.link import LinkError
from wire.proof import command as verify_command
from wire.topics import TopicError

CONFIG_VARIABLE = "DIANTAN_RECEIVER_CONFIG"
DEFAULT_CONFIG = "receiver.toml"
_YEAR_HOURS = 8784
# As shells have it: 128 and the number of SIGINT, of SIGPIPE.
_INTERRUPTED, _UNHEARD = 130, 141
_SHOW = "commands-show"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status.

    0 done, 1 failed (why is on stderr), 2 wrong usage, 130 interrupted, 141 where who reads the answer had gone before
    the status was known: some commands tell by 0 that all is well.
    """
    options = parser().parse_args(_joined(sys.argv[1:] if arguments is None else arguments))
    status: int | None = _UNHEARD
    try:
        status = options.run(options)
        if sys.stdout is not None:
            sys.stdout.flush()
    except (
        ConfigError,
        EnrolmentError,
        KeyFileError,
        LinkError,
        ReportError,
        StoreError,
        TopicError,
        ValueError,
    ) as error:
        print(f"diantan-receiver: {error}", file=sys.stderr)  # noqa: T201  # a command's answer
        return 1
    except SQLAlchemyError as error:
        print(f"diantan-receiver: the store failed: {str(error).splitlines()[0]}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print("diantan-receiver: interrupted", file=sys.stderr)  # noqa: T201  # Ctrl-C
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe (head, less) has had enough. The interpreter would write what is left once more when it
        # ends, and complain.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print(f"diantan-receiver: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return status or 0


def parser() -> argparse.ArgumentParser:
    """Return the parser."""
    root = argparse.ArgumentParser(prog="diantan-receiver", description="Diantan's monitoring centre.")
    sub = root.add_subparsers(required=True, metavar="COMMAND")

    run = _command(sub, "run", commands.run, "take records in, check them, dispatch factors")
    _clock(run)
    run.add_argument("--log", choices=("human", "json"), default="human", help="form of the log lines on stderr")

    _gateway_commands(sub)

    report = _command(sub, "report", commands.report, "show a station's day")
    report.add_argument("station")
    report.add_argument("day", help="YYYY-MM-DD, in the station's time zone")
    report.add_argument("--format", choices=("table", "csv", "json"), default="table")
    report.add_argument("--with-estimates", action="store_true", help="show estimates (估补值) beside what is measured")
    report.add_argument("--lang", choices=[item.value for item in Language], default=Language.BOTH.value)

    findings = _command(sub, "findings", findings_command.run, "list what the checks found")
    findings_command.add_arguments(findings, _number)
    _clock(findings)

    _proofs(sub)
    _orders(sub)
    grid = sub.add_parser("grid", help="solve, show and import networks: carbon factors from power flow")
    grid_arguments.add(grid, _store_options)
    readings = sub.add_parser("readings", help="import a meter's readings from a file (读数导入), and settle them")
    readings_arguments.add(readings, _store_options)
    _levels(sub)
    _validation(sub)
    _estimation(sub)
    balance = sub.add_parser(
        "balance",
        help="show a station's energy and carbon against its grid side (电量与碳量平衡)",
        description="Show a station's energy and carbon against its grid side, with their tolerance.",
    )
    balance_command.add_arguments(balance, _store_options)
    recheck_command.add(sub, _store_options)
    complete = sub.add_parser(
        "completeness",
        help="show completeness and timeliness of readings (完整率、及时率)",
        description="Show how much of what was expected is there and how soon it came, of days that are over.",
    )
    completeness_arguments.add(complete, _store_options)
    sales = sub.add_parser(
        "sales", help="take charge orders (充电订单) in, and show what was sold against what was metered"
    )
    sales_arguments.add(sales, _store_options)
    token = sub.add_parser("token", help="make, list and revoke tokens of the HTTP interface")
    token_command.add(token, _config)

    quarantine = sub.add_parser("quarantine", help="list and show refused messages").add_subparsers(
        required=True, metavar="COMMAND"
    )
    ls = _command(quarantine, "ls", quarantine_commands.listed, "list refused messages, newest first, and the counts")
    quarantine_commands.list_arguments(ls)
    show = _command(quarantine, "show", quarantine_commands.shown, "show a refused message")
    quarantine_commands.show_arguments(show)

    key = sub.add_parser("key", help="make and show the centre's key").add_subparsers(required=True, metavar="COMMAND")
    for name, function, text in (
        ("new", commands.key_new, "write a new private key to FILE and its public key to FILE.pub"),
        ("show", commands.key_show, "show the id, the algorithm and the public key of a key file"),
    ):
        item = key.add_parser(name, help=text)
        item.add_argument("file", metavar="FILE")
        if name == "new":
            item.add_argument(
                "--algorithm",
                choices=ALGORITHMS,
                default="ed25519",
                help="sm2: SM2 with SM3 (国密), which needs the extra `sm2` here and at gateways (default: ed25519)",
            )
        item.set_defaults(run=function)

    base = sub.add_parser("database", help="look after the store").add_subparsers(required=True, metavar="COMMAND")
    _command(base, "upgrade", commands.database_upgrade, "bring the schema to this program's version")
    return root


def _gateway_commands(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    gateway = sub.add_parser("gateway", help="enrol, list, rotate and revoke gateways").add_subparsers(
        required=True, metavar="COMMAND"
    )
    add = _command(gateway, "add", commands.gateway_add, "enrol a gateway's public key")
    add.add_argument("gateway")
    add.add_argument("public_key_file")
    add.add_argument("--station", required=True, help="station of the registry that the gateway serves")
    _clock(add)
    listing = _command(gateway, "list", commands.gateway_list, "list gateways and their keys")
    listing.add_argument("--json", action="store_true")
    _clock(listing)
    rotate = _command(gateway, "rotate", commands.gateway_rotate, "enrol a gateway's next key beside the present one")
    rotate.add_argument("gateway")
    rotate.add_argument("public_key_file")
    rotate.add_argument(
        "--overlap-hours",
        type=_hours,
        default=168,
        metavar="HOURS",
        help="how long the present key is still believed (default: 168, a week)",
    )
    _clock(rotate)
    revoke = _command(gateway, "revoke", commands.gateway_revoke, "end belief in a gateway's keys")
    revoke.add_argument("gateway")
    revoke.add_argument("--key", metavar="KID", help="only this key (16 hexadecimal digits)")
    revoke.add_argument(
        "--at", metavar="TIME", help="from this time on, with zone (default: now); what came before stays"
    )
    _clock(revoke)


def _proofs(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    prove = _command(sub, "prove", prove_command.run, "write the signed bytes that prove a meter's readings to a file")
    prove_command.add_arguments(prove)
    _clock(prove)
    # Also without the extra `receiver`: the console script goes there by itself (cloud_receiver.entry).
    verify = sub.add_parser("verify", help="check such a file: no database, only the public key")
    verify_command.add_arguments(verify)
    verify.set_defaults(run=verify_command.run)


def _orders(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    common = _store_options
    command = sub.add_parser(
        "command",
        help="order a gateway to read, resend, tell its status or change its configuration",
        description="Order a gateway to do something, and wait for its answer. Exit status: 0 done; 1 refused, failed, "
        "expired or not answered in time.",
    )
    order_arguments.add_command(command, common)
    listing = sub.add_parser(
        "commands",
        help="list what gateways were ordered and what became of it; `commands show ID` has all of one",
        description="List what gateways were ordered, by whom, and what became of it, the newest first. "
        "`diantan-receiver commands show ID` shows one of them and its answer in full.",
    )
    common(listing)
    order_arguments.add_list(listing)
    # Not among those that the help lists: it says nothing new there.
    show = sub.add_parser(
        _SHOW,
        prog="diantan-receiver commands show",
        description="Show a command and its answer in full, with the signatures checked anew. Exit status: 0; 1 where "
        "the stored messages don't prove what is shown.",
    )
    common(show)
    order_arguments.add_show(show)


def _joined(arguments: Sequence[str]) -> Sequence[str]:
    """Return the arguments with `commands show` as one word: argparse has no word that may be a name as well."""
    if list(arguments[:2]) == ["commands", "show"]:
        return [_SHOW, *arguments[2:]]
    return arguments


def _levels(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    levels = sub.add_parser(
        "levels",
        help="show what the centres above and below say of a day at the boundaries (分级核对)",
        description="Show each boundary to another centre: what both sides say of a day, and what was found.",
    )
    levels.add_argument("--day", type=date.fromisoformat, help="YYYY-MM-DD (default: today)")
    levels.add_argument("--json", action="store_true")
    _store_options(levels)
    levels.set_defaults(run=levels_command.shown)


def _validation(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    validate = sub.add_parser(
        "validate",
        help="judge a station's readings by the rules of validation (数据校核)",
        description="Judge a station's readings, day by day. Exit status: 0; 1 where a rule failed.",
    )
    validation_arguments.add_validate(validate, _store_options)
    edits = sub.add_parser("edits", help="list, make and withdraw estimates (估补), which stand beside readings")
    validation_arguments.add_edits(edits, _store_options)


def _estimation(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    estimate = sub.add_parser(
        "estimate",
        help="estimate which chargers meter wrongly (远程误差估计), with uncertainty",
        description="Estimate each charger's metering error against the grid-side meter. Nothing of it is stored.",
    )
    _store_options(estimate)
    estimation_command.add_estimate(estimate)
    fleet = sub.add_parser(
        "fleet",
        help="show what stations together say of makes of chargers (全网同型误差)",
        description="Show what the last night said of each make: what its chargers have in common, with uncertainty.",
    )
    _store_options(fleet)
    fleet_command.add_fleet(fleet)
    nights = sub.add_parser(
        "nights",
        help="make nights of error estimation beside the receiver, in a process of its own or on another machine",
        description="Make nights of error estimation, each station's once, whoever else makes them on the same store. "
        "Exit status with --once: 0; 1 where a station's failed, or the night isn't over.",
    )
    _store_options(nights)
    night_command.add_nights(nights)
    results = sub.add_parser("verification", help="enter, list and withdraw results of on-site verification (现场检定)")
    estimation_command.add_verification(results, _store_options)


def _command(
    sub: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, run: commands.Command, text: str
) -> argparse.ArgumentParser:
    command = sub.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    _config(command)
    command.set_defaults(run=run)
    return command


def _store_options(command: argparse.ArgumentParser) -> None:
    _config(command)
    _clock(command)


def _config(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-c",
        "--config",
        default=os.environ.get(CONFIG_VARIABLE, DEFAULT_CONFIG),
        metavar="FILE",
        help=f"the centre's TOML file (default: ${CONFIG_VARIABLE}, else {DEFAULT_CONFIG} here)",
    )


def _number(text: str) -> int:
    number = int(text)
    if not 0 < number < 1 << 63:
        raise ValueError(text)
    return number


_number.__name__ = "number"  # as argparse names it in its message


def _hours(text: str) -> int:
    number = int(text)
    if not 0 <= number <= _YEAR_HOURS:
        raise ValueError(text)
    return number


_hours.__name__ = "number of hours"


def _clock(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--clock", default="system", help="system, or simulated:ORIGIN_MS:SPEED:ANCHOR_MS for demonstrations"
    )


if __name__ == "__main__":
    sys.exit(main())
