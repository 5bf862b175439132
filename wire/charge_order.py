"""The details of event 105: a charge order (充电订单) as its charger settled it (docs/wire.md, "Charge orders").

What an order says of itself is carried, not judged: an amount that is not the sum of its parts, or periods that don't
make up the energy, is for the centre's checks to find, so it has to arrive.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Final

from wire.domain import INT64_MAX, MAX_AMOUNT, MAX_DETAIL_BYTES, MAX_TIME_MS, RecordError, text, whole
from wire.records import DetailKey

MAX_NUMBER_BYTES: Final = 64
MAX_CONNECTOR_BYTES: Final = 32
MAX_STOP_REASON: Final = 2**15 - 1
PERIOD_KEYS: Final = (DetailKey.PERIODS, DetailKey.PERIODS_2, DetailKey.PERIODS_3, DetailKey.PERIODS_4)

_MS: Final = 1000
_LAST_CONTROL: Final = 0x1F
_DELETE: Final = 0x7F
_LAST_CONTROL_OF_LATIN_1: Final = 0x9F


class ChargeOrderError(RecordError):
    """No charge order, or one that can't travel: the text names the detail, what was expected and what came."""


class PeriodsTooLongError(ChargeOrderError):
    """The order's periods don't fit the four texts there are for them; without periods it can travel."""


@dataclass(frozen=True, slots=True)
class Period:
    """A part of a charge with one price (分时段); prices in 10^-6 of the currency's unit per kWh, amounts in 10^-4.

    Its times are whole seconds after the start of the charge.
    """

    start_ms: int
    end_ms: int
    energy_mwh: int
    price: int | None = None
    service_price: int | None = None
    amount: int | None = None
    service_amount: int | None = None


@dataclass(frozen=True, slots=True)
class ChargeOrder:
    """An order; times in ms UTC by the charger's clock, energies in mWh, amounts in 10^-4 of the currency's unit."""

    number: str
    """订单号: what tells the order from all others of its charger."""
    start_ms: int
    end_ms: int
    energy_mwh: int
    amount: int | None = None
    electricity_amount: int | None = None
    """电费."""
    service_amount: int | None = None
    """服务费."""
    start_total_mwh: int | None = None
    """The charger's register at the start (起示数)."""
    end_total_mwh: int | None = None
    """The charger's register at the end (止示数)."""
    stop_reason: int | None = None
    """After T/CEC 102 (one source): 0 user, 1 platform, 2 vehicle, 3 fault, 4 disconnected, from 5 the operator's."""
    connector: str | None = None
    """枪."""
    periods: tuple[Period, ...] = ()

    @property
    def first_ms(self) -> int:
        """Return the earlier of start and end: a clock that was put back may have them the other way round."""
        return min(self.start_ms, self.end_ms)

    @property
    def last_ms(self) -> int:
        """Return the later of start and end."""
        return max(self.start_ms, self.end_ms)

    def to_details(self) -> dict[int, int | str]:
        """Return the details of an event 105, at most 15.

        Raises ChargeOrderError when a value is out of bounds, and PeriodsTooLongError when the periods don't fit.
        """
        _check(self)
        details: dict[int, int | str] = {
            int(key): value for key, name, _ in _FIELDS if (value := getattr(self, name)) is not None
        }
        return details | dict(zip(map(int, PERIOD_KEYS), _period_texts(self), strict=False))

    @classmethod
    def from_details(cls, details: Mapping[int, int | str]) -> "ChargeOrder":
        """Return the order that an event's details tell; keys that are none of an order's are a later writer's.

        Raises ChargeOrderError when a detail is missing or is not what docs/wire.md says.
        """
        found: dict[str, int | str] = {}
        for key, name, _ in _FIELDS:
            if key in details:
                found[name] = details[key]
            elif name in _NEEDED:
                raise ChargeOrderError(f"{_named(key)}: expected {_NEEDED[name]}, found none")
        for key, name, check in _FIELDS:
            if name in found:
                _checked(check, found[name], _named(key))
        start_ms = int(found["start_ms"])
        order = cls(**found, periods=_periods(details, start_ms))  # type: ignore[arg-type]  # each has been checked
        _check(order)
        return order


def _amount(value: object, what: str) -> int:
    return whole(value, what, -MAX_AMOUNT, MAX_AMOUNT)


def _energy(value: object, what: str) -> int:
    return whole(value, what, 0, MAX_AMOUNT)


def _time(value: object, what: str) -> int:
    return whole(value, what, 0, MAX_TIME_MS)


def _words(maximum: int) -> Callable[[object, str], str]:
    def check(value: object, what: str) -> str:
        found = text(value, what, maximum)
        for character in found:
            if ord(character) <= _LAST_CONTROL or _DELETE <= ord(character) <= _LAST_CONTROL_OF_LATIN_1:
                raise RecordError(f"{what}: expected no control characters, got {found!r}")
        return found

    return check


# Key, attribute, what raises RecordError of a value that can't be; also the order in which a reader is told.
_FIELDS: Final[tuple[tuple[DetailKey, str, Callable[[object, str], object]], ...]] = (
    (DetailKey.BEFORE, "start_total_mwh", _amount),
    (DetailKey.AFTER, "end_total_mwh", _amount),
    (DetailKey.ORDER, "number", _words(MAX_NUMBER_BYTES)),
    (DetailKey.START, "start_ms", _time),
    (DetailKey.END, "end_ms", _time),
    (DetailKey.ENERGY, "energy_mwh", _energy),
    (DetailKey.AMOUNT, "amount", _amount),
    (DetailKey.ELECTRICITY_AMOUNT, "electricity_amount", _amount),
    (DetailKey.SERVICE_AMOUNT, "service_amount", _amount),
    (DetailKey.STOP_REASON, "stop_reason", lambda value, what: whole(value, what, 0, MAX_STOP_REASON)),
    (DetailKey.CONNECTOR, "connector", _words(MAX_CONNECTOR_BYTES)),
)
_NEEDED: Final = {
    "number": "the order's number",
    "start_ms": "the start of the charge, ms UTC",
    "end_ms": "the end of the charge, ms UTC",
    "energy_mwh": "the energy sold, mWh",
}
_PERIOD_FIELDS: Final = tuple(field.name for field in fields(Period))
_ALWAYS_IN_A_PERIOD: Final = 3  # its start, end and energy


