"""The grid (电网): nodes, branches, generators, loads and storages; what doesn't change with every slot.

Ids are names. A node's id is one level of a topic, since its factor is published under it; the others are printable
text. Two branches between the same nodes are parallel lines and kept apart. A branch without impedance (a bus coupler,
母联) is a branch like any other: it carries what is measured on it.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

from cloud_receiver.mistakes import InputError, Mistake, Problem, quoted
from settings.names import NAME_RULE, is_name

MOST_ELEMENTS: Final = 1_000_000
"""Of a kind in one grid."""
MOST_NAME_BYTES: Final = 64


class NodeKind(StrEnum):
    """What a node is."""

    PLANT = "plant"  # 电厂
    SUBSTATION = "substation"  # 变电站
    LOAD = "load"  # 用户
    STAR = "star"  # the inner point of a transformer with three windings (三绕组变压器星点)


class BranchKind(StrEnum):
    """What a branch is."""

    LINE = "line"  # 线路
    TRANSFORMER = "transformer"  # 变压器
    TIE = "tie"  # 母联: zero impedance
    OTHER = "other"  # a DC link, a series element


class Element(StrEnum):
    """A kind of element."""

    NODE = "node"
    BRANCH = "branch"
    GENERATOR = "generator"
    LOAD = "load"
    STORAGE = "storage"


@dataclass(frozen=True, slots=True)
class Node:
    """A node (节点). `aliases` are ids of other busbars that closed ties without a measurement make one with it."""

    id: str
    kind: NodeKind = NodeKind.SUBSTATION
    name: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch (支路) from a node to another one."""

    id: str
    start: str
    end: str
    kind: BranchKind = BranchKind.LINE


@dataclass(frozen=True, slots=True)
class Generator:
    """A source (电源): a generating unit, or power that comes in over a boundary."""

    id: str
    node: str


@dataclass(frozen=True, slots=True)
class Load:
    """A load (负荷); `station` is the charging station that it is, if it is one."""

    id: str
    node: str
    station: str = ""


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage (储能)."""

    id: str
    node: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake of the element with a number among those of its kind; `first` is the one it repeats."""

    element: Element
    index: int
    id: str
    mistake: Mistake
    text: str
    first: int | None = None

    def problem(self) -> Problem:
        """Return it as a mistake without a place."""
        return Problem(self.mistake, self.text, element=f"{self.element} {quoted_id(self.id)}")


@dataclass(frozen=True)
class Grid:
    """A grid that was checked: InputError names every element that can't be."""

    nodes: tuple[Node, ...]
    branches: tuple[Branch, ...] = ()
    generators: tuple[Generator, ...] = ()
    loads: tuple[Load, ...] = ()
    storages: tuple[Storage, ...] = ()

    def __post_init__(self) -> None:
        faults = list(faults_of(self.nodes, self.branches, self.generators, self.loads, self.storages))
        if faults:
            raise InputError([fault.problem() for fault in faults[:1000]])

    @cached_property
    def node_ids(self) -> Mapping[str, str]:
        """The node of each id, aliases included."""
        return {name: node.id for node in self.nodes for name in (node.id, *node.aliases)}

    @cached_property
    def digest(self) -> str:
        """A hash of the topology (SHA-256, hexadecimal): nodes, elements and how they connect, in any order."""
        content = [
            sorted([node.id, node.kind.value, *sorted(node.aliases)] for node in self.nodes),
            sorted([branch.id, branch.start, branch.end, branch.kind.value] for branch in self.branches),
            sorted([item.id, item.node] for item in self.generators),
            sorted([item.id, item.node, item.station] for item in self.loads),
            sorted([item.id, item.node] for item in self.storages),
        ]
        return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def quoted_id(name: str) -> str:
    """Return an id as a message shows it: plain where it is one, else quoted."""
    return name if name and name.isprintable() and len(name) <= MOST_NAME_BYTES else quoted(name)


