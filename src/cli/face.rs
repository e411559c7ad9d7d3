//! Puts a face on a handle, and says what became of the show when the face is left.

use std::{path::Path, time::Duration};

use super::{Failure, load, pick, plan, summary, tell};
use crate::{
    console::{self, ConsoleError, Leave, Options},
    engine::Handle,
    remote,
};

async fn console(handle: Handle) -> Result<Leave, Failure> {
    let theme = load::theme()?;
    console::run(handle, Options { theme, planner: plan::doors() }).await.map_err(|e| match e {
        ConsoleError::NoTerminal(_) => Failure::usage(e.to_string()),
        ConsoleError::Terminal(_) => Failure::start(e.to_string()),
    })
}

/// Attaches a console to the show behind a socket, until it is left.
pub(crate) async fn attach(socket: &Path) -> Result<u8, Failure> {
    let handle = remote::attach(socket).await.map_err(|e| Failure::start(e.to_string()))?;
    let show = handle.show.clone();
    let pid = socket.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let left = console(handle).await?;
    let last = show.borrow().clone();
    match left {
        Leave::Detached => {
            tell(&format!(
                "'{}' goes on. `hawker attach {pid}` takes it up again; `hawker end {pid} --yes` \
                 ends it.",
                last.spec.title
            ));
            Ok(0)
        }
        Leave::ShowEnded { exit_code } => {
            pick::wait_until_gone(socket, Duration::from_secs(8)).await;
            tell(&summary::of(&last, exit_code));
            Ok(exit_code)
        }
        Leave::EngineGone => Err(Failure {
            exit_code: 4,
            text: format!(
                "the engine of '{}' went away without ending the show: see the newest log in {}",
                last.spec.title,
                load::state_dir()?.join("shows").display()
            ),
        }),
    }
}
