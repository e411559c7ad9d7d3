//! A calendar with anything in it: it is read, its busy times lie in the span, and what is said of it can be shown.

#![no_main]

use hawker::{market::Zone, planner::calendar::read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let zone = Zone::named("Europe/Berlin").unwrap();
    let calendar = read(text, &zone);
    assert!(calendar.notes.iter().all(|n| !n.contains(char::is_control)), "{:?}", calendar.notes);
    let (from, to) =
        ("2027-03-01T00:00:00Z".parse().unwrap(), "2027-04-01T00:00:00Z".parse().unwrap());
    for busy in calendar.busy(from, to) {
        assert!(busy.from < to && from < busy.to && busy.from < busy.to);
    }
});
