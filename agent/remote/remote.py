"""Commands from the centre (主站命令), put together: who believes them, who does them, who answers."""

from typing import TYPE_CHECKING

from agent.config_file import Loaded
from agent.remote.answer import Answerer
from agent.remote.answered import Answered
from agent.remote.asking import Asking
from agent.remote.believe import CentreTime
from agent.remote.configure import Configuring
from agent.remote.day import DayReader
from agent.remote.figures import Status
from agent.remote.frozen import MeterRows
from agent.remote.read_now import ReadNow
from agent.remote.resend import ResendRecords
from clock import Clock
from wire.commands import Outcome
from wire.envelope import KeyRing, Signer
from wire.orders import Verb
from wire.records import ClockState
from wire.results import ConfigurationState

if TYPE_CHECKING:
    from agent.gateway import Gateway

_INTERRUPTED = Answered(Outcome.FAILED, "interrupted by a restart")


class Remote:
    """What a gateway does for the centre."""

    def __init__(self, gateway: "Gateway", loaded: Loaded, clock: Clock, signer: Signer, centre: KeyRing) -> None:
        """Begin when all other parts of the gateway are there."""
        config, writer, now_ms = gateway.config, gateway.writer, gateway.time.now_ms
        zone = config.gateway.timezone
        self._configurator = gateway.configurator
        self.time = CentreTime(
            writer.journal.header.centre_ms,
            now_ms,
            trusted=lambda: gateway.time.state == ClockState.SYNCHRONISED and not gateway.time.doubtful,
            note=writer.note_centre_time,
            since_ms=writer.journal.header.created_ms,
        )
        gateway.uplink.on_centre_time = gateway.factors.on_centre_time = self.time.heard
        asking = Asking(gateway.lines, clock)
        rows = MeterRows(asking, loaded.profiles, zone, now_ms)
        self.answerer = Answerer(
            config.gateway.id,
            {
                Verb.READ: ReadNow(asking, loaded.profiles, zone, now_ms),
                Verb.READ_DAY: DayReader(writer, asking, rows, zone, now_ms=now_ms),
                Verb.RESEND: ResendRecords(gateway.uplink, writer),
                Verb.STATUS: Status(gateway, clock, lambda: self.answerer.counts),
                Verb.CONFIGURE: Configuring(self._configurator),
            },
            writer,
            gateway.link,
            signer=signer,
            centre=centre,
            clock=clock,
            now_ms=now_ms,
            time=self.time,
        )
        self.topic = self.answerer.topic
        self._former = set(self.answerer.unfinished)  # begun by a run before this one

    def message(self, topic: str, envelope: bytes) -> bool:
        """Take a message from the command topic; return whether it is believed."""
        return self.answerer.message(topic, envelope)

    def connected(self) -> None:
        """Look again: the link is (back) up."""
        self.answerer.connected()

    async def run(self) -> None:
        """Answer until cancelled, first what a former run left; JournalError when the journal is damaged."""
        if self._configurator is not None:
            self._configurator.on_pending = lambda: self.answerer.start(self._settle())
        self.answerer.start(self._settle())
        await self.answerer.run()

    async def _settle(self) -> None:
        """Tell how a configuration on trial ended, and that the rest of what a former run began was interrupted."""
        on_trial = False
        if (configurator := self._configurator) is not None:
            if (pending := configurator.pending) is not None:
                answered = Answered(pending.outcome, pending.text, pending.configuration)
                self._former.discard(pending.command)
                # If not now, the next run finds it pending again.
                if self.answerer.is_answered(pending.command) or await self.answerer.finish(pending.command, answered):
                    configurator.told()
            on_trial = (await configurator.show()).state is ConfigurationState.ON_TRIAL
        for command, verb in self.answerer.unfinished.items():
            # Which of several orders is on trial shows when the trial is over.
            if command in self._former and not (on_trial and verb == Verb.CONFIGURE):
                self._former.discard(command)
                await self.answerer.finish(command, _INTERRUPTED)
