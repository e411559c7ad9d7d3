//! From a key to an action. The commands' chords come from the registry, the scenes' from the show; the
//! console adds its own few. Nothing is carried out here.
//!
//! A scene's key previews it. To cut to it at once: Alt and the key (every terminal sends that), or the
//! capital where the key is a letter. Shift and a digit is taken only from a terminal that reports the two
//! apart: elsewhere it sends a sign that depends on the keyboard's country, and a wrong scene on air is worse
//! than none.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{
    planner,
    state::{ARMED_MS, Dialog, Focus, Pane, State},
    statistics::{self, Step},
};
use crate::{
    base::{Db, OutputId, SceneId},
    scene::TransitionKind,
    show::{
        Command, OutputStatus, Risk, Show, ShowSpec,
        registry::{ROWS, Row},
    },
};

/// What a key asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    /// Give a command.
    Give { command: Command, confirm: bool },
    /// Ask first, or show the help.
    Open(Dialog),
    /// Close what is open.
    Close,
    /// Say why not.
    Refuse(String),
    /// Move the selection.
    Move(isize),
    /// Select.
    Hand(Focus, usize),
    /// Inputs or outputs.
    OtherList,
    /// Fill the screen with something else.
    Pane(Pane),
    /// In the statistics.
    Statistics(Step),
    /// In the planner.
    Planner(planner::Step),
    /// A key of the chat.
    Chat(KeyEvent),
    /// The chat on the whole screen, or not.
    Zoom,
    /// Explain other figures than those that fit: so many on.
    Explain(isize),
    /// Leave, or ask whether to.
    AskToLeave,
}

/// One key with its modifiers. Shift is part of the character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Chord {
    code: KeyCode,
    ctrl: bool,
    alt: bool,
}

impl Chord {
    const fn plain(code: KeyCode) -> Self {
        Self { code, ctrl: false, alt: false }
    }

    /// As the registry writes it: `p`, `E`, `enter`, `ctrl-c`, `alt-1`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("ctrl-") {
            return Self::parse(rest).map(|c| Self { ctrl: true, ..c });
        }
        if let Some(rest) = text.strip_prefix("alt-") {
            return Self::parse(rest).map(|c| Self { alt: true, ..c });
        }
        let code = match text {
            "enter" => KeyCode::Enter,
            "esc" => KeyCode::Esc,
            "tab" => KeyCode::Tab,
            "space" => KeyCode::Char(' '),
            "backspace" => KeyCode::Backspace,
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "right" => KeyCode::Right,
            "pgup" => KeyCode::PageUp,
            "pgdn" => KeyCode::PageDown,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            _ => {
                let mut chars = text.chars();
                let only = chars.next().filter(|_| chars.next().is_none())?;
                KeyCode::Char(only)
            }
        };
        Some(Self::plain(code))
    }

    fn of(key: &KeyEvent) -> Self {
        let code = match key.code {
            KeyCode::BackTab => KeyCode::Tab,
            code => code,
        };
        Self {
            code,
            ctrl: key.modifiers.contains(KeyModifiers::CONTROL),
            alt: key.modifiers.contains(KeyModifiers::ALT),
        }
    }
}

/// What the console does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Leave,
    Help,
    Close,
    OtherList,
    Statistics,
    Planner,
    Chat,
    Up,
    Down,
    Louder,
    Softer,
}

/// Keys of the console's own, or of one of its panes.
pub(super) struct OwnKey<T> {
    /// Its keys, the first is the one that is shown.
    pub chords: &'static [&'static str],
    /// As the help shows the keys; empty where another row's help tells of them too.
    pub shown: &'static str,
    /// What it does, in words.
    pub doc: &'static str,
    /// What it does.
    pub own: T,
}

/// What a pane's keys make of that one.
fn of_pane<T: Copy>(keys: &[OwnKey<T>], chord: Chord) -> Option<T> {
    let found = keys.iter().find(|k| k.chords.iter().any(|c| Chord::parse(c) == Some(chord)));
    found.map(|k| k.own)
}

