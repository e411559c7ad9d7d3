//! The figures of a stream as text: a table of a few lines, or one line. Each figure keeps its place; what was not
//! measured is a dash.

use crate::stats::{Verdict, WatchFigures};

const DASH: &str = "–";
/// Columns of a terminal that every line fits in.
const COLUMNS: usize = 80;

/// A figure at the right of its column, or a dash.
fn figure(value: Option<f64>, decimals: usize, columns: usize) -> String {
    let text = match value.filter(|v| v.is_finite()) {
        Some(v) => format!("{v:.decimals$}"),
        None => DASH.to_owned(),
    };
    format!("{text:>columns$}")
}

fn clipped(line: String) -> String {
    if line.chars().count() <= COLUMNS {
        return line;
    }
    line.chars().take(COLUMNS - 1).chain(['…']).collect()
}

/// The lines of a table.
pub(super) fn draw(
    host: &str,
    second: u64,
    figures: Option<&WatchFigures>,
    verdict: Option<&Verdict>,
    latency_by: Option<&str>,
) -> Vec<String> {
    let latency = figures.and_then(|f| f.latency);
    let ms = |of: Option<f64>| figure(of, 1, 8);
    let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    let size = figures.and_then(|f| f.size);
    let size = size.map_or_else(|| DASH.to_owned(), |(w, h)| format!("{w}x{h}"));
    let skew = figures.and_then(|f| f.av_skew_ms);
    let unmeasured = latency_by.filter(|_| latency.is_none() && figures.is_some());
    let estimated = figures.and_then(|f| f.estimated).filter(|_| latency.is_none());
    [
        format!("{clock}  {host}"),
        format!("verdict   {}", verdict.map_or(DASH, |v| &v.words)),
        match unmeasured {
            _ if estimated.is_some() => format!(
                "latency   p50{} p95{} ms, estimated from sender reports",
                ms(estimated.map(|l| l.p50_ms)),
                ms(estimated.map(|l| l.p95_ms)),
            ),
            Some(why) => format!("latency   {why}"),
            None => format!(
                "latency   p50{} p95{} p99{} max{} ms",
                ms(latency.map(|l| l.p50_ms)),
                ms(latency.map(|l| l.p95_ms)),
                ms(latency.map(|l| l.p99_ms)),
                ms(latency.map(|l| l.max_ms)),
            ),
        },
        format!(
            "picture   {size:>9}{} frames/s{} kb/s",
            figure(figures.map(|f| f64::from(f.fps)), 0, 5),
            figure(figures.map(|f| f.kbps), 0, 7),
        ),
        format!(
            "stalls    {} freezes,{} s; pauses{} s; last frame{} ms ago",
            figure(figures.map(|f| f.freezes as f64), 0, 3),
            figure(figures.map(|f| f.freeze_ms as f64 / 1e3), 1, 6),
            figure(figures.map(|f| f.pause_ms as f64 / 1e3), 1, 6),
            figure(figures.map(|f| f.gap_ms as f64), 0, 6),
        ),
        format!("sound     {} ms after the picture", figure(skew, 0, 5)),
    ]
    .map(clipped)
    .into()
}

/// The same in one line, for a file or a pipe.
pub(super) fn line(
    second: u64,
    figures: Option<&WatchFigures>,
    verdict: Option<&Verdict>,
) -> String {
    let latency = figures.and_then(|f| f.latency);
    clipped(format!(
        "{second:>5} s  p50{} p95{} ms {} fps{} kb/s  gap{} ms  {}",
        figure(latency.map(|l| l.p50_ms), 1, 7),
        figure(latency.map(|l| l.p95_ms), 1, 7),
        figure(figures.map(|f| f64::from(f.fps)), 0, 3),
        figure(figures.map(|f| f.kbps), 0, 6),
        figure(figures.map(|f| f.gap_ms as f64), 0, 6),
        verdict.map_or(DASH, |v| &v.words),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::LatencySummary;

    fn seen() -> WatchFigures {
        let latency = LatencySummary {
            p50_ms: 212.4,
            p95_ms: 261.0,
            p99_ms: 280.0,
            max_ms: 1301.0,
            count: 300,
        };
        WatchFigures {
            latency: Some(latency),
            fps: 30.0,
            kbps: 2480.4,
            freezes: 2,
            freeze_ms: 740,
            gap_ms: 18,
            frozen: false,
            pause_ms: 0,
            av_skew_ms: Some(-3.2),
            size: Some((1280, 720)),
            ..WatchFigures::default()
        }
    }

    #[test]
    fn a_table_has_the_same_lines_whatever_is_measured() {
        let full = draw("a.example", 83, Some(&seen()), Some(&Verdict::good()), None);
        let text = full.join("\n");
        insta::assert_snapshot!("full", text);
        let nothing = draw("a.example", 0, None, None, None);
        insta::assert_snapshot!("nothing", nothing.join("\n"));
        assert_eq!(full.len(), nothing.len());
        let other = WatchFigures { latency: None, ..seen() };
        let why = "not measured: the frames are stamped by another machine or boot, whose clock cannot be compared";
        let lines = draw("a.example", 83, Some(&other), None, Some(why));
        assert!(lines[2].starts_with("latency   not measured"), "{}", lines[2]);
        for lines in [full, nothing, lines] {
            assert!(lines.iter().all(|l| l.chars().count() <= COLUMNS), "{lines:?}");
        }
    }

    #[test]
    fn a_line_fits_too() {
        let words = "stalling: no frame for 1.2 s; uplink 0.8 of 2.5 Mb/s needed".to_owned();
        let verdict = Verdict { words, ..Verdict::good() };
        let line = line(7, Some(&seen()), Some(&verdict));
        assert!(line.chars().count() <= COLUMNS && line.contains("p95  261.0"), "{line}");
    }
}
