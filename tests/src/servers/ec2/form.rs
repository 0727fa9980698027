//! The request: a form with flat names and lists counted from 1 (`facts/ec2-wire.md` §1).

use super::fault::ApiError;
use std::collections::{BTreeMap, BTreeSet};

/// The fields of one request, by name.
#[derive(Debug, Default)]
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads `application/x-www-form-urlencoded`; a space is `+` or `%20`.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let text = std::str::from_utf8(body).map_err(|_| malformed("the body is not UTF-8"))?;
        let mut fields = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.insert(decode(name)?, decode(value)?);
        }
        Ok(Self(fields))
    }

    /// All fields, for the call log.
    pub(crate) fn fields(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// A field that was sent and is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A field that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        let message = || format!("The request must contain the parameter {name}");
        self.text(name).ok_or_else(|| ApiError::client("MissingParameter", message()))
    }

    /// `true` or `false`; absent is false.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(invalid(name, other)),
        }
    }

    /// `name.1`, `name.2`, … in the order of their numbers.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let value = |index| self.0.get(&format!("{name}.{index}")).cloned();
        self.numbers(name).into_iter().filter_map(value).collect()
    }

    /// The numbers N for which anything named `name.N` or `name.N.…` was sent.
    pub(crate) fn numbers(&self, name: &str) -> BTreeSet<u32> {
        let prefix = format!("{name}.");
        let rest = self.0.keys().filter_map(|key| key.strip_prefix(&prefix));
        rest.filter_map(|rest| rest.split('.').next()?.parse().ok()).collect()
    }

    /// Pairs of `name.N.Key` and `name.N.Value`.
    pub(crate) fn tags(&self, name: &str) -> Vec<(String, String)> {
        let part = |index: u32, part: &str| self.0.get(&format!("{name}.{index}.{part}")).cloned().unwrap_or_default();
        self.numbers(name).into_iter().map(|index| (part(index, "Key"), part(index, "Value"))).collect()
    }

    /// Refuses what the action does not know. Numbers of lists are written `#` in `known`.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        for name in self.0.keys().filter(|name| !matches!(name.as_str(), "Action" | "Version")) {
            let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let shape: Vec<&str> = name.split('.').map(|part| if is_number(part) { "#" } else { part }).collect();
            if !known.contains(&shape.join(".").as_str()) {
                let message = format!("The parameter {name} is not recognized");
                return Err(ApiError::client("UnknownParameter", message));
            }
        }
        Ok(())
    }
}

/// The words that EC2 uses for a value it does not take.
pub(crate) fn invalid(name: &str, value: &str) -> ApiError {
    ApiError::client("InvalidParameterValue", format!("Value ( {value} ) for parameter {name} is invalid."))
}

fn malformed(what: &str) -> ApiError {
    ApiError::client("MalformedQueryString", what)
}

fn decode(text: &str) -> Result<String, ApiError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err(malformed("a percent sign without two hexadecimal digits"));
                };
                // Two hexadecimal digits fit into a byte.
                u8::try_from(high * 16 + low).unwrap_or_default()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| malformed("percent-coded bytes are not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clients_escapes_are_read() {
        let form = Form::parse(b"A=x+y%20z&Filter.1.Name=tag%3Ak%2Fb&N=caf%C3%A9&E=&T=~").unwrap();
        assert_eq!(form.text("A"), Some("x y z"));
        assert_eq!(form.text("Filter.1.Name"), Some("tag:k/b"));
        assert_eq!(form.text("N"), Some("café"));
        assert_eq!(form.text("E"), None);
        assert!(Form::parse(b"A=%4").is_err());
        assert!(Form::parse(b"A=%FF").is_err());
    }

    #[test]
    fn lists_go_by_number_not_by_name() {
        let body: String = (1..=11).rev().map(|index| format!("Id.{index}=v{index}&")).collect();
        let list = Form::parse(body.as_bytes()).unwrap().list("Id");
        assert_eq!(list.first().map(String::as_str), Some("v1"));
        assert_eq!(list.last().map(String::as_str), Some("v11"));
    }

    #[test]
    fn unknown_parameters_are_refused() {
        let form = Form::parse(b"Action=X&Version=1&Tag.7.Key=k").unwrap();
        assert!(form.only(&["Tag.#.Key"]).is_ok());
        assert_eq!(form.only(&["Tag.#.Value"]).unwrap_err().code, "UnknownParameter");
    }
}
