//! The report of a show as one page of HTML: no script, nothing fetched, plots drawn here. Every text from
//! outside (titles, hosts, what a server said) is escaped on its way in, and the page forbids itself requests.

mod plot;

use std::fmt::{self, Write};

use jiff::tz::TimeZone;

use self::plot::{Line, Panel, Shape};
use super::history::{History, Incident, OutputSummary, Seen, Step, Summary};
use crate::base::{Severity, text::plain};

/// How many incidents are told one by one.
const INCIDENTS: usize = 200;
/// How many steps of an incident stand open before the last.
const STEPS: usize = 4;
/// How many events the log at the end holds.
const EVENTS: usize = 5000;

/// A text from outside, fit for HTML: its marks escaped, and without what could turn the lines around it
/// (control characters, directions).
pub(super) struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in plain(self.0).chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A figure, or a dash.
struct Figure<T>(Option<T>, usize, &'static str);

impl<T: fmt::Display> fmt::Display for Figure<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => write!(f, "{value:.*}{}", self.1, self.2),
            None => f.write_str("–"),
        }
    }
}

/// Hours, minutes and seconds; tenths below a minute.
fn duration(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..60 => format!("{:.1} s", ms as f64 / 1000.0),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

/// The page being written.
struct Page<'a> {
    html: String,
    show: &'a History,
    zone: &'a TimeZone,
}

/// Makes the page. Times are told in `zone`.
pub fn html(show: &History, zone: &TimeZone) -> String {
    let mut page = Page { html: String::with_capacity(128 * 1024), show, zone };
    // Writing to a String cannot fail.
    let _ = page.write();
    page.html
}

