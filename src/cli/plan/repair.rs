//! `hawker plan repair`: the accepted plan is mended when the plan file does not allow it any more, with few changes.

use jiff::Timestamp;

use super::{accepted, columns, json, source::Source, table::folded};
use crate::{
    cli::{Failure, out, tell},
    market::Zone,
    planner::schedule::{Move, Repair as Mended, Slot, repair as mend},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Repair {
    /// Keep the mended plan; it is only shown without it
    #[arg(long)]
    yes: bool,
    /// Shows that are locked and may be moved all the same, by their numbers in `hawker plan show`: 3,5
    #[arg(long, value_name = "SLOTS", value_delimiter = ',')]
    free: Vec<usize>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn repair(args: &Repair) -> Result<u8, Failure> {
    let mut kept = accepted::load()?;
    let count = kept.plan.slots.len();
    for number in &args.free {
        let slot = number.checked_sub(1).and_then(|index| kept.plan.slots.get_mut(index));
        let Some(slot) = slot else {
            return Err(Failure::usage(format!(
                "--free {number}: the accepted plan has no such show: it has {count}; \
                 `hawker plan show` numbers them"
            )));
        };
        slot.locked = false;
    }
    let source = Source::of(&kept)?;
    let now = Timestamp::now();
    let mended = mend(&source.task(), &kept.plan, now);
    out(&if args.json { json(&mended)? } else { words(&mended, kept.plan.worth, &kept.home) });
    if args.yes {
        let path = accepted::keep(&source.accepted(&mended.plan, now))?;
        tell(&format!("accepted: it is kept in {}", path.display()));
    } else if !mended.moves.is_empty() {
        tell("nothing was changed: `hawker plan repair --yes` keeps it");
    }
    Ok(0)
}

fn show(slot: &Slot, home: &Zone) -> String {
    let markets: Vec<&str> = slot.airings.iter().map(|a| a.market.as_str()).collect();
    let clock = home.clock(slot.start).strftime("%a %d %b %H:%M");
    format!("{clock}, {} min with {} for {}", slot.minutes, slot.host, markets.join(", "))
}

/// What was changed and why, and what that costs.
fn words(mended: &Mended, before: f64, home: &Zone) -> String {
    let columns = columns();
    let mut lines = Vec::new();
    for Move { before, after, why } in &mended.moves {
        let (head, text) = match (before, after) {
            (Some(before), Some(after)) => {
                ("moved  ", format!("{} -> {}", show(before, home), show(after, home)))
            }
            (Some(before), None) => ("gone   ", show(before, home)),
            (None, Some(after)) => ("new    ", show(after, home)),
            (None, None) => continue,
        };
        lines.push(folded(head, &format!("{text}: {why}"), columns));
    }
    if lines.is_empty() {
        lines.push("Nothing is broken: every show can stay.".into());
    }
    for note in &mended.plan.notes {
        lines.push(folded("note   ", note, columns));
    }
    lines.push(format!(
        "{} shows, worth {:.0} weighted viewer hours; {before:.0} before",
        mended.plan.slots.len(),
        mended.plan.worth
    ));
    lines.join("\n")
}
