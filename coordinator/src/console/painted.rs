//! Colours for who reads on a terminal: of signs and of words that say how something came out. Nobody has to tell colours
//! apart, the words are there without them.

const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "31";

/// Words that stand alone, and what they are painted in.
const WORDS: [(&str, &str); 11] = [
    ("Complete", GREEN),
    ("Consistent", GREEN),
    ("proven", GREEN),
    ("√", GREEN),
    ("Weaker", YELLOW),
    ("Drained", YELLOW),
    ("Claiming", YELLOW),
    ("‼", YELLOW),
    ("Failed", RED),
    ("Invalid", RED),
    ("×", RED),
];

/// A table as it is printed, with its colours.
pub fn painted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let is_between = |c: char| c.is_whitespace() || matches!(c, ',' | ':' | '=' | '(' | ')');
    let mut rest = text;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.find(is_between).unwrap_or(rest.len()));
        match WORDS.iter().find(|(known, _)| *known == word) {
            Some((_, colour)) => out.push_str(&format!("\u{1b}[{colour}m{word}\u{1b}[0m")),
            None => out.push_str(word),
        }
        let (between, next) = after.split_at(after.find(|c| !is_between(c)).unwrap_or(after.len()));
        out.push_str(between);
        rest = next;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_painted_and_nothing_is_lost() {
        let table = " √ plane az1  fine\n × plane az2  Failed: step=Complete (Weaker)\n  CompleteAndMore\n";
        let told = painted(table);
        assert!(told.contains("\u{1b}[32m√\u{1b}[0m plane") && told.contains("\u{1b}[31mFailed\u{1b}[0m:"), "{told:?}");
        assert!(told.contains("step=\u{1b}[32mComplete\u{1b}[0m") && told.contains("  CompleteAndMore\n"), "{told:?}");
        let plain = ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[0m"]
            .iter()
            .fold(told, |told, code| told.replace(code, ""));
        assert_eq!(plain, table);
    }
}
