//! Data and priors together: which chargers are altered is first settled one by one, then averaged over.

use super::chain::Chain;
use super::conversion::{Asked, Said};
use super::dense::{Cholesky, Square, dot};
use super::error::EstimationError;
use super::joint::Joint;
use super::mixture::{Kind, Mixture, Part, cavity, moments, shares};
use super::priors::Priors;
use super::rows::Maker;
use super::settings::{Known, Settings};

/// A linear function of the unknowns.
pub(super) type Function = Vec<(usize, f64)>;

/// Posterior of one θ column.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct EpochPosterior {
    /// b = e(1 + g)/(1 + e): mean and standard deviation, the mixture's parts included.
    pub(super) b: f64,
    pub(super) sd: f64,
    /// b part by part.
    pub(super) parts: Vec<Part>,
    /// What data and anchors alone say of the difference to the cohort, and how well.
    pub(super) alone: f64,
    pub(super) alone_sd: f64,
    /// Probability that it is altered.
    pub(super) altered: f64,
}

/// How much is done about which chargers are altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// A few rounds: the result only serves the next pass, and says nothing of single chargers.
    Little,
    /// All rounds, and the mean over all likely sets.
    Full,
}

/// Rounds over the mixture in passes whose result only serves the next.
const FEW_ROUNDS: u32 = 4;

/// Posterior of all unknowns.
#[derive(Debug)]
pub(super) struct Posterior {
    pub(super) values: Vec<f64>,
    /// Empty after little effort.
    pub(super) epochs: Vec<EpochPosterior>,
    /// Standard uncertainty shared by all chargers.
    pub(super) common: f64,
    /// Scale of the residuals.
    pub(super) scale: f64,
    /// Mean square of the whitened, weighted residuals, before it is scaled.
    pub(super) mean_square: f64,
    /// How far conversion differs from charger to charger.
    pub(super) conversion_spread: Known,
    root: Cholesky,
}

/// Above this share of strange chargers there are none: it is the master that is strange.
const MOST_STRANGE: f64 = 0.25;
/// But one beside others that the master bears out is strange in the smallest station too: below two for sure.
const ONE_STRANGE: f64 = 1.5;

