"""`diantan-receiver token`: makes, lists and withdraws tokens of the HTTP interface."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from cloud_receiver import config
from cloud_receiver.api import tokens
from cloud_receiver.api.tokens import Role, TokenError
from settings.names import NAME_RULE, is_name

Common = Callable[[argparse.ArgumentParser], None]


def add(parser: argparse.ArgumentParser, common: Common) -> None:
    """Add the verbs; `common` adds --config."""
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    new = verbs.add_parser(
        "new",
        help="make a token, print it once, and enter its hash into [api] tokens_file",
        description="Make a token and print it: it is stored nowhere, only its hash in [api] tokens_file. A running "
        "receiver believes it at once.",
    )
    new.add_argument("name", metavar="NAME", help="whose it is; of role measure, the name of its feed")
    new.add_argument("--role", required=True, choices=[role.value for role in Role])
    new.set_defaults(run=_new)
    listing = verbs.add_parser("list", help="list names and roles")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_list)
    revoke = verbs.add_parser("revoke", help="end belief in a token")
    revoke.add_argument("name", metavar="NAME")
    revoke.set_defaults(run=_revoke)
    for verb in (new, listing, revoke):
        common(verb)


def _file(options: argparse.Namespace) -> Path:
    path = config.load(Path(options.config)).api.tokens_file
    if path is None:
        raise TokenError(f"{options.config}: api.tokens_file: expected the file of the tokens, found none")
    return path


def _new(options: argparse.Namespace) -> None:
    if not is_name(options.name):
        raise TokenError(f"token {options.name!r}: expected {NAME_RULE}")
    path = _file(options)
    secret = tokens.make(path, options.name, Role(options.role))
    sys.stderr.write(f"token {options.name} of role {options.role}: entered into {path}; it is shown this once\n")
    sys.stdout.write(f"{secret}\n")


def _list(options: argparse.Namespace) -> None:
    known = tokens.load(_file(options)).token
    if options.json:
        shown = [{"name": item.name, "role": item.role.value, "sha256": item.sha256} for item in known]
        sys.stdout.write(json.dumps(shown, indent=2) + "\n")
        return
    for item in known:
        sys.stdout.write(f"{item.name}  {item.role}  sha256 {item.sha256[:16]}\n")


def _revoke(options: argparse.Namespace) -> None:
    path = _file(options)
    tokens.revoke(path, options.name)
    sys.stdout.write(f"token {options.name}: revoked\n")
