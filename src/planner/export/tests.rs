//! What other programs get.

use super::*;
use crate::planner::{
    Reason,
    schedule::{Effort, Slot},
    segments::Kind,
};

fn airing(market: &str, leads: bool) -> Airing {
    Airing {
        market: market.into(),
        leads,
        repeat: false,
        viewers: 85.0,
        low: 28.4,
        high: 255.0,
        worth: 127.5,
        reasons: vec![Reason::Prior, Reason::SaleDay("=cmd|' /C calc'!A0".into())],
    }
}

pub(crate) fn accepted() -> Accepted {
    let slot = |start: &str, host: &str| Slot {
        start: start.parse().unwrap(),
        minutes: 90,
        host: host.into(),
        airings: vec![airing("TH", true), airing("US-E", false)],
        locked: false,
        exploration: true,
    };
    let zone = |name: &str| Zone::named(name).unwrap();
    let zones = [("TH", "Asia/Bangkok"), ("US-E", "America/New_York")];
    Accepted {
        version: VERSION,
        title: "Spring; 50 % off, \"now\" | 直播".into(),
        home: zone("America/New_York"),
        zones: zones.map(|(id, name)| (id.to_owned(), zone(name))).into(),
        at: "2027-03-01T00:00:00Z".parse().unwrap(),
        file: None,
        plan: Plan {
            from: "2027-03-08T05:00:00Z".parse().unwrap(),
            to: "2027-03-15T04:00:00Z".parse().unwrap(),
            slots: vec![
                slot("2027-03-10T12:00:00Z", "lin"),
                slot("2027-03-14T12:00:00Z", "@fon"),
                // Half past one comes twice in New York; this is the second time.
                slot("2027-11-07T06:30:00Z", "lin"),
            ],
            worth: 1.0,
            bound: 1.0,
            effort: Effort::Full,
            explore_min: (0, 0),
            notes: Vec::new(),
        },
        segments: Vec::new(),
    }
}

#[test]
fn a_cell_is_no_formula() {
    assert_eq!(csv_field("=1+1"), "'=1+1");
    assert_eq!(csv_field(" @sum"), "' @sum");
    assert_eq!(csv_field("a,\"b\"\n"), "\"a,\"\"b\"\" \"");
    let text = csv(&accepted());
    assert!(text.lines().all(|line| !line.split(',').any(|c| c.starts_with(['=', '@', '-', '+']))));
    assert!(text.contains(",'@fon,TH,2027-03-14 19:00,true,"), "{text}");
}

#[test]
fn the_table_says_both_clocks() {
    let text = markdown(&accepted());
    // After 14 March it is an hour later at home for the same hour in Bangkok.
    assert!(
        text.contains("| Wed 10 Mar | 07:00 | 90 | lin | TH Wed 19:00, US-E Wed 07:00 |"),
        "{text}"
    );
    assert!(text.contains("| Sun 14 Mar | 08:00 | 90 | @fon | TH Sun 19:00, US-E Sun 08:00 |"));
    assert!(text.starts_with("# Spring; 50 % off, \"now\" \\| 直播"));
}

#[test]
fn a_shows_parts_are_a_rundown_that_a_show_file_takes() {
    let mut plan = accepted();
    plan.title = "Spring\n[[segment]]\nevil = 1".into();
    let part = |length_s, kind, clip| Segment { from_s: 0, length_s, kind, clip };
    plan.segments = vec![vec![part(300, Kind::Hook, Some((0, 90))), part(420, Kind::Hero, None)]];
    let text = rundown(&plan, 0).unwrap();
    insta::assert_snapshot!(text);
    assert_eq!(rundown(&plan, 1), None, "an older plan may lack parts");
    let read: toml::Table = text.parse().unwrap();
    assert_eq!(read["segment"].as_array().unwrap().len(), 2);
    assert_eq!(read.len(), 1, "{read:?}");
}

#[test]
fn a_show_has_the_same_uid_whenever_it_is_written() {
    let (one, mut other) = (accepted(), accepted());
    other.plan.slots[0].minutes = 60;
    other.plan.slots[0].airings.pop();
    let uid = |plan: &Accepted, made: &str| {
        let text = ics(plan, made.parse().unwrap());
        text.lines().find(|l| l.starts_with("UID:")).unwrap().to_owned()
    };
    assert_eq!(uid(&one, "2027-03-01T00:00:00Z"), uid(&other, "2027-03-02T00:00:00Z"));
    assert_eq!(uid(&one, "2027-03-01T00:00:00Z"), "UID:20270310T120000Z-lin@hawker");
}

#[test]
fn hosts_at_the_same_time_have_names_of_their_own() {
    let mut plan = accepted();
    plan.plan.slots.truncate(1);
    plan.plan.slots.push(plan.plan.slots[0].clone());
    plan.plan.slots[0].host = "a_b".into();
    plan.plan.slots[1].host = "ab".into();
    let names: Vec<String> = plan.plan.slots.iter().map(Accepted::name).collect();
    assert_eq!(names, ["20270310T120000Z-a_b", "20270310T120000Z-ab"]);
}

#[test]
fn timers_elapse_at_home_and_in_utc_where_that_is_unclear() {
    let all = timers(
        &accepted(),
        "/opt/a \"b\"/hawker",
        "50%.toml",
        "2027-03-11T00:00:00Z".parse().unwrap(),
    );
    assert_eq!(all.len(), 2);
    assert!(all[0].timer.contains("OnCalendar=2027-03-14 08:00:00 America/New_York\n"), "{all:?}");
    assert!(all[1].timer.contains("OnCalendar=2027-11-07 06:30:00 UTC\n"), "{all:?}");
    assert!(all[0].service.contains(
        "ExecStart=\"/opt/a \\\"b\\\"/hawker\" live \"50%%.toml\" --headless --for 90m\n"
    ));
    assert_eq!(all[0].name, "hawker-20270314T120000Z-fon");
}

#[test]
fn systemd_understands_the_timers() {
    let all = timers(&accepted(), "hawker", "show.toml", Timestamp::UNIX_EPOCH);
    for timer in all {
        let at = timer.timer.lines().find_map(|l| l.strip_prefix("OnCalendar=")).unwrap();
        let mut judge = std::process::Command::new("systemd-analyze");
        let Ok(said) = judge.args(["calendar", "--base-time=2026-01-01", at]).output() else {
            return;
        };
        assert!(said.status.success(), "{at}: {}", String::from_utf8_lossy(&said.stderr));
    }
}

#[test]
fn an_accepted_plan_is_read_again() {
    let plan = accepted();
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Accepted>(&text).unwrap(), plan);
}
