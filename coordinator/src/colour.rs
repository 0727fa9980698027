//! Whether colours are shown: `--color`, `NO_COLOR`, and whether anybody sees them; and how an answer is printed.

use clap::ValueEnum;
use coordinator::console::{Output, Question, painted, render, shown};
use serde_json::Value;
use std::{
    env,
    io::{IsTerminal, stdout},
};

/// `--color`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Whoever reads it.
    Always,
    /// Never.
    Never,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) output: Output,
    pub(crate) colour: bool,
}

impl Form {
    /// The answer to this question, on the standard output.
    pub(crate) fn print(self, question: &Question, answer: &Value) {
        self.print_text(shown(question, answer, self.output, terminal_width()));
    }

    /// Rows that answer several questions.
    pub(crate) fn print_rows(self, rows: Vec<Value>) {
        self.print_text(render(&Value::Array(rows), self.output, terminal_width()));
    }

    fn print_text(self, text: String) {
        // Programs read the other forms.
        println!("{}", if self.colour && self.output == Output::Table { painted(&text) } else { text });
    }
}

/// Columns of the terminal that reads, if one does: what is wider is wrapped.
pub(crate) fn terminal_width() -> Option<u16> {
    terminal_size::terminal_size_of(stdout()).map(|(width, _)| width.0)
}

impl Colour {
    pub(crate) fn is_on(self) -> bool {
        self.decide(stdout().is_terminal(), |name| env::var(name).ok())
    }

    /// NO_COLOR counts when it is not empty (no-color.org).
    fn decide(self, terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
        let no_colour = || variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = || variable("TERM").is_some_and(|value| value == "dumb");
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => terminal && !no_colour() && !dumb(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_counts_more_than_a_variable_and_that_more_than_a_terminal() {
        let with = |set: &'static [(&str, &str)]| {
            move |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let auto = Colour::Auto;
        assert!(auto.decide(true, with(&[])) && !auto.decide(false, with(&[])));
        assert!(!auto.decide(true, with(&[("NO_COLOR", "1")])) && auto.decide(true, with(&[("NO_COLOR", "")])));
        assert!(!auto.decide(true, with(&[("TERM", "dumb")])));
        assert!(Colour::Always.decide(false, with(&[("NO_COLOR", "1")])) && !Colour::Never.decide(true, with(&[])));
    }
}
