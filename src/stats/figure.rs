//! Every figure that is shown as one: its name, unit, what it means, where it comes from, and what is aimed at. One
//! table for each kind of subject; a figure that is not in one has no explanation, and so no place on a screen.

mod tables;

pub(in crate::stats) use tables::STALL_SHARE;

use super::{
    Meters, OutputFigures, Second, ViewerFigures, WatchFigures,
    history::Targets,
    second::{MonitorSecond, OutputSecond},
};
use crate::base::{MonitorId, OutputId};

/// The monitor of hawker's own stage.
pub const STAGE: &str = "stage";

/// Who a figure is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// What all outputs share: the inputs, the encoder, this process.
    Program,
    /// An output, as its sender sees it.
    Output(OutputId),
    /// A monitor: what a viewer gets. That of the stage is called [`STAGE`].
    Monitor(MonitorId),
    /// A browser on the viewer page, by the name of its visit.
    Viewer(String),
}

impl Who {
    /// All figures of such a subject, the most telling first.
    pub const fn figures(&self) -> &'static [Figure] {
        match self {
            Self::Program => tables::PROGRAM,
            Self::Output(_) => tables::OUTPUT,
            Self::Monitor(_) => tables::MONITOR,
            Self::Viewer(_) => tables::VIEWER,
        }
    }

    /// What is a word about such a subject.
    pub const fn traits(&self) -> &'static [Trait] {
        match self {
            Self::Program => &[],
            Self::Output(_) => tables::OUTPUT_TRAITS,
            Self::Monitor(_) => tables::MONITOR_TRAITS,
            Self::Viewer(_) => tables::VIEWER_TRAITS,
        }
    }
}

/// What a show aims at, as far as figures can be held against it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aims {
    /// Of the profile.
    pub targets: Targets,
    /// Frames per second of the canvas; not a number where nobody knows it.
    pub fps: f64,
}

/// Which way a figure should lie from what is aimed at.
#[derive(Debug, Clone, Copy)]
pub enum Aim {
    /// There is nothing to hold it against.
    None,
    /// At most this.
    AtMost(fn(&Aims) -> f64),
    /// At least this.
    AtLeast(fn(&Aims) -> f64),
}

impl Aim {
    /// What is aimed at, in the figure's unit.
    pub fn value(&self, aims: &Aims) -> Option<f64> {
        match self {
            Self::None => None,
            Self::AtMost(of) | Self::AtLeast(of) => Some(of(aims)).filter(|aim| aim.is_finite()),
        }
    }

    /// Whether that value misses it. What should be reached may be missed by a tenth: a second does not hold the same
    /// number of frames each time.
    pub fn misses(&self, aims: &Aims, value: f64) -> bool {
        match self {
            Self::None => false,
            Self::AtMost(of) => value > of(aims),
            Self::AtLeast(of) => value < 0.9 * of(aims),
        }
    }

    /// Whether small values are the bad ones.
    pub const fn is_least(&self) -> bool {
        matches!(self, Self::AtLeast(_))
    }
}

/// What is looked at: the newest figures, and what counters grew by in the last whole second.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The newest figures.
    pub meters: &'a Meters,
    /// The last whole second.
    pub second: &'a Second,
    /// How many seconds that took; `None` when what counters grew by is not known yet.
    pub passed_s: Option<f64>,
}

impl<'a> Look<'a> {
    /// What grew, in a second.
    fn rate(&self, grown: u32) -> Option<f64> {
        Some(f64::from(grown) / self.passed_s?.max(0.5))
    }

