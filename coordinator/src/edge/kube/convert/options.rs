//! Options of the old jobs (`br.options`, `s3.options`, `env`): those that say where and how metadata lies are understood,
//! as BR took them (`facts/tidb-operator.md` §6); of all others a person is told that they have no effect.

use super::super::crd::Template;
use shared::{reason::cut, wire::TEXT_MAX};

/// Options that are named as having no effect; whoever gave so many knows that more may follow.
const NAMED: usize = 16;
/// Longest of them as it is told.
const ONE_MAX: usize = 200;

/// What options say of the storage. `None`: they say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    pub(super) acl: Option<String>,
    pub(super) sse: Option<String>,
    pub(super) storage_class: Option<String>,
    pub(super) kms_key: Option<String>,
    pub(super) role: Option<String>,
    pub(super) external_id: Option<String>,
    /// What has no effect, and where it stands.
    pub(super) ignored: Vec<String>,
}

/// Reads what a template says. BR's options came behind the fields on its command line, so they have the last word.
pub(super) fn read(template: &Template) -> Options {
    let mut options = Options::default();
    let none = Vec::new();
    let of_br = template.br.as_ref().and_then(|br| br.options.as_ref()).unwrap_or(&none);
    options.take(of_br);
    let of_s3 = template.s3.as_ref().and_then(|s3| s3.options.as_ref()).unwrap_or(&none);
    let of_s3 = of_s3.iter().filter(|option| !option.trim().is_empty());
    options.ignored.extend(of_s3.map(|option| format!("s3.options: {}", option.trim())));
    // Everything else that pods were given had no part in what is done here.
    let names = template.env.iter().flatten().filter_map(|entry| entry["name"].as_str());
    options.ignored.extend(names.filter(|name| name.starts_with("AWS_")).map(|name| format!("env: {name}")));
    let more = options.ignored.len().saturating_sub(NAMED);
    options.ignored.truncate(NAMED);
    options.ignored = options.ignored.into_iter().map(|option| cut(option, ONE_MAX)).collect();
    if more > 0 {
        options.ignored.push(format!("and {more} more"));
    }
    options
}

impl Options {
    fn take(&mut self, list: &[String]) {
        let mut words = list.iter().flat_map(|option| option.split_whitespace()).peekable();
        while let Some(word) = words.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                // As a shell has it: the value is the next word.
                None => (word, words.next_if(|next| !next.starts_with('-'))),
            };
            match self.field(name).zip(value) {
                Some((field, value)) if value.len() <= TEXT_MAX => *field = Some(value.to_owned()),
                _ => {
                    let value = value.map(|value| format!("={value}")).unwrap_or_default();
                    self.ignored.push(format!("br.options: {name}{value}"));
                }
            }
        }
    }

    fn field(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "--s3.endpoint" => Some(&mut self.endpoint),
            "--s3.region" => Some(&mut self.region),
            "--s3.acl" => Some(&mut self.acl),
            "--s3.sse" => Some(&mut self.sse),
            "--s3.storage-class" => Some(&mut self.storage_class),
            "--s3.sse-kms-key-id" => Some(&mut self.kms_key),
            "--s3.role-arn" => Some(&mut self.role),
            "--s3.external-id" => Some(&mut self.external_id),
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(template: Value) -> Options {
        read(&serde_json::from_value(template).unwrap())
    }

    fn br(options: &[&str]) -> Options {
        of(json!({"br": {"options": options}}))
    }

    #[test]
    fn what_says_where_metadata_lies_is_understood_in_every_spelling() {
        let one = br(&["--s3.sse=aws:kms", "--s3.sse-kms-key-id=arn:aws:kms:eu-west-1:1:key/k"]);
        assert_eq!(one, br(&["--s3.sse", "aws:kms", "--s3.sse-kms-key-id", "arn:aws:kms:eu-west-1:1:key/k"]));
        assert_eq!(one, br(&["--s3.sse aws:kms --s3.sse-kms-key-id=arn:aws:kms:eu-west-1:1:key/k"]));
        assert_eq!((one.sse.as_deref(), one.ignored.len()), (Some("aws:kms"), 0));
        let role = br(&["--s3.role-arn=arn:aws:iam::1:role/r", "--s3.external-id=x=y"]);
        assert_eq!(role.external_id.as_deref(), Some("x=y"));
        assert_eq!(
            br(&["--s3.acl=private", "--s3.acl=bucket-owner-full-control"]).acl.unwrap(),
            "bucket-owner-full-control"
        );
        assert_eq!(br(&[]), Options::default());
    }

    #[test]
    fn nothing_else_is_dropped_without_a_word() {
        let some = of(json!({
            "br": {"options": ["--ratelimit=128", "--log-level", "debug", "--s3.sse-kms-key-id", "--checksum", ""]},
            "s3": {"provider": "aws", "bucket": "b", "options": ["--ignore-checksum", " "]},
            "env": [{"name": "AWS_REGION", "value": "r"}, {"name": "TZ", "value": "UTC"}, {}],
        }));
        let told = [
            "br.options: --ratelimit=128",
            "br.options: --log-level=debug",
            "br.options: --s3.sse-kms-key-id",
            "br.options: --checksum",
            "s3.options: --ignore-checksum",
            "env: AWS_REGION",
        ];
        assert_eq!(some.ignored, told);
        let many = br(&vec!["--x"; 100]);
        assert_eq!((many.ignored.len(), many.ignored.last().unwrap().as_str()), (17, "and 84 more"));
        assert!(br(&[&format!("--x={}", "y".repeat(5000))]).ignored[0].len() <= ONE_MAX);
    }
}
