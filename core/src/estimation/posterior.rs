//! Data and priors together: expectation and maximisation over which chargers are altered.

use super::chain::Chain;
use super::dense::{Cholesky, Square, dot};
use super::error::EstimationError;
use super::priors::Priors;
use super::rows::Maker;
use super::settings::Settings;

/// A linear function of the unknowns.
pub(super) type Function = Vec<(usize, f64)>;

/// Posterior of one θ column.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct EpochPosterior {
    /// b = e(1 + g)/(1 + e): mean and standard deviation, the mixture's parts included.
    pub(super) b: f64,
    pub(super) sd: f64,
    /// What data and anchors alone say of the difference to the cohort, and how well.
    pub(super) alone: f64,
    pub(super) alone_sd: f64,
    /// Probability that it is altered.
    pub(super) altered: f64,
}

/// Posterior of all unknowns.
#[derive(Debug)]
pub(super) struct Posterior {
    pub(super) values: Vec<f64>,
    pub(super) epochs: Vec<EpochPosterior>,
    /// Standard uncertainty shared by all chargers.
    pub(super) common: f64,
    /// Scale of the residuals.
    pub(super) scale: f64,
    /// Mean square of the whitened, weighted residuals, before it is scaled.
    pub(super) mean_square: f64,
    root: Cholesky,
}

/// Standard deviation of a strange charger's error, relative.
const STRANGE_SD: f64 = 1.0;
/// Above this share of strange chargers there are none: it is the master that is strange.
const MOST_STRANGE: f64 = 0.25;

/// Mixture of sound, altered and strange chargers.
#[derive(Debug, Clone, Copy)]
struct Mixture {
    shares: [f64; 3],
    variances: [f64; 3],
}

/// A normal distribution times the mixture.
#[derive(Debug, Clone, Copy)]
struct Tilted {
    mean: f64,
    variance: f64,
    /// Probability of each part.
    parts: [f64; 3],
}

impl Tilted {
    fn altered(&self) -> f64 {
        let [_, altered, strange] = self.parts;
        altered + strange
    }

    fn strange(&self) -> f64 {
        let [_, _, strange] = self.parts;
        strange
    }
}

impl Mixture {
    fn new(settings: &Settings, strange: f64) -> Self {
        let altered = settings.altered_share;
        Self {
            shares: [1.0 - altered, altered, strange],
            variances: [settings.sound_sd, settings.altered_sd, STRANGE_SD].map(|sd| sd * sd),
        }
    }

    fn knows_strange(&self) -> bool {
        let [_, _, strange] = self.shares;
        strange > 0.0
    }

    /// Precision of the one normal distribution that stands for the mixture at these probabilities of its parts.
    fn precision(&self, parts: &[f64; 3]) -> f64 {
        let parts = parts.iter().zip(&self.variances);
        parts.map(|(share, variance)| share / variance).sum()
    }

    fn tilt(&self, mean: f64, variance: f64) -> Tilted {
        let parts = self.shares.iter().zip(&self.variances).map(|(share, own)| {
            let total = variance + own;
            let log = share.ln() - 0.5 * (total.ln() + mean * mean / total);
            (log, mean * own / total, variance * own / total)
        });
        let parts: Vec<(f64, f64, f64)> = parts.collect();
        let top = parts
            .iter()
            .fold(f64::NEG_INFINITY, |top, part| top.max(part.0));
        let weights: Vec<f64> = parts.iter().map(|part| (part.0 - top).exp()).collect();
        let total: f64 = weights.iter().sum();
        let mut tilted = Tilted {
            mean: 0.0,
            variance: 0.0,
            parts: [0.0; 3],
        };
        for ((weight, (_, mean, _)), part) in weights.iter().zip(&parts).zip(&mut tilted.parts) {
            tilted.mean += weight / total * mean;
            *part = weight / total;
        }
        for (weight, (_, mean, variance)) in weights.iter().zip(&parts) {
            let apart = mean - tilted.mean;
            tilted.variance += weight / total * (variance + apart * apart);
        }
        tilted
    }
}

