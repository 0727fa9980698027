#![allow(clippy::unwrap_used)]

use super::*;
use crate::member::safe_times::SafeTimes;

#[derive(Clone)]
struct Led {
    at: RegionAt,
    start: String,
    end: String,
    pending: bool,
}

impl Led {
    fn region(&self) -> LedRegion<'_> {
        LedRegion { at: self.at, start: self.start.as_bytes(), end: self.end.as_bytes(), pending: self.pending }
    }
}

fn led(region: u64, version: u64, start: &str, end: &str) -> Led {
    let at = RegionAt { region: RegionId(region), conf_ver: 5, version };
    Led { at, start: start.to_owned(), end: end.to_owned(), pending: false }
}

fn pending(mut led: Led) -> Led {
    led.pending = true;
    led
}

fn known(times: &[(&Led, u64)]) -> SafeTimes {
    times.iter().map(|(led, ts)| (led.at, Ts(*ts))).collect()
}

/// All were applied but these.
fn but(done: usize, again: &[u64]) -> Applied {
    let why = Cow::Borrowed("epoch_not_match");
    Applied { done, again: again.iter().map(|region| (RegionId(*region), why.clone())).collect() }
}

fn list(cover: &mut StoreCover, known: &SafeTimes, led: &[Led]) -> Result<CoverDigest, Repeat> {
    cover.begin_list();
    led.iter().for_each(|led| cover.take(led.region(), known.of(&led.at)));
    cover.end_list()
}

fn apply(cover: &mut StoreCover, said: Applied) {
    let asked = cover.unapplied();
    cover.applied(&asked, said);
}

fn judged(before: &[Led], applied: Applied, known: &SafeTimes, after: &[Led]) -> Result<CoverDigest, Repeat> {
    let mut cover = StoreCover::new(true);
    assert!(before.is_empty() || list(&mut cover, known, before).is_err(), "one list alone proves nothing");
    apply(&mut cover, applied);
    list(&mut cover, known, after)
}

fn a_set() -> RegionSet {
    led(1, 7, "", "").region().set()
}

/// Pending, new or moved is a doubt under a weaker hold too; only wait-apply is not asked for.
#[test]
fn a_weaker_hold_leaves_out_wait_apply_and_nothing_else() {
    let (a, b) = (led(1, 7, "", "m"), led(2, 7, "m", ""));
    let (both, times) = (vec![a.clone(), b.clone()], known(&[(&a, 90), (&b, 80)]));
    let weaker = |before: &[Led], known: &SafeTimes, after: &[Led]| {
        let mut cover = StoreCover::new(false);
        list(&mut cover, known, before).unwrap_err();
        assert_eq!(cover.unapplied(), []);
        list(&mut cover, known, after)
    };
    let settled = |led: &[Led]| {
        let mut set = SettledSet::default();
        led.iter().for_each(|led| set.take(led.region()));
        set.end()
    };
    let digest = weaker(&both, &times, &both).unwrap();
    assert_eq!((digest.regions, digest.least_safe_ts), (2, Ts(80)));
    assert_eq!(digest.set, judged(&both, but(2, &[]), &times, &both).unwrap().set);
    assert_eq!(settled(&both), Ok(digest.set));
    let moved = [led(1, 6, "", "m"), b.clone()];
    assert_eq!(weaker(&moved, &times, &both), Err(Repeat::Moved(RegionId(1))));
    assert_eq!(weaker(&both[..1], &times, &both), Err(Repeat::New(RegionId(2))));
    let busy = [a.clone(), pending(b)];
    assert_eq!(weaker(&both, &times, &busy), Err(Repeat::Pending(RegionId(2))));
    assert_eq!(settled(&busy), Err(Repeat::Pending(RegionId(2))));
    assert_eq!(weaker(&both, &SafeTimes::default(), &both), Err(Repeat::NoSafeTs(RegionId(1))));
}

