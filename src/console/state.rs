//! What the console knows at one moment: the show, the figures, the picture, its log, and where the
//! operator's hand is. An owned snapshot; nothing here reads a clock or touches the terminal.

mod chat;

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    keys::{Action, Keymap},
    planner::{self, Planner},
    statistics::Statistics,
    theme::Palette,
    view,
};
use crate::{
    base::{InputId, OutputId, Ring, Severity},
    show::{Command, Event, Folded, Folding, InputState, OutputState, Show, Told},
    stats::{Meters, Picture},
};

/// Lines kept in the log.
const LOG: usize = 200;
/// A dangerous command stays armed this long, in ms.
pub(super) const ARMED_MS: u64 = 5000;
/// How long the first `q` waits for the second, in ms.
pub(super) const LEAVING_MS: u64 = 4000;
/// Figures older than this are no figures, in ms.
const STALE_MS: u64 = 2000;

/// One line of the log.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// When.
    pub at: Timestamp,
    /// What kind.
    pub mark: Mark,
    /// What happened. May hold text from outside.
    pub text: String,
    /// The number of its first event, which is its name; 0 for what is the console's own.
    pub first: u64,
}

impl Line {
    fn of(line: &Folded) -> Self {
        Self {
            at: line.event.at,
            mark: Mark::Event(line.severity()),
            text: line.sentence(),
            first: line.first,
        }
    }
}

/// What kind of line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Of the show.
    Event(Severity),
    /// The console's answer to a key: refused.
    Refused,
}

/// Which list the hand is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Focus {
    Inputs,
    Outputs,
}

/// What fills the screen below the tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    /// The show: its picture, scenes, inputs, outputs.
    Show,
    /// Figures, and how they went.
    Statistics,
    /// The week, and when the next show is.
    Planner,
    /// The chat has the focus: beside the picture where there is room, else instead of it.
    Chat,
}

/// A question that waits for an answer, or the help.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Dialog {
    /// What the keys do.
    Help,
    /// What the figures mean, from that one on.
    Explain { from: usize },
    /// One yes.
    Confirm { command: Command, question: String },
    /// Armed: a `y` before it runs out.
    Arm { command: Command, question: String, until_ms: u64 },
}

/// What the loop has to do after an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Todo {
    /// Give this to the engine.
    Give { command: Command, confirm: bool },
    /// Do this for the planner.
    Plan(planner::Todo),
    /// Leave the console; the show goes on.
    Leave,
}

fn pace(show: &Show) -> Option<u32> {
    (show.transition.ms > 0).then_some(show.transition.ms)
}

/// Everything the views draw.
#[derive(Debug)]
pub(super) struct State {
    pub show: Arc<Show>,
    pub meters: Arc<Meters>,
    pub picture: Option<Arc<Picture>>,
    pub log: Ring<Line>,
    /// Identical retries are one line of it.
    folding: Folding,
    /// The newest event in it.
    newest: u64,
    pub dialog: Option<Dialog>,
    pub pane: Pane,
    pub statistics: Statistics,
    pub planner: Planner,
    /// The chat, in a show that reads one.
    pub chat: Option<Box<super::chat::Pane>>,
    /// It fills the screen also where it has room beside the picture.
    pub zoomed: bool,
    /// When the chat changes although nothing happens, by the console's clock.
    chat_due: Option<u64>,
    pub focus: Focus,
    /// The selected input.
    pub input: usize,
    /// The selected output.
    pub output: usize,
    /// How long a transition lasts that is not a cut, in ms: the last one seen.
    pub pace_ms: u32,
    /// Until when a second `q` leaves.
    pub leaving_until: Option<u64>,
    /// The console's own clock, in ms; only the loop sets it.
    pub clock_ms: u64,
    /// When the last figures came, by that clock.
    pub figures_at: u64,
    /// What the wall clock said when that clock began.
    pub began: Timestamp,
    /// The zone the log's times are told in.
    pub zone: TimeZone,
    pub keymap: Keymap,
    pub palette: Palette,
}

