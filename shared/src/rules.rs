//! Rules that always hold, as a list to be looked through.

/// A rule by its name, and whether it holds.
pub(crate) type Rule = (&'static str, bool);

/// The name of the first rule that does not hold.
pub(crate) fn check(rules: &[Rule]) -> Result<(), &'static str> {
    rules.iter().find(|(_, holds)| !holds).map_or(Ok(()), |(rule, _)| Err(*rule))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn the_first_rule_that_does_not_hold_is_named() {
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&[("a", true), ("b", true)]), Ok(()));
        assert_eq!(check(&[("a", true), ("b", false), ("c", false)]), Err("b"));
    }
}
