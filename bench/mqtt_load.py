"""A load generator that costs next to nothing: MQTT 3.1.1 packets made beforehand, sent over a bare socket.

`python -m bench.mqtt_load PORT` sends the PUBLISH packets it reads from standard input at QoS 1, with a window.
"""

import socket
import sys
from collections.abc import Iterator, Sequence

import cbor2

WINDOW = 400
"""Publishes on the way to the broker that it has not acknowledged."""
_PUBACK_BYTES = 4
_SILENCE_S = 60.0


def _length(size: int) -> bytes:
    """Return a remaining length (MQTT 3.1.1, 2.2.3)."""
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(out)


def _text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def publish_packets(messages: Sequence[tuple[str, bytes]]) -> list[bytes]:
    """Return PUBLISH packets at QoS 1, their identifiers in turn."""
    packets = []
    for place, (topic, payload) in enumerate(messages):
        body = _text(topic) + (place % 65_535 + 1).to_bytes(2, "big") + payload
        packets.append(b"\x32" + _length(len(body)) + body)
    return packets


def connect(port: int, client: str, *, subscribe: str | None = None) -> socket.socket:
    """Return a socket on which the broker has accepted the connection, and the subscription at QoS 0."""
    _wait(port)
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = _text("MQTT") + b"\x04\x02\x00\x00" + _text(client)
    connection.sendall(b"\x10" + _length(len(body)) + body)
    _exactly(connection, 4)
    if subscribe is not None:
        body = b"\x00\x01" + _text(subscribe) + b"\x00"
        connection.sendall(b"\x82" + _length(len(body)) + body)
        _exactly(connection, 5)
    return connection


def _wait(port: int) -> None:
    """Try until the broker listens."""
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("the broker closed the connection")
        data += part
    return data


def frames(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Yield (first byte, body) of each packet."""
    data = b""
    while True:
        part = connection.recv(1 << 16)
        if not part:
            return
        data += part
        start = 0
        while True:
            size = shift = 0
            place = start + 1
            while place < len(data):
                digit = data[place]
                size |= (digit & 0x7F) << shift
                shift += 7
                place += 1
                if not digit & 0x80:
                    break
            else:
                break
            if place + size > len(data):
                break
            yield data[start], data[place : place + size]
            start = place + size
        data = data[start:]


def await_acknowledgements(connection: socket.socket, expected: dict[str, int], silence_s: float = _SILENCE_S) -> None:
    """Read the centre's acknowledgements until each gateway's journal is stored up to the expected sequence.

    TimeoutError when none comes for so long.
    """
    waiting = dict(expected)
    connection.settimeout(silence_s)  # a receiver that has died says nothing for ever
    for _, body in frames(connection):
        topic_bytes = int.from_bytes(body[:2], "big")
        content = cbor2.loads(cbor2.loads(body[2 + topic_bytes :]).value[2])
        gateway, up_to = content[1], content[3]
        if up_to >= waiting.get(gateway, 1 << 63):
            del waiting[gateway]
            if not waiting:
                return
    raise ConnectionError("the broker closed the connection")


def main() -> None:
    """Send what comes on standard input."""
    data = sys.stdin.buffer.read()
    connection = connect(int(sys.argv[1]), "load")
    sent = acknowledged = 0
    place = 0
    while place < len(data):
        room = WINDOW - (sent - acknowledged)
        end, count = place, 0
        while count < room and end < len(data):
            size = shift = 0
            cursor = end + 1
            while True:
                digit = data[cursor]
                size |= (digit & 0x7F) << shift
                shift += 7
                cursor += 1
                if not digit & 0x80:
                    break
            end, count = cursor + size, count + 1
        connection.sendall(data[place:end])
        sent += count
        place = end
        acknowledged += len(connection.recv(WINDOW * _PUBACK_BYTES)) // _PUBACK_BYTES
    while acknowledged < sent:
        acknowledged += len(connection.recv(WINDOW * _PUBACK_BYTES)) // _PUBACK_BYTES
    connection.close()


if __name__ == "__main__":
    main()
