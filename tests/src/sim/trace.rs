//! What happened, line by line, and a running hash over it. Two runs of a seed are the same if the hashes are.

/// FNV-1a; only equality matters.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

pub(super) struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(super) fn new(keep: bool) -> Self {
        Self { hash: BASIS, lines: keep.then(Vec::new) }
    }

    pub(super) fn line(&mut self, at: u64, text: &str) {
        for byte in at.to_le_bytes().iter().chain(text.as_bytes()) {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
        if let Some(lines) = &mut self.lines {
            lines.extend(super::logs::take_lines());
            lines.push(format!("{:>9.3} s  {text}", at as f64 / 1000.0));
        }
    }

    pub(super) fn finish(self) -> (u64, Vec<String>) {
        (self.hash, self.lines.unwrap_or_default())
    }
}
