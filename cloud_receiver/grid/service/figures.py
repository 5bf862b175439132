"""What is counted of the grid service, and what it asks of the rest of the receiver."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from cloud_receiver.grid.kept import KeptSlot
from wire.messages import Origin


@dataclass
class Figures:
    """What is counted of the service since the process started, and the newest slot."""

    solved: int = 0
    corrected: int = 0
    failed: int = 0
    newest_ms: int | None = None
    fallback_nodes: int = 0
    missing: int = 0
    imbalance_share: float | None = None

    def count(self, slot: KeptSlot) -> None:
        """Count a new version of a slot."""
        self.failed += Origin.SOLVED not in slot.nodes.origins
        self.corrected += slot.version > 1
        self.solved += slot.version == 1
        if self.newest_ms is None or slot.start_ms >= self.newest_ms:
            self.note(slot.start_ms, slot.summary)

    def note(self, start_ms: int, summary: Mapping[str, object]) -> None:
        """Note what the summary of the newest slot says."""
        self.newest_ms = start_ms
        origins, missing = summary.get("origins"), summary.get("missing")
        self.fallback_nodes = sum(origins.values()) - origins.get("solved", 0) if isinstance(origins, dict) else 0
        self.missing = missing["count"] if isinstance(missing, dict) else 0
        told = summary.get("reconciliation")
        self.imbalance_share = told["before_share"] if isinstance(told, dict) else None


@dataclass
class Hooks:
    """What the service asks of the rest of the receiver, and tells it."""

    intake_backlog: Callable[[], int] = lambda: 0
    scheduled: Callable[[], Collection[str]] = tuple
    """Nodes that the schedule file has factors of."""
    grid_nodes: Callable[[Collection[str]], None] = lambda _names: None
    """Told of the names under which the service dispatches."""
    stations: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Numbers of the stations at each carbon node, for the checks."""
    grace_ms: int = 0
