"""What the centre may ask of a gateway, one class for each verb (动词); wire.commands carries them."""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Final

from wire import fields
from wire.domain import MAX_SEQUENCE, RecordError, octets, text, whole
from wire.fields import Fields

MAX_NAMES: Final = 256  # meters or points in one order
MAX_DOCUMENT_BYTES: Final = 65_536
DIGEST_BYTES: Final = 32
LONGEST_TRIAL_S: Final = 3600
_DAY_BYTES: Final = 10


class Verb(IntEnum):
    """The number of an order on the wire."""

    READ = 1
    READ_DAY = 2
    RESEND = 3
    STATUS = 4
    CONFIGURE = 5


class ConfigureAction(IntEnum):
    """What is to be done with the configuration."""

    SHOW = 0
    SET = 1
    ROLL_BACK = 2


@dataclass(frozen=True, slots=True)
class Read:
    """Read a meter now (召测): the named points, or those that a poll reads."""

    meter: str
    points: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadDay:
    """Read a day's freezes (冻结) and carbon factors.

    `day` is a date, YYYY-MM-DD, in the gateway's time zone; its freezes are those of the two midnights that bound it.
    """

    day: str
    meters: tuple[str, ...] = ()  # all if none is named
    from_meters: bool = False  # the meters' own freezes, asked now, instead of those in the journal


@dataclass(frozen=True, slots=True)
class Resend:
    """Send the records of a context from `first` to `last` again."""

    context: bytes
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class TellStatus:
    """Tell how the gateway is, more fully than its status messages do."""


@dataclass(frozen=True, slots=True)
class Configure:
    """Show, replace or roll back (回退) the gateway's configuration.

    SET: `document` is the whole TOML text, `base` the SHA-256 of the configuration it is to replace (none: whichever
    it is), and the new one stays only if within `trial_s` seconds it has connected and the centre has answered it.
    """

    action: ConfigureAction
    document: str | None = None
    base: bytes | None = None
    trial_s: int = 300


Order = Read | ReadDay | Resend | TellStatus | Configure


def _names(value: object, what: str) -> tuple[str, ...]:
    return tuple(fields.name(item, f"{what}[{i}]") for i, item in enumerate(fields.items(value, what, MAX_NAMES)))


def _day(value: object, what: str) -> str:
    day = text(value, what, _DAY_BYTES, _DAY_BYTES)
    try:
        # Also in the form 2026-W01-1, which has ten characters as well: only the one form is the same for everybody.
        if date.fromisoformat(day).isoformat() == day:
            return day
    except ValueError:
        pass
    raise RecordError(f"{what}: expected a date such as 2026-07-01, got {day!r}")


def _flag(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise RecordError(f"{what}: expected true or false, got {type(value).__name__}")
    return value


def _action(value: object, what: str) -> ConfigureAction:
    return ConfigureAction(whole(value, what, 0, max(ConfigureAction)))


def _document(value: object, what: str) -> str:
    return text(value, what, MAX_DOCUMENT_BYTES)


def _digest(value: object, what: str) -> bytes:
    return octets(value, what, DIGEST_BYTES, DIGEST_BYTES)


_sequence = fields.integer(1, MAX_SEQUENCE)

_ORDERS: Final[dict[Verb, tuple[type[Order], Fields, dict[int, object]]]] = {
    Verb.READ: (Read, ((1, "meter", fields.name), (2, "points", _names)), {2: ()}),
    Verb.READ_DAY: (ReadDay, ((1, "day", _day), (2, "meters", _names), (3, "from_meters", _flag)), {2: (), 3: False}),
    Verb.RESEND: (Resend, ((1, "context", fields.context), (2, "first", _sequence), (3, "last", _sequence)), {}),
    Verb.STATUS: (TellStatus, (), {}),
    Verb.CONFIGURE: (
        Configure,
        (
            (1, "action", _action),
            (2, "document", _document),
            (3, "base", _digest),
            (4, "trial_s", fields.integer(10, LONGEST_TRIAL_S)),
        ),
        {2: None, 3: None, 4: 300},
    ),
}
_VERBS: Final = {kind: verb for verb, (kind, _, _) in _ORDERS.items()}


def verb_of(order: Order) -> Verb:
    """Return the verb of an order."""
    return _VERBS[type(order)]


def order_parts(order: Order) -> dict[int, object]:
    """Return an order's arguments as they travel; RecordError when one can't."""
    _check(order)
    _, of_verb, defaults = _ORDERS[verb_of(order)]
    return fields.to_map(order, of_verb, {key: None for key, default in defaults.items() if default is None})


def order_from(verb: Verb, arguments: object) -> Order:
    """Return the order in a map of arguments; RecordError when they are not those of the verb."""
    kind, of_verb, defaults = _ORDERS[verb]
    order = kind(*fields.from_map(arguments, of_verb, defaults))  # type: ignore[arg-type]  # checked field by field
    _check(order)
    return order


def _check(order: Order) -> None:
    match order:
        case Resend() if order.last < order.first:
            raise RecordError(f"last: expected at least the first, {order.first}, got {order.last}")
        case Configure() if (order.document is None) == (order.action is ConfigureAction.SET):
            raise RecordError("document: expected one with the action SET, and with no other")
