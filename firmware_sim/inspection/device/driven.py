"""The load of a simulated meter that a laboratory's own command sets, or a person, over the control socket."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator

from clock import Clock
from firmware_sim.faults.book import FaultBook
from firmware_sim.faults.control import Control, Json
from firmware_sim.faults.meter import FaultyMeter
from firmware_sim.inspection.points import PPM, Balance, Character, LoadPoint, Rating
from firmware_sim.terminals import Terminals, circuit_of
from settings.problems import lines_of
from settings.values import Exact, Flag, Section, Whole

_MILLI: Final = 1000
_MOST: Final = 10**6  # V, A

Text = BeforeValidator(str)


class Load(Section):
    """What a source gives, in the words of the command source (parts.driven.NAMES); what is absent is as rated."""

    action: Literal["set", "off", "cut", "restore"] = "set"
    voltage_v: Annotated[Exact, Field(gt=0, le=_MOST)] | None = None
    current_a: Annotated[Exact, Field(ge=0, le=_MOST)] = Decimal(0)
    power_factor: Annotated[Exact, Field(gt=0, le=1)] = Decimal(1)
    character: Annotated[Character, Text] = Character.UNITY
    balance: Balance = Balance.BALANCED
    phases: Whole | None = None
    frequency_hz: Annotated[Exact, Field(gt=0, le=_MOST)] | None = None
    reverse: Flag = False
    power_w: Exact | None = None  # follows from the others

    @field_validator("voltage_v", "current_a", "frequency_hz")
    @classmethod
    def _is_whole(cls, value: Decimal | None) -> Decimal | None:
        if value is not None and value * _MILLI % 1:
            raise ValueError("expected at most three decimals")
        return value

    def point(self, rating: Rating) -> LoadPoint:
        """Return the load point; ValueError for another number of phases than the meter has."""
        if self.phases not in (None, rating.phases):
            raise ValueError(f"phases: expected {rating.phases}, as the meter has, got {self.phases}")
        return LoadPoint(
            rating.voltage_mv if self.voltage_v is None else int(self.voltage_v * _MILLI),
            int(self.current_a * _MILLI) if self.action != "off" else 0,
            int(self.power_factor * PPM),
            self.character,
            self.balance,
            rating.phases,
            rating.frequency_mhz if self.frequency_hz is None else int(self.frequency_hz * _MILLI),
            self.reverse,
        )


class Driven:
    """A meter on terminals that are set while time goes on; others may be on the same load (`watching`)."""

    def __init__(
        self, rating: Rating, terminals: Terminals, meter: FaultyMeter, watching: Sequence[FaultyMeter], clock: Clock
    ) -> None:
        self._rating = rating
        self._terminals = terminals
        self._meter = meter
        self._all = (meter, *watching)
        self._clock = clock
        self._last_ms = clock.now_ms()
        self._point: LoadPoint | None = None

    def take(self, load: Load) -> None:
        """Let the load be another from now on; ValueError for one that can't be."""
        if load.action in ("set", "off"):
            if not self._meter.meter.powered:
                raise ValueError("action: expected restore first: the supply is cut")
            self._point = load.point(self._rating)
            self._put(self._point)
        elif load.action == "cut":
            self._meter.meter.cut(self._now_ms())
            self._put(None)
        else:
            self._meter.meter.restore(self._now_ms())
            self._put(self._point)

    def _put(self, point: LoadPoint | None) -> None:
        now_ms = self._now_ms()
        if point is not None:
            for faulty in self._all:
                faulty.meter.set_circuit(now_ms, circuit_of(point))
        self._terminals.set(now_ms, point)

    def _now_ms(self) -> int:
        """Bring the meters to now; a system clock that was set back does not take them with it."""
        self._last_ms = max(self._last_ms, self._clock.now_ms())
        for faulty in self._all:
            faulty.advance(self._last_ms)
        return self._last_ms


class LoadControl(Control):
    """The control socket of a simulator (faults.control) that also takes `{"do": "load", "load": {...}}`."""

    def __init__(self, book: FaultBook, clock: Clock, driven: Driven, meters: Mapping[str, FaultyMeter]) -> None:
        def changed(names: Sequence[str], now_ms: int) -> None:
            for name in names:
                meters[name].advance(now_ms)

        super().__init__(book, clock, changed)
        self._driven = driven

    def answer(self, line: bytes) -> Json:
        """Return the answer to one request."""
        try:
            request = json.loads(line, parse_float=Decimal)
        except (ValueError, RecursionError):
            return super().answer(line)
        if not isinstance(request, dict) or request.get("do") != "load":
            return super().answer(line)
        document = request.get("load")
        try:
            self._driven.take(Load.model_validate(document))
        except ValidationError as error:
            problems = lines_of(document, error, Load)
        except ValueError as error:
            problems = [str(error)]
        else:
            return {"ok": True}
        split = [problem.partition(": ") for problem in problems]
        return {
            "ok": False,
            "error": "load",
            "problems": [{"key": f"load.{key}", "text": text} for key, _, text in split],
        }