impl State {
    pub(super) fn new(show: Arc<Show>, palette: &Palette, zone: TimeZone, now: Timestamp) -> Self {
        let (keymap, clashes) = Keymap::new(&show.spec);
        let mut log = Ring::new(LOG);
        for text in clashes {
            log.push(Line { at: now, mark: Mark::Event(Severity::Warning), text, first: 0 });
        }
        Self {
            pace_ms: pace(&show).unwrap_or(300),
            meters: Arc::default(),
            picture: None,
            log,
            folding: Folding::default(),
            newest: 0,
            dialog: None,
            pane: Pane::Show,
            statistics: Statistics::new(&show),
            planner: Planner::new(now, true),
            chat: chat::pane(&show, palette, &zone),
            zoomed: false,
            chat_due: None,
            show,
            focus: Focus::Inputs,
            input: 0,
            output: 0,
            leaving_until: None,
            clock_ms: 0,
            figures_at: 0,
            began: now,
            zone,
            keymap,
            palette: *palette,
        }
    }

    /// A new truth.
    pub(super) fn on_show(&mut self, show: Arc<Show>) {
        self.pace_ms = pace(&show).unwrap_or(self.pace_ms);
        self.show = show;
        self.input = self.input.min(self.show.inputs.len().saturating_sub(1));
        self.output = self.output.min(self.show.outputs.len().saturating_sub(1));
    }

    /// Figures of a second before this console came.
    pub(super) fn on_past(&mut self, meters: &Meters) {
        self.statistics.on_past(&self.show, meters);
    }

    /// New figures.
    pub(super) fn on_meters(&mut self, meters: Arc<Meters>) {
        self.meters = meters;
        self.figures_at = self.clock_ms;
        self.statistics.on_meters(&self.show, &self.meters);
    }

    /// A line of the log from before this console came.
    pub(super) fn on_logged(&mut self, line: &Folded) {
        self.newest = self.newest.max(line.event.seq);
        self.folding.resume(line);
        self.log.push(Line::of(line));
    }

    /// Something happened.
    pub(super) fn on_event(&mut self, event: &Event) {
        if event.seq <= self.newest {
            return;
        }
        self.newest = event.seq;
        match self.folding.take(event).told {
            Told::Line(line) => drop(self.log.push(Line::of(&line))),
            Told::Again { line, .. } => {
                // It is the newest again.
                self.log.remove(|l| l.first == line.first);
                self.log.push(Line::of(&line));
            }
            Told::Quiet => {}
        }
    }

    /// What the operator asked for was refused.
    pub(super) fn on_refusal(&mut self, at: Timestamp, why: impl Into<String>) {
        self.log.push(Line { at, mark: Mark::Refused, text: why.into(), first: 0 });
    }

    /// Time has passed. Returns whether the screen changed.
    pub(super) fn tick(&mut self, clock_ms: u64) -> bool {
        let before = (self.figures().is_some(), self.seconds_armed(), self.leaving());
        let was_stale = before.0;
        self.clock_ms = clock_ms.max(self.clock_ms);
        if let Some(Dialog::Arm { until_ms, .. }) = self.dialog
            && until_ms <= self.clock_ms
        {
            self.dialog = None;
        }
        if self.leaving_until.is_some_and(|until| until <= self.clock_ms) {
            self.leaving_until = None;
        }
        let said = self.chat_due.is_some_and(|due| due <= self.clock_ms);
        if said {
            self.chat_due = None;
        }
        let planned = self.pane == Pane::Planner && self.planner.tick(self.now());
        let after = (self.figures().is_some(), self.seconds_armed(), self.leaving());
        said || planned || !was_stale || before != after
    }

    /// The wall clock, as far as the console's clock tells it.
    fn now(&self) -> Timestamp {
        self.began + Duration::from_millis(self.clock_ms)
    }

    /// When `tick` has something to do next, by the console's clock.
    pub(super) fn next_tick(&self) -> Option<u64> {
        let armed = match self.dialog {
            // At every whole second that is left.
            Some(Dialog::Arm { until_ms, .. }) => {
                let left = until_ms.saturating_sub(self.clock_ms);
                Some(until_ms - left.saturating_sub(1) / 1000 * 1000)
            }
            _ => None,
        };
        // Figures that stopped coming: once when they are stale, then each second for the clock.
        let stale = match self.figures() {
            Some(_) => self.figures_at + STALE_MS + 1,
            None => self.clock_ms + 1000,
        };
        // The planner counts down.
        let second = (self.pane == Pane::Planner).then(|| {
            let into = self.now().subsec_millisecond().unsigned_abs();
            self.clock_ms + 1000 - u64::from(into)
        });
        [armed, self.leaving_until, Some(stale), second, self.chat_due].into_iter().flatten().min()
    }

    /// Whole seconds a dangerous command stays armed, rounded up.
    pub(super) fn seconds_armed(&self) -> Option<u64> {
        match self.dialog {
            Some(Dialog::Arm { until_ms, .. }) => {
                Some(until_ms.saturating_sub(self.clock_ms).div_ceil(1000))
            }
            _ => None,
        }
    }