    fn output(&self, who: &Who) -> Option<&'a OutputFigures> {
        let Who::Output(id) = who else { return None };
        self.meters.outputs.get(id)
    }

    fn output_second(&self, who: &Who) -> Option<&'a OutputSecond> {
        let Who::Output(id) = who else { return None };
        self.second.outputs.iter().find(|(of, _)| of == id).map(|(_, second)| second)
    }

    fn watch(&self, who: &Who) -> Option<&'a WatchFigures> {
        let Who::Monitor(id) = who else { return None };
        self.meters.seen_by(id)
    }

    fn watch_second(&self, who: &Who) -> Option<&'a MonitorSecond> {
        let Who::Monitor(id) = who else { return None };
        if id.as_str() == STAGE {
            return self.second.monitor.as_ref();
        }
        self.second.monitors.iter().find(|(of, _)| of == id).map(|(_, second)| second)
    }

    fn viewer(&self, who: &Who) -> Option<&'a ViewerFigures> {
        let Who::Viewer(id) = who else { return None };
        self.meters.viewers.iter().find(|v| v.id == *id)
    }
}

/// How a figure is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it is at a moment.
    Level,
    /// A sum so far; its course is by how much it grew.
    Total,
    /// A stage of the frames' way: the median, and behind it in the table the 95th percentile.
    Way,
}

/// A figure.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// What it is called.
    pub name: &'static str,
    /// Its unit; empty for a count.
    pub unit: &'static str,
    /// Decimals worth showing.
    pub decimals: usize,
    /// What it says, in a sentence or two.
    pub meaning: &'static str,
    /// Who measures it, and how.
    pub source: &'static str,
    /// What is aimed at.
    pub aim: Aim,
    /// How it is told.
    pub kind: Kind,
    /// It stands in for another one where that is not measured: that it is missing says nothing.
    pub stands_in: bool,
    /// `None` is not measured.
    read: fn(&Look<'_>, &Who) -> Option<f64>,
}

impl Figure {
    /// Its value now; `None` when it was not measured.
    pub fn read(&self, look: &Look<'_>, who: &Who) -> Option<f64> {
        (self.read)(look, who).filter(|value| value.is_finite())
    }
}

/// Something about a subject that is a word.
#[derive(Debug, Clone, Copy)]
pub struct Trait {
    /// What it is called.
    pub name: &'static str,
    /// What it says, in a sentence or two.
    pub meaning: &'static str,
    /// Who knows it.
    pub source: &'static str,
    read: fn(&Look<'_>, &Who) -> Option<String>,
}

impl Trait {
    /// The word; `None` when it is not known.
    pub fn read(&self, look: &Look<'_>, who: &Who) -> Option<String> {
        (self.read)(look, who)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_figure_is_explained_and_has_a_name_of_its_own() {
        let id = "x".parse::<OutputId>().unwrap();
        let all = [
            Who::Program,
            Who::Output(id),
            Who::Monitor(STAGE.parse().unwrap()),
            Who::Viewer(String::new()),
        ];
        for who in all {
            let figures = who.figures().iter().map(|f| (f.name, f.meaning, f.source, f.unit));
            let traits = who.traits().iter().map(|t| (t.name, t.meaning, t.source, ""));
            let told: Vec<_> = figures.chain(traits).collect();
            let names: BTreeSet<_> = told.iter().map(|t| t.0).collect();
            assert_eq!(names.len(), told.len(), "{who:?}");
            for (name, meaning, source, unit) in told {
                assert!(meaning.ends_with('.') && source.ends_with('.'), "{name}");
                assert!(name.len() <= 13 && unit.len() <= 4, "{name}");
            }
            let stages: Vec<_> = who.figures().iter().filter(|f| f.kind == Kind::Way).collect();
            for pair in stages.chunks(2) {
                assert_eq!(format!("{} p95", pair[0].name), pair[1].name);
            }
        }
    }

    #[test]
    fn an_aim_is_missed_on_the_bad_side() {
        let aims = Aims { targets: Targets::DEFAULT, fps: 30.0 };
        let most = Aim::AtMost(|aims| f64::from(aims.targets.latency_ms));
        assert!(most.misses(&aims, 601.0) && !most.misses(&aims, 600.0));
        let least = Aim::AtLeast(|aims| aims.fps);
        assert!(least.misses(&aims, 26.0) && !least.misses(&aims, 29.0));
        assert!(!Aim::None.misses(&aims, 1e9));
    }
}
