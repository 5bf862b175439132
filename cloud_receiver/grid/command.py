"""`diantan-receiver grid solve` and `grid show`: a network from a file, its factors and what was measured."""

import argparse
import sys
from pathlib import Path

from cloud_receiver.figures.from_grid import network_picture
from cloud_receiver.figures.network import NetworkPicture, draw
from cloud_receiver.figures.style import form_of
from cloud_receiver.grid import files, shown
from cloud_receiver.grid.snapshot import Network
from cloud_receiver.grid.solving import solve as solve_network
from cloud_receiver.orders.waiting import Progress


def solve(options: argparse.Namespace) -> None:
    """Print a network's nodal carbon factors; InputError for a file that is no network.

    The figure comes first, if one is asked for: FigureError or OSError where it can't be had, and nothing is printed.
    """
    if options.figure is not None:
        form_of(options.figure)  # before the work is done
    solved = solve_network(_network(options), dead_below_megawatts=options.dead_below, max_factor=options.max_factor)
    if options.figure is not None:
        draw_told(network_picture(solved), options.figure)
    sys.stdout.write(shown.solved_json(solved) if options.json else shown.solved_text(solved))


def draw_told(picture: NetworkPicture, path: Path) -> None:
    """Draw a network and tell so on a terminal; FigureError, OSError."""
    progress = Progress(lambda: 0.0)  # on a terminal only: it takes seconds, of ten thousand nodes most of a minute
    progress(f"drawing {len(picture.nodes)} nodes")
    try:
        draw(picture, path)
    finally:
        progress.clear()


def show(options: argparse.Namespace) -> None:
    """Print a network and what was measured on it; InputError for a file that is no network."""
    network = _network(options)
    sys.stdout.write(shown.network_json(network) if options.json else shown.network_text(network))


def _network(options: argparse.Namespace) -> Network:
    network = files.read(Path(options.file), max_factor=options.max_factor)
    if options.factors is None:
        return network
    return files.with_factors(network, Path(options.factors), max_factor=options.max_factor)
