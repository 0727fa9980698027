//! No effect is forgotten: whatever the machines can want has a line of the table. Read from the sources, so that a new
//! one fails here.

use super::steps::{COORDINATOR, PLANE};
use std::collections::BTreeSet;

/// What has none, and why.
const NONE: &[(&str, &str)] = &[
    ("Alarm", "an impossible state; every line checks that there was none"),
    ("CancelWork", "follows the end of an attempt in one batch with steps that have lines"),
    ("order: Renew", "comes at any time and stores nothing: the moments beside it have lines"),
    ("answer: Renewed", "likewise"),
    ("work: RenewPd", "likewise"),
    ("answer: Progress", "for people"),
    ("answer: Refused", "stores nothing; what follows it is a bad end, which has lines"),
    (
        "order: Measure",
        "after Complete; holds nothing, makes nothing: `tests/protocol/sizes.rs` kills both sides meanwhile",
    ),
    ("answer: Measured", "likewise"),
    ("work: Measure", "likewise"),
    ("down: Order", "each kind has its own line"),
    (
        "down: Restore",
        "no barrier: whoever dies in a restore is played by `tests/protocol/restores.rs`, in the simulated world",
    ),
    ("down: Preflight", "touches nothing, and no machine knows it: `tests/protocol/check.rs`"),
    ("down: Verify", "no effect of a machine: `steps::QUESTIONS` has its lines, and `tests/protocol/midway.rs`"),
    ("down: Scan", "likewise"),
    ("down: Inspect", "no effect of a machine, and the looks are those of Verify: `tests/protocol/restore_plan.rs`"),
    ("down: Diagnose", "reads memory alone, and no machine knows it: `tests/protocol/diagnose.rs`"),
    ("down: Divide", "parts of budgets, which nobody keeps: told again whenever they change"),
];

/// Names of an enum's variants, as rustfmt leaves them.
fn variants(source: &str, name: &str) -> Vec<String> {
    let start = source.find(&format!("pub enum {name} {{")).unwrap_or_else(|| panic!("no enum {name}"));
    let body = source[start..].lines().skip(1).take_while(|line| *line != "}");
    let variant = |line: &str| {
        let line = line.strip_prefix("    ")?;
        let name: String = line.chars().take_while(char::is_ascii_alphanumeric).collect();
        name.starts_with(|first: char| first.is_ascii_uppercase()).then_some(name)
    };
    let found: Vec<String> = body.filter_map(variant).collect();
    assert!(found.len() > 2, "{name} has {found:?}");
    found
}

#[test]
fn every_effect_has_a_line() {
    let wire = include_str!("../../../shared/src/wire/messages.rs");
    let member = include_str!("../../../shared/src/member/effect.rs");
    let (record, ledger) =
        (include_str!("../../../shared/src/barrier/record.rs"), include_str!("../../../shared/src/member/ledger.rs"));
    let coordinator: &[(&str, &str, &str)] = &[
        ("", include_str!("../../../shared/src/barrier/input.rs"), "Effect"),
        ("down: ", wire, "Down"),
        ("order: ", wire, "Order"),
        ("milestone: ", record, "Milestone"),
    ];
    let plane: &[(&str, &str, &str)] = &[
        ("", member, "Effect"),
        ("answer: ", wire, "Answer"),
        ("work: ", member, "Work"),
        ("state: ", ledger, "AttemptState"),
    ];
    let mut missing = BTreeSet::new();
    for (steps, enums) in [(COORDINATOR, coordinator), (PLANE, plane)] {
        let marks: Vec<&str> = steps.iter().flat_map(|step| step.marks).copied().collect();
        for (prefix, source, name) in enums {
            let wanted = variants(source, name).into_iter().map(|variant| format!("{prefix}{variant}"));
            missing.extend(wanted.filter(|wanted| !marks.iter().any(|mark| mark.starts_with(wanted.as_str()))));
        }
    }
    let excused: BTreeSet<String> = NONE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(missing, excused, "left: effects without a line; right: those that are excused");
}
