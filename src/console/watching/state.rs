//! What is known of the stream, and what the keys change.

use std::{collections::VecDeque, sync::Arc};

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use jiff::{Timestamp, tz::TimeZone};

use super::Wish;
use crate::{
    base::MonitorId,
    media::player::Trouble,
    stats::{
        Course, Meters, Picture, Verdict, WatchFigures,
        figure::{Aims, Who},
        history::Targets,
    },
};

/// What happened that is remembered.
const NEWS: usize = 100;

/// What the keys do.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("a", "hear the sound, or not"),
    ("p", "see the picture, or not: then none is decoded"),
    ("tab", "the picture alone, or with the figures"),
    ("?", "what the figures mean; ↑ ↓ more"),
    ("q", "leave"),
];

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Sound,
    Picture,
    Alone,
    Help,
    Up,
    Down,
    Back,
    Leave,
    Interrupt,
}

impl Step {
    pub(super) fn of(key: &KeyEvent) -> Option<Self> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        Some(match key.code {
            KeyCode::Char('c') if ctrl => Self::Interrupt,
            KeyCode::Char(_) if ctrl => return None,
            KeyCode::Char('q') => Self::Leave,
            KeyCode::Char('a') => Self::Sound,
            KeyCode::Char('p') => Self::Picture,
            KeyCode::Tab => Self::Alone,
            KeyCode::Char('?') => Self::Help,
            KeyCode::Up | KeyCode::Char('k') => Self::Up,
            KeyCode::Down | KeyCode::Char('j') => Self::Down,
            KeyCode::Esc => Self::Back,
            _ => return None,
        })
    }
}

/// Something that happened.
#[derive(Debug)]
pub(super) struct News {
    pub(super) at: Timestamp,
    pub(super) words: String,
    pub(super) good: bool,
}

/// One who watches.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) host: String,
    pub(super) who: Who,
    id: MonitorId,
    pub(super) aims: Aims,
    pub(super) zone: TimeZone,
    pub(super) at_ms: u64,
    pub(super) meters: Meters,
    pub(super) course: Course,
    pub(super) latency_by: Option<String>,
    pub(super) picture: Option<Arc<Picture>>,
    pub(super) trouble: Trouble,
    /// The newest last.
    pub(super) news: VecDeque<News>,
    pub(super) looks: bool,
    pub(super) listens: bool,
    pub(super) alone: bool,
    /// The explanation is open, from that entry on.
    pub(super) explained: Option<usize>,
}

impl Watching {
    pub(super) fn new(host: String, targets: Targets, zone: TimeZone) -> Self {
        let id: MonitorId =
            "watched".parse().unwrap_or_else(|_| unreachable!("'watched' is a name"));
        Self {
            host,
            who: Who::Monitor(id.clone()),
            id,
            // Nobody says how many frames a stream is meant to have.
            aims: Aims { targets, fps: f64::NAN },
            zone,
            at_ms: 0,
            meters: Meters::default(),
            course: Course::new(None),
            latency_by: None,
            picture: None,
            trouble: Trouble::default(),
            news: VecDeque::new(),
            looks: true,
            listens: false,
            alone: false,
            explained: None,
        }
    }

    pub(super) fn seen(
        &mut self,
        at_ms: u64,
        figures: Option<&WatchFigures>,
        verdict: Option<&Verdict>,
        latency_by: Option<&str>,
    ) {
        self.at_ms = at_ms;
        self.latency_by = latency_by.map(str::to_owned);
        self.meters.at_ms = at_ms;
        self.meters.monitors = figures.map(|f| (self.id.clone(), f.clone())).into_iter().collect();
        self.meters.monitor_verdicts =
            verdict.map(|v| (self.id.clone(), v.clone())).into_iter().collect();
        if figures.is_some() {
            self.course.take(&self.meters);
        }
    }

    pub(super) fn news(&mut self, at: Timestamp, words: String, good: bool) {
        if self.news.len() == NEWS {
            self.news.pop_front();
        }
        self.news.push_back(News { at, words, good });
    }

    /// What it sees; `None` until there was a frame.
    pub(super) fn figures(&self) -> Option<&WatchFigures> {
        self.meters.monitors.get(&self.id)
    }

    pub(super) fn verdict(&self) -> Option<&Verdict> {
        self.meters.monitor_verdicts.get(&self.id)
    }

    pub(super) fn act(&mut self, step: Step) -> Option<Wish> {
        match (step, &mut self.explained) {
            (Step::Interrupt, _) => return Some(Wish::Interrupt),
            (Step::Leave, explained @ Some(_)) => *explained = None,
            (Step::Leave, None) => return Some(Wish::Leave),
            (Step::Help, None) => self.explained = Some(0),
            (Step::Help | Step::Back, explained) => *explained = None,
            (Step::Up, Some(from)) => *from = from.saturating_sub(1),
            (Step::Down, Some(from)) => {
                let last = super::view::explained(&self.who).len().saturating_sub(1);
                *from = (*from + 1).min(last);
            }
            (Step::Up | Step::Down, None) => {}
            (Step::Sound, _) => {
                self.listens = !self.listens;
                return Some(Wish::Listen(self.listens));
            }
            (Step::Picture, _) => self.looks = !self.looks,
            (Step::Alone, _) => self.alone = !self.alone,
        }
        None
    }
}
