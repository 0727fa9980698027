//! The reply: elements written one after another, text escaped. Not CDATA, which the Rust SDK reads as empty.

use std::fmt::Display;

/// EC2's namespace of API version 2016-11-15.
const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// An XML text in the making.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// A whole reply `<{action}Response>` around `content`, which writes what stands in it.
    pub(crate) fn reply(action: &str, request: &str, content: impl FnOnce(&mut Self)) -> String {
        let mut xml =
            Self(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response xmlns=\"{NAMESPACE}\">"));
        xml.leaf("requestId", request);
        content(&mut xml);
        xml.0.push_str(&format!("</{action}Response>"));
        xml.0
    }

    /// The error envelope.
    pub(crate) fn error(code: &str, message: &str, request: &str) -> String {
        let mut xml = Self("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned());
        xml.within("Response", |xml| {
            xml.within("Errors", |xml| {
                xml.within("Error", |xml| {
                    xml.leaf("Code", code);
                    xml.leaf("Message", message);
                });
            });
            xml.leaf("RequestID", request);
        });
        xml.0
    }

    /// `<name>text</name>`
    pub(crate) fn leaf(&mut self, name: &str, text: impl Display) {
        self.0.push_str(&format!("<{name}>{}</{name}>", escape(&text.to_string())));
    }

    /// `<name>…</name>` around `content`.
    pub(crate) fn within(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.0.push_str(&format!("<{name}>"));
        content(self);
        self.0.push_str(&format!("</{name}>"));
    }

    /// A set: `<name><item>…</item>…</name>`.
    pub(crate) fn set<T>(&mut self, name: &str, rows: impl IntoIterator<Item = T>, row: impl Fn(&mut Self, T)) {
        self.within(name, |xml| {
            for one in rows {
                xml.within("item", |xml| row(xml, one));
            }
        });
    }

    /// `tagSet`, as every resource has it.
    pub(crate) fn tags<'a>(&mut self, tags: impl IntoIterator<Item = (&'a String, &'a String)>) {
        self.set("tagSet", tags, |xml, (key, value)| {
            xml.leaf("key", key);
            xml.leaf("value", value);
        });
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            other => escaped.push(other),
        }
    }
    escaped
}
