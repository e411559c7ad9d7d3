//! When the program ticks, and which time its picture carries. The tick comes at the canvas rate whatever
//! the inputs do; its phase slides until it lies just behind the arrival of the main layer's frames, so that
//! a frame waits as little as can be. Pure arithmetic on running time in nanoseconds.
//!
//! The phase slides *earlier* only, a little each tick: ticks that come sooner never pass over a frame and
//! never show one twice. When frames arrive unsteadily a margin grows, and shrinks again with time.

/// The slide per tick at most: 1 ms of 33, too little to see.
const SLIDE_NS: u64 = 1_000_000;
/// The least wait behind a frame's arrival.
const LEAST_MARGIN_NS: u64 = 700_000;
/// The most.
const MOST_MARGIN_NS: u64 = 12_000_000;
/// How many ticks the shortest wait is looked for in.
const WINDOW: u32 = 12;

/// The tick's state.
#[derive(Debug, Clone)]
pub struct Cadence {
    frame_ns: u64,
    next_ns: u64,
    margin_ns: u64,
    /// Shortest wait of this window, and how many ticks it has seen.
    shortest_ns: u64,
    seen: u32,
    fresh: u32,
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
            next_ns: start_ns,
            margin_ns: LEAST_MARGIN_NS,
            shortest_ns: u64::MAX,
            seen: 0,
            fresh: 0,
            age_ns: None,
            last_pts_ns: 0,
        }
    }

    /// When the next tick is due.
    pub const fn next(&self) -> u64 {
        self.next_ns
    }

    /// After a stall (the machine slept), goes on from `now_ns` rather than catching up in a burst.
    pub fn resume(&mut self, now_ns: u64) {
        if now_ns > self.next_ns + 3 * self.frame_ns {
            self.next_ns = now_ns;
        }
    }

    /// A tick has come, and the main layer had `main` to show. Returns the time its picture carries: the
    /// capture time of the main layer's frame, smoothed to the canvas rate, never going back.
    pub fn tick(&mut self, main: Option<MainFrame>) -> u64 {
        let tick = self.next_ns;
        let mut step = self.frame_ns;
        if let Some(main) = main {
            let wait = tick.saturating_sub(main.arrived_ns);
            self.seen += 1;
            if main.fresh {
                self.fresh += 1;
                self.shortest_ns = self.shortest_ns.min(wait);
            }
            if self.seen >= WINDOW {
                // Nearly all fresh but not all: frames slip past the tick. Give them room.
                if self.fresh + 3 >= self.seen && self.fresh < self.seen {
                    self.margin_ns = (self.margin_ns + 1_000_000).min(MOST_MARGIN_NS);
                } else {
                    self.margin_ns = (self.margin_ns - self.margin_ns / 24).max(LEAST_MARGIN_NS);
                }
                self.seen = 0;
                self.fresh = 0;
                self.shortest_ns = u64::MAX;
            } else if self.shortest_ns != u64::MAX && self.seen >= 4 {
                let early = self.shortest_ns.saturating_sub(self.margin_ns).min(SLIDE_NS);
                step -= early;
                self.shortest_ns -= early;
            }
            if self.shortest_ns < self.margin_ns && self.margin_ns > LEAST_MARGIN_NS {
                step += (self.margin_ns - self.shortest_ns).min(SLIDE_NS / 4);
            }
            let age = tick.saturating_sub(main.captured_ns);
            let age = if main.fresh { age } else { self.age_ns.unwrap_or(age) };
            self.age_ns = Some(match self.age_ns {
                None => age,
                Some(was) if age > was => was + (age - was).min(SLIDE_NS),
                Some(was) => was - (was - age).min(SLIDE_NS),
            });
        }
        self.next_ns += step;
        let pts = tick.saturating_sub(self.age_ns.unwrap_or(0));
        self.last_pts_ns = pts.max(self.last_pts_ns + self.frame_ns / 4);
        self.last_pts_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: u64 = 33_333_333;

    /// Runs `ticks` ticks against an input with that phase, delay and jitter; returns for each tick the frame
    /// number shown, the wait, and the time carried.
    fn run(
        cadence: &mut Cadence,
        ticks: u32,
        phase: u64,
        delay: u64,
        jitter: impl Fn(u64) -> u64,
    ) -> Vec<(u64, u64, u64)> {
        let arrival = |n: u64| phase + n * FRAME + delay + jitter(n);
        let mut shown = u64::MAX;
        (0..ticks)
            .map(|_| {
                let tick = cadence.next();
                let mut n = tick.saturating_sub(phase + delay) / FRAME;
                while n > 0 && arrival(n) > tick {
                    n -= 1;
                }
                let main = MainFrame {
                    captured_ns: phase + n * FRAME,
                    arrived_ns: arrival(n),
                    fresh: n != shown,
                };
                shown = n;
                let pts = cadence.tick(Some(main));
                (n, tick.saturating_sub(arrival(n)), pts)
            })
            .collect()
    }

    #[test]
    fn the_tick_locks_behind_the_arrival_and_loses_no_frame() {
        for phase_ms in [1, 5, 12, 20, 32] {
            let mut cadence = Cadence::new(FRAME, 1_000_000_000);
            let ticks = run(&mut cadence, 120, phase_ms * 1_000_000, 2_000_000, |_| 0);
            assert!(
                ticks.windows(2).all(|w| w[1].0 == w[0].0 + 1),
                "phase {phase_ms} ms: {ticks:?}"
            );
            let waits: Vec<u64> = ticks[80..].iter().map(|t| t.1).collect();
            assert!(waits.iter().all(|w| *w < 2_000_000), "phase {phase_ms} ms: {waits:?}");
        }
    }

    #[test]
    fn the_picture_carries_its_capture_time() {
        let mut cadence = Cadence::new(FRAME, 1_000_000_000);
        let ticks = run(&mut cadence, 200, 7_000_000, 25_000_000, |_| 0);
        for (n, _, pts) in &ticks[120..] {
            let captured = 7_000_000 + n * FRAME;
            assert!(pts.abs_diff(captured) < 1_500_000, "{pts} {captured}");
        }
        assert!(ticks.windows(2).all(|w| w[0].2 < w[1].2));
    }

    #[test]
    fn a_jittery_camera_gets_room() {
        let mut cadence = Cadence::new(FRAME, 1_000_000_000);
        let jitter = |n: u64| (n * 7919 % 13) * 400_000;
        let ticks = run(&mut cadence, 900, 3_000_000, 8_000_000, jitter);
        let lost = ticks[600..].windows(2).filter(|w| w[1].0 != w[0].0 + 1).count();
        assert!(lost <= 6, "{lost} of 300 ticks lost or repeated a frame");
    }

    #[test]
    fn without_a_main_layer_it_ticks_on() {
        let mut cadence = Cadence::new(FRAME, 0);
        let times: Vec<u64> = (0..10).map(|_| cadence.tick(None)).collect();
        assert!(times.windows(2).all(|w| w[1] - w[0] == FRAME || w[0] == FRAME / 4), "{times:?}");
        cadence.resume(10_000_000_000);
        assert_eq!(cadence.next(), 10_000_000_000);
    }
}
