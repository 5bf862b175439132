from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.metered_import.amounts import AmountError, amount

KWH = 1_000_000


@given(st.integers(0, 10**15), st.sampled_from(".,"))
def test_any_whole_number_of_milliwatt_hours_comes_back(mwh: int, decimal: str) -> None:
    text = format(Decimal(mwh) / KWH, "f").replace(".", decimal)
    assert amount(text, decimal, KWH) == mwh


@pytest.mark.parametrize("text", ["", " ", "NA", "n/a", "NaN", "-", "null"])
def test_what_stands_for_no_value_is_none_and_not_zero(text: str) -> None:
    assert amount(text, ".", KWH) is None


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ("1.5", ","),
        ("1,5", "."),
        ("1.234,5", ","),
        ("1,234.5", "."),
        ("0x10", "."),
        ("1_000", "."),
        ("inf", "."),
        ("٣", "."),
        ("1e999", "."),
        ("-1", "."),
        ("9" * 27, "."),
        ("1.0000000000000000000000001", "."),
        ("1.00000000000000000000000000000001", "."),
        ("9" * 4000, "."),
        ("0.0000001", "."),
    ],
)
def test_what_is_no_amount_is_refused(text: str, decimal: str) -> None:
    with pytest.raises(AmountError):
        amount(text, decimal, KWH)


def test_the_other_decimal_mark_is_named() -> None:
    with pytest.raises(AmountError, match=r"--decimal '\.'"):
        amount("1.5", ",", KWH)


def test_what_is_finer_than_a_milliwatt_hour_is_rounded_half_to_even_only_if_wanted() -> None:
    assert amount("0.0000005", ".", KWH, rounded=True) == 0
    assert amount("0.0000015", ".", KWH, rounded=True) == 2
    assert amount("6.1000000000000005", ".", KWH, rounded=True) == 6_100_000


@pytest.mark.parametrize(("unit", "mwh"), [(1_000, 1_500), (KWH, 1_500_000), (1_000_000_000, 1_500_000_000)])
def test_units(unit: int, mwh: int) -> None:
    assert amount("1.5", ".", unit) == mwh
