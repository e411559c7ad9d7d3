//! Puts a face on a handle, and says what became of the show when the face is left.

use std::{path::Path, time::Duration};

use super::{Failure, load, pick, summary, tell};
use crate::{engine::Handle, headless::Headless, remote};

/// How a console was left.
#[derive(Debug)]
enum Leave {
    /// The show goes on.
    #[allow(dead_code, reason = "only a console can be left")]
    Detached,
    /// The show is over.
    ShowEnded {
        /// Its exit code.
        exit_code: u8,
    },
    /// The engine went away without an end.
    EngineGone,
}

async fn console(handle: Handle) -> Result<Leave, Failure> {
    let face = Headless::open(None, true).map_err(|e| Failure::start(e.to_string()))?;
    Ok(face
        .follow(handle)
        .await
        .map_or(Leave::EngineGone, |exit_code| Leave::ShowEnded { exit_code }))
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
