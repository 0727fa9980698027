//! One row of status for each plane, and how long its texts may be: with many planes they are cut, so that the object still
//! fits into etcd.

use crate::edge::kube::{
    convert::words::{MAX_TEXT, int, shortened},
    crd::MemberStatus,
};
use shared::{
    barrier::{Milestone, PlaneRecord, Record, View, full_size_of},
    ids::PlaneId,
    reason::{Reason, Refusal},
    request::{MemberRequest, Request},
    ts::Ts,
};

/// What etcd takes of one object (its `--max-request-bytes`), less what does not grow with the planes: conditions of a KiB each,
/// other texts, metadata.
const OBJECT: usize = 1_536 * 1024 - 128 * 1024;
/// Keys, numbers, sizes and words of one row, and of one entry of the spec.
const ROW: usize = 480;
const ENTRY: usize = 64;
/// A row has a message and its progress. Below this they say nothing any more.
const TEXTS: usize = 2;
const LEAST: usize = 128;

/// Of every member, in the order of the spec.
pub(super) fn of(view: &View) -> Vec<MemberStatus> {
    let record = &view.record;
    let culprit = record.failure.as_ref().and_then(|refusal| told_by(record, refusal));
    let most = room(&record.request).unwrap_or(LEAST);
    record.request.members.iter().map(|member| row(view, member, culprit, most)).collect()
}

/// How long each text of a row may be.
///
/// # Errors
/// The bytes of the whole, without any text: it is too much.
pub(in crate::edge::kube::convert) fn room(request: &Request) -> Result<usize, usize> {
    let path = request.storage.path().len() + 1;
    let fixed = |member: &MemberRequest| {
        let (plane, names) = (member.plane.as_str().len(), member.tc_name.len() + member.tc_namespace.len());
        let row = ROW + 3 * plane + request.name.len() + path + names;
        // Twice: `kubectl apply` keeps the manifest in an annotation.
        row + 2 * (ENTRY + plane + names)
    };
    let fixed: usize = request.members.iter().map(fixed).sum();
    let texts = request.members.len().max(1) * TEXTS;
    let each = OBJECT.saturating_sub(fixed) / texts;
    if each < LEAST { Err(fixed + texts * LEAST) } else { Ok(each.min(MAX_TEXT)) }
}

/// One plane's row. Its phases are words of the old member objects (`facts/tidb-operator.md` §1.4).
fn row(view: &View, member: &MemberRequest, culprit: Option<&PlaneId>, most: usize) -> MemberStatus {
    let (record, plane) = (&view.record, &member.plane);
    let short = |text: &str| shortened(text, most);
    let advice = |refusal: &Refusal| short(&refusal.advice());
    let none = PlaneRecord::default();
    let kept = record.planes.get(plane).unwrap_or(&none);
    let refused = view.planes.get(plane).and_then(|live| live.refused.as_ref()).map(|last| &last.refusal);
    let cleans = matches!(record.milestone, Milestone::Failed | Milestone::Cleaning);
    let phase = row_phase(record, kept, refused.is_some());
    let (reason, message) = match (refused, &record.failure) {
        (Some(refusal), _) if cleans => {
            (Some(Reason::CleanFailed), Some(short(&format!("{}: {}", refusal.reason, refusal.advice()))))
        }
        (Some(refusal), _) => (Some(refusal.reason), Some(advice(refusal))),
        (None, Some(refusal)) if phase == "Failed" => match culprit {
            Some(other) if other != plane => {
                (Some(refusal.reason), Some(format!("ended because of {other}: see its row")))
            }
            _ => (Some(refusal.reason), Some(advice(refusal))),
        },
        (None, _) => (None, None),
    };
    let message = match (message, kept.remark()) {
        (Some(message), Some(notes)) => Some(short(&format!("{message} Worth knowing: {notes}"))),
        (message, notes) => message.or(notes.map(|notes| short(&notes))),
    };
    MemberStatus {
        backup_name: format!("fed-{}-{plane}", record.request.name),
        backup_path: Some(record.request.storage.of_plane(plane).path()),
        backup_size: full_size_of(kept).bytes().map(int),
        incremental_backup_size: record.added_by(plane, kept).bytes().map(int),
        commit_ts: row_commit_ts(record, kept),
        k8s_cluster_name: Some(plane.to_string()),
        progress: progress(view, plane, phase).map(|text| short(&text)),
        phase: phase.to_owned(),
        reason: reason.map(|reason| reason.to_string()),
        message,
        tc_name: Some(member.tc_name.clone()),
        tc_namespace: Some(member.tc_namespace.clone()),
    }
}

/// The plane that a refusal came from, if it came from one.
fn told_by<'a>(record: &'a Record, refusal: &Refusal) -> Option<&'a PlaneId> {
    let text = refusal.message.strip_prefix("plane ")?;
    record.planes.keys().find(|plane| text.strip_prefix(plane.as_str()).is_some_and(|rest| rest.starts_with(": ")))
}

