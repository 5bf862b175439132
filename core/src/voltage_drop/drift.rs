//! What voltmeters drift with the hour of the local day: of each meter a course that all days have in common.
//!
//! A meter warms with the air around it, and vehicles come by the clock: a drift that goes with both would be taken for a drop.
//! Cosine and sine of one turn a day and of two tell most of any course that is smooth. Of what all meters of a group have in
//! common nothing can be told beside the bus, and nothing has to be: the prior leaves it to u(t). What single days
//! drift beside that course stays in the residuals, and so in u.

use std::f64::consts::TAU;
use std::ops::Range;

use super::meter::{DAY_MS, local};

/// A course is a sum of so many waves: cosine and sine of one turn a day, and of two.
pub(super) const WAVES: usize = 4;
/// Products of two waves are sums of these: cosine and sine of one to four turns.
const PRODUCTS: usize = 2 * WAVES;
/// The size of a wave that is usual of voltmeters, relative: 0.1 %, some 20 K at 50 ppm/K.
const USUAL: f64 = 1e-3;
/// What the prior adds to the diagonal of each wave's size.
pub(super) const PRIOR: f64 = 1.0 / (USUAL * USUAL);

/// Functions of the time that every meter has: 1 of its gain, and the waves.
pub(super) const FUNCTIONS: usize = 1 + WAVES;
/// Of two functions, the first not after the second, half the sum of two moments: (first, second, moment, moment, its sign).
///
/// By cos a · cos b = ½(cos(a − b) + cos(a + b)), and so on.
const PAIRS: [(usize, usize, usize, usize, f64); 15] = [
    (0, 0, 0, 0, 1.0),
    (0, 1, 1, 1, 1.0),
    (0, 2, 2, 2, 1.0),
    (0, 3, 3, 3, 1.0),
    (0, 4, 4, 4, 1.0),
    (1, 1, 0, 3, 1.0),
    (1, 2, 4, 4, 0.0),
    (1, 3, 1, 5, 1.0),
    (1, 4, 2, 6, 1.0),
    (2, 2, 0, 3, -1.0),
    (2, 3, 6, 2, -1.0),
    (2, 4, 1, 5, -1.0),
    (3, 3, 0, 7, 1.0),
    (3, 4, 8, 8, 0.0),
    (4, 4, 0, 7, -1.0),
];

/// One day of the waves, by quarter: cosine and sine of one turn, of two, of three, of four.
#[derive(Debug)]
pub(super) struct Turns {
    pub(super) rows: Range<usize>,
    waves: Vec<[f64; PRODUCTS]>,
}

/// Sums of values times 1 and times each of the waves.
pub(super) type Moments = [f64; 1 + PRODUCTS];

impl Turns {
    pub(super) fn new(times_ms: &[i64], utc_offset_minutes: i32, rows: &Range<usize>) -> Self {
        let times = times_ms.get(rows.clone()).unwrap_or(&[]).iter();
        let waves = times.map(|ms| {
            let within = local(*ms, utc_offset_minutes).rem_euclid(DAY_MS);
            #[allow(clippy::cast_precision_loss, reason = "less than a day")]
            let angle = TAU * (within as f64 / DAY_MS as f64);
            let mut waves = [0.0; PRODUCTS];
            let mut turns = 0.0;
            for pair in waves.as_chunks_mut::<2>().0 {
                turns += 1.0;
                *pair = [(turns * angle).cos(), (turns * angle).sin()];
            }
            waves
        });
        Self {
            rows: rows.clone(),
            waves: waves.collect(),
        }
    }

    /// By quarter the waves of a course.
    pub(super) fn waves(&self) -> impl Iterator<Item = &[f64]> {
        let each = self.waves.iter();
        each.map(|waves| waves.get(..WAVES).unwrap_or(&[]))
    }

    /// The weighted mean of each wave of a course.
    pub(super) fn centres(&self, weights: &[f64]) -> [f64; WAVES] {
        let (mut total, mut sums) = (0.0, [0.0; WAVES]);
        for (waves, weight) in self.waves().zip(weights) {
            total += weight;
            for (sum, wave) in sums.iter_mut().zip(waves) {
                *sum += weight * wave;
            }
        }
        sums.map(|sum| if total > 0.0 { sum / total } else { 0.0 })
    }

