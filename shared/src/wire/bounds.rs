//! How much a plane may say. Its words go into records, statuses and memory: what is for people is cut, what is not of a
//! shape that a plane of ours sends is refused.

use super::{
    clean::CleanReport,
    clean::Cleaned,
    diagnose::{Diagnosed, PACKED_MAX},
    inspect::{Inspected, SOURCES_MAX, Source},
    measure::Measured,
    messages::{Aborted, Answer, Completed, Covered, PreflightCheck, Preflighted, Prepared, Recovered, Settled, Up},
    restore::{LookedAt, RestoreAnswer, RestoreProgress, Restored, Undone},
    scan::{PLACES_MAX, Scanned, ScannedPlace, UNNAMED_MAX, Unnamed, UnnamedVolumes},
    verify::{Finding, Verified},
};
use crate::{
    evidence::{AcceptedSnapshot, ClusterStore, Evidence, PreparedStore, StoreEvidence},
    ids::{Attempt, BackupUid},
    reason::{Refusal, cut},
    recovery::MetStore,
};

/// Longest text for people, and longest name of anything: EC2's longest messages are below 2 KiB, DNS names and ARNs too.
pub const TEXT_MAX: usize = 4 * 1024;
/// Longest word for a thing that was looked at.
const SUBJECT_MAX: usize = 64;
/// Longest place in S3: a bucket of 63 bytes and a key of 1024.
const PATH_MAX: usize = 1100;
/// Longest line of progress, which is kept for each plane and goes into every view.
pub const PROGRESS_MAX: usize = 1024;
/// Most stores that one TiDB cluster is believed to have; the largest known have some hundreds.
pub const STORES_MAX: usize = 4096;
/// Most volumes of one store. EC2 attaches at most 128 to an instance.
pub const VOLUMES_MAX: usize = 128;
/// Most directories of TiKV that lie on one volume; it has a dozen in all.
pub const DIRECTORIES_MAX: usize = 64;
/// Most volumes of one plane, and so snapshots of it.
pub const SNAPSHOTS_MAX: usize = 4 * STORES_MAX;
/// Most lines of a list that is for people: schedulers, regions, leftovers, checks.
pub const LINES_MAX: usize = 256;

/// What a plane said is no message of ours: this is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {seen}, at most {most} are taken")]
pub struct TooMuch {
    /// Of what.
    pub what: &'static str,
    /// How many, or how long.
    pub seen: usize,
    /// The bound.
    pub most: usize,
}

/// Cuts what is for people; refuses what cannot be cut.
pub fn bounded(up: Up) -> Result<Up, TooMuch> {
    match up {
        Up::Answer { attempt: Attempt { backup, number }, epoch, answer } => {
            names(std::iter::once(backup.as_str()))?;
            Ok(Up::Answer { attempt: Attempt { backup, number }, epoch, answer: answered(answer)? })
        }
        Up::Preflighted(Preflighted { number, checks, at, prepared }) => {
            let checks = checks.into_iter().take(LINES_MAX).map(|check| PreflightCheck {
                what: cut(check.what, TEXT_MAX),
                took: check.took,
                result: check.result.map(|found| cut(found, TEXT_MAX)).map_err(refusal),
                warning: check.warning.map(refusal),
            });
            let prepared = prepared.map(checked).transpose()?;
            Ok(Up::Preflighted(Preflighted { number, checks: checks.collect(), at, prepared }))
        }
        Up::Verified(Verified { number, findings, at, calls }) => {
            Ok(Up::Verified(Verified { number, findings: found(findings), at, calls }))
        }
        Up::Inspected(inspected) => {
            sources(&inspected.sources)?;
            let place = inspected.place.iter();
            names(place.flat_map(|place| [place.account.as_str(), place.region.as_str()]))?;
            Ok(Up::Inspected(Inspected { findings: found(inspected.findings), ..inspected }))
        }
        Up::Scanned(Scanned { number, places, calls }) => {
            let places = places.into_iter().take(PLACES_MAX).map(place).collect();
            Ok(Up::Scanned(Scanned { number, places, calls }))
        }
        Up::Restored(restored) => {
            names(std::iter::once(restored.restore.as_str()))?;
            let Restored { restore, epoch, answer } = *restored;
            Ok(Up::Restored(Box::new(Restored { restore, epoch, answer: restore_answer(answer)? })))
        }
        Up::Diagnosed(Diagnosed { number, told }) => {
            // What is packed cannot be cut.
            count("bytes of what it says of itself", told.as_ref().map_or(0, String::len), PACKED_MAX)?;
            Ok(Up::Diagnosed(Diagnosed { number, told: told.map_err(refusal) }))
        }
    }
}

