//! Where a plan comes from: its file, the markets, and what is expected of them.

use std::path::{Path, PathBuf};

use jiff::{Timestamp, civil::Date};

use super::{Make, accepted};
use crate::{
    cli::{
        Failure,
        load::{self, dirs},
        tell,
    },
    config::{self, PLAN_EXAMPLES},
    market::{Market, MarketId, local::plus_hours},
    planner::{
        History, Model, Outlook,
        export::{Accepted, VERSION},
        schedule::{Plan, Task},
        segments::segments,
        wish::Wish,
    },
};

/// `2027-W10`: its Monday.
pub(super) fn week(text: &str) -> Result<Date, String> {
    let how = || format!("'{text}' is no week: write it as 2027-W10");
    let (year, number) = text.split_once("-W").or_else(|| text.split_once("-w")).ok_or_else(how)?;
    let (year, number) = (year.parse().map_err(|_| how())?, number.parse().map_err(|_| how())?);
    let monday = jiff::civil::ISOWeekDate::new(year, number, jiff::civil::Weekday::Monday);
    monday.map(jiff::civil::ISOWeekDate::date).map_err(|_| how())
}

/// What is different in the other plan.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// As it was written.
    pub text: String,
    what: Different,
}

#[derive(Debug, Clone)]
enum Different {
    Without(String),
    Budget(u32),
    Studios(u32),
    File(PathBuf),
}

/// `without=lin`, `budget=30`, `studios=2`, `file=other.toml`.
pub(super) fn change(text: &str) -> Result<Change, String> {
    let how = "write without=NAME (a host or a market), budget=HOURS, studios=N or file=FILE";
    let (what, value) = text.split_once('=').ok_or(how)?;
    let what = match what {
        "without" => Different::Without(value.to_owned()),
        "budget" => {
            let hours: f32 = value.trim_end_matches('h').parse().map_err(|_| how)?;
            let fits = (0.0..=5000.0).contains(&hours);
            Different::Budget(fits.then_some((hours * 60.0).round() as u32).ok_or(how)?)
        }
        "studios" => {
            let studios = value.parse().ok().filter(|n| (1..=50).contains(n));
            Different::Studios(studios.ok_or(how)?)
        }
        "file" => Different::File(value.into()),
        _ => return Err(how.into()),
    };
    Ok(Change { text: text.to_owned(), what })
}

/// All that a plan is made from.
pub(super) struct Source {
    pub wish: Wish,
    /// No file was there.
    pub example: bool,
    file: Option<PathBuf>,
    from: Timestamp,
    known: Vec<(Market, Outlook)>,
    /// What of it was left out, a sentence each.
    pub notes: Vec<String>,
}

/// The plan file, when there is one.
fn find(named: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    if let Some(path) = named {
        return Ok(Some(path.to_owned()));
    }
    let usual = [PathBuf::from("plan.toml"), dirs()?.config.join("plan.toml")];
    Ok(usual.into_iter().find(|path| path.exists()))
}

fn wish(file: Option<&Path>, notes: &mut Vec<String>) -> Result<Wish, Failure> {
    let dirs = dirs()?;
    let wish = match file {
        Some(path) => config::load_plan(path, &dirs),
        None => {
            config::parse_plan(PLAN_EXAMPLES[0].1, "(built in) example.toml", Path::new(""), &dirs)
        }
    };
    let wish = wish.map_err(|e| Failure::usage(e.to_string()))?;
    for (host, calendar) in &wish.calendars {
        for note in &calendar.notes {
            let whose = host.as_deref().unwrap_or("the team");
            notes.push(format!("calendar of {whose}: {note}"));
        }
    }
    Ok(wish)
}

/// What the calendars have in the plan's weeks beyond what is taken from one.
fn left_out(wish: &Wish, day: Date) -> Vec<String> {
    let (from, hours) = wish.span(day);
    // As far as `Wish::task` looks, or a little farther.
    let to = plus_hours(from, i64::try_from(hours).unwrap_or(0) + 24);
    let notes = wish.calendars.iter().filter_map(|(host, calendar)| {
        let whose = host.as_deref().unwrap_or("the team");
        Some(format!("calendar of {whose}: {}", calendar.left_out(from, to)?))
    });
    notes.collect()
}

