//! How much work an encoder may put into a picture on this machine. A frame that takes nearly as long as the next one
//! needs to come is soon late, so the effort is lowered before that; it is raised again after a while with room, and
//! after a try that failed the next one waits longer (hysteresis). Pure.

use std::{collections::VecDeque, time::Duration};

use crate::base::Moment;

/// Frames are looked at over this long before the effort is lowered, and so many at least.
const DOWN: Duration = Duration::from_secs(1);
const DOWN_FRAMES: usize = 8;
/// A frame that takes more than this share of its interval, on average, leaves no room for a busy moment.
const STRAINED: f64 = 0.7;
/// So many frames that the encoder had no time for, in that time, are too many.
const LATE: usize = 2;
/// Nearly all frames have to take less than this share for so long before the effort is raised: x264's next preset
/// takes 1.5 to 1.8 times as long (measured on camera clips at 720p30), which is then still below the other limit.
const ROOM: f64 = 0.35;
const UP: Duration = Duration::from_secs(6);
const NEARLY_ALL: f64 = 0.9;
/// An effort that is lowered again within this time was raised too early: the next try waits twice as long, up to the
/// other time.
const TOO_EARLY: Duration = Duration::from_secs(15);
const UP_MOST: Duration = Duration::from_secs(160);

/// The effort of one encoder, as a step: the first is the most.
#[derive(Debug)]
pub struct Effort {
    steps: usize,
    at: usize,
    changed: Moment,
    /// When the effort was raised last.
    raised: Option<Moment>,
    up: Duration,
    /// How much of its interval each of the latest frames took, and when that was.
    frames: VecDeque<(Moment, f64)>,
    late: VecDeque<Moment>,
}

impl Effort {
    /// The most of so many steps, at `now`.
    pub fn new(now: Moment, steps: usize) -> Self {
        Self {
            steps,
            at: 0,
            changed: now,
            raised: None,
            up: UP,
            frames: VecDeque::new(),
            late: VecDeque::new(),
        }
    }

    /// The step that holds.
    pub const fn step(&self) -> usize {
        self.at
    }

    /// A frame came out of the encoder after `took`, with the next one due after `interval`.
    pub fn frame(&mut self, now: Moment, took: Duration, interval: Duration) {
        self.frames.push_back((now, took.as_secs_f64() / interval.as_secs_f64().max(1e-3)));
        while self.frames.front().is_some_and(|(at, _)| now.since(*at) > self.up) {
            self.frames.pop_front();
        }
    }

    /// The encoder had no time for a frame.
    pub fn late(&mut self, now: Moment) {
        self.late.push_back(now);
        if self.late.len() > LATE {
            self.late.pop_front();
        }
    }

    /// What a frame takes of its interval on average lately, as a share; `None` where there are too few.
    pub fn load(&self, now: Moment) -> Option<f64> {
        let lately = self.frames.iter().rev().take_while(|(at, _)| now.since(*at) <= DOWN);
        let (sum, frames) = lately.fold((0.0, 0), |(sum, n), (_, share)| (sum + share, n + 1));
        (frames >= DOWN_FRAMES).then(|| sum / frames as f64)
    }

    /// The new step at `now`, when there is to be another.
    pub fn judge(&mut self, now: Moment) -> Option<usize> {
        let since = now.since(self.changed);
        if since < DOWN {
            return None;
        }
        let late = self.late.iter().filter(|at| now.since(**at) <= DOWN).count();
        let strained = self.load(now).is_some_and(|load| load > STRAINED);
        if (late >= LATE || strained) && self.at + 1 < self.steps {
            if self.raised.is_some_and(|at| now.since(at) < TOO_EARLY) {
                self.up = (self.up * 2).min(UP_MOST);
            } else if self.raised.is_none_or(|at| now.since(at) > UP_MOST) {
                self.up = UP;
            }
            return Some(self.change(now, self.at + 1));
        }
        let better = self.at.checked_sub(1)?;
        if since < self.up
            || late > 0
            || self.late.back().is_some_and(|at| now.since(*at) < self.up)
        {
            return None;
        }
        let quick = self.frames.iter().filter(|(_, share)| *share <= ROOM).count();
        let enough = self.frames.len() >= DOWN_FRAMES
            && quick as f64 >= self.frames.len() as f64 * NEARLY_ALL;
        enough.then(|| {
            self.raised = Some(now);
            self.change(now, better)
        })
    }

    /// What was measured at the other step says nothing of this one.
    fn change(&mut self, now: Moment, step: usize) -> usize {
        self.at = step;
        self.changed = now;
        self.frames.clear();
        self.late.clear();
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(33);

    /// Frames for so long, each of which takes `took(step)` ms; the steps that were taken, and when, in ms.
    fn run(
        effort: &mut Effort,
        from_ms: u64,
        ms: u64,
        took: impl Fn(usize) -> u64,
    ) -> Vec<(u64, usize)> {
        let mut steps = Vec::new();
        for at in (from_ms..from_ms + ms).step_by(33) {
            let now = Moment::from_ms(at);
            let took = took(effort.step());
            if took > 33 && at % 2 == 0 {
                effort.late(now);
            } else {
                effort.frame(now, Duration::from_millis(took), FRAME);
            }
            steps.extend(effort.judge(now).map(|step| (at, step)));
        }
        steps
    }

    fn effort() -> Effort {
        Effort::new(Moment::from_ms(0), 3)
    }

    #[test]
    fn a_machine_with_room_keeps_the_most() {
        let mut effort = effort();
        assert_eq!(run(&mut effort, 0, 60_000, |_| 15), []);
    }

    #[test]
    fn it_is_lowered_within_two_seconds_and_raised_within_fifteen_after() {
        let mut effort = effort();
        run(&mut effort, 0, 10_000, |_| 8);
        let down = run(&mut effort, 10_000, 10_000, |step| [30, 20, 10][step]);
        assert!(down.len() == 1 && down[0].1 == 1 && down[0].0 < 12_000, "{down:?}");
        let up = run(&mut effort, 20_000, 20_000, |step| [9, 6, 4][step]);
        assert!(up.len() == 1 && up[0].1 == 0 && up[0].0 < 35_000, "{up:?}");
    }

    #[test]
    fn late_frames_lower_it_too_down_to_the_least() {
        let mut effort = effort();
        let down = run(&mut effort, 0, 20_000, |_| 40);
        let steps: Vec<_> = down.iter().map(|(_, step)| *step).collect();
        assert_eq!(steps, [1, 2]);
        assert!(down[1].0 < 4000, "{down:?}");
    }

    #[test]
    fn one_long_frame_is_no_reason() {
        let mut effort = effort();
        for at in (0..60_000).step_by(33) {
            let now = Moment::from_ms(at);
            let took = if at % 3300 == 0 { 60 } else { 10 };
            effort.frame(now, Duration::from_millis(took), FRAME);
            assert_eq!(effort.judge(now), None, "{at}");
        }
    }

    #[test]
    fn a_try_that_fails_is_repeated_more_rarely_each_time() {
        // The first step is too much, and the second looks as if there was room.
        let mut effort = effort();
        let steps = run(&mut effort, 0, 600_000, |step| [28, 10, 5][step]);
        let ups: Vec<u64> = steps.iter().filter(|(_, s)| *s == 0).map(|(at, _)| *at).collect();
        let waits: Vec<u64> = ups.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(ups.len() < 9 && waits.windows(2).all(|w| w[1] >= w[0]), "{waits:?}");
        assert!(waits.last().is_some_and(|w| *w > 100_000), "{waits:?}");
    }
}
