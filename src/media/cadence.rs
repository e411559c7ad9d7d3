//! When the program ticks, and which time its picture carries. It ticks at the canvas rate whatever the
//! inputs do; while its main layer gives frames, it ticks the moment one arrives, so that a frame waits for
//! nothing. Pure arithmetic on running time in nanoseconds.
//!
//! Each tick is due at the mean of the arrivals. A frame that comes a little before is taken at once; one
//! that is late is waited for a while before the old one is shown again. While the tick lies elsewhere in the
//! interval (at the beginning, after a cut), it slides *earlier*, a little each time: ticks that come sooner
//! never pass over a frame and never show one twice.

/// The slide per tick at most: 1 ms of 33, too little to see.
const SLIDE_NS: u64 = 1_000_000;
/// The slide later at most: what a camera's clock differs by.
const LATER_NS: u64 = 250_000;
/// Ticks that found no frame in time before the tick gives up waiting for late ones: an input slower than
/// the canvas. Each that was found makes up for half of one.
const MOST_MISSED: u32 = 8;
/// Ticks in a row whose frame came outside the window before the tick slides to where frames come.
const ASTRAY: u32 = 4;

/// The tick's state.
#[derive(Debug, Clone)]
pub struct Cadence {
    frame_ns: u64,
    due_ns: u64,
    /// When the last tick really came.
    ticked_ns: u64,
    /// Counts ticks whose frame did not come in the window.
    astray: u32,
    /// Counts ticks that had no new frame, less those that had.
    missed: u32,
    /// How far the picture's time lies behind the tick.
    age_ns: Option<u64>,
    last_pts_ns: u64,
}

/// What the main layer had to show at a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MainFrame {
    /// When it was captured.
    pub captured_ns: u64,
    /// When it arrived.
    pub arrived_ns: u64,
    /// Whether it has not been shown before.
    pub fresh: bool,
}

impl Cadence {
    /// Ticks every `frame_ns`, first at `start_ns`.
    pub const fn new(frame_ns: u64, start_ns: u64) -> Self {
        Self {
            frame_ns,
            due_ns: start_ns,
            ticked_ns: start_ns.saturating_sub(frame_ns),
            astray: ASTRAY,
            missed: MOST_MISSED,
            age_ns: None,
            last_pts_ns: 0,
        }
    }

    /// How long before it is due a frame's arrival makes the tick: less than half the interval of a camera
    /// twice as fast as the canvas.
    const fn early(&self) -> u64 {
        self.frame_ns / 5
    }

    /// How long after it is due a late frame is waited for.
    const fn patience(&self) -> u64 {
        self.frame_ns / 3
    }

    /// A tick keeps this far before the next arrival: nearer to it, jitter would make it show now one frame
    /// and now the next, and lose those between.
    const fn guard(&self) -> u64 {
        self.frame_ns / 8
    }

    /// When to tick, as things stand: `fresh_ns` is when the newest frame of the main layer arrived, if it
    /// has not been shown yet; `hurry` when something else is to be shown from the next tick on, which is
    /// then drawn within a frame of the order.
    pub fn due(&self, fresh_ns: Option<u64>, hurry: bool) -> u64 {
        let within_a_frame = self.ticked_ns + self.frame_ns - self.guard();
        let due = if hurry { self.due_ns.min(within_a_frame) } else { self.due_ns };
        let waits = self.astray < ASTRAY && self.missed < MOST_MISSED && !hurry;
        let soonest = self.ticked_ns + self.frame_ns / 2;
        let before_the_next = |at: u64| at + self.frame_ns - self.guard();
        let at = match fresh_ns {
            Some(at) if at + self.early() >= due => at,
            Some(at) if before_the_next(at) > soonest => due.min(before_the_next(at)),
            None if waits => due + self.patience(),
            None if hurry => self.due_ns + self.guard() / 2,
            _ => due,
        };
        at.max(soonest)
    }

    /// After a stall (the machine slept), goes on from `now_ns` rather than catching up in a burst.
    pub fn resume(&mut self, now_ns: u64) {
        if now_ns > self.due_ns + 3 * self.frame_ns {
            self.due_ns = now_ns;
        }
    }