/// What is known of the own shows. A plan can be made without.
fn history(notes: &mut Vec<String>) -> History {
    let kept = super::history::kept().unwrap_or_else(|failure| {
        notes.push(format!("the own shows are left out of it: {}", failure.text));
        History::new()
    });
    // A clock that was wrong may have kept shows of the future.
    kept.before(Timestamp::now())
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A day of the next week, at home.
fn next_week(wish: &Wish) -> Date {
    let today = wish.home.clock(Timestamp::now()).date();
    today.checked_add(jiff::SignedDuration::from_hours(7 * 24)).unwrap_or(today)
}

/// How many weeks a plan has.
fn weeks_of(kept: &Accepted) -> u32 {
    let days = kept.plan.to.duration_since(kept.plan.from).as_hours() / 24;
    u32::try_from((days + 3) / 7).unwrap_or(1).clamp(1, 8)
}

impl Source {
    /// By the command line.
    pub(super) fn read(args: &Make) -> Result<Self, Failure> {
        let (file, mut notes) = (find(args.file.as_deref())?, Vec::new());
        let mut wish = wish(file.as_deref(), &mut notes)?;
        wish.weeks = args.weeks.unwrap_or(wish.weeks);
        if let Some(id) = args.market.iter().find(|id| wish.markets.iter().all(|m| m.id != **id)) {
            let has: Vec<&str> = wish.markets.iter().map(|m| m.id.as_str()).collect();
            return Err(Failure::usage(format!(
                "--market {id}: the plan has no such market; it has {}",
                has.join(", ")
            )));
        }
        if !args.market.is_empty() {
            wish = wish.narrowed(&args.market);
        }
        let day = args.week.unwrap_or_else(|| next_week(&wish));
        Ok(Self::new(wish, file, day, notes)?.told())
    }

    /// To be edited: with the accepted plan and what was put aside, as far as they are of this file and these weeks.
    pub(super) fn edited(
        args: &Make,
        now: Timestamp,
    ) -> Result<(Self, [Option<Accepted>; 2]), Failure> {
        let mut notes = Vec::new();
        let kept = accepted::load().map_err(|failure| notes.push(failure.text)).ok();
        if !accepted::is_there() {
            notes.clear();
        }
        let ahead = kept.as_ref().filter(|kept| kept.plan.to > now);
        let file = match (&args.file, ahead.and_then(|kept| kept.file.as_ref())) {
            (None, Some(file)) if Path::new(file).exists() => Some(PathBuf::from(file)),
            _ => find(args.file.as_deref())?,
        };
        let name = file.as_ref().map(|path| absolute(path).display().to_string());
        let same = ahead.filter(|kept| kept.file == name);
        let mut wish = wish(file.as_deref(), &mut notes)?;
        let day = args.week.or(same.map(|kept| kept.home.clock(kept.plan.from).date()));
        let day = day.unwrap_or_else(|| next_week(&wish));
        let weeks = same.filter(|_| args.week.is_none()).map(weeks_of);
        wish.weeks = args.weeks.or(weeks).unwrap_or(wish.weeks);
        let mut source = Self::new(wish, file, day, notes)?;
        let mut aside = accepted::aside();
        if let Some(other) = aside.take_if(|aside| !source.is_of(aside)) {
            let from = other.home.clock(other.plan.from).date();
            let name = other.file.as_deref().unwrap_or("the example");
            source.notes.push(format!(
                "there are unsaved edits of {name}, from {from} on: saving here drops them; name that file to \
                 take them up"
            ));
        }
        Ok((source, [kept, aside]))
    }

    /// Whether a plan is of this file and begins with these weeks.
    pub(super) fn is_of(&self, kept: &Accepted) -> bool {
        let name = self.file.as_ref().map(|path| path.display().to_string());
        kept.file == name && kept.plan.from == self.from
    }

    /// The plan file's name, for the eye.
    pub(super) fn origin(&self) -> String {
        let name = self.file.as_ref().map(|path| path.display().to_string());
        name.unwrap_or_else(|| "the example".into())
    }

    /// What was left out is told.
    fn told(self) -> Self {
        for note in &self.notes {
            tell(note);
        }
        self
    }

    /// As the accepted plan was made.
    pub(super) fn of(kept: &Accepted) -> Result<Self, Failure> {
        let file = kept.file.as_ref().map(PathBuf::from);
        let mut notes = Vec::new();
        let mut wish = wish(file.as_deref(), &mut notes)?;
        wish.weeks = weeks_of(kept);
        let markets: Vec<MarketId> = kept.zones.keys().filter_map(|id| id.parse().ok()).collect();
        let day = kept.home.clock(kept.plan.from).date();
        Ok(Self::new(wish.narrowed(&markets), file, day, notes)?.told())
    }

    fn new(
        wish: Wish,
        file: Option<PathBuf>,
        day: Date,
        mut notes: Vec<String>,
    ) -> Result<Self, Failure> {
        let (from, hours) = wish.span(day);
        notes.extend(left_out(&wish, day));
        let all = load::markets()?;
        let wanted: Vec<&Market> =
            all.iter().filter(|m| wish.markets.iter().any(|w| w.id == m.id)).collect();
        let history = history(&mut notes);
        let model = Model::fit(&wanted, &history);
        let known = wanted
            .iter()
            .filter_map(|m| Some(((*m).clone(), model.outlook(&m.id, from, hours)?)))
            .collect();
        let file = file.map(|path| absolute(&path));
        Ok(Self { example: file.is_none(), file, wish, from, known, notes })
    }

    /// The task of the planner.
    pub(super) fn task(&self) -> Task {
        self.wish.task(self.from, &self.known)
    }

    /// The same with something else in it.
    pub(super) fn changed(&self, change: &Change) -> Result<Self, Failure> {
        let (mut wish, file) = (self.wish.clone(), self.file.clone());
        match &change.what {
            Different::Without(name) => {
                let id: Option<MarketId> = name.parse().ok();
                let (hosts, markets) = (wish.hosts.len(), wish.markets.len());
                wish.hosts.retain(|host| host.name != *name);
                wish.locks.retain(|lock| lock.host != *name);
                let rest: Vec<MarketId> = wish
                    .markets
                    .iter()
                    .map(|m| m.id.clone())
                    .filter(|m| Some(m) != id.as_ref())
                    .collect();
                if wish.hosts.len() == hosts {
                    wish = wish.narrowed(&rest);
                    if wish.markets.len() == markets {
                        return Err(Failure::usage(format!(
                            "--what-if without={name}: the plan has no such host and no such market"
                        )));
                    }
                }
            }
            Different::Budget(minutes) => wish.rules.budget_min = Some(*minutes),
            Different::Studios(studios) => wish.rules.studios = *studios,
            Different::File(path) => {
                let mut notes = Vec::new();
                let mut other = self::wish(Some(path), &mut notes)?;
                other.weeks = self.wish.weeks;
                let day = other.home.clock(self.from).date();
                return Ok(Self::new(other, Some(path.clone()), day, notes)?.told());
            }
        }
        let day = wish.home.clock(self.from).date();
        // What is left out was told already.
        Self::new(wish, file, day, Vec::new())
    }

    /// The plan with what it takes to show it.
    pub(super) fn accepted(&self, plan: &Plan, at: Timestamp) -> Accepted {
        Accepted {
            version: VERSION,
            title: self.wish.title.clone(),
            home: self.wish.home.clone(),
            zones: self
                .known
                .iter()
                .map(|(market, _)| (market.id.to_string(), market.zone().clone()))
                .collect(),
            at,
            file: self.file.as_ref().map(|path| path.display().to_string()),
            segments: plan.slots.iter().map(|slot| segments(slot, &self.known)).collect(),
            plan: plan.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Dirs;
    use crate::planner::calendar;

    #[test]
    fn a_calendar_with_too_much_is_told_with_its_owner() {
        let dirs = Dirs::below(Path::new("/dev/null"));
        let mut wish =
            config::parse_plan(PLAN_EXAMPLES[0].1, "plan.toml", Path::new(""), &dirs).unwrap();
        let times = "DTSTART:20270101T080000Z\nDURATION:PT1M\nRRULE:FREQ=DAILY\n";
        let events = format!("BEGIN:VEVENT\n{times}END:VEVENT\n").repeat(4000);
        let text = format!("BEGIN:VCALENDAR\n{events}");
        wish.calendars.push((Some("lin".into()), calendar::read(&text, &wish.home)));
        let told = left_out(&wish, jiff::civil::date(2027, 3, 10));
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("calendar of lin: it has more than 20000"), "{told:?}");
        // Before it begins nobody is busy.
        assert!(left_out(&wish, jiff::civil::date(2026, 3, 10)).is_empty());
    }

    #[test]
    fn weeks_and_changes_are_read() {
        assert_eq!(week("2027-W10"), Ok(jiff::civil::date(2027, 3, 8)));
        assert_eq!(week("2026-w53"), Ok(jiff::civil::date(2026, 12, 28)));
        for wrong in ["10", "2027-W54", "2027-10", "W10", ""] {
            assert!(week(wrong).unwrap_err().contains("2027-W10"), "{wrong}");
        }
        assert!(matches!(change("budget=30h").unwrap().what, Different::Budget(1800)));
        assert!(matches!(change("studios=2").unwrap().what, Different::Studios(2)));
        for wrong in ["budget", "budget=many", "studios=0", "with=x"] {
            assert!(change(wrong).unwrap_err().contains("without=NAME"), "{wrong}");
        }
    }
}
