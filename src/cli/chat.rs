//! `hawker chat`: the live chat of all sources in one stream, on a screen of its own, or as lines of text or JSON. It
//! needs no show, and stores nothing.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use tokio::sync::mpsc;

use super::{Failure, duration, engine_runtime, load, out, out_json, tell};
use crate::{
    chat::{
        Platform, Update,
        control::ControlSpec,
        room::Ours,
        spec::{ChatSpec, Server, Service, TWITCH, Transport},
        told::{Row, SourceState, Status, Told},
    },
    console::chat::{Left, Reading},
    engine::{Signals, chat::Hub, files::Files},
};

/// Steps that wait to be printed; a slow reader slows the sources down.
const STEPS: usize = 256;

#[derive(Debug, clap::Args)]
pub(crate) struct Chat {
    /// A show file: its [[chat]] sources are read
    #[arg(value_name = "SHOW")]
    show: Option<PathBuf>,
    /// Read hawker's JSON lines from a file, - for standard input
    #[arg(long, value_name = "FILE")]
    lines: Vec<PathBuf>,
    /// Read a channel of Twitch, without an account
    #[arg(long, value_name = "CHANNEL")]
    twitch: Vec<String>,
    /// The market whose people write in --lines and --twitch, for the language of a line
    #[arg(long, value_name = "MARKET")]
    market: Option<String>,
    /// One JSON object a line: `hawker print chat-schema`
    #[arg(long, conflicts_with = "text")]
    json: bool,
    /// Lines of text, also where there is a terminal
    #[arg(long)]
    text: bool,
    /// Read for that long; until it is interrupted, or everything has ended, without it
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    for_: Option<Duration>,
}

pub(crate) fn chat(args: &Chat) -> Result<u8, Failure> {
    let (specs, control) = specs(args)?;
    if specs.is_empty() {
        return Err(Failure::usage(match &args.show {
            Some(show) => format!(
                "{} has no chat: add a [[chat]] table, or give --lines or --twitch",
                show.display()
            ),
            None => "there is no chat to read: name a show file with [[chat]] tables, or give --lines - or \
                     --twitch CHANNEL"
                .to_owned(),
        }));
    }
    let runtime = engine_runtime()?;
    let code = runtime.block_on(async {
        if has_screen(args) {
            read(args, specs, control).await
        } else {
            follow(args, specs, control).await
        }
    });
    runtime.shutdown_timeout(Duration::from_millis(200));
    code
}

fn specs(args: &Chat) -> Result<(Vec<ChatSpec>, ControlSpec), Failure> {
    let (mut specs, control) = match &args.show {
        Some(path) => {
            let show = load::show(Some(path))?;
            (show.chats, show.control)
        }
        None => Default::default(),
    };
    let market = args.market.as_deref().map(load::market).transpose()?;
    let languages = market.as_ref().map_or_else(Vec::new, |market| market.languages.value.clone());
    let mut add = |word: &str, service: Service| {
        // The show's own names come first.
        let mut n = 1;
        let id = loop {
            let name = if n == 1 { word.to_owned() } else { format!("{word}-{n}") };
            if !specs.iter().any(|spec| spec.id.as_str() == name) {
                break name;
            }
            n += 1;
        };
        let Ok(id) = id.parse() else { return };
        let (market, languages) = (market.as_ref().map(|m| m.id.clone()), languages.clone());
        specs.push(ChatSpec { market, languages, ..ChatSpec::new(id, service) });
    };
    if args.lines.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(Failure::usage("standard input can be read once: give one --lines -"));
    }
    for path in &args.lines {
        add("lines", Service::Lines { path: path.clone(), platform: Platform::UNKNOWN });
    }
    if !args.twitch.is_empty() {
        let server = Server { host: TWITCH.0.to_owned(), port: TWITCH.1 };
        let channels = args.twitch.clone();
        add(
            "twitch",
            Service::Twitch { channels, server, transport: Transport::Tls, account: None },
        );
    }
    Ok((specs, control))
}

/// Whether it is read on a screen of its own. Lines from standard input leave no keyboard.
fn has_screen(args: &Chat) -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let from_input = args.lines.iter().any(|path| path.as_os_str() == "-");
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    terminal && !dumb && !from_input && !args.json && !args.text
}