    /// A tick has come at `now_ns`, and the main layer had `main` to show. Returns the time its picture
    /// carries: the capture time of the main layer's frame, smoothed to the canvas rate, never going back.
    pub fn tick(&mut self, now_ns: u64, main: Option<MainFrame>) -> u64 {
        let tick = self.due_ns;
        self.ticked_ns = now_ns;
        self.due_ns += self.frame_ns;
        if let Some(main) = main {
            if main.fresh {
                self.missed = self.missed.saturating_sub(1);
                self.follow(tick, main.arrived_ns);
            } else {
                self.missed = (self.missed + 2).min(2 * MOST_MISSED);
            }
            let age = tick.saturating_sub(main.captured_ns);
            let age = if main.fresh { age } else { self.age_ns.unwrap_or(age) };
            self.age_ns = Some(match self.age_ns {
                None => age,
                Some(was) if age > was => was + (age - was).min(SLIDE_NS),
                Some(was) => was - (was - age).min(SLIDE_NS),
            });
        }
        let pts = tick.saturating_sub(self.age_ns.unwrap_or(0));
        self.last_pts_ns = pts.max(self.last_pts_ns + self.frame_ns / 4);
        self.last_pts_ns
    }

    /// Moves the next tick towards where frames arrive.
    fn follow(&mut self, tick: u64, arrived_ns: u64) {
        let early = tick.saturating_sub(arrived_ns);
        if early <= self.early() {
            self.astray = 0;
            let late = arrived_ns.saturating_sub(tick);
            self.due_ns += (late / 8).min(LATER_NS);
            self.due_ns -= (early / 8).min(SLIDE_NS);
        } else if self.astray < ASTRAY {
            self.astray += 1;
        } else {
            self.due_ns -= SLIDE_NS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: u64 = 33_333_333;
    const MS: u64 = 1_000_000;

    /// What a tick showed: the frame's number, how long it had waited, the time carried.
    type Ticked = (u64, u64, u64);

    /// Runs `ticks` ticks against an input whose frame `n` arrives at `arrival(n)`, captured 2 ms before it
    /// would have come without jitter.
    fn run(
        cadence: &mut Cadence,
        ticks: u32,
        captured: impl Fn(u64) -> u64,
        arrival: impl Fn(u64) -> u64,
    ) -> Vec<Ticked> {
        let (mut shown, mut newest, mut time) = (None, None, 0);
        (0..ticks)
            .map(|_| {
                loop {
                    let next = newest.map_or(0, |n| n + 1);
                    let fresh = newest.filter(|n| Some(*n) != shown).map(&arrival);
                    let due = cadence.due(fresh, false).max(time);
                    if arrival(next) > due {
                        time = due;
                        break;
                    }
                    time = time.max(arrival(next));
                    newest = Some(next);
                }
                let main = newest.map(|n| MainFrame {
                    captured_ns: captured(n),
                    arrived_ns: arrival(n),
                    fresh: newest != shown,
                });
                shown = newest;
                let pts = cadence.tick(time, main);
                let n = newest.unwrap_or(0);
                (n, time.saturating_sub(arrival(n)), pts)
            })
            .collect()
    }

    fn lost(ticks: &[Ticked]) -> usize {
        ticks.windows(2).filter(|w| w[1].0 != w[0].0 + 1).count()
    }

    #[test]
    fn the_tick_locks_on_the_arrival_and_loses_no_frame() {
        for phase in [1, 5, 12, 20, 32].map(|ms| ms * MS) {
            let mut cadence = Cadence::new(FRAME, 1_000_000_000);
            let ticks =
                run(&mut cadence, 120, |n| phase + n * FRAME, |n| phase + n * FRAME + 2 * MS);
            assert_eq!(lost(&ticks), 0, "phase {phase} ns: {ticks:?}");
            assert!(ticks[60..].iter().all(|t| t.1 == 0), "phase {phase} ns: {ticks:?}");
        }
    }

    #[test]
    fn the_picture_carries_its_capture_time() {
        let mut cadence = Cadence::new(FRAME, 1_000_000_000);
        let captured = |n: u64| 7 * MS + n * FRAME;
        let ticks = run(&mut cadence, 200, captured, |n| captured(n) + 25 * MS);
        for (n, _, pts) in &ticks[120..] {
            assert!(pts.abs_diff(captured(*n)) < 1_500_000, "{pts} {}", captured(*n));
        }
        assert!(ticks.windows(2).all(|w| w[0].2 < w[1].2));
    }

    #[test]
    fn a_jittery_camera_waits_little_and_loses_nothing() {
        let mut cadence = Cadence::new(FRAME, 1_000_000_000);
        let captured = |n: u64| 3 * MS + n * FRAME;
        let ticks =
            run(&mut cadence, 900, captured, |n| captured(n) + 8 * MS + n * 7919 % 13 * 800_000);
        assert_eq!(lost(&ticks[300..]), 0);
        let waited: u64 = ticks[300..].iter().map(|t| t.1).sum::<u64>() / 600;
        assert!(waited < MS / 2, "{waited} ns on average");
        let steps = ticks[300..].windows(2).map(|w| w[1].2 - w[0].2);
        assert!(steps.clone().all(|s| s.abs_diff(FRAME) < 3 * MS), "time passes evenly");
    }

    #[test]
    fn a_clock_that_differs_is_followed() {
        for interval in [FRAME + 33_000, FRAME - 33_000] {
            let mut cadence = Cadence::new(FRAME, 1_000_000_000);
            let captured = |n: u64| 9 * MS + n * interval;
            let ticks = run(&mut cadence, 3000, captured, |n| captured(n) + 4 * MS);
            assert_eq!(lost(&ticks[100..]), 0, "{interval} ns");
        }
    }

    #[test]
    fn slower_and_faster_inputs_keep_the_rate() {
        for fps in [12, 15, 20, 24, 25, 50, 60] {
            let mut cadence = Cadence::new(FRAME, 1_000_000_000);
            let captured = |n: u64| n * 1_000_000_000 / fps;
            let ticks = run(&mut cadence, 900, captured, |n| captured(n) + 5 * MS);
            let passed = cadence.due_ns - 1_000_000_000;
            let rate = 900.0 * 1e9 / passed as f64;
            assert!((29.0..31.0).contains(&rate), "{fps} fps in, {rate} fps out");
            assert!(ticks.windows(2).all(|w| w[1].0 >= w[0].0 && w[0].2 < w[1].2));
        }
    }

    #[test]
    fn a_late_frame_is_waited_for_unless_something_else_is_to_be_shown() {
        let mut cadence = Cadence::new(FRAME, 1_000_000_000);
        run(&mut cadence, 120, |n| n * FRAME, |n| n * FRAME + 2 * MS);
        let due = cadence.due_ns;
        assert_eq!(cadence.due(None, false), due + cadence.patience());
        assert_eq!(cadence.due(Some(due - 3 * MS), false), due - 3 * MS);
        assert_eq!(cadence.due(Some(due + 3 * MS), false), due + 3 * MS);
        assert_eq!(cadence.due(Some(due - 25 * MS), false), due);
        let boundary = due + 1 - FRAME;
        assert_eq!(cadence.due(Some(boundary), false), due + 1 - cadence.guard());
        assert!(cadence.due(Some(boundary), true) < due);
        assert!(cadence.due(None, true) <= due + 5 * MS, "the frame in place of which it comes");
    }

    #[test]
    fn cuts_between_inputs_of_any_phase_lose_and_repeat_nothing() {
        for seed in 0..40_u64 {
            let chance = |n: u64, below: u64| {
                (n + 1 + seed * 1009).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23) % below
            };
            let phases = [5 * MS, 5 * MS + chance(7, FRAME)];
            let arrival = |input: usize, n: u64| {
                phases[input] + n * FRAME + chance(n * 2 + input as u64, 2 * MS)
            };
            let newest = |input: usize, time: u64| {
                (0..100_000).take_while(|n| arrival(input, *n) <= time).last()
            };
            let mut cadence = Cadence::new(FRAME, 300 * MS);
            let (mut main, mut shown, mut time) = (0, (0, 0), 300 * MS);
            let mut ordered: Option<u64> = None;
            for tick in 0..600 {
                let order_at = time + chance(tick, FRAME);
                let cut = tick > 60 && chance(tick + 99, 3) == 0;
                loop {
                    if cut && ordered.is_none() && time >= order_at {
                        main = 1 - main;
                        ordered = Some(time);
                    }
                    let n = newest(main, time).unwrap();
                    let fresh = (shown != (main, n)).then(|| arrival(main, n));
                    let due = cadence.due(fresh, ordered.is_some());
                    if due <= time {
                        break;
                    }
                    let next = arrival(main, n + 1).min(due);
                    time = if cut && ordered.is_none() {
                        next.min(order_at.max(time + 1))
                    } else {
                        next
                    };
                }
                let n = newest(main, time).unwrap();
                if shown.0 == main && tick > 60 {
                    assert_eq!(n, shown.1 + 1, "seed {seed}, tick {tick}");
                }
                let fresh = shown != (main, n);
                shown = (main, n);
                if let Some(at) = ordered.take() {
                    assert!(time - at < FRAME, "followed after {} ns", time - at);
                }
                let at = arrival(main, n);
                cadence.tick(time, Some(MainFrame { captured_ns: at, arrived_ns: at, fresh }));
            }
        }
    }

    #[test]
    fn without_a_main_layer_it_ticks_on() {
        let mut cadence = Cadence::new(FRAME, 0);
        let times: Vec<u64> = (0..10).map(|n| cadence.tick(n * FRAME, None)).collect();
        assert!(times.windows(2).all(|w| w[1] - w[0] == FRAME || w[0] == FRAME / 4), "{times:?}");
        cadence.resume(10_000_000_000);
        assert_eq!(cadence.due(None, false), 10_000_000_000);
    }
}
