//! From a key to an action. The commands' chords come from the registry, the scenes' from the show; the
//! console adds its own few. Nothing is carried out here.
//!
//! A scene's key previews it. To cut to it at once: Alt and the key (every terminal sends that), or the
//! capital where the key is a letter. Shift and a digit is taken only from a terminal that reports the two
//! apart: elsewhere it sends a sign that depends on the keyboard's country, and a wrong scene on air is worse
//! than none.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::state::{ARMED_MS, Dialog, Focus, State};
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
    Up,
    Down,
    Louder,
    Softer,
}

/// A row of the console's own keys.
pub(super) struct OwnRow {
    /// Its keys, the first is the one that is shown.
    pub chords: &'static [&'static str],
    /// As the help shows the keys.
    pub shown: &'static str,
    /// What it does.
    pub doc: &'static str,
    own: Own,
}

/// The console's own keys.
pub(super) const OWN: &[OwnRow] = &[
    OwnRow { chords: &["+", "="], shown: "+", doc: "selected input 1 dB louder", own: Own::Louder },
    OwnRow { chords: &["-", "_"], shown: "-", doc: "selected input 1 dB softer", own: Own::Softer },
    OwnRow { chords: &["up", "k"], shown: "up k", doc: "select the one above", own: Own::Up },
    OwnRow { chords: &["down", "j"], shown: "down j", doc: "select the one below", own: Own::Down },
    OwnRow {
        chords: &["tab"],
        shown: "tab",
        doc: "inputs or outputs; on outputs, g and o mean the selected one",
        own: Own::OtherList,
    },
    OwnRow {
        chords: &["q", "ctrl-c"],
        shown: "q",
        doc: "leave the console, twice; the show goes on",
        own: Own::Leave,
    },
    OwnRow { chords: &["?"], shown: "?", doc: "this help", own: Own::Help },
    OwnRow { chords: &["esc"], shown: "esc", doc: "close what is open", own: Own::Close },
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
    // Two keys work whatever is open: the slate cannot wait for a dialog, and the way out is never shut.
    match bind {
        Some(Bind::Row(row)) if row.name == "panic" => {
            return Some(Action::Give { command: Command::Panic, confirm: false });
        }
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
        Some(_) => no.then_some(Action::Close),
        None => match bind? {
            Bind::Row(row) => meant(state, row.name).map(|command| ask(state, command)),
            Bind::Preview(scene) => Some(safe(Command::Preview { scene: scene.clone() })),
            Bind::Cut(scene) => Some(safe(Command::CutTo { scene: scene.clone() })),
            Bind::Own(own) => own_action(state, *own),
        },
    }
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
        "panic" => Command::Panic,
        "resume" => Command::Resume,
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
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::console::{fixture, state::Todo};

    fn key(text: &str) -> KeyEvent {
        let chord = Chord::parse(text).unwrap();
        let mut modifiers = KeyModifiers::NONE;
        modifiers.set(KeyModifiers::CONTROL, chord.ctrl);
        modifiers.set(KeyModifiers::ALT, chord.alt);
        if let KeyCode::Char(c) = chord.code {
            modifiers.set(KeyModifiers::SHIFT, c.is_uppercase());
        }
        KeyEvent::new(chord.code, modifiers)
    }

    /// Presses the keys one after the other; returns what is given to others.
    fn typed(state: &mut State, keys: &[&str]) -> Vec<Todo> {
        keys.iter()
            .filter_map(|text| {
                let action = press(state, &key(text))?;
                state.act(action, fixture::NOON)
            })
            .collect()
    }

    fn given(line: &str, confirm: bool) -> Todo {
        Todo::Give { command: line.parse().unwrap(), confirm }
    }

    #[test]
    fn every_chord_is_a_key_and_has_one_meaning() {
        let mut seen = HashSet::new();
        let commands = ROWS.iter().filter_map(|r| r.chord);
        for text in commands.chain(OWN.iter().flat_map(|r| r.chords.iter().copied())) {
            let chord = Chord::parse(text).unwrap_or_else(|| panic!("{text} is no key"));
            assert!(seen.insert(chord), "{text} has two meanings");
        }
    }

    #[test]
    fn every_row_with_a_chord_means_a_command() {
        let state = fixture::rehearsal();
        for row in ROWS.iter().filter(|r| r.chord.is_some()) {
            assert!(meant(&state, row.name).is_some(), "{} does nothing", row.name);
        }
    }

    #[test]
    fn scene_keys_preview_and_with_alt_cut() {
        let mut state = fixture::rehearsal();
        assert_eq!(typed(&mut state, &["2"]), [given("preview product", false)]);
        assert_eq!(typed(&mut state, &["alt-2"]), [given("cut-to product", false)]);
        assert_eq!(
            typed(&mut state, &["b", "B"]),
            [given("preview both", false), given("cut-to both", false)]
        );
        let shifted = KeyEvent::new(KeyCode::Char('2'), KeyModifiers::SHIFT);
        assert_eq!(press(&state, &shifted), Some(safe("cut-to product".parse().unwrap())));
        assert_eq!(typed(&mut state, &["@"]), []);
    }

    #[test]
    fn a_scene_never_takes_the_key_of_a_command() {
        let mut spec = fixture::spec("x");
        spec.scenes[0].key = Some('p');
        spec.scenes[1].key = Some('e');
        let (map, clashes) = Keymap::new(&spec);
        assert_eq!(clashes.len(), 1);
        assert!(clashes[0].contains("'p'") && clashes[0].contains("'host'"), "{clashes:?}");
        assert_eq!(map.scene_key(&spec.scenes[0].id), None);
        let capital = map.find(Chord::parse("E").unwrap());
        assert!(matches!(capital, Some(Bind::Row(row)) if row.name == "end-show"));
    }

    #[test]
    fn the_hand_chooses_the_input() {
        let mut state = fixture::rehearsal();
        assert_eq!(typed(&mut state, &["m"]), [given("mute cam", false)]);
        assert_eq!(typed(&mut state, &["down", "j", "m"]), [given("mute mic", false)]);
        assert_eq!(
            typed(&mut state, &["k", "+", "-", "i"]),
            [
                given("set-gain table 1", false),
                given("set-gain table -1", false),
                given("restart-input table", false)
            ]
        );
        typed(&mut state, &["up", "up", "up"]);
        assert_eq!(state.input, 0);
        typed(&mut state, &["j", "j", "j", "j", "j", "j"]);
        assert_eq!(state.input, state.show.inputs.len() - 1);
    }

    #[test]
    fn m_lets_a_muted_input_be_heard() {
        let mut state = fixture::rehearsal();
        fixture::command(&mut state, "mute cam");
        assert_eq!(
            typed(&mut state, &["m", "u"]),
            [given("unmute cam", false), given("unmute cam", false)]
        );
    }

    #[test]
    fn t_goes_round_and_keeps_the_pace() {
        let mut state = fixture::rehearsal();
        fixture::command(&mut state, "set-transition wipe 700");
        assert_eq!(typed(&mut state, &["t"]), [given("set-transition cut 0", false)]);
        fixture::command(&mut state, "set-transition cut 0");
        assert_eq!(typed(&mut state, &["t"]), [given("set-transition fade 700", false)]);
    }

    #[test]
    fn no_single_key_ends_a_broadcast() {
        for (chord, command) in [("E", "end-show"), ("o", "stop-output")] {
            let mut state = fixture::on_air();
            assert_eq!(typed(&mut state, &[chord]), [], "{chord} alone");
            assert_eq!(typed(&mut state, &["enter", chord, "q"]), [], "enter is no y");
            assert_eq!(typed(&mut state, &["y"]), [given(command, true)]);
            assert_eq!(state.dialog, None);
            assert_eq!(typed(&mut state, &[chord, "esc", "y"]), [], "esc disarms");
            typed(&mut state, &[chord]);
            assert!(state.tick(state.clock_ms + ARMED_MS));
            assert_eq!(typed(&mut state, &["y"]), [], "time disarms");
        }
    }

    #[test]
    fn the_countdown_is_redrawn_each_second() {
        let mut state = fixture::on_air();
        typed(&mut state, &["E"]);
        let mut shown = vec![state.seconds_armed()];
        while state.dialog.is_some() {
            state.figures_at = state.clock_ms;
            let next = state.next_tick().unwrap();
            assert!(next > state.clock_ms, "the loop would spin");
            assert!(state.tick(next));
            shown.push(state.seconds_armed());
        }
        assert_eq!(shown, [Some(5), Some(4), Some(3), Some(2), Some(1), None]);
    }

    #[test]
    fn a_confirm_takes_one_yes() {
        let mut state = fixture::on_air();
        fixture::command(&mut state, "panic");
        assert_eq!(typed(&mut state, &["r"]), []);
        assert_eq!(typed(&mut state, &["enter"]), [given("resume", true)]);
        assert_eq!(typed(&mut state, &["r", "n", "y"]), []);
    }

    #[test]
    fn what_cannot_be_done_is_said_and_not_asked() {
        let mut state = fixture::on_air();
        assert_eq!(typed(&mut state, &["r"]), []);
        assert_eq!(state.dialog, None);
        assert!(state.log.last().unwrap().text.contains("the slate is not on"));
    }

    #[test]
    fn panic_and_the_way_out_work_whatever_is_open() {
        for open in ["?", "E", "o"] {
            let mut state = fixture::on_air();
            typed(&mut state, &[open]);
            assert_eq!(typed(&mut state, &["p"]), [given("panic", false)]);
            assert!(state.dialog.is_some());
            assert_eq!(typed(&mut state, &["ctrl-c", "ctrl-c"]), [Todo::Leave]);
        }
    }

    #[test]
    fn leaving_takes_two_keys_and_never_ends_the_show() {
        let mut state = fixture::on_air();
        assert_eq!(typed(&mut state, &["q"]), []);
        assert!(state.leaving());
        assert_eq!(typed(&mut state, &["q"]), [Todo::Leave]);
        let mut state = fixture::on_air();
        typed(&mut state, &["q", "j"]);
        assert!(!state.leaving(), "another key means: stay");
        typed(&mut state, &["q"]);
        assert!(state.tick(state.next_tick().unwrap().max(state.clock_ms + 10_000)));
        assert!(!state.leaving(), "time means: stay");
    }

    #[test]
    fn g_and_o_mean_the_selected_output_while_the_hand_is_there() {
        let mut state = fixture::on_air();
        assert_eq!(
            typed(&mut state, &["tab", "down", "o", "y"]),
            [given("stop-output backup", true)]
        );
    }

    #[test]
    fn releases_mean_nothing() {
        let state = fixture::on_air();
        let mut event = key("p");
        event.kind = KeyEventKind::Release;
        assert_eq!(press(&state, &event), None);
    }
}
