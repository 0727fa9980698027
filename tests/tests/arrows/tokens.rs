//! Rust's text as words, as far as arrows need it: comments, strings and numbers are gone. Inside an attribute a path in
//! quotes is code, because `#[serde(with = "crate::pack")]` is an arrow too.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Word(String),
    /// `::`
    Step,
    Mark(char),
}

impl Token {
    pub(crate) fn word(&self) -> Option<&str> {
        match self {
            Token::Word(word) => Some(word),
            Token::Step | Token::Mark(_) => None,
        }
    }

    pub(crate) fn is(&self, mark: char) -> bool {
        *self == Token::Mark(mark)
    }
}

pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let text: Vec<char> = text.chars().collect();
    let (mut out, mut at) = (Vec::new(), 0);
    // How many brackets of the attribute that we are in are open.
    let mut attribute = 0;
    while at < text.len() {
        let (c, next) = (text[at], text.get(at + 1).copied());
        match (c, next) {
            _ if c.is_whitespace() => at += 1,
            ('/', Some('/')) => at += text[at..].iter().take_while(|c| **c != '\n').count(),
            ('/', Some('*')) => at = end_of_comment(&text, at),
            ('"', _) => {
                let end = end_of_string(&text, at + 1);
                let path = text[at + 1..end - 1].iter().all(|c| is_word(*c) || *c == ':');
                if attribute > 0 && path {
                    out.extend(tokens(&text[at + 1..end - 1].iter().collect::<String>()));
                }
                at = end;
            }
            ('\'', _) => at = end_of_quote(&text, at),
            (':', Some(':')) => {
                out.push(Token::Step);
                at += 2;
            }
            _ if c.is_ascii_digit() => at += text[at..].iter().take_while(|c| is_word(**c)).count(),
            _ if is_word(c) => {
                let end = at + text[at..].iter().take_while(|c| is_word(**c)).count();
                let word: String = text[at..end].iter().collect();
                match raw_string(&text, &word, end) {
                    Some(after) => at = after,
                    None => {
                        out.push(Token::Word(word));
                        at = end;
                    }
                }
            }
            _ => {
                let begins =
                    c == '[' && matches!(&out[..], [.., Token::Mark('#')] | [.., Token::Mark('#'), Token::Mark('!')]);
                attribute = match c {
                    '[' if attribute > 0 || begins => attribute + 1,
                    ']' if attribute > 0 => attribute - 1,
                    _ => attribute,
                };
                out.push(Token::Mark(c));
                at += 1;
            }
        }
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn end_of_comment(text: &[char], mut at: usize) -> usize {
    let mut open = 0;
    while at < text.len() {
        match (text[at], text.get(at + 1)) {
            ('/', Some('*')) => (open, at) = (open + 1, at + 2),
            ('*', Some('/')) if open == 1 => return at + 2,
            ('*', Some('/')) => (open, at) = (open - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

/// Behind the closing quote; `at` is behind the opening one.
fn end_of_string(text: &[char], mut at: usize) -> usize {
    while at < text.len() {
        match text[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// A character ends with a quote, a lifetime does not.
fn end_of_quote(text: &[char], at: usize) -> usize {
    match (text.get(at + 1), text.get(at + 2)) {
        (Some('\\'), _) => at + 3 + text[at + 3..].iter().take_while(|c| **c != '\'').count() + 1,
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1 + text[at + 1..].iter().take_while(|c| is_word(**c)).count(),
    }
}

/// Behind `r"…"`, `r#"…"#`, `b"…"`, `b'…'`, `c"…"`, when the word is such a prefix. `r#type` is a word behind `r` and `#`, which
/// harms nobody: no item of ours has such a name.
fn raw_string(text: &[char], word: &str, at: usize) -> Option<usize> {
    if word == "b" && text.get(at) == Some(&'\'') {
        return Some(end_of_quote(text, at));
    }
    let hashes = text[at..].iter().take_while(|c| **c == '#').count();
    if !matches!(word, "r" | "b" | "c" | "br" | "cr") || text.get(at + hashes) != Some(&'"') {
        return None;
    }
    if !word.contains('r') {
        return (hashes == 0).then(|| end_of_string(text, at + 1));
    }
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = at + hashes + 1;
    let length = text[body..].windows(closing.len()).position(|w| w == closing)?;
    Some(body + length + closing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        let show = |token: &Token| match token {
            Token::Word(word) => word.clone(),
            Token::Step => "::".to_owned(),
            Token::Mark(mark) => mark.to_string(),
        };
        tokens(text).iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_code_is_left() {
        assert_eq!(line("a::b /* c::d /* e */ */ ; // f\ng"), "a :: b ; g");
        assert_eq!(line(r##"x("a::b\"c", r#"d"e"#, b'\'', 'f', '\u{1}', 1_u8)"##), "x ( , , , , , )");
        assert_eq!(line("fn f<'a>(x: &'a str)"), "fn f < > ( x : & str )");
    }

    #[test]
    fn a_path_in_an_attribute_is_code() {
        assert_eq!(
            line(r#"#[serde(with = "crate::pack", a = "]b")] x["y"]"#),
            "# [ serde ( with = crate :: pack , a = ) ] x [ ]"
        );
    }
}
