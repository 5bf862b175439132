//! How a charger's energy lies in a window: its power while active, and when that was.
//!
//! The square of a window's mean power misses a tenth of ∫P²: windows at a session's edge are partly used. Power is taken
//! as constant over the active part of a window, from the session's edges where they are known, else inferred from the
//! neighbouring windows.

use super::sessions::Activity;
use super::windows::Windows;

/// A row depends on so many windows before and after it, and on no more: three for the power at its boundaries and at the
/// start of the window before it, two more for the shapes of those, one for whether they hang together.
pub(super) const CONTEXT: usize = 6;

/// Power of a charger in a window.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Shape {
    /// Power while active, kW.
    pub(super) power: f64,
    /// Length of the window, h.
    hours: f64,
    /// Active from `first` to `last`, h from the start; `first` > `last`: until `last` and from `first` on.
    pub(super) first: f64,
    pub(super) last: f64,
    pub(super) active: f64,
    /// Where one session ends and another begins: the power of each.
    apart: Option<(f64, f64)>,
}

impl Shape {
    pub(super) fn idle(hours: f64) -> Self {
        Self {
            hours,
            ..Self::default()
        }
    }

    /// ∫P² over the window, kW²·h.
    pub(super) fn square(&self, energy: f64) -> f64 {
        self.parts()
            .map_or(energy.abs() * self.power, |(ending, beginning)| {
                ending.power * ending.power * ending.active
                    + beginning.power * beginning.power * beginning.active
            })
    }

    /// The end of one session and the beginning of another, where it is both.
    pub(super) fn parts(&self) -> Option<(Self, Self)> {
        let (early, late) = self.apart?;
        let ending = Self {
            power: early,
            first: 0.0,
            active: self.last,
            apart: None,
            ..*self
        };
        let beginning = Self {
            power: late,
            last: self.hours,
            active: self.hours - self.first,
            apart: None,
            ..*self
        };
        Some((ending, beginning))
    }

    /// The session that is there at the start, if another one follows.
    pub(super) fn ending(&self) -> Self {
        self.parts().map_or(*self, |(ending, _)| ending)
    }

    /// The session that is there at the end, if another one was before.
    pub(super) fn beginning(&self) -> Self {
        self.parts().map_or(*self, |(_, beginning)| beginning)
    }

    /// Tell the two sessions of a window apart, from the mean powers beside it.
    ///
    /// The one that ends has fallen by then, by how much nobody knows; the one that begins is at the power of the next
    /// window. What is left over is shared out by how well either is known.
    fn told_apart(mut self, before: f64, after: f64) -> Self {
        let (ending, beginning) = (self.last, self.hours - self.first);
        let both = ending > 0.0 && beginning > 0.0;
        if self.first <= self.last || !both || (ending + beginning - self.active).abs() > 1e-9 {
            return self;
        }
        let (early, late) = (FALLEN * before * ending, after * beginning);
        let (loose, firm) = ((LOOSE * early).powi(2), (FIRM * late).powi(2));
        if loose + firm <= 0.0 {
            return self;
        }
        let all = self.power * self.active;
        let share = (early + (all - early - late) * loose / (loose + firm)).clamp(0.0, all);
        self.apart = Some((share / ending, (all - share) / beginning));
        self
    }

    /// Active hours before an instant, h from the start.
    pub(super) fn before(&self, at: f64) -> f64 {
        let at = at.clamp(0.0, self.hours);
        if self.first <= self.last {
            at.min(self.last) - at.min(self.first)
        } else {
            at.min(self.last) + (at - self.first).max(0.0)
        }
    }

    /// Energy before an instant, if power were steady while it flows.
    pub(super) fn flat(&self, at: f64) -> f64 {
        self.parts().map_or_else(
            || self.power * self.before(at),
            |(ending, beginning)| {
                ending.power * ending.before(at) + beginning.power * beginning.before(at)
            },
        )
    }

    /// Whether a session that was there at the start ends within it, as far as is known.
    pub(super) fn ends_within(&self) -> bool {
        self.power > 0.0 && self.first <= 0.0 && self.last < self.hours
    }

    /// Power right after an instant, h from the start.
    pub(super) fn power_at(&self, at: f64) -> f64 {
        let active = if self.first <= self.last {
            at >= self.first && at < self.last
        } else {
            at >= self.first || at < self.last
        };
        if active && at < self.hours {
            let apart = self
                .apart
                .map(|(early, late)| if at < self.last { early } else { late });
            apart.unwrap_or(self.power)
        } else {
            0.0
        }
    }

    pub(super) fn power_at_start(&self) -> f64 {
        self.power_at(0.0)
    }

    pub(super) fn power_at_end(&self) -> f64 {
        self.power_at(self.hours * (1.0 - 1e-9))
    }

    pub(super) const fn hours(&self) -> f64 {
        self.hours
    }
}

/// Mean power of a session's last minutes by that of the window before.
const FALLEN: f64 = 0.65;
/// How well that is known, and that a session begins with the power of its next window.
const LOOSE: f64 = 0.3;
const FIRM: f64 = 0.05;

/// Below this a window counts as idle: no register moves by less.
const IDLE_KWH: f64 = 1e-9;

