"""`diantan-receiver fleet`: what the last night said of makes."""

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime

from cloud_receiver.database import reading
from cloud_receiver.estimation.due import AHEAD_MS
from cloud_receiver.estimation.fleet import store
from cloud_receiver.estimation.fleet.finding import biased
from cloud_receiver.estimation.fleet.store import MakeResult, Night
from cloud_receiver.report_text import aligned, printable
from cloud_receiver.validation.command import opened

_HEAD = (
    *("make 厂家型号", "error 误差 %", "u %", "stations 站", "operators 运营商", "chargers 桩"),
    *("flagged 超差", "of judged", "%", "finding 发现"),
)


def add_fleet(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `fleet`."""
    parser.add_argument("--json", action="store_true", help="with stations, and chargers to verify")
    parser.set_defaults(run=show)


def show(options: argparse.Namespace) -> None:
    """Show the last night."""
    with opened(options) as at:
        limit = float(at.settings.estimation.fleet.biased_percent) / 100
        with reading(at.engine) as connection:
            night = store.last_night(connection, at.now_ms + AHEAD_MS)
            makes = [] if night is None else list(store.makes_of(connection, night))
    if options.json:
        _say(json.dumps(_content(night, makes, limit), ensure_ascii=False, indent=2, allow_nan=False))
    elif night is None:
        _say(
            "no night has solved for makes yet: chargers need a `make` in the registry, and their stations an estimate"
        )
    else:
        _say("\n".join(_report(night, makes, limit)))


def _content(night: Night | None, makes: list[MakeResult], limit: float) -> dict[str, object]:
    told = []
    for one in makes:
        values = asdict(one)
        content = values.pop("content")
        values |= {"error_percent": 100 * values.pop("error"), "u_percent": 100 * values.pop("u")}
        verify = [{"station": item["station"], "meter": item["meter"]} for item in content["verify"]]
        told.append(
            values
            | {"biased": biased(one.error, one.u, limit), "at_stations": content["at_stations"], "verify": verify}
        )
    about = None if night is None else {"made_ms": night.made_ms, **night.content}
    return {"night": about, "limit_percent": 100 * limit, "makes": told}


def _report(night: Night, makes: list[MakeResult], limit: float) -> list[str]:
    made = datetime.fromtimestamp(night.made_ms / 1000, UTC)
    learnt = night.content
    spread = f"sd of makes 同型误差标准差 {learnt['cohort_sd_percent']:.3f} %"
    if learnt["operator_sd_percent"] is not None:
        spread += f", of operators' own 运营商 {learnt['operator_sd_percent']:.3f} %"
    lines = [
        f"made 生成 {made:%Y-%m-%d %H:%M} UTC: {learnt['stations']} stations 站, {learnt['makes']} makes 厂家型号",
        f"{spread}; mean of masters 总表平均误差 0 ± {2 * learnt['master_bias_percent']:.2f} % (k = 2), in every u",
        "",
        *aligned([_HEAD, *(_row(one, limit) for one in makes)], right={1, 2, 3, 4, 5, 6, 7, 8}),
    ]
    if learnt["left_out"]:
        lines += ["", f"left out, as there are too many 未计算: {', '.join(map(printable, learnt['left_out']))}"]
    for one in makes:
        if biased(one.error, one.u, limit):
            names = ", ".join(
                f"{printable(item['station'])}/{printable(item['meter'])}" for item in one.content["verify"]
            )
            lines += ["", f"{printable(one.make)}: verify three chargers 请检定三台: {names}"]
    return lines


def _row(one: MakeResult, limit: float) -> tuple[str, ...]:
    return (
        printable(one.make),
        f"{100 * one.error:+.3f}",
        f"{100 * one.u:.3f}",
        *map(str, (one.stations, one.operators, one.chargers, one.flagged, one.judged)),
        f"{100 * one.flagged / one.judged:.1f}" if one.judged else "",
        "off as a whole 整体偏差" if biased(one.error, one.u, limit) else "",
    )


def _say(words: str) -> None:
    print(words)  # noqa: T201  # a command's answer
