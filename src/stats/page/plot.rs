//! Plots as inline SVG. The drawing is stretched to the width it is given, so it holds no text: what is to be
//! read stands beside it in HTML. All plots of a page share one time axis.

use std::fmt::{self, Write};

use super::Text;
use crate::{base::Severity, stats::history::Noted};

/// Columns of a plot: as many as a screen shows; more seconds than that share one.
const COLUMNS: u32 = 600;
/// The drawing's own height.
const HEIGHT: f64 = 100.0;
/// Colours of lines, by class.
const COLOURS: [&str; 4] = ["a", "b", "c", "d"];

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The mean of each column, and a band from the least to the greatest. Broken where nothing was measured.
    Line,
    /// The sum of each column from the ground up.
    Bars,
}

/// What is drawn.
#[derive(Debug)]
pub struct Line {
    name: String,
    colour: &'static str,
    shape: Shape,
    points: Vec<(u32, Option<f64>)>,
}

impl Line {
    /// `points` are by second, in order.
    pub fn new(name: String, colour: usize, shape: Shape, points: Vec<(u32, Option<f64>)>) -> Self {
        Self { name, colour: COLOURS[colour % COLOURS.len()], shape, points }
    }
}

/// Where it is drawn.
#[derive(Debug)]
pub struct Panel<'a> {
    /// What is measured.
    pub title: &'static str,
    /// In which unit.
    pub unit: &'static str,
    /// A line to stay below.
    pub target: Option<f64>,
    /// Seconds from left to right.
    pub span: u32,
    /// Seconds that one point stands for.
    pub step: u32,
    /// Times to shade, in ms.
    pub outages: &'a [(u64, u64)],
}

/// One column of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Column {
    least: f64,
    greatest: f64,
    sum: f64,
    n: f64,
}

/// Points gathered into columns.
fn columns(points: &[(u32, Option<f64>)], span: u32, count: u32) -> Vec<Option<Column>> {
    let mut columns: Vec<Option<Column>> = vec![None; count as usize];
    for (at, value) in points {
        let Some(value) = *value else { continue };
        let place = u64::from(*at) * u64::from(count) / u64::from(span.max(1));
        let Some(slot) = columns.get_mut(place as usize) else { continue };
        let column = slot.get_or_insert(Column { least: value, greatest: value, sum: 0.0, n: 0.0 });
        column.least = column.least.min(value);
        column.greatest = column.greatest.max(value);
        column.sum += value;
        column.n += 1.0;
    }
    columns
}

/// A round number at or above the greatest value, so that the scale can be read.
fn ceiling(greatest: f64) -> f64 {
    if greatest <= 0.0 || !greatest.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(greatest.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps.into_iter().map(|s| s * power).find(|c| *c >= greatest).unwrap_or(greatest)
}

impl Panel<'_> {
    /// Draws all lines on one scale.
    pub fn draw(&self, html: &mut String, lines: &[Line]) -> fmt::Result {
        // A column narrower than a point would leave holes that are none.
        let count = COLUMNS.min(self.span.div_ceil(self.step.max(1)));
        let drawn: Vec<_> =
            lines.iter().map(|l| (l, columns(&l.points, self.span, count))).collect();
        let top = |l: &Line, c: &Column| if l.shape == Shape::Bars { c.sum } else { c.greatest };
        let tops = drawn.iter().flat_map(|(l, cs)| cs.iter().flatten().map(|c| top(l, c)));
        // The target is shown where it is near; far above everything it would flatten the picture.
        let greatest = tops.fold(0.0, f64::max);
        let target = self.target.filter(|t| *t <= greatest * 4.0);
        let scale = ceiling(greatest.max(target.unwrap_or(0.0)));
        let y = |value: f64| HEIGHT - (value / scale).clamp(0.0, 1.0) * HEIGHT;

        write!(html, "<figure>\n<figcaption><b>{}</b>", self.title)?;
        for line in lines {
            write!(html, "<span class=\"key {}\">{}</span>", line.colour, Text(&line.name))?;
        }
        if let Some(target) = self.target {
            write!(html, "<span class=\"key target\">target {target:.0} {}</span>", self.unit)?;
        }
        write!(
            html,
            "</figcaption>\n<div class=\"plot\"><svg viewBox=\"0 0 {count} {HEIGHT}\" \
             preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
            self.title
        )?;
        self.shade(html, count)?;
        if let Some(target) = target {
            write!(html, "<path class=\"target\" d=\"M0 {0:.1}H{count}\"/>", y(target))?;
        }
        for (line, columns) in &drawn {
            match line.shape {
                Shape::Line => draw_line(html, line.colour, columns, y)?,
                Shape::Bars => draw_bars(html, line.colour, columns, y)?,
            }
        }
        html.push_str("</svg>");
        if drawn.iter().any(|(_, cs)| cs.iter().any(Option::is_some)) {
            write!(
                html,
                "<span class=\"top\">{scale} {}</span><span class=\"bottom\">0</span>",
                self.unit
            )?;
        } else {
            html.push_str("<span class=\"top\">not measured</span>");
        }
        html.push_str("</div>\n</figure>\n");
        Ok(())
    }

    fn shade(&self, html: &mut String, count: u32) -> fmt::Result {
        let x = |ms: u64| ms as f64 / 1000.0 / f64::from(self.span) * f64::from(count);
        for (from, until) in self.outages {
            let (left, right) = (x(*from), x(*until));
            let width = (right - left).max(0.5);
            write!(
                html,
                "<rect class=\"out\" x=\"{left:.2}\" width=\"{width:.2}\" height=\"{HEIGHT}\"/>"
            )?;
        }
        Ok(())
    }
}

