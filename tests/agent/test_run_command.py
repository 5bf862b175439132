"""`run`: frames can be watched, and a configuration on trial stays or is rolled back, whatever ends a run."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from gateway_support import Running, Scene, assert_delivered, journal_records, until
from process_support import COMMAND, Process, changed

from agent.config_file import load_config
from agent.configuration.keeper import CUT_SHORT, STOPPED, Keeper
from agent.configuration.store import digest_of
from agent.journal_check import open_read_only, verify
from agent.run_command import _show_frames, run
from settings.errors import ConfigError
from wire.commands import Outcome
from wire.connection import LinkError


def test_the_frames_of_a_traced_line_are_shown_with_their_meaning(
    site: Any, responder: Any, fast_clock: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """And those of its neighbour are not."""

    async def scenario() -> None:
        async with responder.listening():
            config = site.configure(broker_port=1, meter_ports=[responder.port] * 2)
            running = Running(config, fast_clock)
            _show_frames(running.gateway, load_config(config), ["line-2"])
            async with running as gateway:
                await until(lambda: all(figures["ok"] > 2 for figures in gateway.health.line_figures().values()))

    asyncio.run(scenario())
    shown = capsys.readouterr().err
    assert "energy_forward" in shown
    assert "modbus-tcp 2 " in shown
    assert "modbus-tcp 1 " not in shown


def test_a_line_that_is_not_there_is_named(site: Any, fast_clock: Any) -> None:
    """Before anything runs."""
    config = site.configure(broker_port=1, meter_ports=[1])
    with pytest.raises(ConfigError, match="no line 'bus'; there are line-1"):
        run(config, fast_clock, ["bus"])


@pytest.mark.mosquitto
def test_a_good_configuration_stays_and_costs_nothing(scene: Scene, make_centre: Any) -> None:
    """The meters are read more often, every record reaches the centre once, and the next start has it too."""

    async def scenario() -> None:
        centre = make_centre(scene.broker.port, clock=scene.clock)
        async with scene.responder.listening(), centre.running():
            config = scene.configure(1)
            config.write_text(changed(config, ("poll_seconds = 60", "poll_seconds = 450")))
            agent = Process(config, scene.clock)
            async with agent.running():
                await centre.until(lambda: len(centre.stored) > 3)
            assert agent.most_readings() <= 3
            text = changed(config, ("poll_seconds = 450", "poll_seconds = 60"))
            agent.propose(text, 30)
            async with agent.running():
                await until(lambda: len(agent.changes()) == 2)
                assert (agent.state.versions, agent.state.trial) == ((digest_of(text.encode()),), None)
                first = len(centre.stored)
                await centre.until(lambda: len(centre.stored) > first + 3)
            async with agent.running():
                await until(lambda: agent.most_readings() > 6)
                first = len(centre.stored)
                await centre.until(lambda: len(centre.stored) > first + 1)
        assert_delivered(centre, agent.journal)
        assert [text for _, text in agent.changes()] == ["on trial for 30 s", "stays: the centre answered"]
        assert len(centre.contexts) == 1

    asyncio.run(scenario())


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """Stand in for systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.setblocking(False)
        yield channel


def said(systemd: socket.socket) -> list[str]:
    """Return what systemd was told."""
    found = []
    try:
        while True:
            found.append(systemd.recv(1000).decode())
    except BlockingIOError:
        return [text for text in found if text != "WATCHDOG=1"]


@pytest.mark.mosquitto
def test_one_with_a_wrong_broker_is_rolled_back_by_itself_and_says_why(
    scene: Scene, make_centre: Any, systemd: socket.socket
) -> None:
    """In the same process, which systemd does not take for one that stops; the own file's broker hears of it."""

    async def scenario() -> None:
        centre = make_centre(scene.broker.port, clock=scene.clock)
        async with scene.responder.listening(), centre.running():
            config = scene.configure(1)
            text = changed(config, (f"port = {scene.broker.port}\n", "port = 1\n"))
            agent = Process(config, scene.clock, {"NOTIFY_SOCKET": systemd.getsockname()})
            agent.propose(text, 2)
            async with agent.running() as process:
                await until(lambda: len(agent.changes()) == 2)
                await centre.until(lambda: len(centre.stored) > 4)
                assert process.returncode is None
            reason = "broker 127.0.0.1:1 not reached within 2 s: "
            own = digest_of(config.read_bytes())
            (tried, _), (back, why) = agent.changes()
            assert (tried, back) == (digest_of(text.encode()), own)
            assert why.startswith(f"rolled back: {reason}")
            verdict = agent.state.verdict
            assert verdict is not None
            assert (verdict.command, verdict.outcome) == (COMMAND, Outcome.FAILED)
            assert verdict.text.startswith(reason)
            assert (agent.state.in_force, agent.state.trial) == (own, None)
        assert_delivered(centre, agent.journal)
        assert said(systemd) == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]

    asyncio.run(scenario())


