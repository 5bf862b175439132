"""`run`: the frames of a line can be watched, and a line that is not there is named."""

import asyncio
from typing import Any

import pytest
from gateway_support import Running, until

from agent.config_file import load_config
from agent.run_command import _show_frames, run
from settings.errors import ConfigError


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
