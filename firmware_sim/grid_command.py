"""The commands `grid` and `grid-truth` of `diantan-sim`: power plants and loads as meters, and what really flowed."""

import argparse
import json
import logging
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

log = logging.getLogger("diantan-sim")


def add_grid_commands(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """Add the commands; return their parsers, for the options that others have too."""
    grid = commands.add_parser(
        "grid",
        help="serve the meters of power plants and loads",
        description="Serves generating units with their emission registers, and meters of loads, each following its "
        "power profile. Exit status: 0, 2 wrong input.",
    )
    grid.add_argument("file", type=Path, metavar="GRID.toml")
    grid.set_defaults(command=_grid)
    answer = commands.add_parser("grid-truth", help="print what really flowed and was emitted in a grid file")
    answer.add_argument("file", type=Path, metavar="GRID.toml")
    answer.set_defaults(command=_truth)
    return grid, answer


def _grid(options: argparse.Namespace) -> int:
    # Only here: the other commands don't need them.
    from clock import from_spec  # noqa: PLC0415
    from firmware_sim.grid import Grid, grid_start  # noqa: PLC0415
    from firmware_sim.grid_config import load_grid  # noqa: PLC0415
    from firmware_sim.serve import Service, Setup, run  # noqa: PLC0415

    config = load_grid(options.file)
    clock = from_spec(options.clock)
    start_ms = grid_start(config, clock.now_ms())
    grid = Grid(config, start_ms, file=str(options.file))
    log.info(
        "%s: %d units and %d loads, from %s on",
        config.grid.id,
        len(config.unit),
        len(config.load),
        datetime.fromtimestamp(start_ms / 1000, grid.zone).isoformat(),
    )
    setup = Setup(
        simulate=config.simulate,
        lines=config.line,
        faults=config.fault,
        timezone=config.grid.timezone,
        seed=config.grid.seed,
        control=options.control,
        file=str(options.file),
    )
    service = Service(grid.served, clock, setup)
    service.set_faults(start_ms)
    service.catch_up(clock.now_ms())
    run(service, options.ready_file, options.control)
    return 0


def _truth(options: argparse.Namespace) -> int:
    from firmware_sim.grid import Grid, grid_start, grid_truth, truth_table  # noqa: PLC0415 - likewise
    from firmware_sim.grid_config import load_grid  # noqa: PLC0415
    from firmware_sim.power_profiles import local_ms  # noqa: PLC0415
    from settings.errors import ConfigError  # noqa: PLC0415

    config = load_grid(options.file)
    zone = ZoneInfo(config.grid.timezone)
    from_ms, until_ms = (local_ms(moment, zone) for moment in (options.from_time, options.to_time))
    if until_ms <= from_ms:
        raise ConfigError([f"--to: expected after --from {options.from_time}, found {options.to_time}"])
    start_ms = grid_start(config, from_ms)
    if start_ms > from_ms:
        raise ConfigError([f"--from: expected not before the start of the grid, found {options.from_time}"])
    rows = grid_truth(Grid(config, start_ms, file=str(options.file)), from_ms, until_ms)
    document = {"from_ms": from_ms, "until_ms": until_ms, "meters": rows}
    print(json.dumps(document, indent=2) if options.json else truth_table(rows))  # noqa: T201 - the command's output
    return 0
