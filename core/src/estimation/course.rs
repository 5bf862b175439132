//! The course of a charger's power within a window: what of its energy lies in the first minutes of it.
//!
//! Within a session power is steady, steps down once (derating), or falls at the end (taper). The mean over the window and
//! the power at its edges, which the windows beside it tell, say when. How far that is a guess is a variance: the further a
//! clock is off, the more of it is noise of the windows on both sides.

use super::shape::Shape;

/// Changes of power below this share of it are waves, not steps.
const WAVE: f64 = 0.02;
/// How far a change of power within a window is not known: sd by what it makes of the energy, of simulated sessions. From
/// 0.3 to 0.5 it hardly matters.
const DOUBT: f64 = 0.4;
/// And how far the energy is not, relative, where one session ends and another begins.
const SPLIT: f64 = 0.1;

/// A window of one charger with the power at its edges; 0 where none is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    pub(super) shape: Shape,
    pub(super) start: f64,
    pub(super) end: f64,
    /// The fall of power at the session's end began before the window.
    pub(super) falling: bool,
    /// The session ends in the next window.
    pub(super) last_but_one: bool,
}

impl Course {
    /// Energy in the first hours of the window.
    pub(super) fn first(&self, length: f64) -> f64 {
        let (shape, active) = (&self.shape, self.shape.active);
        if let Some((ending, beginning)) = shape.parts() {
            return self.of(ending).first(length) + self.of(beginning).first(length);
        }
        let (at, mean) = (shape.before(length), shape.power);
        if active <= 0.0 || at <= 0.0 {
            return 0.0;
        }
        let all = mean * active;
        if at >= active {
            return all;
        }
        let begins = shape.first > 0.0;
        let ends = shape.last < shape.hours();
        let energy = if shape.first > shape.last {
            mean * at
        } else if begins && !ends && self.end > 0.0 {
            all - straight(active - at, self.end, mean, active)
        } else if ends && !begins && self.start > 0.0 {
            self.last(at)
        } else if !begins && !ends && self.start > 0.0 && self.end > 0.0 {
            self.whole(at)
        } else {
            mean * at
        };
        energy.clamp(0.0, all)
    }

    /// Variance of what is said of the first hours: the course is guessed, kWh².
    pub(super) fn first_doubt(&self, length: f64) -> f64 {
        self.doubt(self.first(length), self.shape.flat(length))
    }

    /// The same of the last hours.
    pub(super) fn rest_doubt(&self, length: f64) -> f64 {
        let (shape, all) = (&self.shape, self.shape.power * self.shape.active);
        self.doubt(self.rest(length), all - shape.flat(shape.hours() - length))
    }

    fn doubt(&self, energy: f64, flat: f64) -> f64 {
        let apart = if self.shape.parts().is_some() {
            SPLIT
        } else {
            0.0
        };
        (DOUBT * (energy - flat)).powi(2) + ((WAVE + apart) * flat).powi(2)
    }

    /// One session of two.
    fn of(&self, shape: Shape) -> Self {
        Self { shape, ..*self }
    }

    /// Energy in the last hours of the window.
    pub(super) fn rest(&self, length: f64) -> f64 {
        let all = self.shape.power * self.shape.active;
        all - self.first(self.shape.hours() - length)
    }

    /// ∫P² over the first hours, as if power were their mean while it flows, kW²·h.
    pub(super) fn first_square(&self, length: f64) -> f64 {
        if let Some((ending, beginning)) = self.shape.parts() {
            return self.of(ending).first_square(length) + self.of(beginning).first_square(length);
        }
        square(self.first(length), self.shape.before(length))
    }

    /// The same over the last hours.
    pub(super) fn rest_square(&self, length: f64) -> f64 {
        if let Some((ending, beginning)) = self.shape.parts() {
            return self.of(ending).rest_square(length) + self.of(beginning).rest_square(length);
        }
        let active = self.shape.active - self.shape.before(self.shape.hours() - length);
        square(self.rest(length), active)
    }

    /// Power at an instant, h from the start.
    pub(super) fn power_at(&self, at: f64) -> f64 {
        const STEP: f64 = 0.005;
        let (from, to) = ((at - STEP).max(0.0), (at + STEP).min(self.shape.hours()));
        (self.first(to) - self.first(from)) / (to - from)
    }

    /// The window in which the session ends.
    fn last(&self, at: f64) -> f64 {
        let (mean, active, full) = (self.shape.power, self.shape.active, self.start);
        if self.falling || full <= mean * (1.0 + WAVE) {
            return straight(at, full, mean, active);
        }
        // It falls from some instant on, to anything from none to what a fall from the start would leave: the middle.
        let end = (mean - full / 2.0).max(0.0);
        let length = 2.0 * active * (full - mean) / (full - end);
        if length > active {
            return straight(at, full, mean, active);
        }
        let since = (at - (active - length)).max(0.0);
        full * at - (full - end) * since * since / (2.0 * length)
    }

    /// A window within the session.
    fn whole(&self, at: f64) -> f64 {
        let (mean, hours) = (self.shape.power, self.shape.active);
        let (start, end) = (self.start, self.end);
        let falls = start - end > WAVE * mean && (end..=start).contains(&mean);
        if self.last_but_one && falls {
            let length = 2.0 * hours * (start - mean) / (start - end);
            if length <= hours {
                let since = (at - (hours - length)).max(0.0);
                return start * at - (start - end) * since * since / (2.0 * length).max(1e-9);
            }
        }
        let rises = end - start > WAVE * mean && (start..=end).contains(&mean);
        if rises || (falls && !self.last_but_one) {
            let step = hours * (mean - end) / (start - end);
            return start * at.min(step) + end * (at - step).max(0.0);
        }
        // A parabola of this mean between these edges.
        let share = at / hours;
        let (square, cube) = (3.0 * mean - 2.0 * start - end, start + end - 2.0 * mean);
        hours * share * (start + share * (square + share * cube))
    }
}

fn square(energy: f64, active: f64) -> f64 {
    if active > 0.0 {
        energy * energy / active
    } else {
        0.0
    }
}

/// Energy in the first hours of a straight line that begins at `edge` and has this mean.
fn straight(at: f64, edge: f64, mean: f64, active: f64) -> f64 {
    at * (edge + (mean - edge) * at / active)
}