def is_plain(text: str) -> bool:
    """Return whether a text is 1 to 64 bytes of printable text."""
    try:
        return text.isprintable() and 1 <= len(text.encode()) <= MOST_NAME_BYTES
    except UnicodeEncodeError:  # half of a surrogate pair, as JSON can say it
        return False


def faults_of(
    nodes: Sequence[Node],
    branches: Sequence[Branch],
    generators: Sequence[Generator],
    loads: Sequence[Load],
    storages: Sequence[Storage],
) -> Iterator[Fault]:
    """Find what can't be a grid."""
    kinds: list[tuple[Element, Sequence[Node | Branch | Generator | Load | Storage]]] = [
        (Element.NODE, nodes),
        (Element.BRANCH, branches),
        (Element.GENERATOR, generators),
        (Element.LOAD, loads),
        (Element.STORAGE, storages),
    ]
    if not nodes:
        yield Fault(Element.NODE, 0, "", Mistake.FORM, "expected at least one node, found none")
    for element, items in kinds:
        if len(items) > MOST_ELEMENTS:
            text = f"expected at most {MOST_ELEMENTS} of a kind, found {len(items)}"
            yield Fault(element, MOST_ELEMENTS, items[MOST_ELEMENTS].id, Mistake.TOO_LARGE, text)
            return
        yield from _names(element, items)
    yield from _shared_names(nodes)
    ids = {node.id for node in nodes}
    yield from _wrong_ends(branches, ids)
    places: list[tuple[Element, Sequence[Generator | Load | Storage]]] = [
        (Element.GENERATOR, generators),
        (Element.LOAD, loads),
        (Element.STORAGE, storages),
    ]
    for element, at_nodes in places:
        for index, item in enumerate(at_nodes):
            if item.node not in ids:
                yield _unknown(element, index, item.id, item.node)


def _wrong_ends(branches: Sequence[Branch], ids: Collection[str]) -> Iterator[Fault]:
    for index, branch in enumerate(branches):
        for end in dict.fromkeys((branch.start, branch.end)):
            if end not in ids:
                yield _unknown(Element.BRANCH, index, branch.id, end)
        if branch.start == branch.end:
            text = f"both ends are node {quoted_id(branch.start)}"
            yield Fault(Element.BRANCH, index, branch.id, Mistake.ONE_ENDED, text)


def _shared_names(nodes: Sequence[Node]) -> Iterator[Fault]:
    known: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in (node.id, *node.aliases):
            first = known.setdefault(name, index)
            # Two nodes of one id are told already.
            if first != index and not (name == node.id == nodes[first].id):
                text = f"the name {quoted_id(name)} is that of another node"
                yield Fault(Element.NODE, index, node.id, Mistake.DUPLICATE, text, first)


def _unknown(element: Element, index: int, name: str, node: str) -> Fault:
    return Fault(element, index, name, Mistake.UNKNOWN_NODE, f"there is no node {quoted_id(node)}")


def _names(element: Element, items: Iterable[Node | Branch | Generator | Load | Storage]) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        if isinstance(item, Node):
            for name in (item.id, *item.aliases):
                if not is_name(name):
                    yield Fault(element, index, item.id, Mistake.NAME, f"id {quoted(name)}: expected {NAME_RULE}")
            if item.name and not is_plain(item.name):
                text = f"name {quoted(item.name)}: expected at most {MOST_NAME_BYTES} bytes of printable text"
                yield Fault(element, index, item.id, Mistake.NAME, text)
        elif not is_plain(item.id):
            text = f"id {quoted(item.id)}: expected 1 to {MOST_NAME_BYTES} bytes of printable text"
            yield Fault(element, index, item.id, Mistake.NAME, text)
        if isinstance(item, Load) and item.station and not is_name(item.station):
            text = f"station {quoted(item.station)}: expected {NAME_RULE}"
            yield Fault(element, index, item.id, Mistake.NAME, text)
        if (first := seen.setdefault(item.id, index)) != index:
            yield Fault(element, index, item.id, Mistake.DUPLICATE, "is there twice", first)