fn restore_answer(answer: RestoreAnswer) -> Result<RestoreAnswer, TooMuch> {
    Ok(match answer {
        RestoreAnswer::Looked(looked) => {
            count("stores", looked.stores.len(), STORES_MAX)?;
            count("snapshots", looked.snapshots.len(), SNAPSHOTS_MAX)?;
            let of = [looked.backup.as_str(), &looked.certificate, &looked.account, &looked.region];
            names(of.into_iter().chain(looked.snapshots.iter().map(|snapshot| snapshot.as_str())))?;
            RestoreAnswer::Looked(Box::new(LookedAt { findings: found(looked.findings), ..*looked }))
        }
        RestoreAnswer::Placed { volumes } => {
            count("volumes", volumes.len(), SNAPSHOTS_MAX)?;
            names(volumes.iter().flat_map(|one| [one.snapshot.as_str(), one.volume.as_str(), &one.claim]))?;
            RestoreAnswer::Placed { volumes }
        }
        RestoreAnswer::Met(met) => {
            met_stores(&met.stores)?;
            RestoreAnswer::Met(met)
        }
        RestoreAnswer::Checked(checked) => {
            met_stores(&checked.stores)?;
            RestoreAnswer::Checked(checked)
        }
        RestoreAnswer::Settled(normal) => {
            met_stores(&normal.stores)?;
            RestoreAnswer::Settled(normal)
        }
        RestoreAnswer::Undone(undone) => RestoreAnswer::Undone(Undone { left: lines(undone.left), ..undone }),
        RestoreAnswer::Progress(progress) => {
            RestoreAnswer::Progress(RestoreProgress { text: cut(progress.text, PROGRESS_MAX), ..progress })
        }
        RestoreAnswer::Refused(refused) => RestoreAnswer::Refused(refusal(refused)),
        short @ (RestoreAnswer::Marked { .. }
        | RestoreAnswer::Built(_)
        | RestoreAnswer::Warmed
        | RestoreAnswer::Started
        | RestoreAnswer::Led(_)
        | RestoreAnswer::Timed { .. }
        | RestoreAnswer::RolledBack(_)
        | RestoreAnswer::Unmarked
        | RestoreAnswer::Restarted { .. }
        | RestoreAnswer::Finished) => short,
    })
}

fn met_stores(stores: &[MetStore]) -> Result<(), TooMuch> {
    count("stores", stores.len(), STORES_MAX)?;
    names(stores.iter().map(|store| store.address.as_str()))
}

fn found(findings: Vec<Finding>) -> Vec<Finding> {
    let bounded = |Finding { subject, took, state, text }| Finding {
        subject: cut(subject, SUBJECT_MAX),
        took,
        state,
        text: cut(text, TEXT_MAX),
    };
    findings.into_iter().take(LINES_MAX).map(bounded).collect()
}

fn sources(sources: &[Source]) -> Result<(), TooMuch> {
    count("sources", sources.len(), SOURCES_MAX)?;
    names(sources.iter().flat_map(|one| {
        let of = [one.volume.as_str(), one.snapshot.as_str(), &one.claim, &one.kind, &one.zone, &one.key];
        let named = [one.place.as_ref().map(|place| &place.name), one.today.as_ref().map(|today| &today.name)];
        of.into_iter().chain(named.into_iter().flatten().map(String::as_str))
    }))
}

fn place(place: ScannedPlace) -> ScannedPlace {
    let name = |text: String| cut(text, SUBJECT_MAX * 4);
    let found = place.found.into_iter().take(UNNAMED_MAX).map(|one| Unnamed {
        backup: BackupUid(name(one.backup.0)),
        namespace: name(one.namespace),
        name: name(one.name),
        cluster: name(one.cluster),
        path: cut(one.path, PATH_MAX),
        kept: one.kept.map(|why| cut(why, PROGRESS_MAX)),
        ..one
    });
    let volumes = place.volumes.into_iter().take(UNNAMED_MAX).map(|one| UnnamedVolumes {
        restore: BackupUid(name(one.restore.0)),
        namespace: name(one.namespace),
        name: name(one.name),
        kept: one.kept.map(|why| cut(why, PROGRESS_MAX)),
        ..one
    });
    ScannedPlace {
        account: name(place.account),
        region: name(place.region),
        bucket: name(place.bucket),
        found: found.collect(),
        volumes: volumes.collect(),
        unseen: lines(place.unseen),
        deleted: place.deleted.map(|report| CleanReport {
            left: lines(report.left),
            notes: lines(report.notes),
            ..report
        }),
        ..place
    }
}

