//! Every boundary of both machines' effects, in the order of a backup.

use super::table::{
    Case,
    Expect::{self, Either, Failed, Good},
    Injection, Marks,
    Scenario::{self, Backup, BadEnd, Deletion, Recovery, Scan, Verification},
    Side::{self, After, Before},
    Step,
};
use std::time::Duration;
use tests::processes::programs::Who;

const RESTARTED: Expect = Failed(&["CoordinatorRestarted"]);
const PLANE_RESTARTED: Expect = Failed(&["PlaneRestarted"]);
const ANY: Expect = Failed(&[]);

/// Who dies how in `tests/run`.
type Quick = &'static [(Who, Injection)];
const C_KILL: Quick = &[(Who::Coordinator, Injection::Kill)];
const C_TERM: Quick = &[(Who::Coordinator, Injection::Term)];
const C_BOTH: Quick = &[(Who::Coordinator, Injection::Kill), (Who::Coordinator, Injection::Term)];
const INIT_KILL: Quick = &[(Who::Plane(0), Injection::Kill)];
const INIT_TERM: Quick = &[(Who::Plane(0), Injection::Term)];
const OTHER_KILL: Quick = &[(Who::Plane(1), Injection::Kill)];
const OTHER_TERM: Quick = &[(Who::Plane(1), Injection::Term)];

const fn step(
    name: &'static str,
    side: Side,
    scenario: Scenario,
    marks: Marks,
    expect: [Expect; 2],
    quick: Quick,
) -> Step {
    Step { name, side, scenario, marks, expect, quick }
}

/// The coordinator's.
pub(crate) const COORDINATOR: &[Step] = &[
    step("save the wish", Before, Backup, &["Save(", "milestone: Preparing"], [Good, Good], C_TERM),
    step("save the wish", After, Backup, &["Save(", "milestone: Preparing"], [Good, Good], &[]),
    step("order Prepare", Before, Backup, &["Send", "order: Prepare"], [Good, Good], C_TERM),
    step("claim", Before, Backup, &["Claim"], [Good, Good], C_TERM),
    step("save the epoch", Before, Backup, &["Save(", "milestone: Barrier"], [Good, Good], C_KILL),
    step("save the epoch", After, Backup, &["Save(", "milestone: Barrier"], [RESTARTED, Good], C_TERM),
    step("order Reserve", Before, Backup, &["Send", "order: Reserve"], [RESTARTED, Good], &[]),
    step("order Settle (PD)", Before, Backup, &["Send", "order: Settle(HoldPd"], [RESTARTED, Good], &[]),
    step("order Settle", Before, Backup, &["Send", "order: Settle(Leaders"], [RESTARTED, Good], C_TERM),
    step("order Suspend", After, Backup, &["Send", "order: Suspend"], [RESTARTED, Good], C_KILL),
    step("order Cover", Before, Backup, &["Send", "order: Cover"], [RESTARTED, Good], C_TERM),
    step("save commitTs", Before, Backup, &["Save(", "milestone: Snapshotting"], [RESTARTED, Good], &[]),
    step("save commitTs", After, Backup, &["Save(", "milestone: Snapshotting"], [RESTARTED, Good], C_KILL),
    step("order Snapshot", After, Backup, &["Send", "order: Snapshot"], [RESTARTED, Good], C_TERM),
    step("order Confirm", Before, Backup, &["Send", "order: Confirm"], [RESTARTED, Good], &[]),
    step("order Release", Before, Backup, &["Send", "order: Release"], [Good, Good], C_BOTH),
    step("order Release", After, Backup, &["Send", "order: Release"], [Good, Good], &[]),
    step("save the certificate", Before, Backup, &["Save(", "milestone: Certified"], [Good, Good], &[]),
    step("save the certificate", After, Backup, &["Save(", "milestone: Certified"], [Good, Good], C_TERM),
    step("end the claim", Before, Backup, &["EndClaim"], [Good, Good], C_TERM),
    step("order Complete", Before, Backup, &["Send", "order: Complete"], [Good, Good], &[]),
    step("save Complete", Before, Backup, &["Save(", "milestone: Complete"], [Good, Good], C_TERM),
    step("order Recover", Before, Recovery, &["Send", "order: Recover"], [Good, Good], C_TERM),
    step("save the certificate", Before, Recovery, &["Save(", "milestone: Certified"], [Good, Good], &[]),
    step("save the abort", Before, BadEnd, &["Save(", "milestone: Aborting"], [RESTARTED, ANY], C_TERM),
    step("save the abort", After, BadEnd, &["Save(", "milestone: Aborting"], [ANY, ANY], &[]),
    step("order Abort", Before, BadEnd, &["Send", "order: Abort"], [ANY, ANY], C_KILL),
    step("save Failed", Before, BadEnd, &["Save(", "milestone: Failed"], [ANY, ANY], C_TERM),
    step("save the deletion", After, Deletion, &["Save(", "milestone: Cleaning"], [Good, Good], C_TERM),
    step("order Clean", Before, Deletion, &["Send", "order: Clean"], [Good, Good], C_TERM),
    step("save Cleaned", Before, Deletion, &["Save(", "milestone: Cleaned"], [Good, Good], &[]),
    step("let the object go", Before, Deletion, &["Gone"], [Good, Good], C_TERM),
];

