//! Takes secrets out of texts before they leave for other people's eyes (`console diagnose`). None of them is meant to hold any:
//! neither program stores one. But a person may have written one where it does not belong (`br.options`, an endpoint, a
//! name), and an error may quote it.

use serde_json::Value;

/// Stands where something was.
pub const REMOVED: &str = "(removed)";

/// What is followed by a secret: `name=…`, `name: …`, `"name": "…"`. Small letters, as they stand; longer ones first where
/// one begins another.
const NAMES: [&str; 21] = [
    "secret_access_key",
    "secret-access-key",
    "secretaccesskey",
    "secret_key",
    "secret-key",
    "secretkey",
    "access_key",
    "access-key",
    "accesskey",
    "customer-key",
    "customer_key",
    "customerkey",
    "private_key",
    "private-key",
    "privatekey",
    "password",
    "passwd",
    "token",
    "signature",
    "credential",
    "authorization",
];
/// A scheme, and then what it carries.
const SCHEMES: [&str; 3] = ["bearer ", "basic ", "aws4-hmac-sha256 "];
/// Key ids of AWS begin so and are this long.
const KEY_IDS: [&str; 2] = ["AKIA", "ASIA"];
const KEY_ID_LENGTH: usize = 20;
/// Secret keys of AWS have no name on them, but a length.
const SECRET_LENGTH: usize = 40;

/// Every text of a value; a field whose name says what it holds goes whole, unless it is a name itself.
pub fn value(mut value: Value) -> Value {
    scrub(&mut value);
    value
}

fn scrub(value: &mut Value) {
    match value {
        Value::String(found) => *found = text(found),
        Value::Array(all) => all.iter_mut().for_each(scrub),
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(found) if NAMES.contains(&name.to_ascii_lowercase().as_str()) => {
                        REMOVED.clone_into(found);
                    }
                    field => scrub(field),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// One text.
pub fn text(text: &str) -> String {
    let text = without_keys(text);
    let text = without_named(&text);
    without_strangers(&text)
}

/// Private keys as PEM has them, also where the lines were joined.
fn without_keys(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("-----BEGIN ") {
        let (label, body) = after.split_once("-----").unwrap_or((after, ""));
        out.push_str(before);
        if !label.contains("PRIVATE KEY") {
            out.push_str("-----BEGIN ");
            rest = after;
            continue;
        }
        out.push_str(REMOVED);
        // What has no end is a part of one.
        rest = body.split_once("-----END ").and_then(|(_, end)| end.split_once("-----")).map_or("", |(_, rest)| rest);
    }
    out + rest
}

/// Values of [`NAMES`], and what [`SCHEMES`] carry.
fn without_named(text: &str) -> String {
    // Of the same length, byte by byte.
    let small = text.to_ascii_lowercase();
    let (mut out, mut at) = (String::new(), 0);
    while at < text.len() {
        let here = small.get(at..).unwrap_or_default();
        let named = NAMES.iter().find_map(|name| Some(name.len() + separator(here.strip_prefix(name)?)?));
        let begins = || SCHEMES.iter().find(|scheme| here.starts_with(**scheme)).map(|scheme| scheme.len());
        if let Some(begin) = named.or_else(begins) {
            out.push_str(text.get(at..at + begin).unwrap_or_default());
            let value = small.get(at + begin..).unwrap_or_default();
            let scheme = SCHEMES.iter().find(|scheme| value.starts_with(**scheme)).map_or(0, |scheme| scheme.len());
            let length = value.get(scheme..).unwrap_or_default().find(ends_a_value).unwrap_or(value.len() - scheme);
            if scheme + length > 0 {
                out.push_str(REMOVED);
            }
            at += begin + scheme + length;
            continue;
        }
        let next = here.chars().next().map_or(1, char::len_utf8);
        out.push_str(text.get(at..at + next).unwrap_or_default());
        at += next;
    }
    out
}

/// How long what stands between a name and its value is; `None`: no value follows.
fn separator(rest: &str) -> Option<usize> {
    let is_quote = |c: char| c == '"' || c == '\'' || c == '\\';
    let name_ends = rest.trim_start_matches(is_quote).trim_start_matches(' ');
    let value = name_ends.strip_prefix(['=', ':'])?.trim_start_matches(' ').trim_start_matches(is_quote);
    Some(rest.len() - value.len())
}

fn ends_a_value(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | ',' | '&' | ';' | ')' | ']' | '}')
}

/// Key ids and secret keys of AWS, and signed tokens, whatever stands before them.
fn without_strangers(text: &str) -> String {
    let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_' | '.');
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
        let (found, after) = rest.split_at(word);
        out.push_str(if is_stranger(found) { REMOVED } else { found });
        let between = after.find(in_word).unwrap_or(after.len());
        out.push_str(after.get(..between).unwrap_or_default());
        rest = after.get(between..).unwrap_or_default();
    }
    out
}

