"""The details of event 107: means of voltage and power by quarter of an hour (电压均值; docs/wire.md, "Voltage means").

Nothing is rounded here: a block comes out as it went in. What the writer rounds to, the steps of a block find.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from wire.domain import MAX_DETAIL_BYTES, MAX_TIME_MS, RecordError, text, whole
from wire.records import DetailKey

QUARTER_MS: Final = 900_000
MAX_QUARTERS: Final = 96
MAX_VOLTAGE_MV: Final = 10**9
MAX_POWER_MW: Final = 10**15
SURE_QUARTERS: Final = 40
"""So many quarters fit whatever their values: 50 bytes at most each, 5 to a text."""
TEXT_KEYS: Final = (
    DetailKey.MEANS,
    DetailKey.MEANS_2,
    DetailKey.MEANS_3,
    DetailKey.MEANS_4,
    DetailKey.MEANS_5,
    DetailKey.MEANS_6,
    DetailKey.MEANS_7,
    DetailKey.MEANS_8,
)

_ONE: Final = 1
_PHASES: Final = 3
_SAME: Final = "="
_UNKNOWN: Final = "?"
_TOKENS: Final = re.compile(r"(?:[+-][1-9][0-9]{0,15}|=|\?)+", re.ASCII)
_TOKEN: Final = re.compile(r"[+-][0-9]+|[=?]", re.ASCII)


class VoltageMeansError(RecordError):
    """No voltage means, or some that can't travel: the text names the detail, what was expected and what came."""


class MeansTooLongError(VoltageMeansError):
    """The block's means don't fit the texts there are for them; two blocks of half the quarters can travel."""


@dataclass(frozen=True, slots=True)
class VoltageMean:
    """Means (时段均值) over the polls of one quarter of an hour that brought both."""

    voltages_mv: tuple[int, ...]
    """One (a single-phase meter, or the mean of the phases that are there), or three: phases a, b and c."""
    power_mw: int
    """Active power (有功功率), forward positive."""


@dataclass(frozen=True, slots=True)
class VoltageBlock:
    """Means of one meter by quarter of an hour."""

    start_ms: int
    """Of the first quarter, ms UTC; a multiple of QUARTER_MS."""
    means: tuple[VoltageMean | None, ...]
    """By quarter, 1 to MAX_QUARTERS; None: nothing known. First and last are known, all have as many voltages."""

    @property
    def end_ms(self) -> int:
        """Return the end of the last quarter, ms UTC: the time of the block's event."""
        return self.start_ms + len(self.means) * QUARTER_MS

    def to_details(self) -> dict[int, int | str]:
        """Return the details of an event 107, at most 12.

        Raises VoltageMeansError when a value is out of bounds, and MeansTooLongError when the means don't fit.
        """
        _check(self)
        known = [mean for mean in self.means if mean is not None]
        voltages = len(known[0].voltages_mv)
        voltage_step = math.gcd(*(voltage for mean in known for voltage in mean.voltages_mv))
        power_step = math.gcd(*(mean.power_mw for mean in known)) or 1
        steps = (*[voltage_step] * voltages, power_step)
        return {
            int(DetailKey.MEANS_START): self.start_ms,
            int(DetailKey.VOLTAGES): voltages,
            int(DetailKey.VOLTAGE_STEP): voltage_step,
            int(DetailKey.POWER_STEP): power_step,
        } | dict(zip(map(int, TEXT_KEYS), _texts(_told(self.means, steps)), strict=False))

    @classmethod
    def from_details(cls, details: Mapping[int, int | str]) -> "VoltageBlock":
        """Return the block that an event's details tell; keys that are none of a block's are a later writer's.

        Raises VoltageMeansError when a detail is missing, is not what docs/wire.md says, or has another form than
        `to_details` gives it.
        """
        start_ms = _whole(details, DetailKey.MEANS_START, 0, MAX_TIME_MS)
        voltages = _whole(details, DetailKey.VOLTAGES, _ONE, _PHASES)
        if voltages not in (_ONE, _PHASES):
            raise VoltageMeansError(f"{_named(DetailKey.VOLTAGES)}: expected {_ONE} or {_PHASES}, got {voltages}")
        voltage_step = _whole(details, DetailKey.VOLTAGE_STEP, 1, MAX_VOLTAGE_MV)
        power_step = _whole(details, DetailKey.POWER_STEP, 1, MAX_POWER_MW)
        steps = (*[voltage_step] * voltages, power_step)
        block = cls(start_ms, tuple(_means(_read(details), steps)))
        told = block.to_details()
        for key in (*_FIRST_KEYS, *TEXT_KEYS):
            if told.get(key) != details.get(key):
                raise VoltageMeansError(
                    f"{_named(key)}: these means have one form, with {told.get(key)!r} here, got {details.get(key)!r}"
                )
        return block


_FIRST_KEYS: Final = (DetailKey.MEANS_START, DetailKey.VOLTAGES, DetailKey.VOLTAGE_STEP, DetailKey.POWER_STEP)


def _named(key: DetailKey) -> str:
    return f"voltage means: {key.name.lower()} (detail {int(key)})"


