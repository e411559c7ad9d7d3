//! `hawker send` and `hawker end`: one command to a running show, from a script.

use std::{path::Path, time::Duration};

use super::{Failure, face_runtime, pick, tell};
use crate::{
    config,
    remote::{self, RunningShow},
    show::{Command, registry},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Send {
    /// Carry out a risky command without asking
    #[arg(long)]
    yes: bool,
    /// A running show (number or title; may be left out when one runs), then a command and its
    /// arguments; `hawker print commands` lists them. add-output also takes a file with one [[output]] table
    #[arg(required = true, allow_negative_numbers = true, value_name = "[SHOW] COMMAND")]
    words: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct End {
    /// The show's process number or title; needed when several run
    show: Option<String>,
    /// End it without asking
    #[arg(long)]
    yes: bool,
}

/// Parts the show from the command: a first word that is no command names the show.
fn part(words: &[String]) -> (Option<&str>, String) {
    let is_command = |at: usize| words.get(at).is_some_and(|w| registry::row(w).is_some());
    match words {
        [first, rest @ ..] if !is_command(0) && is_command(1) => (Some(first), rest.join(" ")),
        _ => (None, words.join(" ")),
    }
}

async fn give(show: &RunningShow, command: Command, confirm: bool) -> Result<(), Failure> {
    remote::send(&show.socket, command, confirm)
        .await
        .map_err(|e| Failure::start(e.to_string()))?
        .map_err(|refusal| Failure::usage(refusal.to_string()))
}

pub(crate) fn send(args: &Send) -> Result<u8, Failure> {
    let (wanted, line) = part(&args.words);
    let command = match line.split_once(' ') {
        Some(("add-output", file)) if Path::new(file).extension().is_some_and(|e| e == "toml") => {
            let dirs = config::Dirs::find().map_err(|e| Failure::usage(e.to_string()))?;
            let output = config::load_output(Path::new(file), &dirs);
            let output = output.map_err(|problems| Failure::usage(problems.to_string()))?;
            Command::add(output)
        }
        _ => line.parse().map_err(|e: crate::show::Refusal| Failure::usage(e.to_string()))?,
    };
    let show = pick::one(wanted)?;
    face_runtime()?.block_on(give(&show, command, args.yes))?;
    Ok(0)
}

pub(crate) fn end(args: &End) -> Result<u8, Failure> {
    let show = pick::one(args.show.as_deref())?;
    face_runtime()?.block_on(async {
        give(&show, Command::EndShow, args.yes).await?;
        if pick::wait_until_gone(&show.socket, Duration::from_secs(10)).await {
            tell(&format!("'{}' is over", show.card.title));
            Ok(0)
        } else {
            Err(Failure {
                exit_code: 4,
                text: format!(
                    "'{}' was told to end, but its engine (process {}) is still there after 10 s: \
                     see {}",
                    show.card.title,
                    show.card.pid,
                    show.card.folder.display()
                ),
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_show_is_parted_from_the_command() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(part(&words("cut-to table")), (None, "cut-to table".into()));
        assert_eq!(part(&words("123 cut-to table")), (Some("123"), "cut-to table".into()));
        assert_eq!(part(&words("cut-too table")), (None, "cut-too table".into()));
        assert_eq!(part(&words("panic panic")), (None, "panic panic".into()));
    }
}