fn is_stranger(word: &str) -> bool {
    let id = |begin: &str| {
        word.match_indices(begin).any(|(at, _)| {
            let id = word.get(at..at + KEY_ID_LENGTH).unwrap_or_default();
            id.len() == KEY_ID_LENGTH && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        })
    };
    let is_token = word.starts_with("eyJ") && word.matches('.').count() >= 2;
    let has = |fits: fn(&u8) -> bool| word.as_bytes().iter().any(fits);
    let is_secret = word.len() == SECRET_LENGTH
        && !word.contains(['-', '_', '.'])
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit);
    KEY_IDS.into_iter().any(id) || is_token || is_secret
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What has to go, and where it stands.
    const SECRETS: [(&str, &str); 14] = [
        ("hunter2", "--s3.password=hunter2 --ratelimit=1"),
        ("hunter2", r#"{"secret_key": "hunter2", "x": 1}"#),
        ("hunter2", r#"{\"secretKey\":\"hunter2\"}"#),
        ("hunter2", "secret-access-key: hunter2"),
        ("hunter2", "s3://b/p?access-key=hunter2&region=eu"),
        ("hunter2", "Authorization: Bearer hunter2"),
        ("hunter2", "sent authorization=AWS4-HMAC-SHA256 hunter2"),
        ("hunter2", "it said bearer hunter2, and went"),
        ("hunter2", "?X-Amz-Credential=hunter2&X-Amz-Signature=hunter2"),
        ("AKIAIOSFODNN7EXAMPLE", "the key AKIAIOSFODNN7EXAMPLE is unknown"),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "and wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("eyJhbGciOi.eyJzdWIiOi.c2lnbmF0", "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0 was refused"),
        ("MIGHAgEAMBMG", "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----\n"),
        ("MIGHAgEAMBMG", "cut: -----BEGIN EC PRIVATE KEY-----\\nMIGHAgEAMBMG"),
    ];

    #[test]
    fn what_is_secret_goes_whoever_wrote_it_where() {
        for (secret, around) in SECRETS {
            let told = text(around);
            assert!(!told.contains(secret) && told.contains(REMOVED), "{around} -> {told}");
        }
        let all = SECRETS.map(|(_, around)| around).join("\n");
        assert!(SECRETS.iter().all(|(secret, _)| !text(&all).contains(secret)), "{}", text(&all));
        let told =
            value(json!({"options": ["--s3.sse-customer-key=hunter2"], "in": {"Password": "hunter2", "token": null}}));
        assert_eq!(
            told,
            json!({"options": ["--s3.sse-customer-key=(removed)"], "in": {"Password": REMOVED, "token": null}})
        );
    }

    #[test]
    fn what_helps_stays() {
        for plain in [
            "secretName: s3-secret, keys access_key, secret_key",
            "snapshot snap-0123456789abcdef0 of vol-0123456789abcdef0 in eu-west-1",
            "e6d23bc3-fb83-482e-8a13-585661b91874 and 0123456789abcdef0123456789abcdef01234567",
            "/home/alice/.config/isochron/admin-alice.key",
            "a token bucket has 5 tokens left; CredentialsRefused",
            "spiffe://isochron.local/plane/arn:aws:eks:eu-west-1:123456789012:cluster/shop",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            "grün ü token",
            "",
        ] {
            assert_eq!(text(plain), plain);
        }
    }
}
