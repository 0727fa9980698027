//! Questions as paths, for who asks over HTTP. Only what memory or one record answers, and what changes nothing: a check
//! makes planes call AWS, and the log level is a person's business.

use super::question::Question;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use shared::time::Timestamp;

/// Where they begin.
pub const API: &str = "/api/v1/";
/// What a segment holds as it is: the unreserved characters of RFC 3986.
const AS_IT_IS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path of a question, below the server's own; `None`: it is not asked over HTTP.
pub fn path_of(question: &Question) -> Option<String> {
    let about = |verb: &str, name: &str| format!("{API}{verb}/{}", segments(name));
    Some(match question {
        Question::Status => format!("{API}status"),
        Question::Planes => format!("{API}planes"),
        Question::Drains => format!("{API}drains"),
        Question::Backups => format!("{API}backups"),
        Question::Orphans { delete: None, planes: false } => format!("{API}orphans"),
        Question::Glance { from } => format!("{API}glance?from={from}"),
        Question::Show { name } => about("show", name),
        Question::Restores { name: None } => format!("{API}restores"),
        Question::Restores { name: Some(name) } => about("restores", name),
        Question::Why { name } => about("why", name),
        Question::Timeline { name } => about("timeline", name),
        Question::Schedules { name, plan, at } => {
            let name = name.as_ref().map_or(String::new(), |name| format!("/{}", segments(name)));
            let at = at.map_or(String::new(), |at| format!("&at={}", at.0));
            format!("{API}schedules{name}?plan={plan}{at}")
        }
        Question::Check { .. }
        | Question::Verify { .. }
        | Question::RestorePlan { .. }
        | Question::Diagnose { .. }
        | Question::DiagnosePlanes { .. }
        | Question::Cancel { .. }
        | Question::Apply { .. }
        | Question::Delete { .. }
        | Question::Drain { .. }
        | Question::Release { .. }
        | Question::LogLevel { .. }
        | Question::Orphans { .. } => return None,
    })
}

/// What a path and its query ask; `None`: nothing that is answered over HTTP.
pub fn question_of(asked: &str) -> Option<Question> {
    let (path, query) = asked.split_once('?').unwrap_or((asked, ""));
    let (verb, name) = path.strip_prefix(API)?.split_once('/').unwrap_or((path.strip_prefix(API)?, ""));
    let name = plain(name)?;
    let field = |wanted: &str| query.split('&').filter_map(|pair| pair.split_once('=')).find(|pair| pair.0 == wanted);
    let number = |wanted: &str| field(wanted).map(|(_, value)| value.parse::<i64>()).transpose().ok();
    Some(match (verb, name.is_empty()) {
        ("status", true) => Question::Status,
        ("planes", true) => Question::Planes,
        ("drains", true) => Question::Drains,
        ("backups", true) => Question::Backups,
        ("orphans", true) => Question::Orphans { delete: None, planes: false },
        ("glance", true) => Question::Glance { from: usize::try_from(number("from")?.unwrap_or(0)).ok()? },
        ("show", false) => Question::Show { name },
        ("restores", without) => Question::Restores { name: (!without).then_some(name) },
        ("why", false) => Question::Why { name },
        ("timeline", false) => Question::Timeline { name },
        ("schedules", without) => Question::Schedules {
            name: (!without).then_some(name),
            plan: field("plan").is_some_and(|(_, value)| value == "true"),
            at: number("at")?.map(Timestamp),
        },
        _ => return None,
    })
}

/// `namespace/name`, each part as one segment.
pub fn segments(name: &str) -> String {
    name.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// Any text as one segment.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, AS_IT_IS).to_string()
}

/// The other way; `None`: it is no text.
pub fn plain(segments: &str) -> Option<String> {
    percent_decode_str(segments).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::restore::RestoreOptions;

    #[test]
    fn a_path_asks_what_it_was_made_of() {
        let name = || "br-admin/nightly".to_owned();
        for question in [
            Question::Status,
            Question::Planes,
            Question::Drains,
            Question::Backups,
            Question::Orphans { delete: None, planes: false },
            Question::Glance { from: 60 },
            Question::Show { name: name() },
            Question::Why { name: "a b/ü?x=1&#%2f".to_owned() },
            Question::Timeline { name: name() },
            Question::Schedules { name: None, plan: false, at: None },
            Question::Schedules { name: Some(name()), plan: true, at: Some(Timestamp(1_714_532_420_000)) },
        ] {
            let path = path_of(&question).expect("a path");
            assert!(path.is_ascii() && !path.contains([' ', '#']), "{path}");
            assert_eq!(question_of(&path).as_ref(), Some(&question), "{path}");
        }
    }

    #[test]
    fn what_changes_or_costs_something_has_no_path() {
        let name = || "nightly".to_owned();
        for question in [
            Question::Check { name: None },
            Question::Diagnose { name: None },
            Question::DiagnosePlanes { name: None, after: String::new() },
            Question::Cancel { name: name() },
            Question::RestorePlan { name: name(), options: RestoreOptions::default() },
            Question::Drain { plane: None, length: None, because: name() },
            Question::Apply { manifest: serde_json::Value::Null },
            Question::Delete { kind: name(), name: name() },
            Question::Release { plane: Some(name()) },
            Question::LogLevel { filter: None },
            Question::Orphans { delete: Some(name()), planes: false },
            Question::Orphans { delete: None, planes: true },
        ] {
            assert_eq!(path_of(&question), None, "{question:?}");
        }
        for asked in [
            "/api/v1/cancel/nightly",
            "/api/v1/check",
            "/api/v1/drain",
            "/api/v1/apply",
            "/api/v1/delete/vbk/nightly",
            "/api/v1/drains/az1",
            "/api/v1/release/az1",
            "/api/v1/diagnose",
            "/api/v1/log-level",
            "/api/v1/orphans/u-1",
            "/api/v1/show",
            "/api/v1/show/%ff",
            "/api/v1/glance?from=-1",
            "/api/v1/schedules?at=soon",
            "/api/v1/",
            "/api/v2/status",
            "/",
        ] {
            assert_eq!(question_of(asked), None, "{asked}");
        }
    }
}
