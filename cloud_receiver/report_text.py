"""A report as a table for people (English, Chinese or both), as CSV of the meters, or as JSON of everything."""

import csv
import io
import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

from cloud_receiver.checks.day import local_time
from cloud_receiver.checks.model import Kind
from cloud_receiver.checks.tolerance import Balance
from cloud_receiver.findings import Finding
from cloud_receiver.report import Frozen, MeterDay, Report
from cloud_receiver.report_words import Language, Text
from cloud_receiver.sales.listing import Sold
from cloud_receiver.sales.shown import money
from diantan_core import Carbon, Energy
from wire.records import FreezeSource

_CSV = (
    *("station", "day", "meter", "role", "energy_forward_kwh", "energy_reverse_kwh"),
    *("carbon_forward_kg", "carbon_reverse_kg", "intervals", "expected", "freezes"),
    *("measured", "interpolated", "estimated", "partial"),
    *("factor_dispatched", "factor_held", "factor_default", "factor_undefined"),
    *("frozen_by", "frozen_forward_kwh", "frozen_reverse_kwh"),
    *("orders", "sold_kwh", "sold_amount"),
)
_CSV_ESTIMATES = (
    *("estimated_slots", "estimated_forward_kwh", "estimated_reverse_kwh"),
    *("beside_forward_kwh", "beside_reverse_kwh", "estimated_by"),
)
_THREE_DECIMALS = Decimal("0.001")


def printable(name: str) -> str:
    """Return a name as a terminal may show it: a gateway may send names with line ends and escape sequences."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)


def kwh(mwh: int) -> str:
    """Return an energy exactly, in kWh."""
    return f"{Energy(mwh).kwh:f}"


def kg(ug: int) -> str:
    """Return a carbon amount given in µg exactly, in kg."""
    return f"{Decimal(ug).scaleb(-9):f}"


def csv_text(report: Report) -> str:
    """Return one line a meter, exact values."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*_CSV, *(_CSV_ESTIMATES if report.with_estimates else ())])
    for meter in report.meters:
        writer.writerow(
            [
                *(report.station, report.day.isoformat(), meter.meter, meter.role),
                *(kwh(meter.forward_mwh), kwh(meter.reverse_mwh)),
                *(kg(meter.carbon_forward_ug), kg(meter.carbon_reverse_ug)),
                *(meter.intervals, meter.expected, meter.freezes),
                *(meter.quality.get(name, 0) for name in ("measured", "interpolated", "estimated", "partial")),
                *(meter.factor_quality.get(name, 0) for name in ("dispatched", "held", "default", "undefined")),
                *(_frozen(meter.frozen).values() if meter.frozen else ("", "", "")),
                *(_sold(meter.sold).values() if meter.sold else ("", "", "")),
                *(_estimated_cells(meter) if report.with_estimates else ()),
            ]
        )
    return out.getvalue()


def _estimated_cells(meter: MeterDay) -> Iterable[object]:
    item = meter.estimated
    if item is None:
        return (0, *("" for _ in _CSV_ESTIMATES[1:]))
    amounts = (item.forward_mwh, item.reverse_mwh, item.beside_forward_mwh, item.beside_reverse_mwh)
    return (item.slots, *map(kwh, amounts), " ".join(f"{name}:{count}" for name, count in item.methods.items()))


def _estimated(meter: MeterDay) -> dict[str, object] | None:
    item = meter.estimated
    return (
        None
        if item is None
        else {
            "slots": item.slots,
            "energy_forward_kwh": kwh(item.forward_mwh),
            "energy_reverse_kwh": kwh(item.reverse_mwh),
            "beside_forward_kwh": kwh(item.beside_forward_mwh),
            "beside_reverse_kwh": kwh(item.beside_reverse_mwh),
            "methods": item.methods,
        }
    )


