//! The shapes of all chargers in a stretch of windows, and their power at the boundaries.

use super::course::Course;
use super::reference::Reference;
use super::shape::{Shape, shape};
use super::windows::Windows;

/// Power at a boundary that much below the mean before it has begun to fall.
const FALLEN: f64 = 0.01;
/// A row looks at so many windows before it, and at no more after it.
const AROUND: usize = 3;

/// Shapes by window, then by charger.
#[derive(Debug, Default)]
pub(super) struct Table {
    shapes: Vec<Shape>,
    /// Joined to the window before: linked, and both usable.
    joined: Vec<bool>,
    /// Power at the start of the windows from `edge` on, by window, then by charger.
    edges: Vec<f64>,
    first: usize,
    edge: usize,
    chargers: usize,
}

impl Table {
    /// Shapes for the rows `start` to `end`.
    pub(super) fn fill(
        &mut self,
        windows: &Windows,
        reference: &Reference,
        usable: &dyn Fn(usize) -> bool,
        (start, end): (usize, usize),
    ) {
        self.first = start.saturating_sub(AROUND);
        self.chargers = windows.chargers();
        self.shapes.clear();
        self.joined.clear();
        for window in self.first..(end + AROUND).min(windows.len()) {
            let before = window > 0 && windows.linked(window) && usable(window - 1);
            self.joined.push(before && usable(window));
            let hours = windows.hours(window);
            let chargers = windows
                .energies_kwh(window)
                .iter()
                .zip(&reference.typical_kw);
            for (charger, (energy, typical)) in chargers.enumerate() {
                self.shapes.push(if *energy == 0.0 {
                    Shape::idle(hours)
                } else {
                    shape(windows, usable, window, charger, *typical)
                });
            }
        }
        self.edge = start.saturating_sub(1);
        let mut edges = std::mem::take(&mut self.edges);
        edges.clear();
        for window in self.edge..=end + 1 {
            for charger in 0..self.chargers {
                edges.push(self.boundary(window, charger));
            }
        }
        self.edges = edges;
    }

    /// Power of a charger where `window` begins.
    pub(super) fn at_start(&self, window: usize, charger: usize) -> f64 {
        let row = window.checked_sub(self.edge);
        let cell = row.and_then(|row| self.edges.get(row * self.chargers + charger));
        cell.copied().unwrap_or(0.0)
    }

    pub(super) fn joined(&self, window: usize) -> bool {
        let place = window.checked_sub(self.first);
        place
            .and_then(|place| self.joined.get(place))
            .copied()
            .unwrap_or(false)
    }

    pub(super) fn shape(&self, window: usize, charger: usize) -> Shape {
        let row = window.checked_sub(self.first);
        let cell = row.and_then(|row| self.shapes.get(row * self.chargers + charger));
        cell.copied().unwrap_or_default()
    }

    fn before(&self, window: usize, charger: usize) -> Shape {
        let left = window.checked_sub(1);
        left.map_or_else(Shape::default, |left| self.shape(left, charger))
    }

    /// A window with what is known of its edges.
    pub(super) fn course(&self, window: usize, charger: usize) -> Course {
        let shape = self.shape(window, charger);
        let start = self.at_start(window, charger);
        let before = self.before(window, charger);
        Course {
            shape,
            start,
            end: self.at_end(window, charger),
            falling: shape.ending().ends_within()
                && start < before.beginning().power * (1.0 - FALLEN),
            last_but_one: self.joined(window + 1)
                && self.shape(window + 1, charger).ending().ends_within(),
        }
    }

    /// Power of a charger where `window` begins.
    ///
    /// Within a session the power changes in one of the two windows beside a boundary. Where one of them is steadier
    /// against its other neighbour, the change is in the other one, and the power at the boundary is the steady one's.
    fn boundary(&self, window: usize, charger: usize) -> f64 {
        if !self.joined(window) {
            return self.shape(window, charger).power_at_start();
        }
        let left = self.before(window, charger).beginning();
        let right = self.shape(window, charger).ending();
        if left.power == 0.0 && right.power == 0.0 {
            return 0.0;
        }
        let (before, after) = (left.power_at_end(), right.power_at_start());
        if before == 0.0 || after == 0.0 {
            return f64::midpoint(before, after);
        }
        if right.ends_within() && !left.ends_within() {
            let (left_joined, place) =
                (self.joined(window.wrapping_sub(1)), window.wrapping_sub(2));
            let earlier = if left_joined {
                self.shape(place, charger).power_at_end()
            } else {
                0.0
            };
            return falling((earlier, &left, &right), before, after);
        }
        let further = |joined: bool, place: usize, side: fn(&Shape) -> Shape, known: f64| {
            let power = if joined {
                side(&self.shape(place, charger)).power
            } else {
                0.0
            };
            // A session that begins or ends there says nothing of steadiness.
            if power > 0.0 {
                (power - known).abs()
            } else {
                0.0
            }
        };
        let left_change = further(
            self.joined(window.wrapping_sub(1)),
            window.wrapping_sub(2),
            Shape::beginning,
            before,
        );
        let right_change = further(self.joined(window + 1), window + 1, Shape::ending, after);
        let change = left_change + right_change;
        if change <= 1e-3 * before {
            return f64::midpoint(before, after);
        }
        (before * right_change + after * left_change) / change
    }

    /// Power of a charger where `window` ends.
    pub(super) fn at_end(&self, window: usize, charger: usize) -> f64 {
        if self.joined(window + 1) {
            self.at_start(window + 1, charger)
        } else {
            self.shape(window, charger).power_at_end()
        }
    }
}

/// Power where a session's last window begins, between its means there and before: at its end power falls (taper).
///
/// The fall is taken as a straight line from some instant on. What the windows on both sides lack of the full power `full`
/// says when it began and how steep it is. Where no window before the two tells the full power, the shorter the last
/// one, the more of the fall lies before it.
fn falling((earlier, left, right): (f64, &Shape, &Shape), before: f64, after: f64) -> f64 {
    if after >= before {
        return f64::midpoint(before, after);
    }
    if earlier <= 0.0 {
        let share = left.active / (left.active + right.active);
        return before + (after - before) * share.powi(4);
    }
    let full = earlier.max(before);
    let lacks = (full - before) * left.active;
    let all = lacks + (full - after) * right.active;
    let drop = 2.0 * lacks.sqrt() * (all.sqrt() - lacks.sqrt()) / right.active;
    (full - drop).clamp(after, before)
}
