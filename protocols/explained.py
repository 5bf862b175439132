"""What is told of one frame, or of octets that are none."""

from dataclasses import dataclass, field
from typing import Any, Literal

Direction = Literal["request", "reply"]
Sender = Literal["master", "meter"]

Json = dict[str, Any]


@dataclass(slots=True)
class Value:
    """One value in a frame; `value` is exact decimal text, a time or a word, None where the octets hold none."""

    raw: str  # the octets that hold it, hexadecimal, as on the line (DL/T 645: without the offset of 33H)
    name: str | None = None
    name_zh: str | None = None
    value: str | None = None
    unit: str | None = None
    place: Json = field(default_factory=dict)  # where it stands: `di`, `oad`, `register` …
    error: str | None = None

    def as_json(self) -> Json:
        """Return it as the commands print it."""
        entry: Json = {**self.place, "raw": self.raw, "value": self.value, "unit": self.unit, "name": self.name}
        if self.name_zh is not None:
            entry["name_zh"] = self.name_zh
        if self.error is not None:
            entry["error"] = self.error
        return entry


@dataclass(slots=True)
class Explained:
    """One frame, or noise (`protocol` None, or that of a frame that is broken).

    `control` is the control code (控制码) of DL/T 645, the control field (控制域) of 698, the Modbus function, in
    hexadecimal; `apdu` the kind of a 698 APDU; `type` says either in words. `error` has `kind`: "checksum" (with
    `expected` and `found`), "refusal" (with `code`), "noise", "truncated", "content", "mismatch"; and `text`.
    `contents` are the frames or the APDU that this one carries for somebody else.
    """

    octets: bytes
    protocol: str | None = None
    direction: Direction | None = None
    sender: Sender | None = None
    address: str | int | None = None
    control: str | None = None
    apdu: str | None = None
    type: str | None = None
    identifiers: list[Json] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    details: Json = field(default_factory=dict)
    contents: list["Explained"] = field(default_factory=list)
    error: Json | None = None

    @property
    def intact(self) -> bool:
        """Whether it is a frame whose checks and contents are right, a refusal included."""
        return self.protocol is not None and (self.error is None or self.error["kind"] in ("refusal", "mismatch"))

    def as_json(self) -> Json:
        """Return it as the commands print it."""
        entry: Json = {
            "protocol": self.protocol,
            "direction": self.direction,
            "sender": self.sender,
            "address": self.address,
            "control": self.control,
            "apdu": self.apdu,
            "type": self.type,
            "identifiers": self.identifiers,
            "values": [value.as_json() for value in self.values],
        }
        if self.details:
            entry["details"] = self.details
        if self.contents:
            entry["contents"] = [inner.as_json() for inner in self.contents]
        entry["error"] = self.error
        entry["octets"] = self.octets.hex(" ").upper()
        return entry


def fault(kind: str, text: str, **more: Any) -> Json:  # noqa: ANN401 - whatever the kind of error has to say
    """Return an error as `Explained.error` holds it."""
    return {"kind": kind, "text": text, **more}
