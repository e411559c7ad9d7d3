//! `hawker watch`: what a viewer of a WHEP stream gets, in figures: lines of JSON, or a table that is drawn anew once a
//! second. It decodes nothing and prints no path and no token.

mod table;

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::sync::mpsc;
use url::Url;

use super::{Failure, duration, engine_runtime, out, tell};
use crate::{
    base::{Moment, Secret, SecretRef},
    config,
    engine::{
        Signals,
        monitor::{Monitor, Watched},
    },
    link::whip::{Link, LinkOptions},
    show::Fact,
    stats::{
        Verdict, WatchFigures,
        history::Targets,
        verdict::{Judge, Look, Of, Others, Studio},
    },
    whip::{is_private, shown},
};

/// Between two looks; a line or a table is made of every fourth.
const LOOK: Duration = Duration::from_millis(250);
const LOOKS: u64 = 4;

#[derive(Debug, clap::Args)]
pub(crate) struct Watch {
    /// The WHEP address of a stream
    #[arg(value_name = "URL")]
    url: Url,
    /// Where the bearer token is kept, env:NAME or file:PATH
    #[arg(long, value_name = "REFERENCE")]
    token: Option<SecretRef>,
    /// A file of authorities to trust besides the machine's own, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Watch for that long; until it is interrupted without it
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    for_: Option<Duration>,
    /// Late is what comes later than this, from capture to arrival
    #[arg(long, value_name = "DURATION", default_value = "600ms", value_parser = duration::parse)]
    latency_target: Duration,
    /// A line of JSON each second
    #[arg(long)]
    json: bool,
}

/// One second, as JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    /// Wall clock, UTC.
    at: String,
    /// Host and port of what is watched.
    watching: &'a str,
    /// Seconds since it began.
    second: u64,
    /// `null` until a frame has come.
    figures: Option<&'a WatchFigures>,
    /// `null` until a frame has come.
    verdict: Option<&'a Verdict>,
    /// How the latency is measured, or why it is not.
    latency_by: Option<&'a str>,
}

/// Something that happened, as JSON.
#[derive(Debug, Serialize)]
struct News<'a> {
    at: String,
    watching: &'a str,
    /// `up` or `lost`.
    event: &'static str,
    reason: Option<&'a str>,
}

pub(crate) fn watch(args: &Watch) -> Result<u8, Failure> {
    let token = checked(args)?;
    let options = LinkOptions { ca: args.ca.clone(), ..LinkOptions::default() };
    let link = Link::new(&options).map_err(|e| Failure::usage(e.to_string()))?;
    let runtime = engine_runtime()?;
    let code = runtime.block_on(follow(args, &link, token));
    runtime.shutdown_timeout(Duration::from_millis(500));
    code
}

/// The token, if the address may be watched at all.
fn checked(args: &Watch) -> Result<Option<Secret>, Failure> {
    let url = &args.url;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Failure::usage("a stream is watched by WHEP: give an address with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::usage(
            "the address holds a user name or password: take it out, and give --token env:NAME",
        ));
    }
    if args.token.is_some() && !is_private(url) {
        return Err(Failure::usage(
            "the token would cross the network in plain text: use https://, or take the token out",
        ));
    }
    let token = args.token.as_ref().map(config::read_secret).transpose();
    token.map_err(|e| Failure::usage(format!("--token: {e}")))
}

async fn follow(args: &Watch, link: &Link, token: Option<Secret>) -> Result<u8, Failure> {
    let mut signals =
        Signals::listen().map_err(|e| Failure::start(format!("signals cannot be heard: {e}")))?;
    let (facts, mut news) = mpsc::channel(16);
    let name = "watch".parse().map_err(|_| Failure::start("no name for the monitor"))?;
    let watched = Watched { url: args.url.clone(), token, told: Some((name, facts)) };
    let monitor = Monitor::start(link, watched);
    let host = shown(&args.url);
    let targets = Targets {
        latency_ms: u32::try_from(args.latency_target.as_millis()).unwrap_or(u32::MAX),
        ..Targets::DEFAULT
    };
    let mut screen = Screen::new(args.json, host);
    let mut judge = Judge::default();
    let began = Instant::now();
    let mut looks = tokio::time::interval(LOOK);
    let mut count = 0_u64;
    let interrupted = loop {
        tokio::select! {
            Some(()) = signals.next() => break true,
            Some(fact) = news.recv() => screen.news(&fact),
            _ = looks.tick() => {
                let passed = began.elapsed();
                if args.for_.is_some_and(|limit| passed >= limit) {
                    break false;
                }
                let figures = monitor.figures(None);
                let look = Look {
                    at: Moment(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)),
                    of: Of::Viewer,
                    targets,
                    studio: &Studio::default(),
                    sender: None,
                    viewer: figures.as_ref(),
                    others: Others::None,
                };
                let verdict = judge.look(&look).verdict;
                if count > 0 && count.is_multiple_of(LOOKS) {
                    let by = monitor.report().map(|r| r.latency_by);
                    screen.second(count / LOOKS, figures.as_ref(), verdict.as_ref(), by.as_deref());
                }
                count += 1;
            }
        }
    };
    let report = monitor.report();
    monitor.stop().await;
    match report {
        None => Err(Failure::start(format!("no frame came from {}", shown(&args.url)))),
        Some(_) if interrupted => Ok(130),
        Some(_) => Ok(0),
    }
}