def json_text(report: Report) -> str:
    """Return everything as JSON; exact values are strings in kWh and kg."""
    zone = ZoneInfo(report.timezone)
    content = {
        "station": report.station,
        "name": report.name,
        "day": report.day.isoformat(),
        "timezone": report.timezone,
        "meters": [
            _meter(meter) | ({"estimated": _estimated(meter)} if report.with_estimates else {})
            for meter in report.meters
        ],
        "balance": None if report.balance is None else _balance(report.balance, report.slots_in_day),
        **({"only_orders": list(report.only_orders)} if report.only_orders else {}),
        "findings": [finding_object(item, zone) for item in report.findings],
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _meter(meter: MeterDay) -> dict[str, object]:
    return {
        "meter": meter.meter,
        "role": meter.role,
        "energy_forward_kwh": kwh(meter.forward_mwh),
        "energy_reverse_kwh": kwh(meter.reverse_mwh),
        "carbon_forward_kg": kg(meter.carbon_forward_ug),
        "carbon_reverse_kg": kg(meter.carbon_reverse_ug),
        "energy_forward_total_kwh": None if meter.forward_total_mwh is None else kwh(meter.forward_total_mwh),
        "carbon_forward_total_kg": None if meter.carbon_forward_total_ug is None else kg(meter.carbon_forward_total_ug),
        "intervals": meter.intervals,
        "expected": meter.expected,
        "freezes": meter.freezes,
        "frozen": None if meter.frozen is None else _frozen(meter.frozen),
        "quality": meter.quality,
        "factor_quality": meter.factor_quality,
        "sold": None if meter.sold is None else _sold(meter.sold),
    }


def _sold(sold: Sold) -> dict[str, object]:
    amount = None if sold.amount is None else money(sold.amount)
    return {"orders": sold.orders, "energy_kwh": kwh(sold.energy_mwh), "amount": amount}


def _frozen(frozen: Frozen) -> dict[str, str]:
    return {
        "source": frozen.source.name.lower(),
        "energy_forward_kwh": kwh(frozen.forward_total_mwh),
        "energy_reverse_kwh": kwh(frozen.reverse_total_mwh),
    }


def percent(part: int, whole: int) -> str:
    """Return part/whole in per cent with three decimals; a dash where the whole is 0."""
    if whole == 0:
        return "-"
    return f"{(Decimal(part) / Decimal(whole) * 100).quantize(_THREE_DECIMALS, ROUND_HALF_EVEN):f}"


def _balance(balance: Balance, slots: int) -> dict[str, object]:
    return {
        "chargers_kwh": kwh(balance.chargers_mwh),
        "auxiliary_kwh": kwh(balance.auxiliary_mwh),
        "loss_kwh": kwh(balance.loss_mwh),
        "grid_kwh": kwh(balance.grid_mwh),
        "imbalance_kwh": kwh(balance.imbalance_mwh),
        "imbalance_percent": percent(balance.imbalance_mwh, balance.grid_mwh),
        "tolerance_kwh": kwh(balance.tolerance_mwh),
        "tolerance_percent": percent(balance.tolerance_mwh, balance.grid_mwh),
        "standard_uncertainty_kwh": {name: kwh(value) for name, value in balance.terms_mwh.items()},
        "within": balance.within,
        "slots": balance.slots,
        "slots_in_day": slots,
    }


def finding_object(item: Finding, zone: ZoneInfo) -> dict[str, object]:
    """Return a finding as JSON takes it, times in the station's zone."""
    times = ("day_ms", "first_ms", "last_ms", "opened_ms", "updated_ms")
    return {
        name.removesuffix("_ms") if name in times else name: local_time(value, zone) if name in times else value
        for name, value in asdict(item).items()
    }


def table_text(report: Report, language: Language) -> str:
    """Return the report for people."""
    text = Text(language)
    lines = [f"{text.word('station')} {report.station}{f' ({report.name})' if report.name else ''}  {report.day}", ""]
    keys = (
        "meter",
        "role",
        "forward",
        "reverse",
        "carbon_forward",
        "carbon_reverse",
        "intervals",
        "freezes",
        "frozen_by",
        "quality",
    )
    rows = text.headings(keys)
    for meter in report.meters:
        role = f"{meter.role}_role" if meter.role in {"grid", "auxiliary"} else meter.role
        rows.append(
            [
                *(printable(meter.meter), text.word(role)),
                *(_short(Energy(value).kwh) for value in (meter.forward_mwh, meter.reverse_mwh)),
                *(_short(Carbon(value * 1000).kg) for value in (meter.carbon_forward_ug, meter.carbon_reverse_ug)),
                *(f"{meter.intervals}/{meter.expected}", str(meter.freezes), _frozen_by(meter, text)),
                ", ".join(f"{text.word(name)} {count}" for name, count in meter.quality.items()) or "-",
            ]
        )
    lines += [*aligned(rows, right={2, 3, 4, 5, 6, 7}), "", *_balance_lines(report, text), ""]
    if any(meter.sold for meter in report.meters):
        lines += [*_sold_lines(report, text), ""]
    if report.with_estimates:
        lines += [*_estimate_lines(report, text), ""]
    lines += _finding_lines(report.findings, text, ZoneInfo(report.timezone))
    return "\n".join(lines) + "\n"


def _sold_lines(report: Report, text: Text) -> list[str]:
    rows = text.headings(("meter", "orders", "sold", "amount", "metered"))
    for meter in report.meters:
        if (sold := meter.sold) is None:
            continue
        metered = _short(Energy(meter.forward_mwh).kwh) if meter.intervals else "-"
        amount = "-" if sold.amount is None else money(sold.amount)
        name = printable(meter.meter)
        rows.append([name, str(sold.orders), _short(Energy(sold.energy_mwh).kwh), amount, metered])
    return [text.word("sales"), *(f"  {line}" for line in aligned(rows, right={1, 2, 3, 4}))]


def _estimate_lines(report: Report, text: Text) -> list[str]:
    rows = text.headings(
        ("meter", "estimated_slots", "estimated_forward", "estimated_reverse", "beside", "together", "method")
    )
    headings = len(rows)
    for meter in report.meters:
        if (item := meter.estimated) is None:
            continue
        together = meter.forward_mwh - item.beside_forward_mwh + item.forward_mwh
        amounts = (item.forward_mwh, item.reverse_mwh, item.beside_forward_mwh, together)
        names = (("balance_method" if name == "balance" else name, count) for name, count in item.methods.items())
        rows.append(
            [
                *(printable(meter.meter), str(item.slots)),
                *(_short(Energy(value).kwh) for value in amounts),
                ", ".join(f"{text.word(name)} {count}" for name, count in names),
            ]
        )
    if len(rows) == headings:
        return [f"{text.word('estimates')}: {text.word('none')}"]
    return [text.word("estimates"), *(f"  {line}" for line in aligned(rows, right={1, 2, 3, 4, 5}))]


def _frozen_by(meter: MeterDay, text: Text) -> str:
    if meter.frozen is None:
        return "-"
    return text.word("own_freeze" if meter.frozen.source is FreezeSource.METER else meter.frozen.source.name.lower())


def _balance_lines(report: Report, text: Text) -> list[str]:
    balance = report.balance
    if balance is None:
        if report.only_orders:
            named = ", ".join(printable(name) for name in report.only_orders)
            return [f"{text.word('balance')}: {text.word('only_orders')}: {named}"]
        return [f"{text.word('balance')}: {text.word('no_balance')}"]
    rows = [
        [
            text.word(key),
            _short(Energy(value).kwh),
            "kWh",
            *([f"{percent(value, balance.grid_mwh)} %"] if share else [""]),
        ]
        for key, value, share in (
            ("chargers", balance.chargers_mwh, False),
            ("auxiliary", balance.auxiliary_mwh, False),
            ("loss", balance.loss_mwh, False),
            ("grid", balance.grid_mwh, False),
            ("imbalance", balance.imbalance_mwh, True),
            ("tolerance", balance.tolerance_mwh, True),
        )
    ]
    verdict = text.word("within" if balance.within else "beyond")
    return [
        f"{text.word('balance')} ({balance.slots}/{report.slots_in_day} {text.word('slots')})",
        *(f"  {line}" for line in aligned(rows, right={1, 3})),
        f"  {text.word('verdict')}: {verdict}",
    ]


def _finding_lines(items: Sequence[Finding], text: Text, zone: ZoneInfo) -> list[str]:
    lines = [text.word("findings")]
    for item in items:
        evidence = item.evidence
        starts = evidence.get("slots")
        number = len(starts) if isinstance(starts, list) else 0
        span = f"{local_time(item.first_ms, zone)[11:16]}-{local_time(item.last_ms, zone)[11:16]}"
        lines.append(
            f"  [{text.word(item.severity)}] {text.word(item.kind)}: {printable(item.meter or item.station)}, "
            f"{number} {text.word('slots')} {span}, {text.word(item.state)}"
        )
        details = evidence.get("details")
        if isinstance(details, list) and details and "gateway" in details[0]:
            lines.append(f"    {text.word('gateway')}: {', '.join(sorted({each['gateway'] for each in details}))}")
        named = evidence.get("suspects") or (details if item.kind == Kind.CHARGER_ERROR else None)
        if isinstance(named, list) and named:
            shown = ", ".join(
                f"{each['meter']} {each['apparent_error_percent']:+} % (u {each['standard_uncertainty_percent']} %)"
                for each in named
            )
            lines.append(f"    {text.word('suspected')}: {shown}")
    if not items:
        lines.append(f"  {text.word('none')}")
    return lines


def _short(value: Decimal) -> str:
    return f"{value.quantize(_THREE_DECIMALS, ROUND_HALF_EVEN):f}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def aligned(rows: Sequence[Sequence[str]], right: Iterable[int]) -> list[str]:
    """Return rows as lines with aligned columns, those in `right` to the right; a Chinese character is two wide."""
    to_right = set(right)
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = []
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - _width(cell))
            cells.append(space + cell if column in to_right else cell + space)
        lines.append("  ".join(cells).rstrip())
    return lines