def _check(block: VoltageBlock) -> None:
    start = _named(DetailKey.MEANS_START)
    _bounded(block.start_ms, start, 0, MAX_TIME_MS)
    if block.start_ms % QUARTER_MS:
        raise VoltageMeansError(f"{start}: expected the start of a quarter of an hour, got {block.start_ms}")
    what = _named(DetailKey.MEANS)
    if not 1 <= len(block.means) <= MAX_QUARTERS:
        raise VoltageMeansError(f"{what}: expected 1 to {MAX_QUARTERS} quarters, got {len(block.means)}")
    _bounded(block.end_ms, f"{what}: end", 0, MAX_TIME_MS)
    first, last = block.means[0], block.means[-1]
    if first is None or last is None:
        raise VoltageMeansError(f"{what}: expected a first and a last quarter that are known, got None")
    voltages = len(first.voltages_mv)
    if voltages not in (_ONE, _PHASES):
        raise VoltageMeansError(f"{what}: expected {_ONE} or {_PHASES} voltages, got {voltages}")
    for number, mean in enumerate(block.means, 1):
        if mean is None:
            continue
        if len(mean.voltages_mv) != voltages:
            raise VoltageMeansError(
                f"{what}: quarter {number}: expected {voltages} voltages like the first, got {len(mean.voltages_mv)}"
            )
        for voltage in mean.voltages_mv:
            _bounded(voltage, f"{what}: quarter {number}: voltage", 1, MAX_VOLTAGE_MV)
        _bounded(mean.power_mw, f"{what}: quarter {number}: power", -MAX_POWER_MW, MAX_POWER_MW)


def _bounded(value: object, what: str, low: int, high: int) -> int:
    try:
        return whole(value, what, low, high)
    except RecordError as error:
        raise VoltageMeansError(str(error)) from error


def _whole(details: Mapping[int, int | str], key: DetailKey, low: int, high: int) -> int:
    if key not in details:
        raise VoltageMeansError(f"{_named(key)}: expected {low} to {high}, found none")
    return _bounded(details[key], _named(key), low, high)


def _numbers(mean: VoltageMean) -> tuple[int, ...]:
    """Return what is told of a mean: phases b and c less phase a, since the three mostly move together."""
    first, *others = mean.voltages_mv
    return (first, *(voltage - first for voltage in others), mean.power_mw)


def _told(means: Iterable[VoltageMean | None], steps: tuple[int, ...]) -> list[str]:
    """Return each quarter's part of the text: how its numbers differ from the last known ones, in steps."""
    before = (0,) * len(steps)
    parts: list[str] = []
    for mean in means:
        if mean is None:
            parts.append(_UNKNOWN)
            continue
        now = tuple(number // step for number, step in zip(_numbers(mean), steps, strict=True))
        parts.append("".join(_SAME if new == old else f"{new - old:+d}" for new, old in zip(now, before, strict=True)))
        before = now
    return parts


def _texts(parts: list[str]) -> list[str]:
    """Return the texts, each with as many whole quarters as it can hold."""
    texts = [""]
    for part in parts:
        if len(texts[-1]) + len(part) > MAX_DETAIL_BYTES:
            texts.append("")
        texts[-1] += part
    if len(texts) > len(TEXT_KEYS):
        raise MeansTooLongError(
            f"{_named(DetailKey.MEANS)}: expected means that fit {len(TEXT_KEYS)} texts of {MAX_DETAIL_BYTES} bytes, "
            f"got {len(parts)} quarters that need {len(texts)}"
        )
    return texts


def _read(details: Mapping[int, int | str]) -> list[str]:
    """Return the signs of all texts."""
    signs: list[str] = []
    for key in TEXT_KEYS:
        if key not in details and key != DetailKey.MEANS:
            break  # one behind it would not be where `to_details` has it
        try:
            told = text(details.get(key), _named(key), MAX_DETAIL_BYTES)
        except RecordError as error:
            raise VoltageMeansError(str(error)) from error
        if not _TOKENS.fullmatch(told):
            raise VoltageMeansError(
                f"{_named(key)}: expected differences of at most 16 digits, '=' and '?', got {told!r:.60}"
            )
        signs += _TOKEN.findall(told)
    return signs


def _means(signs: list[str], steps: tuple[int, ...]) -> Iterable[VoltageMean | None]:
    numbers = [0] * len(steps)
    index = 0
    while index < len(signs):
        if signs[index] == _UNKNOWN:
            yield None
            index += 1
            continue
        of_quarter = signs[index : index + len(steps)]
        if len(of_quarter) < len(steps) or _UNKNOWN in of_quarter:
            raise VoltageMeansError(
                f"{_named(DetailKey.MEANS)}: expected {len(steps)} numbers in each quarter, "
                f"found {''.join(of_quarter)!r}"
            )
        numbers = [old + (0 if sign == _SAME else int(sign)) for old, sign in zip(numbers, of_quarter, strict=True)]
        first, *others, power = (number * step for number, step in zip(numbers, steps, strict=True))
        yield VoltageMean((first, *(first + other for other in others)), power)
        index += len(steps)
