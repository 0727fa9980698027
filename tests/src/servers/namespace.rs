//! A network of its own for one program, and wires to it that can be cut in each direction, or pulled: Linux network
//! namespaces. Who calls this must own the network it stands in: as root, or inside `unshare --map-root-user --net`.
//!
//! A cut direction loses packets silently: its end of the wire sends to a hardware address that nobody has. (For a packet
//! filter, or netem, the kernel may lack the module.) A pulled wire answers senders with an error, as a host does whose
//! link is down.

use super::process;
use anyhow::{Context, Result, ensure};
use std::{
    net::Ipv4Addr,
    process::{Child, Stdio},
    time::{Duration, Instant},
};
use tokio::{process::Command, time::sleep};

/// From the start of `unshare` until its namespace is there: milliseconds, and a loaded machine.
const MADE_LIMIT: Duration = Duration::from_secs(10);

/// One `ip`: milliseconds likewise.
const IP_LIMIT: Duration = Duration::from_secs(10);

/// Nobody's.
const NOBODY: &str = "02:00:00:00:ff:ff";

/// The namespace lives as long as this; programs in it are the caller's.
#[derive(Debug)]
pub struct Namespace {
    /// Ends when its input is closed, also by our death.
    keeper: Child,
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // It may have ended; then both fail.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

impl Namespace {
    /// An empty one, but for its loopback.
    ///
    /// # Errors
    /// `unshare` is missing or not allowed.
    pub async fn make() -> Result<Self> {
        let keeper = std::process::Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot run unshare (package util-linux)")?;
        let made = Self { keeper };
        let ours = std::fs::read_link("/proc/self/ns/net")?;
        let begun = Instant::now();
        while std::fs::read_link(made.path()).is_ok_and(|theirs| theirs == ours) {
            ensure!(begun.elapsed() < MADE_LIMIT, "unshare --net made no network namespace: is it allowed here?");
            sleep(Duration::from_millis(5)).await;
        }
        ip(&made.prefix(), &["link", "set", "lo", "up"]).await?;
        Ok(made)
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.keeper.id())
    }

    /// What a command line begins with to run in here.
    #[must_use]
    pub fn prefix(&self) -> [String; 2] {
        ["nsenter".to_owned(), format!("--net={}", self.path())]
    }

    /// A wire from the caller's network into this one; `number` tells it from others and stands in its addresses.
    ///
    /// # Errors
    /// `ip` is missing or not allowed, or the number is taken.
    pub async fn wire(&self, number: u8) -> Result<Wire> {
        let wire = Wire { inside: self.prefix(), number };
        let ([here, there], [near, far]) = (wire.devices(), wire.hardware());
        let keeper = self.keeper.id().to_string();
        let add = ["link", "add", &here, "address", &near, "type", "veth"];
        let peer = ["peer", "name", &there, "address", &far, "netns", &keeper];
        ip(&[], &[add, peer].concat()).await?;
        ip(&[], &["addr", "add", &format!("{}/30", wire.here()), "dev", &here]).await?;
        ip(&wire.inside, &["addr", "add", &format!("{}/30", wire.there()), "dev", &there]).await?;
        ip(&wire.inside, &["link", "set", &there, "up"]).await?;
        wire.plug(true).await?;
        Ok(wire)
    }
}

/// A wire; its ends are called `here`, the caller's, and `there`. It goes with its namespace.
#[derive(Debug)]
pub struct Wire {
    /// What a command line begins with to run at the other end.
    inside: [String; 2],
    number: u8,
}

impl Wire {
    /// The caller's address.
    #[must_use]
    pub fn here(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, 1)
    }

    /// The namespace's address.
    #[must_use]
    pub fn there(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, 2)
    }

    fn devices(&self) -> [String; 2] {
        ["here", "there"].map(|end| format!("{end}{}", self.number))
    }

    fn hardware(&self) -> [String; 2] {
        ["01", "02"].map(|end| format!("02:00:00:00:{:02x}:{end}", self.number))
    }

    /// Loses what goes into the namespace (`up`), what comes out of it (`down`), from now on.
    ///
    /// # Errors
    /// `ip` fails, for example because the wire is pulled.
    pub async fn cut(&self, up: bool, down: bool) -> Result<()> {
        let ([here, there], [near, far]) = (self.devices(), self.hardware());
        let choose = |cut: bool, to: &str| if cut { NOBODY.to_owned() } else { to.to_owned() };
        ip(&[], &neighbour(&self.there().to_string(), &choose(up, &far), &here)).await?;
        ip(&self.inside, &neighbour(&self.here().to_string(), &choose(down, &near), &there)).await
    }

    /// Pulls the wire at the caller's end, or puts it back.
    ///
    /// # Errors
    /// `ip` fails.
    pub async fn plug(&self, plugged: bool) -> Result<()> {
        let [here, _] = self.devices();
        ip(&[], &["link", "set", &here, if plugged { "up" } else { "down" }]).await?;
        // A device that goes down forgets its neighbours.
        if plugged { self.cut(false, false).await } else { Ok(()) }
    }
}

fn neighbour<'a>(address: &'a str, hardware: &'a str, device: &'a str) -> [&'a str; 9] {
    ["neigh", "replace", address, "lladdr", hardware, "nud", "permanent", "dev", device]
}

/// Runs `ip` (package iproute2) behind a prefix.
async fn ip(prefix: &[String], args: &[&str]) -> Result<()> {
    let mut words = prefix.iter().map(String::as_str).chain(["ip"]).chain(args.iter().copied());
    let mut command = Command::new(words.next().unwrap_or_default());
    process::output(command.args(words), "", IP_LIMIT).await.map(drop)
}
