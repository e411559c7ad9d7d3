//! `hawker report`: what became of a show, from what was kept of it.

use std::path::{Path, PathBuf};

use jiff::{Timestamp, tz::TimeZone};

use super::{Failure, load, out, tell};
use crate::{
    engine::report::write_whole,
    stats::{
        History,
        history::{Seen, Summary, Told},
        page,
    },
    store::{self, ShowRow, Shows, StoreError},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Report {
    /// A show's number, a part of its title (the newest such), or `last`
    #[arg(default_value = "last")]
    show: String,
    /// List the shows that were kept
    #[arg(long, conflicts_with_all = ["show", "html", "json", "csv"])]
    list: bool,
    /// Write a page with plots there, complete in itself, for any browser
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "csv"])]
    html: Option<PathBuf>,
    /// Print everything as JSON (`hawker print history-schema`)
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print the seconds as CSV
    #[arg(long)]
    csv: bool,
}

fn failed(error: StoreError) -> Failure {
    Failure::usage(error.to_string())
}

pub(crate) fn report(args: &Report) -> Result<u8, Failure> {
    let shows = Shows::open(&load::state_dir()?.join(store::FILE)).map_err(failed)?;
    let zone = TimeZone::system();
    if args.list {
        let rows = shows.since(Timestamp::MIN).map_err(failed)?;
        out(&rows.iter().map(|row| line(row, &zone)).collect::<Vec<_>>().join("\n"));
        return Ok(0);
    }
    let number = shows.find(&args.show).map_err(failed)?;
    let history = shows.history(number).map_err(failed)?;
    if let Some(path) = &args.html {
        save(path, &page::html(&history, &zone))?;
        tell(&format!("the report of show {number} is in {}", path.display()));
    } else if args.json {
        let text = serde_json::to_string(&Told::from(history))
            .map_err(|e| Failure::usage(format!("the show cannot be told as JSON: {e}")))?;
        out(&text);
    } else if args.csv {
        out(&history.csv());
    } else {
        out(&words(&history, &history.summary(), &zone));
    }
    Ok(0)
}

fn save(path: &Path, text: &str) -> Result<(), Failure> {
    write_whole(path, text.as_bytes()).map_err(|e| {
        Failure::usage(format!(
            "--html cannot be written to {}: {e}; name a file in a folder that is there",
            path.display()
        ))
    })
}

/// Text from a show file, for a terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn length(ms: u64) -> String {
    let s = ms / 1000;
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

fn line(row: &ShowRow, zone: &TimeZone) -> String {
    let began = row.started.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
    let ending = row.ended.as_ref().map_or("runs, or was cut off", |e| &e.why);
    let to: Vec<&str> = row.outputs.iter().map(|o| o.name.as_str()).collect();
    format!(
        "{:>5}  {began}  {:>8}  {:<8}  {}  ({ending}; {})",
        row.number,
        length(row.duration_ms),
        row.mode,
        plain(&row.title),
        to.join(", ")
    )
}

fn words(show: &History, all: &Summary, zone: &TimeZone) -> String {
    let began = show.started.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string();
    let figure = |f: Option<f64>, unit: &str, digits: usize| {
        f.map_or_else(|| "–".to_owned(), |f| format!("{f:.digits$} {unit}"))
    };
    let verdict = |met: Option<bool>| match met {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "not measured",
    };
    let Seen { latency_p50_ms, latency_p95_ms, stalls, stall_ratio, .. } = all.seen;
    let mut text = vec![
        format!(
            "show {}: '{}', {}, {began}, {}",
            show.number,
            plain(&show.title),
            show.mode,
            length(show.duration_ms)
        ),
        format!("  {}", show.ending()),
        format!(
            "  latency   {} in 95 % of the time, median {}; target {} ms: {}",
            figure(latency_p95_ms, "ms", 0),
            figure(latency_p50_ms, "ms", 0),
            show.targets.latency_ms,
            verdict(all.latency_met)
        ),
        format!(
            "  stalls    {} of the time, {stalls} of them; target {:.1} %: {}",
            figure(stall_ratio.map(|r| r * 100.0), "%", 2),
            f64::from(show.targets.stall_permille) / 10.0,
            verdict(all.stalls_met)
        ),
    ];
    for o in &all.outputs {
        let market = o.market.as_ref().map(|m| format!(" [{}]", plain(m))).unwrap_or_default();
        text.push(format!(
            "  {}{market} to {}: on air {}, down {}, {} reconnects; sent {}, round trip {}, lost {}",
            plain(&o.name),
            plain(&o.to),
            length(o.on_air_ms),
            length(o.down_ms),
            o.reconnects,
            figure(o.sent_kbps, "kbit/s", 0),
            figure(o.rtt_ms, "ms", 0),
            figure(o.loss.map(|l| l * 100.0), "%", 2),
        ));
    }
    let incidents = show.incidents();
    text.push(format!(
        "  {} incidents{}",
        incidents.len(),
        if incidents.is_empty() { "" } else { ":" }
    ));
    for incident in incidents.iter().take(20) {
        let done = incident
            .done
            .last()
            .map(|s| format!("; then {}", plain(&s.sentence)))
            .unwrap_or_default();
        text.push(format!("    {}  {}{done}", length(incident.from_ms), plain(&incident.what)));
    }
    if incidents.len() > 20 {
        text.push("    … --html or --json tells all".into());
    }
    text.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_read_at_a_glance() {
        assert_eq!((length(0), length(3_725_900)), ("0:00:00".into(), "1:02:05".into()));
        assert_eq!(plain("a\u{1b}[2Jb"), "a[2Jb");
    }
}
