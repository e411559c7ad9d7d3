//! `hawker rehearse` and `hawker live`: the engine in a process of its own with a console on it, or in the
//! foreground without a terminal.

use std::{
    io::{self, BufRead, IsTerminal},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Failure, detach, duration,
    engine::{self, Job},
    face, face_runtime, load, tell,
};
use crate::{base::SecretRef, headless::EventsTo, show::Mode};

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Without a console: in the foreground, until the show ends or a signal comes
    #[arg(long)]
    headless: bool,
    /// End the show by itself after that long (20s, 1m30s, 2h)
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    for_: Option<Duration>,
    /// Write every event there as JSON Lines; `-` is standard output (only with --headless)
    #[arg(long, value_name = "FILE")]
    events: Option<String>,
    /// Write the report there when the show is over
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Give the figures there for Prometheus, at /metrics (127.0.0.1:9464; port 0 is any free one)
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// The token that --metrics asks for: env:NAME or file:PATH. Needed beyond this machine
    #[arg(long, value_name = "REFERENCE", requires = "metrics")]
    metrics_token: Option<SecretRef>,
    /// Show the chat there as a page, after its hold: for a browser source (127.0.0.1:8095; port 0 is any free one)
    #[arg(long, value_name = "ADDRESS")]
    chat_page: Option<SocketAddr>,
    /// The token that --chat-page asks for: env:NAME or file:PATH. Needed beyond this machine
    #[arg(long, value_name = "REFERENCE", requires = "chat_page")]
    chat_page_token: Option<SecretRef>,
    /// With --headless: say nothing on stderr but failures
    #[arg(long, requires = "headless")]
    quiet: bool,
}

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Rehearse {
    /// A show file; the built-in show when left out
    show: Option<PathBuf>,
    /// Let viewers of the stage have the link of a market, such as jakarta-4g (`hawker print links` lists them)
    #[arg(long, value_name = "NAME")]
    link: Option<String>,
    #[command(flatten)]
    options: Options,
    /// Accepted for scripts that also go live: a rehearsal never asks
    #[arg(long, hide = true)]
    yes: bool,
    /// Accepted for scripts that also go live: a rehearsal is on its stage at once
    #[arg(long, hide = true)]
    standby: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Live {
    /// A show file
    show: PathBuf,
    #[command(flatten)]
    options: Options,
    /// Start everything but wait for the operator to go live
    #[arg(long)]
    standby: bool,
    /// Go live without asking
    #[arg(long)]
    yes: bool,
}

pub(crate) fn rehearse(args: Rehearse) -> Result<u8, Failure> {
    let mut job = job(args.show.as_deref(), Mode::Rehearse, args.options, args.standby)?;
    if let Some(name) = &args.link {
        load::link(name)?;
    }
    job.link = args.link;
    run(job)
}

pub(crate) fn live(args: Live) -> Result<u8, Failure> {
    let job = job(Some(&args.show), Mode::Live, args.options, args.standby)?;
    if !(args.yes || args.standby || job.headless) {
        let spec = load::show(job.show.as_deref())?;
        let to: Vec<String> = spec.outputs.iter().map(|o| o.target.shown(0)).collect();
        let to = if to.is_empty() { "the stage".into() } else { to.join(", ") };
        need_terminal()?;
        tell(&format!("'{}' goes live to {to} at once. Go live? [y/N]", spec.title));
        let mut answer = String::new();
        let heard = io::stdin().lock().read_line(&mut answer);
        if heard.is_err() || !matches!(answer.trim(), "y" | "Y" | "yes") {
            return Err(Failure::start(
                "not gone live, nothing was started; --standby waits, --yes does not ask",
            ));
        }
    }
    run(job)
}

fn need_terminal() -> Result<(), Failure> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage(
        "there is no terminal for a console: use --headless, or run hawker in a terminal",
    ))
}

/// A file to be written later: its folder must be there now.
fn to_be_written(path: &Path, what: &str) -> Result<PathBuf, Failure> {
    let path = std::path::absolute(path)
        .map_err(|e| Failure::usage(format!("{what} {}: {e}", path.display())))?;
    let why = match path.parent() {
        _ if path.is_dir() => "it is a folder: name a file in it",
        Some(folder) if folder.is_dir() => return Ok(path),
        _ => "its folder is not there: make it first",
    };
    Err(Failure::usage(format!("{what} cannot be written to {}: {why}", path.display())))
}

fn job(show: Option<&Path>, mode: Mode, o: Options, standby: bool) -> Result<Job, Failure> {
    let events = match o.events.as_deref().map(EventsTo::parse) {
        Some(EventsTo::Stdout) if !o.headless => {
            return Err(Failure::usage(
                "the console has the terminal: write --events to a file, or use --headless",
            ));
        }
        Some(EventsTo::File(path)) => Some(EventsTo::File(to_be_written(&path, "--events")?)),
        other => other,
    };
    Ok(Job {
        show: show.map(Path::to_owned),
        mode,
        for_ms: o.for_.map(|d| d.as_millis() as u64),
        standby,
        headless: o.headless,
        quiet: o.quiet,
        events,
        report: o.report.map(|p| to_be_written(&p, "--report")).transpose()?,
        metrics: o.metrics,
        metrics_token: o.metrics_token,
        chat_page: o.chat_page,
        chat_page_token: o.chat_page_token,
        link: None,
    })
}

fn run(job: Job) -> Result<u8, Failure> {
    if job.headless {
        return engine::foreground(job);
    }
    need_terminal()?;
    // Read here first, so that what is wrong is said in this terminal before anything starts.
    load::show(job.show.as_deref())?;
    let started = detach::start(&job)?;
    face_runtime()?.block_on(face::attach(&started))
}
