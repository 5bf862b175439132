//! One voltage with its power, ready for the fit: relative, of the quarters that can be believed.

use std::ops::Range;

use super::float;
use super::result::Reason;

/// A voltage further than this from the day's usual one is none (ln: 35 %).
const FAR: f64 = 0.3;
/// Above this share of such quarters the meter measures something else: a DC side, for one.
const MOST_FAR: f64 = 0.1;
/// A day whose usual voltage is further from that of the other days is in another unit.
const OTHER_UNIT: f64 = 0.15;
/// So many quarters with the same voltage to the last digit: the meter stands still.
const FROZEN: usize = 48;
/// A power so many times the tenth largest is a wrong one.
const SPIKE: f64 = 4.0;
const TENTH: usize = 10;
/// Beyond this nothing is a voltage, in whatever unit, or a power in kW.
const MOST: f64 = 1e9;
/// Power that changes by less than this is none of a charger that charges, kW.
const LEAST_SWING: f64 = 0.5;
/// Fewer known quarters are too few.
const LEAST_QUARTERS: usize = 24;

/// ln V less its median of the day, and power; NaN where either is not known.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    pub(super) y: Vec<f64>,
    /// Power in kW at the usual voltage: R/V² is what the drop goes with.
    pub(super) kw: Vec<f64>,
    /// From a loss at the usual voltage to that at the voltage while it charged.
    pub(super) factor: f64,
    /// Largest absolute power, kW.
    pub(super) top: f64,
    pub(super) fault: Option<Reason>,
}

impl Series {
    /// `logs`: of the voltages as they came, NaN where there is none.
    pub(super) fn new(logs: &[f64], power_kw: &[f64], days: &[Range<usize>]) -> Self {
        let spike = spike(power_kw);
        let mut y = vec![f64::NAN; logs.len()];
        let mut kw = y.clone();
        let frozen = frozen(logs);
        let (mut there, mut far, mut still, mut known) = (0_usize, 0_usize, 0_usize, 0_usize);
        let middles: Vec<Option<f64>> = days.iter().map(|day| middle(logs, day)).collect();
        let usual = median(&mut middles.iter().copied().flatten().collect::<Vec<f64>>());
        for (day, middle) in days.iter().zip(&middles) {
            let (Some(middle), Some(usual)) = (*middle, usual) else {
                continue;
            };
            // A meter whose unit is another from a day on still measures what it did.
            let usual = if (middle - usual).abs() > OTHER_UNIT {
                middle
            } else {
                usual
            };
            for row in day.clone() {
                let (Some(log), Some(power)) = (logs.get(row), power_kw.get(row)) else {
                    continue;
                };
                if !log.is_finite() {
                    continue;
                }
                there += 1;
                let relative = log - middle;
                if relative.abs() > FAR {
                    far += 1;
                } else if frozen.get(row).is_some_and(|frozen| *frozen) {
                    still += 1;
                } else if power.abs() <= spike
                    && let (Some(y), Some(kw)) = (y.get_mut(row), kw.get_mut(row))
                {
                    known += 1;
                    *y = relative;
                    *kw = power * (-2.0 * (log - usual)).exp();
                }
            }
        }
        let pairs = kw.iter().zip(power_kw).filter(|(kw, _)| kw.is_finite());
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut squares, mut all) = (0.0_f64, 0.0_f64);
        for (kw, power) in pairs {
            (low, high) = (low.min(*power), high.max(*power));
            squares += power * power;
            all += power * kw;
        }
        let fault = if float(far) > MOST_FAR * float(there) {
            Some(Reason::Voltage)
        } else if 2 * still > there {
            Some(Reason::Frozen)
        } else if known < LEAST_QUARTERS {
            Some(Reason::FewQuarters)
        } else if high - low < LEAST_SWING {
            Some(Reason::ConstantPower)
        } else {
            None
        };
        Self {
            y,
            kw,
            factor: if squares > 0.0 { all / squares } else { 1.0 },
            top: low.abs().max(high.abs()),
            fault,
        }
    }
}

/// Logarithms of one voltage, or of the mean of three where all are there: with fewer it would be another one.
///
/// A charger's meter sends the mean of its phases, and the bus is to be the same kind of mean: phases that differ by several
/// per cent have another mean of their logarithms.
pub(super) fn logs(voltages: &[Vec<f64>]) -> Vec<f64> {
    let mut sums = vec![0.0; voltages.first().map_or(0, Vec::len)];
    for column in voltages {
        for (sum, volts) in sums.iter_mut().zip(column) {
            let believed = *volts > 0.0 && *volts <= MOST;
            *sum += if believed { *volts } else { f64::NAN };
        }
    }
    for sum in &mut sums {
        *sum = (*sum / float(voltages.len())).ln();
    }
    sums
}

/// The usual voltage of a day.
fn middle(logs: &[f64], day: &Range<usize>) -> Option<f64> {
    let own = logs.get(day.clone()).unwrap_or(&[]).iter();
    median(
        &mut own
            .copied()
            .filter(|log| log.is_finite())
            .collect::<Vec<f64>>(),
    )
}

/// What power is beyond belief.
fn spike(power_kw: &[f64]) -> f64 {
    let believed = power_kw.iter().map(|kw| kw.abs());
    let mut believed: Vec<f64> = believed.filter(|kw| *kw <= MOST).collect();
    if believed.len() <= TENTH {
        return MOST;
    }
    let place = believed.len() - TENTH;
    let (_, tenth, _) = believed.select_nth_unstable_by(place, f64::total_cmp);
    (SPIKE * *tenth).max(LEAST_SWING)
}

/// Which quarters belong to a voltage that stands still.
fn frozen(logs: &[f64]) -> Vec<bool> {
    let mut frozen = vec![false; logs.len()];
    let mut run: Vec<usize> = Vec::new();
    let mut last = f64::NAN;
    for (row, log) in logs.iter().enumerate().filter(|(_, log)| log.is_finite()) {
        #[allow(clippy::float_cmp, reason = "the same to the last digit")]
        if *log != last {
            run.clear();
        }
        last = *log;
        run.push(row);
        let marked: &[usize] = match run.len() {
            FROZEN => &run,
            length if length > FROZEN => run.last().map_or(&[], std::slice::from_ref),
            _ => &[],
        };
        for row in marked {
            if let Some(cell) = frozen.get_mut(*row) {
                *cell = true;
            }
        }
    }
    frozen
}

/// The middle one; None of none.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    let place = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let (_, middle, _) = values.select_nth_unstable_by(place, f64::total_cmp);
    Some(*middle)
}
