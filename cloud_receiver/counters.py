"""What the receiver counts, for its log and its metrics."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Totals since the process started."""

    messages: int = 0
    records: int = 0
    duplicates: int = 0
    transactions: int = 0
    acknowledgements: int = 0
    store_errors: int = 0
    set_aside: int = 0
    displaced: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    replies: Counter[str] = field(default_factory=Counter)
    """Replies to commands that were taken in, by result."""
    replies_refused: int = 0

    def add(self, other: "Counters") -> None:
        """Add another count."""
        self.messages += other.messages
        self.records += other.records
        self.duplicates += other.duplicates
        self.transactions += other.transactions
        self.acknowledgements += other.acknowledgements
        self.store_errors += other.store_errors
        self.set_aside += other.set_aside
        self.displaced += other.displaced
        self.refused.update(other.refused)
        self.replies.update(other.replies)
        self.replies_refused += other.replies_refused
