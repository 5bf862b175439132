"""The faults there are and their keys, as station files and the control socket name them."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, TypeAdapter, field_validator, model_validator

from firmware_sim.faults.amounts import canonical
from firmware_sim.sections import Milliseconds, whole
from profiles.points import CUMULATIVE, POINTS
from settings.values import Exact, Section, Whole

_LONGEST_S: Final = 10**9
_LONGEST_MS: Final = 3_600_000
_MOST_OCTETS: Final = 4_096
_LARGEST_DRIFT: Final = 100_000
_LARGEST_JUMP: Final = 10 * 366 * 86_400_000


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
Amount = Annotated[str, BeforeValidator(_text)]


class FaultSpec(Section):
    """What every fault says: whom it hits, and when.

    Without `meter` it hits all meters of the `line`, without either all there are. It is on from `begin` or `after_s`
    seconds from when it was set, for `duration_s` seconds or until it is cleared.
    """

    kind: str
    meter: Names | None = None
    line: str | None = None
    begin: datetime | None = None
    after_s: Exact = Field(default=Decimal(0), ge=0, le=_LONGEST_S)
    duration_s: Exact | None = Field(default=None, gt=0, le=_LONGEST_S)

    @model_validator(mode="after")
    def _begins_once(self) -> Self:
        if self.begin is not None and self.after_s:
            raise ValueError("after_s: expected none beside begin")
        return self


class _Chance(FaultSpec):
    """A fault that strikes by the request: each one with a probability, or only the next ones."""

    probability: Exact = Field(default=Decimal(1), gt=0, le=1)
    count: Whole | None = Field(default=None, ge=1, le=10**9)
    seed: Whole = 0


class ReplyFault(_Chance):
    """A fault of a reply (应答)."""


class Late(ReplyFault):
    """The reply comes late, longer than the master waits, if need be."""

    kind: Literal["late"]
    delay_ms: Milliseconds

    @field_validator("delay_ms")
    @classmethod
    def _delay_is_possible(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 0 < value[0] <= value[1] <= _LONGEST_MS:
            raise ValueError(f"expected 1 to {_LONGEST_MS} ms, or [least, most]")
        return value


class Silent(ReplyFault):
    """There is no reply."""

    kind: Literal["silent"]


class WrongAddress(ReplyFault):
    """The reply bears another meter's unit or address, its checks right."""

    kind: Literal["wrong-address"]


class BadChecksum(ReplyFault):
    """The reply's check is wrong."""

    kind: Literal["bad-checksum"]


class Truncated(ReplyFault):
    """Only the first octets of the reply come: as many as said, or some."""

    kind: Literal["truncated"]
    octets: Whole | None = Field(default=None, ge=1, le=_MOST_OCTETS)


class Merged(ReplyFault):
    """The reply is held back and comes in one burst with the next one of the line."""

    kind: Literal["merged"]


class Repeated(ReplyFault):
    """The reply comes twice, in one burst."""

    kind: Literal["repeated"]


class Echo(ReplyFault):
    """The request is heard again, before the reply; for a whole line also a request that nobody answers."""

    kind: Literal["echo"]


