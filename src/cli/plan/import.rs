//! `hawker plan import`: a platform's table, read, shown, and kept when the user says so.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use clap::ValueEnum;

use crate::{
    base::text::short,
    cli::{Failure, load, out, tell},
    config::{self, Unreadable},
    market::{MarketId, Zone},
    planner::import::{self as table, Ask, DateOrder, Mapping, Row},
    store::{self, Imported},
};

/// The greatest table, in bytes.
const MOST: u64 = 128 * 1024 * 1024;
/// Bad rows that are written out.
const SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// The table: CSV (commas, semicolons, tabs) or JSON
    file: PathBuf,
    /// The market of rows that name none
    #[arg(long, value_name = "MARKET")]
    market: Option<String>,
    /// The zone of times without one, like Asia/Bangkok; the market's own unless told otherwise
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Which comes first in dates like 03/04/2027
    #[arg(long)]
    dates: Option<Dates>,
    /// The platform it comes from: rows of several platforms for the same hour add up
    #[arg(long, value_name = "NAME", default_value = "import")]
    source: String,
    /// Leave out the rows that cannot be read, and keep the others
    #[arg(long)]
    skip_bad: bool,
    /// Keep it; without this it is only shown
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Dates {
    /// The day
    Dmy,
    /// The month
    Mdy,
}

pub(crate) fn import(args: &Import) -> Result<u8, Failure> {
    let read = read(&args.file, args.market.as_deref(), args.zone.as_deref(), args.dates)?;
    out(&words(&read));
    if read.rows.is_empty() {
        return Err(Failure::usage("no row could be read: nothing is kept"));
    }
    if !args.yes {
        let skip = if read.bad.is_empty() { "" } else { " --skip-bad" };
        out(&format!("\nNothing is kept yet: if this is right, add --yes{skip}"));
        return Ok(0);
    }
    if !read.bad.is_empty() && !args.skip_bad {
        return Err(Failure::usage(
            "nothing is kept, because some rows cannot be read: mend them, or leave them out with --skip-bad",
        ));
    }
    let source = short(args.source.trim(), 60);
    if source.is_empty() {
        return Err(Failure::usage("--source is empty: name the platform, like tiktok"));
    }
    let keep = |row: &Row| Imported {
        market: row.market.to_string(),
        at: row.at,
        minutes: row.minutes,
        viewers: row.viewers,
        orders: row.orders,
        source: source.clone(),
    };
    let rows: Vec<Imported> = read.rows.iter().map(keep).collect();
    let state = load::state_dir()?;
    std::fs::create_dir_all(&state).map_err(|e| {
        Failure::usage(format!(
            "{} cannot be made: {e}; it must be yours to write",
            state.display()
        ))
    })?;
    let changed = store::import(&state.join(store::FILE), &rows)
        .map_err(|e| Failure::usage(format!("nothing is kept: {e}")))?;
    out(&format!(
        "\nKept as {source}: {} new, {} corrected, {} as they were",
        changed.new, changed.corrected, changed.same
    ));
    Ok(0)
}

/// Reads a table for another subcommand: all its rows, as a history. What cannot be read is told. `market` is that of
/// rows that name none.
pub(super) fn history(
    file: &std::path::Path,
    market: Option<&str>,
    dates: Option<Dates>,
) -> Result<crate::planner::History, Failure> {
    let read = read(file, market, None, dates)?;
    if let Some(bad) = read.bad.first() {
        tell(&format!(
            "{}: {} of {} rows were not read and do not count, the first in line {}: {}",
            file.display(),
            read.bad.len(),
            read.bad.len() + read.duplicates + read.rows.len(),
            bad.line,
            bad.why
        ));
    }
    let mut history = crate::planner::History::new();
    for row in read.rows {
        row.add_to(&mut history);
    }
    Ok(history)
}

fn read(
    file: &std::path::Path,
    market: Option<&str>,
    zone: Option<&str>,
    dates: Option<Dates>,
) -> Result<table::Import, Failure> {
    let origin = file.display();
    let bytes = config::read_file(file, MOST).map_err(|why| {
        Failure::usage(match &why {
            Unreadable::TooLarge(most) => format!(
                "{origin} is larger than {} MiB: export a shorter time, and import one after the other",
                most >> 20
            ),
            Unreadable::Special(_) => {
                format!("{origin} cannot be read: {why}; save the table in a file first")
            }
            why => format!("{origin} cannot be read: {why}; check the path"),
        })
    })?;
    let (markets, now) = (load::markets()?, jiff::Timestamp::now());
    let market: Option<MarketId> =
        market.map(|name| load::market(name).map(|m| m.id)).transpose()?;
    let zone =
        zone.map(Zone::named).transpose().map_err(|e| Failure::usage(format!("--zone: {e}")))?;
    let dates = dates.map(|d| match d {
        Dates::Dmy => DateOrder::DayFirst,
        Dates::Mdy => DateOrder::MonthFirst,
    });
    table::read(&bytes, &Ask { markets: &markets, market, zone, dates, now: Some(now) })
        .map_err(|e| Failure::usage(format!("{origin}: {e}")))
}

/// What was understood.
fn words(read: &table::Import) -> String {
    let Mapping { form, columns, decimal_comma, dates, zone } = &read.mapping;
    let mut text = format!(
        "{form}: {} rows read, {} said twice, {} cannot be read\n",
        read.rows.len(),
        read.duplicates,
        read.bad.len()
    );
    // Writing to a String cannot fail.
    for column in columns {
        let role = column.role.map_or("(not used)", table::Role::name);
        let _ = writeln!(text, "  {:<32} {role}", short(&column.name, 32));
    }
    let _ = writeln!(
        text,
        "Numbers are written like {}.",
        if *decimal_comma { "1.234,5" } else { "1,234.5" }
    );
    match dates {
        Some(DateOrder::DayFirst) => text.push_str("Dates begin with the day.\n"),
        Some(DateOrder::MonthFirst) => text.push_str("Dates begin with the month.\n"),
        None => {}
    }
    if let Some(zone) = zone {
        let _ = writeln!(text, "Times without a zone are in {zone}, as the column says.");
    }
    let mut markets: BTreeMap<&MarketId, Vec<&Row>> = BTreeMap::new();
    for row in &read.rows {
        markets.entry(&row.market).or_default().push(row);
    }
    for (market, rows) in markets {
        let mut viewers: Vec<f32> = rows.iter().map(|r| r.viewers).collect();
        viewers.sort_by(f32::total_cmp);
        let (first, last) = (rows.iter().map(|r| r.at).min(), rows.iter().map(|r| r.at).max());
        let day = |at: Option<jiff::Timestamp>| {
            at.map_or(String::new(), |t| t.strftime("%Y-%m-%d").to_string())
        };
        let _ = writeln!(
            text,
            "{market:<6}{:>7} rows, {} to {} (UTC), viewers {:.0} to {:.0}, half of them below {:.0}",
            rows.len(),
            day(first),
            day(last),
            viewers.first().copied().unwrap_or(0.0),
            viewers.last().copied().unwrap_or(0.0),
            viewers.get(viewers.len() / 2).copied().unwrap_or(0.0)
        );
    }
    for bad in read.bad.iter().take(SHOWN) {
        let _ = writeln!(text, "line {}: {}", bad.line, bad.why);
    }
    if read.bad.len() > SHOWN {
        let _ = writeln!(text, "and {} more", read.bad.len() - SHOWN);
    }
    text
}
