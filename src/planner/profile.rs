//! The shape of a week: by how much each hour of it differs from what the market's windows say, in natural
//! logarithms. What few hours tell is drawn towards what is known without them: (n·mean + k·prior)/(n + k), from all
//! markets to the group to the market, and from the hour of the day to the hour of the week.

/// How many hours weigh as much as what is known without them, tier by tier.
const SMOOTH: f64 = 2.0;
const HOUR: f64 = 3.0;
const WEEKDAY: f64 = 8.0;
const CELL: f64 = 4.0;

/// How far hours of the day, and then hours of the week, may be from the windows when nothing is known: standard
/// deviations.
const UNKNOWN_HOUR: f64 = 0.3;
const UNKNOWN_CELL: f64 = 0.12;

/// How much an hour says of the one beside it.
const NEAR: f64 = 0.4;

/// An hour's difference from the windows.
#[derive(Debug, Clone, Copy)]
pub struct Tells {
    /// The hour of the week.
    pub cell: usize,
    /// By how much it differs.
    pub by: f64,
    /// How much it counts, about 1.
    pub weight: f64,
}

/// The shape of a day.
pub type Hours = [f64; 24];

/// The shape of a week.
#[derive(Debug, Clone)]
pub struct Profile {
    hours: Hours,
    weekdays: [f64; 7],
    cells: [f64; 168],
    /// How much was told of each hour of the day, with its neighbours, and of each hour of the week.
    of_hour: Hours,
    of_cell: [f64; 168],
}

impl Profile {
    /// As the windows say.
    pub const fn flat() -> Self {
        Self {
            hours: [0.0; 24],
            weekdays: [0.0; 7],
            cells: [0.0; 168],
            of_hour: [0.0; 24],
            of_cell: [0.0; 168],
        }
    }

    /// A market's shape from its own hours, drawn towards that of its group.
    pub fn of(own: &[Tells], group: &Hours) -> Self {
        let mut profile = Self { hours: *group, ..Self::flat() };
        let (smooth, of_hour) = smoothed(own, |t| t.by - group[t.cell % 24]);
        add(&mut profile.hours, &smooth);
        profile.of_hour = of_hour;
        let sharp: Hours =
            shrunk(own, HOUR, |t| t.cell % 24, |t| t.by - profile.hours[t.cell % 24]);
        add(&mut profile.hours, &sharp);
        let rest = |t: &Tells| t.by - profile.hours[t.cell % 24];
        let weekdays = shrunk(own, WEEKDAY, |t| t.cell / 24, rest);
        let rest = |t: &Tells| rest(t) - weekdays[t.cell / 24];
        let cells = shrunk(own, CELL, |t| t.cell, rest);
        for tells in own {
            profile.of_cell[tells.cell] += tells.weight;
        }
        Self { weekdays, cells, ..profile }
    }

    /// By how much an hour of the week differs from the windows.
    pub fn at(&self, cell: usize) -> f64 {
        self.hours[cell % 24] + self.weekdays[cell / 24 % 7] + self.cells[cell % 168]
    }

    /// How uncertain that is: a variance.
    pub fn doubt(&self, cell: usize) -> f64 {
        let left = |n: f64, k: f64| k / (n + k);
        UNKNOWN_HOUR.powi(2) * left(self.of_hour[cell % 24], SMOOTH)
            + UNKNOWN_CELL.powi(2) * left(self.of_cell[cell % 168], CELL)
    }

    /// How much of what is said of an hour comes from the market's own hours, 0 to 1.
    pub fn own(&self, cell: usize) -> f64 {
        let n = self.of_hour[cell % 24];
        n / (n + SMOOTH)
    }
}

/// What a market says of each hour of the day, for the others.
#[derive(Debug, Clone, Copy)]
pub struct Says {
    sums: Hours,
    counts: Hours,
}

impl Says {
    /// Nothing.
    pub const fn nothing() -> Self {
        Self { sums: [0.0; 24], counts: [0.0; 24] }
    }

    /// What these hours say. However often a market was aired, it is one market: each hour of its day counts once at
    /// most.
    pub fn of(own: &[Tells]) -> Self {
        let mut says = Self::nothing();
        for tells in own {
            says.sums[tells.cell % 24] += tells.weight * tells.by;
            says.counts[tells.cell % 24] += tells.weight;
        }
        for (sum, count) in says.sums.iter_mut().zip(&mut says.counts) {
            let much = count.max(1.0);
            (*sum, *count) = (*sum / much, *count / much);
        }
        says
    }

