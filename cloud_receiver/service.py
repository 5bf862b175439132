"""The receiver process: intake, dispatch, commands and checks on one event loop, until it is told to stop."""

import asyncio
import logging
import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from clock import Clock
from cloud_receiver import database, meters
from cloud_receiver.broker_config import Broker
from cloud_receiver.checks.load import stations_by_node
from cloud_receiver.checks.runner import Runner
from cloud_receiver.config import Settings
from cloud_receiver.dispatch import Dispatcher
from cloud_receiver.estimation.due import offset_ms
from cloud_receiver.estimation.night import Nights
from cloud_receiver.estimation.processes import Processes
from cloud_receiver.estimation.retention import Retention
from cloud_receiver.grid.config import Grid
from cloud_receiver.grid.notices import Noticed
from cloud_receiver.grid.service.figures import Hooks
from cloud_receiver.grid.service.runner import GridService
from cloud_receiver.intake import Intake
from cloud_receiver.levels.service import Levels
from cloud_receiver.metrics import ReceiverMetrics
from cloud_receiver.orders.outbox import Outbox
from cloud_receiver.registry import Registry
from cloud_receiver.watchdog import LifeSigns
from settings.errors import ConfigError
from supervision.systemd import READY, STOPPING, Notifier, feed
from wire import topics
from wire.envelope import Signer
from wire.keys import load_private
from wire.link import Link, LinkSettings, Received

if TYPE_CHECKING:
    from cloud_receiver.api.server import Api
    from cloud_receiver.metered_import.settling import Settling
    from cloud_receiver.metered_import.wish import Surroundings as Importing

log = logging.getLogger(__name__)

SUMMARY_S = 60.0


def prepare(settings: Settings, registry: Registry) -> Engine:
    """Open the store, bring its schema up to date and enter the registry."""
    engine = database.open_store(settings.centre.database, settings.centre.data_dir)
    if not database.is_current(engine):
        before, now = database.upgrade(engine)
        if before is None:
            # Of a store that it has just made a command would say that nothing is wrong.
            log.warning("store: there was none, a new one is made: %s", engine.url.render_as_string(hide_password=True))
        else:
            log.warning("store: schema brought from %s to %s", before, now)
    for warning in database.warnings(engine):
        log.warning("store: %s", warning)
    with database.reading(engine) as connection:
        entered = meters.is_entered(connection, registry)
    if not entered:
        with database.writing(engine) as connection:
            meters.enter_registry(connection, registry)
    return engine


def link_settings(broker: Broker) -> LinkSettings:
    """Return the link's settings: the session outlives the receiver, so the broker keeps what comes meanwhile."""
    return LinkSettings(
        host=broker.host,
        port=broker.port,
        client_id=broker.client_id,
        username=broker.username,
        password_file=broker.password_file,
        ca_file=broker.ca_file,
        cert_file=broker.cert_file,
        key_file=broker.key_file,
        keepalive_s=broker.keepalive_s,
        protocol=broker.protocol,
        clean_start=False,
        session_expiry_s=broker.session_expiry_s,
    )


