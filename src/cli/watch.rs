//! `hawker watch`: what a viewer of a WHEP stream gets: its picture, its sound and its figures on a screen of its own,
//! or the figures alone in lines of text or JSON. It prints no path and no token.

mod table;

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::sync::mpsc;
use url::Url;

use super::{Failure, duration, engine_runtime, load, out, out_json, tell};
use crate::{
    base::{Moment, Secret, SecretRef},
    config,
    console::{
        ConsoleError,
        watching::{Viewing, Wish},
    },
    engine::{
        Signals,
        monitor::{Monitor, Watched},
    },
    link::whip::{Link, LinkOptions},
    media,
    show::Fact,
    stage::WatchState,
    stats::{
        Verdict, WatchFigures,
        history::Targets,
        verdict::{Judge, Look, Of, Others, Studio},
    },
    whip::{is_private, shown},
};

/// Between two looks; a line is made of every fourth.
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
    #[arg(long, conflicts_with = "lines")]
    json: bool,
    /// A line of text each second, also where there is a terminal; it decodes nothing
    #[arg(long)]
    lines: bool,
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
    let watched = Watched {
        url: args.url.clone(),
        token,
        told: Some((name, facts)),
        at_once: true,
        show: None,
    };
    let host = shown(&args.url);
    let targets = Targets {
        latency_ms: u32::try_from(args.latency_target.as_millis()).unwrap_or(u32::MAX),
        ..Targets::DEFAULT
    };
    let (monitor, mut face) = start(args, link, watched, targets).await?;
    let mut judge = Judge::default();
    let began = Instant::now();
    let mut looks = tokio::time::interval(LOOK);
    let mut count = 0_u64;
    let mut verdict = None;
    let mut last_reason: Option<String> = None;
    let left = loop {
        tokio::select! {
            Some(()) = signals.next() => break Left::Interrupted,
            Some(fact) = news.recv() => {
                if let Fact::MonitorLost { reason, .. } = &fact {
                    last_reason = Some(reason.clone());
                }
                face.news(&host, &fact);
            }
            wish = face.wish() => match wish {
                Ok(Wish::Look(size)) => monitor.look(size),
                Ok(Wish::Listen(on)) => monitor.listen(on),
                Ok(Wish::Leave) => break Left::Enough,
                Ok(Wish::Interrupt) => break Left::Interrupted,
                Err(error) => break Left::Broken(error),
            },
            _ = looks.tick() => {
                let passed = began.elapsed();
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
                verdict = judge.look(&look).verdict;
                let seen = Seen {
                    passed,
                    second: (count > 0 && count.is_multiple_of(LOOKS)).then_some(count / LOOKS),
                    figures: figures.as_ref(),
                    verdict: verdict.as_ref(),
                    latency_by: monitor.report().map(|r| r.latency_by),
                };
                face.seen(&host, &seen);
                count += 1;
                // After the look: the last second is a whole one.
                if args.for_.is_some_and(|limit| passed >= limit) {
                    break Left::Enough;
                }
            }
        }
    };
    let (figures, report, state) = (monitor.figures(None), monitor.report(), monitor.state());
    // The terminal first: what is said from here on belongs on the screen that was there before.
    let on_screen = matches!(face, Face::Screen(_));
    drop(face);
    monitor.stop().await;
    if let Left::Broken(error) = left {
        return Err(Failure::start(error.to_string()));
    }
    let Some(report) = report else {
        return Err(Failure::start(nothing(&host, state, last_reason.as_deref())));
    };
    if on_screen {
        let second = began.elapsed().as_secs();
        let by = Some(report.latency_by.as_str());
        out(&table::draw(&host, second, figures.as_ref(), verdict.as_ref(), by).join("\n"));
    }
    Ok(if matches!(left, Left::Interrupted) { 130 } else { 0 })
}

