"""Reads a network from a file of any of the formats, and the factors of generators that it may not have."""

from dataclasses import replace
from pathlib import Path

from cloud_receiver.grid import matpower, pandapower_json, reference, tables
from cloud_receiver.grid.csv_lines import lines
from cloud_receiver.grid.model import quoted_id
from cloud_receiver.grid.pandapower_frames import is_network
from cloud_receiver.grid.reading import json_of, text_of
from cloud_receiver.grid.snapshot import MAX_FACTOR, Generation, Network, value_mistakes
from cloud_receiver.mistakes import Mistake, Problems


def read(path: Path, *, max_factor: float = MAX_FACTOR) -> Network:
    """Read a network: a directory of CSV tables, a MATPOWER case (.m), else JSON, pandapower's or our own.

    InputError with every mistake; `max_factor` in kgCO₂/kWh is the largest factor a source may have.
    """
    if path.is_dir():
        return tables.read(path, max_factor=max_factor)
    if path.name == "nodes.csv":
        return tables.read(path.parent, max_factor=max_factor)
    if path.suffix.lower() == ".m":
        return matpower.read(path, max_factor=max_factor)
    text = text_of(path)
    document = json_of(text, str(path))
    if is_network(document):
        return pandapower_json.convert(document, str(path), max_factor=max_factor)
    return reference.convert(document, str(path), max_factor=max_factor)


def with_factors(network: Network, path: Path, *, max_factor: float = MAX_FACTOR) -> Network:
    """Return a network with the factors of a CSV table: `generator,factor` in kgCO₂/kWh, in place of what it had.

    InputError names lines whose generator the network doesn't have, and factors out of range.
    """
    problems = Problems(str(path))
    generators = dict(network.snapshot.generators)
    seen: dict[str, str] = {}
    for line in lines("", text_of(path), (("generator", "factor"), ()), problems):
        name = line.text("generator")
        where = f"generator {quoted_id(name)}"
        factor = line.number("factor")
        if (first := seen.setdefault(name, line.place)) != line.place:
            problems.add(Mistake.DUPLICATE, f"is there twice, first in {first}", place=line.place, element=where)
        if name not in generators:
            text = "the network has no such generator"
            problems.add(Mistake.UNKNOWN_ELEMENT, text, place=line.place, element=where)
            continue
        made = Generation(generators[name].megawatts, factor)
        for mistake, key, text in value_mistakes(made, max_factor):
            problems.add(mistake, f"{key}: {text}", place=line.place, element=where)
        generators[name] = made
    problems.raise_any()
    return replace(network, snapshot=replace(network.snapshot, generators=generators))
