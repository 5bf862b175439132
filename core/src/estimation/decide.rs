//! From an error and its uncertainty to a decision: guarded rejection (JCGM 106:2012, OIML G 1-106; formulas recalled).

use super::settings::Settings;

/// What follows for a charger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Beyond its class limit with the guard band: a candidate for re-verification (超差).
    Flag,
    /// Within its limit with the guard band.
    Clear,
    /// Neither: wait, collect, or visit.
    Undetermined,
}

impl Decision {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Clear => "clear",
            Self::Undetermined => "undetermined",
        }
    }
}

/// Why a charger is undetermined: the first of these that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The station's balance is not to be trusted at all: see the findings.
    Station,
    /// It never charged.
    NeverCharged,
    /// What looks like its error is none of metering: reversed, not behind the master, wrong multiplier.
    Implausible,
    /// Its clock is off by more than a window can be put right by.
    Offset,
    /// It charges whenever others do: only their sum is known.
    Collinear,
    /// Fewer windows than unknowns, or few that contradict each other.
    FewWindows,
    /// Windows of half a day or longer.
    Daily,
    /// The master's register is too coarse for what it is asked.
    MasterRegister,
    /// The charger's register is too coarse.
    ChargerRegister,
    /// It charged too little to be told from what any charger may be.
    LittleData,
    /// The residuals are far larger than the noise that was stated.
    Misfit,
    /// Conversion between its meter and the master is not known well enough.
    Conversion,
    /// The level all chargers share is not known well enough: certify the master, or verify some chargers.
    CommonMode,
    /// Its error is near the limit.
    NearLimit,
}

impl Reason {
    /// Whether it only makes u larger: with a u that suits the limit, it is not why a charger is undetermined.
    pub(super) const fn is_noise(self) -> bool {
        matches!(self, Self::MasterRegister | Self::ChargerRegister)
    }

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Station => "station",
            Self::NeverCharged => "never_charged",
            Self::Implausible => "implausible",
            Self::Offset => "offset",
            Self::Collinear => "collinear",
            Self::FewWindows => "few_windows",
            Self::Daily => "daily",
            Self::MasterRegister => "master_register",
            Self::ChargerRegister => "charger_register",
            Self::LittleData => "little_data",
            Self::Misfit => "misfit",
            Self::Conversion => "conversion",
            Self::CommonMode => "common_mode",
            Self::NearLimit => "near_limit",
        }
    }
}

/// Probability that the error is beyond ±`limit`: 1 − Φ((L − e)/u) + Φ((−L − e)/u).
#[must_use]
pub fn nonconformity(error: f64, u: f64, limit: f64) -> f64 {
    upper_tail((limit - error) / u) + upper_tail((limit + error) / u)
}

/// The decision by probability alone.
pub(super) fn decide(probability: f64, settings: &Settings) -> Decision {
    if probability > settings.flag_above {
        Decision::Flag
    } else if probability < settings.clear_below {
        Decision::Clear
    } else {
        Decision::Undetermined
    }
}

/// 1 − Φ(z), by the power series of Φ near 0 and Laplace's continued fraction further out: full precision either way.
#[must_use]
pub fn upper_tail(z: f64) -> f64 {
    if z.is_nan() {
        return f64::NAN;
    }
    let size = z.abs();
    let density = (-0.5 * size * size).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if size < 3.0 {
        let (mut term, mut sum, mut odd) = (size, size, 1.0);
        while term > 1e-18 * sum {
            odd += 2.0;
            term *= size * size / odd;
            sum += term;
        }
        return 0.5 - density * sum * z.signum();
    }
    // Nearly twice as many terms as change the last bit.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "12 to 124"
    )]
    let terms = (12.0 + 1000.0 / (size * size)) as u32;
    let mut fraction = size;
    for step in (1..=terms).rev() {
        fraction = size + f64::from(step) / fraction;
    }
    let tail = density / fraction;
    if z > 0.0 { tail } else { 1.0 - tail }
}
