//! `hawker plan`: when to be on air for which market. It reads the plan file, asks the planner, and prints or keeps what
//! it says; it decides nothing itself.

mod accepted;
mod backtest;
mod days;
mod edit;
mod export;
mod forecast;
mod history;
mod import;
mod repair;
mod source;
mod table;
mod told;

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

use clap::Subcommand;
use jiff::Timestamp;

use self::source::Source;
use super::{Failure, load, out, tell};
use crate::{
    base::text,
    console::planner::Doors,
    market::{Market, MarketId},
    planner::{
        compare::compare,
        schedule::{Effort, Plan as Made, solve, why},
    },
};

/// Columns where the output goes to no terminal.
const COLUMNS: usize = 100;

/// Makes the schedule of a plan file, or does more with it.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Plan {
    #[command(flatten)]
    make: Make,
    #[command(subcommand)]
    what: Option<What>,
}

/// What a plan is made from.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Make {
    /// The plan file; without it plan.toml here or in hawker's configuration folder, or else the example
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The first week, as 2027-W10; the next one without it
    #[arg(long, value_name = "WEEK", value_parser = source::week)]
    week: Option<jiff::civil::Date>,
    /// How many weeks, 1-8; what the file says without it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8))]
    weeks: Option<u32>,
    /// Only these markets of the file: TH,ID
    #[arg(long, value_name = "MARKETS", value_delimiter = ',')]
    market: Vec<MarketId>,
    /// Quickly: greedy, and mended a little
    #[arg(long)]
    quick: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Put another plan beside it: without=NAME, budget=HOURS, studios=N or file=FILE
    #[arg(long, value_name = "CHANGE", value_parser = source::change)]
    what_if: Vec<source::Change>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make the plan and keep it: `show`, `why` and `export` speak of the one that was accepted
    Accept(Make),
    /// Look at the week and change it by keys: the accepted plan, or an empty one
    Edit(edit::Edit),
    /// Print the accepted plan with the parts of each show
    Show {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say why a show of the accepted plan is there, and what was given up for it
    Why {
        /// Its number in `hawker plan show`
        #[arg(value_name = "SLOT")]
        slot: usize,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Mend the accepted plan with few changes when the plan file does not allow it any more
    Repair(repair::Repair),
    /// Give the accepted plan to other programs
    Export(export::Export),
    /// List the days on which more or less is sold, of all markets
    Days(days::Days),
    /// Say how many viewers to expect in each market, hour by hour, and why
    Forecast(forecast::Forecast),
    /// Say how the forecast would have done in your own shows so far, beside simpler ones
    Backtest(backtest::Backtest),
    /// Take in viewers from a platform's table (CSV or JSON): shows what it understood first
    Import(import::Import),
}

/// Where the planner's pane of a running show has its data from: the accepted plan, or the usual plan file.
pub(crate) fn doors() -> Doors {
    edit::doors(Make::default())
}

pub(crate) fn plan(args: &Plan) -> Result<u8, Failure> {
    match &args.what {
        None => make(&args.make),
        Some(What::Accept(args)) => accept(args),
        Some(What::Edit(args)) => edit::edit(args),
        Some(What::Show { json }) => show(*json),
        Some(What::Why { slot, json }) => explain(*slot, *json),
        Some(What::Repair(args)) => repair::repair(args),
        Some(What::Export(args)) => export::export(args),
        Some(What::Days(args)) => days::days(args),
        Some(What::Forecast(args)) => forecast::forecast(args),
        Some(What::Backtest(args)) => backtest::backtest(args),
        Some(What::Import(args)) => import::import(args),
    }
}

/// The markets that are named, in that order; all when none is.
fn chosen(names: &[String]) -> Result<Vec<Market>, Failure> {
    if names.is_empty() {
        return load::markets();
    }
    let mut chosen: Vec<Market> = Vec::new();
    for name in names.iter().map(|n| n.trim()).filter(|n| !n.is_empty()) {
        let market = load::market(name)?;
        if chosen.iter().all(|m| m.id != market.id) {
            chosen.push(market);
        }
    }
    Ok(chosen)
}

fn effort(args: &Make) -> Effort {
    if args.quick { Effort::Quick } else { Effort::Full }
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|text| text::json(&text))
        .map_err(|e| Failure::usage(format!("this cannot be told as JSON: {e}")))
}

/// Columns of the terminal, or of a page where there is none.
fn columns() -> usize {
    let size = io::stdout()
        .is_terminal()
        .then(|| rustix::termios::tcgetwinsize(io::stdout()).ok())
        .flatten()
        .map(|size| usize::from(size.ws_col))
        .filter(|columns| *columns > 0);
    size.unwrap_or(COLUMNS)
}

fn make(args: &Make) -> Result<u8, Failure> {
    let source = Source::read(args)?;
    let plan = solve(&source.task(), effort(args));
    if args.what_if.is_empty() {
        if args.json {
            out(&json(&source.accepted(&plan, Timestamp::now()))?);
        } else {
            out(&table::plan(&source.accepted(&plan, Timestamp::now()), columns()));
            hint(&source, &plan);
        }
        return Ok(0);
    }
    let mut all = Vec::new();
    for change in &args.what_if {
        let other = source.changed(change)?;
        let difference = compare(&plan, &solve(&other.task(), effort(args)));
        if args.json {
            all.push(serde_json::json!({ "what-if": change.text, "difference": difference }));
        } else {
            out(&told::difference(&change.text, &difference, &source.wish.home, columns()));
        }
    }
    if args.json {
        out(&json(&all)?);
    }
    Ok(0)
}

/// What to do next.
fn hint(source: &Source, plan: &Made) {
    if source.example {
        tell(
            "this is the example: there is no plan.toml here or in hawker's configuration folder. \
             `hawker print plan-example >plan.toml` gives you one of your own",
        );
    } else if !plan.slots.is_empty() {
        tell("`hawker plan accept` with the same arguments keeps this plan");
    }
}

fn accept(args: &Make) -> Result<u8, Failure> {
    if !args.what_if.is_empty() {
        return Err(Failure::usage(
            "--what-if compares and changes nothing: write the change into the plan file, then accept",
        ));
    }
    let source = Source::read(args)?;
    let plan = solve(&source.task(), effort(args));
    let kept = source.accepted(&plan, Timestamp::now());
    let path = accepted::keep(&kept)?;
    if args.json {
        out(&json(&kept)?);
    } else {
        out(&table::plan(&kept, columns()));
        tell(&format!("accepted: it is kept in {}", path.display()));
    }
    Ok(0)
}

fn show(as_json: bool) -> Result<u8, Failure> {
    let kept = accepted::load()?;
    out(&if as_json { json(&kept)? } else { table::whole(&kept, columns()) });
    Ok(0)
}

fn explain(slot: usize, as_json: bool) -> Result<u8, Failure> {
    let kept = accepted::load()?;
    let source = Source::of(&kept)?;
    let index = slot.checked_sub(1).filter(|i| *i < kept.plan.slots.len());
    let why = index.and_then(|index| why(&source.task(), &kept.plan, index));
    let Some(why) = why else {
        let count = kept.plan.slots.len();
        return Err(Failure::usage(format!(
            "the accepted plan has no show {slot}: it has {count}; `hawker plan show` numbers them"
        )));
    };
    out(&if as_json { json(&why)? } else { told::why(&why, &kept, columns()) });
    Ok(0)
}
