//! Volumes made of snapshots, and how they go (`facts/restore.md` §5.1, §5.2): one ClientToken is one volume, what is made is
//! neither there nor whole at once, and what goes may take minutes.

use super::{
    Attachment, Ec2, Home, Made, Refusal, Snapshot, Spoil, Volume, WantedVolume, check_tags, things::Remembered,
};
use std::{collections::BTreeMap, time::Duration};

/// Longest ClientToken, in ASCII characters.
const TOKEN: usize = 64;
const MIB: u64 = 1024 * 1024;

/// What a CreateVolume asks for.
#[derive(Debug, Clone, Copy)]
pub struct AskedVolume<'a> {
    /// Of what, where, how fast.
    pub wanted: WantedVolume<'a>,
    /// ClientToken.
    pub token: Option<&'a str>,
    /// Of the volume.
    pub tags: &'a [(String, String)],
}

impl Ec2 {
    /// CreateVolume up to the point where one is made: the volume that the token made before, if it did.
    ///
    /// # Errors
    /// Whatever EC2 refuses of it.
    pub fn asked_before(
        &self,
        now: Duration,
        home: &Home,
        asked: &AskedVolume<'_>,
    ) -> Result<Option<(String, Volume)>, Refusal> {
        if let Some(token) = asked.token {
            if token.len() > TOKEN || !token.is_ascii() {
                let message = format!("The client token must have at most {TOKEN} ASCII characters.");
                return Err(Refusal::new("InvalidParameterValue", message));
            }
            if let Some(before) = self.tokens.get(&(home.clone(), token.to_owned())) {
                if before.asked != asked.words() {
                    let message = "The client token was used before, with other parameters.";
                    return Err(Refusal::new("IdempotentParameterMismatch", message));
                }
                // What a token answers whose volume is gone is not documented: the same as before is the answer that misleads
                // most, for the volume that it names will never be.
                let row = self.volumes.get(&before.id).unwrap_or(&before.as_made);
                return Ok(Some((before.id.clone(), row.clone())));
            }
        }
        check_tags(asked.tags)?;
        self.check_tag_count(asked.tags.len())?;
        self.may_create_volume(now, home, &asked.wanted)?;
        self.check_volume_room(now, home, &asked.wanted)?;
        Ok(None)
    }

    fn check_volume_room(&self, now: Duration, home: &Home, wanted: &WantedVolume<'_>) -> Result<(), Refusal> {
        let kind = wanted.kind;
        let of_type: u64 = self.of_type(now, home, kind).map(|volume| u64::from(volume.size)).sum();
        let gib = self.snapshots.get(wanted.snapshot).map_or(0, |snapshot| u64::from(snapshot.size));
        if self.rules.volume_gib.get(kind).is_some_and(|limit| of_type + gib > *limit) {
            let message = format!("You have exceeded your maximum {kind} storage limit in this region.");
            return Err(Refusal::new("VolumeLimitExceeded", message));
        }
        let streaming = self.seen_volumes(now, home).filter_map(|(_, volume)| volume.made.as_ref());
        let rates: u32 = streaming.filter(|made| now < made.initialized).filter_map(|made| made.rate).sum();
        if wanted.rate.is_some_and(|rate| rates.saturating_add(rate) > self.rules.initialization) {
            // That it fails is documented, its code is not: nobody may know this one.
            let message = "The cumulative volume initialization rate of the Region would be exceeded.";
            return Err(Refusal::new("InitializationRateLimitExceeded", message));
        }
        Ok(())
    }

