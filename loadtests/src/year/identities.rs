//! The issuer's calendar: who is renewed when two thirds of a certificate's life are over, lists that are made anew before they end, an
//! authority that another one follows, a certificate that is taken back, one that nobody renews.

use super::{args::YearArgs, net::YearNet};
use anyhow::{Context, ensure};
use shared::time::Timestamp;
use shell::pki::Kind;
use std::{collections::BTreeMap, time::Duration};
use tests::{quic_net::Issuer, rig::Rig};
use tokio::time::sleep;

/// A closed session is seen, and a mounted file read, within two turns of the programs' ten seconds; a plane that was out dials again
/// within its longest pause.
const SETTLED: Duration = Duration::from_secs(60);
/// Whose certificate is taken back.
const REVOKED: &str = "az2";
/// Whose renewal is missed.
const MISSED: &str = "az3";
/// Who keeps a certificate of the older authority to try it.
const KEEPS: &str = "az1";
/// A week before an end everybody is told every day; of shorter lives always.
const WARNED: i64 = 7 * 24 * 60 * 60 * 1000;

/// What was made, and what it came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Made {
    pub(super) renewals: u64,
    pub(super) lists: u64,
    /// Of both, mounted while stores were held.
    pub(super) in_hold: u64,
}

pub(super) struct Identities {
    issuer: Issuer,
    life: Duration,
    list_life: Duration,
    renewed: BTreeMap<String, Timestamp>,
    listed: Timestamp,
    /// Since when nobody renews [`MISSED`].
    missed: Option<Timestamp>,
    /// Of planes, which show newer ones by now: the next list takes them back, as `pki renew` advises.
    replaced: Vec<String>,
    /// A certificate of [`KEEPS`] that only the older authority signed.
    older: Option<String>,
    pub(super) made: Made,
    /// Times that somebody was believed, or not believed, whom it should have been otherwise.
    pub(super) misjudged: Vec<String>,
    /// The missed renewal was told of in the metric before it ended.
    pub(super) warned: bool,
}

impl Identities {
    pub(super) fn new(issuer: Issuer, args: &YearArgs, now: Timestamp) -> Self {
        let renewed = issuer.programs().iter().map(|(_, name)| (name.clone(), now)).collect();
        let (life, list_life) = (args.life(), args.list_life());
        Self {
            issuer,
            life,
            list_life,
            renewed,
            listed: now,
            missed: None,
            replaced: Vec::new(),
            older: None,
            made: Made::default(),
            misjudged: Vec::new(),
            warned: false,
        }
    }

    /// Certificates and keys in the authority's folder, and the bytes of its lists.
    pub(super) fn kept(&self) -> anyhow::Result<(usize, usize)> {
        self.issuer.kept()
    }

    /// What is due in an interval, in the middle of its backup.
    pub(super) async fn turn(&mut self, rig: &Rig<YearNet>) -> anyhow::Result<()> {
        let now = rig.world.wall();
        if after(self.listed, self.list_life / 3) <= now {
            let replaced = std::mem::take(&mut self.replaced);
            self.issuer.revoke(&replaced)?;
            self.lists(rig);
        }
        let due = |at: &Timestamp| after(*at, self.life * 2 / 3) <= now;
        let due: Vec<_> = self
            .issuer
            .programs()
            .iter()
            .filter(|(_, name)| self.renewed.get(name).is_some_and(due))
            .cloned()
            .collect();
        for (kind, name) in due {
            if self.missed.is_none() || name != MISSED {
                self.renew(rig, kind, &name)?;
            }
        }
        self.watch(rig).await
    }

    fn lists(&mut self, rig: &Rig<YearNet>) {
        self.listed = rig.world.wall();
        self.made.lists += 1;
        self.made.in_hold += u64::from(rig.net.book.holding());
    }

    fn renew(&mut self, rig: &Rig<YearNet>, kind: Kind, name: &str) -> anyhow::Result<()> {
        let before =
            self.issuer.serial(name).filter(|serial| kind == Kind::Plane && self.older.as_ref() != Some(serial));
        self.issuer.renew(kind, name).with_context(|| format!("renewing {kind}/{name}"))?;
        self.replaced.extend(before);
        self.renewed.insert(name.to_owned(), rig.world.wall());
        self.made.renewals += 1;
        self.made.in_hold += u64::from(rig.net.book.holding());
        Ok(())
    }

