//! How great an audience is from week to week, and where it goes: a level with a slope that fades (a local linear
//! trend, damped, by Kalman's filter and the smoother of Rauch, Tung and Striebel). All in natural logarithms.

/// What a slope keeps of itself from one week to the next.
const KEEPS: f64 = 0.9;

/// How restless levels and slopes are, standard deviations in a week: the likeliest is taken.
const TEMPERS: [(f64, f64); 6] =
    [(0.01, 0.0), (0.01, 0.01), (0.06, 0.0), (0.06, 0.02), (0.15, 0.0), (0.3, 0.0)];

/// What is known of a slope before anything is: its standard deviation in a week.
const SLOPE: f64 = 0.04;

/// What a week tells: the mean of its hours and the variance of that mean. `None`: nothing was aired.
pub type Told = Option<(f64, f64)>;

/// Level and slope with their variances and covariance.
#[derive(Debug, Clone, Copy)]
struct State {
    level: f64,
    slope: f64,
    vl: f64,
    vs: f64,
    cov: f64,
}

/// The levels of the weeks that were, and the state at their end.
#[derive(Debug, Clone)]
pub struct Level {
    weeks: Vec<f64>,
    last: State,
    temper: (f64, f64),
}

impl State {
    /// A week later.
    fn next(self, (ql, qs): (f64, f64)) -> Self {
        let Self { level, slope, vl, vs, cov } = self;
        Self {
            level: level + KEEPS * slope,
            slope: KEEPS * slope,
            vl: vl + 2.0 * KEEPS * cov + KEEPS * KEEPS * vs + ql * ql,
            vs: KEEPS * KEEPS * vs + qs * qs,
            cov: KEEPS * cov + KEEPS * KEEPS * vs,
        }
    }

    /// After what a week told, and how likely that was (logarithm).
    fn told(self, (mean, variance): (f64, f64)) -> (Self, f64) {
        let s = self.vl + variance;
        let miss = mean - self.level;
        let (gl, gs) = (self.vl / s, self.cov / s);
        let after = Self {
            level: self.level + gl * miss,
            slope: self.slope + gs * miss,
            vl: (1.0 - gl) * self.vl,
            vs: (self.vs - gs * self.cov).max(0.0),
            cov: (1.0 - gl) * self.cov,
        };
        (after, -0.5 * (s.ln() + miss * miss / s))
    }
}

impl Level {
    /// The levels of weeks, the oldest first, when before the first of them nothing but `guess` was known, with its
    /// variance.
    pub fn of(weeks: &[Told], guess: f64, variance: f64) -> Self {
        let mut best: Option<(f64, Self)> = None;
        for (calm, temper) in TEMPERS.iter().enumerate() {
            let (level, mut likely) = Self::with(weeks, guess, variance, *temper);
            // Of two that explain it nearly as well, the calmer.
            likely -= 0.5 * calm as f64;
            if best.as_ref().is_none_or(|(most, _)| likely > *most) {
                best = Some((likely, level));
            }
        }
        best.map_or_else(
            || Self { weeks: Vec::new(), last: start(guess, variance), temper: TEMPERS[0] },
            |(_, level)| level,
        )
    }

    fn with(weeks: &[Told], guess: f64, variance: f64, temper: (f64, f64)) -> (Self, f64) {
        let mut likely = 0.0;
        let mut now = start(guess, variance);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (n, told) in weeks.iter().enumerate() {
            if n > 0 {
                now = now.next(temper);
            }
            before.push(now);
            if let Some(told) = told {
                let (then, log) = now.told(*told);
                now = then;
                likely += log;
            }
            after.push(now);
        }
        (Self { weeks: smooth(&before, &after), last: now, temper }, likely)
    }

    /// The level of a week that was, 0 being the oldest; the nearest one that is known for any other.
    pub fn week(&self, n: usize) -> f64 {
        let known = self.weeks.get(n).or(self.weeks.last());
        known.copied().unwrap_or(self.last.level)
    }

