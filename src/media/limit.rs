//! What keeps an output's picture from being what its profile wants: said of what has changed since the last look.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::rendition::Rendition;
use crate::{
    base::Kbps,
    stats::{Limit, QualityLimit},
};

/// A rate of less than this share of the profile's best is a coarser picture.
const FULL: f64 = 0.95;
/// An encoder that makes less than this share of its rate needs no more.
const USED: f64 = 0.8;
/// Looks over which that is known: a frame is large, the next is small.
const LOOKS: usize = 4;
/// An encoding that is given less than this share of the program's frames has a machine that is too slow.
const ENOUGH: f64 = 0.8;
/// Shorter than this says nothing about how many frames there are.
const LEAST: Duration = Duration::from_millis(400);

/// How an output and its encoding stand. Counters count since their beginning.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// When, running time.
    pub at: Duration,
    /// Whether the encoding follows this output.
    pub leads: bool,
    /// Frames that the encoder made and the output was not given, because its path has no room for them.
    pub left_out: u64,
    /// Whether the picture is smaller than the profile's own.
    pub small: bool,
    /// What the encoder is asked for.
    pub rate: Kbps,
    /// What the profile wants.
    pub wanted: Kbps,
    /// Frames a second of the program.
    pub fps: u32,
    /// Frames that the encoding was given.
    pub given: u64,
    /// Frames that the encoder had no time for.
    pub late: u64,
    /// Frames that the rate had no room for.
    pub withheld: u64,
    /// Bytes that came out of the encoder.
    pub bytes: u64,
}

impl Standing {
    /// How things stand `at` that running time, of an output that shares that encoding.
    pub fn of(rendition: &Rendition, at: Duration, leads: bool, left_out: u64) -> Self {
        let Rendition { profile, strain, fanout, .. } = rendition;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            at,
            leads,
            left_out,
            small: strain.small.load(Ordering::Relaxed),
            rate: rendition.rate(),
            wanted: profile.max_kbps,
            fps: rendition.program_fps,
            given: count(&strain.given),
            late: count(&strain.late),
            withheld: count(&strain.withheld),
            bytes: fanout.bytes(),
        }
    }
}

/// Looks from time to time.
#[derive(Debug, Default)]
pub struct Limits {
    /// The latest looks, oldest first.
    lately: VecDeque<Standing>,
    told: QualityLimit,
}

impl Limits {
    /// What limits the quality now; the time since the last look goes to it. The encoder comes before the path: a
    /// machine that is too slow can be helped at once.
    pub fn look(&mut self, now: Standing) -> QualityLimit {
        if let (Some(oldest), Some(last)) = (self.lately.front(), self.lately.back()) {
            let passed = now.at.saturating_sub(last.at);
            let by = reason(last, &now, is_used(oldest, &now));
            self.told.note(by, passed.as_millis() as u64);
        }
        if self.lately.len() == LOOKS {
            self.lately.pop_front();
        }
        self.lately.push_back(now);
        self.told
    }
}

/// Whether the encoder makes what it is asked for. One that does not would make no more of a higher rate.
fn is_used(since: &Standing, now: &Standing) -> bool {
    let bits = now.bytes.saturating_sub(since.bytes) as f64 * 8.0;
    let asked = f64::from(now.rate.0) * 1000.0 * now.at.saturating_sub(since.at).as_secs_f64();
    bits >= asked * USED
}

fn reason(last: &Standing, now: &Standing, used: bool) -> Limit {
    let passed = now.at.saturating_sub(last.at);
    let given = now.given.saturating_sub(last.given) as f64;
    let starved = passed >= LEAST && given < f64::from(now.fps) * passed.as_secs_f64() * ENOUGH;
    if now.late > last.late || starved {
        return Limit::Cpu;
    }
    if now.left_out > last.left_out {
        return Limit::Bandwidth;
    }
    let coarse = used && f64::from(now.rate.0) < f64::from(now.wanted.0) * FULL;
    if !now.small && !coarse && now.withheld == last.withheld {
        return Limit::None;
    }
    if now.leads { Limit::Bandwidth } else { Limit::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Standing = Standing {
        at: Duration::ZERO,
        leads: true,
        left_out: 0,
        small: false,
        rate: Kbps(2500),
        wanted: Kbps(2500),
        fps: 30,
        given: 0,
        late: 0,
        withheld: 0,
        bytes: 0,
    };
    /// What the encoder makes of its whole rate in half a second.
    const BYTES: u64 = 2500 * 1000 / 8 / 2;

    /// What a look says half a second after all was well.
    fn after(change: impl FnOnce(&mut Standing)) -> Limit {
        let mut limits = Limits::default();
        assert_eq!(limits.look(WELL), QualityLimit::default(), "nothing has passed yet");
        let half = Duration::from_millis(500);
        let mut now = Standing { at: half, given: 15, bytes: BYTES, ..WELL };
        change(&mut now);
        let told = limits.look(now);
        assert_eq!(told.spent_ms(told.by), 500);
        told.by
    }

    #[test]
    fn each_reason_is_told_by_what_changed() {
        assert_eq!(after(|_| {}), Limit::None);
        assert_eq!(after(|s| s.rate = Kbps(2400)), Limit::None, "nearly all");
        assert_eq!(after(|s| s.rate = Kbps(1200)), Limit::Bandwidth);
        let still = after(|s| {
            s.rate = Kbps(1200);
            s.bytes /= 10;
        });
        assert_eq!(still, Limit::None, "a picture that needs no more is not coarser for it");
        assert_eq!(after(|s| s.small = true), Limit::Bandwidth);
        assert_eq!(after(|s| s.withheld = 3), Limit::Bandwidth);
        assert_eq!(after(|s| s.late = 1), Limit::Cpu);
        assert_eq!(after(|s| s.given = 8), Limit::Cpu, "half of the frames");
    }

    #[test]
    fn who_does_not_lead_is_limited_by_the_other_or_by_its_own_path() {
        let follow = |change: fn(&mut Standing)| {
            after(move |s| {
                s.leads = false;
                change(s);
            })
        };
        assert_eq!(follow(|s| s.small = true), Limit::Other);
        assert_eq!(follow(|s| s.left_out = 1), Limit::Bandwidth);
        assert_eq!(follow(|_| {}), Limit::None);
    }

    #[test]
    fn a_slow_machine_comes_before_a_narrow_path() {
        let both = after(|s| {
            s.small = true;
            s.late = 2;
        });
        assert_eq!(both, Limit::Cpu);
    }
}