class Noise(ReplyFault):
    """Octets that nobody sent stand before, inside or behind the reply: those given, or some random ones."""

    kind: Literal["noise"]
    where: Literal["before", "inside", "after"] = "before"
    octets: Whole = Field(default=4, ge=1, le=_MOST_OCTETS)
    hex: str | None = None

    @field_validator("hex")
    @classmethod
    def _octets_are_hexadecimal(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                octets = bytes.fromhex(value)
            except ValueError:
                raise ValueError("expected octets such as FE FE 00") from None
            if not 1 <= len(octets) <= _MOST_OCTETS:
                raise ValueError(f"expected 1 to {_MOST_OCTETS} octets")
        return value


class PowerCut(_Chance):
    """The meter loses its power in the middle of a write, gives no answer, and comes back after `dark_s` seconds.

    The write is then there as a whole, not at all, or (as a meter without protection leaves it) by half.
    """

    kind: Literal["power-cut"]
    outcome: Literal["whole", "none", "half"] = "none"
    dark_s: Exact = Field(default=Decimal(5), ge=0, le=_LONGEST_S)
    count: Whole | None = Field(default=1, ge=1, le=10**9)


class SwappedWords(_Chance):
    """Values of several registers come with their words in reverse order (Modbus)."""

    kind: Literal["swapped-words"]
    point: Names | None = None


class OrderFault(_Chance):
    """A fault of the charge orders (充电订单) that a charger settles while it is on."""


class OrderEnergy(OrderFault):
    """The energy sold is a percentage more (below 0: less) than the charger's register says; the amounts follow it."""

    kind: Literal["order-energy"]
    percent: Exact = Field(ge=-100, le=1000)


class OrderAmount(OrderFault):
    """The amount to be paid is that much more (below 0: less) than energy and service cost."""

    kind: Literal["order-amount"]
    by: Exact = Field(ge=-100_000, le=100_000)

    @field_validator("by")
    @classmethod
    def _amount_is_whole(cls, value: Decimal) -> Decimal:
        return whole(value, 100, "0.01")


class OrderMissing(OrderFault):
    """The charge gets into no log: its number is used up, the charger's counter does not count it."""

    kind: Literal["order-missing"]


class OrderDuplicate(OrderFault):
    """The charger logs and counts the order twice."""

    kind: Literal["order-duplicate"]


class StateFault(FaultSpec):
    """A fault of the meter itself, there as long as it lasts."""


class Stuck(StateFault):
    """Registers stand still: where they were when it began, or at a value."""

    kind: Literal["stuck"]
    point: Names
    value: Amount | None = None

    @model_validator(mode="after")
    def _value_is_one(self) -> Self:
        if self.value is not None:
            for point in self.point:
                _amount("value", self.value, point)
        return self


class Rollover(StateFault):
    """A cumulative register starts again from 0 at a value; with `left` it stands that far before it at the start."""

    kind: Literal["rollover"]
    point: str
    at: Amount
    left: Amount | None = None

    @model_validator(mode="after")
    def _register_rolls(self) -> Self:
        if self.point in POINTS and POINTS[self.point].quantity not in CUMULATIVE:
            raise ValueError(f"point: expected a register of energy or carbon, found {self.point!r}")
        at = _amount("at", self.at, self.point)
        left = _amount("left", self.left, self.point) if self.left is not None else 1
        if not 0 < left <= at:
            raise ValueError("at, left: expected both above 0, and left no more than at")
        return self


class ClockDrift(StateFault):
    """The meter's clock runs fast (above 0) or slow, and goes on from there when the fault ends."""

    kind: Literal["clock-drift"]
    ppm: Exact = Field(ge=-_LARGEST_DRIFT, le=_LARGEST_DRIFT)


class ClockJump(StateFault):
    """The meter's clock jumps, once; nothing but setting it puts that right."""

    kind: Literal["clock-jump"]
    by_ms: Whole = Field(ge=-_LARGEST_JUMP, le=_LARGEST_JUMP)


Fault = Annotated[
    Late
    | Silent
    | WrongAddress
    | BadChecksum
    | Truncated
    | Merged
    | Repeated
    | Echo
    | Noise
    | PowerCut
    | SwappedWords
    | Stuck
    | Rollover
    | ClockDrift
    | ClockJump
    | OrderEnergy
    | OrderAmount
    | OrderMissing
    | OrderDuplicate,
    Field(discriminator="kind"),
]
_ADAPTER: Final[TypeAdapter[FaultSpec]] = TypeAdapter(Fault)


def parse_fault(document: Any) -> FaultSpec:  # noqa: ANN401 - whatever JSON or TOML has
    """Return a checked fault; pydantic's ValidationError lists every mistake."""
    return _ADAPTER.validate_python(document)


def points_of(fault: FaultSpec) -> Iterable[str]:
    """Return the points that a fault names."""
    if isinstance(fault, Stuck | SwappedWords):
        return fault.point or ()
    return (fault.point,) if isinstance(fault, Rollover) else ()


def _amount(key: str, text: str, point: str) -> int:
    if point not in POINTS:
        raise ValueError(f"point: expected one of the standard names of points, found {point!r}")
    try:
        return canonical(text, point)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None