@pytest.mark.mosquitto
def test_what_a_broker_has_kept_does_not_show_that_the_centre_is_there(scene: Scene, make_centre: Any) -> None:
    """An old broker still has the factors of long ago, signed as they are: they are taken, the trial fails."""

    async def scenario() -> None:
        centre = make_centre(scene.broker.port, clock=scene.clock)
        async with scene.responder.listening():
            async with centre.running():
                centre.dispatch(scene.clock.now_ms() // 900_000 * 900_000, *[500_000] * 400)
                await asyncio.sleep(0)
            config = scene.configure(1)
            agent = Process(config, scene.clock)
            agent.propose(changed(config, ("poll_seconds = 60", "poll_seconds = 90")), 2)
            async with agent.running():
                await until(lambda: len(agent.changes()) == 2)
                await until(lambda: agent.dispatched() > 0)
            where = f"broker 127.0.0.1:{scene.broker.port}"
            reason = f"rolled back: {where} was reached, but the centre did not answer within 2 s"
            assert agent.changes()[-1] == (agent.base.digest, reason)

    asyncio.run(scenario())


@pytest.mark.mosquitto
def test_one_with_which_the_gateway_can_not_start_is_rolled_back(scene: Scene, make_centre: Any) -> None:
    """What the check can't see: the reason is the error's text."""

    async def scenario() -> None:
        centre = make_centre(scene.broker.port, clock=scene.clock)
        async with scene.responder.listening(), centre.running():
            config = scene.configure(1)
            agent = Process(config, scene.clock)
            agent.propose(changed(config, ("[broker]\n", '[broker]\nca_file = "centre.pub"\n')), 60)
            async with agent.running():
                await until(lambda: len(agent.changes()) == 2)
                await centre.until(lambda: len(centre.stored) > 4)
            verdict = agent.state.verdict
            assert verdict is not None
            assert verdict.text.startswith("TLS files ")
            assert agent.state.in_force == agent.base.digest
        assert_delivered(centre, agent.journal)

    asyncio.run(scenario())


@pytest.mark.mosquitto
def test_a_trial_that_is_killed_or_stopped_is_over(scene: Scene) -> None:
    """SIGKILL in it: the next start has what counted, and no further one is another trial; SIGTERM likewise."""

    async def scenario() -> None:
        async with scene.responder.listening():
            config = scene.configure(1)
            agent = Process(config, scene.clock)
            text = changed(config, (f"port = {scene.broker.port}\n", "port = 1\n"))
            for number, reason in ((signal.SIGKILL, CUT_SHORT), (signal.SIGTERM, STOPPED)):
                agent.propose(text, 3600)
                before = len(agent.changes())
                async with agent.running() as process:
                    await until(lambda before=before: len(agent.changes()) == before + 1)  # type: ignore[misc]
                    assert agent.state.in_force == digest_of(text.encode())
                    process.send_signal(number)
                    assert await process.wait() == (0 if number == signal.SIGTERM else -signal.SIGKILL)
                for _ in range(2):
                    known = len(journal_records(agent.journal))
                    async with agent.running():
                        await until(lambda known=known: len(journal_records(agent.journal)) > known + 1)  # type: ignore[misc]
                    assert agent.state.trial is None
                assert len(agent.changes()) == before + 2
                assert agent.changes()[-1] == (agent.base.digest, f"rolled back: {reason}")
        assert verify(agent.journal).problems == []

    asyncio.run(scenario())


@pytest.mark.mosquitto
def test_an_edited_own_file_counts_again(scene: Scene) -> None:
    """Somebody at the gateway is nearer than the centre; the journal tells."""

    async def scenario() -> None:
        async with scene.responder.listening():
            config = scene.configure(1)
            agent = Process(config, scene.clock)
            agent.propose(changed(config, ("poll_seconds = 60", "poll_seconds = 30")), 60)
            keeper = Keeper(agent.base, agent.base.store, lambda: 1)
            keeper.choose()
            keeper.confirm()
            config.write_text(changed(config, ("poll_seconds = 60", "poll_seconds = 90")))
            agent = Process(config, scene.clock)
            async with agent.running():
                await until(lambda: len(agent.changes()) == 3)
            assert agent.changes()[-1] == (agent.base.digest, "the gateway's own file was changed")
            assert agent.state.versions == ()

    asyncio.run(scenario())


def test_a_slip_in_naming_a_line_costs_no_trial(site: Any, fast_clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told at any other start; here the trial goes on, without the frames."""
    config = site.configure(broker_port=1, meter_ports=[1])
    agent = Process(config, fast_clock)
    agent.propose(changed(config, ("poll_seconds = 60", "poll_seconds = 90")), 60)
    ran = []
    monkeypatch.setattr("agent.run_command._run_once", lambda _keeper, chosen, *_: bool(ran.append(chosen.digest)))
    run(config, fast_clock, ["bus"])
    assert len(ran) == 1
    assert ran[0] != agent.base.digest


def test_a_start_that_fails_ends_in_good_order(site: Any, fast_clock: Any) -> None:
    """Outside a trial the error is the caller's; the journal was closed, so that the next start need not check it."""
    config = site.configure(broker_port=1, meter_ports=[1])
    config.write_text(changed(config, ("[broker]\n", '[broker]\nca_file = "centre.pub"\n')))
    with pytest.raises(LinkError, match="TLS files"):
        run(config, fast_clock)
    with closing(open_read_only(load_config(config).config.journal_file)) as journal:
        assert journal.execute("SELECT closed_cleanly, next_sequence FROM header").fetchone() == (1, 2)


def test_a_trial_that_nobody_watches_is_over(site: Any, fast_clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in what watches over it: else it would last for ever. Outside a trial the fault ends the program."""

    async def faulty(*_: object) -> None:
        raise RuntimeError("a fault")

    config = site.configure(broker_port=1, meter_ports=[1])
    agent = Process(config, fast_clock)
    agent.propose(changed(config, ("poll_seconds = 60", "poll_seconds = 90")), 60)
    monkeypatch.setattr("agent.run_command.Configurator.run", faulty)
    with pytest.raises(RuntimeError, match="a fault"):
        run(config, fast_clock)
    assert agent.state.trial is None
    assert agent.state.verdict is not None
    assert (agent.state.verdict.text, agent.state.in_force) == ("a fault", agent.base.digest)
