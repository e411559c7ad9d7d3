//! `hawker chat-log`: the chat that is stored of shows, exported or erased by person.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};

use clap::Subcommand;
use jiff::Timestamp;

use super::{Failure, load, out, pick, shown, tell};
use crate::{
    base::text::{json, plain},
    chat::{
        Platform, Text,
        told::{COLUMNS, Row},
    },
    store::{self, Entry, Filter, Person, Shows, StoreError, Who},
};

/// Lines of chat are stored while a show runs (`hawker live`), for as many days as keep-days of each [[chat]] says.
/// `hawker chat` alone stores nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct ChatLog {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the chat of a show as JSON lines (`hawker print chat-schema`) or as CSV
    Export(Export),
    /// Remove all that is stored of a person, over all shows, from the file itself
    Erase(Erase),
}

#[derive(Debug, clap::Args)]
struct Export {
    /// A show's number, a part of its title (the newest such), or `last`
    #[arg(default_value = "last", conflicts_with = "all")]
    show: String,
    /// The chat of all shows, the oldest first
    #[arg(long)]
    all: bool,
    /// A table in place of JSON lines
    #[arg(long)]
    csv: bool,
    /// Of this source only, as the show calls it
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Of this person only: the platform, and the identifier, login or name there, as twitch:lan
    #[arg(long, value_name = "PLATFORM:WHO", value_parser = who)]
    user: Option<Who>,
    /// WHO in --user is the platform's identifier, and no name
    #[arg(long, requires = "user")]
    id: bool,
    /// Orders only
    #[arg(long)]
    orders: bool,
    /// Write telephone numbers out, which are masked otherwise
    #[arg(long)]
    phones: bool,
}

#[derive(Debug, clap::Args)]
struct Erase {
    /// The platform, and the identifier, login or name there, as twitch:lan
    #[arg(value_name = "PLATFORM:WHO", value_parser = who)]
    user: Who,
    /// WHO is the platform's identifier, and no name
    #[arg(long)]
    id: bool,
    /// Erase without asking
    #[arg(long)]
    yes: bool,
}

fn who(text: &str) -> Result<Who, String> {
    let how = "write the platform and the person as twitch:lan";
    let (platform, called) = text.split_once(':').ok_or(how)?;
    let called = Text::name(called).to_string();
    if platform.trim().is_empty() || called.is_empty() {
        return Err(how.into());
    }
    Ok(Who { platform: Platform::named(platform), called, is_id: false })
}

fn failed(error: StoreError) -> Failure {
    Failure::usage(error.to_string())
}

pub(crate) fn chat_log(args: &ChatLog) -> Result<u8, Failure> {
    match &args.what {
        What::Export(args) => export(args),
        What::Erase(args) => erase(args),
    }
}

fn open() -> Result<Shows, Failure> {
    let shows = Shows::open(&load::state_dir()?.join(store::FILE)).map_err(failed)?;
    // What has expired is not told any more, also where no show has run since. A database that a show is writing to
    // may be locked: it does this by itself.
    if let Err(error) = shows.expire_chats(Timestamp::now()) {
        tracing::warn!(%error, "old lines could not be removed");
    }
    Ok(shows)
}

/// The person who is meant.
fn one(shows: &Shows, who: &Who, is_id: bool) -> Result<Person, Failure> {
    let who = Who { is_id, ..who.clone() };
    let mut found = shows.people(&who).map_err(failed)?;
    match (found.pop(), found.is_empty()) {
        (Some(person), true) => Ok(person),
        (last, _) => {
            let list: Vec<String> = found.iter().chain(&last).map(line).collect();
            Err(Failure::usage(format!(
                "several people on {} are called '{}': name one by identifier, with --id\n{}",
                who.platform,
                plain(&who.called),
                list.join("\n")
            )))
        }
    }
}

fn line(person: &Person) -> String {
    let names: Vec<String> =
        person.names.iter().filter(|name| !name.is_empty()).map(|name| plain(name)).collect();
    format!(
        "  {:<24}  {}  ({} lines in {} shows)",
        person.id.as_deref().unwrap_or("no identifier"),
        names.join(", "),
        person.lines,
        person.shows
    )
}