/// On a screen, until the reader leaves.
async fn read(args: &Chat, specs: Vec<ChatSpec>, control: ControlSpec) -> Result<u8, Failure> {
    let theme = load::theme()?;
    let mut signals =
        Signals::listen().map_err(|e| Failure::start(format!("signals cannot be heard: {e}")))?;
    let market = |spec: &ChatSpec| Some((spec.id.clone(), spec.market.clone()?));
    let markets = specs.iter().filter_map(market).collect();
    let hub = Hub::start(specs, control, Files::default(), None);
    let mut reading =
        Reading::open(hub.look(), markets, theme).map_err(|e| Failure::start(e.to_string()))?;
    let end = async {
        match args.for_ {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    let left = tokio::select! {
        biased;
        _ = signals.next() => Ok(Left::Interrupted),
        left = reading.read() => left,
        () = &mut end => Ok(Left::Enough),
    };
    // The terminal is given back before anything is said.
    drop(reading);
    match left {
        Ok(Left::Enough) => Ok(0),
        Ok(Left::Interrupted) => Ok(130),
        Err(error) => Err(Failure::start(error.to_string())),
    }
}

async fn follow(args: &Chat, specs: Vec<ChatSpec>, control: ControlSpec) -> Result<u8, Failure> {
    let mut signals =
        Signals::listen().map_err(|e| Failure::start(format!("signals cannot be heard: {e}")))?;
    let (all, mut steps) = mpsc::channel(STEPS);
    let hub = Hub::start(specs, control, Files::default(), Some(all));
    let mut sources = hub.look().sources;
    let mut states = sources.borrow_and_update().clone();
    let end = async {
        match args.for_ {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    let interrupted = loop {
        tokio::select! {
            biased;
            // A flood of steps does not keep these out.
            _ = signals.next() => break true,
            () = &mut end => break false,
            step = steps.recv() => match step {
                Some(step) => print(args.json, &step),
                // Everything has ended.
                None => break false,
            },
            Ok(()) = sources.changed() => {
                let now = sources.borrow_and_update().clone();
                say(&states, &now);
                states = now;
            }
        }
    };
    // What was counted until the last step.
    let now = sources.borrow().clone();
    say(&states, &now);
    states = now;
    let unreadable: u64 = states.iter().map(|state| state.unreadable).sum();
    if unreadable > 0 {
        tell(&format!(
            "hawker: {unreadable} lines could not be read: they are not in the form of `hawker chat`"
        ));
    }
    let failed = |state: &SourceState| matches!(state.status, Status::Failed { .. });
    if !states.is_empty() && states.iter().all(failed) {
        return Ok(3);
    }
    Ok(if interrupted { 130 } else { 0 })
}

fn print(json: bool, told: &Arc<Told>) {
    let now = Timestamp::now();
    if json {
        if let Ok(line) = serde_json::to_string(&Row::of(told, now)) {
            out_json(&line);
        }
    } else {
        out(&text(told, now));
    }
}

/// What is new of the sources, beside the stream.
fn say(before: &[SourceState], now: &[SourceState]) {
    for state in now {
        let was = before.iter().find(|before| before.id == state.id).map(|before| &before.status);
        if was == Some(&state.status) {
            continue;
        }
        let id = &state.id;
        match &state.status {
            Status::Connecting => {}
            Status::Live => tell(&format!("{id}: reading")),
            Status::Silent { since, overdue: true } => {
                let since = since.to_zoned(TimeZone::system()).strftime("%H:%M:%S");
                tell(&format!("{id}: silent since {since}: its keepalive is overdue"));
            }
            // Nobody may be writing.
            Status::Silent { .. } => {}
            Status::Waiting { why, retry_in_ms } => {
                tell(&format!("{id}: {why}; again in {:.1} s", *retry_in_ms as f64 / 1000.0));
            }
            Status::Failed { why } => tell(&format!("{id}: {why}")),
            Status::Ended => {}
        }
    }
}

/// One step as a line of text.
fn text(told: &Told, now: Timestamp) -> String {
    let local = |at: Timestamp| at.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string();
    let source = &told.source;
    match &told.update {
        Update::Message(message) => {
            let mut found = Vec::new();
            if let Some(order) = &told.finds.order {
                let item = order.code.as_deref().unwrap_or("the item on show");
                found.push(format!("order: {item} x{}", order.quantity));
            }
            if !told.finds.questions.is_empty() {
                found.push("question".into());
            }
            if told.finds.complaint.is_some() {
                found.push("complaint".into());
            }
            let language = told.language.map_or("", |language| language.code());
            let found =
                if found.is_empty() { String::new() } else { format!("  [{}]", found.join(", ")) };
            let name =
                if message.author.name.is_empty() { "?" } else { message.author.name.as_str() };
            format!(
                "{} {:<9} {language:<2} {name}: {}{found}",
                local(message.at),
                message.platform,
                message.text
            )
        }
        Update::Deleted(id) => format!("{} {source}: message {id} was deleted", local(now)),
        Update::UserCleared { id, name, .. } => {
            let id = id.as_ref().map(ToString::to_string);
            let whose = name.as_ref().map(ToString::to_string).or(id).unwrap_or_default();
            format!("{} {source}: the messages of {whose} were removed", local(now))
        }
        Update::AllCleared => format!("{} {source}: the chat was cleared", local(now)),
        Update::Moderated { message, to } => {
            let done = match to {
                Ours::Show => "is shown again",
                Ours::Hide => "is hidden",
                Ours::Hold => "waits for review",
                Ours::Delete => "was deleted here",
            };
            format!("{} {source}: message {message} {done}", local(now))
        }
        Update::Hole { from, until } => {
            let seconds = until.duration_since(*from).as_secs_f64();
            format!("{} {source}: messages of {seconds:.1} s are missing", local(*until))
        }
    }
}
