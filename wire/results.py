"""What a gateway answers to an order, one class for each verb; wire.commands carries them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from wire import fields
from wire.domain import INT64_MAX, MAX_DETAIL_BYTES, MAX_SEQUENCE, RecordError, check_factor, octets, text, whole
from wire.fields import Fields
from wire.orders import MAX_DOCUMENT_BYTES, Verb
from wire.records import FreezeRecord
from wire.row import from_body, to_body

MAX_VALUES: Final = 1024
MAX_FIGURES: Final = 4096
MAX_FREEZES: Final = 16_384
MAX_FACTORS: Final = 1024
MAX_RANGES: Final = 1024
MAX_PROBLEMS: Final = 50
_MAX_BODY: Final = 1024
_MAX_FIGURE_NAME: Final = 160
_DIGEST_BYTES: Final = 32


class ConfigurationState(IntEnum):
    """Where the configuration in force comes from."""

    FILE = 0  # the gateway's own file
    SENT = 1  # the centre
    ON_TRIAL = 2  # the centre; whether it stays is not settled


@dataclass(frozen=True, slots=True)
class MeterRead:
    """A meter's values, by point in the point's canonical unit, and why points have none."""

    meter: str
    time_ms: int
    values: Mapping[str, int]
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StoredFreeze:
    """A freeze and its sequence in the journal; 0: it was read from the meter for this reply and is in no journal."""

    sequence: int
    record: FreezeRecord


@dataclass(frozen=True, slots=True)
class SlotFactor:
    """The carbon factor (电碳因子) that the gateway has for a slot: mg/kWh, None is undefined."""

    start_ms: int
    factor: int | None
    issued_ms: int
    solve_id: bytes


@dataclass(frozen=True, slots=True)
class DayRead:
    """A day's freezes and factors; `refused` says by meter why a freeze is not there."""

    freezes: tuple[StoredFreeze, ...]
    factors: tuple[SlotFactor, ...]
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Resent:
    """Which sequences are on their way again, and which the journal no longer has."""

    queued: tuple[tuple[int, int], ...]
    gone: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """A gateway's status: names with dots (`line.a.ok`), and integers or texts."""

    figures: Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration in force, by its SHA-256; `problems` are those of the one that was sent."""

    state: ConfigurationState
    digest: bytes
    previous: bytes | None = None  # what a roll-back returns to
    document: str | None = None
    problems: tuple[str, ...] = ()


Result = MeterRead | DayRead | Resent | Figures | Configuration


def _map(value: object, what: str, maximum: int) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise RecordError(f"{what}: expected a map, got {type(value).__name__}")
    if len(value) > maximum:
        raise RecordError(f"{what}: expected at most {maximum} entries, got {len(value)}")
    return value


def _values(value: object, what: str) -> dict[str, int]:
    return {
        fields.name(point, f"{what} point"): whole(amount, f"{what} {point}", -INT64_MAX - 1, INT64_MAX)
        for point, amount in _map(value, what, MAX_VALUES).items()
    }


def _reasons(value: object, what: str) -> dict[str, str]:
    return {
        fields.name(name, f"{what} name"): text(reason, f"{what} {name}", MAX_DETAIL_BYTES)
        for name, reason in _map(value, what, MAX_VALUES).items()
    }


def _figures(value: object, what: str) -> dict[str, int | str]:
    return {
        text(name, f"{what} name", _MAX_FIGURE_NAME): text(figure, f"{what} {name}", MAX_DETAIL_BYTES, 0)
        if isinstance(figure, str)
        else whole(figure, f"{what} {name}", -INT64_MAX - 1, INT64_MAX)
        for name, figure in _map(value, what, MAX_FIGURES).items()
    }


def _freezes(value: object, what: str) -> tuple[StoredFreeze, ...]:
    return tuple(_freeze(item, f"{what}[{i}]") for i, item in enumerate(fields.items(value, what, MAX_FREEZES)))


def _freeze(value: object, what: str) -> StoredFreeze:
    if isinstance(value, StoredFreeze):
        return value
    sequence, body = fields.items(value, what, 2, 2)
    record = from_body(octets(body, f"{what} body", 1, _MAX_BODY))
    if not isinstance(record, FreezeRecord):
        raise RecordError(f"{what}: expected a freeze, got {type(record).__name__}")
    return StoredFreeze(whole(sequence, f"{what} sequence", 0, MAX_SEQUENCE), record)


def _factors(value: object, what: str) -> tuple[SlotFactor, ...]:
    return tuple(_factor(item, f"{what}[{i}]") for i, item in enumerate(fields.items(value, what, MAX_FACTORS)))


def _factor(value: object, what: str) -> SlotFactor:
    if isinstance(value, SlotFactor):
        value = [value.start_ms, value.factor, value.issued_ms, value.solve_id]
    start, factor, issued, solve_id = fields.items(value, what, 4, 4)
    check_factor(factor, f"{what} factor")
    return SlotFactor(
        fields.time(start, f"{what} start"),
        factor,  # type: ignore[arg-type]  # check_factor just said so
        fields.time(issued, f"{what} issued"),
        fields.solve_id(solve_id, f"{what} solve id"),
    )


def _ranges(value: object, what: str) -> tuple[tuple[int, int], ...]:
    return fields.ranges(value, what, MAX_RANGES)


def _digest(value: object, what: str) -> bytes:
    return octets(value, what, _DIGEST_BYTES, _DIGEST_BYTES)


def _state(value: object, what: str) -> ConfigurationState:
    return ConfigurationState(whole(value, what, 0, max(ConfigurationState)))


def _document(value: object, what: str) -> str:
    return text(value, what, MAX_DOCUMENT_BYTES)


def _problems(value: object, what: str) -> tuple[str, ...]:
    return tuple(text(item, what, MAX_DETAIL_BYTES) for item in fields.items(value, what, MAX_PROBLEMS))


_RESULTS: Final[dict[Verb, tuple[type[Result], Fields, dict[int, object]]]] = {
    Verb.READ: (
        MeterRead,
        ((1, "meter", fields.name), (2, "time_ms", fields.time), (3, "values", _values), (4, "refused", _reasons)),
        {4: {}},
    ),
    Verb.READ_DAY: (
        DayRead,
        ((1, "freezes", _freezes), (2, "factors", _factors), (3, "refused", _reasons)),
        {3: {}},
    ),
    Verb.RESEND: (Resent, ((1, "queued", _ranges), (2, "gone", _ranges)), {}),
    Verb.STATUS: (Figures, ((1, "figures", _figures),), {}),
    Verb.CONFIGURE: (
        Configuration,
        (
            (1, "state", _state),
            (2, "digest", _digest),
            (3, "previous", _digest),
            (4, "document", _document),
            (5, "problems", _problems),
        ),
        {3: None, 4: None, 5: ()},
    ),
}


def result_parts(result: Result) -> dict[int, object]:
    """Return a result as it travels; RecordError when a field can't."""
    kind = type(result)
    _, of_verb, defaults = next(entry for entry in _RESULTS.values() if entry[0] is kind)
    optional = {key: None for key, default in defaults.items() if default is None}
    return {key: _plain(value) for key, value in fields.to_map(result, of_verb, optional).items()}


def result_from(verb: Verb, parts: object) -> Result:
    """Return the result in a map; RecordError when it is not the verb's."""
    kind, of_verb, defaults = _RESULTS[verb]
    return kind(*fields.from_map(parts, of_verb, defaults))  # type: ignore[arg-type]  # checked field by field


def _plain(value: object) -> object:
    if isinstance(value, StoredFreeze):
        return [value.sequence, to_body(value.record)]
    if isinstance(value, SlotFactor):
        return [value.start_ms, value.factor, value.issued_ms, value.solve_id]
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
