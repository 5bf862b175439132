"""`diantan-agent key`: the gateway's signing key."""

import argparse
from pathlib import Path

from agent.commands.output import show


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to the parser."""
    key = commands.add_parser("key", help="the gateway's signing key")
    actions = key.add_subparsers(required=True, metavar="ACTION")
    new = actions.add_parser("new", help="write a new private key, and its public half beside it as FILE.pub")
    new.add_argument(
        "--algorithm",
        choices=("ed25519", "sm2"),  # wire.keys.ALGORITHMS, which the parser does not load
        default="ed25519",
        help="sm2: SM2 with SM3 (国密), which needs the extra `sm2` here and at the centre (default: ed25519)",
    )
    new.set_defaults(command=_new)
    shown = actions.add_parser("show", help="print the id and algorithm of a private or public key")
    shown.set_defaults(command=_show)
    for one in (new, shown):
        one.add_argument("file", type=Path, metavar="FILE")


def _new(arguments: argparse.Namespace) -> int:
    from wire import keys  # noqa: PLC0415

    public = arguments.file.with_name(arguments.file.name + ".pub")
    if public.exists():
        raise keys.KeyFileError(f"{public}: exists, and a key is never overwritten")
    key = keys.generate(arguments.algorithm)
    keys.save_private(key, arguments.file)
    keys.save_public(key.public_key(), public)
    show(f"{arguments.file}: key {keys.key_id(key.public_key()).hex()}; enrol {public} at the centre")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from wire import keys  # noqa: PLC0415

    try:
        public = keys.load_public(arguments.file)
    except keys.MissingLibraryError:
        raise
    except keys.KeyFileError:
        public = keys.load_private(arguments.file).public_key()
    show(f"{arguments.file}: {keys.algorithm_name(public)} key {keys.key_id(public).hex()}")
    return 0