impl Posterior {
    /// `scale` of the residuals; None: from their median.
    pub(super) fn new(
        maker: &Maker<'_>,
        chain: &Chain,
        scale: Option<f64>,
        rounds: u32,
    ) -> Result<Self, EstimationError> {
        let settings = maker.settings;
        let scale = scale.unwrap_or_else(|| chain.spread.scale());
        let (matrix, side) = data(maker, chain, scale * scale);
        let mut known = Priors { matrix, side };
        known.add(maker);
        let Priors { matrix, side } = known;
        let (mut mixture, full) = (
            Mixture::new(settings, 0.0),
            Mixture::new(settings, settings.strange_share),
        );
        let epochs = maker.layout.epochs.len();
        let deviations: Vec<Function> = (0..epochs).map(|epoch| deviation(maker, epoch)).collect();
        let mut precisions = vec![mixture.precision(&mixture.shares); epochs];
        #[allow(clippy::cast_precision_loss, reason = "a count of chargers")]
        let most = MOST_STRANGE * epochs as f64;
        let mut tilted = Vec::new();
        let mut solved = None;
        for round in 0..rounds {
            let mut whole = matrix.clone();
            for (function, precision) in deviations.iter().zip(&precisions) {
                add_form(&mut whole, function, *precision);
            }
            let root = Cholesky::new(&whole).ok_or(EstimationError::Unsolvable)?;
            let values = root.solve(&side);
            tilted.clear();
            let (mut moved, mut strange) = (0.0_f64, 0.0);
            for (function, precision) in deviations.iter().zip(&mut precisions) {
                let spread = root.root(function);
                let variance = dot(&spread, &spread);
                let mean = apply(function, &values);
                let (alone, alone_variance) = cavity(mean, variance, *precision);
                let both = mixture.tilt(alone, alone_variance);
                strange += full.tilt(alone, alone_variance).strange();
                let next = mixture.precision(&both.parts);
                moved = moved.max((next / *precision).ln().abs());
                tilted.push((mean, variance, alone, alone_variance, both, spread));
                *precision = next;
            }
            solved = Some((root, values));
            if moved < 1e-9 || round + 1 == rounds.div_ceil(2) {
                // None is strange before all else has been settled: two that can't be told apart would share one's error.
                let few = strange > 0.5 && strange <= most;
                if few && !mixture.knows_strange() {
                    mixture = full;
                } else if moved < 1e-9 {
                    break;
                }
            }
        }
        let (root, values) = solved.ok_or(EstimationError::Unsolvable)?;
        if !values.iter().all(|value| value.is_finite()) {
            return Err(EstimationError::Unsolvable);
        }
        let mut results = Vec::with_capacity(epochs);
        let mut spreads = Vec::with_capacity(epochs);
        for (epoch, (mean, variance, alone, alone_variance, both, spread)) in
            tilted.iter().enumerate()
        {
            let function = error_of(maker, epoch);
            let own = root.root(&function);
            let share = dot(&own, spread) / variance;
            let sd2 = dot(&own, &own) + share * share * (both.variance - variance);
            results.push(EpochPosterior {
                b: apply(&function, &values) + share * (both.mean - mean),
                sd: sd2.max(0.0).sqrt(),
                alone: *alone,
                alone_sd: alone_variance.sqrt(),
                altered: both.altered(),
            });
            spreads.push(own);
        }
        let common = common(spreads.get(..maker.layout.chargers).unwrap_or(&[]));
        let mean_square = mean_square(chain, &values);
        Ok(Self {
            values,
            epochs: results,
            common,
            scale,
            mean_square,
            root,
        })
    }

    /// Correlation of two unknowns.
    pub(super) fn correlation(&self, first: usize, second: usize) -> f64 {
        let (a, b) = (
            self.root.root(&[(first, 1.0)]),
            self.root.root(&[(second, 1.0)]),
        );
        dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
    }

    /// An unknown and its standard uncertainty.
    pub(super) fn of(&self, function: &[(usize, f64)]) -> (f64, f64) {
        let root = self.root.root(function);
        (apply(function, &self.values), dot(&root, &root).sqrt())
    }
}

