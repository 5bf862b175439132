"""LINK of a simulated meter that dials in (主动上线): it logs in, says every so often that it is there, and listens."""

from typing import Final

from diantan_core import Dlt698DecodeError, Dlt698Frame, dlt698_decode_apdu, dlt698_encode_apdu
from profiles.dlt698.moments import date_time

LINK_REQUEST: Final = 0x81  # control field: from the server, which begins; link management
REPEAT_LOGIN_MS: Final = 10_000
_PIIDS: Final = 64


class Dialler:
    """The link of one meter."""

    def __init__(self, address: str, client: int, heartbeat_s: int, timezone: str) -> None:
        self.logged_in = False
        self.due_ms = 0  # when it will say something
        self._address = address
        self._client = client
        self._heartbeat_s = heartbeat_s
        self._timezone = timezone
        self._piid = 0

    def login(self, now_ms: int) -> bytes:
        """Return the frame of a login (登录), to be repeated until it is answered."""
        self.logged_in = False
        self.due_ms = now_ms + REPEAT_LOGIN_MS
        return self._request("login", now_ms)

    def logout(self, now_ms: int) -> bytes:
        """Return the frame of a logout (退出登录)."""
        return self._request("logout", now_ms)

    def say(self, now_ms: int) -> bytes | None:
        """Return what is due: a heartbeat (心跳), or the login again."""
        if now_ms < self.due_ms:
            return None
        if not self.logged_in:
            return self.login(now_ms)
        self.due_ms = now_ms + self._heartbeat_s * 1000
        return self._request("heartbeat", now_ms)

    def hear(self, frame: Dlt698Frame, now_ms: int) -> None:
        """Take a LINK-Response; its result is 0 where the client agrees, apart from the bit of its clock."""
        try:
            name, body = dlt698_decode_apdu(frame.user_data)
        except Dlt698DecodeError:
            return
        if name != "link_response" or body["result"] & 0x7F:
            return
        if not self.logged_in:
            self.logged_in = True
            self.due_ms = now_ms + self._heartbeat_s * 1000

    def _request(self, kind: str, now_ms: int) -> bytes:
        self._piid = (self._piid + 1) % _PIIDS
        body = {
            "piid_acd": self._piid,
            "type": (kind, None),
            "heartbeat_s": self._heartbeat_s,
            "time": date_time(now_ms, self._timezone),
        }
        apdu = dlt698_encode_apdu(("link_request", body))
        return Dlt698Frame(LINK_REQUEST, self._address, self._client, apdu).encode()
