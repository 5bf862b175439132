"""What is wrong with a reply of a DL/T 698.45 meter: refusals with their DAR, and replies to something else."""

from collections.abc import Callable
from typing import Any, Final

from diantan_core import dlt698_dar_name
from fieldbus.drivers.dlt698_message import Message
from fieldbus.exchange import BadReplyError, Heard, RefusedError

ERROR_RESPONSE: Final = 0x100
"""Added to the code of an ERROR-Response, to tell it from a DAR."""
_TARGET_SILENT: Final = 33  # DAR request_timeout: a terminal has not reached the meter
NOT_ASSOCIATED: Final = frozenset({15, 20, 21, 22, 23, 24})
"""DARs of a meter that wants an association, or another one."""


def wants_association(error: RefusedError) -> bool:
    """Return whether a refusal may mean that the meter has forgotten the association."""
    return error.code >= ERROR_RESPONSE or error.code in NOT_ASSOCIATED


def refuse(about: str, dar: int, *, silent: bool = False) -> RefusedError:
    """Return the error for a data access result (数据访问结果)."""
    return RefusedError(dar, f"{about}: refused, DAR {dar} ({dlt698_dar_name(dar)})", silent=silent)


def verifier(about: str, check: Callable[[str, Message], None]) -> Callable[[Heard], None]:
    """Return what raises a RefusedError for a refusal, and whatever `check` raises for any other reply."""

    def verify(heard: Heard) -> None:
        message = heard.frame
        assert isinstance(message, Message)
        body = message.body
        if message.name == "error_response":
            code = body["error"]
            raise RefusedError(ERROR_RESPONSE + code, f"{about}: refused, ERROR-Response {code}")
        if message.name == "security_response":
            kind, dar = body["apdu"]
            if kind == "dar":
                raise refuse(about, dar)
            raise BadReplyError(f"{about}: the reply is {kind}, which takes keys to read")
        if message.name == "proxy_response":
            kind, dar = body.get("result", ("", None))
            if kind != "dar":
                raise BadReplyError(f"{about}: a terminal behind a terminal")
            raise refuse(f"{about}: the terminal in front", dar, silent=dar == _TARGET_SILENT)
        check(about, message)

    return verify


def of_get(choice: str, oads: tuple[int, ...]) -> Callable[[str, Message], None]:
    """Return the check of a GET-Response for a normal, normal_list or record request; `next` blocks pass as well."""

    def check(about: str, message: Message) -> None:
        body = message.body
        if message.choice == "next":
            _next_block(about, choice, body)
            return
        if message.choice != choice:
            raise BadReplyError(f"{about}: expected GET-Response {choice}, got {message.choice}")
        answers = [body] if choice == "normal" else [body["record"]] if choice == "record" else body["results"]
        if tuple(answer["oad"] for answer in answers) != oads:
            raise BadReplyError(f"{about}: the reply is about {_hex(answers)}")
        if answers and all(answer["result"][0] == "dar" for answer in answers):
            raise refuse(about, answers[0]["result"][1])

    return check


def of_next(choice: str, number: int) -> Callable[[str, Message], None]:
    """Return the check of the block after the one of this number, of the reply to a request of this choice."""

    def check(about: str, message: Message) -> None:
        if message.choice != "next":
            raise BadReplyError(f"{about}: expected GET-Response next, got {message.choice}")
        _next_block(about, choice, message.body)
        if message.body["block"] != (number + 1) & 0xFFFF:
            raise BadReplyError(f"{about}: expected block {number + 1}, got {message.body['block']}")

    return check


def _next_block(about: str, choice: str, body: dict[str, Any]) -> None:
    kind, content = body["result"]
    if kind == "dar":
        raise refuse(about, content)
    expected = "record_list" if choice == "record" else "normal_list"
    if kind != expected:
        raise BadReplyError(f"{about}: expected blocks of {expected}, got {kind}")


def of_set(oad: int) -> Callable[[str, Message], None]:
    """Return the check of a SET-Response."""

    def check(about: str, message: Message) -> None:
        if message.choice != "normal" or message.body["oad"] != oad:
            raise BadReplyError(f"{about}: the reply is about something else")
        if message.body["dar"]:
            raise refuse(about, message.body["dar"])

    return check


def of_result(about: str, message: Message) -> None:
    """Check the result of a CONNECT- or RELEASE-Response."""
    result = message.body["result"]
    if result:
        raise RefusedError(result, f"{about}: refused, result {result}")


def _hex(answers: list[dict[str, Any]]) -> str:
    return " ".join(f"{answer['oad']:08X}" for answer in answers) or "nothing"
