use super::*;

fn end(identity: &str, kind: Kind, days: i64) -> Expiry {
    Expiry { identity: identity.to_owned(), kind, at: Timestamp(days * DAY) }
}

/// Days at which an end on day 100 is told, when it is looked at every six hours.
fn told(from: i64, mut known: impl FnMut(i64) -> Vec<Expiry>) -> Vec<(i64, i64)> {
    let mut reminder = Reminder::default();
    let mut told = Vec::new();
    for quarter in from * 4..102 * 4 {
        let now = Timestamp(quarter * DAY / 4);
        told.extend(reminder.due(now, &known(quarter / 4)).iter().map(|(_, left)| (quarter / 4, *left)));
    }
    told
}

#[test]
fn an_end_is_told_at_sixty_thirty_seven_days_and_then_daily() {
    let days = told(0, |_| vec![end("plane/a", Kind::Peer, 100)]);
    let at: Vec<i64> = days.iter().map(|(day, _)| *day).collect();
    assert_eq!(at, [40, 70, 93, 94, 95, 96, 97, 98, 99, 100, 101]);
    assert_eq!(days.iter().map(|(_, left)| *left).collect::<Vec<_>>(), [59, 29, 6, 5, 4, 3, 2, 1, 0, -1, -2]);
}

#[test]
fn a_process_that_starts_late_tells_at_once_and_once() {
    let days = told(80, |_| vec![end("coordinator/c", Kind::Own, 100)]);
    assert_eq!(days.iter().map(|(day, _)| *day).take(2).collect::<Vec<_>>(), [80, 93]);
}

#[test]
fn who_comes_and_goes_is_told_once_a_day_and_a_renewal_ends_it() {
    let mut there = false;
    let days = told(94, |day| {
        there = !there;
        match (there, day) {
            (true, ..97) => vec![end("plane/a", Kind::Peer, 100)],
            (true, _) => vec![end("plane/a", Kind::Peer, 400)],
            (false, _) => Vec::new(),
        }
    });
    assert_eq!(days.iter().map(|(day, _)| *day).collect::<Vec<_>>(), [94, 95, 96]);
}

/// Twelve hours before the end of everything, nothing said so.
#[test]
fn a_certificate_of_a_day_is_in_the_metric_and_in_the_log() {
    let mut registry = Registry::default();
    let expiries = Expiries::register(&mut registry);
    let all = [end("plane/a", Kind::Own, 1), end("Isochron test", Kind::Ca, 3650), end("plane/a", Kind::Own, 2)];
    expiries.set(&all);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let line = "isochron_certificate_expiry_timestamp_seconds{identity=\"plane/a\",kind=\"Own\"} 86400";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("{identity=\"Isochron test\",kind=\"Ca\"} 315360000"), "{text}");
    let now = Timestamp(DAY / 2);
    assert_eq!(Reminder::default().due(now, &all[..1]), [(&all[0], 0)]);
    assert_eq!(remedy(&all[0]), "`coordinator pki renew plane a`, and the Secret it is in");
    expiries.set(&[]);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(!text.contains("plane/a"), "who is gone is not told: {text}");
}
