"""A port that meters dial in to: a DL/T 698.45 terminal with its LINK frames, or a DTU in client mode.

Several DL/T 698.45 meters may share the port. The address in their frames, LINK-Request first of all, tells the
connections apart; requests go to the connection of the meter they are for, and only whole frames are passed on, so that
two meters who talk at once are not mixed up. Without that, there is one connection at a time, and the newest wins: the
old one is that of a modem which has lost it and does not know.
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import Final, Protocol

from diantan_core import Dlt698Frame, Dlt698Parser
from fieldbus.channels.base import Channel, reason
from fieldbus.channels.tcp import keep_alive
from fieldbus.drivers.dlt698_link import Heartbeats
from fieldbus.exchange import LineDownError

_MOST_CONNECTIONS: Final = 1024
_MOST_SENSELESS: Final = 16384  # octets without a frame; the bus takes more from a line before it hangs up
LOGIN_S: Final = 2.0
"""How long a meter that has dialled in is left alone until it has logged in: LINK comes before everything else."""
_GAP_S: Final = 0.5  # silence that ends an unfinished frame, as LineTiming has it for networks


class Sorter(Protocol):
    """Cuts what one side of one connection sends into frames; one for each connection, one for what we send."""

    def feed(self, data: bytes) -> list[tuple[Hashable | None, bytes]]:
        """Return frames with the meter that each is from or for; None: for all, or not to be known."""

    def flush(self) -> list[tuple[Hashable | None, bytes]]:
        """Give up an unfinished frame."""

    @property
    def pending(self) -> int:
        """How many octets wait for more."""

    @property
    def silent_after_s(self) -> float | None:
        """After how long a silence the connection is dead; None: it may be silent for ever."""


class Dlt698Sorter:
    """Sorts by the server address of DL/T 698.45 frames; heartbeats that stay away end the connection."""

    def __init__(self) -> None:
        self._parser = Dlt698Parser()
        self._heartbeats = Heartbeats()

    def feed(self, data: bytes) -> list[tuple[Hashable | None, bytes]]:
        """Take octets; return whole frames, and between them what is none."""
        return [self._sorted(found) for found in self._parser.feed(data)]

    def flush(self) -> list[tuple[Hashable | None, bytes]]:
        """Return what is left."""
        return [self._sorted(found) for found in self._parser.flush()]

    @property
    def silent_after_s(self) -> float | None:
        """After how long a silence the meter has broken the promise of its login."""
        return self._heartbeats.silent_after_s

    @property
    def pending(self) -> int:
        """How many octets wait for more."""
        return self._parser.pending

    def _sorted(self, found: object) -> tuple[Hashable | None, bytes]:
        if not isinstance(found, Dlt698Frame):
            return None, getattr(found, "octets", b"")
        self._heartbeats.see(found)
        return found.address if found.kind == "single" else None, found.encode()


class ListenChannel(Channel):
    """A listening port and whoever has dialled in to it."""

    def __init__(
        self,
        host: str,
        port: int,
        wait_s: float,
        sorter: Callable[[], Sorter] | None = Dlt698Sorter,
        login_s: float = LOGIN_S,
    ) -> None:
        """`open` waits up to `wait_s` for a meter; port 0 takes a free one.

        `sorter` None: the newest connection. Otherwise one that has not said after `login_s` who it is may be used all
        the same.
        """
        super().__init__(f"{host}:{port}")
        self._host = host
        self._port = port
        self._wait_s = wait_s
        self._sorter = sorter
        self._login_s = login_s if sorter is not None else 0.0
        self._outgoing = sorter() if sorter is not None else None
        self._server: asyncio.Server | None = None
        self._peers: list[_Peer] = []  # oldest first
        self._by_address: dict[Hashable, _Peer] = {}
        self._asked: list[_Peer] = []  # whom the last octets went to
        self._arrived = asyncio.Event()

    @property
    def port(self) -> int:
        """The port it listens on, once `open` was called."""
        return self._port

    @property
    def connected(self) -> bool:
        """Whether anybody has dialled in, and logged in where that is to be expected."""
        return any(peer.ready for peer in self._peers)

    async def open(self) -> None:
        """Listen, and wait for a meter; LineDownError when the port can't be had or nobody dials in."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            try:
                self._server = await loop.create_server(lambda: _Peer(self), self._host, self._port)
            except OSError as error:
                raise LineDownError(f"can't listen on {self.name}: {reason(error)}") from None
            self._port = self._server.sockets[0].getsockname()[1]
            self.name = f"{self._host}:{self._port}"
        if not self.connected:
            try:
                async with asyncio.timeout(self._wait_s):
                    while not self.connected:
                        self._arrived.clear()
                        await self._arrived.wait()
            except TimeoutError:
                raise LineDownError(f"nobody has dialled in to {self.name} within {self._wait_s:g} s") from None

    def hang_up(self) -> None:
        """Drop the connections that the last octets went to; the meter dials in again."""
        for peer in self._asked:
            self._remove(peer)
        self._asked = []

    def close(self) -> None:
        """Drop everyone, and listen no more."""
        for peer in list(self._peers):
            self._remove(peer)
        self._asked = []
        if self._server is not None:
            self._server.close()
            self._server = None

    def write(self, data: bytes) -> None:
        """Send octets to the meter they are for; LineDownError when it has not dialled in."""
        peers = self._addressed(data)
        self._asked = peers
        for peer in peers:
            peer.write(data)

    def _addressed(self, data: bytes) -> list["_Peer"]:
        if not self.connected:
            raise LineDownError(f"nobody has dialled in to {self.name}")
        if self._outgoing is None:
            return self._peers[-1:]
        found: list[_Peer] = []
        for address, _ in (*self._outgoing.feed(data), *self._outgoing.flush()):
            peers = self._peers if address is None else [self._peer_of(address)]
            found += [peer for peer in peers if peer.ready and peer not in found]
        return found

    def _peer_of(self, address: Hashable) -> "_Peer":
        peer = self._by_address.get(address)
        if peer is not None:
            return peer
        nameless = [peer for peer in self._peers if peer.ready and not peer.addresses]
        if len(nameless) == 1:  # it may be one that sends no LINK
            return nameless[0]
        raise LineDownError(f"meter {address} has not dialled in to {self.name}")

    def arrived(self, peer: "_Peer") -> bool:
        """Take in a connection; False when there are too many."""
        if self._sorter is None:
            for old in list(self._peers):
                self._end(old, f"{old.name} was replaced by another connection to {self.name}")
        else:
            if len(self._peers) >= _MOST_CONNECTIONS and not self._make_room():
                return False
            peer.sorter = self._sorter()
        self._peers.append(peer)
        if self._login_s:
            peer.be_ready_after(self._login_s)
        else:
            self.ready(peer)
        return True

    def _make_room(self) -> bool:
        """Drop the oldest connection of whom nobody knows who it is: whoever scans ports keeps no meter out."""
        nameless = next((peer for peer in self._peers if not peer.addresses), None)
        if nameless is not None:
            self._end(nameless, f"{nameless.name} has not said to {self.name} who it is")
        return nameless is not None

    def ready(self, peer: "_Peer") -> None:
        """Take a connection into use."""
        peer.ready = True
        self._arrived.set()

    def received(self, peer: "_Peer", data: bytes) -> None:
        """Pass octets on, frame by frame where connections are told apart."""
        if peer not in self._peers:
            return
        if peer.sorter is None:
            self._on_data(data)
            return
        peer.senseless += len(data)
        self._pass_on(peer, peer.sorter.feed(data))
        if peer.senseless > _MOST_SENSELESS:
            self.ended(peer, f"{peer.name} has sent {self.name} {peer.senseless} octets without a frame")
            return
        peer.watch(_GAP_S)
        peer.expect(peer.sorter.silent_after_s)

    def silent(self, peer: "_Peer") -> None:
        """Give up a frame whose rest does not come."""
        if peer.sorter is not None and peer in self._peers:
            self._pass_on(peer, peer.sorter.flush())

    def overdue(self, peer: "_Peer") -> None:
        """Give up a connection whose meter has logged out, or is not heard of any more; it will dial in again."""
        self.ended(peer, f"{peer.name} has sent {self.name} no heartbeat any more")

    def ended(self, peer: "_Peer", reason: str) -> None:
        """Forget a connection; whoever waits for its answer is told."""
        if peer in self._peers:
            self._end(peer, reason)

    def _pass_on(self, peer: "_Peer", frames: list[tuple[Hashable | None, bytes]]) -> None:
        for address, octets in frames:
            if address is not None:
                peer.senseless = 0
            if address is not None and self._by_address.get(address) is not peer:
                self._name(peer, address)
            if octets:
                self._on_data(octets)

    def _name(self, peer: "_Peer", address: Hashable) -> None:
        old = self._by_address.pop(address, None)
        self._by_address[address] = peer
        peer.addresses.add(address)
        self.ready(peer)
        if old is not None:
            old.addresses.discard(address)
            if not old.addresses:
                self._end(old, f"meter {address} has dialled in to {self.name} again")

    def _end(self, peer: "_Peer", reason: str) -> None:
        self._remove(peer)
        if peer in self._asked:
            self._asked.remove(peer)
            if not self._asked:
                self._on_lost(reason)

    def _remove(self, peer: "_Peer") -> None:
        if peer in self._peers:
            self._peers.remove(peer)
        for address in peer.addresses:
            self._by_address.pop(address, None)
        peer.addresses.clear()
        peer.drop()