    /// CreateVolume: its id, and what it is at first.
    ///
    /// # Errors
    /// Whatever EC2 refuses of it; nothing was made.
    pub fn create_volume(
        &mut self,
        now: Duration,
        home: &Home,
        asked: &AskedVolume<'_>,
    ) -> Result<(String, Volume), Refusal> {
        if let Some(before) = self.asked_before(now, home, asked)? {
            return Ok(before);
        }
        let id = asked.wanted.snapshot;
        let snapshot = self.visible(now, home, id)?.clone();
        let disabled = snapshot.later.key.as_ref().is_some_and(|key| self.disabled_keys.contains(key));
        let next = self.spoiling.get_mut(id).and_then(std::collections::VecDeque::pop_front);
        let spoilt = next.or(disabled.then_some(Spoil::Error));
        let volume = self.volume_of(now, home, &snapshot, asked, spoilt);
        self.made += 1;
        let id = format!("vol-0{:016x}", self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        if let Some(token) = asked.token {
            let remembered = Remembered { asked: asked.words(), id: id.clone(), as_made: volume.clone() };
            self.tokens.insert((home.clone(), token.to_owned()), remembered);
        }
        self.volumes.insert(id.clone(), volume.clone());
        Ok((id, volume))
    }

    fn volume_of(
        &self,
        now: Duration,
        home: &Home,
        snapshot: &Snapshot,
        asked: &AskedVolume<'_>,
        spoilt: Option<Spoil>,
    ) -> Volume {
        let WantedVolume { snapshot: id, zone, kind, iops, throughput, rate } = asked.wanted;
        let ready = now + self.rules.creating_for;
        let speed = u64::from(rate.unwrap_or(self.rules.lazily).max(1)) * MIB;
        let made = Made {
            snapshot: id.to_owned(),
            zone: zone.to_owned(),
            iops,
            throughput,
            rate,
            created: now,
            visible: now + self.rules.visible_after,
            ready,
            initialized: ready + Duration::from_millis(snapshot.full_bytes.saturating_mul(1_000) / speed),
            spoilt,
            gone: None,
        };
        Volume {
            home: home.clone(),
            size: snapshot.size,
            kind: kind.to_owned(),
            written: snapshot.full_bytes,
            ever_written: snapshot.full_bytes,
            tags: asked.tags.iter().cloned().collect(),
            slow: matches!(kind, "st1" | "sc1"),
            attachment: None,
            made: Some(made),
        }
    }

    /// DeleteVolume. Again while it goes is the same.
    ///
    /// # Errors
    /// It is not there, attached, or not made yet.
    pub fn delete_volume(&mut self, now: Duration, home: &Home, id: &str) -> Result<(), Refusal> {
        let state = self.visible_volume(now, home, id)?.state(now);
        match state {
            "in-use" => {
                let at = self.volumes.get(id).and_then(|volume| volume.attachment.as_ref());
                let instance = at.map(|at| at.instance.as_str()).unwrap_or_default();
                let message = format!("Volume {id} is currently attached to {instance}");
                return Err(Refusal::new("VolumeInUse", message));
            }
            "creating" => {
                let message = format!("The volume '{id}' is '{state}'");
                return Err(Refusal::new("IncorrectState", message));
            }
            _ => {}
        }
        let gone = now + self.rules.deleting_for;
        let Some(volume) = self.volumes.get_mut(id) else { return Ok(()) };
        match &mut volume.made {
            Some(made) => made.gone = made.gone.or(Some(gone)),
            // What was there from the beginning goes at once.
            None => self.remove_volume(id),
        }
        Ok(())
    }

    /// Attaches a volume, as the EBS CSI driver does when a pod needs it.
    ///
    /// # Errors
    /// There is no such volume, or it is not `available`.
    pub fn attach(&mut self, now: Duration, id: &str, instance: &str, device: &str) -> Result<(), Refusal> {
        let missing = || Refusal::new("InvalidVolume.NotFound", format!("The volume '{id}' does not exist."));
        let volume = self.volumes.get_mut(id).filter(|volume| volume.exists(now)).ok_or_else(missing)?;
        if volume.state(now) != "available" {
            return Err(Refusal::new("IncorrectState", format!("Volume '{id}' is {}", volume.state(now))));
        }
        let at = Attachment { instance: instance.to_owned(), device: device.to_owned(), status: "attached".to_owned() };
        volume.attachment = Some(at);
        Ok(())
    }
}

impl AskedVolume<'_> {
    /// Every parameter but the token, in one order.
    fn words(&self) -> String {
        let tags: BTreeMap<&String, &String> = self.tags.iter().map(|(key, value)| (key, value)).collect();
        format!("{:?} {tags:?}", self.wanted)
    }
}
