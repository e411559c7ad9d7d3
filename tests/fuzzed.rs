//! The bodies of the fuzz targets (`fuzz/src`), run over the seeds and over mutations of them that are the same in every
//! run. `FUZZ_ROUNDS=100000` looks longer, `FUZZ_FIRST=7` elsewhere, `FUZZ_ONLY=chat_irc` at one target.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
)]

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::{env, fs, panic, path::Path};

use fuzz::chat::{MARK, TARGETS};

/// Mutations of each target in a normal run: together a second or two.
const ROUNDS: u64 = 300;
/// Longest mutation, in bytes.
const MOST: usize = 8_192;

/// Pieces that matter to some parser.
const PIECES: [&[u8]; 24] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"\"\"",
    b"null",
    b"-1",
    b"1e400",
    b"18446744073709551615",
    b"9999-12-31T23:59:59Z",
    b"\\ud800",
    b"\xed\xa0\x80",
    b"\xff",
    "\u{202e}".as_bytes(),
    "👩\u{200d}🍳".as_bytes(),
    "z\u{301}\u{301}".as_bytes(),
    "\u{1b}]0;x\u{7}".as_bytes(),
];

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        start..(start + self.below(32)).min(length)
    }
}

fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut data = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(6) {
        let at = random.below(data.len() + 1);
        match random.below(8) {
            0 if at < data.len() => data[at] = random.next() as u8,
            1 if at < data.len() => data[at] ^= 1 << random.below(8),
            2 => drop(data.drain(random.range(data.len()))),
            3 => {
                let again = data[random.range(data.len())].to_vec();
                data.splice(at..at, again.repeat(1 + random.below(4)));
            }
            4 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                data.truncate(at);
                data.extend_from_slice(&other[from..]);
            }
            5 => drop(data.splice(at..at, [MARK, random.next() as u8])),
            6 => {
                let piece = PIECES[random.below(PIECES.len())];
                data.splice(at..at, piece.iter().copied());
            }
            _ => {
                let piece = PIECES[random.below(PIECES.len())];
                let range = random.range(data.len());
                data.splice(range, piece.iter().copied());
            }
        }
    }
    data.truncate(MOST);
    data
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().map_or(default, |value| value.parse().unwrap())
}

#[test]
fn what_is_fuzzed_holds_over_seeds_and_mutations() {
    let (rounds, first) = (number("FUZZ_ROUNDS", ROUNDS), number("FUZZ_FIRST", 0));
    let only = env::var("FUZZ_ONLY").unwrap_or_default();
    let mut failed = Vec::new();
    for (name, body) in TARGETS.iter().filter(|(name, _)| name.contains(&only)) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        let seeds: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
        let run = |data: &[u8]| panic::catch_unwind(|| body(data)).is_ok();
        for (file, seed) in files.iter().zip(&seeds) {
            assert!(run(seed), "{name}: {}", file.display());
        }
        for round in first..first + rounds {
            let mut random = Random(round);
            let data = mutated(&seeds, &mut random);
            if !run(&data) {
                println!("{name}, round {round}: \"{}\"", data.escape_ascii());
                failed.push((name, round));
                break;
            }
        }
    }
    assert!(failed.is_empty(), "target and FUZZ_FIRST: {failed:?}");
}
