//! `hawker plan` as a user has it: a table is shown, then kept, then learnt from; nothing is half-imported.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says it by failing")]

#[path = "probe/schema.rs"]
mod schema;

use std::{
    fmt::Write as _,
    path::Path,
    process::{Command, Output},
};

fn plan(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hawker"))
        .arg("plan")
        .args(args)
        .env("HAWKER_CONFIG_DIR", home.join("config"))
        .env("HAWKER_STATE_DIR", home.join("state"))
        .env("HAWKER_CACHE_DIR", home.join("cache"))
        .env("TZ", "UTC")
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Twelve weeks of shows on Mondays and Thursdays at 20:00 in Bangkok.
fn table() -> String {
    let mut text = String::from("start time,market,avg viewers,orders\n");
    let first = jiff::civil::date(2025, 8, 4);
    for week in 0..12 {
        for (day, hour, viewers) in [(0, 20, 100), (0, 21, 80), (3, 20, 120), (3, 21, 90)] {
            let date = first.checked_add(jiff::Span::new().days(week * 7 + day)).unwrap();
            let _ = writeln!(
                text,
                "{date} {hour}:00,TH,{},{}",
                viewers + (week * 37 + day * 11 + hour) % 23,
                week
            );
        }
    }
    text
}

#[test]
fn a_table_is_shown_then_kept_and_twice_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("shopee.csv");
    std::fs::write(&file, table()).unwrap();
    let file = file.to_str().unwrap();
    let shown = plan(home.path(), &["import", file]);
    assert!(shown.status.success(), "{}", err(&shown));
    for part in ["48 rows read", "start time", "date and time", "TH         48 rows", "add --yes"] {
        assert!(out(&shown).contains(part), "{part}\n{}", out(&shown));
    }
    // Nothing was kept by looking.
    let early = plan(home.path(), &["backtest"]);
    assert!(out(&early).contains("Too little is known"), "{}", out(&early));
    let kept = plan(home.path(), &["import", file, "--yes"]);
    assert!(out(&kept).contains("48 new, 0 corrected, 0 as they were"), "{}", out(&kept));
    let again = plan(home.path(), &["import", file, "--yes"]);
    assert!(out(&again).contains("0 new, 0 corrected, 48 as they were"), "{}", out(&again));

    let forecast = plan(home.path(), &["forecast", "--market", "th,DE"]);
    let text = out(&forecast);
    assert!(text.contains("TH  Thailand (Asia/Bangkok), from 48 aired hours"), "{text}");
    assert!(
        text.contains("DE  Germany (Europe/Berlin), from the market's windows alone"),
        "{text}"
    );
    assert!(text.contains("164 of 168 hours of the week were never aired"), "{text}");
    let json = plan(home.path(), &["forecast", "--market", "TH", "--json", "--weeks", "8"]);
    let told: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    schema::assert_fits(&told, &hawker::config::forecast_schema());
    assert_eq!(told[0]["hours"].as_array().unwrap().len(), 8 * 168);
    assert_eq!(told[0]["aired_hours"], 48);

    let scores = plan(home.path(), &["backtest", "--weeks", "6"]);
    assert!(out(&scores).contains("\nTH "), "{}", out(&scores));
    let from_file = plan(home.path(), &["backtest", file, "--weeks", "6", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&out(&from_file)).unwrap();
    assert_eq!(told[0]["hours"], 24);
}

#[test]
fn rows_that_cannot_be_read_keep_everything_out_until_they_are_left_out() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("x.csv");
    std::fs::write(&file, table() + "2025-13-01 20:00,TH,5,1\n2025-10-02 20:00,TH,\u{1b}[31mx,1\n")
        .unwrap();
    let file = file.to_str().unwrap();
    let refused = plan(home.path(), &["import", file, "--yes"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(err(&refused).contains("--skip-bad"), "{}", err(&refused));
    let text = out(&refused);
    assert!(text.contains("line 50: \"2025-13-01 20:00\": no such day"), "{text}");
    assert!(text.contains("line 51: ") && !text.contains('\u{1b}'), "{text}");
    let kept = plan(home.path(), &["import", file, "--yes", "--skip-bad"]);
    assert!(out(&kept).contains("48 new"), "{}", out(&kept));
}

#[test]
fn what_is_missing_is_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("x.csv");
    std::fs::write(&file, "start,viewers\n2025-10-02 20:00,5\n").unwrap();
    let file = file.to_str().unwrap();
    for (args, part) in [
        (vec!["import", file], "--market TH"),
        (vec!["import", "/no/such/file"], "check the path"),
        (vec!["import", file, "--market", "THA"], "did you mean \"TH\""),
        (vec!["import", file, "--market", "TH", "--zone", "Asia/Bangcock"], "no zone"),
        (vec!["forecast", "--market", "XX"], "no market is called \"XX\""),
    ] {
        let refused = plan(home.path(), &args);
        assert_eq!(refused.status.code(), Some(2), "{args:?}");
        assert!(err(&refused).contains(part), "{part}\n{}", err(&refused));
    }
    let fine =
        plan(home.path(), &["import", file, "--market", "TH", "--zone", "Asia/Tokyo", "--yes"]);
    assert!(out(&fine).contains("1 new"), "{}", err(&fine));
}

#[test]
fn a_backtest_tells_what_it_did_not_read_and_needs_no_market_of_a_table_of_one() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("x.csv");
    let bare = table().replace(",market,", ",").replace(",TH,", ",");
    std::fs::write(&file, bare + "2025-13-01 20:00,5,1\n").unwrap();
    let file = file.to_str().unwrap();
    let refused = plan(home.path(), &["backtest", file]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(err(&refused).contains("--market TH"), "{}", err(&refused));
    let read = plan(home.path(), &["backtest", file, "--market", "th", "--weeks", "6", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&out(&read)).unwrap();
    assert_eq!(told[0]["hours"], 24, "{}", err(&read));
    assert!(err(&read).contains("1 of 49 rows were not read"), "{}", err(&read));
    assert!(err(&read).contains("line 50: \"2025-13-01 20:00\""), "{}", err(&read));
    std::fs::write(file, "start,viewers\n03/04/2025 20:00,5\n").unwrap();
    let open = ["backtest", file, "--market", "TH"];
    let refused = plan(home.path(), &open);
    assert!(err(&refused).contains("--dates dmy"), "{}", err(&refused));
    let read = plan(home.path(), &[&open[..], &["--dates", "dmy"]].concat());
    assert!(out(&read).contains(": 1 aired hours"), "{}{}", out(&read), err(&read));
}

#[test]
fn a_backtest_leaves_out_what_was_kept_of_the_future() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    std::fs::create_dir_all(&state).unwrap();
    let row = |at: &str| hawker::store::Imported {
        market: "TH".into(),
        at: at.parse().unwrap(),
        minutes: 60.0,
        viewers: 9.0,
        orders: None,
        source: "x".into(),
    };
    let rows = [row("2025-08-04T13:00:00Z"), row("2096-08-06T13:00:00Z")];
    hawker::store::import(&state.join(hawker::store::FILE), &rows).unwrap();
    let told = plan(home.path(), &["backtest"]);
    assert!(out(&told).contains(": 1 aired hours"), "{}{}", out(&told), err(&told));
}

#[test]
fn timers_are_written_for_a_show_that_can_run() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let example = Command::new(env!("CARGO_BIN_EXE_hawker"))
        .args(["print", "plan-example"])
        .env("HAWKER_CONFIG_DIR", home.path().join("config"))
        .output()
        .unwrap();
    std::fs::write(at("plan.toml"), example.stdout).unwrap();
    let accepted = plan(home.path(), &["accept", "--quick", &at("plan.toml")]);
    assert!(accepted.status.success(), "{}", err(&accepted));
    let (units, show) = (at("units"), at("show.toml"));
    let export = ["export", "--systemd", &units, "--show", &show];
    let refused = plan(home.path(), &export);
    assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
    assert!(err(&refused).contains("show.toml") && !Path::new(&units).exists());
    let text = "title = \"tea\"\n[[input]]\nid = \"ball\"\nkind = \"test\"\n\
                [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\n";
    std::fs::write(&show, text).unwrap();
    let written = plan(home.path(), &export);
    assert!(written.status.success(), "{}", err(&written));
    let timers = std::fs::read_dir(&units)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "timer"));
    assert!(timers.count() > 2);
}