#[test]
fn a_quiet_store_is_covered_and_the_least_safe_ts_counts() {
    let (a, b) = (led(1, 7, "", "m"), led(2, 7, "m", ""));
    let both = vec![a.clone(), b.clone()];
    let digest = judged(&both, but(2, &[]), &known(&[(&a, 90), (&b, 80)]), &both).unwrap();
    assert_eq!((digest.regions, digest.least_safe_ts), (2, Ts(80)));
    assert!(digest.tiling.is_whole());
}

#[test]
fn what_is_no_longer_led_here_is_somebody_elses() {
    let (a, b) = (led(1, 7, "", "m"), led(2, 7, "m", ""));
    let times = known(&[(&a, 90), (&b, 80)]);
    let digest = judged(&[a.clone(), b], but(2, &[]), &times, &[a]).unwrap();
    assert_eq!((digest.regions, digest.least_safe_ts), (1, Ts(90)));
}

#[test]
fn a_store_that_leads_nothing_does_not_lower_the_minimum() {
    let digest = judged(&[], but(0, &[]), &SafeTimes::default(), &[]).unwrap();
    assert_eq!(digest, nothing_led());
    let other = CoverDigest { regions: 1, tiling: Tiling::whole(), least_safe_ts: Ts(3), set: a_set() };
    assert_eq!(join(digest, other.clone()), other);
}

#[test]
fn every_doubt_repeats_the_store() {
    let a = led(1, 7, "", "");
    let times = known(&[(&a, 90)]);
    let mut conf = a.clone();
    conf.at.conf_ver = 6;
    let (upside, none, zero) = (led(1, 7, "b", "a"), SafeTimes::default(), known(&[(&a, 0)]));
    let one = RegionId(1);
    let not = |why: &str| Repeat::NotApplied(one, why.to_owned());
    type Row<'a> = (&'a str, Vec<Led>, Applied, &'a SafeTimes, Vec<Led>, Repeat);
    let table: Vec<Row<'_>> = vec![
        ("pending", vec![a.clone()], but(1, &[]), &times, vec![pending(a.clone())], Repeat::Pending(one)),
        ("new here", vec![], but(0, &[]), &times, vec![a.clone()], Repeat::New(one)),
        ("new and pending", vec![], but(0, &[]), &times, vec![pending(a.clone())], Repeat::Pending(one)),
        ("split", vec![led(1, 6, "", "")], but(1, &[]), &times, vec![a.clone()], Repeat::Moved(one)),
        ("conf change", vec![conf], but(1, &[]), &times, vec![a.clone()], Repeat::Moved(one)),
        ("keys", vec![led(1, 7, "", "q")], but(1, &[]), &times, vec![a.clone()], Repeat::Moved(one)),
        ("aborted wait", vec![a.clone()], but(0, &[1]), &times, vec![a.clone()], not("epoch_not_match")),
        ("two answers", vec![a.clone()], but(1, &[1]), &times, vec![a.clone()], not("epoch_not_match")),
        ("no answer", vec![a.clone()], but(0, &[]), &times, vec![a.clone()], not("it was not answered")),
        ("not asked", vec![a.clone()], but(1, &[]), &none, vec![a.clone()], Repeat::NoSafeTs(one)),
        ("not initialised", vec![a.clone()], but(1, &[]), &zero, vec![a.clone()], Repeat::NoSafeTs(one)),
        ("twice", vec![a.clone()], but(1, &[]), &times, vec![a.clone(), a.clone()], Repeat::Twice(one)),
        ("new twice", vec![], but(0, &[]), &times, vec![a.clone(), a.clone()], Repeat::Twice(one)),
        ("upside down", vec![upside.clone()], but(1, &[]), &times, vec![upside], Repeat::UpsideDown(one)),
    ];
    for (name, before, applied, known, after, why) in table {
        assert_eq!(judged(&before, applied, known, &after), Err(why), "{name}");
    }
}

#[test]
fn pending_before_but_not_after_at_the_same_epoch_is_no_doubt() {
    let a = led(1, 7, "", "");
    assert!(judged(&[pending(a.clone())], but(1, &[]), &known(&[(&a, 90)]), std::slice::from_ref(&a)).is_ok());
}