const NOT_PREPARED: &[&str] = &["NotPrepared", "PlaneRestarted"];

/// A plane's.
pub(crate) const PLANE: &[Step] = &[
    step("look", Before, Backup, &["Work", "work: Prepare"], [Good, Good], INIT_KILL),
    step("answer Prepared", Before, Backup, &["Send", "answer: Prepared"], [Good, Either(NOT_PREPARED)], OTHER_KILL),
    step(
        "save the epoch",
        Before,
        Backup,
        &["Save(", "state: Live"],
        [Failed(NOT_PREPARED), Failed(NOT_PREPARED)],
        OTHER_TERM,
    ),
    step("save the epoch", After, Backup, &["Save(", "state: Live"], [PLANE_RESTARTED, PLANE_RESTARTED], INIT_KILL),
    step("reserve", After, Backup, &["Work", "work: Reserve"], [PLANE_RESTARTED, PLANE_RESTARTED], OTHER_KILL),
    step("hold PD", After, Backup, &["Work", "work: HoldPd"], [PLANE_RESTARTED, PLANE_RESTARTED], INIT_TERM),
    step(
        "answer Settled (PD)",
        Before,
        Backup,
        &["Send", "answer: Settled(PdHeld"],
        [PLANE_RESTARTED, PLANE_RESTARTED],
        INIT_KILL,
    ),
    step("ask leaders", Before, Backup, &["Work", "work: Leaders"], [PLANE_RESTARTED, PLANE_RESTARTED], OTHER_KILL),
    step("open leases", After, Backup, &["Work", "work: OpenHolds"], [PLANE_RESTARTED, PLANE_RESTARTED], OTHER_TERM),
    step(
        "answer Suspended",
        Before,
        Backup,
        &["Send", "answer: Suspended"],
        [PLANE_RESTARTED, PLANE_RESTARTED],
        INIT_KILL,
    ),
    step("cover", After, Backup, &["Work", "work: Cover"], [PLANE_RESTARTED, PLANE_RESTARTED], OTHER_KILL),
    // The renewal may be that of the confirmation, which a plane that is told to end finishes.
    step("renew leases", Before, Backup, &["RenewStores"], [PLANE_RESTARTED, Either(&["PlaneRestarted"])], INIT_TERM),
    step(
        "ask for snapshots",
        Before,
        Backup,
        &["Work", "work: Snapshot"],
        [PLANE_RESTARTED, PLANE_RESTARTED],
        OTHER_TERM,
    ),
    step("ask for snapshots", After, Backup, &["Work", "work: Snapshot"], [PLANE_RESTARTED, PLANE_RESTARTED], &[]),
    step(
        "answer Snapshotted",
        Before,
        Backup,
        &["Send", "answer: Snapshotted"],
        [PLANE_RESTARTED, PLANE_RESTARTED],
        OTHER_KILL,
    ),
    step("read back", Before, Backup, &["Work", "work: ReadBack"], [PLANE_RESTARTED, PLANE_RESTARTED], INIT_KILL),
    step("save the evidence", Before, Backup, &["Save(", "state: Confirmed"], [PLANE_RESTARTED, PLANE_RESTARTED], &[]),
    step(
        "save the evidence",
        After,
        Backup,
        &["Save(", "state: Confirmed"],
        [PLANE_RESTARTED, Either(&["PlaneRestarted"])],
        OTHER_KILL,
    ),
    step("let go", Before, Backup, &["DropHolds", "confirmed: true"], [Good, Good], INIT_KILL),
    step("answer Released", Before, Backup, &["Send", "answer: Released"], [Good, Good], OTHER_TERM),
    step("complete", After, Backup, &["Work", "work: Complete"], [Good, Good], OTHER_KILL),
    step("answer Completed", Before, Backup, &["Send", "answer: Completed"], [Good, Good], INIT_TERM),
    step("answer Recovered", Before, Recovery, &["Send", "answer: Recovered"], [Good, Good], OTHER_KILL),
    step("answer Aborted", Before, BadEnd, &["Send", "answer: Aborted"], [ANY, ANY], &[]),
    step(
        "answer Reserved",
        Before,
        Backup,
        &["Send", "answer: Reserved"],
        [PLANE_RESTARTED, Either(&["PlaneRestarted"])],
        &[],
    ),
    step("answer Covered", Before, Backup, &["Send", "answer: Covered"], [PLANE_RESTARTED, PLANE_RESTARTED], &[]),
    step(
        "answer Confirmed",
        Before,
        Backup,
        &["Send", "answer: Confirmed"],
        [PLANE_RESTARTED, Either(&["PlaneRestarted"])],
        &[],
    ),
    step("save the break", Before, BadEnd, &["Save(", "state: Broken"], [ANY, ANY], OTHER_KILL),
    step("let go", Before, BadEnd, &["DropHolds", "confirmed: false"], [ANY, ANY], INIT_KILL),
    step("clean", After, BadEnd, &["Work", "work: Clean"], [ANY, ANY], &[]),
    step("clean", After, Deletion, &["Work", "work: Clean"], [Good, Good], OTHER_KILL),
    step("answer Cleaned", Before, Deletion, &["Send", "answer: Cleaned"], [Good, Good], INIT_TERM),
];

