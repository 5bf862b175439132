"""Replies of DL/T 698.45 that come in blocks (GetRequestNext): collected, and made the one that was asked for."""

from typing import Any, Final

from diantan_core import dlt698_encode_apdu
from fieldbus.drivers.dlt698_message import Message
from fieldbus.exchange import BadReplyError

_MOST_BLOCKS: Final = 1024
_LARGEST_REPLY: Final = 60_000  # octets of joined blocks; the codec takes 65535


class Blocks:
    """The blocks of one reply to a normal, normal_list or record request; each was checked to be the next one."""

    def __init__(self, choice: str, oads: tuple[int, ...], about: str) -> None:
        self._choice = choice
        self._oads = oads
        self._about = about
        self._results: list[dict[str, Any]] = []
        self._number = 0  # of blocks
        self._octets = 0

    def take(self, message: Message) -> int | None:
        """Take a block; return its number, by which the next one is asked for, or None when it is the last.

        BadReplyError for more than any reply can be.
        """
        _, items = message.body["result"]
        self._results += items
        self._number += 1
        self._octets += len(message.apdu)
        if self._octets > _LARGEST_REPLY or self._number > _MOST_BLOCKS:
            raise BadReplyError(
                f"{self._about}: too long a reply, or one without end: {self._octets} octets in {self._number} blocks"
            )
        return None if message.body["last"] else int(message.body["block"])

    def joined(self) -> bytes:
        """Return the GET-Response that the blocks are in one; BadReplyError where they are about something else."""
        results = self._results
        if self._choice == "record" and {result["oad"] for result in results} == set(self._oads):
            results = [self._record()]
        if tuple(result["oad"] for result in results) != self._oads:
            raise BadReplyError(f"{self._about}: the blocks are about {len(results)} other attributes")
        content: dict[str, Any] = {"piid_acd": 0, "follow_report": None, "time_tag": None}
        if self._choice == "normal_list":
            content["results"] = results
        elif self._choice == "record":
            content["record"] = results[0]
        else:
            content |= results[0]
        return dlt698_encode_apdu(("get_response", (self._choice, content)))

    def _record(self) -> dict[str, Any]:
        """Return one record out of its rows in several blocks."""
        first, *_ = self._results
        if any(part["columns"] != first["columns"] or part["result"][0] != "rows" for part in self._results):
            raise BadReplyError(f"{self._about}: blocks with different columns")
        return {**first, "result": ("rows", [row for part in self._results for row in part["result"][1]])}
