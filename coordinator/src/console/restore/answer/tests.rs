//! What a person reads who asks what a restore would take.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    config::Prices,
    console::restore::drawn,
    fixtures::{complete, not_in_the_runbook},
};
use shared::{
    ids::{StoreId, VolumeId},
    restore::{Told, plan},
    time::Millis,
    wire::{FindingState, PodPlace, RestorePlace, Source, Target, VolumeKind},
};

/// 2024-05-01T03:00:20Z
const NOW: Timestamp = Timestamp(1_714_532_420_000);
const GIB: u64 = 1 << 30;

fn finding(subject: &str, state: FindingState, text: &str) -> Finding {
    Finding { subject: subject.to_owned(), took: Millis(12), state, text: text.to_owned() }
}

/// A plane that found everything to be sound, but for these.
fn plane(but: &[(&str, FindingState, &str)]) -> Asked {
    let ours = Subject::OF_PLANE.map(Subject::as_str).into_iter();
    let all = verify::Subject::ALL.map(verify::Subject::as_str).into_iter().chain(ours);
    let of = |subject: &str| match but.iter().find(|(of, ..)| *of == subject) {
        Some((_, state, text)) => finding(subject, *state, text),
        None => finding(subject, FindingState::Sound, "as it was"),
    };
    Asked::Answered(all.map(of).collect())
}

fn source(pod: u32) -> Source {
    Source {
        store: Some(StoreId(u64::from(pod) + 4)),
        claim: format!("tikv-shop-tikv-{pod}"),
        place: Some(PodPlace { name: "tikv".to_owned(), ordinal: pod }),
        zone: "eu-1a".to_owned(),
        gib: 100,
        bytes: Some(75 * GIB),
        encrypted: true,
        key: "arn:aws:kms:eu:1:key/k-1".to_owned(),
        today: Some(VolumeKind { name: "io2".to_owned(), iops: Some(9_000), throughput: None }),
        ..Source::example(&format!("vol-{pod}"))
    }
}

fn planned(options: &RestoreOptions, sources: Vec<Source>, planes: Vec<(&str, Asked)>) -> Value {
    let record = complete();
    let place = RestorePlace {
        account: "1".to_owned(),
        region: "eu".to_owned(),
        quota_gib: Some(1_000),
        used_gib: Some(10),
        initialization: 5_000,
    };
    let told: Vec<(PlaneId, Told)> = planes
        .iter()
        .filter(|(_, asked)| matches!(asked, Asked::Answered(_)))
        .map(|(plane, _)| (PlaneId::from(*plane), Told { place: Some(place.clone()), sources: sources.clone() }))
        .collect();
    let prices = Prices::default();
    let asking = Asking { wish: options.wish.clone(), hours: options.hours, prices: prices.of_volumes() };
    let planes = planes.into_iter().map(|(plane, asked)| (PlaneId::from(plane), asked)).collect();
    let plan = plan(&told, &asking);
    Planned { record: &record, options, asking, currency: "USD", plan, planes, at: NOW, calls: 7 }.value()
}

fn one_spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn at_a_rate(rate: Option<u32>) -> RestoreOptions {
    let mut options = RestoreOptions::default();
    (options.wish.rate, options.wish.zone) = (rate, Some("eu-1c".to_owned()));
    options
}

#[test]
fn people_see_volumes_sums_prices_and_a_mark_for_everything() {
    let amiss = plane(&[("zones", FindingState::Broken, "no zone"), ("sharing", FindingState::Doubtful, "denied")]);
    let planes = vec![("az1", amiss), ("az2", Asked::Unasked("not checked: 0.1 does not know".to_owned()))];
    let value = planned(&at_a_rate(Some(300)), vec![source(0), source(1)], planes);
    assert_eq!(value["fine"], false, "{value:#}");
    // Whatever the columns' widths.
    let text = drawn(&value).split_inclusive('\n').map(one_spaced).collect::<Vec<_>>().join("\n");
    let shown = |line: &str| assert!(text.contains(line), "{line}\n{text}");
    shown("backup br-admin/nightly, moment 449462718912512000, TiDB");
    shown("plane az1: 2 volumes, 200 GiB, 150.0 GiB of data; all there 4 min 16 s");
    shown("tikv-shop-tikv-1");
    shown("io2/9000");
    shown("eu-1a eu-1c");
    shown("k-1");
    shown("price: 16.00 USD a month while they live; initialization unknown once; a drill of 4 h unknown");
    shown("× plane az1 zones no zone (12 ms)");
    shown("see deploy/runbook.md#restore-zones");
    shown("see deploy/runbook.md#verify-sharing");
    shown("√ plane az1 mapping every volume has a pod");
    shown("√ account 1 in eu");
    shown("× plane az2 plane not checked: 0.1 does not know");
    shown("see deploy/runbook.md#restore-unchecked");
    shown("– plane az1 target not asked: no --target");
}

