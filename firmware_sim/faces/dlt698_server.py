"""One simulated DL/T 698.45 meter as server (服务器): an APDU in, an APDU out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from diantan_core import Dlt698DecodeError, Dlt698EncodeError, dlt698_decode_apdu, dlt698_encode_apdu
from firmware_sim.faces.dlt698_objects import ADDRESS, SUCCESS, SYNCHRONISE, AccessError, Objects
from profiles.dlt698.codec import Data
from profiles.dlt698.model import Association

UNREADABLE: Final = 1  # ERROR-Response: APDU 无法解析
UNSUPPORTED: Final = 2  # 服务不支持
_NO_SUCH_BLOCK: Final = 14  # DAR block_number_invalid
_NO_BLOCKS: Final = 11  # DAR not_fragmented
_SECURITY_MISMATCH: Final = 20  # DAR
_LEAST_SIZE: Final = 64
_PIID_BITS: Final = 0x3F
_PIID_PLACE: Final = 2
_BLOCK_HEADER: Final = 12  # 85 05 PIID last number choice count, report, time tag
_FACTORY: Final = {
    "manufacturer": b"DTSM",
    "software_version": b"0100",
    "software_date": b"260101",
    "hardware_version": b"0100",
    "hardware_date": b"260101",
    "extension": bytes(8),
}

Body = dict[str, Any]


@dataclass(slots=True)
class Session:
    """What a client has agreed with the meter; the preset association (预连接) before it has."""

    receive_size: int  # of the longest frame that the client takes
    apdu_size: int
    timeout_ms: int
    connected: bool = False
    last_ms: int = 0
    blocks: list[tuple[str, list[Body]]] = field(default_factory=list)  # of the last reply that was too long
    block: int = 0  # number of the one sent last


class Server:
    """One meter; each client address has a session of its own."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self._preset: Association = objects.profile.association
        self._sessions: dict[int, Session] = {}
        self._services: dict[str, Callable[[Session, Any, int], tuple[str, Any]]] = {
            "get_request": self._get,
            "set_request": self._set,
            "action_request": self._action,
        }

    def session(self, client: int) -> Session:
        """Return a client's session."""
        preset = self._preset
        return self._sessions.setdefault(
            client, Session(preset.receive_size, preset.apdu_size, preset.timeout_s * 1000)
        )

    def answer(self, apdu: bytes, client: int, now_ms: int) -> bytes | None:
        """Return the APDU that answers one; None for what is not answered (LINK- and REPORT-Response)."""
        session = self.session(client)
        self.objects.begin()
        try:
            name, content = dlt698_decode_apdu(apdu)
            if name != "security_request":
                return self._plain(name, content, session, now_ms)
            kind, inner = content["apdu"]
            if kind != "plain":
                return _secured(("dar", _SECURITY_MISMATCH))
            reply = self._plain(*dlt698_decode_apdu(bytes(inner)), session, now_ms)
        except Dlt698DecodeError:
            return error_response(apdu, UNREADABLE)
        except Dlt698EncodeError:
            return error_response(apdu, UNSUPPORTED)  # a reply longer than any message
        return None if reply is None else _secured(("plain", reply))

    def _plain(self, name: str, content: Any, session: Session, now_ms: int) -> bytes | None:  # noqa: ANN401 - any APDU
        if name in ("link_response", "report_response"):
            return None
        body = content[1] if isinstance(content, tuple) else content
        if name == "connect_request":
            return dlt698_encode_apdu(("connect_response", self._connect(session, body, now_ms)))
        if name == "release_request":
            session.connected = False
            return dlt698_encode_apdu(("release_response", {**_tail(body), "result": 0}))
        piid = body.get("piid", 0)
        # Who a meter is, and what time it is, are said and heard without an association.
        open_to_all = body.get("oad") == ADDRESS or body.get("omd") == SYNCHRONISE
        if not open_to_all and not self._associated(session, now_ms):
            return _error(piid, UNSUPPORTED)  # as 600888/dlt698 has it; one source
        service = self._services.get(name)
        choice, fields = service(session, content, now_ms) if service is not None else ("", {})
        if not choice:
            return _error(piid, UNSUPPORTED)
        return dlt698_encode_apdu((name.replace("_request", "_response"), (choice, {**_tail(body), **fields})))

    def _associated(self, session: Session, now_ms: int) -> bool:
        if not self._preset.connect:
            return True
        if now_ms - session.last_ms >= session.timeout_ms:
            session.connected = False
        session.last_ms = now_ms
        return session.connected

    def _connect(self, session: Session, body: Body, now_ms: int) -> Body:
        own = self._preset
        session.connected = True
        session.last_ms = now_ms
        session.receive_size = max(min(own.receive_size, body["receive_size"]), _LEAST_SIZE)
        session.apdu_size = max(min(own.apdu_size, body["apdu_size"]), _LEAST_SIZE)
        session.timeout_ms = body["timeout_s"] * 1000
        return {
            **_tail(body),
            "factory": _FACTORY,
            "version": body["version"],
            "protocol_conformance": body["protocol_conformance"],
            "function_conformance": body["function_conformance"],
            "send_size": session.receive_size,
            "receive_size": min(own.send_size, body["send_size"]),
            "receive_window": 1,
            "apdu_size": session.apdu_size,
            "timeout_s": body["timeout_s"],
            "result": 0,
            "security_data": None,
        }

    # GET

    def _get(self, session: Session, content: tuple[str, Body], now_ms: int) -> tuple[str, Body]:
        choice, body = content
        if choice == "normal":
            return self._cut(session, choice, [self._normal(body["oad"], now_ms)])
        if choice == "normal_list":
            return self._cut(session, choice, [self._normal(oad, now_ms) for oad in body["oads"]])
        if choice == "record":
            return self._cut(session, choice, [self._record(body["record"], now_ms)])
        if choice == "record_list":
            return self._cut(session, choice, [self._record(record, now_ms) for record in body["records"]])
        if choice == "next":
            return choice, self._next(session, body["block"])
        return "", {}

    def _normal(self, oad: int, now_ms: int) -> Body:
        try:
            return {"oad": oad, "result": ("data", self.objects.get(oad, now_ms))}
        except AccessError as error:
            return {"oad": oad, "result": ("dar", error.dar)}

    def _record(self, record: Body, now_ms: int) -> Body:
        try:
            return self.objects.records(record, now_ms)
        except AccessError as error:
            return {"oad": record["oad"], "columns": record["columns"], "result": ("dar", error.dar)}

    def _cut(self, session: Session, choice: str, results: list[Body]) -> tuple[str, Body]:
        """Return the reply whole, or the first of the blocks that fit the client's APDU size."""
        session.blocks = []
        whole = _whole(choice, results)
        if len(results) == 1 or _fits(choice, whole, session.apdu_size):
            return choice, whole  # one result is not cut: link fragments carry it
        kind = "record_list" if choice.startswith("record") else "normal_list"
        room = session.apdu_size - _BLOCK_HEADER
        part: list[Body] = []
        for result in results:
            if part and not _fits(kind, _whole(kind, [*part, result]), room):
                session.blocks.append((kind, part))
                part = []
            part.append(result)
        session.blocks.append((kind, part))
        session.block = 0
        return "next", self._block(session)

    def _block(self, session: Session) -> Body:
        last = session.block == len(session.blocks) - 1
        return {"last": last, "block": session.block, "result": session.blocks[session.block]}

    def _next(self, session: Session, received: int) -> Body:
        """Return the block after the one that the client says it has."""
        if not session.blocks:
            return {"last": True, "block": received, "result": ("dar", _NO_BLOCKS)}
        if not 0 <= received < len(session.blocks) - 1:
            return {"last": True, "block": received, "result": ("dar", _NO_SUCH_BLOCK)}
        session.block = received + 1
        return self._block(session)

    # SET and ACTION

    def _set(self, _: Session, content: tuple[str, Body], now_ms: int) -> tuple[str, Body]:
        choice, body = content
        results = []
        for item in body.get("items", [body]):
            dar = _result(self.objects.set, item["oad"], item["data"], now_ms)
            result = {"oad": item["oad"], "dar": dar}
            results.append(result if choice != "then_get" else {**result, "get": self._normal(item["get"], now_ms)})
        return choice, results[0] if choice == "normal" else {"results": results}

    def _action(self, _: Session, content: tuple[str, Body], now_ms: int) -> tuple[str, Body]:
        choice, body = content
        results = []
        for item in body.get("items", [body]):
            dar = _result(self.objects.act, item["omd"], item["data"], now_ms)
            result = {"omd": item["omd"], "dar": dar, "data": None}
            results.append(result if choice != "then_get" else {**result, "get": self._normal(item["get"], now_ms)})
        return choice, results[0] if choice == "normal" else {"results": results}


