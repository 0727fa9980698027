//! YAML as people write it: configurations, contexts, manifests, descriptions.

use serde::de::DeserializeOwned;
use serde_saphyr::{Error, alias_limits, from_str_with_options, options};
use shared::{reason::cut, wire::TEXT_MAX};

/// Values that aliases may repeat, all together. People repeat a list of planes or a template; some hundred bytes of
/// aliases of aliases are a million values by the library's own bound, and seconds of work at every look at a file.
const REPEATED_MAX: usize = 10_000;

/// One document as a value. The library bounds depth, size and documents.
///
/// # Errors
/// Says what is wrong, and where; it quotes a wrong value, however long that is ([`told`]).
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let repeated = alias_limits! { max_total_replayed_events: REPEATED_MAX };
    from_str_with_options(text, options! { alias_limits: repeated })
}

/// The error in words of bounded length: what it quotes is not.
pub fn told(error: &Error) -> String {
    cut(error.to_string(), TEXT_MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_is_repeated_is_bounded() {
        let read = |text: &str| read::<Value>(text).map_err(|error| error.to_string());
        assert_eq!(read("a: &a [1, 2]\nb: *a\n<<: {c: 3}\n").unwrap(), json!({"a": [1, 2], "b": [1, 2], "c": 3}));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..=8 {
            let before = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![before; 8].join(", "));
        }
        assert!(read(&bomb).unwrap_err().contains("alias"), "eight to the ninth");
        let planes = format!("planes: &p [{}]\n", vec!["az1"; 1000].join(", "));
        assert!(read(&format!("{planes}again: *p\n")).is_ok());
    }
}
