//! What users write about times, and names that machines write.

use super::laws;
use coordinator::edge::kube::convert::go_duration;
use shared::{
    calendar::{name_stamp, parse_name_stamp, rfc3339},
    cron::{Cron, Zone},
    duration::{self, Units},
    plane_name::{MAX_NAME, file_stem, is_name, object_name, of_path_segment, path_segment},
    retention::{Policy, PolicyText},
    schedule::{fire_of_name, scheduled_prefix},
    time::{Millis, Timestamp},
};

/// Moments at which an expression is asked: ends of the time line, of the zone database, of a day.
const MOMENTS: [i64; 8] =
    [i64::MIN, -62_135_596_800_000, -1, 0, 1_714_532_400_999, 253_402_300_799_000, 253_402_300_800_000, i64::MAX];

/// 292 years, to the second.
const LONGEST: Millis = Millis::secs(9_223_372_036);

/// An expression fires after the moment that it is asked about, and the text that it keeps means the same.
pub(super) fn cron(bytes: &[u8]) -> bool {
    let Some(text) = laws::text(bytes) else { return false };
    let cron = match Cron::parse(text) {
        Ok(cron) => cron,
        Err(error) => {
            laws::refused(&error.to_string());
            return false;
        }
    };
    assert_eq!(Cron::parse(cron.text()).as_ref(), Ok(&cron), "its text means something else");
    assert_eq!(Zone::named(cron.zone().name()).as_ref(), Ok(cron.zone()));
    for at in MOMENTS.map(Timestamp) {
        let next = cron.next_after(at);
        assert!(next.is_none_or(|next| next > at), "{at:?}: {next:?}");
        let runs = cron.runs(at, 3);
        assert!(runs.len() <= 3 && runs.is_sorted(), "{at:?}: {runs:?}");
        let until = Timestamp(at.0.saturating_add(400 * 86_400_000));
        let last = cron.last_between(at, until);
        assert!(last.is_none_or(|last| last > at && last <= until), "{at:?}: {last:?}");
        let _ = (cron.zone().rfc3339(at), rfc3339(at));
    }
    true
}

/// A length of time; what Go reads is read the same where days are allowed.
pub(super) fn length(bytes: &[u8]) -> bool {
    let Some(text) = laws::text(bytes) else { return false };
    let longer = duration::parse(text, Units::DaysAndWeeks);
    match duration::parse(text, Units::Go) {
        Ok(length) => {
            assert_eq!(longer, Ok(length));
            let millis = format!("{}ms", length.0);
            assert_eq!(duration::parse(&millis, Units::Go), Ok(length), "{millis}");
            let rounded = duration::parse(&go_duration(length), Units::Go);
            let off = rounded.map(|rounded| rounded.0.abs_diff(length.0));
            // Rounding up may lead beyond the longest.
            assert!(off.as_ref().is_ok_and(|off| *off <= 500) || length >= LONGEST, "{length:?}: {off:?}");
        }
        Err(error) => laws::refused(&error.to_string()),
    }
    if let Err(error) = &longer {
        laws::refused(&error.to_string());
    }
    let limits = PolicyText { max_reserved_time: Some(text.to_owned()), ..PolicyText::default() };
    if let Err(error) = Policy::parse(&limits, &Zone::utc()) {
        laws::refused(&error.to_string());
    }
    longer.is_ok()
}

/// A plane's name as others call it, and stamps in the names of backups.
pub(super) fn names(bytes: &[u8]) -> bool {
    let Some(text) = laws::text(bytes) else { return false };
    if let Some(name) = of_path_segment(text) {
        assert_eq!(path_segment(&name), text, "no two segments name one plane");
    }
    if !text.is_empty() {
        assert_eq!(of_path_segment(&path_segment(text)).as_deref(), Some(text));
    }
    if is_name(text) {
        assert!(text.len() <= 4 * MAX_NAME);
        let (file, object) = (file_stem(text), object_name(text));
        let fits = |name: &str| (1..=230).contains(&name.len()) && !name.contains(|c: char| c == '/' || c.is_control());
        assert!(fits(&file), "{text:?} is the file {file:?}");
        assert!(fits(&object), "{text:?} is the object {object:?}");
    }
    if let Some(at) = parse_name_stamp(text) {
        assert_eq!(name_stamp(at), text);
        assert_eq!(fire_of_name("s", &format!("s-{text}")), Some(at));
        let _ = rfc3339(at);
    }
    let prefix = scheduled_prefix(text, laws::NOW.wall);
    assert!(prefix.len() <= text.len() + 32 && prefix.ends_with("-2024-05-01t03-00-20"), "{prefix:?}");
    true
}
