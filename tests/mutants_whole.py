"""Planted bugs that the tests of whole processes must catch (`tests/mutants --whole`)."""

AWS = ["-p", "coordinator", "-p", "plane-actor", "-p", "tests", "--features", "tests/aws,plane-actor/aws"]


def whole(test, target="whole"):
    """One test of whole processes; its programs are built before it."""
    return ["cargo", "test", "--quiet", *AWS, "--test", target, "--", "--exact", test]


HAPPY = whole("happy::a_backup_is_complete_proved_shown_and_deleted")
FAULTS = whole("faults::whatever_breaks_under_a_hold_is_never_complete")
BAD_WORLD = whole("bad_world::what_the_world_does_not_allow_touches_nothing")
PAGE = whole("page::the_installation_page_works_as_written")
BAD_INPUT = whole("bad_input::what_can_never_work_is_told_before_anything_happens")


def matrix(cases):
    """The lines of the kill matrix whose label contains this."""
    return ["env", f"ISOCHRON_KILL_MATRIX={cases}", *whole("whoever_dies_at_a_step_of_every_kind", "kill_matrix")]


# name, [file, what stands there, what is planted]…, the test that must catch it
WHOLE = [
    ("commitTs is the greatest safe_ts, and nobody judges it", [
        ("shared/src/barrier/holding.rs",
         "filter_map(|live| live.cover.as_ref()).map(|c| c.least_safe_ts).min();",
         "filter_map(|live| live.cover.as_ref()).map(|c| c.least_safe_ts).max();"),
        ("shared/src/barrier/certificate.rs",
         "map(|seen| seen.cover.least_safe_ts).min()", "map(|seen| seen.cover.least_safe_ts).max()"),
    ], HAPPY),
    ("stores are let go before the last plane's snapshots", [
        ("shared/src/member/confirming.rs",
         "        self.answer(Answer::Snapshotted(Snapshotted { snapshots }), effects);",
         "        self.answer(Answer::Snapshotted(Snapshotted { snapshots }), effects);\n        self.let_go(effects);"),
    ], HAPPY),
    ("a coordinator's certificate is not good for its own name", [
        ("shared/shell/src/pki.rs", "for text in own.iter().chain(names) {", "let _ = own;\n    for text in names {"),
    ], PAGE),
    ("ready on the old manager's definitions", [
        ("coordinator/src/ready.rs",
         "        kube.kinds.fit.borrow().clone()\n", "        kube.kinds.fit.borrow().clone().or(Ok(()))\n"),
    ], PAGE),
    ("Release where Abort belongs", [
        ("shared/src/barrier/ending.rs",
         "Some(Order::Abort(Abort { reason }))", "{ let _ = Abort { reason }; Some(Order::Release) }"),
    ], FAULTS),
    ("certificate without confirmation", [
        ("shared/src/member/confirming.rs",
         "        let all = self.holds.keys().copied().collect();\n        self.renew_some(now, &all, effects);\n",
         "        let all: BTreeSet<StoreId> = self.holds.keys().copied().collect();\n        let _ = now;\n"
         "        all.into_iter().for_each(|store| self.store_confirmed(store, effects));\n"),
        ("shared/src/barrier/certificate.rs", "|| store.renewals_sent == 0", ""),
    ], HAPPY),
    ("a store in no plane is let through", [
        ("shared/src/barrier/admission.rs",
         "stores.iter().find(|store| !owner.contains_key(&store.store))",
         "stores.iter().find(|store| owner.is_empty() && !owner.contains_key(&store.store))"),
        ("shared/src/barrier/certificate.rs", "if count != 1 {", "if count > 1 {"),
    ], BAD_WORLD),
    ("a volume on another instance is let through", [
        ("plane-actor/src/actors/work/volumes.rs",
         "find(|volume| !found.data.contains(volume))", "find(|volume| !found.data.contains(volume) && false)"),
        ("plane-actor/src/actors/work/snapshot.rs",
         "find(|volume| !got.contains(volume))", "find(|volume| !got.contains(volume) && false)"),
        ("shared/src/member/confirming.rs",
         "if now != Some(&store.instance) {", "if now != Some(&store.instance) && false {"),
    ], FAULTS),
    ("a lease that lapsed and was taken again counts", [
        ("shared/src/member/holding.rs", "        if !valid {", "        if !valid && false {"),
        ("plane-actor/src/actors/holds.rs",
         "Ok(Ok(valid)) => (HoldEvent::Leased { store, number, valid }, !valid)",
         "Ok(Ok(valid)) => (HoldEvent::Leased { store, number, valid }, false)"),
    ], FAULTS),
    ("a renewal sent and never answered counts", [
        ("plane-actor/src/actors/holds.rs",
         "        let answer = timeout(length(lease), hold.lease(lease)).await;",
         "        let answer = timeout(Duration::from_secs(1), hold.lease(lease)).await;"),
        ("plane-actor/src/actors/holds.rs",
         "Err(_) => (broken(HoldError::Broken(format!(\"no answer within {} ms\", lease.0))), true),",
         "Err(_) => (HoldEvent::Leased { store, number, valid: true }, false),"),
    ], FAULTS),
    ("backupmeta with the plane's own ts", [
        ("plane-actor/src/actors/work/meta.rs",
         "resolved_ts: complete.commit_ts.0,",
         "resolved_ts: complete.commit_ts.0 + u64::from(!complete.spec.init),"),
    ], HAPPY),
    ("a plane that nobody knows is waited for", [
        ("coordinator/src/actors/planes.rs",
         "    if unknown.is_empty() {", "    if unknown.len() < 100 {"),
    ], BAD_INPUT),
    ("a prefix of somebody else is taken", [
        ("plane-actor/src/actors/work/storage.rs",
         "    if exists(objects, &storage.key(BACKUPMETA)).await? {",
         "    if exists(objects, &storage.key(BACKUPMETA)).await? && ours.is_none() {"),
    ], BAD_WORLD),
    ("a plane that nobody renews holds on", [
        ("shared/src/member/holding.rs",
         "    fn plane_lease_ended(&mut self, effects: &mut Vec<Effect>) {\n        self.lease = None;",
         "    fn plane_lease_ended(&mut self, effects: &mut Vec<Effect>) {\n        self.lease = None;\n"
         "        if self.lease.is_none() {\n            return;\n        }"),
    ], matrix("in the window; coordinator; KILL, for long")),
    ("a restarted coordinator certifies what it has not seen", [
        ("shared/src/barrier/releasing.rs",
         "            Recovered::Aborted => {\n",
         "            Recovered::Aborted if self.all_answered() => self.conclude(now, false, effects),\n"
         "            Recovered::Aborted if self.record.certificate.is_none() => {}\n"
         "            Recovered::Aborted => {\n"),
        ("shared/src/barrier/certificate.rs", "None => broken.push(format!(\"plane {plane} has no evidence\")),", "None => {}"),
    ], matrix("after save commitTs; coordinator; KILL")),
    ("what a failed attempt left is not cleaned", [
        ("shared/src/barrier/ending.rs",
         "if kept.cleaned.is_some() || kept.abandoned {",
         "if kept.cleaned.is_some() || kept.abandoned || self.step == Step::Failed {"),
    ], matrix("before answer Snapshotted; plane 2; KILL")),
]