    /// Whether the next `q` leaves.
    pub(super) fn leaving(&self) -> bool {
        self.leaving_until.is_some()
    }

    /// The figures, unless they are stale.
    pub(super) fn figures(&self) -> Option<&Meters> {
        let fresh = self.clock_ms.saturating_sub(self.figures_at) <= STALE_MS;
        (fresh && self.meters.at_ms > 0).then_some(&*self.meters)
    }

    /// The engine's clock now, in ms: that of the last figures, and what has passed since.
    pub(super) fn engine_ms(&self) -> u64 {
        if self.meters.at_ms == 0 {
            return 0;
        }
        self.meters.at_ms + self.clock_ms.saturating_sub(self.figures_at)
    }

    /// What the wall clock said at a time of the engine's clock, in ms.
    pub(super) fn wall(&self, engine_ms: u64) -> Timestamp {
        let ago = self.engine_ms().saturating_sub(engine_ms);
        self.now().checked_sub(Duration::from_millis(ago)).unwrap_or(self.began)
    }

    /// The selected input.
    pub(super) fn selected_input(&self) -> Option<&InputState> {
        self.show.inputs.get(self.input)
    }

    /// The selected output.
    pub(super) fn selected_output(&self) -> Option<&OutputState> {
        self.show.outputs.get(self.output)
    }

    /// Which output `go-live` and `stop-output` mean: the selected one while the hand is on the outputs,
    /// otherwise all of them.
    pub(super) fn meant_output(&self) -> Option<OutputId> {
        if self.pane == Pane::Statistics {
            return self.statistics.output(&self.meters);
        }
        match self.focus {
            Focus::Outputs => self.selected_output().map(|o| o.spec.id.clone()),
            Focus::Inputs => None,
        }
    }

    /// The name of the selected input.
    pub(super) fn meant_input(&self) -> Option<InputId> {
        self.selected_input().map(|i| i.spec.id.clone())
    }

    /// Carries an action out as far as it concerns the console; what concerns others is returned.
    pub(super) fn act(&mut self, action: Action, now: Timestamp) -> Option<Todo> {
        if !matches!(action, Action::AskToLeave) {
            self.leaving_until = None;
        }
        match action {
            Action::Give { command, confirm } => {
                if confirm {
                    self.dialog = None;
                }
                return Some(Todo::Give { command, confirm });
            }
            Action::Open(dialog) => self.dialog = Some(dialog),
            Action::Close => self.dialog = None,
            Action::Refuse(why) => self.on_refusal(now, why),
            Action::Move(by) => {
                let (at, count) = match self.focus {
                    Focus::Inputs => (&mut self.input, self.show.inputs.len()),
                    Focus::Outputs => (&mut self.output, self.show.outputs.len()),
                };
                *at = at.saturating_add_signed(by).min(count.saturating_sub(1));
            }
            Action::Hand(focus, index) => {
                self.show_pane(Pane::Show);
                self.focus = focus;
                match focus {
                    Focus::Inputs => self.input = index,
                    Focus::Outputs => self.output = index,
                }
            }
            Action::OtherList => {
                self.focus = match self.focus {
                    Focus::Inputs => Focus::Outputs,
                    Focus::Outputs => Focus::Inputs,
                };
            }
            Action::Pane(Pane::Planner) => {
                self.show_pane(Pane::Planner);
                self.planner.tick(now);
                return self.planner.wanted().map(Todo::Plan);
            }
            Action::Pane(pane) => self.show_pane(pane),
            Action::Zoom => self.zoomed = !self.zoomed,
            Action::Chat(key) => return self.chat_key(&key),
            Action::Planner(step) => match self.planner.act(step) {
                Some(planner::Todo::Leave) => self.show_pane(Pane::Show),
                todo => return todo.map(Todo::Plan),
            },
            Action::Statistics(step) => self.statistics.step(step, &self.meters),
            Action::Explain(by) => {
                let last = view::explained(self).saturating_sub(1);
                if let Some(Dialog::Explain { from }) = &mut self.dialog {
                    *from = from.saturating_add_signed(by).min(last);
                }
            }
            Action::AskToLeave => {
                if self.leaving() {
                    return Some(Todo::Leave);
                }
                self.leaving_until = Some(self.clock_ms + LEAVING_MS);
            }
        }
        None
    }
}