/// Why nothing was seen, as far as it is known.
fn nothing(host: &str, state: Option<WatchState>, reason: Option<&str>) -> String {
    match (state, reason) {
        (Some(WatchState::Connected), _) => format!(
            "no frame came from {host}: it is connected and sends none; the stream may not have begun"
        ),
        (Some(WatchState::Connecting), _) => format!(
            "no frame came from {host}: it answered, but no media path was found in that time; a firewall may stop UDP"
        ),
        (_, Some(reason)) => format!("no frame came from {host}: {reason}"),
        (_, None) => format!("no frame came from {host}: it had not answered by then"),
    }
}

/// Why it is over.
enum Left {
    Enough,
    Interrupted,
    Broken(ConsoleError),
}

/// The monitor and the face for it. Only a screen of its own has the picture decoded.
async fn start(
    args: &Watch,
    link: &Link,
    watched: Watched,
    targets: Targets,
) -> Result<(Monitor, Face), Failure> {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal() && !dumb;
    if args.json || args.lines || !terminal {
        let face = if args.json { Face::Json } else { Face::Lines };
        return Ok((Monitor::start(link, watched), face));
    }
    let theme = load::theme()?;
    let host = shown(&watched.url);
    let broken = |e: media::MediaError| Failure::start(e.to_string());
    media::init().map_err(broken)?;
    let monitor = Monitor::play(link, watched).map_err(broken)?;
    let viewing = match monitor.player() {
        Some(player) => {
            Viewing::open(host, targets, player, theme).map_err(|e| Failure::start(e.to_string()))
        }
        None => Err(Failure::start("there is no player")),
    };
    match viewing {
        Ok(viewing) => Ok((monitor, Face::Screen(Box::new(viewing)))),
        Err(failure) => {
            monitor.stop().await;
            Err(failure)
        }
    }
}

/// What is seen at a look.
struct Seen<'a> {
    passed: Duration,
    /// A second is full, the how manieth.
    second: Option<u64>,
    figures: Option<&'a WatchFigures>,
    verdict: Option<&'a Verdict>,
    latency_by: Option<String>,
}

/// Where it is said.
enum Face {
    Json,
    Lines,
    Screen(Box<Viewing>),
}

impl Face {
    /// What whoever watches wants. Lines are only read.
    async fn wish(&mut self) -> Result<Wish, ConsoleError> {
        match self {
            Self::Screen(screen) => screen.wish().await,
            Self::Json | Self::Lines => std::future::pending().await,
        }
    }

    fn seen(&mut self, host: &str, seen: &Seen) {
        let &Seen { figures, verdict, .. } = seen;
        let latency_by = seen.latency_by.as_deref();
        match (self, seen.second) {
            (Self::Screen(screen), _) => {
                let at_ms = u64::try_from(seen.passed.as_millis()).unwrap_or(u64::MAX);
                screen.seen(at_ms, figures, verdict, latency_by);
            }
            (_, None) => {}
            (Self::Lines, Some(second)) => out(&table::line(second, figures, verdict)),
            (Self::Json, Some(second)) => {
                let at = jiff::Timestamp::now().to_string();
                print(&Line { at, watching: host, second, figures, verdict, latency_by });
            }
        }
    }

    fn news(&mut self, host: &str, fact: &Fact) {
        let (event, reason) = match fact {
            Fact::MonitorUp { .. } => ("up", None),
            Fact::MonitorLost { reason, .. } => ("lost", Some(reason.as_str())),
            _ => return,
        };
        let words = match reason {
            None => "the picture is there".to_owned(),
            Some(reason) => format!("{reason}; trying again"),
        };
        match self {
            Self::Screen(screen) => screen.news(words, reason.is_none()),
            Self::Lines => tell(&format!("{host}: {words}")),
            Self::Json => {
                let at = jiff::Timestamp::now().to_string();
                print(&News { at, watching: host, event, reason });
            }
        }
    }
}

fn print(line: &impl Serialize) {
    // Plain data: it can always be written.
    if let Ok(text) = serde_json::to_string(line) {
        out_json(&text);
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
