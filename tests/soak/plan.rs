//! What goes wrong, and when: a pure function of a seed. Nothing here does it.

use std::collections::BTreeSet;

use hawker::{base::Kbps, flow::Path, show::registry::ROWS};
use serde::{Deserialize, Serialize};

/// How an ingest answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mood {
    Well,
    Busy,
    NotFound,
    /// An answer that is no SDP.
    Garbage,
    /// Bytes that are no HTTP.
    Noise,
    /// Somebody else publishes there: 409.
    Taken,
    /// Its answers agree to no transport-wide feedback: whoever comes anew has receiver reports only.
    ReportsOnly,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    IngestKilled(usize),
    IngestStopped(usize),
    /// Its media fall silent, and whoever comes anew is answered so.
    IngestRefuses(usize, Mood),
    Weather(usize, Path),
    RtmpKilled,
    RtmpStopped,
    SenderKilled,
    SenderStopped,
    FilmMissing,
    FilmGarbage,
    /// Where the second recording writes there is no folder any more.
    FolderBlocked,
    ConsoleKilled,
    ConsoleStopped,
    /// A new session with an ingest that gives receiver reports only.
    IngestReportsOnly(usize),
    /// The engine may open only a few more descriptors, and is asked for new sessions.
    DescriptorPressure,
    /// Connections to its listener that send half a request and wait.
    Flood,
    /// So many processes that only compute.
    BusyMachine(usize),
    /// The file of a stream key is a pipe that nobody writes to, and the key is needed.
    KeyFileHangs,
    Commands(Vec<String>),
}

/// How many kinds there are.
const KINDS: u64 = 19;

impl Fault {
    /// What it happens to: at a time one thing happens to each.
    fn subject(&self) -> usize {
        match self {
            Self::IngestKilled(n)
            | Self::IngestStopped(n)
            | Self::IngestRefuses(n, _)
            | Self::IngestReportsOnly(n)
            | Self::Weather(n, _) => *n,
            Self::RtmpKilled | Self::RtmpStopped | Self::KeyFileHangs => 10,
            Self::SenderKilled | Self::SenderStopped => 11,
            Self::FilmMissing | Self::FilmGarbage => 12,
            Self::FolderBlocked => 13,
            Self::ConsoleKilled | Self::ConsoleStopped => 14,
            Self::Commands(_) => 15,
            Self::DescriptorPressure => 16,
            Self::Flood => 17,
            Self::BusyMachine(_) => 18,
        }
    }
}

/// A fault, in milliseconds of its round.
#[derive(Debug, Clone, PartialEq)]
pub struct Strike {
    pub at_ms: u64,
    pub until_ms: u64,
    pub fault: Fault,
}

/// Faults without end, in rounds of one to three. The first rounds hold one kind each: every run sees all.
#[derive(Debug, Clone)]
pub struct Plan {
    state: u64,
    first: Vec<u64>,
}

/// What the show has, as commands name it.
pub const SCENES: [&str; 3] = ["one", "two", "three"];
pub const INPUTS: [&str; 3] = ["noise", "film", "guest"];
/// The recording that must be whole is not among them.
pub const STOPPABLE: [&str; 4] = ["far", "near", "tv", "spare"];

impl Plan {
    pub fn new(seed: u64) -> Self {
        let mut plan = Self { state: seed, first: (0..KINDS).collect() };
        for at in (1..plan.first.len()).rev() {
            let other = plan.below(at as u64 + 1) as usize;
            plan.first.swap(at, other);
        }
        plan
    }

    /// How many rounds it takes until every kind was there.
    pub const fn warming() -> usize {
        KINDS as usize
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.draw() % most
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }

    fn fault(&mut self, kind: u64) -> Fault {
        let ingest = self.below(3) as usize;
        match kind {
            0 => Fault::IngestKilled(ingest),
            1 => Fault::IngestStopped(ingest),
            2 => {
                let moods = [Mood::Busy, Mood::NotFound, Mood::Garbage, Mood::Noise, Mood::Taken];
                Fault::IngestRefuses(ingest, moods[self.below(moods.len() as u64) as usize])
            }
            3 => Fault::Weather(ingest, self.weather()),
            4 => Fault::RtmpKilled,
            5 => Fault::RtmpStopped,
            6 => Fault::SenderKilled,
            7 => Fault::SenderStopped,
            8 => Fault::FilmMissing,
            9 => Fault::FilmGarbage,
            10 => Fault::FolderBlocked,
            11 => Fault::ConsoleKilled,
            12 => Fault::ConsoleStopped,
            13 => Fault::IngestReportsOnly(ingest),
            14 => Fault::DescriptorPressure,
            15 => Fault::Flood,
            16 => Fault::BusyMachine(2 + 2 * self.below(4) as usize),
            17 => Fault::KeyFileHangs,
            _ => {
                let count = 1 + self.below(6);
                Fault::Commands((0..count).map(|_| self.command()).collect())
            }
        }
    }

    fn weather(&mut self) -> Path {
        let some = self.below(5);
        let of = |on: bool, most: u64, least: u64, draw: u64| {
            if on { (least + draw % (most - least)) as u32 } else { 0 }
        };
        let draws = [self.draw(), self.draw(), self.draw(), self.draw()];
        Path {
            down: some == 0,
            loss: f64::from(of(some == 1 || some == 4, 20, 1, draws[0])) / 100.0,
            rate: (some == 2).then(|| Kbps(of(true, 1500, 150, draws[1]))),
            jitter_ms: of(some >= 3, 60, 10, draws[2]),
            delay_ms: of(some >= 2, 120, 10, draws[3]),
            ..Path::CLEAR
        }
    }

    /// A line that a script could send; never the end of the show.
    fn command(&mut self) -> String {
        loop {
            let row = &ROWS[self.below(ROWS.len() as u64) as usize];
            if row.name == "end-show" {
                continue;
            }
            let mut line = row.name.to_owned();
            let known = row.args.iter().all(|arg| {
                let value = match arg.name {
                    "scene" => self.pick(&SCENES).to_owned(),
                    "input" => self.pick(&INPUTS).to_owned(),
                    "output" => self.pick(&STOPPABLE).to_owned(),
                    "kind" => self.pick(&["cut", "fade", "slide", "wipe"]).to_owned(),
                    "ms" => self.below(1500).to_string(),
                    "db" => format!("-{}", self.below(30)),
                    _ => return false,
                };
                line = format!("{line} {value}");
                true
            });
            if known {
                return line;
            }
        }
    }
}

impl Iterator for Plan {
    type Item = Vec<Strike>;

    fn next(&mut self) -> Option<Vec<Strike>> {
        let kinds = match self.first.pop() {
            Some(kind) => vec![kind],
            None => (0..=self.below(3)).map(|_| self.below(KINDS)).collect(),
        };
        let mut struck = BTreeSet::new();
        let mut strikes = Vec::new();
        for kind in kinds {
            let fault = self.fault(kind);
            let at_ms = self.below(1500);
            let until_ms = at_ms + 300 + self.below(4700);
            if struck.insert(fault.subject()) {
                strikes.push(Strike { at_ms, until_ms, fault });
            }
        }
        Some(strikes)
    }
}

#[test]
fn the_same_seed_makes_the_same_plan_and_every_kind_comes() {
    let of = |seed: u64| Plan::new(seed).take(200).collect::<Vec<_>>();
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
    let kinds = |rounds: &[Vec<Strike>]| {
        let all = rounds.iter().flatten().map(|s| std::mem::discriminant(&s.fault));
        all.collect::<std::collections::HashSet<_>>().len()
    };
    for seed in 0..50 {
        let plan = of(seed);
        assert_eq!(kinds(&plan[..Plan::warming()]), KINDS as usize);
        for strike in plan.iter().flatten() {
            assert!(strike.at_ms < strike.until_ms && strike.until_ms <= 6500, "{strike:?}");
        }
    }
}
