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

    /// When to tick, as things stand: `fresh_ns` is when the newest frame of the main layer arrived, if it
    /// has not been shown yet; `hurry` when something else is to be shown from the next tick on.
    pub fn due(&self, fresh_ns: Option<u64>, hurry: bool) -> u64 {
        let found = self.astray < ASTRAY;
        match fresh_ns {
            Some(at) if found && at + self.early() >= self.due_ns => at,
            None if found && !hurry && self.missed < MOST_MISSED => self.due_ns + self.patience(),
            _ => self.due_ns,
        }
    }

    /// After a stall (the machine slept), goes on from `now_ns` rather than catching up in a burst.
    pub fn resume(&mut self, now_ns: u64) {
        if now_ns > self.due_ns + 3 * self.frame_ns {
            self.due_ns = now_ns;
        }
    }

    /// A tick has come, and the main layer had `main` to show. Returns the time its picture carries: the
    /// capture time of the main layer's frame, smoothed to the canvas rate, never going back.
    pub fn tick(&mut self, main: Option<MainFrame>) -> u64 {
        let tick = self.due_ns;
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
            self.due_ns -= (early - self.early() / 2).min(SLIDE_NS);
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
                let pts = cadence.tick(main);
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
        let due = cadence.due(None, true);
        assert_eq!(cadence.due(None, false), due + FRAME / 3);
        assert_eq!(cadence.due(Some(due + 3 * MS), false), due + 3 * MS);
        assert_eq!(cadence.due(Some(due - 3 * MS), true), due - 3 * MS);
        assert_eq!(cadence.due(Some(due - 30 * MS), false), due);
    }

    #[test]
    fn without_a_main_layer_it_ticks_on() {
        let mut cadence = Cadence::new(FRAME, 0);
        let times: Vec<u64> = (0..10).map(|_| cadence.tick(None)).collect();
        assert!(times.windows(2).all(|w| w[1] - w[0] == FRAME || w[0] == FRAME / 4), "{times:?}");
        cadence.resume(10_000_000_000);
        assert_eq!(cadence.due(None, false), 10_000_000_000);
    }
}