    /// What is expected some weeks after the last, and its variance.
    pub fn ahead(&self, weeks: usize) -> (f64, f64) {
        let mut state = self.last;
        for _ in 0..weeks {
            state = state.next(self.temper);
        }
        (state.level, state.vl)
    }
}

const fn start(guess: f64, variance: f64) -> State {
    State { level: guess, slope: 0.0, vl: variance, vs: SLOPE * SLOPE, cov: 0.0 }
}

/// Levels in the light of all weeks: `before` is what was expected of each, `after` what was known after it.
fn smooth(before: &[State], after: &[State]) -> Vec<f64> {
    let mut levels: Vec<f64> = after.iter().map(|s| s.level).collect();
    let Some(last) = after.last() else { return levels };
    let (mut level, mut slope) = (last.level, last.slope);
    for n in (0..after.len().saturating_sub(1)).rev() {
        let (now, then) = (after[n], before[n + 1]);
        // The gain is P Fᵀ P₋⁻¹, with F = [[1, k], [0, k]].
        let (a, b) = (now.vl + KEEPS * now.cov, KEEPS * now.cov);
        let (c, d) = (now.cov + KEEPS * now.vs, KEEPS * now.vs);
        let det = then.vl * then.vs - then.cov * then.cov;
        let (g11, g12, g21, g22) = if det.abs() > 1e-18 {
            (
                (a * then.vs - b * then.cov) / det,
                (b * then.vl - a * then.cov) / det,
                (c * then.vs - d * then.cov) / det,
                (d * then.vl - c * then.cov) / det,
            )
        } else {
            (a / then.vl.max(1e-12), 0.0, 0.0, 0.0)
        };
        let (dl, ds) = (level - then.level, slope - then.slope);
        level = now.level + g11 * dl + g12 * ds;
        slope = now.slope + g21 * dl + g22 * ds;
        levels[n] = level;
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_stays_is_found_and_stays() {
        let weeks: Vec<Told> =
            (0..20).map(|n| Some((3.0 + f64::from(n % 2) * 0.1, 0.01))).collect();
        let level = Level::of(&weeks, 0.0, 2.0);
        let (mean, variance) = level.ahead(4);
        assert!((mean - 3.05).abs() < 0.05, "{mean}");
        assert!(variance < 0.02, "{variance}");
        assert!((level.week(3) - 3.05).abs() < 0.06);
    }

    #[test]
    fn a_slope_goes_on_and_fades() {
        let weeks: Vec<Told> = (0..20).map(|n| Some((f64::from(n) * 0.05, 0.004))).collect();
        let level = Level::of(&weeks, 0.0, 1.0);
        let (one, eight, many) = (level.ahead(1).0, level.ahead(8).0, level.ahead(60).0);
        assert!((one - 1.0).abs() < 0.06, "{one}");
        assert!(one + 0.1 < eight && eight < one + 0.35, "{eight}");
        assert!(many - eight < eight - one, "{many}");
    }

    #[test]
    fn weeks_that_say_nothing_only_add_doubt() {
        let known = [Some((2.0, 0.01)); 6];
        let mut gap = known.to_vec();
        gap.extend([None; 8]);
        let (near, far) =
            (Level::of(&known, 0.0, 1.0).ahead(1), Level::of(&gap, 0.0, 1.0).ahead(1));
        assert!((near.0 - far.0).abs() < 0.1 && far.1 > near.1, "{near:?} {far:?}");
        let (guess, variance) = Level::of(&[], 1.5, 0.7).ahead(0);
        assert_eq!((guess, variance), (1.5, 0.7));
    }

    #[test]
    fn a_jump_is_followed_by_a_restless_level() {
        let mut weeks = vec![Some((1.0, 0.01)); 10];
        weeks.extend(vec![Some((2.0, 0.01)); 4]);
        let (mean, _) = Level::of(&weeks, 1.0, 1.0).ahead(1);
        assert!((mean - 2.0).abs() < 0.15, "{mean}");
    }
}
