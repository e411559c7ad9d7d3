//! A rehearsal over a market's link: the viewer has its delay, and the show says so.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
)]

#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;

use std::fs;

use hawker::stats::Report;
use hawker_process::Place;

/// The median of what the monitor saw, in ms.
fn latency(place: &Place, link: &[&str]) -> f64 {
    let report = place.path("report.json");
    let mut args = vec!["rehearse", "--for", "6s", "--report", report.to_str().unwrap()];
    args.extend(link);
    let mut show = place.start(&args);
    let up = show.event("stage-up", 20);
    assert_eq!(up["link"].as_str(), link.get(1).copied());
    assert_eq!(show.ended(30), 0, "{}", show.told());
    let report: Report = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    report.monitor.unwrap().latency.expect("a latency was measured").p50_ms
}

#[test]
fn a_viewer_has_the_links_delay() {
    let place = Place::new();
    fs::create_dir(place.path("config/links")).unwrap();
    place.file("config/links/moon.toml", "title = \"A hut on the moon\"\ndelay-ms = 200\n");
    let near = latency(&place, &[]);
    let far = latency(&place, &["--link", "moon"]);
    println!("{near:.1} ms near, {far:.1} ms over the link");
    assert!((190.0..400.0).contains(&(far - near)), "{near} ms, and {far} ms over the link");
}

#[test]
fn a_link_that_is_not_there_is_refused_with_the_nearest_name() {
    let place = Place::new();
    let said = place.run(&["rehearse", "--headless", "--link", "jakarta-5g"], 20);
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(said.err.contains("did you mean \"jakarta-4g\""), "{}", said.err);
    let all = place.run(&["print", "links"], 20);
    assert!(all.out.contains("jakarta-4g          Jakarta"), "{}", all.out);
}