impl Posterior {
    /// `scale` of the residuals; None: from their median.
    pub(super) fn new(
        maker: &Maker<'_>,
        chain: &Chain,
        scale: Option<f64>,
        effort: Effort,
    ) -> Result<Self, EstimationError> {
        let scale = scale.unwrap_or_else(|| chain.spread.scale());
        let (matrix, side) = data(maker, chain, scale * scale);
        let mut known = Priors { matrix, side };
        known.add(maker);
        let epochs = 0..maker.layout.epochs.len();
        let mut equations = Equations {
            known,
            deviations: epochs.map(|epoch| deviation(maker, epoch)).collect(),
        };
        let (mut solved, mixture) = equations.settle(maker.settings, effort)?;
        let mut epochs = Vec::new();
        let mut conversion_spread = Known {
            value: maker.settings.conversion_spread,
            u: 0.0,
        };
        if effort == Effort::Full {
            let said = solved.over_sets(&mixture, maker);
            let precisions = said.parts.iter().map(|own| mixture.precision(shares(own)));
            let precisions = precisions.collect();
            equations.known.change_spread(maker, said.precision);
            conversion_spread = said.spread;
            solved = equations.solve(precisions)?;
            let each = solved.singles.iter().zip(said.parts);
            epochs = each
                .map(|(single, parts)| EpochPosterior::new(single, parts))
                .collect();
        }
        let chargers = 0..maker.layout.chargers;
        let spreads: Vec<Vec<f64>> = chargers
            .map(|charger| solved.root.root(&error_of(maker, charger)))
            .collect();
        let mean_square = mean_square(chain, &solved.values);
        Ok(Self {
            values: solved.values,
            epochs,
            common: common(&spreads),
            scale,
            mean_square,
            conversion_spread,
            root: solved.root,
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

impl EpochPosterior {
    fn new(single: &Single, parts: Vec<Part>) -> Self {
        let (b, variance) = moments(&parts);
        let [sound, ..] = shares(&parts);
        Self {
            b,
            sd: variance.max(0.0).sqrt(),
            parts,
            alone: single.alone,
            alone_sd: single.alone_variance.sqrt(),
            altered: 1.0 - sound,
        }
    }
}

/// Data and all that is known but which chargers are altered, and each one's difference to the cohort.
#[derive(Debug)]
struct Equations {
    known: Priors,
    deviations: Vec<Function>,
}

/// One charger's difference to the cohort, with its prior and without.
#[derive(Debug)]
struct Single {
    mean: f64,
    spread: Vec<f64>,
    alone: f64,
    alone_variance: f64,
}

/// All unknowns with priors of some precisions.
#[derive(Debug)]
struct Solved {
    root: Cholesky,
    values: Vec<f64>,
    precisions: Vec<f64>,
    singles: Vec<Single>,
}

impl Equations {
    fn solve(&self, precisions: Vec<f64>) -> Result<Solved, EstimationError> {
        let mut whole = self.known.matrix.clone();
        for (function, precision) in self.deviations.iter().zip(&precisions) {
            add_form(&mut whole, function, *precision);
        }
        let root = Cholesky::new(&whole).ok_or(EstimationError::Unsolvable)?;
        let values = root.solve(&self.known.side);
        if !values.iter().all(|value| value.is_finite()) {
            return Err(EstimationError::Unsolvable);
        }
        let single = |(function, precision): (&Function, &f64)| {
            let spread = root.root(function);
            let mean = apply(function, &values);
            let (alone, alone_variance) = cavity(mean, dot(&spread, &spread), *precision);
            Single {
                mean,
                spread,
                alone,
                alone_variance,
            }
        };
        let singles = self.deviations.iter().zip(&precisions);
        let singles = singles.map(single).collect();
        Ok(Solved {
            root,
            values,
            precisions,
            singles,
        })
    }

    /// Expectation and maximisation charger by charger.
    fn settle(
        &self,
        settings: &Settings,
        effort: Effort,
    ) -> Result<(Solved, Mixture), EstimationError> {
        let (mut mixture, full) = (
            Mixture::new(settings, 0.0),
            Mixture::new(settings, settings.strange_share),
        );
        let rounds = match effort {
            Effort::Little => FEW_ROUNDS.min(settings.rounds),
            Effort::Full => settings.rounds,
        };
        let epochs = self.deviations.len();
        #[allow(clippy::cast_precision_loss, reason = "a count of chargers")]
        let most = if epochs > 1 {
            (MOST_STRANGE * epochs as f64).max(ONE_STRANGE)
        } else {
            0.0
        };
        let mut precisions = vec![mixture.precision(mixture.shares); epochs];
        let mut round = 0;
        loop {
            round += 1;
            let solved = self.solve(precisions.clone())?;
            let (mut moved, mut strange) = (0.0_f64, 0.0);
            for (single, precision) in solved.singles.iter().zip(&mut precisions) {
                let (alone, free) = (single.alone, single.alone_variance);
                let [_, _, own] = shares(&full.tilt(alone, free));
                strange += own;
                let next = mixture.precision(shares(&mixture.tilt(alone, free)));
                moved = moved.max((next / *precision).ln().abs());
                *precision = next;
            }
            if moved < 1e-9 || round == rounds.div_ceil(2) {
                // None is strange before all else has been settled: two that can't be told apart would share one's error.
                let few = strange > 0.5 && strange <= most;
                if few && !mixture.knows_strange() {
                    mixture = full;
                } else if moved < 1e-9 {
                    return Ok((solved, mixture));
                }
            }
            if round >= rounds {
                return Ok((solved, mixture));
            }
        }
    }
}

impl Solved {
    fn over_sets(&self, mixture: &Mixture, maker: &Maker<'_>) -> Said {
        let layout = maker.layout;
        let own = layout.own_conversion.iter().flatten();
        let alone: Vec<usize> = [&layout.cohort].into_iter().chain(own).copied().collect();
        let roots: Vec<Vec<f64>> = alone
            .iter()
            .map(|column| self.root.root(&[(*column, 1.0)]))
            .collect();
        let singles = self.singles.iter().map(|single| &single.spread);
        let spreads: Vec<&Vec<f64>> = singles.chain(&roots).collect();
        let mean = self.singles.iter().map(|single| single.mean);
        let values = alone.iter().filter_map(|column| self.values.get(*column));
        let joint = Joint::new(mean.chain(values.copied()).collect(), &spreads);
        let settled = self.singles.iter().map(|single| {
            let parts = mixture.tilt(single.alone, single.alone_variance);
            let likely = parts
                .into_iter()
                .max_by(|a, b| a.weight.total_cmp(&b.weight));
            likely.map_or(Kind::Sound, |part| part.kind)
        });
        let settled: Vec<Kind> = settled.collect();
        let asked = Asked {
            mixture,
            settings: maker.settings,
            precisions: &self.precisions,
            settled: &settled,
        };
        asked.mean(&joint)
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

pub(super) fn apply(function: &[(usize, f64)], values: &[f64]) -> f64 {
    let terms = function.iter().filter_map(|(place, factor)| {
        let value = values.get(*place)?;
        Some(factor * value)
    });
    terms.sum()
}

/// b of an epoch: g − θ, what the load makes of it, and what conversion takes of θ.
///
/// Before a meter at the output lies its conversion c: 1 + θ = (1 + g)(1 + c)/(1 + e), so that what is indicated without
/// need shows 1 + c times as large at the master. What an uneven load loses of a charger's energy, x, stands there likewise.
pub(super) fn error_of(maker: &Maker<'_>, epoch: usize) -> Function {
    let layout = maker.layout;
    let charger = layout.epochs.get(epoch).map_or(0, |epoch| epoch.charger);
    let own = layout.own_conversion.get(charger).copied().flatten();
    let share = if own.is_some() {
        1.0 / (1.0 + maker.settings.conversion.value)
    } else {
        1.0
    };
    let mut share = share;
    let mut function = vec![(layout.gain, 1.0)];
    if let Some(column) = layout.uneven.get(charger).copied().flatten() {
        let known = maker.chargers.get(charger);
        let lost = known.and_then(|charger| charger.uneven_loss);
        share /= 1.0 + lost.map_or(0.0, |lost| lost.value);
        function.push((column, 1.0));
    }
    function.push((epoch, -share));
    if let Some((column, load, _)) = curve(maker, charger) {
        function.push((column, load));
    }
    let conversions = own.into_iter().chain(own.and(layout.conversion));
    function.extend(conversions.map(|column| (column, share)));
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