/// Where it is said.
struct Screen {
    json: bool,
    /// A table is drawn over the one before.
    over: bool,
    host: String,
    /// Lines of the table that stands.
    lines: usize,
}

impl Screen {
    fn new(json: bool, host: String) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self { json, over: io::stdout().is_terminal() && !dumb, host, lines: 0 }
    }

    fn second(
        &mut self,
        second: u64,
        figures: Option<&WatchFigures>,
        verdict: Option<&Verdict>,
        latency_by: Option<&str>,
    ) {
        if self.json {
            let at = jiff::Timestamp::now().to_string();
            let line = Line { at, watching: &self.host, second, figures, verdict, latency_by };
            return print(&line);
        }
        if !self.over {
            return out(&table::line(second, figures, verdict));
        }
        let lines = table::draw(&self.host, second, figures, verdict, latency_by);
        // Up to the first line of the table that stands, and everything below it away.
        let back =
            if self.lines > 0 { format!("\x1b[{}F\x1b[J", self.lines) } else { String::new() };
        self.lines = lines.len();
        out(&format!("{back}{}", lines.join("\n")));
    }

    fn news(&mut self, fact: &Fact) {
        let (event, reason) = match fact {
            Fact::MonitorUp { .. } => ("up", None),
            Fact::MonitorLost { reason, .. } => ("lost", Some(reason.as_str())),
            _ => return,
        };
        if self.json {
            let at = jiff::Timestamp::now().to_string();
            return print(&News { at, watching: &self.host, event, reason });
        }
        // It stays above the table.
        self.lines = 0;
        match reason {
            None => tell(&format!("{}: the picture is there", self.host)),
            Some(reason) => tell(&format!("{}: {reason}; trying again", self.host)),
        }
    }
}

fn print(line: &impl Serialize) {
    // Plain data: it can always be written.
    if let Ok(text) = serde_json::to_string(line) {
        out(&text);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Args {
        #[command(flatten)]
        watch: Watch,
    }

    fn refused(args: &[&str]) -> String {
        let args = Args::try_parse_from([&["watch"], args].concat()).unwrap();
        checked(&args.watch).unwrap_err().text
    }

    #[test]
    fn what_may_not_be_watched_is_refused_without_repeating_it() {
        for (args, why) in [
            (&["rtmp://a.example/hu5h"][..], "https://"),
            (&["https://me:hu5h@a.example/whep"], "user name or password"),
            (&["http://a.example/hu5h", "--token", "env:HOME"], "plain text"),
            (&["https://a.example/hu5h", "--token", "env:NO_SUCH_VARIABLE_HERE"], "--token"),
        ] {
            let text = refused(args);
            assert!(text.contains(why) && !text.contains("hu5h"), "{text}");
        }
        let args = Args::try_parse_from(["watch", "http://127.0.0.1:8088/whep"]).unwrap();
        assert_eq!(checked(&args.watch).unwrap(), None);
    }

    #[test]
    fn a_second_is_a_line_of_json() {
        let figures = WatchFigures { gap_ms: 18, ..WatchFigures::default() };
        let verdict = Verdict::good();
        let line = Line {
            at: "2026-01-01T00:00:00Z".into(),
            watching: "a.example",
            second: 7,
            figures: Some(&figures),
            verdict: Some(&verdict),
            latency_by: None,
        };
        let json = serde_json::to_value(&line).unwrap();
        assert_eq!(json["figures"]["gap_ms"], 18);
        assert_eq!(json["figures"]["latency"], serde_json::Value::Null, "not measured is null");
        assert_eq!(json["verdict"]["grade"], "good");
    }
}