/// Shape of a window; `usable` says which windows may be looked at, `typical_kw` is the charger's usual power.
pub(super) fn shape(
    windows: &Windows,
    usable: &dyn Fn(usize) -> bool,
    window: usize,
    charger: usize,
    typical_kw: f64,
) -> Shape {
    let energy = windows.energy(window, charger).abs();
    let hours = windows.hours(window);
    if energy <= IDLE_KWH || hours <= 0.0 {
        return Shape {
            hours,
            ..Shape::default()
        };
    }
    let mean = energy / hours;
    let known = told(windows, window, charger, typical_kw);
    if let Some(known) = known.filter(|_| !rests(windows, usable, window, charger)) {
        let shape = Shape {
            power: energy / known.active,
            hours,
            first: known.first,
            last: known.last,
            active: known.active,
            apart: None,
        };
        if known.first <= known.last {
            return shape;
        }
        let left = window.checked_sub(1);
        let left = near(windows, usable, charger, typical_kw, (window, left, window));
        let right = near(
            windows,
            usable,
            charger,
            typical_kw,
            (window, Some(window + 1), window + 1),
        );
        return shape.told_apart(left.unwrap_or(typical_kw), right.unwrap_or(typical_kw));
    }
    infer(windows, usable, window, charger, typical_kw.max(mean))
}

/// When it was active in a window as its sessions tell; None where they tell nothing, or edges that ask for far more power
/// than the charger has, which are wrong.
fn told(windows: &Windows, window: usize, charger: usize, typical_kw: f64) -> Option<Activity> {
    let known = windows.activity(window, charger);
    let energy = windows.energy(window, charger).abs();
    let mean = energy / windows.hours(window);
    let believed = known.active > 0.0 && energy / known.active <= 2.0 * typical_kw.max(mean);
    believed.then_some(known)
}

/// Whether a session that is told to go on beside the window takes nothing there: it ended, or began, within the window.
/// A vehicle stays longer than it charges.
fn rests(windows: &Windows, usable: &dyn Fn(usize) -> bool, window: usize, charger: usize) -> bool {
    let own = windows.activity(window, charger);
    let idle = |place: usize, later: usize| {
        windows.linked(later)
            && usable(place)
            && windows.energy(place, charger).abs() <= IDLE_KWH
            && windows.activity(place, charger).active > 0.0
    };
    (own.last >= windows.hours(window) && idle(window + 1, window + 1))
        || (own.first <= 0.0 && window > 0 && idle(window - 1, window))
}

/// Mean power of a window near by, if it hangs together with this one and is not idle.
fn near(
    windows: &Windows,
    usable: &dyn Fn(usize) -> bool,
    charger: usize,
    typical_kw: f64,
    (from, to, later): (usize, Option<usize>, usize),
) -> Option<f64> {
    let to = to?;
    let joined = windows.linked(later) && usable(from) && usable(to);
    let known = told(windows, to, charger, typical_kw);
    let active = known.map_or_else(|| windows.hours(to), |known| known.active);
    let power = windows.energy(to, charger).abs() / active;
    (joined && power.is_finite() && power > IDLE_KWH).then_some(power)
}

fn infer(
    windows: &Windows,
    usable: &dyn Fn(usize) -> bool,
    window: usize,
    charger: usize,
    typical: f64,
) -> Shape {
    let energy = windows.energy(window, charger).abs();
    let hours = windows.hours(window);
    let mean = energy / hours;
    let near = |from: usize, to: Option<usize>, later: usize| {
        near(windows, usable, charger, typical, (from, to, later))
    };
    let left_index = window.checked_sub(1);
    let left = near(window, left_index, window);
    let right = near(window, Some(window + 1), window + 1);
    let whole = |power: f64| Shape {
        power,
        hours,
        first: 0.0,
        last: hours,
        active: hours,
        apart: None,
    };
    match (left, right) {
        (Some(left), Some(right)) => {
            let beside = left.min(right);
            if mean >= 0.7 * beside {
                return whole(mean);
            }
            let power = f64::midpoint(left, right);
            let active = energy / power;
            Shape {
                power,
                hours,
                first: hours - active / 2.0,
                last: active / 2.0,
                active,
                apart: None,
            }
        }
        (Some(left), None) => {
            // The neighbour's mean is the power only if the session did not begin in it.
            let further =
                left_index.and_then(|near_by| near(near_by, near_by.checked_sub(1), near_by));
            let power = if further.is_some() { left } else { typical }.max(mean);
            let active = energy / power;
            Shape {
                power,
                hours,
                first: 0.0,
                last: active,
                active,
                apart: None,
            }
        }
        (None, Some(right)) => {
            let further = near(window + 1, Some(window + 2), window + 2);
            let power = if further.is_some() { right } else { typical }.max(mean);
            let active = energy / power;
            Shape {
                power,
                hours,
                first: hours - active,
                last: hours,
                active,
                apart: None,
            }
        }
        (None, None) => {
            let power = typical.max(mean);
            let active = energy / power;
            let middle = (hours - active) / 2.0;
            // A session's beginning may be told, and its end not.
            let told = windows.activity(window, charger).first;
            let first = if told > 0.0 {
                told.min(hours - active)
            } else {
                middle
            };
            Shape {
                power,
                hours,
                first,
                last: first + active,
                active,
                apart: None,
            }
        }
    }
}
