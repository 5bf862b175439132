//! The median of |r| of whitened residuals, from counts in bins that are 2 % wide: a sum like the others, so it can be
//! carried on.

/// Bins of an octave.
const FINE: f64 = 32.0;
/// 2⁻¹² is the lowest bin's lower edge; what is below is in it too.
const LOWEST: f64 = -12.0;
/// Up to 2³².
pub(super) const BINS: usize = 44 * 32;

/// The median of |r| of a normal distribution.
const NORMAL_MEDIAN: f64 = 0.674_489_750_196_081_7;

/// Counts by size.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spread {
    pub(super) counts: Vec<u32>,
    pub(super) total: u64,
    /// Sum of the weighted squares.
    pub(super) squares: f64,
}

impl Default for Spread {
    fn default() -> Self {
        Self {
            counts: vec![0; BINS],
            total: 0,
            squares: 0.0,
        }
    }
}

impl Spread {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float to integer cast saturates: below is the first bin, beyond the last"
    )]
    pub(super) fn take(&mut self, residual: f64, weight: f64) {
        self.squares += weight * residual * residual;
        let bin = ((residual.abs().log2() - LOWEST) * FINE) as usize;
        if let Some(count) = self.counts.get_mut(bin.min(BINS - 1)) {
            *count = count.saturating_add(1);
            self.total += 1;
        }
    }

    /// How much larger than stated the noise is: the standard deviation a normal distribution of this median has, at
    /// least 1. Not more than the root mean square: where register steps are most of the noise, it is no normal one, and
    /// its median is large for its variance. 1 without residuals.
    #[allow(clippy::cast_precision_loss, reason = "a count of windows")]
    pub(super) fn scale(&self) -> f64 {
        let Some(median) = self.quantile(0.5) else {
            return 1.0;
        };
        let root = (self.squares / self.total as f64).sqrt();
        (median / NORMAL_MEDIAN).min(root).max(1.0)
    }

    #[allow(clippy::cast_precision_loss, reason = "counts of windows")]
    fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = share * self.total as f64;
        let mut below = 0.0;
        for (bin, count) in self.counts.iter().enumerate() {
            let count = f64::from(*count);
            if count > 0.0 && below + count >= wanted {
                let within = (wanted - below) / count;
                return Some(((bin as f64 + within) / FINE + LOWEST).exp2());
            }
            below += count;
        }
        None
    }
}