/// The console's own keys.
pub(super) const OWN: &[OwnKey<Own>] = &[
    OwnKey {
        chords: &["+", "="],
        shown: "+ -",
        doc: "selected input 1 dB louder, or softer",
        own: Own::Louder,
    },
    OwnKey { chords: &["-", "_"], shown: "", doc: "", own: Own::Softer },
    OwnKey {
        chords: &["up", "k"],
        shown: "↑ ↓ tab",
        doc: "select an input; with tab an output, which g and o then mean",
        own: Own::Up,
    },
    OwnKey { chords: &["down", "j"], shown: "", doc: "", own: Own::Down },
    OwnKey { chords: &["tab"], shown: "", doc: "", own: Own::OtherList },
    OwnKey {
        chords: &["q", "ctrl-c"],
        shown: "q",
        doc: "leave the console, twice; the show goes on",
        own: Own::Leave,
    },
    OwnKey {
        chords: &["s"],
        shown: "s",
        doc: "statistics: every figure, its last minutes, and what it means",
        own: Own::Statistics,
    },
    OwnKey {
        chords: &["w"],
        shown: "w",
        doc: "the week: what is next on air, and the plan to be changed",
        own: Own::Planner,
    },
    OwnKey {
        chords: &["c"],
        shown: "c",
        doc: "the chat: read, search, mark; c again goes back",
        own: Own::Chat,
    },
    OwnKey {
        chords: &["?"],
        shown: "? esc",
        doc: "this help; esc closes what is open",
        own: Own::Help,
    },
    OwnKey { chords: &["esc"], shown: "", doc: "", own: Own::Close },
];

#[derive(Debug, Clone)]
enum Bind {
    Row(&'static Row),
    Own(Own),
    Preview(SceneId),
    Cut(SceneId),
}

/// Which key does what, in one show.
#[derive(Debug, Clone)]
pub(super) struct Keymap {
    binds: Vec<(Chord, Bind)>,
}

impl Keymap {
    /// The keymap of a show, and a sentence for every scene whose key is taken: a command's key always
    /// stays the command's.
    pub(super) fn new(spec: &ShowSpec) -> (Self, Vec<String>) {
        let mut map = Self { binds: Vec::new() };
        let mut clashes = Vec::new();
        for row in ROWS {
            if let Some(chord) = row.chord.and_then(Chord::parse) {
                map.binds.push((chord, Bind::Row(row)));
            }
        }
        for row in OWN {
            for chord in row.chords.iter().filter_map(|c| Chord::parse(c)) {
                map.binds.push((chord, Bind::Own(row.own)));
            }
        }
        let commands = map.binds.len();
        for scene in &spec.scenes {
            let Some(key) = scene.key else { continue };
            let chord = Chord::plain(KeyCode::Char(key));
            if map.find(chord).is_some() {
                clashes.push(format!(
                    "the key '{key}' of scene '{}' is taken: give it another in the show file (1 to 9 \
                     are free)",
                    scene.id
                ));
                continue;
            }
            map.binds.push((chord, Bind::Preview(scene.id.clone())));
            let cut = Chord { alt: true, ..chord };
            map.binds.push((cut, Bind::Cut(scene.id.clone())));
        }
        // Capitals last: they are a second way, and give way to a scene that has the capital as its key.
        let capitals: Vec<_> = map.binds[commands..]
            .iter()
            .filter_map(|(chord, bind)| match (chord.code, bind) {
                (KeyCode::Char(c), Bind::Preview(scene)) if c.is_lowercase() => {
                    let upper = Chord::plain(KeyCode::Char(c.to_uppercase().next()?));
                    Some((upper, Bind::Cut(scene.clone())))
                }
                _ => None,
            })
            .collect();
        for (chord, bind) in capitals {
            if map.find(chord).is_none() {
                map.binds.push((chord, bind));
            }
        }
        (map, clashes)
    }

    fn find(&self, chord: Chord) -> Option<&Bind> {
        self.binds.iter().find(|(c, _)| *c == chord).map(|(_, b)| b)
    }

