//! Any text, any moment: an answer, no panic, and time only goes forward.

use proptest::prelude::*;
use shared::{
    cron::{Cron, Zone},
    time::Timestamp,
};

const YEARS_6: i64 = 6 * 366 * 86_400_000;

proptest! {
    #[test]
    fn any_text_is_answered(text in "(TZ=|CRON_TZ=)?[0-9a-zA-Z*?/, @=-]{0,40}", other in "\\PC{0,60}") {
        for text in [text, other] {
            if let Err(error) = Cron::parse(&text) {
                prop_assert!(error.to_string().len() < 400, "{}", error);
            }
        }
    }

    #[test]
    fn any_moment_is_answered(at in any::<i64>(), until in any::<i64>(), text in prop_oneof![
        Just("* * * * *"), Just("0 0 29 2 *"), Just("@every 90s"), Just("TZ=America/Sao_Paulo @daily"), Just("0 0 31 2 *"),
    ]) {
        let cron = Cron::parse(text).unwrap();
        if let Some(next) = cron.next_after(Timestamp(at)) {
            prop_assert!(next.0 > at && next.0 - at < YEARS_6);
            prop_assert_eq!(next.0 % 1000, 0);
        }
        if let Some(last) = cron.last_between(Timestamp(at), Timestamp(until)) {
            prop_assert!(last.0 > at && last.0 <= until);
            prop_assert!(cron.next_after(last).is_none_or(|next| next.0 > until), "a later one was missed");
        }
    }

    #[test]
    fn the_last_of_many_is_the_last(text in prop_oneof![
        Just("*/7 */5 * * *"), Just("@every 7m"), Just("TZ=Europe/Berlin 30 2 * * 0"), Just("0 0 1 */3 *"),
    ], at in 0_i64..2_000_000_000_000, length in 0_i64..8_000_000_000) {
        let cron = Cron::parse(text).unwrap();
        let mut last = None;
        let mut next = cron.next_after(Timestamp(at));
        for _ in 0..20_000 {
            let Some(fire) = next.filter(|fire| fire.0 <= at + length) else { break };
            last = Some(fire);
            next = cron.next_after(fire);
        }
        prop_assert_eq!(cron.last_between(Timestamp(at), Timestamp(at + length)), last);
    }

    #[test]
    fn a_prefix_is_a_zone(at in 0_i64..2_000_000_000_000) {
        let zone = Zone::named("asia/kathmandu").unwrap();
        let prefixed = Cron::parse("CRON_TZ=Asia/Kathmandu 15 3 * * 1").unwrap();
        let given = Cron::parse_in("15 3 * * 1", &zone).unwrap();
        prop_assert_eq!(prefixed.next_after(Timestamp(at)), given.next_after(Timestamp(at)));
    }
}
