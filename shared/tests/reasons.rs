//! The runbook has every reason, in the words of the published table, and no other.

use shared::reason::Reason;

const RUNBOOK: &str = include_str!("../../deploy/runbook.md");

/// What the page must say of a reason; further advice may follow.
fn section(reason: Reason) -> String {
    format!("### {reason}\n\n{}\n\n**Do:** {}\n", reason.meaning().trim(), reason.action())
}

#[test]
fn the_runbook_has_every_reason() {
    let missing: String =
        Reason::ALL.iter().map(|reason| section(*reason)).filter(|section| !RUNBOOK.contains(section)).collect();
    assert!(missing.is_empty(), "deploy/runbook.md lacks, or words otherwise:\n\n{missing}");
}

#[test]
fn the_runbook_says_which_are_tried_again() {
    let paragraph = RUNBOOK.split("\n\n").find(|paragraph| paragraph.starts_with("**Tried again")).unwrap_or_default();
    let listed: Vec<&str> = paragraph.split('`').skip(1).step_by(2).skip(1).collect();
    let passing: Vec<&str> =
        Reason::ALL.iter().filter(|reason| reason.is_passing()).map(|reason| reason.as_str()).collect();
    assert_eq!(listed, passing, "in the order of the table");
}

#[test]
fn the_runbook_has_no_reason_that_does_not_exist() {
    let headings = RUNBOOK.lines().filter_map(|line| line.strip_prefix("### "));
    let known = |heading: &&str| Reason::ALL.iter().any(|reason| reason.as_str() == *heading);
    assert_eq!(headings.filter(|heading| !known(heading)).collect::<Vec<_>>(), Vec::<&str>::new());
}
