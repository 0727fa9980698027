//! Ports for servers. A port is picked before its server listens, so nothing but our own books can tell that it is taken:
//! within a process a counter, between test processes a lock on a block of ports, which ends with its process.

use super::process::loopback;
use anyhow::{Context, Result, bail};
use std::{
    fs::File,
    net::{TcpListener, UdpSocket},
    ops::Range,
    sync::{Mutex, PoisonError},
};

/// Below those that the system hands to outgoing connections (from 32768): such a connection could take a port between the
/// pick and the server's bind.
const ALL: Range<u16> = 20_000..32_000;

/// Ports that a process takes at a time: a file is kept open for each block.
const BLOCK: u16 = 100;

struct Own {
    left: Range<u16>,
    locks: Vec<File>,
}

static OWN: Mutex<Own> = Mutex::new(Own { left: 0..0, locks: Vec::new() });

/// A loopback port that nobody listens on, for TCP or UDP, and that is given to no other caller of this machine's tests.
///
/// # Errors
/// When test processes have taken all blocks, or a lock file cannot be written.
pub fn free() -> Result<u16> {
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        for port in own.left.by_ref() {
            let address = loopback(port);
            if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
                return Ok(port);
            }
        }
        let (block, lock) = take_block()?;
        own.left = block;
        own.locks.push(lock);
    }
}

/// A block that no process has.
fn take_block() -> Result<(Range<u16>, File)> {
    let folder = std::env::temp_dir().join("isochron-ports");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot write {}", folder.display()))?;
    for first in ALL.step_by(BLOCK.into()) {
        let path = folder.join(first.to_string());
        let lock = File::options().create(true).append(true).open(&path);
        let lock = lock.with_context(|| format!("cannot write {}", path.display()))?;
        // A second handle of the same process does not get it either.
        if lock.try_lock().is_ok() {
            return Ok((first..first + BLOCK, lock));
        }
    }
    bail!("test processes have taken all loopback ports between {} and {}", ALL.start, ALL.end - 1)
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test says what it expected")]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ports_are_never_given_twice() {
        let ports: BTreeSet<u16> = (0..250).map(|_| free().expect("a port")).collect();
        assert_eq!(ports.len(), 250);
    }

    #[test]
    fn no_block_is_taken_twice() {
        let (one, _lock) = take_block().expect("a block");
        let (other, _lock) = take_block().expect("a block");
        assert!(one.end <= other.start, "{one:?} {other:?}");
    }
}
