"""READ: a meter's values now (召测), in canonical units."""

from collections.abc import Callable, Mapping, Sequence

from agent.remote.answered import Answered, RefusedCommandError, did_you_mean, reason
from agent.remote.asking import ALL_MS, Asking, LineBusyError, ends_asking
from fieldbus.exchange import LineError
from profiles import Block, Profile
from profiles.model import CodecError
from wire.commands import Command, Outcome
from wire.domain import INT64_MAX
from wire.orders import Read
from wire.results import MeterRead


class ReadNow:
    """Asks one meter for the points of an order, request by request."""

    def __init__(
        self, asking: Asking, profiles: Mapping[str, Profile], timezone: str, now_ms: Callable[[], int]
    ) -> None:
        """`profiles` by meter; `timezone` is that of the meters' clocks."""
        self._asking = asking
        self._profiles = profiles
        self._timezone = timezone
        self._now_ms = now_ms

    async def __call__(self, command: Command) -> Answered:
        """Return the values that came, and why others did not; RefusedCommandError for an unknown meter or point."""
        order = command.order
        assert isinstance(order, Read)
        if order.meter not in self._profiles:
            hint = did_you_mean(order.meter, self._profiles)
            raise RefusedCommandError(f"there is no meter {order.meter!r}{hint}")
        values: dict[str, int] = {}
        refused: dict[str, str] = {}
        time_ms = self._now_ms()
        silence: Exception | None = None
        end = self._asking.end()
        for block in self._blocks(order):
            names = [point.name for point in block.points]
            if silence is None and self._asking.is_over(end):
                silence = LineBusyError(f"no time was left for it: the others took {ALL_MS // 1000} s")
            if silence is not None:
                refused |= dict.fromkeys(names, reason(str(silence)))
                continue
            try:
                found, time_ms = await self._asking.ask(order.meter, block)
            except (LineError, CodecError) as error:
                refused |= dict.fromkeys(names, reason(str(error)))
                silence = error if ends_asking(error) else None
                continue
            for name in names:
                if name not in found:
                    refused[name] = "the meter has no value"
                elif not -INT64_MAX <= found[name] <= INT64_MAX:
                    refused[name] = f"{str(found[name])[:40]}: no value that can travel"
                else:
                    values[name] = found[name]
        refused = {name: why for name, why in refused.items() if name not in values}
        result = MeterRead(order.meter, time_ms, values, refused)
        if values:
            return Answered(Outcome.DONE, "", result)
        text = str(silence) if silence is not None else f"no point has a value: {next(iter(refused.values()))}"
        return Answered(Outcome.FAILED, text, result)

    def _blocks(self, order: Read) -> Sequence[Block]:
        if not order.points:
            return self._asking.meter(order.meter).blocks
        profile = self._profiles[order.meter]
        if unknown := [name for name in order.points if name not in profile.points]:
            hint = did_you_mean(unknown[0], profile.points)
            raise RefusedCommandError(f"{profile.name} has no point {unknown[0]!r}{hint}")
        return profile.plan([profile.points[name] for name in dict.fromkeys(order.points)], self._timezone)