const SNAPSHOTTED: Marks = &["Send", "answer: Snapshotted"];
const CONFIRM: Marks = &["Send", "order: Confirm"];
/// The call is under way: EC2 has done it, and nobody will hear of it.
const CALLING: Marks = &[];
/// Longer than a plane's lease.
const LONG: Duration = Duration::from_secs(20);
/// Longer than a session's silence and a plane's lease together.
const LONGER: Duration = Duration::from_secs(35);

const fn in_the_window(marks: Marks, who: Who, injection: Injection, expect: Expect) -> Case {
    Case { step: "in the window", side: Before, scenario: Backup, marks, who, injection, expect }
}

const fn looked(scenario: Scenario, who: Who) -> Case {
    let injection = Injection::Kill;
    Case { step: "in the middle", side: Before, scenario, marks: CALLING, who, injection, expect: Good }
}

/// Questions are no effects of a machine: whoever dies in the middle of one leaves nothing, and the next one is answered.
pub(crate) const QUESTIONS: &[Case] = &[
    looked(Verification, Who::Coordinator),
    looked(Verification, Who::Plane(1)),
    looked(Scan, Who::Coordinator),
    looked(Scan, Who::Plane(1)),
];

/// The same cuts by the kernel, between network namespaces, and wires that are pulled.
pub(crate) const NAMESPACES: &[Case] = &[
    cut(true, true, LONG, ANY),
    cut(true, false, LONG, Either(&[])),
    cut(false, true, LONG, ANY),
    in_the_window(SNAPSHOTTED, Who::Plane(1), Injection::Unplug(LONG), ANY),
    cut(true, true, Duration::from_secs(4), Good),
    in_the_window(SNAPSHOTTED, Who::Plane(1), Injection::Unplug(Duration::from_secs(4)), Good),
];

const fn cut(up: bool, down: bool, length: Duration, expect: Expect) -> Case {
    in_the_window(SNAPSHOTTED, Who::Plane(1), Injection::Cut { up, down, length }, expect)
}

/// What happens in the window to processes that live on, or are away for long.
pub(crate) const WORLD: &[Case] = &[
    in_the_window(CALLING, Who::Plane(1), Injection::Kill, PLANE_RESTARTED),
    in_the_window(CALLING, Who::Coordinator, Injection::Kill, RESTARTED),
    in_the_window(CONFIRM, Who::Coordinator, Injection::KillForLong, RESTARTED),
    in_the_window(CONFIRM, Who::Coordinator, Injection::AllDie, RESTARTED),
    in_the_window(SNAPSHOTTED, Who::Plane(2), Injection::KillForLong, ANY),
    in_the_window(CONFIRM, Who::Coordinator, Injection::Hang(LONG), ANY),
    in_the_window(SNAPSHOTTED, Who::Plane(1), Injection::Hang(LONG), ANY),
    // Shorter than every lease: the answer comes late, and that is all.
    cut(true, true, Duration::from_secs(4), Good),
    cut(true, true, LONG, ANY),
    // The coordinator's renewals still arrive, until it has given the session up.
    cut(true, false, LONG, Either(&[])),
    cut(true, false, LONGER, ANY),
    cut(false, true, LONG, ANY),
    in_the_window(
        SNAPSHOTTED,
        Who::Plane(1),
        Injection::StoreDies,
        Failed(&["StoreHoldLost", "StoresChanged", "StoreUnavailable"]),
    ),
    in_the_window(SNAPSHOTTED, Who::Plane(0), Injection::PdDies, Either(&[])),
];
