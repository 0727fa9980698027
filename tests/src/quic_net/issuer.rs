//! An issuer as cert-manager is one: it makes a new key and certificate for each program again and again. What it makes reaches a
//! program as a mounted Secret does: the kubelet writes a whole folder beside the one before, and puts a link `..data` to it in the
//! place of the older link; the files are links through it, and never change.

use super::certificates::{COORDINATOR, COORDINATOR_NAME, Certificates, Mounted, Reading, TRUST_DOMAIN, mount_of};
use crate::bell::Bell;
use shared::time::Timestamp;
use shell::{
    clock::{Wall, system_wall},
    pki::{self, Kind},
    tls::Credentials,
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// How often programs look at their files here: in production every 10 s, of certificates that live for months.
pub const READ_EVERY: Duration = Duration::from_millis(100);

/// How long things last that an issuer makes, by which clock.
#[derive(Clone)]
pub struct Lives {
    /// Now.
    pub wall: Wall,
    /// Of a certificate.
    pub certificate: Duration,
    /// Of a list of the revoked.
    pub list: Duration,
    /// What was mounted is read at the next turn of this: 10 s in production.
    pub read_every: Duration,
}

/// An authority in a folder, and the mounts of a coordinator and of planes in it.
pub struct Issuer {
    folder: PathBuf,
    programs: Vec<(Kind, String)>,
    /// Folders that were mounted so far: each has a name of its own.
    mounted: u64,
    /// Of what was made last.
    serials: BTreeMap<String, String>,
    /// `None`: as `pki` has it, by the system's clock, and no lists.
    lives: Option<Lives>,
    /// Rings when something was mounted.
    bell: Bell,
}

impl Issuer {
    /// In an empty folder.
    ///
    /// # Errors
    /// Files cannot be written.
    pub fn start(folder: &Path, planes: &[&str]) -> anyhow::Result<Self> {
        Certificates::make(folder, planes)?;
        let mut issuer = Self::of(folder, planes, None);
        issuer.mount_all()?;
        Ok(issuer)
    }

    /// The same, of things that last so long, with lists of the revoked; `now`: what the clock will say first.
    ///
    /// # Errors
    /// Files cannot be written.
    pub fn start_at(folder: &Path, planes: &[&str], now: Timestamp, lives: Lives) -> anyhow::Result<Self> {
        pki::init_at(folder, TRUST_DOMAIN, now)?;
        let (until, lists_until) = (after(now, lives.certificate), after(now, lives.list));
        let mut issuer = Self::of(folder, planes, Some(lives));
        for (kind, name) in &issuer.programs {
            let dialled = if *kind == Kind::Coordinator { vec![COORDINATOR.ip().to_string()] } else { Vec::new() };
            let made = pki::issue_until(folder, *kind, name, &dialled, now, until)?;
            issuer.serials.insert(name.clone(), made.serial);
        }
        pki::relist(folder, now, lists_until)?;
        issuer.mount_all()?;
        Ok(issuer)
    }

    fn of(folder: &Path, planes: &[&str], lives: Option<Lives>) -> Self {
        let planes = planes.iter().map(|plane| (Kind::Plane, (*plane).to_owned()));
        let programs = std::iter::once((Kind::Coordinator, COORDINATOR_NAME.to_owned())).chain(planes).collect();
        let (serials, bell) = (BTreeMap::new(), Bell::default());
        Self { folder: folder.to_owned(), programs, mounted: 0, serials, lives, bell }
    }

    /// What programs read.
    #[must_use]
    pub fn certificates(&self) -> Certificates {
        let (lists, reading, wall): (_, _, Wall) = match &self.lives {
            None => (false, Reading::Every(READ_EVERY), Arc::new(system_wall)),
            Some(lives) => (true, Reading::Told(self.bell.clone(), lives.read_every), lives.wall.clone()),
        };
        Certificates { folder: self.folder.clone(), mounted: Some(Mounted { lists, reading }), wall }
    }

    /// Who has a certificate here.
    #[must_use]
    pub fn programs(&self) -> &[(Kind, String)] {
        &self.programs
    }

    fn now(&self) -> Timestamp {
        self.lives.as_ref().map_or_else(system_wall, |lives| (lives.wall)())
    }

    /// A new key and certificate for every program. Returns how many.
    ///
    /// # Errors
    /// Files cannot be written.
    pub fn renew_all(&mut self) -> anyhow::Result<u64> {
        for (kind, name) in self.programs.clone() {
            self.make(kind, &name)?;
        }
        self.mount_all()?;
        Ok(self.programs.len() as u64)
    }

    /// The same for one of them.
    ///
    /// # Errors
    /// Files cannot be written.
    pub fn renew(&mut self, kind: Kind, name: &str) -> anyhow::Result<()> {
        self.make(kind, name)?;
        self.mount(kind, name)?;
        self.bell.ring();
        Ok(())
    }

    fn make(&mut self, kind: Kind, name: &str) -> anyhow::Result<()> {
        let now = self.now();
        let made = match &self.lives {
            None => pki::renew(&self.folder, kind, name, now)?,
            Some(lives) => pki::renew_until(&self.folder, kind, name, now, after(now, lives.certificate))?,
        };
        self.serials.insert(name.to_owned(), made.new.serial);
        Ok(())
    }

    /// Newer lists for everybody, of those who are revoked so far.
    ///
    /// # Errors
    /// Files cannot be written.
    pub fn relist(&mut self) -> anyhow::Result<()> {
        let now = self.now();
        if let Some(lives) = &self.lives {
            pki::relist(&self.folder, now, after(now, lives.list))?;
        }
        self.mount_all()
    }

    /// Nobody is to believe these certificates any more: newer lists for everybody.
    ///
    /// # Errors
    /// One was never made, or is revoked.
    pub fn revoke(&mut self, serials: &[String]) -> anyhow::Result<()> {
        let now = self.now();
        for serial in serials {
            pki::revoke_at(&self.folder, serial, now)?;
        }
        self.relist()
    }

    /// Another authority follows: both are believed from the next look at the files on, certificates stay as they are.
    ///
    /// # Errors
    /// One follows already.
    pub fn next_authority(&mut self) -> anyhow::Result<()> {
        pki::rotate_ca(&self.folder, self.now())?;
        self.relist()
    }

    /// The older authority goes: nobody is believed any more whom it signed.
    ///
    /// # Errors
    /// Somebody has nothing newer.
    pub fn retire_authority(&mut self) -> anyhow::Result<()> {
        pki::retire_ca(&self.folder, self.now())?;
        self.relist()
    }

    /// Serial of a program's newest certificate; `None`: it was never renewed.
    #[must_use]
    pub fn serial(&self, name: &str) -> Option<String> {
        self.serials.get(name).cloned()
    }

    /// A certificate of this kind and name that lies there under its serial, since a newer one took its place.
    #[must_use]
    pub fn replaced(&self, kind: Kind, name: &str, serial: &str) -> Arc<Credentials> {
        let own = format!("{kind}-{name}.{serial}");
        self.certificates().read_as(&|file| {
            self.folder.join(match file {
                "tls.crt" => format!("{own}.crt"),
                "tls.key" => format!("{own}.key"),
                other => other.to_owned(),
            })
        })
    }

    /// Certificates and keys in the folder, whatever has become of them, and lines of the revoked in its lists.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn kept(&self) -> anyhow::Result<(usize, usize)> {
        let names = fs::read_dir(&self.folder)?.map(|file| Ok(file?.path())).collect::<std::io::Result<Vec<_>>>()?;
        let is_of_somebody = |path: &&PathBuf| {
            let ending = path.extension().and_then(|ending| ending.to_str());
            matches!(ending, Some("crt" | "key"))
                && !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ca"))
        };
        let lists = fs::metadata(self.folder.join("crl.pem"))?.len();
        Ok((names.iter().filter(is_of_somebody).count(), usize::try_from(lists)?))
    }

    fn mount_all(&mut self) -> anyhow::Result<()> {
        for (kind, name) in self.programs.clone() {
            self.mount(kind, &name)?;
        }
        self.bell.ring();
        Ok(())
    }

    /// As the kubelet's atomic writer.
    fn mount(&mut self, kind: Kind, name: &str) -> anyhow::Result<()> {
        self.mounted += 1;
        let mount = mount_of(&self.folder, kind, name);
        let whole = format!("..{}", self.mounted);
        fs::create_dir_all(mount.join(&whole))?;
        let own = format!("{kind}-{name}");
        let mut files =
            vec![("ca.crt".to_owned(), "ca.crt"), (format!("{own}.crt"), "tls.crt"), (format!("{own}.key"), "tls.key")];
        if self.lives.is_some() {
            files.push(("crl.pem".to_owned(), "crl.pem"));
        }
        for (from, to) in files {
            fs::copy(self.folder.join(from), mount.join(&whole).join(to))?;
            let link = mount.join(to);
            if !link.is_symlink() {
                symlink(Path::new("..data").join(to), link)?;
            }
        }
        let (new, data) = (mount.join("..data_tmp"), mount.join("..data"));
        let before = fs::read_link(&data).ok();
        symlink(&whole, &new)?;
        fs::rename(&new, &data)?;
        if let Some(before) = before {
            fs::remove_dir_all(mount.join(before))?;
        }
        Ok(())
    }
}

fn after(now: Timestamp, length: Duration) -> Timestamp {
    Timestamp(now.0.saturating_add(i64::try_from(length.as_millis()).unwrap_or(i64::MAX)))
}
