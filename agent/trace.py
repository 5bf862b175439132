"""Frames with their meaning as they pass on a line (报文监视): one line of text or JSON for each."""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.config_lines import Line, ModbusTcpLine
from agent.profile_names import names_of
from fieldbus.exchange import Traced
from profiles import Profile
from protocols import PROTOCOLS, Explained, Explainer
from protocols.explained import Direction
from protocols.line import meaning

_PLAIN: Final = frozenset(("request", "answer", "response", "event"))  # verdicts that say no more than the arrow does
_LONGEST_REPLY_MS: Final = 2000
_SENT, _HEARD, _PASSED = "→", "←", "·"


class LineTrace:
    """Writes what passes on one line: as the tap of a LineBus (`LineBus.tap = line_trace(…)`), or octets as heard."""

    def __init__(
        self,
        explainers: Mapping[str, Explainer],
        name: str,
        timezone: str,
        write: Callable[[str], None],
        *,
        as_json: bool,
    ) -> None:
        """`explainers` are by the protocol names of the bus; the one of "" takes octets of no known protocol."""
        self._explainers = explainers
        self._name = name
        self._zone = ZoneInfo(timezone)
        self._write = write
        self._as_json = as_json
        self.frames = 0
        self._heard_ms = 0
        self.most: int | None = None  # frames to write; what comes after them is not told
        self.broken = False  # nobody reads what is written: nothing more is

    def __call__(self, traced: Traced) -> None:
        """Write what the bus has sent or heard."""
        explainer = self._explainers.get(traced.protocol, self._explainers[""])
        by_master = traced.sent or traced.verdict == "echo"
        for told in explainer.message(traced.octets, "request" if by_master else "reply"):
            self._tell(told, traced.time_ms, traced.sent, traced.verdict)

    def heard(self, octets: bytes, time_ms: int, direction: Direction | None = None) -> None:
        """Write the frames that octets of a line complete."""
        explainer = self._explainers[""]
        if time_ms - self._heard_ms > _LONGEST_REPLY_MS:
            # A request that is repeated looks like the reply to a write; nobody answers as late as this.
            explainer.forget_requests()
        self._heard_ms = time_ms
        for told in explainer.feed(octets, direction):
            self._tell(told, time_ms, None, "")

    def silence(self, time_ms: int) -> None:
        """Write what waited for more octets: the line has been silent."""
        for told in self._explainers[""].flush():
            self._tell(told, time_ms, None, "")

    @property
    def pending(self) -> int:
        """How many octets wait for more."""
        return self._explainers[""].pending

    def _tell(self, told: Explained, time_ms: int, sent: bool | None, verdict: str) -> None:  # noqa: FBT001 - None: neither
        if self.broken or (self.most is not None and self.frames >= self.most):
            return
        self.frames += 1
        moment = datetime.fromtimestamp(time_ms / 1000, self._zone)
        if self._as_json:
            entry: dict[str, Any] = {"time": moment.isoformat(timespec="milliseconds"), "line": self._name}
            if sent is not None:
                entry |= {"sent": sent, "verdict": verdict}
            self._put(json.dumps({**entry, **told.as_json()}, ensure_ascii=False))
            return
        by_master = told.sender == "master" if sent is None else sent
        arrow = _PASSED if told.sender is None and sent is None else _SENT if by_master else _HEARD
        word = "" if verdict in _PLAIN or not verdict else f"({verdict}) "
        who = f"{told.protocol or '?':<10} {'?' if told.address is None else told.address:<12}"
        self._put(f"{moment:%H:%M:%S}.{time_ms % 1000:03} {arrow} {who} {word}{meaning(told)}")

    def _put(self, text: str) -> None:
        # The bus of a running gateway calls this: a pipe that was closed must not cost it a reading.
        try:
            self._write(text)
        except OSError:
            self.broken = True


def line_trace(
    line: Line,
    profiles: Mapping[str, Profile],
    timezone: str,
    write: Callable[[str], None] | None = None,
    *,
    as_json: bool = False,
) -> LineTrace:
    """Return the trace of a line, to be set as the `tap` of its bus; `profiles` are by meter id.

    Lines go to standard error unless `write` is given. Registers, private identifiers and carbon objects get
    the names and units of the profiles' points.
    """
    names = names_of(line, profiles, timezone)
    modbus = ("modbus-tcp",) if isinstance(line, ModbusTcpLine) else ("modbus-rtu",)
    everything = modbus if isinstance(line, ModbusTcpLine) else tuple(p for p in PROTOCOLS if p != "modbus-tcp")
    explainers = {
        "modbus": Explainer(modbus, names=names),
        "dlt645": Explainer(("dlt645",), names=names),
        "dlt698": Explainer(("dlt698",), names=names),
        "": Explainer(everything, names=names),
    }
    return LineTrace(explainers, line.name, timezone, write or _to_stderr, as_json=as_json)


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the command's own output