class Service:
    """A receiver; `run` ends after `stop`. `nights`: how a process is started that makes nights of error estimation."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        clock: Clock,
        engine: Engine,
        notifier: Notifier | None = None,
        *,
        nights: Sequence[str] = (),
    ) -> None:
        self._settings = settings
        self._clock = clock
        signer = Signer(load_private(settings.centre.key_file))
        # The link calls back only after it was started, when everything below exists.
        self._link = Link(
            link_settings(settings.broker),
            clock,
            on_message=self._received,
            on_connect=self._connected,
        )
        self._outbox = Outbox(engine, self._link, clock)
        self._intake = Intake(
            *(engine, signer, self._link, clock, settings.intake),
            on_status=self._outbox.heard,
            noticed=Noticed(registry),
        )
        with database.reading(engine) as connection:
            stations = stations_by_node(connection, registry)
        self._dispatcher = self._make_dispatcher(stations, engine, signer) if settings.dispatch else None
        self._grid = self._make_grid(registry, stations, engine, signer) if settings.grid else None
        self._levels = self._make_levels(registry, engine, signer)
        self._runner = Runner(
            *(engine, registry, clock, settings.checks, lambda: self._intake.backlog),
            validation=settings.validation,
            sales=settings.sales,
        )
        self._nights = (
            Processes(engine, count, nights)
            if (count := settings.estimation.processes)
            else Nights(engine, registry, clock, settings.estimation, lambda: self._intake.backlog)
        )
        keep_days = settings.estimation.voltage_keep_days
        self._retention = Retention(engine, clock, keep_days, lambda: self._intake.backlog)
        self._metrics = ReceiverMetrics(
            *(settings.metrics, engine, self._intake, self._dispatcher, lambda: self._link.connected),
            outbox=self._outbox,
            now_ms=clock.now_ms,
            grid=self._grid,
            night_ms=offset_ms(settings.estimation),
        )
        imports = self._imports(engine, registry)
        self._settling = self._make_settling(imports)
        self._api = None if settings.api.port is None else self._make_api(engine, registry, imports)
        self._notifier = notifier or Notifier()
        self._stop = asyncio.Event()

    def _imports(self, engine: Engine, registry: Registry) -> "Importing":
        # What imports is for receivers that run: commands that prepare the store start sooner.
        from cloud_receiver.metered_import.wish import Surroundings as Importing  # noqa: PLC0415  # see above

        centre = self._settings.centre
        return Importing(
            *(engine, registry, self._clock, self._settings.intake),
            data_dir=centre.data_dir,
            key=load_private(centre.key_file),
        )

    def _make_settling(self, imports: "Importing") -> "Settling":
        from cloud_receiver.metered_import.settling import Settling  # noqa: PLC0415  # likewise

        return Settling(imports, lambda: self._intake.backlog)

    def _make_api(self, engine: Engine, registry: Registry, imports: "Importing") -> "Api":
        # Its library is for receivers that serve it: all commands start sooner.
        from cloud_receiver.api.server import Api, Surroundings  # noqa: PLC0415  # see above

        settings, grid = self._settings, self._settings.grid or Grid()
        around = Surroundings(
            *(engine, self._clock.now_ms, settings.centre.name),
            zone=grid.timezone,
            max_factor=float(grid.max_factor),
            registry=registry,
            imports=imports,
        )
        return Api(settings.api, around)

    def _make_dispatcher(self, stations: Mapping[str, list[int]], engine: Engine, signer: Signer) -> Dispatcher:
        assert self._settings.dispatch is not None
        grace_ms = self._settings.checks.grace_minutes * 60_000
        return Dispatcher(
            engine, signer, self._link, self._clock, self._settings.dispatch, stations=stations, grace_ms=grace_ms
        )

    def _make_grid(
        self, registry: Registry, stations: Mapping[str, list[int]], engine: Engine, signer: Signer
    ) -> GridService:
        """Make the grid service; ConfigError when the schedule file has nodes of the grid."""
        assert self._settings.grid is not None
        dispatcher = self._dispatcher
        hooks = Hooks(
            intake_backlog=lambda: self._intake.backlog,
            stations=stations,
            grace_ms=self._settings.checks.grace_minutes * 60_000,
        )
        if dispatcher is not None:
            hooks.scheduled = lambda: dispatcher.schedule.nodes
            hooks.grid_nodes = dispatcher.leave_out
        service = GridService(
            *(engine, registry, signer, self._link, self._clock),
            settings=self._settings.grid,
            centre=self._settings.centre.name,
            hooks=hooks,
        )
        names = service.prepare()
        if dispatcher is not None and (twice := sorted(names & dispatcher.schedule.nodes.keys())):
            assert self._settings.dispatch is not None
            path = self._settings.dispatch.schedule
            raise ConfigError(
                [
                    f"dispatch.schedule: {path} has node {node}, whose factor is the grid's: expected one source"
                    for node in twice[:50]
                ]
            )
        return service

    def _make_levels(self, registry: Registry, engine: Engine, signer: Signer) -> Levels | None:
        settings = self._settings
        if settings.grid is None and settings.parent is None and not settings.child:
            return None
        return Levels(
            *(settings, registry, engine, self._clock),
            signer=signer,
            own_link=self._link,
            link_settings=link_settings,
        )

    def stop(self) -> None:
        """Store what has arrived, acknowledge it, and end."""
        self._stop.set()

    def redispatch(self) -> None:
        """Read the factor schedule again and publish."""
        if self._dispatcher is not None:
            self._dispatcher.wake()

    def _received(self, message: Received) -> None:
        if self._levels is not None and self._levels.takes(message.topic):
            self._levels.receive(message)
            return
        self._intake.receive(self._metrics.timed(message))

    def _connected(self) -> None:
        self.redispatch()
        if self._grid is not None:
            self._grid.outlet.connected()
        if self._levels is not None:
            self._levels.connected()
        self._outbox.connected()

    def _subscribe(self) -> None:
        group = self._settings.broker.shared_group
        self._link.subscribe(f"$share/{group}/{topics.ALL_RECORDS}" if group else topics.ALL_RECORDS, 1)
        # Never shared: a shared subscription gets no retained messages (MQTT 5, 4.8.2), and any receiver may note them.
        self._link.subscribe(topics.ALL_STATUS, 1)
        # Neither: a member of the group that is gone for good would take replies with it.
        self._link.subscribe(topics.ALL_REPLIES, 1)
        for topic in () if self._levels is None else self._levels.topics:
            self._link.subscribe(topic, 1)

    def _parts(self) -> list["asyncio.Task[None]"]:
        """Start the parts that may be ended at once."""
        parts = {"summary": self._summary(), "outbox": self._outbox.run(), "settling": self._settling.run()}
        parts["retention"] = self._retention.run()
        if self._dispatcher is not None:
            parts["dispatch"] = self._dispatcher.run()
        if self._grid is not None:
            parts["grid"] = self._grid.run()
        if self._levels is not None:
            parts["levels"] = self._levels.run()
        if self._settings.checks.enabled:
            parts["checks"] = self._runner.run()
        if self._settings.estimation.enabled:
            parts["estimation"] = self._nights.run()
        return [asyncio.create_task(part, name=name) for name, part in parts.items()]

    async def run(self) -> None:
        """Serve until `stop`; raises what a part that must not end has ended with."""
        self._subscribe()
        self._take_back()
        await self._link.start()
        intake = asyncio.create_task(self._intake.run(), name="intake")
        others = self._parts()
        await self._metrics.start()
        if self._api is not None:
            await self._api.start()
        self._notifier.tell(READY)
        if self._notifier.watchdog_s is not None:
            others.append(asyncio.create_task(feed(self._notifier, self._life_signs().trouble), name="watchdog"))
        stopped = asyncio.create_task(self._stop.wait(), name="stop")
        log.info("receiver %s runs, broker %s:%d", self._settings.centre.name, *self._where())
        try:
            done, _ = await asyncio.wait({intake, stopped, *others}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()
        finally:
            self._notifier.tell(STOPPING)
            await self._metrics.stop()
            if self._api is not None:
                await self._api.stop()
            for task in (stopped, *others):
                task.cancel()
            # What one of them has ended with must not keep the intake from its end.
            await asyncio.gather(stopped, *others, return_exceptions=True)
            self._intake.stop()
            await intake
            await self._link.stop()
            log.info("receiver stopped; %s", self._counted())

    def _life_signs(self) -> LifeSigns:
        return LifeSigns(
            self._intake,
            longest_retry_s=self._settings.intake.retry_longest_ms / 1000,
            seconds=asyncio.get_running_loop().time,
        )

    def _take_back(self) -> None:
        try:
            self._intake.take_back()
        except SQLAlchemyError as error:
            log.warning("messages set aside wait for the next start: %s", str(error).splitlines()[0])

    def _where(self) -> tuple[str, int]:
        return self._settings.broker.host, self._settings.broker.port

    async def _summary(self) -> None:
        while True:
            await asyncio.sleep(SUMMARY_S)
            log.info("%s", self._counted())

    def _counted(self) -> str:
        counters = self._intake.counters
        refused = ", ".join(f"{reason} {count}" for reason, count in sorted(counters.refused.items()))
        return (
            f"{counters.records} records in {counters.messages} batches stored, "
            f"{counters.duplicates} duplicates dropped, "
            f"{counters.transactions} transactions, {counters.acknowledgements} acknowledgements, "
            f"{self._intake.backlog} batches waiting, {counters.store_errors} store errors, "
            f"{counters.set_aside} set aside, {counters.displaced} displaced by newer ones, "
            f"refused: {refused or 'none'}"
        )


async def serve(settings: Settings, registry: Registry, clock: Clock, nights: Sequence[str]) -> None:
    """Run a receiver until SIGTERM or SIGINT; SIGHUP reads the factor schedule again."""
    engine = prepare(settings, registry)
    try:
        service = Service(settings, registry, clock, engine, Notifier.from_environment(), nights=nights)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, service.stop)
        loop.add_signal_handler(signal.SIGHUP, service.redispatch)
        await service.run()
    finally:
        engine.dispose()
