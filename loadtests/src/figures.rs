//! Figures beside their bounds, of one run.

use serde::{Deserialize, Serialize};

/// One figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: String,
    /// None: shown only.
    bound: Option<f64>,
    /// Of the bound that is used: 1 at the bound, more beyond it.
    ratio: Option<f64>,
    ok: bool,
}

impl Figure {
    /// Not above the bound.
    pub(crate) fn at_most(name: &str, value: f64, unit: &str, bound: f64) -> Self {
        Self::new(name, value, unit, Some(bound), value / bound.max(f64::EPSILON))
    }

    /// Not below the bound.
    pub(crate) fn at_least(name: &str, value: f64, unit: &str, bound: f64) -> Self {
        Self::new(name, value, unit, Some(bound), bound / value.max(f64::EPSILON))
    }

    /// Without a bound.
    pub(crate) fn shown(name: &str, value: f64, unit: &str) -> Self {
        Self::new(name, value, unit, None, 0.0)
    }

    fn new(name: &str, value: f64, unit: &str, bound: Option<f64>, ratio: f64) -> Self {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        Self { name, value, unit, bound, ratio: bound.map(|_| ratio), ok: bound.is_none() || ratio <= 1.0 }
    }
}

/// All of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    figures: Vec<Figure>,
    ok: bool,
}

impl Figures {
    pub(crate) fn add(&mut self, figure: Figure) {
        self.figures.push(figure);
        self.ok = self.figures.iter().all(|figure| figure.ok);
    }

    /// Every figure is within its bound.
    pub(crate) fn ok(&self) -> bool {
        self.ok
    }

    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// Prints them, as JSON if so wanted.
    pub(crate) fn print(&self, json: bool) -> serde_json::Result<()> {
        if json {
            println!("{}", self.json()?);
        } else {
            println!("{}", self.text());
        }
        Ok(())
    }

    fn text(&self) -> String {
        let line = |figure: &Figure| {
            let bound = figure.bound.map_or(String::new(), |bound| {
                let verdict = if figure.ok { "ok" } else { "NOT WITHIN" };
                format!("   {verdict}, bound {bound:.2}, ratio {:.2}", figure.ratio.unwrap_or_default())
            });
            format!("{:<48} {:>12.2} {}{bound}\n", figure.name, figure.value, figure.unit)
        };
        self.figures.iter().map(line).collect()
    }
}
