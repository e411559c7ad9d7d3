//! Which rung of a profile's ladder is worth sending at a rate: down at once when the picture would break, up
//! only when the rate has been there for a while.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Canvas, Kbps, Moment};

/// A rate below a rung's least by this much steps down without waiting, as a share.
const PLUNGE: f64 = 0.6;
/// A rate must stay below a rung's least this long before it steps down.
const DOWN: Duration = Duration::from_millis(600);
/// And stay above the better rung's least, with something to spare, this long before it steps up.
const UP: Duration = Duration::from_secs(3);
/// What must be to spare, as a factor.
const SPARE: f64 = 1.15;

/// One rung of a ladder: the picture sent while the link gives at least `from_kbps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Its picture.
    pub canvas: Canvas,
    /// The least bitrate at which it is worth it.
    pub from_kbps: Kbps,
}

/// A ladder and where one stands on it.
#[derive(Debug, Clone)]
pub struct Ladder {
    steps: Vec<Rung>,
    at: usize,
    below_since: Option<Moment>,
    above_since: Option<Moment>,
}

impl Ladder {
    /// The best first. Stands on the best that `rate` is enough for.
    pub fn new(steps: Vec<Rung>, rate: Kbps) -> Self {
        let at = best(&steps, rate);
        Self { steps, at, below_since: None, above_since: None }
    }

    /// The picture to send; `None` where there are no rungs.
    pub fn canvas(&self) -> Option<Canvas> {
        self.steps.get(self.at).map(|s| s.canvas)
    }

    /// Judges the rate at `now`; the new picture when there is to be another.
    pub fn judge(&mut self, now: Moment, rate: Kbps) -> Option<Canvas> {
        let here = self.steps.get(self.at)?;
        let lasts = self.at + 1 == self.steps.len();
        if rate < here.from_kbps && !lasts {
            self.above_since = None;
            let since = *self.below_since.get_or_insert(now);
            let plunged = f64::from(rate.0) < f64::from(here.from_kbps.0) * PLUNGE;
            return (plunged || now.since(since) >= DOWN)
                .then(|| self.stand(best(&self.steps, rate)));
        }
        self.below_since = None;
        let enough = |step: &Rung| f64::from(rate.0) >= f64::from(step.from_kbps.0) * SPARE;
        let better = self.at.checked_sub(1).filter(|up| enough(&self.steps[*up]));
        let Some(better) = better else {
            self.above_since = None;
            return None;
        };
        let since = *self.above_since.get_or_insert(now);
        (now.since(since) >= UP).then(|| {
            // More than one at a time, where the rate is enough for more.
            let top = self.steps.iter().position(enough).unwrap_or(better);
            self.stand(top)
        })
    }

    fn stand(&mut self, at: usize) -> Canvas {
        self.at = at;
        self.below_since = None;
        self.above_since = None;
        self.steps[at].canvas
    }
}

/// The best rung that a rate is enough for; the last where it is enough for none.
fn best(steps: &[Rung], rate: Kbps) -> usize {
    steps.iter().position(|s| rate >= s.from_kbps).unwrap_or(steps.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder(rate: u32) -> Ladder {
        let step = |width, height, fps, from| Rung {
            canvas: Canvas { width, height, fps },
            from_kbps: Kbps(from),
        };
        let steps = vec![
            step(1280, 720, 30, 1200),
            step(960, 540, 30, 700),
            step(640, 360, 30, 350),
            step(640, 360, 15, 150),
        ];
        Ladder::new(steps, Kbps(rate))
    }

    fn at(ms: u64) -> Moment {
        Moment::from_ms(ms)
    }

    #[test]
    fn it_begins_where_the_rate_is_enough() {
        assert_eq!(ladder(1800).canvas().unwrap().width, 1280);
        assert_eq!(ladder(400).canvas().unwrap().width, 640);
        assert_eq!(ladder(10).canvas().unwrap().fps, 15);
        assert_eq!(Ladder::new(Vec::new(), Kbps(1)).canvas(), None);
    }

    #[test]
    fn a_moment_below_is_waited_out_and_a_plunge_is_not() {
        let mut ladder = ladder(1800);
        assert_eq!(ladder.judge(at(0), Kbps(1100)), None);
        assert_eq!(ladder.judge(at(500), Kbps(1300)), None);
        assert_eq!(ladder.judge(at(550), Kbps(1100)), None);
        assert_eq!(ladder.judge(at(1200), Kbps(1100)).unwrap().width, 960);
        assert_eq!(ladder.judge(at(1300), Kbps(200)).unwrap().fps, 15);
        assert_eq!(ladder.judge(at(9000), Kbps(50)), None, "there is nothing below the last");
    }

    #[test]
    fn up_needs_something_to_spare_and_time() {
        let mut ladder = ladder(800);
        for ms in (0..10_000).step_by(100) {
            assert_eq!(ladder.judge(at(ms), Kbps(1250)), None, "not enough to spare");
        }
        assert_eq!(ladder.judge(at(10_000), Kbps(1400)), None);
        assert_eq!(ladder.judge(at(12_900), Kbps(1400)), None);
        assert_eq!(ladder.judge(at(13_000), Kbps(1400)).unwrap().width, 1280);
    }

    #[test]
    fn up_may_take_several_at_once() {
        let mut ladder = ladder(150);
        ladder.judge(at(0), Kbps(2000));
        assert_eq!(ladder.judge(at(3000), Kbps(2000)).unwrap().width, 1280);
    }
}
