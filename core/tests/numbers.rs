//! Quantities, schedules, adjustments, relative error and rounding.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::*;
use diantan_core::adjustment::AdjustmentRegister;
use diantan_core::decimal::{format_scaled, parse_scaled};
use diantan_core::error::{QuantityError, ScheduleError};
use diantan_core::quantity::{Carbon, Energy, Factor};
use diantan_core::relative_error::relative_error;
use diantan_core::residual::carbon_residual_ng;
use diantan_core::rounding::{Rational, RoundingUnit, round_to_interval};
use diantan_core::schedule::{FactorQuality, FactorSchedule};
use num_bigint::BigInt;
use proptest::collection::vec;
use proptest::prelude::*;

fn round(value: &str, unit: &str) -> String {
    round_to_interval(
        &Rational::from_decimal(value).unwrap(),
        &RoundingUnit::parse(unit).unwrap(),
    )
}

#[test]
fn rounding_follows_the_standard_examples() {
    for (value, unit, expected) in [
        ("12.1498", "1", "12"),
        ("1.050", "0.1", "1.0"),
        ("0.35", "0.1", "0.4"),
        ("2500", "1000", "2000"),
        ("2500", "1E+3", "2000"),
        ("3500", "1000", "4000"),
        ("-0.0365", "0.001", "-0.036"),
        ("8.53459", "0.01", "8.53"),
        ("60.28", "0.5", "60.5"),
        ("60.25", "0.5", "60.0"),
        ("60.38", "0.5", "60.5"),
        ("-60.75", "0.5", "-61.0"),
        ("832", "20", "840"),
        ("830", "20", "840"),
        ("842", "20", "840"),
        ("-930", "20", "-920"),
        ("-0.0365", "0.1", "-0.0"),
        ("-0", "0.02", "-0.00"),
        ("0.0499", "0.1", "0.0"),
    ] {
        assert_eq!(round(value, unit), expected, "{value} to {unit}");
    }
}

#[test]
fn rounding_units_are_positive_decimals() {
    for unit in ["0", "-0.1", "0.00"] {
        assert!(matches!(
            RoundingUnit::parse(unit),
            Err(QuantityError::Unit { .. })
        ));
    }
    for unit in ["", "nan", "Infinity", "0.1 ", "1e99999", "1e9999"] {
        assert!(RoundingUnit::parse(unit).is_err(), "{unit}");
    }
    assert!(Rational::new(BigInt::from(1), BigInt::ZERO).is_err());
}

#[test]
fn decimals_are_taken_exactly_or_refused() {
    let energy = |text| Energy::parse_kwh(text).map(Energy::mwh);
    assert_eq!(energy("1.5"), Ok(1_500_000));
    assert_eq!(energy("-0.000001"), Ok(-1));
    assert_eq!(energy("1.2300000000000000000000000"), Ok(1_230_000));
    assert_eq!(energy("12E+2"), Ok(1_200_000_000));
    assert_eq!(energy("+.5"), Ok(500_000));
    assert_eq!(energy("0E-999"), Ok(0));
    assert_eq!(energy("9223372036854.775807"), Ok(i64::MAX));
    assert_eq!(energy("-9223372036854.775808"), Ok(i64::MIN));
    assert!(matches!(
        energy("0.0000001"),
        Err(QuantityError::TooFine { .. })
    ));
    for text in ["9223372036854.775808", "1e40", "1e9999"] {
        assert!(
            matches!(energy(text), Err(QuantityError::OutOfRange { .. })),
            "{text}"
        );
    }
    for text in [
        "", "-", ".", "1.2.3", "1e", "NaN", "0x1", "1_000", "１", "1e+-3", "--1",
    ] {
        assert!(
            matches!(energy(text), Err(QuantityError::NotDecimal { .. })),
            "{text}"
        );
    }
    assert!(Factor::parse_kg_per_kwh("-0.1").is_err());
    assert_eq!(
        Factor::parse_kg_per_kwh("0.5366").unwrap().mg_per_kwh(),
        536_600
    );
    assert_eq!(
        Carbon::parse_kg("-0.000000000001").unwrap(),
        Carbon::from_ng(-1)
    );
    assert_eq!(Carbon::from_ng(-1).ug(), -1);
}

#[test]
fn quantities_never_wrap() {
    let most = Energy::from_mwh(i64::MAX);
    assert!(most.checked_add(Energy::from_mwh(1)).is_err());
    assert!(Energy::from_mwh(i64::MIN).checked_neg().is_err());
    assert!(
        Carbon::from_ng(i128::MIN)
            .checked_sub(Carbon::from_ng(1))
            .is_err()
    );
    let least = Energy::from_mwh(i64::MIN).carbon(Factor::from_mg_per_kwh(u32::MAX));
    assert_eq!(least.ng(), i128::from(i64::MIN) * i128::from(u32::MAX));
    assert!(relative_error(i128::MIN, 1).is_err());
    assert_eq!(relative_error(5, 0), Err(QuantityError::ZeroTrueValue));
}

