"""The record (原始记录) of a run, written as it goes: one line of JSON a finished load point or item.

An interrupted run goes on from it. A line that was being written when the power went is dropped; the file is never
rewritten.
"""

import dataclasses
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from firmware_sim.inspection.result import ItemResult, PointResult, Reading, Step, Verdict

if sys.platform != "win32":
    import fcntl

FORMAT: Final = 1


class StoreError(ValueError):
    """The record can't be used; the text names the file and says why."""


class Record:
    """A run's results, of the plan whose digest is given; nobody else writes to them meanwhile."""

    def __init__(self, path: Path, plan: str, begun_ms: int = 0) -> None:
        """Open the record, or begin one at `begun_ms`; StoreError for one of another plan or form, or in use; OSError.

        The attribute `begun_ms` says when it was begun, however often it was gone on with. One of another plan in which
        nothing was measured yet is begun anew: that plan could not be used, and has been put right since.
        """
        self.path = path
        self.begun_ms = begun_ms
        self._plan = plan
        self.items: dict[str, ItemResult] = {}
        self.points: dict[str, dict[str, PointResult]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        try:
            _lock(self._file, path)
            whole = self._load(plan)
            self._file.truncate(whole)
            if not whole:
                self._write({"format": FORMAT, "plan": plan, "begun_ms": begun_ms})
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def point(self, item: str, result: PointResult) -> None:
        """Keep a finished load point."""
        self.points.setdefault(item, {})[result.key] = result
        self._write({"point": item, **_plain(result)})

    def item(self, result: ItemResult) -> None:
        """Keep a finished item; the last word on it counts."""
        self.items[result.id] = result
        self._write({"item": result.id, **_plain(result)})

    def known(self, item: str) -> Mapping[str, PointResult]:
        """Return the load points of an item that need not be measured again."""
        return self.points.get(item, {})

    def _write(self, entry: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _load(self, plan: str) -> int:
        """Read what is there; return how many bytes of it are whole lines to go on with."""
        whole, begun_ms = 0, self.begun_ms
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                self._take(number, line)
                whole += len(line)
        if not whole or self._plan == plan:
            return whole
        if self.points or any(result.verdict is not Verdict.ERROR for result in self.items.values()):
            raise StoreError(
                f"{self.path}: is the record of another plan, or the plan has changed since; --anew sets it aside"
            )
        self.items, self.begun_ms = {}, begun_ms
        return 0

    def _take(self, number: int, line: bytes) -> None:
        try:
            entry = json.loads(line)
            if number == 1:
                self._take_head(entry)
            elif "point" in entry:
                item = entry.pop("point")
                result = _point(entry)
                self.points.setdefault(item, {})[result.key] = result
            else:
                del entry["item"]
                result_of_item = _item(entry)
                self.items[result_of_item.id] = result_of_item
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StoreError(f"{self.path}: line {number} is not one of a record of inspection: {error}") from error

    def _take_head(self, entry: Mapping[str, Any]) -> None:
        if entry["format"] != FORMAT:
            raise ValueError(f"expected a record of form {FORMAT}, got {entry['format']!r:.20}")
        self._plan = entry["plan"]
        self.begun_ms = int(entry.get("begun_ms", self.begun_ms))


def set_aside(path: Path) -> None:
    """Rename a former record, if there is one, as readings are never thrown away; StoreError while in use, OSError."""
    if not path.exists():
        return
    with path.open("ab") as file:
        _lock(file, path)
        number = 1
        while (other := path.with_name(f"{path.stem}-{number}{path.suffix}")).exists():
            number += 1
        path.rename(other)


def _lock(file: BinaryIO, path: Path) -> None:
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{path}: another inspection is writing to it") from None


def _plain(result: PointResult | ItemResult) -> dict[str, Any]:
    return dataclasses.asdict(result)


def _point(fields: dict[str, Any]) -> PointResult:
    return PointResult(**{**fields, "readings": tuple(Reading(**reading) for reading in fields["readings"])})


def _item(fields: dict[str, Any]) -> ItemResult:
    return ItemResult(
        **{
            **fields,
            "verdict": Verdict(fields["verdict"]),
            "steps": tuple(Step(**step) for step in fields["steps"]),
            "points": tuple(_point(point) for point in fields["points"]),
        }
    )