fn export(args: &Export) -> Result<u8, Failure> {
    let shows = open()?;
    let people = match &args.user {
        Some(user) => Some(one(&shows, user, args.id)?.rows),
        None => None,
    };
    let numbers: Vec<i64> = if args.all {
        let rows = shows.since(Timestamp::MIN).map_err(failed)?;
        rows.iter().rev().map(|row| row.number).collect()
    } else {
        vec![shows.find(&args.show).map_err(failed)?]
    };
    let mut sources = Vec::new();
    for number in &numbers {
        sources.extend(shows.chat_sources(*number).map_err(failed)?);
    }
    if sources.is_empty() {
        let of = if args.all { "any show".to_owned() } else { format!("show {}", numbers[0]) };
        return Err(Failure::usage(format!(
            "no chat of {of} is stored: a show stores that of its [[chat]] tables whose keep-days is not 0, while it \
             is live"
        )));
    }
    if let Some(source) = args.source.as_ref().filter(|source| !sources.contains(source)) {
        sources.sort_unstable();
        sources.dedup();
        return Err(Failure::usage(format!(
            "no source is called '{}'; there is {}",
            plain(source),
            sources.join(", ")
        )));
    }
    let filter = Filter { source: args.source.clone(), people, orders: args.orders };
    let mut to = BufWriter::new(io::stdout().lock());
    let mut written = if args.csv { writeln!(to, "{}", COLUMNS.join(",")) } else { Ok(()) };
    for number in numbers {
        let each = |entry: Entry| {
            written = write_row(&mut to, row(entry, args.phones), args.csv);
            written.is_ok()
        };
        shows.chat(number, &filter, each).map_err(failed)?;
        if written.is_err() {
            break;
        }
    }
    match written.and_then(|()| to.flush()) {
        // A reader that has seen enough is no failure.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::usage(format!(
            "the export cannot be written: {error}; it is not complete"
        ))),
        _ => Ok(0),
    }
}

/// As it is printed.
fn row(entry: Entry, phones: bool) -> Row {
    let mut row = Row::of(&entry.told, entry.heard);
    match &mut row {
        Row::Message(message) => message.removed = entry.removed,
        Row::Hole { unstored, .. } => *unstored = entry.unstored,
        _ => {}
    }
    if phones { row } else { row.without_phones(&entry.told) }
}

fn write_row(to: &mut impl Write, row: Row, as_csv: bool) -> io::Result<()> {
    let text = if as_csv { row.csv() } else { json(&serde_json::to_string(&row)?) };
    writeln!(to, "{}", shown(&text))
}

fn erase(args: &Erase) -> Result<u8, Failure> {
    let shows = open()?;
    let person = one(&shows, &args.user, args.id)?;
    drop(shows);
    tell(&format!("stored of {}:\n{}", args.user.platform, line(&person)));
    if !args.yes && !asked()? {
        return Err(Failure::usage("nothing was erased; --yes erases without asking"));
    }
    let path = load::state_dir()?.join(store::FILE);
    let erased = store::erase(&path, &person).map_err(failed)?;
    out(&format!("{} lines were erased, and {} notes of removals", erased.lines, erased.notes));
    if !erased.is_rewritten {
        tell(
            "the lines are gone for hawker, but bytes of them may still lie in the file: another program has it open, \
             or its disk is full; erase again when no show runs",
        );
    }
    if !pick::all()?.is_empty() {
        tell("a show is running: what the person writes from now on is stored again");
    }
    Ok(0)
}

/// Whether the operator wants it.
fn asked() -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    tell("erase this for good? y/N");
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|e| Failure::usage(format!("the answer cannot be read: {e}; add --yes")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_named_by_platform_and_name() {
        let lan = who("Twitch:Lan: the second").unwrap();
        assert_eq!((lan.platform, lan.called.as_str()), (Platform::TWITCH, "Lan: the second"));
        for wrong in ["lan", ":lan", "twitch:", "twitch: \u{7}", ""] {
            assert!(who(wrong).unwrap_err().contains("twitch:lan"), "{wrong}");
        }
    }
}
