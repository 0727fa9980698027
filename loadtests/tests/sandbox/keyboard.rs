//! The page by its keyboard alone, and to eyes that need contrast: every link is reached by Tab in the order in which it is
//! read, is seen when it is, and a reader may skip to the content.

use super::browser::Browser;
use serde_json::{Value, json};
use std::path::Path;

/// Whatever the keyboard reaches within what this selects, as it stands in the page; what is folded away is not reached.
fn reachable(within: &str) -> String {
    format!(
        "[...document.querySelectorAll('{within} a[href], {within} summary')]
          .filter((one) => one.matches('summary') || !one.closest('details:not([open])'))
          .map((one) => one.getAttribute('href') ?? 'summary')"
    )
}

/// What has the focus: where it leads, whether it is outlined, and whether it is where one can see it.
const FOCUSED: &str = "(() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  return {
    href: one.getAttribute('href') ?? one.localName,
    outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    seen: box.width > 0 && box.left >= 0 && box.right <= innerWidth && box.top >= 0 && box.bottom <= innerHeight,
  };
})()";

/// Texts whose colour is too near to what is behind them (WCAG 2 AA: 4.5, of large ones 3). Nothing here is a picture or
/// see-through.
const PALE: &str = "(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).map((part) => part / 255).map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if ((parts(colour)[3] ?? 1) > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const bad = [];
  for (const one of document.body.querySelectorAll('*')) {
    if (one.closest('svg') || ![...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    const style = getComputedStyle(one), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const [a, b] = [light(style.color), light(behind(one))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) bad.push(one.className + ' ' + one.textContent.trim().slice(0, 30) + ' ' + ratio.toFixed(2));
  }
  return bad;
})()";

fn tab(page: &mut Browser) -> Value {
    page.press("Tab", 9);
    page.ask(FOCUSED)
}

/// Walks through the first page and looks at it, light and dark.
pub(crate) fn walked(browser: &Path, folder: &Path, url: &str) {
    let mut page = Browser::open(browser, &folder.join("keyboard"), url);
    page.wait("document.readyState === 'complete' && document.querySelectorAll('.squares a').length >= 2");
    let all = page.ask(&reachable("body"));
    let all = all.as_array().unwrap();
    assert!(all.len() >= 6, "skip, home, backups, api, metrics: {all:?}");
    assert_eq!(all[0], "#main", "the first is the one that skips the rest");
    for place in all {
        let focused = tab(&mut page);
        assert_eq!(&focused["href"], place, "as it is read: {all:?}");
        assert_eq!((&focused["outlined"], &focused["seen"]), (&json!(true), &json!(true)), "{focused}");
    }

    // The page reads itself again: who stands on the last link of the content still does.
    page.ask("document.querySelector('#main').focus()");
    let inside = page.ask(&reachable("#main")).as_array().unwrap().len();
    for _ in 0..inside {
        tab(&mut page);
    }
    let index = "[...document.querySelectorAll('a[href], summary')].indexOf(document.activeElement)";
    let before = page.ask(index);
    page.ask("document.querySelector('#main').dataset.old = 'yes'");
    page.wait("!document.querySelector('#main').dataset.old");
    assert_eq!(page.ask(index), before, "the focus stays where it was");
    assert_eq!(page.ask(FOCUSED)["outlined"], true);

    // The first link skips to the content.
    page.ask("document.activeElement.blur(); document.querySelector('.skip').focus()");
    page.press("Enter", 13);
    page.wait("document.activeElement.id === 'main'");
    let first = page.ask("document.querySelector('#main a[href], #main summary').getAttribute('href') ?? 'summary'");
    assert_eq!(tab(&mut page)["href"], first);

    for scheme in ["light", "dark"] {
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        page.call("Emulation.setEmulatedMedia", &media);
        assert_eq!(page.ask(PALE), json!([]), "{scheme}: too pale");
    }
}