class _Peer(asyncio.Protocol):
    def __init__(self, channel: ListenChannel) -> None:
        self.name = "a meter"
        self.sorter: Sorter | None = None
        self.addresses: set[Hashable] = set()
        self.ready = False  # to be asked something
        self.senseless = 0  # octets since its last frame
        self._channel = channel
        self._patience: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        keep_alive(transport)
        host, port, *_ = transport.get_extra_info("peername") or ("?", 0)
        self.name = f"{host}:{port}"
        if not self._channel.arrived(self):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self._channel.received(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._cancel()
        detail = f": {exc}" if exc is not None else ""
        self._channel.ended(self, f"{self.name} closed the connection to {self._channel.name}{detail}")

    def be_ready_after(self, seconds: float) -> None:
        """Be used at the latest then, whether it has logged in or not."""
        self._patience = asyncio.get_running_loop().call_later(seconds, self._channel.ready, self)

    def watch(self, gap_s: float) -> None:
        """Have an unfinished frame given up after so much silence."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.sorter is not None and self.sorter.pending:
            self._timer = asyncio.get_running_loop().call_later(gap_s, self._channel.silent, self)

    def expect(self, silent_after_s: float | None) -> None:
        """Have the connection given up after so much silence."""
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
        if silent_after_s is not None and self._transport is not None:
            self._overdue = asyncio.get_running_loop().call_later(silent_after_s, self._channel.overdue, self)

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def drop(self) -> None:
        self._cancel()
        if self._transport is not None:
            self._transport.abort()

    def _cancel(self) -> None:
        self.expect(None)
        if self._patience is not None:
            self._patience.cancel()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
