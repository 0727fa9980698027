//! Where a moment lies on the paper.

use super::told::Step;

/// Of the room, what the barrier leaves to what is before and after it.
const BEFORE: f64 = 0.16;
const AFTER: f64 = 0.14;
/// Between two stretches.
const GAP: f64 = 10.0;
/// Marks on a scale: more would touch each other.
const MARKS: u64 = 6;

/// A mark's text would run into the neighbouring stretch.
const MARGIN: f64 = 34.0;

/// A part of the attempt on one scale.
pub(super) struct Stretch {
    /// For people.
    pub(super) name: &'static str,
    first: u64,
    /// Its end, in ms since the attempt began.
    pub(super) last: u64,
    /// On the paper.
    pub(super) left: f64,
    pub(super) right: f64,
    marked: bool,
}

impl Stretch {
    /// Its end belongs to the next one, if there is one.
    pub(super) fn holds(&self, at: u64) -> bool {
        (self.first..self.last).contains(&at)
    }

    pub(super) fn at(&self, at: u64) -> f64 {
        let whole = self.last.saturating_sub(self.first).max(1) as f64;
        let part = at.saturating_sub(self.first) as f64 / whole;
        self.left + (self.right - self.left) * part.min(1.0)
    }

    /// Told where no scale is.
    pub(super) fn end(&self) -> Option<u64> {
        (!self.marked && self.last > self.first + 1).then_some(self.last)
    }

    /// Round moments inside it; only the barrier has a scale that is worth reading.
    pub(super) fn marks(&self) -> Vec<u64> {
        if !self.marked {
            return Vec::new();
        }
        let step = round((self.last - self.first) / MARKS);
        let marks = (1..).map(|n| self.first.div_ceil(step).saturating_add(n - 1).saturating_mul(step));
        let clear = |at: &u64| self.at(*at) - self.left > MARGIN && self.right - self.at(*at) > MARGIN;
        marks.take_while(|at| *at < self.last).filter(clear).collect()
    }
}

/// The next 1, 2 or 5 followed by zeros.
fn round(least: u64) -> u64 {
    let mut unit = 1_u64;
    while unit.saturating_mul(10) <= least {
        unit *= 10;
    }
    [1, 2, 5, 10].into_iter().map(|of| unit.saturating_mul(of)).find(|step| *step >= least).unwrap_or(unit).max(1)
}

fn is_before(step: &str) -> bool {
    matches!(step, "Preparing" | "Claiming" | "Reserving")
}

fn is_after(step: &str) -> bool {
    matches!(step, "Completing" | "Complete" | "Recovering" | "Cleaning" | "Cleaned")
}

/// Those that this attempt came to, side by side between `left` and `right`.
pub(super) fn stretches(steps: &[Step], left: f64, right: f64) -> Vec<Stretch> {
    let part = |name, of: &dyn Fn(&str) -> bool, share: f64| {
        let of: Vec<&Step> = steps.iter().filter(|step| of(&step.step)).collect();
        let first = of.first()?.began_ms;
        let last = of.iter().map(|step| step.ends()).max()?;
        Some((name, first, last.max(first.saturating_add(1)), share))
    };
    let middle = |step: &str| !is_before(step) && !is_after(step);
    let parts: Vec<_> = [
        part("preparing", &is_before, BEFORE),
        part("the barrier", &middle, 1.0 - BEFORE - AFTER),
        part("copying to S3", &is_after, AFTER),
    ]
    .into_iter()
    .flatten()
    .collect();
    let shares: f64 = parts.iter().map(|part| part.3).sum();
    let room = right - left - GAP * parts.len().saturating_sub(1) as f64;
    let mut at = left;
    let mut out = Vec::new();
    for (name, first, last, share) in parts {
        let width = room * share / shares;
        out.push(Stretch { name, first, last, left: at, right: at + width, marked: share > 0.5 });
        at += width + GAP;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_have_round_marks() {
        for (least, step) in [(0, 1), (1, 1), (3, 5), (17, 20), (199, 200), (201, 500), (900, 1000), (4_001, 5_000)] {
            assert_eq!(round(least), step, "{least}");
        }
    }
}
