//! Plan files, good and bad.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::config::schema::plan::plan_schema;

fn read(text: &str) -> Result<Wish, Diagnostics> {
    parse_plan(text, "plan.toml", Path::new("/nowhere"), &Dirs::below(Path::new("/dev/null")))
}

fn keys(value: &serde_json::Value) -> BTreeSet<String> {
    value["properties"].as_object().unwrap().keys().cloned().collect()
}

fn set(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|k| (*k).to_owned()).collect()
}

#[test]
fn the_schema_has_the_keys_the_reader_has() {
    let schema = plan_schema();
    assert_eq!(keys(&schema), set(&PLAN_KEYS));
    assert_eq!(keys(&schema["$defs"]["MarketForm"]), set(&MARKET_KEYS));
    assert_eq!(keys(&schema["$defs"]["HostForm"]), set(&host::HOST_KEYS));
    assert_eq!(keys(&schema["$defs"]["LockForm"]), set(&LOCK_KEYS));
}

#[test]
fn the_example_reads_with_every_line_that_is_commented_out() {
    let (_, text) = PLAN_EXAMPLES[0];
    let wish = read(text).unwrap();
    assert_eq!((wish.markets.len(), wish.hosts.len(), wish.locks.len()), (5, 2, 0));
    assert_eq!(wish.rules.budget_min, Some(20 * 60));
    let more: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(l) if (l.contains(" = ") || l.starts_with("[[")) && !l.contains(".ics") => l,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n");
    let wish = read(&more).unwrap();
    assert_eq!(wish.hosts[0].away.len(), 1);
    assert_eq!(wish.locks[0].start.to_string(), "2027-03-10T12:00:00Z");
}

#[test]
fn every_problem_is_found_in_one_pass_with_its_place() {
    let text = r#"titel = "x"
home-zone = "Shanghai"
weeks = 9
lengths = [50]
busy = "none.ics"
[[market]]
id = "TH"
[[market]]
id = "th"
[[market]]
id = "T-H"
weigth = 2
[[host]]
id = "lin"
zone = "Asia/Bangkock"
languages = ["english", "th"]
hours = ["mon-fri 9 to 5"]
away = ["2027-03-14..2027-03-10"]
[[lock]]
start = "2027-03-10 20:00"
minutes = 90
host = "lim"
markets = ["SG"]
"#;
    let problems = read(text).unwrap_err().to_string();
    for part in [
        "plan.toml:1:1: the plan has no key \"titel\"",
        "did you mean \"title\"?",
        "plan.toml:2:13: the tz database has no zone \"Shanghai\"",
        "did you mean \"Asia/Shanghai\"?",
        "plan.toml:3:9: weeks is out of range",
        "plan.toml:4:12: a length is a multiple of 15 minutes",
        "plan.toml:5:8: the calendar \"none.ics\" is of no use: there is no such file",
        "plan.toml:9:6: TH is there already",
        "plan.toml:11:6: no market is called \"T-H\"",
        "did you mean \"weight\"?",
        "did you mean \"Asia/Bangkok\"?",
        "plan.toml:16:14: \"english\" is not read",
        "plan.toml:17:10: \"mon-fri 9 to 5\" is not read",
        "plan.toml:18:9: \"2027-03-14..2027-03-10\" is not read",
        "plan.toml:22:8: no host is called \"lim\"",
        "did you mean \"lin\"?",
        "plan.toml:23:12: the plan has no market \"SG\"",
    ] {
        assert!(problems.contains(part), "{part}\n\n{problems}");
    }
}

#[test]
fn a_time_that_does_not_exist_is_refused() {
    let text = PLAN_EXAMPLES[0].1.replace("Asia/Shanghai", "America/New_York")
        + "[[lock]]\nstart = \"2027-03-14 02:30\"\nminutes = 60\nhost = \"lin\"\nmarkets = [\"GB\"]\n";
    let problems = read(&text).unwrap_err().to_string();
    assert!(problems.contains("2027-03-14 02:30 does not exist"), "{problems}");
    let twice = text.replace("2027-03-14 02:30", "2027-11-07 01:30");
    let problems = read(&twice).unwrap_err().to_string();
    assert!(problems.contains("2027-11-07 01:30 happens twice"), "{problems}");
    // A lock has no offset that could be written.
    assert!(problems.contains("before or after that hour") && !problems.contains("offset"));
}

#[test]
fn a_lock_names_a_market_once_and_none_is_dropped_in_silence() {
    let lock = "[[lock]]\nstart = \"2027-03-10 20:00\"\nminutes = 60\nhost = \"lin\"\n";
    let text = format!("{}\n{lock}markets = [\"GB\", \"TH\", \"GB\"]\n", PLAN_EXAMPLES[0].1);
    let problems = read(&text).unwrap_err().to_string();
    assert!(problems.contains("the show has the market GB already"), "{problems}");
    let locks = |count: usize| {
        let locks = format!("{lock}markets = [\"GB\"]\n").repeat(count);
        read(&format!("{}\n{locks}", PLAN_EXAMPLES[0].1))
    };
    assert_eq!(locks(500).unwrap().locks.len(), 500);
    let problems = locks(501).unwrap_err().to_string();
    assert!(problems.contains("there are 501 locks"), "{problems}");
}

#[test]
fn a_calendar_is_read_from_the_folder_of_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let ics = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20270310T200000\nDURATION:PT1H\nEND:VEVENT\nEND:VCALENDAR\n";
    std::fs::write(folder.path().join("team.ics"), ics).unwrap();
    let text = PLAN_EXAMPLES[0].1.replace("# busy =", "busy =");
    std::fs::write(folder.path().join("plan.toml"), text).unwrap();
    let dirs = Dirs::below(folder.path());
    let wish = load_plan(&folder.path().join("plan.toml"), &dirs).unwrap();
    assert_eq!(wish.calendars[0].1.events(), 1);
    std::fs::write(folder.path().join("team.ics"), "hello").unwrap();
    let problems = load_plan(&folder.path().join("plan.toml"), &dirs).unwrap_err().to_string();
    assert!(problems.contains("this is no iCalendar"), "{problems}");
}

proptest! {
    #[test]
    fn any_change_to_a_plan_is_read_or_explained(at in 0_usize..2600, cut in 0_usize..12, put in "[\\PC]{0,6}|\"|\\[\\[lock\\]\\]\n|-1|99999999999|\u{1b}") {
        let text = PLAN_EXAMPLES[0].1;
        let edge = |mut i: usize| { i = i.min(text.len()); while !text.is_char_boundary(i) { i += 1; } i };
        let text = format!("{}{put}{}", &text[..edge(at)], &text[edge(at + cut)..]);
        if let Err(problems) = read(&text) {
            let shown = problems.to_string();
            prop_assert!(!problems.is_empty() && !shown.contains(|c: char| c.is_control() && c != '\n'));
        }
    }
}