def _named(key: DetailKey) -> str:
    return f"charge order: {key.name.lower()} (detail {int(key)})"


def _checked(check: Callable[[object, str], object], value: object, what: str) -> None:
    try:
        check(value, what)
    except RecordError as error:
        raise ChargeOrderError(str(error)) from error


def _check(order: ChargeOrder) -> None:
    for key, name, check in _FIELDS:
        value = getattr(order, name)
        if value is not None or name in _NEEDED:
            _checked(check, value, _named(key))
    if order.end_ms < order.start_ms:
        raise ChargeOrderError(
            f"{_named(DetailKey.END)}: expected at least its start {order.start_ms}, got {order.end_ms}"
        )
    for number, period in enumerate(order.periods, 1):
        _check_period(order, period, f"{_named(DetailKey.PERIODS)}: period {number}")
    total = sum(period.energy_mwh for period in order.periods)
    if total > MAX_AMOUNT:
        raise ChargeOrderError(f"{_named(DetailKey.PERIODS)}: expected at most {MAX_AMOUNT} mWh in all, got {total}")


def _check_period(order: ChargeOrder, period: Period, what: str) -> None:
    _checked(_time, period.start_ms, f"{what}: start")
    _checked(_time, period.end_ms, f"{what}: end")
    for name, time_ms, least in (("start", period.start_ms, order.start_ms), ("end", period.end_ms, period.start_ms)):
        if time_ms < least:
            raise ChargeOrderError(f"{what}: {name}: expected at least {least}, got {time_ms}")
        if (time_ms - order.start_ms) % _MS:
            raise ChargeOrderError(
                f"{what}: {name}: expected whole seconds after the charge's start {order.start_ms}, got {time_ms}"
            )
    _checked(_energy, period.energy_mwh, f"{what}: energy")
    for name in _PERIOD_FIELDS[_ALWAYS_IN_A_PERIOD:]:
        if getattr(period, name) is not None:
            _checked(_amount, getattr(period, name), f"{what}: {name}")


def _period_texts(order: ChargeOrder) -> list[str]:
    """Return the texts that hold the periods, each as many whole ones as it can."""
    texts: list[str] = []
    for period in order.periods:
        told = _told(order, period)
        if texts and len(texts[-1]) + 1 + len(told) <= MAX_DETAIL_BYTES:
            texts[-1] += f";{told}"
        else:
            texts.append(told)
    if len(texts) > len(PERIOD_KEYS):
        raise PeriodsTooLongError(
            f"{_named(DetailKey.PERIODS)}: expected periods that fit {len(PERIOD_KEYS)} texts of {MAX_DETAIL_BYTES} "
            f"bytes, got {len(order.periods)} periods that need {len(texts)}"
        )
    return texts


def _told(order: ChargeOrder, period: Period) -> str:
    values = [getattr(period, name) for name in _PERIOD_FIELDS]
    values[:2] = [(time_ms - order.start_ms) // _MS for time_ms in values[:2]]
    return ",".join("" if value is None else str(value) for value in values)


def _periods(details: Mapping[int, int | str], start_ms: int) -> tuple[Period, ...]:
    periods: list[Period] = []
    ended: DetailKey | None = None
    for key in PERIOD_KEYS:
        if key not in details:
            ended = ended or key
            continue
        if ended is not None:
            raise ChargeOrderError(f"{_named(key)}: expected none without {_named(ended)}, found one")
        value = details[key]
        _checked(lambda found, what: text(found, what, MAX_DETAIL_BYTES), value, _named(key))
        periods += [
            _period(told, start_ms, f"{_named(key)}: period {number}")
            for number, told in enumerate(str(value).split(";"), 1)
        ]
    return tuple(periods)


def _period(told: str, start_ms: int, what: str) -> Period:
    parts = told.split(",")
    if len(parts) != len(_PERIOD_FIELDS):
        raise ChargeOrderError(f"{what}: expected {len(_PERIOD_FIELDS)} numbers, found {len(parts)} in {told!r}")
    values = [
        _number(part, f"{what}: {name}", optional=index >= _ALWAYS_IN_A_PERIOD)
        for index, (part, name) in enumerate(zip(parts, _PERIOD_FIELDS, strict=True))
    ]
    first, last, energy_mwh = (value or 0 for value in values[:_ALWAYS_IN_A_PERIOD])
    return Period(start_ms + first * _MS, start_ms + last * _MS, energy_mwh, *values[_ALWAYS_IN_A_PERIOD:])


def _number(part: str, what: str, *, optional: bool) -> int | None:
    """Return the integer; one number has one form: no plus, no leading zero, no blank, no other script's digit."""
    if optional and not part:
        return None
    try:
        value = int(part)
    except ValueError:
        value = None
    if value is None or str(value) != part or not -INT64_MAX <= value <= INT64_MAX:
        raise ChargeOrderError(f"{what}: expected an integer of 64 bits in decimal digits, found {part!r}")
    return value