fn answered(answer: Answer) -> Result<Answer, TooMuch> {
    Ok(match answer {
        Answer::Prepared(prepared) => Answer::Prepared(checked(prepared)?),
        Answer::Settled(Settled::PdHeld { gc_hold, schedulers }) => {
            Answer::Settled(Settled::PdHeld { gc_hold, schedulers: lines(schedulers) })
        }
        Answer::Covered(Covered { round, digest, missing }) => {
            Answer::Covered(Covered { round, digest, missing: lines(missing) })
        }
        Answer::Snapshotted(snapshotted) => {
            snapshots(&snapshotted.snapshots)?;
            count("calls", snapshotted.accepted.len(), STORES_MAX)?;
            names(snapshotted.accepted.iter().map(|call| call.instance.as_str()))?;
            Answer::Snapshotted(snapshotted)
        }
        Answer::Confirmed(confirmed) => {
            evidence(&confirmed.evidence)?;
            Answer::Confirmed(confirmed)
        }
        Answer::Recovered(Recovered::Evidence(seen)) => {
            evidence(&seen)?;
            Answer::Recovered(Recovered::Evidence(seen))
        }
        Answer::Aborted(Aborted { cause }) => Answer::Aborted(Aborted { cause: cause.map(refusal) }),
        Answer::Completed(Completed { full_bytes, unknown, measures, notes }) => {
            Answer::Completed(Completed { full_bytes, unknown, measures, notes: lines(notes) })
        }
        Answer::Measured(Measured { from, bytes, unknown, notes }) => {
            Answer::Measured(Measured { from, bytes, unknown, notes: lines(notes) })
        }
        Answer::Cleaned(Cleaned { mut report }) => {
            report.left = lines(report.left);
            Answer::Cleaned(Cleaned { report })
        }
        Answer::Progress(mut progress) => {
            progress.text = cut(progress.text, PROGRESS_MAX);
            Answer::Progress(progress)
        }
        Answer::Refused(refused) => Answer::Refused(refusal(refused)),
        Answer::Settled(Settled::Leaders { .. })
        | Answer::Recovered(Recovered::Aborted)
        | Answer::Reserved(_)
        | Answer::Suspended(_)
        | Answer::Released(_)
        | Answer::Renewed(_) => answer,
    })
}

fn refusal(Refusal { reason, message }: Refusal) -> Refusal {
    Refusal { reason, message: cut(message, TEXT_MAX) }
}

/// A report goes into the record: all of its lines together are no longer than one text.
fn lines(lines: Vec<String>) -> Vec<String> {
    let mut room = TEXT_MAX;
    let mut kept = Vec::new();
    for line in lines.into_iter().take(LINES_MAX) {
        let line = cut(line, room);
        room = room.saturating_sub(line.len().max(1));
        kept.push(line);
        if room == 0 {
            break;
        }
    }
    kept
}

fn checked(prepared: Prepared) -> Result<Prepared, TooMuch> {
    names([&prepared.cluster_version, &prepared.account, &prepared.region].into_iter().map(String::as_str))?;
    stores(&prepared.stores)?;
    cluster(&prepared.cluster_stores)?;
    Ok(prepared)
}

fn stores(stores: &[PreparedStore]) -> Result<(), TooMuch> {
    count("stores", stores.len(), STORES_MAX)?;
    count("volumes", stores.iter().map(|store| store.volumes.len()).sum(), SNAPSHOTS_MAX)?;
    for store in stores {
        count("volumes of a store", store.volumes.len(), VOLUMES_MAX)?;
        names([store.address.as_str(), store.instance.as_str()].into_iter())?;
        for volume in &store.volumes {
            names([volume.volume.as_str(), &volume.mount_path, &volume.kind, &volume.zone].into_iter())?;
            count("directories of a volume", volume.directories.len(), DIRECTORIES_MAX)?;
            names(volume.directories.iter().flat_map(|(key, path)| [key.as_str(), path.as_str()]))?;
        }
    }
    Ok(())
}

fn cluster(stores: &[ClusterStore]) -> Result<(), TooMuch> {
    count("stores", stores.len(), STORES_MAX)?;
    names(stores.iter().flat_map(|store| [store.address.as_str(), store.version.as_str()]))
}

fn snapshots(snapshots: &[AcceptedSnapshot]) -> Result<(), TooMuch> {
    count("snapshots", snapshots.len(), SNAPSHOTS_MAX)?;
    names(snapshots.iter().flat_map(|one| [one.volume.as_str(), one.snapshot.as_str(), one.instance.as_str()]))
}

fn evidence(seen: &Evidence) -> Result<(), TooMuch> {
    count("stores", seen.stores.len(), STORES_MAX)?;
    names(seen.stores.iter().map(|StoreEvidence { address, .. }| address.as_str()))?;
    snapshots(&seen.snapshots)?;
    seen.pd.as_ref().map_or(Ok(()), |pd| cluster(&pd.stores))
}

