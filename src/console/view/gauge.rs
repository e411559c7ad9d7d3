//! A row of one figure: as it is, what 95 of 100 seconds kept to, what is aimed at, how it went.

use super::row::Row;
use crate::{
    console::{text::figure, theme::Palette},
    stats::{
        course::p95,
        figure::{Aims, Figure, Kind},
    },
};

/// The signs of a course, from nothing to the most.
const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// Columns of a figure's name, its values, its unit.
pub(in crate::console) const NAME: u16 = 13;
pub(in crate::console) const VALUE: u16 = 7;
pub(in crate::console) const UNIT: u16 = 5;
/// A course of fewer columns says nothing.
const LEAST: u16 = 4;

/// Which columns a row of figures has, by what room there is.
pub(in crate::console) struct Columns {
    width: u16,
    target: bool,
    course: u16,
}

impl Columns {
    pub(in crate::console) fn new(width: u16) -> Self {
        let least = NAME + 1 + VALUE + 1 + UNIT + VALUE;
        let target = width >= least + 1 + VALUE + 8;
        let used = least + if target { 1 + VALUE } else { 0 };
        let course = width.saturating_sub(used + 1);
        Self { width, target, course: if course < LEAST { 0 } else { course } }
    }

    /// Columns from the row's end to where the value ends.
    pub(in crate::console) const fn after_now(&self) -> u16 {
        self.width.saturating_sub(NAME + 1 + VALUE)
    }

    pub(in crate::console) const fn after_p95(&self) -> u16 {
        self.after_now().saturating_sub(1 + UNIT + VALUE)
    }

    pub(in crate::console) fn names(&self) -> Vec<(&'static str, u16)> {
        let mut names = vec![("now", self.after_now()), ("p95", self.after_p95())];
        if self.target {
            names.push(("target", self.after_p95().saturating_sub(1 + VALUE)));
        }
        if self.course >= 14 {
            names.push(("5 min", 0));
        }
        names
    }
}

/// A figure, now and as it went.
pub(in crate::console) struct Gauge<'a> {
    /// Which.
    pub of: &'a Figure,
    /// Its newest value.
    pub now: Option<f64>,
    /// One for each second, the oldest first.
    pub course: &'a [Option<f64>],
    /// What it is held against.
    pub aims: &'a Aims,
    /// Red, whatever is aimed at.
    pub alarmed: bool,
}

impl Gauge<'_> {
    /// Draws its row.
    pub(in crate::console) fn draw(&self, palette: &Palette, columns: &Columns, row: &mut Row) {
        let Self { of, now, course, aims, alarmed } = *self;
        let high = p95(course, of.aim.is_least());
        let style = |value: Option<f64>| match value {
            None => palette.dim,
            Some(value) if of.aim.misses(aims, value) => palette.bad,
            Some(_) => palette.text,
        };
        row.left(of.name, NAME, palette.dim).gap(1);
        row.right(&figure(now, of.decimals), VALUE, if alarmed { palette.bad } else { style(now) });
        row.gap(1).left(of.unit, UNIT, palette.dim);
        // Of a sum there is none.
        let high = high.filter(|_| of.kind != Kind::Total);
        let shown = if of.kind == Kind::Total { String::new() } else { figure(high, of.decimals) };
        row.right(&shown, VALUE, style(high));
        if columns.target {
            let target = of.aim.value(aims);
            let sign = if of.aim.is_least() { "≥ " } else { "≤ " };
            let target = target.map_or(String::new(), |t| {
                format!("{sign}{}", figure(Some(t), usize::from(t.fract() != 0.0)))
            });
            row.gap(1).right(&target, VALUE, palette.dim);
        }
        row.gap(1);
        let floor = of.aim.value(aims).unwrap_or(0.0);
        let most = course.iter().flatten().copied().fold(floor, f64::max);
        for column in squeeze(course, usize::from(columns.course.min(60)), of.aim.is_least()) {
            let (sign, style) = match column {
                None => ("·", palette.rule),
                Some(value) => (bar(value, most), style(Some(value))),
            };
            row.put(sign, style);
        }
    }
}

/// A course in so many columns, each the worst of its time.
fn squeeze(course: &[Option<f64>], columns: usize, least: bool) -> Vec<Option<f64>> {
    if columns == 0 {
        return Vec::new();
    }
    let place = |n: usize| n * course.len() / columns;
    let worse = if least { f64::min } else { f64::max };
    let worst = |n| course[place(n)..place(n + 1)].iter().flatten().copied().reduce(worse);
    (0..columns).map(worst).collect()
}

fn bar(value: f64, most: f64) -> &'static str {
    if most <= 0.0 || value <= 0.0 {
        return BARS[0];
    }
    let eighths = (value / most * 7.0).round().clamp(0.0, 7.0);
    BARS[eighths as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_is_squeezed_to_the_worst_of_each_time() {
        let course: Vec<_> = (0..10).map(|n| (n != 5).then_some(f64::from(n))).collect();
        assert_eq!(squeeze(&course, 2, false), [Some(4.0), Some(9.0)]);
        assert_eq!(squeeze(&course, 5, true), [0.0, 2.0, 4.0, 6.0, 8.0].map(Some));
        assert_eq!(squeeze(&[None, None, Some(1.0), None], 2, false), [None, Some(1.0)]);
        // More columns than seconds: none is made up.
        assert_eq!(squeeze(&[Some(1.0)], 3, false).iter().flatten().count(), 1);
        assert_eq!(squeeze(&course, 0, false), []);
    }

    #[test]
    fn a_bar_fills_its_cell_at_the_most() {
        assert_eq!([bar(0.0, 9.0), bar(9.0, 9.0), bar(5.0, 0.0)], ["▁", "█", "▁"]);
    }
}
