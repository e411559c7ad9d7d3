//! Packets of the picture that have not come. One that stays away too long will not come any more, and without it
//! every viewer's picture stands until the next key frame. Pure: time is handed in.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long a packet may be asked for: a session asks five times, 33 ms apart, and a long way back takes its time.
const PATIENCE: Duration = Duration::from_millis(400);
/// A way that has lost a packet so lately loses more.
const LATELY: Duration = Duration::from_secs(2);
/// Gaps larger than this are no loss, but another stream.
const MOST: u64 = 512;

/// What is missing of one stream.
#[derive(Debug, Default)]
pub struct Missing {
    newest: Option<u64>,
    since: BTreeMap<u64, Instant>,
    /// When one was last missed.
    missed: Option<Instant>,
}

impl Missing {
    /// The packet with this (extended) number is here.
    pub fn came(&mut self, seq: u64, now: Instant) {
        let newest = *self.newest.get_or_insert(seq);
        if seq <= newest {
            self.since.remove(&seq);
        } else if seq - newest <= MOST {
            self.since.extend((newest + 1..seq).map(|missing| (missing, now)));
            self.newest = Some(seq);
            if seq > newest + 1 {
                self.missed = Some(now);
            }
        } else {
            self.since.clear();
            self.newest = Some(seq);
        }
    }

    /// Whether packets are being lost: one was missed lately.
    pub fn is_losing(&self, now: Instant) -> bool {
        self.missed.is_some_and(|at| now.saturating_duration_since(at) < LATELY)
    }

    /// How many have now been missing for too long. They are not told of again.
    pub fn given_up(&mut self, now: Instant) -> usize {
        let before = self.since.len();
        self.since.retain(|_, since| now.saturating_duration_since(*since) < PATIENCE);
        before - self.since.len()
    }

    /// A whole key frame is here up to `seq`: what is missing before it is missed no more.
    pub fn restarted(&mut self, seq: u64) {
        self.since = self.since.split_off(&seq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_late_is_not_given_up_and_what_never_comes_is_once() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut missing = Missing::default();
        for seq in [10, 11, 14] {
            missing.came(seq, at(0));
        }
        missing.came(13, at(120));
        assert_eq!(missing.given_up(at(399)), 0);
        assert_eq!(missing.given_up(at(400)), 1, "12");
        assert_eq!(missing.given_up(at(500)), 0);
    }

    #[test]
    fn a_key_frame_makes_good_what_was_missing_before_it() {
        let begin = Instant::now();
        let mut missing = Missing::default();
        for seq in [10, 12, 20, 22] {
            missing.came(seq, begin);
        }
        missing.restarted(21);
        assert_eq!(missing.given_up(begin + PATIENCE), 1, "21");
    }

    #[test]
    fn a_way_loses_for_a_while_after_its_last_loss() {
        let begin = Instant::now();
        let mut missing = Missing::default();
        missing.came(5, begin);
        missing.came(6, begin);
        assert!(!missing.is_losing(begin));
        missing.came(8, begin);
        missing.came(7, begin);
        assert!(missing.is_losing(begin + LATELY / 2) && !missing.is_losing(begin + LATELY));
    }

    #[test]
    fn another_stream_is_no_loss() {
        let begin = Instant::now();
        let mut missing = Missing::default();
        missing.came(5, begin);
        missing.came(50_000, begin);
        assert_eq!(missing.given_up(begin + PATIENCE), 0);
        assert!(!missing.is_losing(begin));
    }
}
