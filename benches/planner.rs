//! What the planner takes, against its bars: the forecast of 18 markets for 8 weeks (200 ms), the import of a messy
//! table of 100,000 rows (1 s), and the schedule of 18 markets, 5 hosts, 2 studios and 2 weeks (5 s, twice that
//! without optimisation; 200 ms if quick; proven to be within a hundredth of the best), mending it (200 ms), and a key in
//! the planner's pane with what is drawn (16 ms). `cargo bench --bench planner`; it prints one line each, and fails on a
//! bar that is missed. `cargo bench --bench planner -- shipped` does the schedule alone.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and may fail")]

#[path = "../tests/forecast/synthetic.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod synthetic;

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use hawker::{
    config::{self, Dirs},
    console::planner::{Bare, Opened},
    market::{Market, local::plus_hours},
    planner::{
        Model,
        import::{Ask, read},
        schedule::{Effort, Plan, Task, repair, solve},
    },
};
use jiff::Timestamp;

const TURNS: usize = 5;

/// Whether a bar was missed; the rest is measured all the same.
static MISSED: AtomicBool = AtomicBool::new(false);

/// So many histories are made up for the schedule.
const HISTORIES: u64 = 3;

fn main() {
    measure();
    assert!(!MISSED.load(Ordering::Relaxed), "a bar was missed");
}

fn measure() {
    let dirs = Dirs::below(std::path::Path::new("/nowhere/at/all"));
    let markets = config::load_markets(&dirs).unwrap();
    let all: Vec<&Market> = markets.iter().collect();
    let begin: Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
    let shape = synthetic::Shape { weeks: 52, shows: 6, ..synthetic::STABLE };
    let from = plus_hours(begin, 52 * 168);
    let day = from.to_zoned(jiff::tz::TimeZone::UTC).date();
    for seed in 1..=HISTORIES {
        let (history, _) = synthetic::history(&all, begin, shape, seed);
        shipped(&markets, &Model::fit(&all, &history), &dirs, (day, seed));
    }
    if std::env::args().any(|arg| arg == "shipped") {
        return;
    }
    let (history, _) = synthetic::history(&all, begin, shape, 1);
    let forecast = median(|| {
        let model = Model::fit(&all, &history);
        let hours: usize = all
            .iter()
            .filter_map(|m| model.outlook(&m.id, from, 8 * 168))
            .map(|outlook| outlook.hours.len())
            .sum();
        assert_eq!(hours, 18 * 8 * 168);
    });
    report("forecast of 18 markets, 8 weeks", history.len(), "aired hours", forecast, 200);

    let table = messy(100_000);
    let ask = Ask { markets: &markets, ..Ask::default() };
    let import = median(|| {
        let import = read(table.as_bytes(), &ask).unwrap();
        let told = import.rows.len() + import.bad.len() + import.duplicates;
        assert_eq!(told, 100_000);
        assert!(!import.bad.is_empty() && import.duplicates > 0);
    });
    report("reading a messy table", 100_000, "rows", import, 1000);
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("shows.db");
    let rows: Vec<_> = read(table.as_bytes(), &ask)
        .unwrap()
        .rows
        .into_iter()
        .map(|row| hawker::store::Imported {
            market: row.market.to_string(),
            at: row.at,
            minutes: row.minutes,
            viewers: row.viewers,
            orders: row.orders,
            source: "import".into(),
        })
        .collect();
    let begun = Instant::now();
    let changed = hawker::store::import(&path, &rows).unwrap();
    let kept = begun.elapsed();
    report("reading and keeping it", changed.new, "rows", import + kept, 1000);
}

/// Five hosts around the world, who speak all the languages of the 18 markets but a few.
const HOSTS: [(&str, &str, &str, &str); 5] = [
    ("lin", "Asia/Shanghai", "\"en\", \"zh\", \"ja\"", "daily 08:00-24:00"),
    ("maya", "Asia/Bangkok", "\"th\", \"en\", \"vi\", \"id\"", "daily 09:00-02:00"),
    ("ana", "Europe/Madrid", "\"es\", \"pt\", \"en\"", "daily 12:00-04:00"),
    ("omar", "Asia/Dubai", "\"ar\", \"en\", \"fr\"", "daily 14:00-01:00"),
    ("kim", "Asia/Seoul", "\"ko\", \"ja\", \"en\", \"de\"", "mon-fri 10:00-23:00"),
];

