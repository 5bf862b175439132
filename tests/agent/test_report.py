"""Live values and status: fresh or not at all, signed, with their own time."""

from types import SimpleNamespace
from typing import Any

from agent.reading import Reading
from agent.report import LiveValues
from profiles import load
from profiles.modbus.plan import plan_reads
from wire import keys, topics
from wire.envelope import KeyRing, Signer, open_envelope
from wire.messages import Live

START = 1_767_196_800_000
(BLOCK,) = plan_reads([load("sim-carbon-meter").points["frequency"]])
DLT645 = load("dlt645-three-phase")
(ODD,) = DLT645.plan([DLT645.points["power"]], "Asia/Shanghai")


class Outlet:
    """A link that keeps what is published."""

    def __init__(self) -> None:
        self.connected = True
        self.published: list[tuple[str, bytes, int]] = []
        self.sent = SimpleNamespace(done=lambda: True)

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> Any:
        """Keep."""
        assert not retain
        self.published.append((topic, payload, qos))
        return self.sent


class Desk:
    """Live values with a clock and a link in hand."""

    def __init__(self) -> None:
        self.now_ms = START
        self.link = Outlet()
        key = keys.generate()
        self.ring = KeyRing()
        self.ring.add(key.public_key(), "gw-1")
        self.live = LiveValues("gw-1", self.link, Signer(key), now_ms=lambda: self.now_ms, stale_ms=180_000)  # type: ignore[arg-type]  # a stand-in

    def read(self, meter: str, hundredths: int) -> None:
        """Let a meter be read now."""
        self.live.update(Reading(meter, self.now_ms, 0, 0, [(BLOCK, hundredths.to_bytes(2, "big"))]))

    @property
    def messages(self) -> list[Live]:
        """What was published, verified."""
        return [
            Live.decode(open_envelope(payload, topic, self.ring).payload)
            for topic, payload, qos in self.link.published
            if (topic, qos) == (topics.live("gw-1"), 0)
        ]


def test_publishes_each_reading_once_with_its_own_time() -> None:
    """The latest of each meter."""
    desk = Desk()
    desk.read("a", 4998)
    desk.read("a", 5001)
    desk.now_ms += 1000
    desk.read("b", 5002)
    assert desk.live.publish()
    assert not desk.live.publish()
    assert desk.messages == [
        Live("gw-1", START + 1000, (("a", START, {"frequency": 50_010}), ("b", START + 1000, {"frequency": 50_020})))
    ]


def test_values_that_cannot_be_used_cost_no_others() -> None:
    """A reply too short for its block, of a meter that says nonsense, hides neither its other values nor the others."""
    desk = Desk()
    desk.live.update(Reading("a", START, 0, 0, [(ODD, b"\x01"), (BLOCK, (5000).to_bytes(2, "big"))]))
    desk.read("b", 5002)
    assert desk.live.publish()
    (message,) = desk.messages
    assert message.meters == (("a", START, {"frequency": 50_000}), ("b", START, {"frequency": 50_020}))


def test_values_wait_for_the_message_before_them() -> None:
    """A broker that takes nothing must not fill the gateway's memory."""
    desk = Desk()
    desk.link.sent = SimpleNamespace(done=lambda: False)
    desk.read("a", 5000)
    assert desk.live.publish()
    desk.read("a", 5001)
    assert not desk.live.publish()
    desk.link.sent.done = lambda: True
    assert desk.live.publish()
    assert [message.meters[0][2]["frequency"] for message in desk.messages] == [50_000, 50_010]


def test_stale_values_are_dropped_not_sent_late() -> None:
    """The broker was away: what is fresh when it is back goes out, the rest never."""
    desk = Desk()
    desk.link.connected = False
    desk.read("a", 5000)
    assert not desk.live.publish()
    desk.now_ms += 180_000
    desk.read("b", 5000)
    desk.now_ms += 1
    assert not desk.live.publish()
    desk.link.connected = True
    assert desk.live.publish()
    assert [meter for meter, _, _ in desk.messages[0].meters] == ["b"]
    assert desk.live.dropped == 1
