"""Messages: short, harmless on a terminal, and never the cause of another error."""

import pytest

from cloud_receiver.mistakes import InputError, Mistake, Problem, Problems, quoted


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        (1.5, "1.5"),
        (None, "None"),
        ("\x1b[2J\n", r"'\x1b[2J\n'"),
        (["\ud800"], r"['\ud800']"),
        ("x" * 100, "'" + "x" * 76 + "..."),
    ],
)
def test_what_came_in_is_shown_short_and_harmless(value: object, text: str) -> None:
    assert quoted(value) == text


def test_what_can_not_be_shown_is_told_all_the_same() -> None:
    assert quoted(10**5000) == "a value of type int too large to show"
    nested: list[object] = []
    for _ in range(5000):
        nested = [nested]
    assert quoted(nested) == "a value of type list too large to show"


def test_a_mistake_is_told_with_all_that_is_known_of_its_place() -> None:
    assert str(Problem(Mistake.FORM, "text", "file", "line 3", "branch L1")) == "file: line 3: branch L1: text"
    assert str(Problem(Mistake.FORM, "text", element="branch L1")) == "branch L1: text"


def test_mistakes_are_collected_up_to_a_bound() -> None:
    problems = Problems("f")
    problems.raise_any()
    assert not problems
    for _ in range(999):
        problems.add(Mistake.FACTOR, "text")
    assert problems.has(Mistake.FACTOR)
    assert not problems.has(Mistake.FORM)
    with pytest.raises(InputError) as refused:
        problems.add(Mistake.FACTOR, "text")
    assert len(refused.value.problems) == 1000
