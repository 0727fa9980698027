//! Rules that always hold, as a list to be looked through.

/// A rule by its name, and whether it holds.
pub(crate) type Rule = (&'static str, bool);

/// The name of the first rule that does not hold.
pub(crate) fn check(rules: &[Rule]) -> Result<(), &'static str> {
    rules.iter().find(|(_, holds)| !holds).map_or(Ok(()), |(rule, _)| Err(*rule))
}