/// The mean of the covariances of two chargers each: what no comparison among them removes.
fn common(spreads: &[Vec<f64>]) -> f64 {
    let Some(first) = spreads.first() else {
        return 0.0;
    };
    let mut sum = vec![0.0; first.len()];
    let mut own = 0.0;
    for spread in spreads {
        own += dot(spread, spread);
        super::dense::add_scaled(&mut sum, 1.0, spread);
    }
    let count = f64::from(u32::try_from(spreads.len()).unwrap_or(u32::MAX));
    if spreads.len() < 2 {
        return own.sqrt();
    }
    ((dot(&sum, &sum) - own) / (count * (count - 1.0)))
        .max(0.0)
        .sqrt()
}

fn data(maker: &Maker<'_>, chain: &Chain, variance: f64) -> (Square, Vec<f64>) {
    let mut matrix = Square::zero(maker.layout.size);
    let mut side = vec![0.0; maker.layout.size];
    let sums = &chain.sums;
    for row in 0..chain.data {
        for column in 0..=row {
            // Rounding differs above and below the diagonal.
            let cell = f64::midpoint(sums.get(row, column), sums.get(column, row)) / variance;
            matrix.add(row, column, cell);
            if row != column {
                matrix.add(column, row, cell);
            }
        }
        if let Some(cell) = side.get_mut(row) {
            *cell = f64::midpoint(sums.get(row, chain.data), sums.get(chain.data, row)) / variance;
        }
    }
    (matrix, side)
}

fn mean_square(chain: &Chain, values: &[f64]) -> f64 {
    if chain.rows == 0 {
        return 0.0;
    }
    let sums = &chain.sums;
    let known = values.get(..chain.data).unwrap_or(&[]);
    let mut total = sums.get(chain.data, chain.data);
    for (row, value) in known.iter().enumerate() {
        let cells = sums.row(row);
        let fitted = dot(cells.get(..chain.data).unwrap_or(&[]), known);
        let side = f64::midpoint(sums.get(row, chain.data), sums.get(chain.data, row));
        total += value * (fitted - 2.0 * side);
    }
    #[allow(clippy::cast_precision_loss, reason = "a count of windows")]
    let rows = chain.rows as f64;
    total.max(0.0) / rows
}

/// The distribution without its own prior: N(0, 1/precision).
fn cavity(mean: f64, variance: f64, precision: f64) -> (f64, f64) {
    let rest = 1.0 / variance - precision;
    // Less than this is rounding: the data say nothing.
    if rest <= 1e-9 * precision {
        return (0.0, 1e9 / precision);
    }
    (mean / variance / rest, 1.0 / rest)
}

pub(super) fn apply(function: &[(usize, f64)], values: &[f64]) -> f64 {
    let terms = function.iter().filter_map(|(place, factor)| {
        let value = values.get(*place)?;
        Some(factor * value)
    });
    terms.sum()
}

/// b of an epoch: g − θ, what the load makes of it, and what conversion takes of θ.
pub(super) fn error_of(maker: &Maker<'_>, epoch: usize) -> Function {
    let layout = maker.layout;
    let mut function = vec![(layout.gain, 1.0), (epoch, -1.0)];
    let charger = layout.epochs.get(epoch).map_or(0, |epoch| epoch.charger);
    if let Some((column, load, _)) = curve(maker, charger) {
        function.push((column, load));
    }
    if let Some(Some(own)) = layout.own_conversion.get(charger) {
        function.push((*own, 1.0));
        function.extend(layout.conversion.map(|all| (all, 1.0)));
    }
    function
}

/// The change of a charger's error with its load: column, mean load, and what 1 of it takes off the branch's loss, both
/// growing with power. None where its branch has no loss to hide it, or where it never charged.
pub(super) fn curve(maker: &Maker<'_>, charger: usize) -> Option<(usize, f64, f64)> {
    let (layout, reference) = (maker.layout, maker.reference);
    let loss = reference.branch_loss.get(charger)? * reference.typical_kw.get(charger)?;
    let load = *reference.load.get(charger)?;
    (loss > 0.0).then_some((layout.curve? + charger, load, 1.0 / loss))
}

/// What it differs by from the cohort.
fn deviation(maker: &Maker<'_>, epoch: usize) -> Function {
    let mut function = error_of(maker, epoch);
    function.push((maker.layout.cohort, -1.0));
    function
}

pub(super) fn add_form(matrix: &mut Square, function: &[(usize, f64)], precision: f64) {
    for (row, a) in function {
        for (column, b) in function {
            matrix.add(*row, *column, precision * a * b);
        }
    }
}
