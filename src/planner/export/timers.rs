//! A timer and a service of systemd for each show.

use jiff::Timestamp;

use super::Accepted;
use crate::{base::text, market::local::Local};

/// A pair of unit files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// The name without `.timer` and `.service`.
    pub name: String,
    /// The timer's file.
    pub timer: String,
    /// The service's file.
    pub service: String,
}

/// When a timer elapses: on the clock at home, or in UTC where that clock shows the time twice.
fn on_calendar(plan: &Accepted, at: Timestamp) -> String {
    let clock = plan.home.clock(at);
    if matches!(plan.home.local(clock), Local::Once(_)) {
        format!("{} {}", clock.strftime("%Y-%m-%d %H:%M:%S"), plan.home)
    } else {
        format!("{} UTC", at.strftime("%Y-%m-%d %H:%M:%S"))
    }
}

/// A word on a command line of systemd's.
fn word(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '%' | '$' => {
                out.push(c);
                out.push(c);
            }
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Text in a description.
fn line(text: &str) -> String {
    text::plain(text).replace('%', "%%")
}

/// The timers of a plan's shows that are not over at `now`. `program` is hawker's path, `show` that of the show file.
pub fn timers(plan: &Accepted, program: &str, show: &str, now: Timestamp) -> Vec<Timer> {
    let slots = plan.plan.slots.iter().filter(|slot| slot.end() > now);
    slots
        .map(|slot| {
            let name = format!("hawker-{}", Accepted::name(slot));
            let markets: Vec<&str> = slot.airings.iter().map(|a| a.market.as_str()).collect();
            let what = line(&format!("{}: {} with {}", plan.title, markets.join(", "), slot.host));
            let timer = format!(
                "[Unit]\nDescription={what}\n\n[Timer]\nOnCalendar={}\nAccuracySec=1s\n\
                 Persistent=false\n\n[Install]\nWantedBy=timers.target\n",
                on_calendar(plan, slot.start)
            );
            let service = format!(
                "[Unit]\nDescription={what}\n\n[Service]\nType=exec\n\
                 ExecStart={} live {} --headless --for {}m\n",
                word(program),
                word(show),
                slot.minutes
            );
            Timer { name, timer, service }
        })
        .collect()
}
