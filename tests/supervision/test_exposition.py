"""The text form of metrics: read back by a strict reader, whatever stands in labels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metrics_support import NotExpositionError, Scraped

from supervision.exposition import Family, Histogram, MetricError, Page

FAMILIES = (
    Family("a_total", "counter", 'what\\ever\nof "a"', ("line", "result")),
    Family("b_seconds", "gauge", "b"),
    Family("c_seconds", "histogram", "c", ("line",)),
)


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 2**63), min_size=1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.floats(0, 100)),
)
def test_what_is_put_on_a_page_is_read_back(counts: dict[str, int], gauge: float, seen: list[float]) -> None:
    page = Page(FAMILIES)
    for label, count in counts.items():
        page.put("a_total", count, label, "ok")
    page.put("b_seconds", gauge)
    histogram = Histogram((1, 2.5, 10))
    for value in seen:
        histogram.add(value)
    page.put_histogram("c_seconds", histogram, 'li"ne')
    found = Scraped(page.text())
    assert found.kinds == {family.name: family.kind for family in FAMILIES}
    assert found.samples["a_total"] == {(label, "ok"): float(count) for label, count in counts.items()}
    assert found.value("b_seconds") == gauge
    assert found.value("c_seconds_count", 'li"ne') == len(seen)
    assert found.value("c_seconds_bucket", 'li"ne', "2.5") == sum(value <= 2.5 for value in seen)
    assert found.value("c_seconds_sum", 'li"ne') == pytest.approx(sum(seen))


def test_a_family_without_samples_is_left_out() -> None:
    page = Page(FAMILIES)
    page.put("b_seconds", True)
    assert page.text() == "# HELP b_seconds b\n# TYPE b_seconds gauge\nb_seconds 1\n"


def test_a_sample_that_does_not_fit_is_refused() -> None:
    page = Page(FAMILIES)
    with pytest.raises(MetricError, match="d: no such metric"):
        page.put("d", 1)
    with pytest.raises(MetricError, match="a_total: expected the labels line, result"):
        page.put("a_total", 1, "x")
    with pytest.raises(MetricError, match="c_seconds: expected a histogram"):
        page.put("c_seconds", 1, "x")
    with pytest.raises(MetricError, match="b_seconds: expected a single value"):
        page.put_histogram("b_seconds", Histogram((1,)))


@pytest.mark.parametrize(
    "text",
    [
        "a 1\n",
        "# TYPE a gauge\na 1\n",
        "# HELP a b\n# TYPE a gauge\na 1",
        "# HELP a b\n# TYPE a gauge\na 1\na 1\n",
        "# HELP a b\n# TYPE a gauge\na NaN\n",
        "# HELP a b\n# TYPE a counter\na 1\n",
        '# HELP a b\n# TYPE a gauge\na{x="1",} 1\n',
        '# HELP a b\n# TYPE a gauge\na{x="\\q"} 1\n',
        "# HELP a b\n# TYPE a gauge\n",
        '# HELP a b\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
    ],
)
def test_the_reader_is_strict(text: str) -> None:
    with pytest.raises(NotExpositionError):
        Scraped(text)
