"""The tables of docs/estimation.md, as they stand there."""

from bench.estimation import judge
from bench.estimation.judge import Figures
from bench.estimation.scenarios import SCENARIOS

LEAST = {"own": "own errors", "gain": "gain", "branch": "branches", "drop": "drop", "curve": "load", "noise": "noise"}


def tables(found: dict[str, Figures]) -> list[str]:
    """Return the tables of the rows that were run, one after another."""
    return [table for table in (_rows(found), _branches(found), _least(found)) if table]


def _table(columns: str, rows: list[list[str]]) -> str:
    if not rows:
        return ""
    rule = "---|" * len(columns.split(" | "))
    return "\n".join([f"| {columns} |", f"|{rule}", *(f"| {' | '.join(row)} |" for row in rows)])


def _rows(found: dict[str, Figures]) -> str:
    columns = (
        "row | conditions | MAE (target) | OLS / centred | RMSE | found | OLS | false | OLS | guarded: found / false | "
        "coverage | common / stated"
    )
    return _table(columns, [_row(name, each) for name, each in found.items()])


def _row(name: str, found: Figures) -> list[str]:
    scenario = SCENARIOS[name]
    broken = judge.missed(scenario, found)

    def marked(rule: str, value: float, digits: int) -> str:
        text = f"{100 * value:.{digits}f}"
        return f"**{text}**" if rule in broken else text

    return [
        name,
        scenario.says,
        f"{marked('MAE', found.mae, 3)} ({100 * scenario.mae:.2f})",
        f"{100 * found.squares_mae:.2f} / {100 * found.centred_mae:.2f}",
        marked("RMSE", found.rmse, 3),
        f"{marked('detection', found.detected, 2)} ± {100 * found.detected_error:.1f}",
        f"{100 * found.squares_detected:.1f}",
        marked("false alarms", found.false_alarms, 2),
        f"{100 * found.squares_false_alarms:.2f}",
        f"{100 * found.guarded[0]:.1f} / {100 * found.guarded[1]:.2f}",
        f"{marked('coverage', found.coverage, 1)} ± {100 * found.coverage_error:.1f}",
        f"{100 * found.common[0]:.3f} / {100 * found.common[1]:.3f}",
    ]


def _branches(found: dict[str, Figures]) -> str:
    columns = (
        "row | measured | off, rms | off, median | stated | coverage | OLS beside the master | OLS beside chargers of "
        "known phase"
    )
    rows = [
        [name, *(f"{100 * value:.1f}" for value in (
            held.share, held.off, held.middle, held.stated, held.coverage, held.ordinary, held.panel
        ))]
        for name, each in found.items()
        if (held := each.known) is not None
    ]  # fmt: skip
    return _table(columns, rows)


def _least(found: dict[str, Figures]) -> str:
    rows = [
        [
            name,
            *(f"{100 * value:.3f}" for value in (each.mae, held.mae, each.rmse, held.rmse)),
            *(f"{100 * held.part(part):.3f}" for part in LEAST),
        ]
        for name, each in found.items()
        if (held := each.least) is not None
    ]
    parts = " | ".join(LEAST.values())
    return _table(f"row | MAE reached | least MAE | RMSE reached | least RMSE | of which {parts}", rows)