    /// And what another one says.
    pub fn add(&mut self, other: &Self) {
        add(&mut self.sums, &other.sums);
        add(&mut self.counts, &other.counts);
    }

    /// The shape of a day by what was said, drawn towards `known`.
    pub fn shape(&self, known: &Hours) -> Hours {
        let rest = |h: usize| self.sums[h] - self.counts[h] * known[h];
        std::array::from_fn(|h| {
            let sum = rest(h) + NEAR * (rest((h + 1) % 24) + rest((h + 23) % 24));
            known[h] + sum / (near(&self.counts, h) + SMOOTH)
        })
    }
}

/// An hour's figure with its part of those beside it.
fn near(of: &Hours, h: usize) -> f64 {
    of[h] + NEAR * (of[(h + 1) % 24] + of[(h + 23) % 24])
}

/// Nothing is known.
pub const UNKNOWN: Hours = [0.0; 24];

fn add(to: &mut Hours, what: &Hours) {
    for (to, what) in to.iter_mut().zip(what) {
        *to += what;
    }
}

/// Means by hour of the day, in which neighbours have a say, drawn towards 0; and how much was told of each.
fn smoothed(all: &[Tells], by: impl Fn(&Tells) -> f64) -> (Hours, Hours) {
    let (mut sums, mut counts) = ([0.0; 24], [0.0; 24]);
    for tells in all {
        let hour = tells.cell % 24;
        sums[hour] += tells.weight * by(tells);
        counts[hour] += tells.weight;
    }
    let (mut means, mut told) = ([0.0; 24], [0.0; 24]);
    for h in 0..24 {
        told[h] = near(&counts, h);
        means[h] = near(&sums, h) / (told[h] + SMOOTH);
    }
    (means, told)
}

/// Means by a key, drawn towards 0.
fn shrunk<const N: usize>(
    all: &[Tells],
    k: f64,
    key: impl Fn(&Tells) -> usize,
    by: impl Fn(&Tells) -> f64,
) -> [f64; N] {
    let (mut sums, mut counts) = ([0.0; N], [0.0; N]);
    for tells in all {
        sums[key(tells)] += tells.weight * by(tells);
        counts[key(tells)] += tells.weight;
    }
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum /= count + k;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(cell: usize, by: f64, times: usize) -> Vec<Tells> {
        vec![Tells { cell, by, weight: 1.0 }; times]
    }

    #[test]
    fn one_hour_says_little_and_many_say_all() {
        let at = |times| Profile::of(&told(20, 1.0, times), &UNKNOWN).at(20);
        assert!((0.4..0.7).contains(&at(1)), "{}", at(1));
        assert!((0.97..1.03).contains(&at(60)), "{}", at(60));
        let doubt = |times| Profile::of(&told(20, 1.0, times), &UNKNOWN).doubt(20);
        assert!(doubt(0) > 0.1 && doubt(60) < 0.01);
    }

    #[test]
    fn neighbours_have_a_say_and_the_far_have_none() {
        let profile = Profile::of(&told(20, 1.0, 30), &UNKNOWN);
        assert!(profile.at(21) > 0.5 && profile.at(21) < profile.at(20));
        assert!(profile.at(8).abs() < 0.3, "only the weekday speaks");
        assert_eq!(profile.at(24 * 3 + 8), 0.0);
    }

    #[test]
    fn a_group_is_believed_where_a_market_is_silent() {
        let mut says = Says::nothing();
        for _ in 0..20 {
            says.add(&Says::of(&told(8, -1.0, 40)));
        }
        let group = says.shape(&UNKNOWN);
        // One market alone is not the world.
        assert!(Says::of(&told(8, -1.0, 40)).shape(&UNKNOWN)[8] > -0.6);
        let profile = Profile::of(&told(20, 0.0, 5), &group);
        assert!(profile.at(24 + 8) < -0.8, "{}", profile.at(24 + 8));
        // And corrected where it speaks.
        let own = Profile::of(&told(24 + 8, 0.5, 40), &group);
        assert!(own.at(24 + 8) > 0.4);
    }
}