#[test]
fn an_accepted_plan_is_mended_when_the_plan_file_changes() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("plan.toml");
    let text = include_str!("../presets/plans/example.toml");
    std::fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    let accepted = plan(home.path(), &["accept", "--quick", "--json", path]);
    assert!(accepted.status.success(), "{}", err(&accepted));
    let before: serde_json::Value = serde_json::from_str(&out(&accepted)).unwrap();
    schema::assert_fits(&before, &hawker::config::made_plan_schema());
    let same = plan(home.path(), &["repair"]);
    assert!(out(&same).contains("Nothing is broken"), "{}", out(&same));
    // Fon is away from now on.
    std::fs::write(&file, text.replace("tue-sun 16:00-02:00", "tue-sun 03:00-03:30")).unwrap();
    let told = plan(home.path(), &["repair"]);
    assert!(out(&told).contains("fon cannot then"), "{}{}", out(&told), err(&told));
    assert!(err(&told).contains("repair --yes"), "{}", err(&told));
    let shown = plan(home.path(), &["show", "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&out(&shown)).unwrap(), before);
    let kept = plan(home.path(), &["repair", "--yes", "--json"]);
    let mended: serde_json::Value = serde_json::from_str(&out(&kept)).unwrap();
    schema::assert_fits(&mended, &hawker::config::repair_schema());
    let shown = plan(home.path(), &["show", "--json"]);
    let after: serde_json::Value = serde_json::from_str(&out(&shown)).unwrap();
    assert_eq!(after["plan"], mended["plan"]);
    let slots = after["plan"]["slots"].as_array().unwrap();
    assert!(!slots.is_empty() && slots.iter().all(|s| s["host"] == "lin"), "{slots:?}");
    assert_eq!(after["segments"].as_array().unwrap().len(), slots.len());
    let again = plan(home.path(), &["repair"]);
    assert!(out(&again).contains("Nothing is broken"), "{}", out(&again));
    let wrong = plan(home.path(), &["repair", "--free", "99"]);
    assert!(err(&wrong).contains("no such show"), "{}", err(&wrong));
}
