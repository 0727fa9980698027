//! Filters and pages, alike for every describe (`facts/aws.md` A2, `facts/ec2-wire.md` §4).

use super::{
    fault::ApiError,
    form::{Form, invalid},
};
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

/// Filter values of one request. EC2's number is not documented; callers report 200.
const FILTER_VALUES: usize = 200;

/// Filters AND, values of one filter OR, both case-sensitive.
#[derive(Debug)]
pub(crate) struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    /// Reads `Filter.N.Name` and `Filter.N.Value.M`; names are `known`, `tag:KEY` or `tag-key`.
    pub(crate) fn read(form: &Form, known: &[&str]) -> Result<Self, ApiError> {
        let mut filters = Vec::new();
        for index in form.numbers("Filter") {
            let name = form.required(&format!("Filter.{index}.Name"))?.to_owned();
            if !known.contains(&name.as_str()) && name != "tag-key" && !name.starts_with("tag:") {
                return Err(ApiError::client("InvalidParameterValue", format!("The filter '{name}' is invalid")));
            }
            filters.push((name, form.list(&format!("Filter.{index}.Value"))));
        }
        if filters.iter().map(|(_, values)| values.len()).sum::<usize>() > FILTER_VALUES {
            let message = format!("The maximum number of filter values specified on a single call is {FILTER_VALUES}");
            return Err(ApiError::client("FilterLimitExceeded", message));
        }
        Ok(Self(filters))
    }

    /// Does a row pass? `field` gives the row's values of a filter by name. A filter without values lets nothing pass.
    pub(crate) fn pass(&self, tags: &BTreeMap<String, String>, field: impl Fn(&str) -> Vec<String>) -> bool {
        self.0.iter().all(|(name, patterns)| {
            let values: Vec<String> = match name.strip_prefix("tag:") {
                Some(key) => tags.get(key).cloned().into_iter().collect(),
                None if name == "tag-key" => tags.keys().cloned().collect(),
                None => field(name),
            };
            values.iter().any(|value| patterns.iter().any(|pattern| matches(pattern, value)))
        })
    }
}

/// `*` is any text, `?` any character, `\` takes the next character as it is.
fn matches(pattern: &str, text: &str) -> bool {
    fn rest(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', after @ ..] => (0..=text.len()).any(|skip| rest(after, &text[skip..])),
            ['\\', literal, after @ ..] => text.first() == Some(literal) && rest(after, &text[1..]),
            ['?', after @ ..] => !text.is_empty() && rest(after, &text[1..]),
            [literal, after @ ..] => text.first() == Some(literal) && rest(after, &text[1..]),
        }
    }
    rest(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
}

/// Rows by id, and the token of the next page.
type Page<T> = (Vec<(String, T)>, Option<String>);

/// Cuts one page out of `rows`, which are sorted by their key, and says how to go on. The page is cut before any filter
/// is applied, so that a page may be short or even empty and still not be the last.
pub(crate) fn page<T>(
    form: &Form,
    ids: &[String],
    rows: impl IntoIterator<Item = (String, T)>,
) -> Result<Page<T>, ApiError> {
    let wish = form.text("MaxResults");
    if wish.is_some() && !ids.is_empty() {
        let message = "The parameter MaxResults cannot be used with ids in the same request";
        return Err(ApiError::client("InvalidParameterCombination", message));
    }
    let size: Option<usize> = match wish.map(|wish| (wish, wish.parse::<usize>())) {
        None => None,
        Some((_, Ok(size))) if size >= 5 => Some(size.min(1000)),
        Some((wish, _)) => {
            let message =
                format!("Value ( {wish} ) for parameter maxResults is invalid. Expecting a value greater than 5.");
            return Err(ApiError::client("InvalidParameterValue", message));
        }
    };
    let scope = scope(form);
    let after = match form.text("NextToken") {
        None => None,
        Some(token) => match token.strip_prefix(&scope) {
            Some(last) => Some(last.to_owned()),
            None => {
                let ApiError { message, .. } = invalid("NextToken", token);
                return Err(ApiError::client("InvalidParameterValue", format!("{message} The token is invalid.")));
            }
        },
    };
    let mut rest = rows.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|after| key > after)).peekable();
    let page: Vec<_> = rest.by_ref().take(size.unwrap_or(usize::MAX)).collect();
    let next = if rest.peek().is_some() { page.last().map(|(key, _)| format!("{scope}{key}")) } else { None };
    Ok((page, next))
}

/// A token is good for the request it was given for, and for no other. The slash and the plus make clients prove that
/// they escape it.
fn scope(form: &Form) -> String {
    let mut hasher = DefaultHasher::new();
    for (name, value) in form.fields().iter().filter(|(name, _)| name.as_str() != "NextToken") {
        (name, value).hash(&mut hasher);
    }
    format!("{:016x}+/", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_and_their_escapes() {
        for (pattern, text, expected) in [
            ("a*c", "abbc", true),
            ("a*c", "ab", false),
            ("a?c", "abc", true),
            (r"a\*c", "abc", false),
            (r"a\*c", "a*c", true),
            (r"a\\", r"a\", true),
            ("", "", true),
            ("*", "", true),
            ("A", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn pages_go_to_the_end_and_a_foreign_token_is_refused() {
        let rows = || (10..20).map(|number| (number.to_string(), number));
        let first = Form::parse(b"Action=A&MaxResults=5").unwrap();
        let (page_one, token) = page(&first, &[], rows()).unwrap();
        assert_eq!(page_one.len(), 5);
        let token = token.unwrap().replace('+', "%2B");
        let second = Form::parse(format!("Action=A&MaxResults=5&NextToken={token}").as_bytes()).unwrap();
        let (page_two, end) = page(&second, &[], rows()).unwrap();
        assert_eq!(page_two.first().map(|row| row.1), Some(15));
        assert_eq!(end, None);
        let foreign = Form::parse(format!("Action=B&MaxResults=5&NextToken={token}").as_bytes()).unwrap();
        assert_eq!(page(&foreign, &[], rows()).unwrap_err().code, "InvalidParameterValue");
    }
}
