//! Ends of certificates and revocation lists, told in time: in a metric, and in the log from 60 days on.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use shared::time::Timestamp;
use std::{collections::BTreeMap, time::Duration};

/// Days before an end at which it is told. From the last but one on, every day.
const MARKS: [i64; 4] = [60, 30, 7, 1];
/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// What ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelValue)]
pub enum Kind {
    /// This program's certificate.
    Own,
    /// A root that is believed.
    Ca,
    /// A revocation list: nobody new is let in after its end.
    Crl,
    /// The certificate of whoever is connected.
    Peer,
}

/// One end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// `plane/az1`; of an authority and its list the authority's name.
    pub identity: String,
    /// What ends.
    pub kind: Kind,
    /// When.
    pub at: Timestamp,
}

/// Whole days from `now` to `end`; below nothing when it is over.
pub fn days_left(end: Timestamp, now: Timestamp) -> i64 {
    end.0.saturating_sub(now.0).div_euclid(DAY)
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    identity: String,
    kind: Kind,
}

/// `isochron_certificate_expiry_timestamp_seconds`.
#[derive(Clone, Debug, Default)]
pub struct Expiries(Family<Labels, Gauge>);

impl Expiries {
    /// Nothing known yet.
    pub fn register(registry: &mut Registry) -> Self {
        let family = Self::default();
        let help = "When a certificate or a revocation list ends; kind: Own, Ca, Crl, Peer";
        registry.register("isochron_certificate_expiry_timestamp_seconds", help, family.0.clone());
        family
    }

    /// These and no others. Of several with one name and kind the first to end.
    pub fn set(&self, all: &[Expiry]) {
        let mut ends: BTreeMap<(Kind, &str), i64> = BTreeMap::new();
        for one in all {
            let end = ends.entry((one.kind, &one.identity)).or_insert(i64::MAX);
            *end = (*end).min(one.at.0.div_euclid(1000));
        }
        self.0.clear();
        for ((kind, identity), end) in ends {
            self.0.get_or_create(&Labels { identity: identity.to_owned(), kind }).set(end);
        }
    }
}

/// What was told last of one end.
#[derive(Clone, Copy, Debug)]
struct LastReminder {
    at: Timestamp,
    mark: i64,
}

/// Remembers what was told, so that nothing is told twice a day.
#[derive(Debug, Default)]
pub struct Reminder(BTreeMap<(Kind, String), LastReminder>);

impl Reminder {
    /// What has to be told now, with the days that are left.
    pub fn due<'a>(&mut self, now: Timestamp, all: &'a [Expiry]) -> Vec<(&'a Expiry, i64)> {
        let mut due = Vec::new();
        for one in all {
            let left = days_left(one.at, now);
            let Some(mark) = MARKS.into_iter().filter(|mark| left < *mark).min() else { continue };
            let key = (one.kind, one.identity.clone());
            let again = |told: &LastReminder| now.0 - told.at.0 >= DAY && (mark < told.mark || mark <= MARKS[2]);
            if self.0.get(&key).is_none_or(again) {
                self.0.insert(key, LastReminder { at: now, mark });
                due.push((one, left));
            }
        }
        // Who comes again within a day was told of; who was renewed is forgotten, and told of when that ends.
        self.0.retain(|(kind, name), told| {
            let known = all.iter().find(|one| (one.kind, &one.identity) == (*kind, name));
            known.map_or(now.0 - told.at.0 < DAY, |one| days_left(one.at, now) < MARKS[0])
        });
        due
    }
}

/// What a person does about it.
fn remedy(one: &Expiry) -> String {
    match one.kind {
        Kind::Own | Kind::Peer => {
            let (kind, name) = one.identity.split_once('/').unwrap_or(("", &one.identity));
            format!("`coordinator pki renew {kind} {name}`, and the Secret it is in")
        }
        Kind::Ca => "`coordinator pki rotate-ca`".to_owned(),
        Kind::Crl => "a newer list in crl.pem".to_owned(),
    }
}

/// Sets the metric and warns, every `every`, for as long as the process lives.
pub async fn tell(expiries: Expiries, every: Duration, wall: impl Fn() -> Timestamp, known: impl Fn() -> Vec<Expiry>) {
    let mut reminder = Reminder::default();
    loop {
        let all = known();
        expiries.set(&all);
        for (one, days) in reminder.due(wall(), &all) {
            let (identity, kind, todo) = (&one.identity, one.kind, remedy(one));
            tracing::warn!(identity, ?kind, days, todo, "a certificate or revocation list ends soon");
        }
        tokio::time::sleep(every).await;
    }
}

#[cfg(test)]
mod tests;