impl Page<'_> {
    fn write(&mut self) -> fmt::Result {
        let summary = self.show.summary();
        let incidents = self.show.incidents();
        self.head()?;
        self.cards(&summary)?;
        self.plots(&summary, &incidents)?;
        self.outputs(&summary)?;
        self.markets(&summary)?;
        self.segments()?;
        self.incidents(&incidents)?;
        self.log()?;
        self.html.push_str("</body>\n</html>\n");
        Ok(())
    }

    /// The wall clock, `ms` after the show began.
    fn clock(&self, ms: u64) -> String {
        let shift = jiff::SignedDuration::from_millis(i64::try_from(ms).unwrap_or(0));
        let at = self.show.started.checked_add(shift).unwrap_or(self.show.started);
        at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    fn head(&mut self) -> fmt::Result {
        let show = self.show;
        let began = show.started.to_zoned(self.zone.clone());
        let title = Text(&show.title);
        write!(
            self.html,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'; img-src data:\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <link rel=\"icon\" href=\"data:,\">\n<title>{title}: report</title>\n<style>\n{}</style>\n\
             </head>\n<body>\n<header>\n<h1>{title}</h1>\n<p>{}, {} to {}, {}</p>\n\
             <p class=\"soft\">{}, profile {}, show {}: {}",
            include_str!("../../assets/report.css"),
            began.strftime("%A, %-d %B %Y"),
            began.strftime("%H:%M"),
            Text(&self.clock(show.duration_ms)[..5]),
            Text(&began.strftime("%Z (UTC%:z)").to_string()),
            Text(&show.mode),
            Text(&show.profile),
            show.number,
            Text(show.ending()),
        )?;
        if let Some(ended) = &show.ended {
            write!(self.html, " (exit code {})", ended.exit_code)?;
        }
        self.html.push_str("</p>\n");
        if show.step_s > 1 {
            writeln!(
                self.html,
                "<p class=\"soft\">This show is old: its seconds are kept {} at a time, rates as means, \
                 latencies and gaps as the worst.</p>",
                show.step_s
            )?;
        }
        if let Some(lost) = show.lost.words() {
            writeln!(
                self.html,
                "<p class=\"warn\">Missing here: {lost}, which the disk did not take in time.</p>"
            )?;
        }
        self.html.push_str("</header>\n");
        Ok(())
    }

    fn card(&mut self, what: &str, value: &str, met: Option<bool>, note: &str) -> fmt::Result {
        let (class, mark) = match met {
            Some(true) => (" class=\"good\"", " ✓"),
            Some(false) => (" class=\"bad\"", " ✗"),
            None => ("", ""),
        };
        writeln!(
            self.html,
            "<div><dt>{what}</dt><dd{class}>{value}{mark}<small class=\"soft\">{note}</small></dd></div>"
        )
    }

    fn cards(&mut self, all: &Summary) -> fmt::Result {
        let seen = all.seen;
        let targets = self.show.targets;
        let whole = self.show.duration_ms;
        self.html.push_str("<dl class=\"cards\">\n");
        self.card("Ran", &duration(whole), None, &{
            format!("the viewer's side was measured for {}", duration(seen.measured_s * 1000))
        })?;
        self.card(
            "Latency, 95 %",
            &Figure(seen.latency_p95_ms, 0, " ms").to_string(),
            all.latency_met,
            &format!(
                "capture to arrival; target {} ms, median {}",
                targets.latency_ms,
                Figure(seen.latency_p50_ms, 0, " ms")
            ),
        )?;
        self.card(
            "Stood still",
            &Figure(seen.stall_ratio.map(|r| r * 100.0), 2, " %").to_string(),
            all.stalls_met,
            &format!(
                "{} stalls, {}; target {:.1} %",
                seen.stalls,
                duration(seen.stalled_ms),
                f64::from(targets.stall_permille) / 10.0
            ),
        )?;
        self.card(
            "Most viewers",
            &Figure(all.viewers_most, 0, "").to_string(),
            None,
            "at once, where hawker is told",
        )?;
        self.card(
            "Processor",
            &Figure(all.cpu_percent, 0, " %").to_string(),
            None,
            &format!("of one core; {} at most", Figure(all.memory_mb, 0, " MB")),
        )?;
        self.card("Frames dropped", &all.dropped.to_string(), None, "the encoder was behind")?;
        self.html.push_str("</dl>\n");
        Ok(())
    }

    fn plots(&mut self, all: &Summary, incidents: &[Incident]) -> fmt::Result {
        let show = self.show;
        self.html.push_str("<section>\n<h2>Over the show</h2>\n");
        let span = show.span_s();
        let critical = |i: &&Incident| i.severity == Severity::Critical;
        let outages: Vec<(u64, u64)> = incidents
            .iter()
            .filter(critical)
            .map(|i| (i.from_ms, i.until_ms.unwrap_or(show.duration_ms)))
            .collect();
        let panel = |title, unit, target| Panel {
            title,
            unit,
            target,
            span,
            step: show.step_s,
            outages: &outages,
        };

        let mut latency = Vec::new();
        for (i, monitor) in show.monitors.iter().enumerate() {
            let figures = |of: fn(&super::second::MonitorSecond) -> Option<u32>| {
                let tenths = monitor.seconds.iter().map(move |at| (at.at_s, of(&at.figures)));
                tenths.map(|(at, v)| (at, v.map(|v| f64::from(v) / 10.0))).collect::<Vec<_>>()
            };
            let name = |what: &str| format!("{}, {what}", monitor.name);
            latency.push(Line::new(name("median"), i * 2, Shape::Line, figures(|m| m.p50_tenths)));
            latency.push(Line::new(
                name("95 %"),
                i * 2 + 1,
                Shape::Line,
                figures(|m| m.p95_tenths),
            ));
        }
        let target = Some(f64::from(show.targets.latency_ms));
        panel("Latency, capture to arrival", "ms", target).draw(&mut self.html, &latency)?;

        let sent: Vec<Line> = show
            .outputs
            .iter()
            .enumerate()
            .map(|(i, output)| {
                let points: Vec<_> = output
                    .seconds
                    .iter()
                    .map(|at| (at.at_s, at.figures.sent_kbps.map(f64::from)))
                    .collect();
                Line::new(output.name.clone(), i, Shape::Line, points)
            })
            .collect();
        panel("Sent", "kbit/s", None).draw(&mut self.html, &sent)?;

        let stalls: Vec<Line> = show
            .monitors
            .iter()
            .enumerate()
            .map(|(i, monitor)| {
                let ms = |m: &super::second::MonitorSecond| Some(f64::from(m.stalled_ms));
                let points: Vec<_> =
                    monitor.seconds.iter().map(|at| (at.at_s, ms(&at.figures))).collect();
                Line::new(monitor.name.clone(), i + 1, Shape::Bars, points)
            })
            .collect();
        panel("Stood still", "ms", None).draw(&mut self.html, &stalls)?;

        let viewers: Vec<_> =
            show.viewers().into_iter().map(|(s, n)| (s, Some(f64::from(n)))).collect();
        let name =
            if all.viewers_most.is_some() { "viewers that hawker is told of" } else { "not known" };
        let line = Line::new(name.into(), 3, Shape::Line, viewers);
        panel("Audience", "viewers", None).draw(&mut self.html, &[line])?;

        plot::events(&mut self.html, span, &show.events)?;
        self.html.push_str("<div class=\"times\">");
        for n in 0..=6 {
            write!(self.html, "<i>{}</i>", &self.clock(show.duration_ms * n / 6)[..])?;
        }
        self.html.push_str("</div>\n</section>\n");
        Ok(())
    }

    fn table(&mut self, title: &str, head: &[&str], rows: &[Vec<String>]) -> fmt::Result {
        write!(self.html, "<section>\n<h2>{title}</h2>\n<table>\n<thead><tr>")?;
        for cell in head {
            write!(self.html, "<th>{cell}</th>")?;
        }
        self.html.push_str("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.html.push_str("<tr>");
            for (cell, of) in row.iter().zip(head) {
                write!(self.html, "<td data-of=\"{of}\"><span>{cell}</span></td>")?;
            }
            self.html.push_str("</tr>\n");
        }
        self.html.push_str("</tbody>\n</table>\n</section>\n");
        Ok(())
    }

    fn outputs(&mut self, all: &Summary) -> fmt::Result {
        let row = |o: &OutputSummary| {
            vec![
                Text(&o.name).to_string(),
                Text(&o.to).to_string(),
                Text(o.market.as_deref().unwrap_or("–")).to_string(),
                duration(o.on_air_ms),
                duration(o.down_ms),
                o.reconnects.to_string(),
                Figure(o.connect_ms, 0, " ms").to_string(),
                Figure(o.sent_kbps, 0, " kbit/s").to_string(),
                Figure(o.rtt_ms, 0, " ms").to_string(),
                Figure(o.loss.map(|l| l * 100.0), 2, " %").to_string(),
                o.dropped.to_string(),
                match (o.viewers_most, o.viewers_mean) {
                    (Some(most), Some(mean)) => format!("{most} ({mean:.1})"),
                    _ => "–".into(),
                },
            ]
        };
        let head = [
            "Output",
            "To",
            "Market",
            "On air",
            "Down",
            "Reconnects",
            "Connected in",
            "Sent",
            "Round trip",
            "Lost",
            "Dropped",
            "Viewers, most (mean)",
        ];
        self.table("Outputs", &head, &all.outputs.iter().map(row).collect::<Vec<_>>())
    }

    fn markets(&mut self, all: &Summary) -> fmt::Result {
        if all.markets.is_empty() {
            return Ok(());
        }
        let row = |m: &super::history::MarketSummary| {
            let Seen { latency_p50_ms, latency_p95_ms, stall_ratio, .. } = m.seen;
            vec![
                Text(m.market.as_deref().unwrap_or("no market")).to_string(),
                m.outputs.to_string(),
                Figure(m.viewers_most, 0, "").to_string(),
                Figure(latency_p50_ms, 0, " ms").to_string(),
                Figure(latency_p95_ms, 0, " ms").to_string(),
                Figure(stall_ratio.map(|r| r * 100.0), 2, " %").to_string(),
            ]
        };
        let head = [
            "Market",
            "Outputs",
            "Most viewers",
            "Latency, median",
            "Latency, 95 %",
            "Stood still",
        ];
        self.table("Markets", &head, &all.markets.iter().map(row).collect::<Vec<_>>())
    }

    fn segments(&mut self) -> fmt::Result {
        let all = self.show.segments();
        if all.is_empty() {
            return Ok(());
        }
        let rows = all.iter().map(|s| {
            vec![
                Text(&format!("{} {}", s.number, s.title)).to_string(),
                self.clock(s.from_ms),
                duration(s.lasted_ms),
                duration(u64::from(s.length_s) * 1000),
                Figure(s.viewers_mean, 1, "").to_string(),
                Figure(s.viewers_most, 0, "").to_string(),
                Figure(s.seen.latency_p95_ms, 0, " ms").to_string(),
                duration(s.seen.stalled_ms),
            ]
        });
        let rows: Vec<_> = rows.collect();
        let head = [
            "Segment",
            "Began",
            "Lasted",
            "Planned",
            "Viewers, mean",
            "Most",
            "Latency, 95 %",
            "Stood still",
        ];
        self.table("Segments", &head, &rows)
    }

    fn incidents(&mut self, incidents: &[Incident]) -> fmt::Result {
        self.html.push_str("<section>\n<h2>Incidents, and what was done</h2>\n");
        if incidents.is_empty() {
            self.html.push_str("<p class=\"good\">None.</p>\n</section>\n");
            return Ok(());
        }
        self.html.push_str("<ol>\n");
        for incident in incidents.iter().take(INCIDENTS) {
            let class =
                if incident.severity == Severity::Critical { "critical" } else { "warning" };
            let lasted = match incident.until_ms {
                Some(until) if until > incident.from_ms => {
                    format!("over after {}", duration(until - incident.from_ms))
                }
                Some(_) => String::new(),
                None => "it was not over when the show ended".into(),
            };
            writeln!(
                self.html,
                "<li class=\"{class}\"><time>{}</time>{} <span class=\"soft\">{lasted}</span>",
                self.clock(incident.from_ms),
                Text(&incident.what),
            )?;
            self.steps(&incident.done)?;
            self.html.push_str("</li>\n");
        }
        self.html.push_str("</ol>\n");
        if let Some(more) = incidents.len().checked_sub(INCIDENTS).filter(|n| *n > 0) {
            writeln!(self.html, "<p class=\"soft\">And {more} more: --json lists all.</p>")?;
        }
        self.html.push_str("</section>\n");
        Ok(())
    }

    /// What was done: all that a glance takes in, or the first and the last with the rest folded between them.
    fn steps(&mut self, steps: &[Step]) -> fmt::Result {
        let (first, rest) = steps.split_at(STEPS.min(steps.len()));
        let (middle, last) = rest.split_at(rest.len().saturating_sub(1));
        self.list(first)?;
        if let [_, _, ..] = middle {
            let n = middle.len();
            writeln!(self.html, "<details class=\"more\"><summary>{n} more steps</summary>")?;
            self.list(&middle[..n.min(INCIDENTS)])?;
            self.html.push_str("</details>\n");
        } else {
            self.list(middle)?;
        }
        self.list(last)
    }

    fn list(&mut self, steps: &[Step]) -> fmt::Result {
        if steps.is_empty() {
            return Ok(());
        }
        self.html.push_str("<ul>\n");
        for step in steps {
            let clock = self.clock(step.at_ms);
            writeln!(self.html, "<li><time>{clock}</time>{}</li>", Text(&step.sentence))?;
        }
        self.html.push_str("</ul>\n");
        Ok(())
    }

    fn log(&mut self) -> fmt::Result {
        let show = self.show;
        writeln!(
            self.html,
            "<details>\n<summary>Everything that happened ({})</summary>\n<div class=\"log\">",
            show.events.len()
        )?;
        for note in show.events.iter().take(EVENTS) {
            let class = match note.severity {
                Severity::Info => "",
                Severity::Warning => " class=\"warn\"",
                Severity::Critical => " class=\"bad\"",
            };
            let clock = self.clock(note.at_ms);
            writeln!(self.html, "<p{class}><time>{clock}</time>{}</p>", Text(&note.sentence))?;
        }
        self.html.push_str("</div>\n</details>\n");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::tests::sample;
    use super::*;

    #[test]
    fn the_page_tells_the_show_and_fetches_nothing() {
        let page = html(&sample(), &TimeZone::UTC);
        for part in
            ["250 ms ✓", "0.20 % ✓", "eu.example", "595", "main is ON AIR at us.example", "<svg"]
        {
            assert!(page.contains(part), "{part}");
        }
        for way_out in ["<script", "src=", "url(", "@import", "http://", "https://", "//eu"] {
            assert!(!page.contains(way_out), "{way_out}");
        }
        assert!(page.len() < 300_000, "{}", page.len());
    }

    #[test]
    fn hostile_text_is_text() {
        let mut show = sample();
        show.outputs[0].to = "\"><img onerror=alert(1)>".into();
        show.outputs[0].market = Some("<i>".into());
        show.profile = "</style><b>".into();
        let page = html(&show, &TimeZone::UTC);
        for harm in ["<script", "<b>reset", "<img", "<i>\"", "</style><b>", "\u{202e}"] {
            assert!(!page.contains(harm), "{harm}");
        }
        assert!(page.contains(
            "&lt;script&gt;alert(&#39;Tea&#39;)&lt;/script&gt; evil &amp; &quot;co&quot;"
        ));
        assert!(page.contains("main failed: &lt;b&gt;reset&lt;/b&gt;"));
        assert_eq!(page.matches("</style>").count(), 1);
        assert!(page.contains("<h2>Segments</h2>") && page.contains("1 Hook &amp; &lt;hero&gt;"));
    }

    #[test]
    fn a_show_that_was_cut_off_at_once_has_a_page_too() {
        let mut show = sample();
        show.ended = None;
        show.duration_ms = 0;
        (show.program, show.outputs, show.monitors) = (vec![], vec![], vec![]);
        show.events.clear();
        let page = html(&show, &TimeZone::UTC);
        assert!(page.contains("it still runs, or was cut off") && page.contains("None."));
        assert!(!page.contains("NaN") && !page.contains(">inf"), "{page}");
    }
}