    fn wrong(&mut self, holds: bool, what: &str) {
        if !holds {
            self.misjudged.push(what.to_owned());
        }
    }

    /// Both are believed from now on. One plane keeps what only the older one signed.
    pub(super) async fn next_authority(&mut self, rig: &Rig<YearNet>) -> anyhow::Result<()> {
        self.renew(rig, Kind::Plane, KEEPS)?;
        self.older = self.issuer.serial(KEEPS);
        self.issuer.next_authority()?;
        self.lists(rig);
        // Who has not read the newer authority believes nobody whom it signed.
        sleep(SETTLED).await;
        self.renew(rig, Kind::Plane, KEEPS)
    }

    /// Whom the older one alone signed is not let in any more.
    pub(super) async fn retire_authority(&mut self, rig: &Rig<YearNet>) -> anyhow::Result<()> {
        self.issuer.retire_authority()?;
        self.lists(rig);
        sleep(SETTLED).await;
        let serial = self.older.take().context("no authority followed another")?;
        let said = rig.net.tries(self.issuer.replaced(Kind::Plane, KEEPS, &serial)).await;
        self.wrong(said.is_err(), "the older authority is believed after it was taken out");
        self.wrong(
            rig.series_with("isochron_certificate_expiry_timestamp_seconds", "kind=\"Ca\"") == 1,
            "two authorities are told of",
        );
        self.wrong(rig.net.linked() == PLANES.len(), "an authority that goes takes somebody along");
        Ok(())
    }

    /// A plane's certificate is taken back: its session ends, it is not let in, and with another certificate it is.
    pub(super) async fn revoke(&mut self, rig: &Rig<YearNet>) -> anyhow::Result<()> {
        let serial = self.issuer.serial(REVOKED).context("it was issued")?;
        rig.net.book.excuse(true);
        self.issuer.revoke(&[serial])?;
        self.lists(rig);
        sleep(SETTLED).await;
        self.wrong(rig.net.linked() == PLANES.len() - 1, "whose certificate was taken back is linked");
        self.renew(rig, Kind::Plane, REVOKED)?;
        self.replaced.pop();
        sleep(SETTLED).await;
        self.wrong(rig.net.linked() == PLANES.len(), "who has another certificate is not let in");
        rig.net.book.excuse(false);
        Ok(())
    }

    /// The next renewal of this plane is missed.
    pub(super) fn last_renewal(&mut self, rig: &Rig<YearNet>) -> anyhow::Result<()> {
        self.renew(rig, Kind::Plane, MISSED)?;
        self.missed = Some(rig.world.wall());
        Ok(())
    }

    /// Who is not renewed is told of, then out, then in again with a newer certificate.
    async fn watch(&mut self, rig: &Rig<YearNet>) -> anyhow::Result<()> {
        let Some(since) = self.missed else { return Ok(()) };
        let (end, now) = (after(since, self.life), rig.world.wall());
        if now < end {
            let told = rig.metric(&format!(
                "isochron_certificate_expiry_timestamp_seconds{{identity=\"plane/{MISSED}\",kind=\"Peer\"}}"
            ));
            self.warned |= end.0 - now.0 < WARNED && told.is_some_and(|told| told as i64 == end.0.div_euclid(1000));
        } else {
            ensure!(now.0 - end.0 < millis(self.life), "its end was passed over");
            self.wrong(rig.net.linked() == PLANES.len() - 1, "whose certificate has ended is linked");
            self.missed = None;
            self.renew(rig, Kind::Plane, MISSED)?;
            sleep(SETTLED).await;
            self.wrong(rig.net.linked() == PLANES.len(), "who was renewed at last is not let in");
            rig.net.book.excuse(false);
        }
        Ok(())
    }

    /// Its end comes before the next look: nothing else ends a session then.
    pub(super) fn ends_before(&self, then: Timestamp) -> bool {
        self.missed.is_some_and(|since| after(since, self.life) <= then)
    }
}

/// In the order of `spec.clusters`.
pub(super) const PLANES: [&str; 3] = ["az1", "az2", "az3"];

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

fn after(at: Timestamp, length: Duration) -> Timestamp {
    Timestamp(at.0.saturating_add(millis(length)))
}
