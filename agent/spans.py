"""Runs of sequences as sorted lists of disjoint, not adjoining (first, last) pairs, both ends included."""

from collections.abc import Iterable

Span = tuple[int, int]
Spans = list[Span]


def united(spans: Iterable[Span], first: int, last: int) -> Spans:
    """Return the runs with first..last entered."""
    result: Spans = []
    for low, high in spans:
        if high < first - 1:
            result.append((low, high))
        elif low <= last + 1:
            first, last = min(first, low), max(last, high)
        else:
            result.append((first, last))
            first, last = low, high
    result.append((first, last))
    return result


def without(spans: Iterable[Span], first: int, last: int) -> Spans:
    """Return the runs less first..last."""
    result: Spans = []
    for low, high in spans:
        if low < first:
            result.append((low, min(high, first - 1)))
        if high > last:
            result.append((max(low, last + 1), high))
    return result


def stored_spans(up_to: int, missing: Iterable[Span], highest: int) -> Spans:
    """Return what an acknowledgement says is stored: up to `up_to`, and between what is missing up to `highest`.

    Without `highest` (0) nothing is said of what lies above the last missing run.
    """
    result: Spans = [(1, up_to)] if up_to else []
    edge = 0
    for low, high in missing:
        if edge and low > edge + 1:
            result.append((edge + 1, low - 1))
        edge = high
    if edge and highest > edge:
        result.append((edge + 1, highest))
    return result
