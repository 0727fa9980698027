//! Named cases: the words of errors, the changes of the clock, and the rules that surprise.

use shared::{
    cron::{Cron, Zone},
    time::Timestamp,
};

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn fires(expression: &str, from: &str, count: usize) -> Vec<String> {
    let cron = Cron::parse(expression).unwrap();
    cron.runs(at(from), count).into_iter().map(|fire| cron.zone().rfc3339(fire)).collect()
}

#[test]
fn errors_name_the_field_what_was_read_and_what_is_allowed() {
    for (text, message) in [
        (
            "",
            "the cron expression is empty; write five fields (minute hour day-of-month month day-of-week), for example '0 3 * * *'",
        ),
        (
            "0 0 1 * * ?",
            "'0 0 1 * * ?' has 6 fields; exactly 5 are needed: minute hour day-of-month month day-of-week (no seconds, no year)",
        ),
        ("0 3 * * 7", "day-of-week, item '7': 7 is out of range; allowed are 0-6 (0 is Sunday) and sun-sat"),
        ("60 3 * * *", "minute, item '60': 60 is out of range; allowed are 0-59"),
        (
            "0 3 * jan-foo *",
            "month, item 'jan-foo': 'foo' is neither a number nor a name here; allowed are 1-12 and jan-dec",
        ),
        ("0 mon * * *", "hour, item 'mon': 'mon' is neither a number nor a name here; allowed are 0-23"),
        (
            "0 22-2 * * *",
            "hour, item '22-2': the range ends before it begins (ranges do not wrap around); allowed are 0-23",
        ),
        ("0 1-2-3 * * *", "hour, item '1-2-3': a range has one hyphen; allowed are 0-23"),
        ("*/0 * * * *", "minute, item '*/0': a step of 0 never ends; allowed are 0-59"),
        ("*/x * * * *", "minute, item '*/x': the step 'x' is not a number; allowed are 0-59"),
        ("*/1/2 * * * *", "minute, item '*/1/2': a step has one slash; allowed are 0-59"),
        ("*-5 * * * *", "minute, item '*-5': a star has no range; allowed are 0-59"),
        (
            "@fortnightly",
            "'@fortnightly' is unknown; allowed are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly and '@every <length>', for example '@every 6h'",
        ),
        ("@every 1d", "@every: '1d' is not a length of time: unit 'd' is unknown; allowed are ns, us, ms, s, m, h"),
        ("@every -1h", "@every: '-1h' is not a length of time: it must not be negative"),
        (
            "TZ=Mars/Olympus 0 3 * * *",
            "time zone 'Mars/Olympus' is unknown; write a name of the IANA database, for example Europe/Berlin or UTC",
        ),
        (
            "TZ=UTC",
            "the cron expression is empty; write five fields (minute hour day-of-month month day-of-week), for example '0 3 * * *'",
        ),
    ] {
        assert_eq!(Cron::parse(text).unwrap_err().to_string(), message, "{text}");
    }
    let long = "0,".repeat(600) + " * * * *";
    assert_eq!(
        Cron::parse(&long).unwrap_err().to_string(),
        "the cron expression has 1208 characters; at most 1024 are read"
    );
}

#[test]
fn a_step_star_asks_for_both_days() {
    // 2024-05: Mondays are 6, 13, 20, 27; */2 of days is 1, 3, 5, …
    assert_eq!(fires("0 3 */2 * 1", "2024-05-01T00:00:00Z", 2), ["2024-05-13T03:00:00Z", "2024-05-27T03:00:00Z"]);
    // Without a star one of the two is enough.
    assert_eq!(
        fires("0 3 13 * 2", "2024-05-10T00:00:00Z", 3),
        ["2024-05-13T03:00:00Z", "2024-05-14T03:00:00Z", "2024-05-21T03:00:00Z"]
    );
}

#[test]
fn a_skipped_wall_time_does_not_fire_and_a_repeated_one_fires_twice() {
    assert_eq!(
        fires("TZ=Europe/Berlin 30 2 * * *", "2024-03-29T12:00:00Z", 3),
        ["2024-03-30T02:30:00+01:00", "2024-04-01T02:30:00+02:00", "2024-04-02T02:30:00+02:00"]
    );
    assert_eq!(
        fires("TZ=Europe/Berlin 30 2 * * *", "2024-10-26T12:00:00Z", 3),
        ["2024-10-27T02:30:00+02:00", "2024-10-27T02:30:00+01:00", "2024-10-28T02:30:00+01:00"]
    );
    assert_eq!(
        fires("TZ=America/New_York 0 * * * *", "2024-03-10T06:30:00Z", 2),
        ["2024-03-10T03:00:00-04:00", "2024-03-10T04:00:00-04:00"]
    );
    assert_eq!(
        fires("TZ=America/New_York 0 1 * * *", "2024-11-03T00:00:00Z", 3),
        ["2024-11-03T01:00:00-04:00", "2024-11-03T01:00:00-05:00", "2024-11-04T01:00:00-05:00"]
    );
}

/// Midnight did not exist in São Paulo on 4 November 2018; robfig loses more than that one run there.
#[test]
fn a_gap_at_midnight_costs_only_the_run_in_it() {
    assert_eq!(
        fires("TZ=America/Sao_Paulo 0 0,5 * * *", "2018-11-03T10:00:00Z", 3),
        ["2018-11-04T05:00:00-02:00", "2018-11-05T00:00:00-02:00", "2018-11-05T05:00:00-02:00"]
    );
}

#[test]
fn every_counts_from_where_it_is_asked() {
    let cron = Cron::parse("@every 1h30m").unwrap();
    assert_eq!(cron.next_after(Timestamp(1_999)), Some(Timestamp(5_401_000)));
    assert_eq!(Cron::parse("@every 10ms").unwrap().next_after(Timestamp(0)), Some(Timestamp(1000)));
    assert_eq!(
        cron.last_between(Timestamp(0), Timestamp(5_400_000 * 1_000_001 - 1)),
        Some(Timestamp(5_400_000 * 1_000_000))
    );
}

#[test]
fn never_is_never() {
    for text in ["0 0 31 2 *", "0 0 , * *", ", * * * *"] {
        let cron = Cron::parse(text).unwrap();
        assert_eq!(cron.next_after(at("2024-05-01T00:00:00Z")), None, "{text}");
        assert_eq!(cron.last_between(at("2004-05-01T00:00:00Z"), at("2024-05-01T00:00:00Z")), None, "{text}");
    }
    // Five calendar years: the 29th of February of 2104 is found from 2099 on.
    assert_eq!(fires("0 0 29 2 *", "2098-12-31T23:59:58Z", 1), Vec::<String>::new());
    assert_eq!(fires("0 0 29 2 *", "2099-01-01T00:00:00Z", 1), ["2104-02-29T00:00:00Z"]);
}

#[test]
fn a_zone_is_its_name() {
    assert_eq!(Zone::named("europe/berlin"), Zone::named("Europe/Berlin"));
    assert_eq!(Zone::named("utc").unwrap(), Zone::utc());
    assert!(Zone::named("").is_err());
    assert_eq!(Cron::parse(" 0 3 * * * ").unwrap(), Cron::parse("0 3 * * *").unwrap());
}