    /// The key that previews a scene, if it has one that works.
    pub(super) fn scene_key(&self, scene: &SceneId) -> Option<char> {
        self.binds.iter().find_map(|(chord, bind)| match (bind, chord.code) {
            (Bind::Preview(id), KeyCode::Char(c)) if id == scene => Some(c),
            _ => None,
        })
    }
}

/// What a key asks for now; `None` when it means nothing.
pub(super) fn press(state: &State, key: &KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let chord = Chord::of(key);
    let shifted_digit = key.modifiers.contains(KeyModifiers::SHIFT)
        && matches!(key.code, KeyCode::Char(c) if c.is_ascii_digit());
    let bind = state.keymap.find(Chord { alt: chord.alt || shifted_digit, ..chord });
    // Two keys work whatever is open: the slate cannot wait for a dialog, and the way out is never shut. Where text is
    // typed, and the screen says so, the slate's key takes ctrl.
    let typing = state.is_typing() && state.dialog.is_none();
    let slate = if typing && chord.ctrl {
        state.keymap.find(Chord { ctrl: false, ..chord })
    } else {
        bind.filter(|_| !typing)
    };
    if let Some(Bind::Row(row)) = slate
        && row.name == "panic"
    {
        return Some(safe(Command::Panic));
    }
    match bind {
        Some(Bind::Own(Own::Leave)) if chord.ctrl => return Some(Action::AskToLeave),
        _ => {}
    }
    let yes = chord == Chord::plain(KeyCode::Char('y'));
    let enter = chord == Chord::plain(KeyCode::Enter);
    let no = [KeyCode::Esc, KeyCode::Char('n')].map(Chord::plain).contains(&chord);
    match &state.dialog {
        Some(Dialog::Help) => {
            let close = matches!(bind, Some(Bind::Own(Own::Help | Own::Close | Own::Leave)));
            (close || enter).then_some(Action::Close)
        }
        Some(Dialog::Confirm { command, .. }) if yes || enter => {
            Some(Action::Give { command: command.clone(), confirm: true })
        }
        Some(Dialog::Arm { command, .. }) if yes => {
            Some(Action::Give { command: command.clone(), confirm: true })
        }
        Some(Dialog::Explain { .. }) => {
            let close = matches!(bind, Some(Bind::Own(Own::Help | Own::Close | Own::Leave)));
            let step = match of_pane(statistics::KEYS, chord) {
                Some(Step::Subject(by)) => Some(Action::Explain(by)),
                _ => None,
            };
            if close || enter { Some(Action::Close) } else { step }
        }
        Some(_) => no.then_some(Action::Close),
        None if state.pane == Pane::Statistics
            && let Some(action) = in_statistics(bind, chord) =>
        {
            Some(action)
        }
        None if state.pane == Pane::Planner => {
            planner::step(&state.planner, key).map(Action::Planner)
        }
        None if state.pane == Pane::Chat => in_chat(state, bind, key),
        None => match bind? {
            Bind::Row(row) => meant(state, row.name).map(|command| ask(state, command)),
            Bind::Preview(scene) => Some(safe(Command::Preview { scene: scene.clone() })),
            Bind::Cut(scene) => Some(safe(Command::CutTo { scene: scene.clone() })),
            Bind::Own(own) => own_action(state, *own),
        },
    }
}

/// What a key does in the statistics only.
fn in_statistics(bind: Option<&Bind>, chord: Chord) -> Option<Action> {
    match bind {
        Some(Bind::Own(Own::Close | Own::Statistics)) => Some(Action::Pane(Pane::Show)),
        Some(Bind::Own(Own::Help)) => Some(Action::Open(Dialog::Explain { from: 0 })),
        // The hand on the inputs is not seen here.
        Some(Bind::Own(Own::Louder | Own::Softer)) => Some(unseen()),
        Some(Bind::Row(row)) if row.args.first().is_some_and(|a| a.name == "input") => {
            Some(unseen())
        }
        _ => of_pane(statistics::KEYS, chord).map(Action::Statistics),
    }
}

/// What a key does while the chat has the focus. Scenes on digits stay at hand where they are seen: the chat has no
/// digits.
fn in_chat(state: &State, bind: Option<&Bind>, key: &KeyEvent) -> Option<Action> {
    let chat = state.chat.as_ref()?;
    let digit = matches!(key.code, KeyCode::Char(c) if c.is_ascii_digit());
    match bind {
        _ if chat.is_typing() => {}
        Some(Bind::Own(Own::Chat)) => return Some(Action::Pane(Pane::Show)),
        Some(Bind::Preview(scene)) if digit && chat.is_beside() => {
            return Some(safe(Command::Preview { scene: scene.clone() }));
        }
        Some(Bind::Cut(scene)) if digit && chat.is_beside() => {
            return Some(safe(Command::CutTo { scene: scene.clone() }));
        }
        _ if Chord::of(key) == Chord::plain(KeyCode::Char('z')) => return Some(Action::Zoom),
        _ => {}
    }
    Some(Action::Chat(*key))
}

fn unseen() -> Action {
    Action::Refuse(
        "this key is for the selected input, which is not seen here: esc goes back to it".into(),
    )
}

const fn safe(command: Command) -> Action {
    Action::Give { command, confirm: false }
}

fn own_action(state: &State, own: Own) -> Option<Action> {
    Some(match own {
        Own::Leave => Action::AskToLeave,
        Own::Help => Action::Open(Dialog::Help),
        Own::Close => Action::Close,
        Own::OtherList => Action::OtherList,
        Own::Statistics => Action::Pane(Pane::Statistics),
        Own::Planner => Action::Pane(Pane::Planner),
        Own::Chat => match (&state.chat, state.show.spec.chats.is_empty()) {
            (Some(_), _) => Action::Pane(Pane::Chat),
            (None, true) => {
                Action::Refuse("this show has no chat: a [[chat]] table names one".into())
            }
            (None, false) => Action::Refuse(
                "a rehearsal reads no chat: `hawker chat` with the show file reads it by itself"
                    .into(),
            ),
        },
        Own::Up => Action::Move(-1),
        Own::Down => Action::Move(1),
        Own::Louder | Own::Softer => {
            let input = state.selected_input()?;
            let step = if own == Own::Louder { 1.0 } else { -1.0 };
            let db = Db((input.gain.0.round() + step).clamp(-60.0, 20.0));
            safe(Command::SetGain { input: input.spec.id.clone(), db })
        }
    })
}

/// The command a chord means in this state.
pub(super) fn meant(state: &State, name: &str) -> Option<Command> {
    let input = || state.meant_input();
    Some(match name {
        "take-preview" => Command::TakePreview,
        "next-segment" => Command::NextSegment,
        "panic" => Command::Panic,
        "resume" => Command::Resume,
        "acknowledge" => Command::Acknowledge { alarm: None },
        "mark" => Command::Mark { note: None },
        "end-show" => Command::EndShow,
        "go-live" => Command::GoLive { output: state.meant_output() },
        "stop-output" => Command::StopOutput { output: state.meant_output() },
        "restart-input" => Command::RestartInput { input: input()? },
        "unmute" => Command::Unmute { input: input()? },
        "mute" if state.selected_input()?.muted => Command::Unmute { input: input()? },
        "mute" => Command::Mute { input: input()? },
        "set-transition" => {
            let all = TransitionKind::ALL;
            let at = all.iter().position(|k| *k == state.show.transition.kind).unwrap_or(0);
            let kind = all[(at + 1) % all.len()];
            let ms = if kind == TransitionKind::Cut { 0 } else { state.pace_ms };
            Command::SetTransition { kind, ms }
        }
        _ => return None,
    })
}

/// At once, after a yes, or armed: by the command's risk.
fn ask(state: &State, command: Command) -> Action {
    let risk = command.risk();
    if risk == Risk::Safe {
        return safe(command);
    }
    // No question about what cannot be done anyway.
    if let Err(refusal) = state.show.allows(&command) {
        return Action::Refuse(refusal.0);
    }
    let question = question(&state.show, &command);
    Action::Open(match risk {
        Risk::Arm => Dialog::Arm { command, question, until_ms: state.clock_ms + ARMED_MS },
        _ => Dialog::Confirm { command, question },
    })
}

fn question(show: &Show, command: &Command) -> String {
    let named = |one: &Option<OutputId>, would: fn(&OutputStatus) -> bool| {
        let names: Vec<&str> = show
            .outputs
            .iter()
            .filter(|o| one.as_ref().map_or_else(|| would(&o.status), |id| *id == o.spec.id))
            .map(|o| o.spec.id.as_str())
            .collect();
        names.join(", ")
    };
    match command {
        Command::Resume => format!("Back to the program? '{}' is seen and heard.", show.program),
        Command::GoLive { output } => {
            let off = |s: &OutputStatus| {
                matches!(
                    s,
                    OutputStatus::Idle
                        | OutputStatus::Refused { .. }
                        | OutputStatus::Retrying { .. }
                )
            };
            format!("Go live on {}?", named(output, off))
        }
        Command::StopOutput { output } => {
            let on = |s: &OutputStatus| !matches!(s, OutputStatus::Idle | OutputStatus::Stopping);
            format!("Take {} off the air? The show goes on without it.", named(output, on))
        }
        Command::EndShow => {
            "End the show? Every output is taken off the air, and the show's process ends.".into()
        }
        other => format!("Really {}?", other.name().replace('-', " ")),
    }
}

#[cfg(test)]
mod tests;
