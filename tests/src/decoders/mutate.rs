//! Seeded mutations of a corpus: the same seed gives the same bytes, on every machine.

/// Longest input that is made: longer ones take longer and reach no further.
const MAX: usize = 64 * 1024;

/// Numbers at which something overflows, is negative, or is taken for a length.
const NUMBERS: [i128; 14] = [
    0,
    1,
    -1,
    127,
    128,
    255,
    256,
    65_535,
    i32::MAX as i128,
    u32::MAX as i128,
    i64::MIN as i128,
    i64::MAX as i128,
    u64::MAX as i128,
    u64::MAX as i128 + 1,
];

/// Pieces that mean something to one of the decoders.
const PIECES: [&[u8]; 24] = [
    b"null",
    b"[]",
    b"{}",
    b"\"",
    b"'",
    b"\n",
    b"---\n",
    b": ",
    b"- ",
    b"&a ",
    b"*a",
    b"!!binary ",
    b"<<: *a\n",
    b"1e999",
    b"-0.0",
    b".nan",
    b"\\u0000",
    b"\\ud800",
    b"\xc0",
    b"\x81\xa1",
    b"\xdd\xff\xff\xff\xff",
    b"\xf0\x9f\x92\xbe",
    b"\x1b[2J",
    b"%00",
];

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Everything that is thrown follows from this number.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`; 0 where there is nothing below it.
    fn below(&mut self, end: usize) -> usize {
        (self.throw() % end.max(1) as u64) as usize
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> Option<&'a T> {
        of.get(self.below(of.len())).copied()
    }

    /// A piece of `bytes`, at most `most` long.
    fn piece<'a>(&mut self, bytes: &'a [u8], most: usize) -> &'a [u8] {
        let from = self.below(bytes.len() + 1);
        let length = self.below(most.min(bytes.len() - from) + 1);
        &bytes[from..from + length]
    }
}

/// One of the corpus, changed in one to four places.
#[must_use]
pub fn mutated(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let all: Vec<&[u8]> = corpus.iter().map(Vec::as_slice).collect();
    let mut bytes = dice.one(&all).unwrap_or_default().to_vec();
    for _ in 0..=dice.below(4) {
        bytes = changed(bytes, &all, dice);
    }
    bytes.truncate(MAX);
    bytes
}

fn changed(mut bytes: Vec<u8>, all: &[&[u8]], dice: &mut Dice) -> Vec<u8> {
    let at = dice.below(bytes.len() + 1);
    match dice.below(9) {
        // A bit falls over.
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
        // It is cut off.
        1 => bytes.truncate(at),
        // A piece is gone.
        2 => {
            let length = dice.below(32).min(bytes.len() - at);
            bytes.drain(at..at + length);
        }
        // A piece stands twice, or many times.
        3 => {
            let times = 1 << dice.below(6);
            let piece = dice.piece(&bytes, 200).repeat(times);
            bytes.splice(at..at, piece);
        }
        // The beginning of one, the end of another.
        4 => {
            let other = dice.one(all).unwrap_or_default();
            bytes.truncate(at);
            bytes.extend_from_slice(&other[dice.below(other.len() + 1)..]);
        }
        // A piece of another.
        5 => {
            let piece = dice.one(all).map(|other| dice.piece(other, 64).to_vec());
            bytes.splice(at..at, piece.unwrap_or_default());
        }
        // A number in the place of another.
        6 => put_number(&mut bytes, at, NUMBERS[dice.below(NUMBERS.len())], dice),
        7 => {
            let piece = dice.one(&PIECES).unwrap_or_default();
            bytes.splice(at..at, piece.iter().copied());
        }
        // Many of one.
        _ => {
            let byte = bytes.get(at).copied().unwrap_or(b'[');
            let length = 1 << dice.below(13);
            bytes.splice(at..at, std::iter::repeat_n(byte, length));
        }
    }
    bytes
}

/// Instead of the first digits behind `at`, in digits; or over the bytes there, as MessagePack has it.
fn put_number(bytes: &mut Vec<u8>, at: usize, number: i128, dice: &mut Dice) {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let from = bytes.iter().skip(at).position(is_digit).map(|after| at + after);
    match from.filter(|_| dice.below(4) > 0) {
        Some(from) => {
            let length = bytes[from..].iter().take_while(|byte| is_digit(byte)).count();
            bytes.splice(from..from + length, number.to_string().into_bytes());
        }
        None => {
            let written = [&[0xcf][..], &(number as u64).to_be_bytes()].concat();
            let end = (at + written.len()).min(bytes.len());
            bytes.splice(at..end, written);
        }
    }
}
