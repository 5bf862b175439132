"""An order from the fields of a table or of a document of JSON, by our names or those of T/CEC 102 (one source)."""

import json
from collections.abc import Mapping
from typing import Final

from cloud_receiver.delimited.numbers import POINT, number
from cloud_receiver.delimited.times import TimeTextError
from cloud_receiver.exact_json import parse_json
from cloud_receiver.mistakes import Mistake, Problems, quoted
from cloud_receiver.sales.chargers import Chargers
from cloud_receiver.sales.order import MOST_PERIODS, Order, Period, beyond
from cloud_receiver.sales.store import Told
from cloud_receiver.sales.times import Times
from wire.charge_order import MAX_CONNECTOR_BYTES, MAX_NUMBER_BYTES

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "number": ("StartChargeSeq",),
    "charger": ("EquipmentID",),
    "connector": ("ConnectorID",),
    "start": ("StartTime",),
    "end": ("EndTime",),
    "energy_kwh": ("TotalPower",),
    "amount": ("TotalMoney",),
    "electricity_amount": ("TotalElecMoney",),
    "service_amount": ("TotalSeviceMoney", "TotalServiceMoney"),
    "start_total_kwh": (),
    "end_total_kwh": (),
    "stop_reason": ("StopReason",),
    "periods": ("ChargeDetails",),
}
"""Our names of fields and those of T/CEC 102, whose original spells service without r; some vendors correct it."""
REQUIRED: Final = ("number", "start", "end", "energy_kwh")
_BY_NAME: Final = {name.lower(): ours for ours, theirs in NAMES.items() for name in (ours, *theirs)}
_PERIOD_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "start": ("DetailStartTime",),
    "end": ("DetailEndTime",),
    "energy_kwh": ("DetailPower",),
    "price": ("ElecPrice",),
    "service_price": ("SevicePrice", "ServicePrice"),
    "amount": ("DetailElecMoney",),
    "service_amount": ("DetailSeviceMoney", "DetailServiceMoney"),
}
_PERIOD_BY_NAME: Final = {name.lower(): ours for ours, theirs in _PERIOD_NAMES.items() for name in (ours, *theirs)}
_ENERGY_DIGITS: Final = 6
_MONEY_DIGITS: Final = 4
_PRICE_DIGITS: Final = 6
_LONGEST_PERIODS: Final = 65_536


def field_of(name: str) -> str | None:
    """Return our name of a field; None for one that is none of an order's."""
    return _BY_NAME.get(name.strip().lower())