fn row_phase(record: &Record, kept: &PlaneRecord, refused: bool) -> &'static str {
    match record.milestone {
        Milestone::Preparing => "Prepare",
        Milestone::Barrier | Milestone::Snapshotting => "Running",
        Milestone::Certified if kept.completed_bytes.is_some() => "Complete",
        Milestone::Certified => "VolumeBackupSnapshotsCreated",
        Milestone::Complete => "Complete",
        Milestone::Aborting => "VolumeBackupFailed",
        Milestone::Failed => "Failed",
        Milestone::Cleaning if refused => "CleanFailed",
        Milestone::Cleaning | Milestone::Cleaned => "Clean",
    }
}

/// The least safe_ts that the plane reported; of a plane that leads nothing, the moment that stands in its backupmeta.
fn row_commit_ts(record: &Record, kept: &PlaneRecord) -> Option<String> {
    let certificate = record.certificate.as_ref()?;
    Some(kept.least_safe_ts.filter(|ts: &Ts| ts.is_real()).unwrap_or(certificate.commit_ts).to_string())
}

fn progress(view: &View, plane: &PlaneId, phase: &str) -> Option<String> {
    if matches!(phase, "Complete" | "Failed") {
        return None;
    }
    let seen = view.planes.get(plane)?;
    if !seen.connected {
        return Some("the plane actor is not connected".to_owned());
    }
    let count = (seen.total > 0).then(|| format!("{}/{}", seen.done, seen.total));
    let text = (!seen.text.is_empty()).then(|| seen.text.clone());
    let parts: Vec<String> = count.into_iter().chain(text).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        edge::kube::convert::status::merge_status,
        fixtures::{START, record},
        ports::Status,
    };
    use serde_json::json;
    use shared::{
        barrier::{LastRefusal, Phase, PlaneView},
        request::MEMBERS_MAX,
        time::Timestamp,
    };

    /// What etcd takes of one object.
    const ETCD: usize = 1_536 * 1024;

    fn long(number: usize, length: usize) -> String {
        format!("{number:04}{}", "x".repeat(length - 4))
    }

    /// So many members, with names and a prefix of such lengths, and every text at its longest.
    fn wide(members: usize, [plane, tc_name, tc_namespace, prefix]: [usize; 4]) -> View {
        let mut record = record();
        record.request.name = long(0, 63);
        record.request.storage.prefix = long(0, prefix);
        record.request.members = (0..members)
            .map(|number| MemberRequest {
                plane: PlaneId::new(long(number, plane)),
                tc_name: long(number, tc_name),
                tc_namespace: long(number, tc_namespace),
            })
            .collect();
        let refused = LastRefusal {
            refusal: Refusal::new(Reason::AccessDenied, long(0, 4_000)),
            since: Timestamp(START),
            tries: 3,
            again: None,
        };
        let live = PlaneView {
            connected: true,
            owes: true,
            refused: Some(refused),
            text: long(0, 4_000),
            ..PlaneView::default()
        };
        let planes = record.request.members.iter().map(|member| (member.plane.clone(), live.clone())).collect();
        View { record, planes, phase: Phase::Preparing, clock: None, waiting_for: String::new(), alarms: Vec::new() }
    }

    /// The object: its status, and the spec twice, since `kubectl apply` keeps the manifest in an annotation.
    fn bytes(view: View) -> usize {
        let entry = |member: &MemberRequest| {
            let MemberRequest { plane, tc_name, tc_namespace } = member;
            json!({"k8sClusterName": plane, "tcName": tc_name, "tcNamespace": tc_namespace}).to_string().len() + 1
        };
        let spec: usize = view.record.request.members.iter().map(entry).sum::<usize>() * 2;
        merge_status(None, &Status::Barrier(view.into()), Timestamp(START)).to_string().len() + spec
    }

    #[test]
    fn an_object_of_as_many_planes_as_there_may_be_fits_into_etcd() {
        let longest = [253, 253, 63, 512];
        // Planes, lengths, and what is left for each text.
        let fit = [
            (2, longest, MAX_TEXT..=MAX_TEXT),
            (256, longest, MAX_TEXT..=MAX_TEXT),
            (MEMBERS_MAX, [20, 20, 20, 100], 200..=300),
        ];
        for (members, lengths, left) in fit {
            let view = wide(members, lengths);
            let room = room(&view.record.request).unwrap();
            let bytes = bytes(view);
            println!("{members} planes with names of {lengths:?}: {bytes} bytes, {room} for each text");
            assert!(left.contains(&room) && bytes < ETCD, "{members} planes: {bytes} bytes, {room} for each text");
        }
    }

    #[test]
    fn names_that_leave_no_room_are_told_with_what_they_need() {
        let view = wide(MEMBERS_MAX, [253, 253, 63, 512]);
        let needs = room(&view.record.request).unwrap_err();
        assert!(needs > ETCD && needs < 2 * bytes(view), "{needs}");
    }

    #[test]
    fn whatever_is_taken_fits() {
        for members in [1, 10, 100, 300, 600, MEMBERS_MAX] {
            for names in [4, 20, 63, 120, 253] {
                let view = wide(members, [names, names, names.min(63), 2 * names]);
                let taken = room(&view.record.request);
                let bytes = bytes(view);
                assert!(taken.is_err() || bytes < ETCD, "{members} planes, names of {names}: {bytes}");
            }
        }
    }
}