fn names<'a>(mut names: impl Iterator<Item = &'a str>) -> Result<(), TooMuch> {
    match names.find(|name| name.len() > TEXT_MAX) {
        Some(name) => count("bytes of a name", name.len(), TEXT_MAX),
        None => Ok(()),
    }
}

fn count(what: &'static str, seen: usize, most: usize) -> Result<(), TooMuch> {
    if seen > most { Err(TooMuch { what, seen, most }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        epoch::Epoch,
        evidence::PreparedVolume,
        ids::{BackupUid, ClusterId},
        reason::Reason,
        wire::{CleanReport, PlanePhase, Progress},
    };

    fn heard(answer: Answer) -> Result<Answer, TooMuch> {
        let attempt = Attempt { backup: BackupUid::from("u"), number: 1 };
        bounded(Up::Answer { attempt, epoch: Epoch(1), answer }).map(|up| match up {
            Up::Answer { answer, .. } => answer,
            other => unreachable!("an answer stays one: {other:?}"),
        })
    }

    fn long() -> String {
        "ü".repeat(150_000)
    }

    fn prepared(stores: usize, volumes: usize, name: &str) -> Answer {
        let volume = PreparedVolume { zone: name.to_owned(), ..PreparedVolume::example("vol-1") };
        let store = PreparedStore { volumes: vec![volume; volumes], ..PreparedStore::example(1, &[]) };
        Answer::Prepared(Prepared {
            round: 1,
            cluster: ClusterId(7),
            cluster_version: "7.5.1".into(),
            stores: vec![store; stores],
            cluster_stores: Vec::new(),
            account: "1".into(),
            region: "r".into(),
            highest_epoch: Epoch(1),
            budgets: None,
        })
    }

    #[test]
    fn what_is_for_people_is_cut() {
        let refused = Refusal::new(Reason::AccessDenied, long());
        let Ok(Answer::Refused(refusal)) = heard(Answer::Refused(refused.clone())) else { panic!() };
        assert!(refusal.message.len() <= TEXT_MAX && refusal.message.ends_with(" …"), "{}", refusal.message.len());
        let Ok(Answer::Aborted(aborted)) = heard(Answer::Aborted(Aborted { cause: Some(refused) })) else { panic!() };
        assert!(aborted.cause.unwrap().message.len() <= TEXT_MAX);
        let progress = Progress { phase: PlanePhase::Covering, done: 1, total: 2, text: long() };
        let Ok(Answer::Progress(progress)) = heard(Answer::Progress(progress)) else { panic!() };
        assert!(progress.text.len() <= PROGRESS_MAX);
        let report = CleanReport { left: vec!["x".repeat(100); 1_000_000], ..CleanReport::default() };
        let Ok(Answer::Cleaned(cleaned)) = heard(Answer::Cleaned(Cleaned { report })) else { panic!() };
        let sum: usize = cleaned.report.left.iter().map(String::len).sum();
        assert!((TEXT_MAX - 200..=TEXT_MAX).contains(&sum), "{sum}");
        let short = Answer::Refused(Refusal::new(Reason::AccessDenied, "no"));
        assert_eq!(heard(short.clone()), Ok(short), "what is short stays as it is");
    }

    #[test]
    fn what_a_plane_says_of_itself_has_an_end() {
        let told = |bytes| bounded(Up::Diagnosed(Diagnosed { number: 1, told: Ok("x".repeat(bytes)) }));
        assert!(told(PACKED_MAX).is_ok());
        assert_eq!(told(PACKED_MAX + 1).map_err(|error| error.most), Err(PACKED_MAX));
        let refused = Diagnosed { number: 1, told: Err(Refusal::new(Reason::PlaneBusy, long())) };
        let Ok(Up::Diagnosed(Diagnosed { told: Err(refusal), .. })) = bounded(Up::Diagnosed(refused)) else { panic!() };
        assert!(refusal.message.len() <= TEXT_MAX);
    }

    #[test]
    fn what_no_plane_of_ours_says_is_refused() {
        assert!(heard(prepared(300, 4, "eu-west-1a")).is_ok());
        for (answer, what) in [
            (prepared(STORES_MAX + 1, 1, "z"), "stores"),
            (prepared(1, VOLUMES_MAX + 1, "z"), "volumes of a store"),
            (prepared(1, 1, &long()), "bytes of a name"),
            (prepared(STORES_MAX, 5, "z"), "volumes"),
        ] {
            assert_eq!(heard(answer).map_err(|error| error.what), Err(what));
        }
    }
}
