//! The engine as a process: in the foreground with `--headless`, or on its own behind a socket.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use super::{Failure, engine_runtime, load, logging, tell};
use crate::{
    base::SecretRef,
    engine::{
        Engine, Over, Plan, ShowFolder, Signals, Socket,
        files::Files,
        folder::run_dirs,
        metrics::serve,
        socket::listen,
        wire::{Card, VERSION},
    },
    headless::{EventsTo, Headless},
    link::{metrics::Metrics, page::Page},
    remote::running,
    show::{Mode, ShowSpec, Start},
    store,
    system::descriptors,
};

/// How long a console may leave the engine unable to write before it is let go of.
const STALL: Duration = Duration::from_secs(3);

/// What is to be run, and how.
#[derive(Debug)]
pub(crate) struct Job {
    /// A show file; `None` is the built-in show.
    pub show: Option<PathBuf>,
    pub mode: Mode,
    pub for_ms: Option<u64>,
    pub standby: bool,
    pub headless: bool,
    pub quiet: bool,
    pub events: Option<EventsTo>,
    pub report: Option<PathBuf>,
    /// Where the figures are given for Prometheus.
    pub metrics: Option<SocketAddr>,
    pub metrics_token: Option<SecretRef>,
    /// Where the chat is given as a page.
    pub chat_page: Option<SocketAddr>,
    pub chat_page_token: Option<SecretRef>,
    /// What viewers of the stage have between them and it, by name.
    pub link: Option<String>,
}

/// The arguments of an engine that hawker starts for itself.
#[derive(Debug, clap::Args)]
pub(crate) struct EngineArgs {
    #[arg(long)]
    pub show: Option<PathBuf>,
    #[arg(long)]
    pub live: bool,
    #[arg(long)]
    pub for_ms: Option<u64>,
    #[arg(long)]
    pub standby: bool,
    #[arg(long)]
    pub events: Option<PathBuf>,
    #[arg(long)]
    pub report: Option<PathBuf>,
    #[arg(long)]
    pub metrics: Option<SocketAddr>,
    #[arg(long)]
    pub metrics_token: Option<SecretRef>,
    #[arg(long)]
    pub chat_page: Option<SocketAddr>,
    #[arg(long)]
    pub chat_page_token: Option<SecretRef>,
    #[arg(long)]
    pub link: Option<String>,
}

/// A show that is ready to run.
struct Ready {
    engine: Engine,
    socket: Socket,
    signals: Signals,
    face: Headless,
    folder: ShowFolder,
    /// Given until the end.
    _metrics: Option<Metrics>,
    _chat_page: Option<Page>,
}

/// Refuses where the process may have too few file descriptors for any show: what opens them later would end it.
fn enough_descriptors() -> Result<(), Failure> {
    let claim = descriptors::claim(descriptors::ENGINE);
    claim.map(drop).map_err(|short| Failure::start(short.to_string()))
}

/// Everything that can fail is done here. `own_process` sends stderr to the log as well.
async fn ready(job: &Job, own_process: bool) -> Result<Ready, Failure> {
    enough_descriptors()?;
    let files = Files::default();
    let spec = load::show_with_secrets(job.show.as_deref(), job.mode, &files).await?;
    let state = load::state_dir()?;
    let now = jiff::Timestamp::now();
    let dirs = run_dirs(&state);
    let busy: Vec<PathBuf> = running(&dirs).into_iter().map(|s| s.card.folder).collect();
    let folder = ShowFolder::create(&state, &spec.title, now, &busy).map_err(|e| {
        Failure::usage(format!(
            "the show's folder cannot be made in {}: {e}; set HAWKER_STATE_DIR to a directory that \
             can be written",
            state.display()
        ))
    })?;
    // A show that never began leaves nothing behind; its failure is told to whoever started it.
    let ready = stand(job, own_process, (spec, files), &dirs, folder.clone(), now).await;
    ready.inspect_err(|_| folder.remove())
}

async fn stand(
    job: &Job,
    own_process: bool,
    (spec, files): (ShowSpec, Files),
    dirs: &[PathBuf],
    folder: ShowFolder,
    now: jiff::Timestamp,
) -> Result<Ready, Failure> {
    let log = logging::to_file(&folder.log())?;
    if own_process {
        // Whatever a library says must not land on a console's terminal.
        rustix::stdio::dup2_stderr(&log).map_err(|e| Failure::start(format!("the log: {e}")))?;
    }
    let mut signals =
        Signals::listen().map_err(|e| Failure::start(format!("signals cannot be heard: {e}")))?;
    let face = Headless::open(job.events.as_ref(), !own_process && !job.quiet)
        .map_err(|e| Failure::usage(format!("--events cannot be written: {e}")))?;
    let card = Card {
        hawker: VERSION,
        pid: std::process::id(),
        title: spec.title.clone(),
        mode: job.mode,
        started: now,
        folder: folder.path().to_owned(),
    };
    let plan = Plan {
        spec,
        mode: job.mode,
        start: Start { for_ms: job.for_ms, standby: job.standby, headless: job.headless },
        journal: Some(folder.journal()),
        report: job.report.clone(),
        store: Some(load::state_dir()?.join(store::FILE)),
        files: files.clone(),
    };
    let adapters = load::adapters(job.link.as_deref(), &files).await?;
    // Something of it may hang: a signal is heard meanwhile.
    let made = tokio::task::spawn_blocking(move || Engine::new(plan, adapters));
    let engine = tokio::select! {
        made = made => made
            .map_err(|e| Failure::start(format!("the engine could not be made: {e}")))?
            .map_err(|e| Failure { exit_code: e.exit_code, text: e.text })?,
        Some(()) = signals.next() => {
            return Err(Failure { exit_code: 130, text: "interrupted before the show began".into() });
        }
    };
    let metrics = metrics(job, &engine, &files).await?;
    let page = chat_page(job, &engine, &files).await?;
    let socket = listen(dirs, &card, engine.faces(), engine.facts(), STALL)
        .map_err(|e| Failure::start(e.to_string()))?;
    Ok(Ready { engine, socket, signals, face, folder, _metrics: metrics, _chat_page: page })
}

