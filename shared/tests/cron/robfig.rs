//! Stored answers of robfig/cron v1.2.0, in zones that do not change their clock around midnight, where it stumbles.

use shared::{
    cron::{Cron, Zone},
    time::Timestamp,
};

#[test]
fn fires_when_robfig_fires() {
    let (mut fires, mut nevers) = (0, 0);
    for line in include_str!("golden/robfig.txt").lines() {
        let [zone, text, rest] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let cron = Cron::parse_in(text, &Zone::named(zone).unwrap()).unwrap_or_else(|error| panic!("{line}: {error}"));
        let mut rest = rest.split(' ');
        let mut at: i64 = rest.next().unwrap().parse().unwrap();
        for word in rest {
            let next = cron.next_after(Timestamp(at * 1000)).map(|next| next.0 / 1000);
            if word == "never" {
                assert_eq!(next, None, "{line}");
                nevers += 1;
            } else {
                let expected = at + word.parse::<i64>().unwrap();
                assert_eq!(next, Some(expected), "{line}: after {at}");
                at = expected;
                fires += 1;
            }
        }
    }
    assert!(fires > 10_000 && nevers > 20, "{fires} fires, {nevers} nevers");
}

/// What robfig takes and we refuse, on purpose: a star with a range that it ignores, and a negative length that it takes
/// for one second.
#[test]
fn takes_and_refuses_the_texts_that_robfig_does() {
    let mut taken = 0;
    for line in include_str!("golden/texts.txt").lines() {
        let (theirs, text) = line.split_once('\t').unwrap();
        let ours = Cron::parse(text);
        if theirs == "true" {
            taken += 1;
        }
        let on_purpose = ["*-", "?-", "@every -"].iter().any(|part| text.contains(part));
        assert!(
            ours.is_ok() == (theirs == "true") || (on_purpose && ours.is_err()),
            "{text:?}: robfig {theirs}, ours {ours:?}"
        );
    }
    assert!(taken > 200, "{taken}");
}
