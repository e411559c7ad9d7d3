//! A kept show in words, for a terminal of 80 columns or a pipe. It knows no file and no database.

use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

pub(super) use crate::base::text::plain;
use crate::cli::fold::filled;
use crate::stats::{
    History,
    history::{Incident, OutputSummary, Seen, Summary},
};

/// Columns of a line at most, where a word can be broken off.
const WIDTH: usize = 80;
/// How many incidents are told.
const INCIDENTS: usize = 20;
/// How many steps of an incident are told: the first ones and the last.
const STEPS: usize = 4;

/// Hours, minutes, seconds.
pub(super) fn length(ms: u64) -> String {
    let s = ms / 1000;
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// A figure, or a dash.
fn figure(value: Option<f64>, unit: &str, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |f| format!("{f:.digits$} {unit}"))
}

/// `text` in lines, the first behind `head` and the others as far in.
fn folded(head: &str, text: &str) -> String {
    let room = WIDTH.saturating_sub(head.width()).max(20);
    let lines = filled(text.split_whitespace(), room);
    let rest = format!("\n{}", " ".repeat(head.width()));
    format!("{head}{}", lines.join(&rest))
}

/// The show against its targets, its outputs, and what went wrong.
pub(super) fn words(show: &History, all: &Summary, zone: &TimeZone) -> String {
    let began = show.started.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string();
    let verdict = |met: Option<bool>| match met {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "not measured",
    };
    let Seen { latency_p50_ms, latency_p95_ms, stalls, stall_ratio, .. } = all.seen;
    let title = plain(&show.title);
    let mut text = vec![
        folded(&format!("show {}  ", show.number), &format!("'{title}', {}", show.mode)),
        format!("{began}, {}: {}", length(show.duration_ms), show.ending()),
    ];
    if let Some(lost) = show.lost.words() {
        text.push(format!("missing here: {lost}, which the disk did not take in time"));
    }
    if show.step_s > 1 {
        text.push(format!("an old show: its seconds are kept {} at a time", show.step_s));
    }
    text.push(String::new());
    text.push(format!(
        "latency   {} in 95 % of the time, median {}; target {} ms: {}",
        figure(latency_p95_ms, "ms", 0),
        figure(latency_p50_ms, "ms", 0),
        show.targets.latency_ms,
        verdict(all.latency_met)
    ));
    text.push(format!(
        "stalls    {stalls}, {} of the time; target {:.1} %: {}",
        figure(stall_ratio.map(|r| r * 100.0), "%", 2),
        f64::from(show.targets.stall_permille) / 10.0,
        verdict(all.stalls_met)
    ));
    text.push(format!(
        "viewers   {} at once at most, where hawker is told of them",
        all.viewers_most.map_or_else(|| "–".into(), |n| n.to_string())
    ));
    text.push(format!(
        "machine   {} of one core, {} at most; frames dropped: {}",
        figure(all.cpu_percent, "%", 0),
        figure(all.memory_mb, "MB", 0),
        all.dropped
    ));
    text.push(String::new());
    text.push(format!(
        "{:<18} {:>8} {:>8} {:>6} {:>12} {:>8} {:>8}",
        "output", "on air", "down", "again", "sent", "trip", "lost"
    ));
    text.extend(all.outputs.iter().map(output));
    text.extend(verdicts(show));
    text.extend(segments(show));
    let incidents = show.incidents();
    text.push(String::new());
    text.push(match incidents.len() {
        0 => "no incidents".into(),
        1 => "1 incident".into(),
        n => format!("{n} incidents"),
    });
    text.extend(incidents.iter().take(INCIDENTS).map(incident));
    if let Some(more) = incidents.len().checked_sub(INCIDENTS).filter(|n| *n > 0) {
        text.push(format!("and {more} more: --json tells all"));
    }
    text.join("\n")
}

fn output(o: &OutputSummary) -> String {
    let name = plain(&o.name);
    let gap = " ".repeat(18_usize.saturating_sub(name.width()));
    let market = o.market.as_ref().map(|m| format!(" for {}", plain(m))).unwrap_or_default();
    format!(
        "{name}{gap} {:>8} {:>8} {:>6} {:>12} {:>8} {:>8}\n{}",
        length(o.on_air_ms),
        length(o.down_ms),
        o.reconnects,
        figure(o.sent_kbps, "kbit/s", 0),
        figure(o.rtt_ms, "ms", 0),
        figure(o.loss.map(|l| l * 100.0), "%", 2),
        folded("  to ", &format!("{}{market}", plain(&o.to)))
    )
}

/// What was to be thought of each output and monitor, as the report at the end of the show says.
fn verdicts(show: &History) -> Vec<String> {
    let Some(report) = &show.report else { return Vec::new() };
    let outputs = report.outputs.iter().map(|(name, o)| (name.clone(), &o.verdict));
    let monitors = report.monitors.iter().map(|(name, m)| (format!("monitor {name}"), &m.verdict));
    let said = outputs.chain(monitors).filter_map(|(name, v)| Some((name, v.words()?)));
    let mut lines: Vec<String> =
        said.map(|(name, words)| folded("", &plain(&format!("{name}: {words}")))).collect();
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}