async fn metrics(job: &Job, engine: &Engine, files: &Files) -> Result<Option<Metrics>, Failure> {
    let Some(listen) = job.metrics else { return Ok(None) };
    let token = files.secret_if(job.metrics_token.as_ref()).await;
    let token = token.map_err(|e| Failure::usage(format!("--metrics-token: {}", e.reason)))?;
    let given = serve(engine.faces(), listen, token).map_err(|e| Failure::usage(e.to_string()))?;
    let text = format!("figures for Prometheus at {}", given.url());
    tracing::info!("{text}");
    if job.headless && !job.quiet {
        tell(&text);
    }
    Ok(Some(given))
}

async fn chat_page(job: &Job, engine: &Engine, files: &Files) -> Result<Option<Page>, Failure> {
    let Some(listen) = job.chat_page else { return Ok(None) };
    let token = files.secret_if(job.chat_page_token.as_ref()).await;
    let token = token.map_err(|e| Failure::usage(format!("--chat-page-token: {}", e.reason)))?;
    let given = Page::start(listen, token, engine.faces().shown_chat())
        .map_err(|e| Failure::usage(e.to_string()))?;
    let text = format!("the chat as viewers see it at {}", given.url());
    tracing::info!("{text}");
    if job.headless && !job.quiet {
        tell(&text);
    }
    Ok(Some(given))
}

impl Ready {
    async fn run(self) -> Over {
        let handle = self.engine.faces().handle();
        let face = tokio::spawn(self.face.follow(handle));
        let over = self.engine.run(self.signals).await;
        self.socket.close().await;
        self.folder.ended();
        // The engine and the socket are gone, so the events end here in any case.
        let _ = tokio::time::timeout(Duration::from_secs(3), face).await;
        over
    }
}

/// Runs a show in the foreground, without a terminal.
pub(crate) fn foreground(job: Job) -> Result<u8, Failure> {
    let runtime = engine_runtime()?;
    let over = runtime.block_on(async {
        let ready = ready(&job, false).await?;
        Ok(ready.run().await)
    })?;
    runtime.shutdown_timeout(Duration::from_millis(500));
    logging::flush();
    match over.unwritten {
        Some(text) => Err(Failure { exit_code: over.exit_code.max(2), text }),
        None => Ok(over.exit_code),
    }
}

/// Runs a show in a session of its own. The first line on stdout says to whoever started us whether it
/// stands: `ready SOCKET`, or `failed CODE "TEXT"`.
pub(crate) fn detached(args: EngineArgs) -> Result<u8, Failure> {
    // Fails only for the leader of a group, started by hand: then there is nothing to leave.
    let _ = rustix::process::setsid();
    let job = Job {
        show: args.show,
        mode: if args.live { Mode::Live } else { Mode::Rehearse },
        for_ms: args.for_ms,
        standby: args.standby,
        headless: false,
        quiet: true,
        events: args.events.map(EventsTo::File),
        report: args.report,
        metrics: args.metrics,
        metrics_token: args.metrics_token,
        chat_page: args.chat_page,
        chat_page_token: args.chat_page_token,
        link: args.link,
    };
    let runtime = engine_runtime()?;
    let code = runtime.block_on(async {
        let ready = match ready(&job, true).await {
            Ok(ready) => ready,
            Err(failure) => {
                let text = serde_json::to_string(&failure.text).unwrap_or_default();
                tracing::error!("{}", failure.text);
                // If nobody listens any more, the log has it.
                let _ = say(&format!("failed {} {text}", failure.exit_code));
                return failure.exit_code;
            }
        };
        if say(&format!("ready {}", ready.socket.path().display())).is_err() {
            tracing::error!("whoever started this engine is gone: nothing is put on air");
            ready.engine.abandon().await;
            ready.socket.close().await;
            return 3;
        }
        let log = std::fs::File::options().append(true).open(ready.folder.log());
        if let Ok(log) = log {
            // Closes the pipe to whoever started us.
            let _ = rustix::stdio::dup2_stdout(&log);
        }
        ready.run().await.exit_code
    });
    runtime.shutdown_timeout(Duration::from_millis(500));
    logging::flush();
    Ok(code)
}

fn say(line: &str) -> io::Result<()> {
    let mut to = io::stdout().lock();
    writeln!(to, "{line}")?;
    to.flush()
}
