//! What all pages of the web share. Links are relative, so that they work behind `kubectl proxy` as well.

use super::{look::colours, picture};
use maud::{DOCTYPE, Markup, html};

/// Of the pages and of reports.
pub(crate) fn style() -> String {
    format!("{}{}{}", colours(":root"), include_str!("style.css"), picture::style())
}

/// Reads a page again and counts clocks down.
pub const SCRIPT: &str = include_str!("page.js");

/// How often a page is read again: while something runs, and otherwise.
pub(super) const LIVE: u32 = 2;
pub(super) const CALM: u32 = 10;

/// A page `depth` folders below the first one.
pub(super) fn page(title: &str, depth: usize, refresh: u32, body: &Markup) -> String {
    let up = "../".repeat(depth);
    let home = if up.is_empty() { "./" } else { up.as_str() };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Isochron" }
                link rel="stylesheet" href={ (up) "style.css" };
                link rel="icon" href={ (up) "icon.svg" };
                @if refresh > 0 { noscript { meta http-equiv="refresh" content=(refresh.max(CALM)); } }
                script src={ (up) "page.js" } defer {}
            }
            body {
                a.skip href="#main" { "To the content" }
                div.bar { a.brand href=(home) { "Isochron" } span.dim { "consistent backups of TiDB, seen and not steered" } }
                main id="main" tabindex="-1" data-refresh=(refresh) { (body) }
                footer { "Coordinator " (env!("CARGO_PKG_VERSION")) ". This page changes nothing. The same for programs: "
                    a href={ (up) "../api/v1/status" } { "api/v1/status" } ", " a href={ (up) "../metrics" } { "metrics" } "." }
            }
        }
    };
    page.into_string()
}

/// One sentence in the place of a page.
pub fn message(title: &str, depth: usize, text: &str) -> String {
    page(title, depth, CALM, &html! { h1 { (title) } div.box.warn-box { p { (text) } } })
}

/// Three lanes and what they have in common.
pub const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\">\
<rect width=\"32\" height=\"32\" rx=\"7\" fill=\"#10151b\"/><g stroke=\"#74dfa3\" stroke-width=\"3\" stroke-linecap=\"round\">\
<path d=\"M7 9h18M7 16h18M7 23h18\"/></g><path d=\"M18 5v22\" stroke=\"#f6c46b\" stroke-width=\"3\"/></svg>";
