//! An issuer as cert-manager is one: it makes a new key and certificate for each program again and again, and has no list of the
//! revoked. What it makes reaches a program as a mounted Secret does: the kubelet writes a whole folder beside the one before, and
//! puts a link `..data` to it in the place of the older link; the files are links through it, and never change.

use super::certificates::{COORDINATOR_NAME, Certificates, mount_of};
use shell::{
    clock::system_wall,
    pki::{self, Kind},
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

/// How often programs look at their files here: in production every 10 s, of certificates that live for months.
pub const READ_EVERY: Duration = Duration::from_millis(100);

/// An authority in a folder, and the mounts of a coordinator and of planes in it.
pub struct Issuer {
    folder: PathBuf,
    programs: Vec<(Kind, String)>,
    /// Folders that were mounted so far: each has a name of its own.
    mounted: u64,
    /// Of what was made last.
    serials: BTreeMap<String, String>,
}

impl Issuer {
    /// In an empty folder.
    ///
    /// # Errors
    /// Files cannot be written.
    pub fn start(folder: &Path, planes: &[&str]) -> anyhow::Result<Self> {
        Certificates::make(folder, planes)?;
        let planes = planes.iter().map(|plane| (Kind::Plane, (*plane).to_owned()));
        let programs = std::iter::once((Kind::Coordinator, COORDINATOR_NAME.to_owned())).chain(planes).collect();
        let mut issuer = Self { folder: folder.to_owned(), programs, mounted: 0, serials: BTreeMap::new() };
        issuer.mount_all()?;
        Ok(issuer)
    }

    /// What programs read.
    #[must_use]
    pub fn certificates(&self) -> Certificates {
        Certificates { folder: self.folder.clone(), renewed: true }
    }

    /// A new key and certificate for every program. Returns how many.
    ///
    /// # Errors
    /// Files cannot be written.
    pub fn renew_all(&mut self) -> anyhow::Result<u64> {
        for (kind, name) in &self.programs {
            let made = pki::renew(&self.folder, *kind, name, system_wall())?;
            self.serials.insert(name.clone(), made.new.serial);
        }
        self.mount_all()?;
        Ok(self.programs.len() as u64)
    }

    /// Another authority follows: both are believed from the next look at the files on, certificates stay as they are.
    ///
    /// # Errors
    /// One follows already.
    pub fn next_authority(&mut self) -> anyhow::Result<()> {
        pki::rotate_ca(&self.folder, system_wall())?;
        self.mount_all()
    }

    /// The older authority goes: nobody is believed any more whom it signed.
    ///
    /// # Errors
    /// Somebody has nothing newer.
    pub fn retire_authority(&mut self) -> anyhow::Result<()> {
        pki::retire_ca(&self.folder, system_wall())?;
        self.mount_all()
    }

    /// Serial of a plane's newest certificate; `None`: it was never renewed.
    #[must_use]
    pub fn serial(&self, plane: &str) -> Option<String> {
        self.serials.get(plane).cloned()
    }

    fn mount_all(&mut self) -> anyhow::Result<()> {
        for (kind, name) in &self.programs {
            self.mounted += 1;
            mount(&self.folder, *kind, name, self.mounted)?;
        }
        Ok(())
    }
}

/// As the kubelet's atomic writer.
fn mount(folder: &Path, kind: Kind, name: &str, number: u64) -> anyhow::Result<()> {
    let mount = mount_of(folder, kind, name);
    let whole = format!("..{number}");
    fs::create_dir_all(mount.join(&whole))?;
    let own = format!("{kind}-{name}");
    let files = [("ca.crt".to_owned(), "ca.crt"), (format!("{own}.crt"), "tls.crt"), (format!("{own}.key"), "tls.key")];
    for (from, to) in files {
        fs::copy(folder.join(from), mount.join(&whole).join(to))?;
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
