//! Why a show stands where it stands: what it is worth by market, what it keeps out, and what the host's next best
//! start would bring.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Plan, STEP_MIN, Slot, Task,
    board::Board,
    model::{Frame, Model},
};

/// How many shows that were given up are told.
const GIVEN_UP: usize = 3;

/// A show that could be.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Other {
    /// Its start.
    pub start: Timestamp,
    /// Its length.
    pub minutes: u32,
    /// The host.
    pub host: String,
    /// The markets, the leading one first.
    pub markets: Vec<String>,
    /// Weighted viewer hours it would add.
    pub worth: f64,
}

/// Why a market is not in a show.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Absent {
    /// The market.
    pub market: String,
    /// Why, in a few words.
    pub why: String,
}

/// Why a show stands where it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Why {
    /// The show.
    pub slot: Slot,
    /// Weighted viewer hours that the plan would lose without it, the rest unchanged.
    pub adds: f64,
    /// The best other start of its host, were it not there.
    pub next_best: Option<Other>,
    /// Shows that it keeps out, the best first.
    pub given_up: Vec<Other>,
    /// Markets that it does not serve.
    pub absent: Vec<Absent>,
}

/// Why the plan's show at `index` is there; `None` when there is no such show.
pub fn why(task: &Task, plan: &Plan, index: usize) -> Option<Why> {
    let slot = plan.slots.get(index)?;
    let model = Model::new(task);
    let board = on_board(&model, plan, None);
    let rest = on_board(&model, plan, Some(index));
    let frame = frame_of(&model, slot);
    let adds = if slot.locked { slot.worth() } else { board.worth - rest.worth };
    let mut markets = Vec::new();
    let mut others: Vec<(f64, Frame, Vec<usize>)> = Vec::new();
    for other in model.people.iter().flat_map(|p| &p.frames) {
        if frame == Some(*other) || !rest.fits(*other) {
            continue;
        }
        let gain = rest.markets_for(*other, None, &mut markets);
        if gain > 0.0 {
            others.push((gain, *other, markets.clone()));
        }
    }
    others
        .sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1.step, a.1.host).cmp(&(b.1.step, b.1.host))));
    let told = |(gain, frame, markets): &(f64, Frame, Vec<usize>)| Other {
        start: model.grid.at(frame.step),
        minutes: model.lengths[frame.length].min,
        host: task.hosts[frame.host].name.clone(),
        markets: markets.iter().map(|m| task.demands[*m].market.clone()).collect(),
        worth: *gain,
    };
    let own = |f: &Frame| task.hosts[f.host].name == slot.host;
    let start = frame.map(|f| f.step);
    let next_best = others.iter().find(|(_, f, _)| own(f) && Some(f.step) != start).map(told);
    let mut given_up: Vec<Other> = Vec::new();
    let mut kept = Vec::new();
    for other in &others {
        // Itself a little earlier or later is no other show.
        let same = frame.is_some_and(|f| {
            let (a, b) = (model.lengths[f.length].steps, model.lengths[other.1.length].steps);
            f.host == other.1.host && f.step < other.1.step + b && other.1.step < f.step + a
        });
        let leads = (other.1.host, other.2.first().copied());
        // What fits beside it anyway is not given up.
        let gain =
            if board.fits(other.1) { board.markets_for(other.1, None, &mut markets) } else { 0.0 };
        if !same && gain < other.0 && !kept.contains(&leads) {
            kept.push(leads);
            given_up.push(told(other));
        }
        if given_up.len() >= GIVEN_UP {
            break;
        }
    }
    let absent = absent(task, plan, slot);
    Some(Why { slot: slot.clone(), adds, next_best, given_up, absent })
}

fn frame_of(model: &Model<'_>, slot: &Slot) -> Option<Frame> {
    let host = model.task.hosts.iter().position(|h| h.name == slot.host)?;
    let minute = usize::try_from(model.grid.minute(slot.start)).ok()?;
    let length = model.lengths.iter().position(|l| l.min == slot.minutes)?;
    let step = minute / STEP_MIN as usize;
    (step < model.grid.steps).then_some(Frame { host, step, length })
}

/// The plan's own shows, without one of them. What the task does not allow any more stays out.
fn on_board<'m, 't>(model: &'m Model<'t>, plan: &Plan, except: Option<usize>) -> Board<'m, 't> {
    let mut board = Board::new(model);
    for (index, slot) in plan.slots.iter().enumerate() {
        if slot.locked || Some(index) == except {
            continue;
        }
        let Some(frame) = frame_of(model, slot) else { continue };
        let markets: Vec<usize> = slot
            .airings
            .iter()
            .filter_map(|a| model.task.demands.iter().position(|d| d.market == a.market))
            .collect();
        if !markets.is_empty() && board.takes(frame, &markets) {
            board.put(frame, &markets);
        }
    }
    board
}

fn absent(task: &Task, plan: &Plan, slot: &Slot) -> Vec<Absent> {
    let Some(host) = task.hosts.iter().find(|h| h.name == slot.host) else { return Vec::new() };
    let tongue = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    let mut all = Vec::new();
    for demand in &task.demands {
        if slot.airings.iter().any(|a| a.market == demand.market) {
            continue;
        }
        let speaks = demand
            .languages
            .iter()
            .any(|tag| host.languages.iter().any(|own| tongue(own) == tongue(tag)));
        let near =
            plan.slots.iter().filter(|o| o.airings.iter().any(|a| a.market == demand.market));
        let near = near
            .map(|other| {
                let apart = if other.start < slot.start {
                    slot.start.duration_since(other.end())
                } else {
                    other.start.duration_since(slot.end())
                };
                (apart.as_mins(), other)
            })
            .min_by_key(|(apart, _)| *apart);
        let why = if !speaks {
            format!("{} does not speak {}", host.name, demand.languages.join(", "))
        } else if let Some((apart, other)) = near.filter(|(a, _)| *a < i64::from(demand.gap_min)) {
            let clock = demand.zone.clock(other.start).strftime("%a %H:%M");
            format!("has a show at {clock} there, {} h away", (apart.max(0) + 30) / 60)
        } else if slot.airings.len() >= task.rules.most_markets as usize {
            format!("the show has {} markets already", slot.airings.len())
        } else {
            let clock = demand.zone.clock(slot.start).strftime("%a %H:%M");
            format!("it is {clock} there, and another show serves it better")
        };
        all.push(Absent { market: demand.market.clone(), why });
    }
    all
}