#[test]
fn without_a_rate_nobody_knows_when_data_is_there() {
    let value = planned(&at_a_rate(None), vec![source(0)], vec![("az1", plane(&[]))]);
    assert_eq!(value["fine"], true, "{value:#}");
    assert_eq!(value["plan"]["totals"]["ready_ms"], Value::Null);
    assert_eq!(value["plan"]["totals"]["initialization"], "0.00");
    let text = drawn(&value);
    assert!(text.contains("without --rate it comes as it is read"), "{text}");
    assert!(text.contains("a drill of 4 h 0.0444 USD"), "{text}");
    let unknown = Source { bytes: None, ..source(0) };
    let at_most = drawn(&planned(&at_a_rate(Some(100)), vec![unknown], vec![("az1", plane(&[]))]));
    assert!(at_most.contains("at most 100.0 GiB of data; all there at most 17 min 04 s"), "{at_most}");
}

/// Scripts read these names: they stay.
#[test]
fn the_json_has_the_names_that_are_documented() {
    let mut options = at_a_rate(Some(300));
    options.target = Some(Target { namespace: "tidb".to_owned(), name: "back".to_owned() });
    let value = planned(&options, vec![source(0)], vec![("az1", plane(&[]))]);
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        names(&value),
        "at calls checks clusterVersion commitTs currency fine leftOut notAsked of options plan uid volumesLeftOut"
    );
    assert_eq!(names(&value["plan"]), "planes rooms totals");
    let plane = &value["plan"]["planes"][0];
    assert_eq!(names(plane), "amiss plane totals volumes");
    assert_eq!(
        names(&plane["volumes"][0]),
        "claim dataBytes encrypted gib holds key kind of perMonth pod ready_ms snapshot store today zoneFrom zoneTo"
    );
    assert_eq!(names(&plane["totals"]), "dataBytes dataUnknown drill gib initialization perMonth ready_ms volumes");
    assert_eq!(
        names(&value["plan"]["rooms"][0]),
        "account atOnce gib initializationQuota planes quotaGib region usedGib volumes"
    );
    assert_eq!((&value["notAsked"], &value["fine"]), (&json!([]), &json!(false)), "nothing was said of the target");
}

#[test]
fn every_page_that_is_named_is_there() {
    let ours = Subject::OF_PLANE.iter().chain(&Subject::OF_TARGET).chain(&Subject::OF_PLAN).map(|one| one.as_str());
    let all = ours.chain(verify::Subject::ALL.iter().map(|one| one.as_str())).chain(["colour"]);
    assert_eq!(not_in_the_runbook(all.map(anchor)), Vec::<String>::new());
}

#[test]
fn an_answer_fits_into_a_frame_however_many_volumes_there_are() {
    let sources: Vec<Source> = (0..4_000)
        .map(|pod| Source { volume: VolumeId(format!("vol-{pod:017x}")), key: "k".repeat(80), ..source(pod) })
        .collect();
    let value = planned(&at_a_rate(Some(300)), sources, vec![("az1", plane(&[])), ("az2", plane(&[]))]);
    let length = value.to_string().len();
    assert!(length < shared::wire::MAX_FRAME_BYTES, "{length}");
    assert_eq!(value["volumesLeftOut"], 5_000);
    assert_eq!(value["plan"]["totals"]["volumes"], 8_000, "sums are of all");
    assert!(drawn(&value).contains("5000 more volumes are in the sums and not shown"));
}
