"""What every form of the report says: about the device, the conditions, the items and the conclusion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from firmware_sim.inspection.points import Rating
from firmware_sim.inspection.result import ItemInfo, ItemResult, PointResult, Verdict
from firmware_sim.inspection.runner import conclusion

VERDICT_ZH: Final[Mapping[Verdict, str]] = {
    Verdict.PASSED: "合格",
    Verdict.FAILED: "不合格",
    Verdict.NOT_PERFORMED: "本台未做",
    Verdict.SKIPPED: "未检",
    Verdict.ERROR: "检验台故障",
}
GROUPS: Final[Mapping[str, tuple[str, str]]] = {
    "electricity": ("Electricity", "电能计量"),
    "metering": ("Carbon metering", "电碳计量"),
    "function": ("Functions", "功能"),
    "communication": ("Communication", "通信"),
    "robustness": ("Robustness", "稳健性"),
    "laboratory": ("Laboratory", "试验室项目"),
}
"""Headings in the order of the report: English, Chinese."""

KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "factory": ("Factory inspection", "出厂检验"),
    "type": ("Type inspection", "型式检验"),
}

ALL_FACTORS: Final = "all"  # of a reading over a whole sequence of factors


def volts(voltage_mv: int) -> str:
    """Return a voltage for people: 220 V."""
    return f"{voltage_mv / 1000:g} V"


def amperes(current_ma: int) -> str:
    """Return a current for people: 0.25 A."""
    return f"{current_ma / 1000:g} A"


@dataclass(frozen=True, slots=True)
class Environment:
    """Ambient conditions as they were entered, texts; T/CIMA 0079.4 table 1 (one source) names their ranges."""

    temperature: str = ""  # 23 ± 2 °C
    humidity: str = ""  # 45 to 75 %
    voltage_deviation: str = ""  # ± 1 %
    frequency_deviation: str = ""  # ± 0.3 %
    remarks: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """The device (样品) and who inspects it; texts as they were entered."""

    number: str  # of the report
    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    inspector: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A finished, or interrupted, inspection."""

    kind: str  # a key of KINDS
    subject: Subject
    environment: Environment
    rating: Rating
    timezone: str
    items: Sequence[ItemInfo]  # all, also those that were not asked for
    results: Mapping[str, ItemResult]
    equipment: Mapping[str, str] = field(default_factory=dict)  # source, standard, line: what was used
    limits: str = ""
    program: str = ""
    begun_ms: int = 0
    ended_ms: int = 0
    whole: bool = True  # every item was asked for, with the standard's load points
    asked: frozenset[str] | None = None  # the items that were asked for; None: all if `whole`, else those with a result
    finished: Mapping[str, Sequence[PointResult]] = field(default_factory=dict)  # points of items that did not end

    @property
    def verdict(self) -> Verdict:
        """Return the conclusion over the items that were performed; none while some were asked for and not reached."""
        found = conclusion([self.of(info) for info in self.items])
        return Verdict.ERROR if found is Verdict.PASSED and self.unreached else found

    @property
    def headline(self) -> tuple[str, str]:
        """Return the conclusion in a word or two, English and Chinese; an interruption is no fault of the bench."""
        verdict = self.verdict
        if verdict is Verdict.ERROR and not self.counted()[Verdict.ERROR]:
            return "no conclusion", "无结论"
        return verdict.value, VERDICT_ZH[verdict]

    @property
    def unreached(self) -> list[ItemInfo]:
        """Return the items that were asked for and have no result: the inspection was interrupted before them."""
        return [info for info in self.items if info.id not in self.results and self._is_asked(info)]

    def _is_asked(self, info: ItemInfo) -> bool:
        if info.group == "laboratory":
            return False
        return self.whole if self.asked is None else info.id in self.asked

    def of(self, info: ItemInfo) -> ItemResult:
        """Return an item's result; SKIPPED, or NOT_PERFORMED for one of a laboratory, where there is none.

        An item that broke off has the load points that were finished before, and no conclusion from them.
        """
        points = tuple(self.finished.get(info.id, ()))
        found = self.results.get(info.id)
        if found is not None:
            return found if found.points else replace(found, points=points)
        verdict = Verdict.NOT_PERFORMED if info.group == "laboratory" else Verdict.SKIPPED
        note = "not reached 未检至此项" if self._is_asked(info) else "not asked for 未要求"
        note = "" if verdict is Verdict.NOT_PERFORMED else note
        if points:
            note = f"interrupted after {len(points)} results 检验中断，已得 {len(points)} 个结果"
        return ItemResult(info.id, verdict, self.begun_ms, self.begun_ms, points=points, note=note)

    def counted(self) -> dict[Verdict, int]:
        """Return how many items came to each verdict."""
        found = [self.of(info).verdict for info in self.items]
        return {verdict: found.count(verdict) for verdict in Verdict}

    def moment(self, time_ms: int) -> str:
        """Return an instant in the plan's zone."""
        return datetime.fromtimestamp(time_ms // 1000, ZoneInfo(self.timezone)).isoformat(" ", "seconds")

    def summary(self) -> tuple[str, str]:
        """Return the conclusion as a sentence, English and Chinese; it never says more than was performed."""
        counts = self.counted()
        performed = counts[Verdict.PASSED] + counts[Verdict.FAILED]
        partial = "" if self.whole else " Only part of the inspection was asked for."
        partial_zh = "" if self.whole else "仅进行了部分检验。"
        match self.verdict:
            case Verdict.PASSED:
                said = f"All {performed} performed items conform.", f"所做 {performed} 项检验全部合格。"
            case Verdict.FAILED:
                failed = counts[Verdict.FAILED]
                said = (
                    f"{failed} of {performed} performed items do not conform.",
                    f"所做 {performed} 项检验中 {failed} 项不合格。",
                )
            case _:
                said = "The inspection could not be completed: no conclusion.", "检验未能完成，不作结论。"
        left = counts[Verdict.NOT_PERFORMED] + counts[Verdict.SKIPPED]
        if self.unreached:
            partial = f" It was interrupted before {len(self.unreached)} of them.{partial}"
            partial_zh = f"其中 {len(self.unreached)} 项因检验中断未做。{partial_zh}"
        return f"{said[0]} {left} items were not performed.{partial}", f"{said[1]}{left} 项未做。{partial_zh}"


Curve = tuple[str, str, int]
"""Load condition, power factor and voltage (mV) of one diagram."""


def curves(points: Sequence[PointResult], *, by: str) -> dict[Curve, dict[str, list[tuple[int, str, str]]]]:
    """Return error curves: by condition and within it by carbon factor the points of one comparison.

    Each is (current in mA, mean error in %, limit in %), currents rising; a point whose readings have no current of
    their own is left out.
    """
    found: dict[Curve, dict[str, list[tuple[int, str, str]]]] = {}
    for point in points:
        if not point.readings or point.readings[0].by != by:
            continue
        first = point.readings[0]
        lines = found.setdefault((first.balance, first.power_factor, first.voltage_mv), {})
        lines.setdefault(first.factor, []).append((first.current_ma, point.mean_percent, point.limit_percent))
    return {place: {factor: sorted(line) for factor, line in lines.items()} for place, lines in found.items()}
