//! Everything to be known of a plan, in sentences: rules that are broken, clocks that change, sale days, what was not read.

use super::Planner;
use crate::planner::schedule::desk::{Ground, Shift};

impl Planner {
    /// Everything that is to be known, a sentence each, with a mark.
    pub(super) fn all_notes(&self) -> Vec<(&'static str, String)> {
        let mut all: Vec<(&'static str, String)> = Vec::new();
        let Some(desk) = &self.desk else { return all };
        let ground = desk.ground();
        all.extend(desk.verdict().breaches.iter().map(|b| ("!", b.text.clone())));
        match self.guessed {
            (true, _) => all.push((
                "?",
                "no show of your own is known: figures with ? rest on the markets' windows and an assumed \
                 audience; `hawker plan import` takes in a platform's table"
                    .into(),
            )),
            (_, true) => {
                all.push(("?", "figures with ? rest on the markets' windows, not on own shows".into()));
            }
            _ => {}
        }
        all.extend(self.notes.iter().map(|note| ("·", note.clone())));
        all.push(("·", format!("the plan file: {}", self.origin)));
        for market in (0..ground.task.demands.len()).filter(|m| ground.unspoken(*m)) {
            let demand = &ground.task.demands[market];
            let spoken = demand.languages.join(", ");
            all.push(("·", format!("no host speaks a language of {} ({spoken})", demand.market)));
        }
        let id = |m: &usize| ground.task.demands[*m].market.clone();
        for day in &ground.days {
            for shift in &day.shifts {
                all.push(("⇅", clocks(ground, shift)));
            }
        }
        for day in &ground.days {
            let date = day.date.strftime("%a %d %b");
            for special in &day.specials {
                let who: Vec<String> = special.markets.iter().map(id).collect();
                all.push(("★", format!("{date}: {} ({})", special.name, who.join(", "))));
            }
        }
        all
    }
}

/// `Sun 28 Mar: clocks of Europe/London (GB) go forward by 1 h`
pub(super) fn clocks(ground: &Ground, shift: &Shift) -> String {
    let mut who: Vec<String> =
        shift.markets.iter().map(|m| ground.task.demands[*m].market.clone()).collect();
    if shift.home {
        who.insert(0, "home".into());
    }
    let way = if shift.seconds > 0 { "forward" } else { "back" };
    let day = shift.zone.clock(shift.at).strftime("%a %d %b");
    let hours = f64::from(shift.seconds.abs()) / 3600.0;
    format!("{day}: clocks of {} ({}) go {way} by {hours} h", shift.zone, who.join(", "))
}
