//! `hawker report`: what became of a show, from what was kept of it.

mod folded;
mod words;

use std::path::PathBuf;

use jiff::{Timestamp, tz::TimeZone};

use self::{
    folded::folded,
    words::{length, plain, words},
};
use super::{Failure, load, out, out_json, save, tell};
use crate::{
    engine::{ShowFolder, folder::run_dirs},
    remote::running,
    stats::{
        history::{Fate, Told},
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
        if rows.is_empty() {
            return Err(failed(StoreError::Empty));
        }
        let fates = Fates::look()?;
        out(&rows.iter().map(|row| line(row, &fates, &zone)).collect::<Vec<_>>().join("\n"));
        return Ok(0);
    }
    let number = shows.find(&args.show).map_err(failed)?;
    let mut history = shows.history(number).map_err(failed)?;
    if history.ended.is_none() {
        history.fate = Some(Fates::look()?.of(&history.title, history.started));
    }
    if let Some(path) = &args.html {
        save("--html", path, &page::html(&folded(history), &zone))?;
        tell(&format!("the report of show {number} is in {}", path.display()));
    } else if args.json {
        let text = serde_json::to_string(&Told::from(history)).map_err(|e| {
            Failure::usage(format!("the show cannot be told as JSON: {e}; try --csv"))
        })?;
        out_json(&text);
    } else if args.csv {
        out(&history.csv());
    } else {
        let history = folded(history);
        out(&words(&history, &history.summary(), &zone));
    }
    Ok(0)
}

/// What became of shows whose end was not kept: from the sockets of running engines, and from the shows' folders.
struct Fates {
    state: PathBuf,
    running: Vec<PathBuf>,
}

impl Fates {
    fn look() -> Result<Self, Failure> {
        let state = load::state_dir()?;
        let running = running(&run_dirs(&state)).into_iter().map(|s| s.card.folder).collect();
        Ok(Self { state, running })
    }

    fn of(&self, title: &str, began: Timestamp) -> Fate {
        let Some(folder) = ShowFolder::of(&self.state, title, began) else { return Fate::Gone };
        match folder.has_ended() {
            _ if self.running.iter().any(|r| r == folder.path()) => Fate::Runs,
            Some(true) => Fate::NotKept,
            Some(false) => Fate::Died,
            None => Fate::Gone,
        }
    }
}

fn line(row: &ShowRow, fates: &Fates, zone: &TimeZone) -> String {
    let began = row.started.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
    let ending = match &row.ended {
        Some(ended) => &ended.why,
        None => fates.of(&row.title, row.started).words(),
    };
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