/// The list that left a doubt is the one before the next; nobody else has to apply again.
#[test]
fn only_what_is_in_doubt_is_proved_again() {
    let (a, b) = (led(1, 7, "", "m"), led(2, 7, "m", ""));
    let (b8, c) = (led(2, 8, "m", "t"), led(3, 8, "t", ""));
    let times = known(&[(&a, 90), (&b, 80), (&b8, 85), (&c, 95)]);
    let mut cover = StoreCover::new(true);
    list(&mut cover, &times, &[a.clone(), b]).unwrap_err();
    assert_eq!(cover.unapplied().len(), 2);
    apply(&mut cover, but(2, &[]));
    let split = [c.clone(), a.clone(), b8.clone()];
    list(&mut cover, &times, &split).unwrap_err();
    assert_eq!(cover.unapplied(), [b8.at, c.at]);
    apply(&mut cover, but(1, &[3]));
    assert_eq!(list(&mut cover, &times, &split), Err(Repeat::NotApplied(RegionId(3), "epoch_not_match".into())));
    assert_eq!(cover.unapplied(), [c.at]);
    apply(&mut cover, but(1, &[]));
    let digest = list(&mut cover, &times, &split).unwrap();
    assert_eq!((digest.regions, digest.least_safe_ts, digest.tiling.is_whole()), (3, Ts(85), true));
}

/// A leader that was away for a list has to prove everything anew: others may have written meanwhile.
#[test]
fn what_was_not_led_here_for_a_list_is_new_again() {
    let a = led(1, 7, "", "");
    let times = known(&[(&a, 90)]);
    let mut cover = StoreCover::new(true);
    list(&mut cover, &times, std::slice::from_ref(&a)).unwrap_err();
    apply(&mut cover, but(1, &[]));
    assert_eq!(list(&mut cover, &times, &[]), Ok(nothing_led()));
    assert_eq!(list(&mut cover, &times, std::slice::from_ref(&a)), Err(Repeat::New(RegionId(1))));
    assert_eq!(cover.unapplied(), [a.at]);
}

/// As after a connection that broke in the middle of a list.
#[test]
fn half_a_list_counts_for_nothing() {
    let (a, b) = (led(1, 7, "", "m"), led(2, 7, "m", ""));
    let (both, times) = (vec![a.clone(), b.clone()], known(&[(&a, 90), (&b, 80)]));
    let mut cover = StoreCover::new(true);
    list(&mut cover, &times, &both).unwrap_err();
    apply(&mut cover, but(2, &[]));
    cover.begin_list();
    cover.take(led(9, 1, "a", "b").region(), Some(Ts(1)));
    cover.take(a.region(), Some(Ts(1)));
    let digest = list(&mut cover, &times, &both).unwrap();
    assert_eq!((digest.regions, digest.least_safe_ts, cover.len()), (2, Ts(80), 2));
}

/// As people read it in a progress, or in the reason of an attempt that was not covered in time.
#[test]
fn a_doubt_names_its_region() {
    let one = RegionId(1);
    let table = [
        (Repeat::Pending(one), "region 1 has an admin command pending"),
        (Repeat::New(one), "region 1 came to be led here meanwhile"),
        (Repeat::Moved(one), "region 1 changed its epoch"),
        (Repeat::NotApplied(one, "stale_command".to_owned()), "region 1 did not apply: stale_command"),
        (Repeat::NoSafeTs(one), "region 1 has no safe_ts at this version"),
        (Repeat::UpsideDown(one), "region 1 starts at or after its end"),
        (Repeat::Twice(one), "region 1 was named twice"),
    ];
    for (doubt, text) in table {
        assert_eq!(doubt.to_string(), text);
    }
}

#[test]
fn the_regions_of_the_last_list_are_known_by_number() {
    let (a, b) = (led(1, 7, "", "m"), led(2, 7, "m", ""));
    let mut cover = StoreCover::new(true);
    assert!(cover.is_empty());
    list(&mut cover, &SafeTimes::default(), &[b.clone(), a.clone()]).unwrap_err();
    assert_eq!(cover.regions().collect::<Vec<_>>(), [a.at, b.at]);
    assert!(!cover.is_empty());
}
