"""Messages that go into one transaction, sorted by what they are: each is verified, or refused with the reason."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from cloud_receiver.enrolment import Enrolled
from cloud_receiver.gateway_status import Heard
from cloud_receiver.orders.budget import ReplyBudget
from cloud_receiver.orders.replies import Answered
from cloud_receiver.quarantine import Refused
from cloud_receiver.refusal import RefusalError
from cloud_receiver.verify import Verified, verify, verify_reply, verify_status

PORTION_RECORDS = 16_384
"""Records that are decoded at the same time: a few bytes can describe 4096 of them."""
PORTION_REPLY_BYTES = 1 << 20
"""Replies between which the event loop gets its turn: reading 1 MiB of them takes up to 0.2 s."""

_STATUS = "/status"
_REPLY = "/reply"


class Arrived(Protocol):
    """A message as the link hands it over; `ack` is the broker's acknowledgement."""

    @property
    def topic(self) -> str:
        """Return the topic it came on."""

    @property
    def payload(self) -> bytes:
        """Return its bytes."""

    @property
    def retained(self) -> bool:
        """Return whether the broker had kept it."""

    @property
    def ack(self) -> Callable[[], None]:
        """Return what tells the broker that the message is stored."""


@dataclass(slots=True)
class Portion:
    """What one transaction takes."""

    budget: ReplyBudget
    batches: list[Verified] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    answered: list[Answered] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    records: int = 0
    reply_bytes: int = 0

    def sort(self, message: Arrived, known: Enrolled) -> None:
        """Verify a message by the kind that its topic names; RefusalError when it is not what it should be.

        PutOffError for a reply that is not read now.
        """
        topic, payload = message.topic, message.payload
        if topic.endswith(_STATUS):
            self.heard.append(verify_status(topic, payload, known, retained=message.retained))
        elif topic.endswith(_REPLY):
            self.reply_bytes += len(payload)
            self.answered.append(verify_reply(topic, payload, known, self.budget))
        else:
            item = verify(topic, payload, known)
            self.batches.append(item)
            self.records += item.batch.count

    def refuse(self, message: Arrived, refusal: RefusalError, gateway: str) -> None:
        """Note that a message is refused; `gateway` is the enrolled one that its topic names, if it does."""
        self.refused.append(Refused(message.topic, message.payload, refusal.reason, refusal.detail, gateway))

    @property
    def full(self) -> bool:
        """Return whether it takes no more."""
        return self.records >= PORTION_RECORDS or self.reply_bytes >= PORTION_REPLY_BYTES

    @property
    def only_refused(self) -> bool:
        """Return whether there is nothing else than refused messages."""
        return bool(self.refused) and not (self.batches or self.heard or self.answered)