class Reading:
    """Makes orders of fields; mistakes are noted with their place and field."""

    def __init__(self, chargers: Chargers, times: Times, problems: Problems) -> None:
        self.times = times
        self.problems = problems
        self.marks = POINT
        """What may separate decimals."""
        self._chargers = chargers

    def order(self, cells: Mapping[str, str], place: str) -> Told | None:
        """Return an order with its charger; None where a field is wrong. `cells` are by our names."""
        wrong = _Wrong(self.problems, place)
        for name in REQUIRED:
            if not cells.get(name):
                wrong(name, "expected a value, found none")
        start_ms, end_ms = self._times(cells, wrong)
        connector = self._words(cells, "connector", MAX_CONNECTOR_BYTES, wrong)
        order = Order(
            self._words(cells, "number", MAX_NUMBER_BYTES, wrong) or "",
            start_ms,
            end_ms,
            self._scaled(cells, "energy_kwh", _ENERGY_DIGITS, wrong) or 0,
            self._scaled(cells, "amount", _MONEY_DIGITS, wrong),
            self._scaled(cells, "electricity_amount", _MONEY_DIGITS, wrong),
            self._scaled(cells, "service_amount", _MONEY_DIGITS, wrong),
            self._scaled(cells, "start_total_kwh", _ENERGY_DIGITS, wrong),
            self._scaled(cells, "end_total_kwh", _ENERGY_DIGITS, wrong),
            self._scaled(cells, "stop_reason", 0, wrong),
            connector,
            () if wrong.any else self._periods(cells.get("periods", ""), start_ms, wrong),
        )
        if not wrong.any and (found := beyond(order)) is not None:
            wrong(*_split(found))
        meter = None if wrong.any else self._charger(cells, start_ms, wrong)
        return None if wrong.any or meter is None else Told(meter, order)

    def _times(self, cells: Mapping[str, str], wrong: "_Wrong") -> tuple[int, int]:
        start_ms = end_ms = 0
        try:
            if text := cells.get("start", ""):
                start_ms = self.times.start(text)
        except TimeTextError as error:
            wrong("start", str(error))
        try:
            if text := cells.get("end", ""):
                end_ms = self.times.end(text, start_ms)
        except TimeTextError as error:
            wrong("end", str(error))
        return start_ms, end_ms

    def _charger(self, cells: Mapping[str, str], start_ms: int, wrong: "_Wrong") -> int | None:
        names = [name for key in ("charger", "connector") if (name := cells.get(key, ""))]
        if not names:
            if self._chargers.only is None:
                wrong("charger", "expected a charger or a connector, found none")
            return self._chargers.only
        found = self._chargers.find(names, start_ms)
        if found is None:
            shown = " or ".join(quoted(name) for name in names)
            expected = f"expected one that the station's registry has ({self._chargers.known()}), found {shown}"
            wrong("charger", expected, Mistake.UNKNOWN_ELEMENT)
        return found

    @staticmethod
    def _words(cells: Mapping[str, str], name: str, most: int, wrong: "_Wrong") -> str | None:
        text = cells.get(name, "")
        if not text:
            return None
        if not text.isprintable() or len(text.encode(errors="replace")) > most:
            wrong(name, f"expected printable text of at most {most} bytes, found {quoted(text)}")
        return text

    def _scaled(self, cells: Mapping[str, str], name: str, digits: int, wrong: "_Wrong") -> int | None:
        """Return a number in units of 10^-digits; None for an empty cell."""
        text = cells.get(name, "")
        if not text:
            return None
        value = number(text, self.marks)
        if value is None:
            kind = "number" if digits else "whole number"
            wrong(name, f"expected a {kind}, found {quoted(text)}", Mistake.NUMBER)
            return None
        units = value.scaleb(digits)
        if units != units.to_integral_value():
            kind = f"at most {digits} digits after the point" if digits else "a whole number"
            wrong(name, f"expected {kind}, found {quoted(text)}", Mistake.NUMBER)
            return None
        return int(units)

    def _periods(self, text: str, start_ms: int, wrong: "_Wrong") -> tuple[Period, ...]:
        if not text:
            return ()
        try:
            if len(text) > _LONGEST_PERIODS:
                raise ValueError(f"at most {_LONGEST_PERIODS} characters")  # noqa: TRY301 - one message for all
            found = parse_json(text)
        except ValueError:
            wrong("periods", f"expected a list in JSON, found {quoted(text)}")
            return ()
        if not isinstance(found, list) or len(found) > MOST_PERIODS:
            wrong("periods", f"expected a list of at most {MOST_PERIODS} periods, found {quoted(text)}")
            return ()
        return tuple(self._period(item, place, start_ms, wrong) for place, item in enumerate(found, 1))

    def _period(self, item: object, place: int, start_ms: int, wrong: "_Wrong") -> Period:
        inner = _Wrong(self.problems, f"{wrong.place}: period {place}", wrong)
        cells = cells_of(item, _PERIOD_BY_NAME, inner)
        for name in ("start", "end", "energy_kwh"):
            if not cells.get(name):
                inner(name, "expected a value, found none")
        first_ms = end_ms = start_ms
        try:
            if text := cells.get("start", ""):
                first_ms = self.times.end(text, start_ms)
            if text := cells.get("end", ""):
                end_ms = self.times.end(text, first_ms)
        except TimeTextError as error:
            inner("start", str(error))
        plain = Reading(self._chargers, self.times, self.problems)  # JSON has no decimal commas
        return Period(
            first_ms,
            end_ms,
            plain._scaled(cells, "energy_kwh", _ENERGY_DIGITS, inner) or 0,
            plain._scaled(cells, "price", _PRICE_DIGITS, inner),
            plain._scaled(cells, "service_price", _PRICE_DIGITS, inner),
            plain._scaled(cells, "amount", _MONEY_DIGITS, inner),
            plain._scaled(cells, "service_amount", _MONEY_DIGITS, inner),
        )


class _Wrong:
    """Notes the mistakes of one order."""

    def __init__(self, problems: Problems, place: str, outer: "_Wrong | None" = None) -> None:
        self._problems = problems
        self._outer = outer
        self.place = place
        self.any = False

    def __call__(self, name: str, text: str, mistake: Mistake = Mistake.FORM) -> None:
        self.any = True
        if self._outer is not None:
            self._outer.any = True
        self._problems.add(mistake, text, place=self.place, element=name)


def _split(found: str) -> tuple[str, str]:
    name, _, text = found.partition(": ")
    return name, text


def cells_of(item: object, names: Mapping[str, str], wrong: _Wrong) -> dict[str, str]:
    """Return the fields of an object of JSON as texts, by our names; those that nobody knows are left out."""
    if not isinstance(item, dict):
        wrong("", f"expected an object, found {quoted(item)}")
        return {}
    cells: dict[str, str] = {}
    for key, value in item.items():
        ours = names.get(str(key).lower())
        if ours is None or value is None:
            continue
        if not isinstance(value, str) and not (isinstance(value, list) and ours == "periods"):
            wrong(ours, f"expected a text or a number, found {quoted(value)}")
        elif ours in cells:
            wrong(ours, f"expected once, found {quoted(key)} as well")
        else:
            cells[ours] = value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return cells


def order_cells(item: object, place: str, problems: Problems) -> dict[str, str] | None:
    """Return the fields of an order in JSON; None where it is none."""
    wrong = _Wrong(problems, place)
    cells = cells_of(item, _BY_NAME, wrong)
    return None if wrong.any else cells
