//! `hawker plan edit`: the week in the terminal, to be changed by keys; and where the planner's pane of a running show
//! has its data from.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

use super::{Make, accepted, source, source::Source};
use crate::{
    cli::{Failure, face_runtime, load, tell},
    console::{
        ConsoleError,
        planner::{self, Doors, Opened},
    },
    planner::schedule::Plan,
};

/// Edits the accepted plan of a plan file, or makes one.
#[derive(Debug, clap::Args)]
pub(crate) struct Edit {
    /// The plan file; without it that of the accepted plan, then plan.toml as for `hawker plan`
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The first week, as 2027-W10; without it that of the accepted plan, then the next one
    #[arg(long, value_name = "WEEK", value_parser = source::week)]
    week: Option<jiff::civil::Date>,
    /// How many weeks, 1-8
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8))]
    weeks: Option<u32>,
}

/// The doors of the planner's pane: what it opens with, and where it keeps.
pub(super) fn doors(make: Make) -> Doors {
    let source: Arc<Mutex<Option<Source>>> = Arc::default();
    let (of_keep, of_aside) = (Arc::clone(&source), Arc::clone(&source));
    let known: Arc<Mutex<Known>> = Arc::default();
    let of_open = Arc::clone(&known);
    let whole = |source: &Mutex<Option<Source>>, plan: &Plan| {
        let source = source.lock().unwrap_or_else(PoisonError::into_inner);
        source.as_ref().map(|source| source.accepted(plan, Timestamp::now()))
    };
    Doors {
        open: Arc::new(move || {
            let (opened, read, at) = opened(&make).map_err(|failure| failure.text)?;
            of_open.lock().unwrap_or_else(PoisonError::into_inner).0 = at;
            *source.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
            Ok(opened)
        }),
        keep: Arc::new(move |plan| {
            let whole = whole(&of_keep, plan).ok_or("there is no plan yet")?;
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.compare(accepted_at())?;
            let path = accepted::keep(&whole).map_err(|failure| failure.text)?;
            known.0 = Some(whole.at);
            Ok(path.display().to_string())
        }),
        aside: Arc::new(move |plan| {
            let draft = plan.and_then(|plan| whole(&of_aside, plan));
            match accepted::put_aside(draft.as_ref()) {
                Err(failure) => {
                    Some(format!("hawker: what was not saved is lost: {}", failure.text))
                }
                Ok(()) => draft.map(|_| {
                    "the plan was changed and not saved: `hawker plan edit` takes it up".into()
                }),
            }
        }),
        tell: Arc::new(tell),
    }
}

/// When the plan was accepted that is there.
fn accepted_at() -> Option<Timestamp> {
    accepted::load().ok().map(|plan| plan.at)
}

/// When the plan was accepted that the pane knows of.
#[derive(Debug, Default)]
struct Known(Option<Timestamp>);

impl Known {
    /// Whether it is the one that is there; if not it is said once, and known from then on.
    fn compare(&mut self, there: Option<Timestamp>) -> Result<(), String> {
        if std::mem::replace(&mut self.0, there) == there {
            return Ok(());
        }
        Err("another plan was accepted meanwhile, elsewhere: S again puts this one in its place"
            .into())
    }
}

/// What the pane opens with, where it is from, and when the plan was accepted that is there.
fn opened(make: &Make) -> Result<(Opened, Source, Option<Timestamp>), Failure> {
    let (source, [kept, aside]) = Source::edited(make, Timestamp::now())?;
    let mut notes = source.notes.clone();
    if source.example {
        notes.push(
            "this is the example: `hawker print plan-example >plan.toml` gives you one of your own"
                .into(),
        );
    }
    let own = kept.as_ref().filter(|kept| source.is_of(kept));
    if let (Some(kept), None) = (&kept, own) {
        let from = kept.home.clock(kept.plan.from).date();
        let name = kept.file.as_deref().unwrap_or("the example");
        notes.push(format!(
            "saving replaces the plan that was accepted before: {name}, from {from} on"
        ));
    }
    let opened = Opened {
        title: source.wish.title.clone(),
        origin: source.origin(),
        task: source.task(),
        plan: own.map(|kept| kept.plan.clone()),
        draft: aside.map(|kept| kept.plan),
        notes,
    };
    Ok((opened, source, kept.map(|kept| kept.at)))
}

pub(super) fn edit(args: &Edit) -> Result<u8, Failure> {
    let Edit { file, week, weeks } = args;
    let make = Make { file: file.clone(), week: *week, weeks: *weeks, ..Make::default() };
    let doors = doors(make);
    // What is wrong with the plan file is said in this terminal, not on a screen of its own.
    let opened = (doors.open)().map_err(Failure::usage)?;
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Err(Failure::usage(
            "`hawker plan edit` needs a terminal: `hawker plan` makes a plan without one, `hawker plan accept` \
             keeps it",
        ));
    }
    let theme = load::theme()?;
    let doors = Doors { open: Arc::new(move || Ok(opened.clone())), ..doors };
    let left = face_runtime()?.block_on(planner::plan(doors, theme));
    left.map_err(|e| match e {
        ConsoleError::NoTerminal(_) => Failure::usage(e.to_string()),
        ConsoleError::Terminal(e) => Failure::start(format!("the terminal failed: {e}")),
    })?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_was_accepted_meanwhile_is_not_replaced_unasked() {
        let (early, late) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        let mut known = Known::default();
        assert_eq!(known.compare(None), Ok(()));
        let told = known.compare(Some(early)).unwrap_err();
        assert!(told.contains("meanwhile"), "{told}");
        assert_eq!(known.compare(Some(early)), Ok(()), "asked again");
        assert!(known.compare(Some(late)).is_err() && known.compare(Some(late)).is_ok());
    }
}
