//! The page of one backup: why it is not done yet, and all that its report says.

use super::{
    frame::{CALM, LIVE, page},
    overview::countdown,
    report,
};
use maud::{Markup, html};
use serde_json::Value;

/// Of the answers to `show` and `why`.
///
/// # Errors
/// One of them is not one that this version knows.
pub fn backup(name: &str, shown: &Value, why: &Value) -> Result<String, String> {
    let body = report::body(shown)?;
    let over = matches!(shown["step"].as_str(), Some("Complete" | "Failed" | "Invalid" | "Cleaned"));
    let refresh = if over { CALM * 6 } else { LIVE };
    Ok(page(
        name,
        2,
        refresh,
        &html! {
            @if !over { (under_way(why)) }
            (body)
            p { a href="?report" download { "Download this report as one file" } }
        },
    ))
}

fn under_way(why: &Value) -> Markup {
    let word = |field: &str| why[field].as_str().unwrap_or_default().to_owned();
    html! {
        div.box.busy-box {
            p { strong.busy { (word("step")) } }
            (countdown(why))
            @for (title, field) in [("Waits for ", "waitingFor"), ("What ends it: ", "endsBy"), ("What to do: ", "action")] {
                @if !word(field).is_empty() { p { strong { (title) } (word(field)) } }
            }
        }
    }
}
