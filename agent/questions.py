"""Questions (召测) to a line's meters: what a command of the centre asks now, one request at a time.

A person waits for the answer, so a question goes before errands and is put to a silent meter too. It takes idle time
whenever it fits, else a share of the line's time of its own (agent.spare), and never delays the readings that close an
interval.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent.line_meter import LineMeter
from agent.spare import Allowance
from clock import Clock
from fieldbus.exchange import LineError
from profiles import Block
from profiles.model import CodecError

Answer = tuple[Mapping[str, int], int]
"""Values by point in canonical units, and when they came (ms UTC)."""


@dataclass(slots=True, eq=False)
class Question:
    """One request; `answer` raises LineError or CodecError. Whoever waits no longer cancels it."""

    meter: LineMeter
    block: Block
    answer: "asyncio.Future[Answer]"
    begun: bool = False


class Questions:
    """The questions of one line, answered in the order of asking."""

    def __init__(
        self, meters: Sequence[LineMeter], clock: Clock, now_ms: Callable[[], int], allowance: Allowance
    ) -> None:
        self._meters = {meter.id: meter for meter in meters}
        self._clock = clock
        self._now_ms = now_ms
        self._allowance = allowance
        self._waiting: deque[Question] = deque()

    def ask(self, meter: str, block: Block) -> Question:
        """Add a question to a meter by its id; KeyError when it is not on this line."""
        question = Question(self._meters[meter], block, asyncio.get_running_loop().create_future())
        # Whoever was cancelled looks at no outcome, and shall not be told of it by the garbage collector.
        question.answer.add_done_callback(_retrieved)
        self._waiting.append(question)
        return question

    def waiting(self) -> Question | None:
        """Return the question whose turn it is; None when there is none."""
        while self._waiting and self._waiting[0].answer.done():
            self._waiting.popleft()  # nobody waits for it any more
        return self._waiting[0] if self._waiting else None

    async def read(self) -> Question:
        """Ask what has waited longest, and tell the answer; return the question."""
        question = self._waiting.popleft()
        question.begun = True
        began = self._clock.monotonic_ms()
        try:
            data = await question.meter.driver.read(question.meter.address, question.block)
            values = question.block.decode(data)
        except (LineError, CodecError) as error:
            refuse(question, error)
        else:
            if not question.answer.done():
                question.answer.set_result((values, self._now_ms()))
        finally:
            self._allowance.spend(began, self._clock.monotonic_ms())
            refuse(question, LineError("the line stopped in the middle of it"))
        return question

    def give_up(self, error: LineError) -> None:
        """Tell everybody who waits that there is no answer."""
        while self._waiting:
            refuse(self._waiting.popleft(), error)


def refuse(question: Question, error: Exception) -> None:
    """Answer with an error, unless there is an answer or nobody waits."""
    if not question.answer.done():
        question.answer.set_exception(error)


def _retrieved(answer: "asyncio.Future[Answer]") -> None:
    if not answer.cancelled():
        answer.exception()