def _tail(body: Body) -> Body:
    """Return what every reply repeats of its request: PIID, and the time tag if there is one."""
    return {"piid_acd": body["piid"] & _PIID_BITS, "follow_report": None, "time_tag": body["time_tag"]}


def _result(what: Callable[[int, Data, int], None], descriptor: int, item: Data, now_ms: int) -> int:
    try:
        what(descriptor, item, now_ms)
    except AccessError as error:
        return error.dar
    return SUCCESS


def _secured(content: tuple[str, Any]) -> bytes:
    return dlt698_encode_apdu(("security_response", {"apdu": content, "verification": None}))


def error_response(apdu: bytes, code: int) -> bytes:
    """Return the ERROR-Response to an APDU that can't be read; its PIID stands behind the choice, if there is one."""
    return _error(apdu[_PIID_PLACE] if len(apdu) > _PIID_PLACE else 0, code)


def _error(piid: int, code: int) -> bytes:
    body = {"piid_acd": piid & _PIID_BITS, "error": code, "follow_report": None, "time_tag": None}
    return dlt698_encode_apdu(("error_response", body))


def _whole(choice: str, results: list[Body]) -> Body:
    if choice == "normal":
        return results[0]
    if choice == "record":
        return {"record": results[0]}
    return {"results" if choice == "normal_list" else "records": results}


def _fits(choice: str, fields: Body, size: int) -> bool:
    tail: Body = {"piid_acd": 0, "follow_report": None, "time_tag": None}
    try:
        return len(dlt698_encode_apdu(("get_response", (choice, {**tail, **fields})))) <= size
    except Dlt698EncodeError:
        return False  # it is longer than any message