/// The segments of the rundown, as they ran.
fn segments(show: &History) -> Vec<String> {
    let lines = show.segments().into_iter().map(|s| {
        let viewers = s.viewers_mean.map_or_else(|| "–".into(), |n| format!("{n:.1}"));
        let planned = length(u64::from(s.length_s) * 1000);
        let head = format!("{}  {}", length(s.from_ms), length(s.lasted_ms));
        let head = format!("{head} {planned:>9} {viewers:>8} ");
        folded(&head, &format!("{} {}", s.number, plain(&s.title)))
    });
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        return lines;
    }
    let head = format!("{:<9}{:<8} {:>8} {:>8} segment", "began", "lasted", "planned", "viewers");
    [String::new(), head].into_iter().chain(lines).collect()
}

fn incident(it: &Incident) -> String {
    let mut text = vec![folded(&format!("{}  ", length(it.from_ms)), &plain(&it.what))];
    let left_out = it.done.len().saturating_sub(STEPS);
    for (n, step) in it.done.iter().enumerate() {
        if n + 1 == STEPS && left_out > 0 {
            text.push(format!("           … {left_out} more"));
        }
        if n + 1 < STEPS || n + 1 == it.done.len() {
            text.push(folded(&format!("  {}  ", length(step.at_ms)), &plain(&step.sentence)));
        }
    }
    if it.until_ms.is_none() {
        text.push("           not over when the show ended".into());
    }
    text.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{
        Report, Verdict,
        history::{Lost, Noted, Targets},
    };
    use crate::{base::Severity, show::Happening};

    #[test]
    fn verdicts_are_told_where_there_are_some() {
        let mut report = Report::default();
        report.outputs.entry("main".into()).or_default();
        let monitor = report.monitors.entry("tokyo".into()).or_default();
        monitor.verdict.add(&Verdict::good(), 1000);
        let show = History { report: Some(report), ..history() };
        assert_eq!(verdicts(&show), ["", "monitor tokyo: good all the time"]);
        assert_eq!(verdicts(&history()), [""; 0]);
    }

    #[test]
    fn segments_are_told_in_lines_of_a_terminal() {
        let began = |at_ms: u64, number: u32, title: &str| Noted {
            at_ms,
            seq: at_ms,
            event: "segment-began".into(),
            severity: Severity::Info,
            about: None,
            sentence: String::new(),
            detail: serde_json::json!({ "number": number, "title": title, "length_s": 120 }),
        };
        let events = vec![began(2000, 1, "Hook\u{1b}[2J"), began(130_000, 2, &"tea ".repeat(30))];
        let show = History { events, duration_ms: 600_000, ..history() };
        insta::assert_snapshot!(segments(&show).join("\n"));
        assert_eq!(segments(&history()), [""; 0]);
    }

    #[test]
    fn identical_retries_are_one_line_of_the_report() {
        let output: crate::base::OutputId = "main".parse().unwrap();
        let mut events = Vec::new();
        for n in 0..40_u64 {
            let what = if n % 2 == 0 {
                let (reason, retry_in_ms) = ("refused".into(), Some(1000));
                Happening::OutputFailed { output: output.clone(), reason, retry_in_ms }
            } else {
                let (to, attempt) = ("a.example".into(), n as u32 + 1);
                Happening::OutputConnecting { output: output.clone(), to, attempt }
            };
            let detail = serde_json::to_value(&what).unwrap();
            events.push(Noted {
                at_ms: n * 1000,
                seq: n + 1,
                event: detail["event"].as_str().unwrap().into(),
                severity: what.severity(),
                about: Some("main".into()),
                sentence: what.sentence(),
                detail,
            });
        }
        let show = crate::cli::report::folded(History { events, ..history() });
        let told: Vec<_> = show.incidents().iter().map(incident).collect();
        assert_eq!(
            told,
            ["0:00:00  main failed: refused (20 times, every 2.0 s)\n  \
              0:00:01  main is connecting to a.example, attempt 2\n           \
              not over when the show ended"]
        );
    }

    fn history() -> History {
        History {
            version: 1,
            number: 1,
            title: "Tea".into(),
            mode: "live".into(),
            profile: "lively".into(),
            started: jiff::Timestamp::UNIX_EPOCH,
            duration_ms: 1000,
            ended: None,
            fate: None,
            targets: Targets::DEFAULT,
            step_s: 1,
            lost: Lost::default(),
            program: Vec::new(),
            outputs: Vec::new(),
            monitors: Vec::new(),
            events: Vec::new(),
            report: None,
        }
    }

    #[test]
    fn a_length_is_read_at_a_glance() {
        assert_eq!((length(0), length(3_725_900)), ("0:00:00".into(), "1:02:05".into()));
        assert_eq!(plain("a\u{1b}[2Jb"), "a[2Jb");
    }

    #[test]
    fn long_lines_are_folded_under_their_beginning() {
        let text = folded("0:00:05  ", &"word ".repeat(40));
        assert!(text.lines().all(|l| l.width() <= WIDTH), "{text}");
        assert!(text.lines().skip(1).all(|l| l.starts_with("         word")), "{text}");
        assert_eq!(folded("a ", &"x".repeat(200)), format!("a {}", "x".repeat(200)));
    }
}
