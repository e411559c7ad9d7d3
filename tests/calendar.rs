//! The calendar of an accepted plan is opened by two readers that are not ours, `icalendar` and `vobject` (Python;
//! `script/setup --dev` installs them), and one that `icalendar` wrote is heeded by the planner.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says it by failing")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn hawker(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hawker"));
        for name in ["CONFIG", "STATE", "CACHE"] {
            command.env(format!("HAWKER_{name}_DIR"), self.path(&name.to_lowercase()));
        }
        let output = command.args(args).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_slice(&self.hawker(args).stdout).unwrap()
    }
}

/// What the two readers found; with `written`, `icalendar` also writes a calendar there.
fn readers(ics: &Path, written: Option<&Path>) -> Vec<Value> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calendar/readers.py");
    let mut command = Command::new(target.join("calendars/bin/python"));
    command.arg(script).arg(ics).args(written);
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("the readers are not installed: {e}. Run script/setup --dev"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_exported_calendar_opens_right_in_two_readers() {
    let place = Place::new();
    let example = String::from_utf8(place.hawker(&["print", "plan-example"]).stdout).unwrap();
    let plan = example
        .replace("Shenzhen to", "深圳; \\\"spring\\\", to")
        .replace("weeks = 1", "weeks = 2");
    std::fs::write(place.path("plan.toml"), plan).unwrap();
    let kept = place.json(&["plan", "accept", "--quick", "--json", "--week", "2027-W10"]);
    place.hawker(&["plan", "export", "--ics", "plan.ics"]);
    let slots = kept["plan"]["slots"].as_array().unwrap();
    assert!(slots.len() > 8, "{}", slots.len());
    let found = readers(&place.path("plan.ics"), None);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0], found[1]);
    let events = found[0].as_array().unwrap();
    assert_eq!(events.len(), slots.len());
    for slot in slots {
        let start = slot["start"].as_str().unwrap();
        let host = slot["host"].as_str().unwrap();
        let same = |e: &&Value| {
            e["start"] == start && e["title"].as_str().unwrap().ends_with(&format!("({host})"))
        };
        let event = events.iter().find(same).unwrap_or_else(|| panic!("no event at {start}"));
        let end: jiff::Timestamp = event["end"].as_str().unwrap().parse().unwrap();
        let start: jiff::Timestamp = start.parse().unwrap();
        assert_eq!(end.duration_since(start).as_mins(), slot["minutes"].as_i64().unwrap());
        let markets: Vec<&str> = slot["airings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a["market"].as_str().unwrap())
            .collect();
        let categories: Vec<&str> =
            event["categories"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
        assert_eq!(categories, markets);
        assert_eq!(event["text"].as_str().unwrap().lines().count(), markets.len());
    }
}

#[test]
fn a_calendar_of_others_is_heeded() {
    let place = Place::new();
    std::fs::write(
        place.path("nothing.ics"),
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:0\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART:20270301T000000Z\r\nDTEND:20270301T010000Z\r\nSUMMARY:x\r\nDESCRIPTION:x\r\nCATEGORIES:x\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n",
    )
    .unwrap();
    readers(&place.path("nothing.ics"), Some(&place.path("team.ics")));
    let plan = "title = \"x\"\nhome-zone = \"America/New_York\"\nlengths = [30]\nbusy = \"team.ics\"\n\
                [[market]]\nid = \"US-E\"\ngap-hours = 0\n\
                [[host]]\nid = \"ann\"\nlanguages = [\"en\"]\nhours = [\"daily 09:00-12:00\"]\n\
                day-hours = 3\nrest-minutes = 0\n";
    std::fs::write(place.path("plan.toml"), plan).unwrap();
    let made = place.json(&["plan", "--json", "--week", "2027-W10"]);
    let mut free: Vec<String> = made["plan"]["slots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|slot| {
            let at: jiff::Timestamp = slot["start"].as_str().unwrap().parse().unwrap();
            at.in_tz("America/New_York").unwrap().strftime("%a %H:%M").to_string()
        })
        .collect();
    free.sort();
    // On Tuesday the meeting is called off, on Thursday it leaves an hour and a half; the weekend is off.
    let day = |name: &str| free.iter().filter(|slot| slot.starts_with(name)).count();
    assert_eq!(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].map(day), [6, 6, 6, 3, 6, 0, 0]);
    assert!(free.iter().all(|s| !["Thu 09:30", "Thu 10:00", "Thu 10:30"].contains(&s.as_str())));
}
