//! Keys and states in, commands out.

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
fn in_the_statistics_arrows_choose_and_commands_are_still_commands() {
    let mut state = fixture::statistics();
    let selected = |state: &State| state.statistics.selected(&state.meters);
    let before = selected(&state);
    assert_eq!(typed(&mut state, &["up", "x", "p"]), [given("mark", false), given("panic", false)]);
    assert_eq!((selected(&state), state.input), (before - 1, 0));
    assert_eq!(typed(&mut state, &["m", "+"]), [], "the selected input is not seen here");
    typed(&mut state, &["left", "left"]);
    let newest = state.meters.at_ms;
    assert_eq!(state.statistics.frozen(), Some(newest - 2000));
    typed(&mut state, &["?", "down", "down", "up"]);
    assert_eq!(state.dialog, Some(Dialog::Explain { from: 1 }));
    typed(&mut state, &["?", "space", "esc"]);
    assert_eq!((state.statistics.frozen(), state.pane), (None, Pane::Show));
    typed(&mut state, &["s", "s"]);
    assert_eq!(state.pane, Pane::Show);
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
    assert_eq!(typed(&mut state, &["tab", "down", "o", "y"]), [given("stop-output backup", true)]);
}

#[test]
fn releases_mean_nothing() {
    let state = fixture::on_air();
    let mut event = key("p");
    event.kind = KeyEventKind::Release;
    assert_eq!(press(&state, &event), None);
}

#[test]
fn in_the_planner_the_slate_is_one_key_away_and_no_other_command_is() {
    let pressed = |state: &State, text| press(state, &key(text));
    let mut state = fixture::on_air();
    let week = pressed(&state, "w").unwrap();
    assert_eq!(week, Action::Pane(Pane::Planner));
    assert_eq!(state.act(week, fixture::NOON), Some(Todo::Plan(planner::Todo::Open)));
    let panic = Action::Give { command: Command::Panic, confirm: false };
    assert_eq!(pressed(&state, "p"), Some(panic));
    for key in ["enter", "g", "E", "o", "m", "1", "alt-1"] {
        let action = pressed(&state, key);
        assert!(matches!(action, None | Some(Action::Planner(_))), "{key}: {action:?}");
    }
    assert_eq!(pressed(&state, "ctrl-c"), Some(Action::AskToLeave));
    let back = pressed(&state, "esc").unwrap();
    assert_eq!(state.act(back, fixture::NOON), None);
    assert_eq!(state.pane, Pane::Show);
    // It is read once.
    let week = pressed(&state, "w").unwrap();
    assert_eq!(state.act(week, fixture::NOON), None);
}
