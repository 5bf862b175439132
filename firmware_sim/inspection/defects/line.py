"""Defects of communication (通信): what the firmware hears, and answers, on its line."""

# ruff: noqa: D102 - what a replaced method does is what its class says

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from weakref import WeakSet

from firmware_sim.faces.base import Answer
from firmware_sim.faces.build import FaceBuilder
from firmware_sim.faces.modbus import ModbusFace, ModbusMeter
from firmware_sim.faces.modbus_requests import MbapRequests, Request, RtuRequests
from firmware_sim.inspection.defects.defect import Conditions, Defect

_GARBAGE: Final = "robustness.line-garbage"
_FOREIGN: Final = "robustness.line-foreign"
_HUNG: Final[WeakSet[ModbusMeter]] = WeakSet()


class AnyUnitFace(ModbusFace):
    """Answers whatever unit is asked, as if it were its own."""

    def _answer(self, request: Request, now_ms: int) -> Sequence[Answer]:
        own = next(iter(self._names))
        return super()._answer(replace(request, unit=own), now_ms)


class AnyUnit(FaceBuilder):
    """Meters without an address."""

    modbus_face = AnyUnitFace


class UncheckedRequests(RtuRequests):
    """Doesn't look at the check."""

    def _is_whole(self, frame: bytes) -> bool:
        return True


class UncheckedFace(ModbusFace):
    """Takes frames as they come."""

    rtu = UncheckedRequests


class Unchecked(FaceBuilder):
    """Meters that take frames with a wrong check."""

    modbus_face = UncheckedFace


class HangingRequests(MbapRequests):
    """Knows when it was fed what is no request."""

    hung = False

    def feed(self, data: bytes) -> list[Request]:
        found = super().feed(data)
        self.hung |= bool(data) and not found and self.hangs(bytes(self._buffer))
        return found

    def hangs(self, left: bytes) -> bool:
        """Return whether the firmware hangs when it was fed no request and this is left: it was garbage."""
        return not left


class HangingFace(ModbusFace):
    """Says nothing any more after what was no request, on no connection."""

    mbap = HangingRequests

    def feed(self, data: bytes, now_ms: int) -> Sequence[Answer]:
        answers = super().feed(data, now_ms)
        meters = self._meters.values()
        if isinstance(self._requests, HangingRequests) and self._requests.hung:
            _HUNG.update(meters)
        return () if any(meter in _HUNG for meter in meters) else answers


class Hanging(FaceBuilder):
    """Meters that hang after garbage."""

    modbus_face = HangingFace


class WaitingRequests(HangingRequests):
    """Waits for the rest of a frame."""

    def hangs(self, left: bytes) -> bool:
        return bool(left)


class WaitingFace(HangingFace):
    """Has one receiver for all connections, which waits without end."""

    mbap = WaitingRequests


class Waiting(FaceBuilder):
    """Meters that hang after part of a frame."""

    modbus_face = WaitingFace


DEFECTS: Final = (
    Defect(
        "foreign-answered",
        "Answers to a foreign unit",
        "响应他机地址",
        "The unit of a request is not compared with the meter's own.",
        _FOREIGN,
        faces=AnyUnit,
    ),
    Defect(
        "check-ignored",
        "Accepts frames with a wrong check",
        "接受校验错误的帧",
        "The check of a frame is received and not compared.",
        "robustness.line-checks",
        faces=Unchecked,
        conditions=Conditions(transport="tcp"),
    ),
    Defect(
        "hangs-after-garbage",
        "Stops answering after garbage",
        "收到乱码后停止响应",
        "The receiver's error state is left by nothing but a restart.",
        _GARBAGE,
        faces=Hanging,
    ),
    Defect(
        "hangs-after-part",
        "Stops answering after part of a frame",
        "收到残缺帧后停止响应",
        "The receiver waits for the rest of a frame without a time-out.",
        "robustness.line-truncated",
        faces=Waiting,
    ),
)
