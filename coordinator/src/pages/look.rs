//! Colours of pictures and pages, for light and for dark. Whatever is text has a contrast of at least 4.5 on everything
//! that it stands on (WCAG 2, level AA); a test computes it.

/// One set of colours, as `#rrggbb`.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// Behind everything.
    ground: &'static str,
    /// Behind a card, a table's head, a lane.
    panel: &'static str,
    /// Borders and scales.
    line: &'static str,
    /// Text.
    ink: &'static str,
    /// Text of less weight.
    dim: &'static str,
    /// Words and marks of what is good, and a fill that carries text; the same for the others.
    good: (&'static str, &'static str),
    warn: (&'static str, &'static str),
    bad: (&'static str, &'static str),
    busy: (&'static str, &'static str),
    /// A fill for what is neither.
    quiet: &'static str,
}

const LIGHT: Look = Look {
    ground: "#ffffff",
    panel: "#f4f6f9",
    line: "#c9d3dd",
    ink: "#17212b",
    dim: "#4c5a68",
    good: ("#0b6638", "#c9ecd7"),
    warn: ("#7a4a00", "#fbdfae"),
    bad: ("#a81f18", "#f9d3d0"),
    busy: ("#0a5396", "#cfe4fa"),
    quiet: "#e3e8ee",
};

const DARK: Look = Look {
    ground: "#10151b",
    panel: "#18202a",
    line: "#3a4856",
    ink: "#e8eef4",
    dim: "#a3b3c2",
    good: ("#74dfa3", "#17462d"),
    warn: ("#f6c46b", "#57400f"),
    bad: ("#ff9d94", "#5c2420"),
    busy: ("#8ac7ff", "#173d63"),
    quiet: "#2a3541",
};

/// CSS that gives every colour a name (`--ink`, `--good`, `--good-fill`, …) under this selector, light or dark as the
/// reader's system has it.
pub(crate) fn colours(selector: &str) -> String {
    format!(
        "{selector}{{color-scheme:light dark;{}}}@media(prefers-color-scheme:dark){{{selector}{{{}}}}}",
        named(&LIGHT),
        named(&DARK)
    )
}

fn named(look: &Look) -> String {
    let plain = [
        ("ground", look.ground),
        ("panel", look.panel),
        ("line", look.line),
        ("ink", look.ink),
        ("dim", look.dim),
        ("quiet", look.quiet),
    ];
    let pairs = [("good", look.good), ("warn", look.warn), ("bad", look.bad), ("busy", look.busy)];
    let plain = plain.map(|(name, colour)| format!("--{name}:{colour}"));
    let pairs = pairs.map(|(name, (word, fill))| format!("--{name}:{word};--{name}-fill:{fill}"));
    [plain.join(";"), pairs.join(";")].join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, as WCAG 2 defines it.
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn contrast_is_that_of_the_standard() {
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
        assert!((contrast("#777777", "#ffffff") - 4.48).abs() < 0.01);
    }

    #[test]
    fn every_word_can_be_read_on_whatever_it_stands() {
        for look in [LIGHT, DARK] {
            let pairs = [look.good, look.warn, look.bad, look.busy];
            let grounds = [look.ground, look.panel, look.quiet];
            let fills = pairs.map(|(_, fill)| fill);
            for on in grounds.into_iter().chain(fills) {
                for word in [look.ink, look.dim] {
                    assert!(contrast(word, on) >= 4.5, "{word} on {on}: {}", contrast(word, on));
                }
            }
            for (word, fill) in pairs {
                for on in grounds.into_iter().chain([fill]) {
                    assert!(contrast(word, on) >= 4.5, "{word} on {on}: {}", contrast(word, on));
                }
                // A square whose sign has the colour of the ground, and its edge against what lies around it.
                assert!(contrast(look.ground, word) >= 4.5, "{word}: {}", contrast(look.ground, word));
            }
        }
    }
}