#[test]
fn a_schedule_holds_then_falls_back() {
    let mut factors = FactorSchedule::new(QUARTER, Some(factor(7)), Some(2 * QUARTER)).unwrap();
    factors.set(MIDNIGHT, Some(factor(100))).unwrap();
    let at = |slot: i64| factors.at(MIDNIGHT + slot * QUARTER);
    assert_eq!(at(-1), (Some(factor(7)), FactorQuality::Default));
    assert_eq!(at(0), (Some(factor(100)), FactorQuality::Dispatched));
    assert_eq!(factors.at(MIDNIGHT + QUARTER - 1), at(0));
    assert_eq!(at(1), (Some(factor(100)), FactorQuality::Held));
    assert_eq!(at(2), (Some(factor(100)), FactorQuality::Held));
    assert_eq!(factors.at(MIDNIGHT + 3 * QUARTER - 1), at(2));
    assert_eq!(at(3), (Some(factor(7)), FactorQuality::Default));
    assert_eq!(
        factors.set(MIDNIGHT + 1, None),
        Err(ScheduleError::Misaligned {
            start_ms: MIDNIGHT + 1,
            slot_ms: QUARTER
        })
    );
    assert!(factors.set(i64::MIN, None).is_err());
    assert!(
        factors
            .extend(&[MIDNIGHT + QUARTER, 5], &[None, None])
            .is_err()
    );
    assert_eq!(
        factors.len(),
        1,
        "a refused run of slots leaves no part behind"
    );
    assert!(FactorSchedule::new(59_999, None, None).is_err());
    assert!(FactorSchedule::new(QUARTER, None, Some(-1)).is_err());
}

#[test]
fn forgetting_keeps_what_is_still_held() {
    let mut factors = FactorSchedule::new(QUARTER, None, None).unwrap();
    for slot in 0..4 {
        factors
            .set(slot * QUARTER, Some(factor(u32::try_from(slot).unwrap())))
            .unwrap();
    }
    assert_eq!(factors.forget_before(3 * QUARTER - 1), 1);
    assert_eq!(factors.forget_before(3 * QUARTER), 1);
    assert_eq!(factors.forget_before(3 * QUARTER), 0);
    assert_eq!(factors.at(3 * QUARTER).0, Some(factor(3)));
    assert_eq!(factors.at(2 * QUARTER).0, Some(factor(2)));
    assert_eq!(factors.forget_before(i64::MAX), 1);
    assert_eq!(
        factors.at(99 * QUARTER),
        (Some(factor(3)), FactorQuality::Held)
    );
}

proptest! {
    #[test]
    fn a_cursor_sees_what_the_schedule_says(f in factors(), times in vec(MIDNIGHT - DAY..MIDNIGHT + 6 * DAY, 0..50)) {
        let mut cursor = f.cursor();
        for time in times {
            prop_assert_eq!(cursor.at(time), f.at(time));
        }
    }

    #[test]
    fn text_and_integer_say_the_same(value: i64) {
        let text = format_scaled(i128::from(value), 6);
        prop_assert_eq!(parse_scaled(&text, 6, "value", "unit"), Ok(i128::from(value)));
        prop_assert_eq!(Energy::from_mwh(value).kwh_text(), text);
    }

    #[test]
    fn rounding_is_nearest_and_ties_go_to_even(numerator in -1_000_000_i64..1_000_000, denominator in 1_i64..500, digit in 1_i64..30) {
        let value = Rational::new(BigInt::from(numerator), BigInt::from(denominator)).unwrap();
        let unit = format_scaled(i128::from(digit), 2);
        let text = round_to_interval(&value, &RoundingUnit::parse(&unit).unwrap());
        let hundredths = parse_scaled(&text, 2, "result", "0.01").unwrap();
        let digit = i128::from(digit);
        prop_assert_eq!(hundredths % digit, 0);
        let twice_off = 2 * (i128::from(numerator) * 100 - hundredths * i128::from(denominator)).abs();
        let step = digit * i128::from(denominator);
        prop_assert!(twice_off <= step);
        if twice_off == step {
            prop_assert_eq!((hundredths / digit) % 2, 0);
        }
    }

    #[test]
    fn relative_errors_are_exact_and_reduced(indicated: i64, actual: i64) {
        prop_assume!(actual != 0);
        let ratio = relative_error(i128::from(indicated), i128::from(actual)).unwrap();
        let denominator = i128::try_from(ratio.denominator).unwrap();
        prop_assert_eq!(ratio.numerator * i128::from(actual), (i128::from(indicated) - i128::from(actual)) * denominator);
        prop_assert!(denominator > 0);
    }

    #[test]
    fn adjustments_add_up_to_the_floored_register(
        changes in vec((0_i64..1_000_000, 0_i64..1000, proptest::option::of(0_u32..1_000_000), proptest::option::of(0_u32..1_000_000)), 0..30)
    ) {
        let mut register = AdjustmentRegister::default();
        let (mut forward, mut reverse) = (0, 0);
        for (plus, minus, used, now) in changes {
            let (f, r) = register.apply(plus, minus, used.map(factor), now.map(factor)).unwrap();
            forward += f;
            reverse += r;
        }
        prop_assert_eq!(i128::from(forward), register.forward_ng().div_euclid(1000));
        prop_assert_eq!(i128::from(reverse), register.reverse_ng().div_euclid(1000));
    }

    #[test]
    fn residuals_never_overflow(energy: i64, mg: u32, carbon: i64) {
        let residual = carbon_residual_ng(energy, i64::from(mg), carbon).unwrap();
        prop_assert_eq!(residual + i128::from(energy) * i128::from(mg), i128::from(carbon) * 1000);
        prop_assert_eq!(carbon_residual_ng(energy, -1, carbon).unwrap(), i128::from(carbon) * 1000);
        prop_assert!(carbon_residual_ng(energy, -2, carbon).is_err());
    }
}

#[test]
fn an_adjustment_beyond_64_bits_changes_nothing() {
    let mut register = AdjustmentRegister::new(0, -5).unwrap();
    assert!(
        register
            .apply(1, i64::MAX, None, Some(factor(u32::MAX)))
            .is_err()
    );
    assert_eq!((register.forward_ng(), register.reverse_ng()), (0, -5));
    assert!(AdjustmentRegister::new(i128::MAX, 0).is_err());
}
