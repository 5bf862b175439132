"""The faces of a line's meters, one for each protocol that is spoken on it: the one place that knows them all."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from firmware_sim.faces.base import Face, Values
from firmware_sim.faces.dlt645 import Dlt645Face, MeterMemory
from firmware_sim.faces.dlt698 import Dlt698Face
from firmware_sim.faces.modbus import ModbusFace, ModbusMeter
from firmware_sim.faults.meter import FaultyMeter
from firmware_sim.layout import Layout
from firmware_sim.places import LinePlan, Member
from firmware_sim.registers import RegisterMap
from profiles import Profile

NewFaces = Callable[[], Sequence[Face]]


class FaceBuilder:
    """Makes faces; meters of the same model share the layout of their registers."""

    modbus_face = ModbusFace  # for firmware with a defect to replace

    def __init__(self, meters: Mapping[str, FaultyMeter], timezone: str) -> None:
        self._meters = meters
        self._timezone = timezone
        self._layouts: dict[int, Layout] = {}

    def of(self, plan: LinePlan) -> NewFaces:
        """Return what makes the faces of each new connection to a line."""
        kinds = {"modbus": self._modbus, "dlt645": self._dlt645, "dlt698": self._dlt698}
        protocols = dict.fromkeys(member.served.profile.protocol for member in plan.members)
        makers = [
            kinds[protocol](plan, [member for member in plan.members if member.served.profile.protocol == protocol])
            for protocol in protocols
        ]
        return lambda: [maker() for maker in makers]

    def _modbus(self, plan: LinePlan, members: Sequence[Member]) -> Callable[[], Face]:
        meters = {}
        for member in members:
            assert isinstance(member.address, int)
            values = self._meters[member.served.section.id]
            profile = member.served.profile
            layout = self._layouts.setdefault(id(profile), Layout(profile))
            registers = RegisterMap(values, layout, values.swapped, values.order_row, self._timezone)
            meters[member.served.section.id] = ModbusMeter(member.address, registers)
        return partial(
            self.modbus_face,
            meters,
            framing="tcp" if plan.section.transport == "modbus-tcp" else "rtu",
            absent="exception" if plan.section.answers_for_absent else "silent",
        )

    def _dlt645(self, plan: LinePlan, members: Sequence[Member]) -> Callable[[], Face]:
        # What a meter was told outlives the connection; on a line that has a speed it hears no other one.
        memory: dict[str, MeterMemory] = {}
        has_speed = plan.section.timed or plan.section.transport == "serial"
        rate = plan.section.baud if has_speed else None
        return partial(Dlt645Face, self._of(members), self._timezone, memory=memory, rate=rate)

    def _dlt698(self, plan: LinePlan, members: Sequence[Member]) -> Callable[[], Face]:
        return partial(Dlt698Face, self._of(members), self._timezone, plan.section.heartbeat_seconds)

    def _of(self, members: Sequence[Member]) -> dict[str, tuple[str, Profile, Values]]:
        return {
            member.served.section.id: (
                str(member.address),
                member.served.profile,
                self._meters[member.served.section.id],
            )
            for member in members
        }


Faces = Callable[[Mapping[str, FaultyMeter], str], FaceBuilder]
"""What makes them, of the meters by their ids and the time zone."""