/// The schedule of the shipped markets after a made-up history, quickly and fully.
fn shipped(
    markets: &[Market],
    model: &Model<'_>,
    dirs: &Dirs,
    (day, seed): (jiff::civil::Date, u64),
) {
    let mut text = String::from(
        "title = \"x\"\nhome-zone = \"Asia/Shanghai\"\nweeks = 2\nstudios = 2\nbudget-hours = 60\n\
         most-markets = 4\nexplore-permille = 100\n",
    );
    for market in markets {
        let _ = writeln!(text, "[[market]]\nid = \"{}\"", market.id);
    }
    for (name, zone, languages, hours) in HOSTS {
        let _ = writeln!(
            text,
            "[[host]]\nid = \"{name}\"\nzone = \"{zone}\"\nlanguages = [{languages}]\nhours = [\"{hours}\"]"
        );
    }
    let wish = config::parse_plan(&text, "plan", std::path::Path::new(""), dirs).unwrap();
    let (from, hours) = wish.span(day);
    let known: Vec<_> =
        markets.iter().map(|m| (m.clone(), model.outlook(&m.id, from, hours).unwrap())).collect();
    let task = wish.task(from, &known);
    for (effort, bar) in
        [(Effort::Quick, 200), (Effort::Full, if cfg!(debug_assertions) { 10_000 } else { 5000 })]
    {
        let begun = Instant::now();
        let plan = solve(&task, effort);
        let took = begun.elapsed();
        let gap = plan.gap() * 100.0;
        let what = format!("shipped {seed}, {effort:?}, within {gap:.2} %");
        report(&what, plan.slots.len(), "shows", took, bar);
        assert!(effort == Effort::Quick || gap <= 1.0, "{gap:.2} % from the best at most");
        mended(&task, &plan, seed);
        if effort == Effort::Full {
            pane(task.clone(), plan, from);
        }
    }
}

/// A plan of which a host leaves, mended.
fn mended(task: &Task, plan: &Plan, seed: u64) {
    let mut task = task.clone();
    task.hosts.remove(1);
    let mended = median(|| assert!(!repair(&task, plan, plan.from).moves.is_empty()));
    let repaired = repair(&task, plan, plan.from);
    let what = format!("mended {seed}, {:.0} of {:.0}", repaired.plan.worth, plan.worth);
    report(&what, repaired.moves.len(), "moves", mended, 200);
}

/// A key in the planner's pane, with all the drawing that follows.
fn pane(task: Task, plan: Plan, now: Timestamp) {
    let opened = Opened {
        title: "x".into(),
        origin: "plan.toml".into(),
        task,
        plan: Some(plan),
        draft: None,
        notes: Vec::new(),
    };
    let mut pane = Bare::new(opened, now, (160, 50));
    let mut times = Vec::new();
    // Walk, move, lengthen, choose a host and markets, add, take away, take back, look at another market.
    for key in "\tJ\tK\tL\tH+-h\x1bm\x1blljjjaxuuUve\x1b".chars().cycle().take(290) {
        let begun = Instant::now();
        pane.press(key);
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let (middle, worst) = (times[times.len() / 2], times[times.len() - 1]);
    report("a key in the pane of 160x50", pane.shows(), "shows", middle, 16);
    report("the slowest of 290 keys", pane.shows(), "shows", worst, 16);
}

/// A table with a mark, semicolons, local decimals, mixed zones, duplicates and rows that make no sense.
fn messy(rows: usize) -> String {
    let names = ["TH", "Thailand", "ID", "泰国", "DE", "us-e", "BR"];
    let zones = ["", "UTC", "+07:00", "Asia/Bangkok", "GMT+8", "America/New_York"];
    let begin: Timestamp = "2015-01-01T00:00:00Z".parse().unwrap();
    let mut text =
        String::from("\u{feff}Date;Start Time;Time zone;Country;Avg. viewers;Orders;Remark\n");
    for n in 0..rows {
        // Every fiftieth says what the one before it says.
        let n = if n % 50 == 49 { n - 1 } else { n };
        let at = plus_hours(begin, n as i64).to_zoned(jiff::tz::TimeZone::UTC);
        let (day, time) = (at.strftime("%d.%m.%Y"), at.strftime("%H:%M"));
        let viewers = match n % 97 {
            0 => "many".to_owned(),
            k if k % 2 == 0 => format!("1.{:03},{}", n % 1000, k % 10),
            k => format!("{},{k:02}", n % 1000),
        };
        let zone = zones[n / 7 % zones.len()];
        let _ = writeln!(
            text,
            "{day};{time};{zone};{};{viewers};{};\"a; b\"",
            names[n % names.len()],
            n % 40
        );
    }
    text
}

/// The time in the middle of some turns.
fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..TURNS)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[TURNS / 2]
}

fn report(what: &str, n: usize, of: &str, took: Duration, bar_ms: u128) {
    let ms = took.as_secs_f64() * 1000.0;
    let missed = took.as_millis() > bar_ms;
    let mark = if missed { ": missed" } else { "" };
    println!("{what:<34} {n:>7} {of:<12} {ms:>7.1} ms  (bar {bar_ms} ms{mark})");
    MISSED.fetch_or(missed, Ordering::Relaxed);
}