fn draw_line(
    html: &mut String,
    colour: &str,
    columns: &[Option<Column>],
    y: impl Fn(f64) -> f64,
) -> fmt::Result {
    let (mut line, mut band) = (String::new(), String::new());
    let mut rest = 0;
    while let Some(from) = columns[rest..].iter().position(Option::is_some).map(|i| rest + i) {
        let run = columns[from..].iter().map_while(|c| *c);
        let mut back = Vec::new();
        let mut to = from;
        for (i, column) in run.enumerate() {
            let x = (from + i) as f64 + 0.5;
            let mark = if i == 0 { 'M' } else { 'L' };
            write!(line, "{mark}{x} {:.1}", y(column.sum / column.n))?;
            write!(band, "{mark}{x} {:.1}", y(column.greatest))?;
            back.push((x, y(column.least)));
            to = from + i + 1;
        }
        if to == from + 1 {
            // One column alone has no length: it gets some.
            line.push_str("h0.6");
        }
        for (x, y) in back.into_iter().rev() {
            write!(band, "L{x} {y:.1}")?;
        }
        band.push('Z');
        rest = to;
    }
    if line.is_empty() {
        return Ok(());
    }
    write!(
        html,
        "<g class=\"{colour}\"><path class=\"band\" d=\"{band}\"/><path d=\"{line}\"/></g>"
    )
}

fn draw_bars(
    html: &mut String,
    colour: &str,
    columns: &[Option<Column>],
    y: impl Fn(f64) -> f64,
) -> fmt::Result {
    let mut bars = String::new();
    for (i, column) in columns.iter().enumerate() {
        if let Some(column) = column.filter(|c| c.sum > 0.0) {
            write!(bars, "M{} {HEIGHT}V{:.1}", i as f64 + 0.5, y(column.sum))?;
        }
    }
    if bars.is_empty() {
        return Ok(());
    }
    write!(html, "<g class=\"{colour}\"><path d=\"{bars}\"/></g>")
}

/// Events as marks on the same time axis; those that matter reach higher, and say what they were when they
/// are pointed at.
pub fn events(html: &mut String, span: u32, events: &[Noted]) -> fmt::Result {
    html.push_str(
        "<figure>\n<figcaption><b>Events</b><span class=\"key info\">as planned</span>\
         <span class=\"key warn\">warning</span><span class=\"key bad\">viewers see it</span></figcaption>\n",
    );
    write!(
        html,
        "<div class=\"plot low\"><svg viewBox=\"0 0 {COLUMNS} {HEIGHT}\" preserveAspectRatio=\"none\" \
         role=\"img\" aria-label=\"Events\">"
    )?;
    let mut plain = String::new();
    for note in events.iter().take(super::EVENTS) {
        let x = note.at_ms as f64 / 1000.0 / f64::from(span) * f64::from(COLUMNS);
        let (class, top) = match note.severity {
            Severity::Info => {
                write!(plain, "M{x:.1} {HEIGHT}v-35")?;
                continue;
            }
            Severity::Warning => ("warn", 30),
            Severity::Critical => ("bad", 0),
        };
        write!(
            html,
            "<path class=\"{class}\" d=\"M{x:.1} {HEIGHT}V{top}\"><title>{}</title></path>",
            Text(&note.sentence)
        )?;
    }
    write!(html, "<path class=\"info\" d=\"{plain}\"/></svg></div>\n</figure>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(points: &[(u32, Option<f64>)], shape: Shape, span: u32, step: u32) -> String {
        let line = Line::new("x".into(), 0, shape, points.to_vec());
        let panel = Panel { title: "T", unit: "ms", target: Some(600.0), span, step, outages: &[] };
        let mut html = String::new();
        panel.draw(&mut html, &[line]).unwrap();
        html
    }

    #[test]
    fn a_gap_breaks_the_line_and_a_thin_show_does_not() {
        let points: Vec<_> =
            (0..100).filter(|s| !(40..50).contains(s)).map(|s| (s, Some(200.0))).collect();
        let pieces = |html: String| html.split("class=\"a\"").nth(1).unwrap().matches('M').count();
        assert_eq!(
            pieces(draw(&points, Shape::Line, 100, 1)),
            4,
            "two of the line, two of the band"
        );
        let tens: Vec<_> = (0..100).map(|s| (s * 10, Some(200.0))).collect();
        assert_eq!(pieces(draw(&tens, Shape::Line, 1000, 10)), 2);
        let hours: Vec<_> = (0..14_400).map(|s| (s, Some(f64::from(s % 300)))).collect();
        let html = draw(&hours, Shape::Line, 14_400, 1);
        assert!(html.len() < 40_000, "{}", html.len());
        assert!(html.contains("300 ms</span>") || html.contains("600 ms</span>"), "{html}");
        assert_eq!(pieces(html), 2);
    }

    #[test]
    fn no_stall_is_lost_among_many_seconds() {
        let points: Vec<_> =
            (0..14_400).map(|s| (s, Some(if s == 7000 { 300.0 } else { 0.0 }))).collect();
        let html = draw(&points, Shape::Bars, 14_400, 1);
        assert!(html.contains("M291.5 100V50.0"), "{html}");
    }

    #[test]
    fn nothing_measured_is_said() {
        assert!(draw(&[(0, None)], Shape::Line, 10, 1).contains("not measured"));
    }

    #[test]
    fn scales_are_round() {
        for (greatest, top) in
            [(0.0, 1.0), (0.9, 1.0), (249.0, 300.0), (2510.0, 3000.0), (1000.0, 1000.0)]
        {
            assert_eq!(ceiling(greatest), top, "{greatest}");
        }
    }
}
