//! Floor 7: arguments -> face -> exit code. It decides nothing about a show; it starts what does.
//!
//! Exit codes: 0 ended as planned, 2 bad usage or configuration, 3 could not go live, 4 fell off the air,
//! 130 interrupted.

mod attach;
mod chat;
mod chat_log;
mod check;
mod detach;
mod devices;
mod doctor;
mod duration;
mod engine;
mod face;
mod fold;
mod load;
mod logging;
mod pick;
mod plan;
mod print;
mod probe;
mod report;
mod run;
mod send;
mod shows;
mod summary;
mod watch;

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    base::{
        mask::masked,
        text::{json, lines},
    },
    engine::report::write_whole,
    system::descriptors,
};

/// Why a subcommand stopped, and with which exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// 2, 3, 4 or 130.
    pub exit_code: u8,
    /// What, why, and what to do next.
    pub text: String,
}

impl Failure {
    /// Bad usage or configuration.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { exit_code: 2, text: text.into() }
    }

    /// The show could not go live.
    pub(crate) fn start(text: impl Into<String>) -> Self {
        Self { exit_code: 3, text: text.into() }
    }
}

/// A terminal control room for cross-border live selling.
///
/// Without a subcommand it rehearses the built-in show.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run a show on the built-in stage only: no account, no network, no audience
    Rehearse(run::Rehearse),
    /// Run a show to its outputs
    Live(run::Live),
    /// Take up a running show with a console of one's own
    Attach(attach::Attach),
    /// List the shows that run on this machine
    Shows,
    /// Give a command to a running show: `hawker send cut-to table`
    Send(send::Send),
    /// Take a running show off the air and end it
    End(send::End),
    /// Read a show file and say what is wrong with it, and what its ingests would refuse
    Check(check::Check),
    /// List cameras, microphones and screens
    Devices(devices::Devices),
    /// Say when to be on air for which market, and how many viewers to expect
    Plan(plan::Plan),
    /// Say how far ingests are, and which is best
    Probe(probe::Probe),
    /// Tell what became of a show: against its targets, by output and market, with its incidents
    Report(report::Report),
    /// Read the live chat of all platforms in one stream
    Chat(chat::Chat),
    /// Export the chat that is stored of shows, or erase a person from it
    ChatLog(chat_log::ChatLog),
    /// Say what a viewer of a WHEP stream gets: latency, stalls, frames, by the second
    Watch(watch::Watch),
    /// Say what this machine lacks for a show, and which package brings it
    Doctor(doctor::Doctor),
    /// Print a schema, the configuration, the keys, the commands or the servers that hawker knows
    Print(print::Print),
    /// Be the engine of a show (started by hawker itself)
    #[command(hide = true)]
    Engine(engine::EngineArgs),
}

/// A dump of this process's memory would hold its secrets. The limit holds for what it starts, too.
fn forbid_core_dumps() {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    // Where the system refuses, its own setting stays.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
}

/// Runs hawker with the arguments of this process.
pub fn main() -> ExitCode {
    forbid_core_dumps();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version come this way too, with code 0. A closed stdout is no failure.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    descriptors::raise();
    let done = match args.what {
        None => run::rehearse(run::Rehearse::default()),
        Some(What::Rehearse(args)) => run::rehearse(args),
        Some(What::Live(args)) => run::live(args),
        Some(What::Attach(args)) => attach::attach(&args),
        Some(What::Shows) => shows::shows(),
        Some(What::Send(args)) => send::send(&args),
        Some(What::End(args)) => send::end(&args),
        Some(What::Check(args)) => check::check(&args),
        Some(What::Devices(args)) => devices::devices(&args),
        Some(What::Probe(args)) => probe::probe(&args),
        Some(What::Report(args)) => report::report(&args),
        Some(What::Chat(args)) => chat::chat(&args),
        Some(What::ChatLog(args)) => chat_log::chat_log(&args),
        Some(What::Watch(args)) => watch::watch(&args),
        Some(What::Plan(args)) => plan::plan(&args),
        Some(What::Doctor(args)) => doctor::doctor(&args),
        Some(What::Print(args)) => print::print(&args),
        Some(What::Engine(args)) => engine::detached(args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            tell(&format!("hawker: {}", failure.text));
            ExitCode::from(failure.exit_code)
        }
    }
}

/// Writes what was asked for to standard output, without secrets and harmful characters. A reader that has seen
/// enough is no failure.
pub(crate) fn out(text: &str) {
    let mut to = io::stdout().lock();
    let _ = writeln!(to, "{}", shown(text)).and_then(|()| to.flush());
}

/// The same for JSON, whose strings keep their value.
pub(crate) fn out_json(text: &str) {
    out(&json(text));
}

fn shown(text: &str) -> String {
    lines(&masked(text.trim_end()))
}

/// Writes a file, whole or not at all. `what` begins the sentence when it cannot be.
pub(crate) fn save(what: &str, path: &Path, text: &str) -> Result<(), Failure> {
    write_whole(path, text.as_bytes()).map_err(|e| {
        Failure::usage(format!(
            "{what} cannot be written to {}: {e}; name a file in a folder that is there",
            path.display()
        ))
    })
}

/// Tells the operator something beside the output.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{}", shown(text));
}

/// The runtime of an engine.
pub(crate) fn engine_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    built(tokio::runtime::Builder::new_multi_thread().worker_threads(2))
}

/// The runtime of a face: one thread, so that an idle console does not wake another for every figure.
pub(crate) fn face_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    built(&mut tokio::runtime::Builder::new_current_thread())
}

fn built(builder: &mut tokio::runtime::Builder) -> Result<tokio::runtime::Runtime, Failure> {
    builder
        .enable_all()
        .build()
        .map_err(|e| Failure::start(format!("the system gives no threads: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn durations_and_shows_are_read() {
        let args = Args::try_parse_from(["hawker", "rehearse", "--headless", "--for", "1m30s"]);
        assert!(matches!(args.unwrap().what, Some(What::Rehearse(_))));
        let error = Args::try_parse_from(["hawker", "rehearse", "--for", "soon"]).unwrap_err();
        assert!(error.to_string().contains("20s"), "{error}");
        assert_eq!(error.exit_code(), 2);
        assert!(Args::try_parse_from(["hawker", "live"]).is_err());
        assert!(Args::try_parse_from(["hawker", "send", "set-gain", "mic", "-6"]).is_ok());
    }
}
