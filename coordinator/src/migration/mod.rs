//! `coordinator migrate check`: what users of "BR Federation" have, read from what they give, and what it becomes here. Nothing is
//! changed, and no server is asked.

mod contexts;
mod values;

pub use contexts::contexts;
pub use values::values;

use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// As it should be.
    Fine,
    /// A person should know it.
    Warning,
    /// It would not work.
    Wrong,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fine => "√",
            Self::Warning => "‼",
            Self::Wrong => "×",
        })
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How it is.
    pub mark: Mark,
    /// What it is about: an object, a plane, a value.
    pub subject: String,
    /// What was found, and what to do.
    pub text: String,
}

impl Line {
    /// A line.
    pub fn new(mark: Mark, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { mark, subject: subject.into(), text: text.into() }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.mark, self.subject, self.text)
    }
}
