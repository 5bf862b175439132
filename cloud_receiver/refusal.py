"""Why a message from a gateway is not stored as a reading."""

from enum import StrEnum

from wire import envelope


class Reason(StrEnum):
    """The reasons, as they stand in the quarantine and in the counters."""

    TOPIC = "topic"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    WRONG_ALGORITHM = "wrong_algorithm"
    UNKNOWN_GATEWAY = "unknown_gateway"
    UNKNOWN_KEY = "unknown_key"
    REVOKED_KEY = "revoked_key"
    BAD_SIGNATURE = "bad_signature"
    FOREIGN_KEY = "foreign_key"
    GATEWAY_MISMATCH = "gateway_mismatch"
    PAYLOAD = "payload"
    FUTURE_SCHEMA = "future_schema"
    CONFLICT = "conflict"
    REPLAYED = "replayed"
    FRAGMENTED = "fragmented"
    UNKNOWN_COMMAND = "unknown_command"
    FOREIGN_COMMAND = "foreign_command"


OF_ENVELOPE = {
    envelope.Reason.MALFORMED: Reason.MALFORMED,
    envelope.Reason.UNKNOWN_KEY: Reason.UNKNOWN_KEY,
    envelope.Reason.BAD_SIGNATURE: Reason.BAD_SIGNATURE,
    envelope.Reason.WRONG_ALGORITHM: Reason.WRONG_ALGORITHM,
    envelope.Reason.TOO_LARGE: Reason.TOO_LARGE,
}


class RefusalError(Exception):
    """A message that is not stored as a reading."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
