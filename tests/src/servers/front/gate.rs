//! What the gate knows, and how it judges one call. No wire here.

use super::token;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

/// A call of STS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsCall {
    /// `AssumeRole`, …
    pub action: String,
    /// The access key that signed it; empty: unsigned.
    pub key: String,
    /// Region of the signature; empty: unsigned.
    pub region: String,
    /// `RoleArn`.
    pub role: String,
    /// `RoleSessionName`.
    pub session: String,
    /// `WebIdentityToken`.
    pub token: String,
    /// `ok`, or the error code.
    pub outcome: String,
    /// What it brought.
    pub issued: Option<Issued>,
}

/// Credentials of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Access key.
    pub key: String,
    /// Secret key.
    pub secret: String,
    /// Session token.
    pub token: String,
}

/// A call of S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectCall {
    /// GET, PUT, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The access key that signed it.
    pub key: String,
    /// `ok`, or the error code.
    pub outcome: String,
}

/// Status, code, message.
pub(super) type Refused = (u16, String, String);

#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) known: BTreeSet<String>,
    /// Access key of a session → its end.
    pub(super) ends: BTreeMap<String, SystemTime>,
    /// Role, principal.
    pub(super) trust: BTreeSet<(String, String)>,
    pub(super) refused: BTreeMap<String, (u16, String)>,
    pub(super) length: Option<Duration>,
    pub(super) sts: Vec<StsCall>,
    pub(super) objects: Vec<ObjectCall>,
}

impl Gate {
    /// Is this access key one, and has it not ended? `elsewhere`: EC2 knows it.
    pub(super) fn admits(&self, key: &str, elsewhere: bool, now: SystemTime) -> Result<(), Refused> {
        match self.ends.get(key) {
            Some(end) if *end <= now => {
                Err((403, "ExpiredToken".into(), "The security token included in the request is expired".into()))
            }
            Some(_) => Ok(()),
            None if self.known.contains(key) || elsewhere => Ok(()),
            None => {
                let text = "The security token included in the request is invalid.";
                Err((403, "InvalidClientTokenId".into(), text.into()))
            }
        }
    }

    /// May this STS call go on to moto?
    pub(super) fn judge(&self, call: &StsCall, elsewhere: bool, now: SystemTime) -> Result<(), Refused> {
        if let Some((status, code)) = self.refused.get(&call.action) {
            return Err((*status, code.clone(), format!("planned by the test: {code}")));
        }
        let principal = match call.action.as_str() {
            "AssumeRoleWithWebIdentity" => {
                if !call.key.is_empty() {
                    return Err((400, "ValidationError".into(), "this call is not signed".into()));
                }
                let claims = token::claims(&call.token).ok_or_else(|| {
                    (400, "InvalidIdentityToken".to_owned(), "The token is no JSON web token".to_owned())
                })?;
                if claims.audiences != ["sts.amazonaws.com"] {
                    let text = format!("Incorrect token audience {:?}", claims.audiences);
                    return Err((400, "InvalidIdentityToken".into(), text));
                }
                claims.subject
            }
            _ => {
                self.admits(&call.key, elsewhere, now)?;
                call.key.clone()
            }
        };
        let trusted = call.role.is_empty() || self.trust.contains(&(call.role.clone(), principal.clone()));
        if trusted {
            return Ok(());
        }
        let text = match call.action.as_str() {
            "AssumeRoleWithWebIdentity" => "Not authorized to perform sts:AssumeRoleWithWebIdentity".to_owned(),
            _ => format!("User: {principal} is not authorized to perform: sts:AssumeRole on resource: {}", call.role),
        };
        Err((403, "AccessDenied".into(), text))
    }

    /// Takes what moto issued into the books; returns moto's answer with the end that holds.
    pub(super) fn issue(&mut self, call: &mut StsCall, mut answer: String, now: SystemTime) -> String {
        let part = |name: &str| within(&answer, name).map(str::to_owned).unwrap_or_default();
        let issued = Issued { key: part("AccessKeyId"), secret: part("SecretAccessKey"), token: part("SessionToken") };
        if issued.key.is_empty() {
            return answer;
        }
        let length = self.length.unwrap_or(Duration::from_secs(3600));
        self.ends.insert(issued.key.clone(), now + length);
        call.issued = Some(issued);
        if let Some(end) = jiff::Timestamp::try_from(now + length).ok()
            && let Some(old) = within(&answer, "Expiration").map(str::to_owned)
        {
            answer = answer.replace(&old, &end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        }
        answer
    }
}

/// The text of an element that stands once in an answer.
fn within<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = answer.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}