    /// moments += sign · Σ left·right·(1, waves).
    pub(super) fn add(&self, moments: &mut Moments, sign: f64, left: &[f64], right: &[f64]) {
        let (mut whole, mut sums) = (0.0, [0.0; PRODUCTS]);
        for (waves, (left, right)) in self.waves.iter().zip(left.iter().zip(right)) {
            let value = sign * left * right;
            whole += value;
            for (sum, wave) in sums.iter_mut().zip(waves) {
                *sum += value * wave;
            }
        }
        let [first, rest @ ..] = moments;
        *first += whole;
        for (cell, sum) in rest.iter_mut().zip(sums) {
            *cell += sum;
        }
    }

    /// functions += sign · Σ left·right·(1, the waves of a course).
    pub(super) fn add_functions(
        &self,
        functions: &mut [f64; FUNCTIONS],
        sign: f64,
        left: &[f64],
        right: &[f64],
    ) {
        let (mut whole, mut sums) = (0.0, [0.0; WAVES]);
        for (waves, (left, right)) in self.waves.iter().zip(left.iter().zip(right)) {
            let value = sign * left * right;
            whole += value;
            for (sum, wave) in sums.iter_mut().zip(waves) {
                *sum += value * wave;
            }
        }
        let [first, rest @ ..] = functions;
        *first += whole;
        for (cell, sum) in rest.iter_mut().zip(sums) {
            *cell += sum;
        }
    }

    /// Gain and drift by quarter.
    pub(super) fn course(&self, gain: f64, drift: &[f64]) -> Vec<f64> {
        let each = self.waves().map(|waves| {
            let course: f64 = waves
                .iter()
                .zip(drift)
                .map(|(wave, size)| wave * size)
                .sum();
            gain + course
        });
        each.collect()
    }
}

/// Σ of values times two functions, of all pairs: (first, second, sum), the first not after the second.
pub(super) fn pairs(moments: &Moments) -> impl Iterator<Item = (usize, usize, f64)> {
    let moment = |place: usize| moments.get(place).copied().unwrap_or(0.0);
    PAIRS
        .into_iter()
        .map(move |(first, second, one, other, sign)| {
            (first, second, 0.5 * (moment(one) + sign * moment(other)))
        })
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test")]
mod tests {
    use super::{FUNCTIONS, Turns, pairs};

    #[test]
    fn a_wave_is_centred_by_weight() {
        let times: Vec<i64> = (0..20).map(|row| row * 900_000).collect();
        let turns = Turns::new(&times, 0, &(0..20));
        let weights: Vec<f64> = (0..20).map(|row| f64::from(row % 3)).collect();
        let centres = turns.centres(&weights);
        for (wave, centre) in centres.into_iter().enumerate() {
            let cells = turns.waves().zip(&weights);
            let left: f64 = cells.map(|(waves, own)| own * (waves[wave] - centre)).sum();
            assert!(left.abs() < 1e-9 && centre.abs() > 0.01, "{wave}: {centre}");
        }
        assert!(
            turns
                .centres(&[0.0; 20])
                .iter()
                .all(|centre| *centre == 0.0)
        );
    }

    #[test]
    fn pairs_are_the_products_of_two_functions() {
        let times: Vec<i64> = (0..50).map(|row| row * row * 31_000).collect();
        let turns = Turns::new(&times, 480, &(3..50));
        let left: Vec<f64> = (0..47).map(|row| f64::from(row % 7) - 2.0).collect();
        let right: Vec<f64> = (0..47).map(|row| f64::from(row % 5) + 0.5).collect();
        let mut moments = [0.0; 9];
        turns.add(&mut moments, -2.0, &left, &right);
        let mut single = [0.0; FUNCTIONS];
        turns.add_functions(&mut single, -2.0, &left, &right);
        let mut seen = 0;
        for (first, second, found) in pairs(&moments) {
            let mut sum = 0.0;
            for (waves, (left, right)) in turns.waves().zip(left.iter().zip(&right)) {
                let functions = [&[1.0], waves].concat();
                sum += -2.0 * left * right * functions[first] * functions[second];
            }
            assert!(
                (found - sum).abs() < 1e-9,
                "{first} {second}: {found} {sum}"
            );
            if first == 0 {
                assert!((single[second] - sum).abs() < 1e-9);
            }
            seen += 1;
        }
        assert_eq!(seen, FUNCTIONS * (FUNCTIONS + 1) / 2);
    }
}
