//! What the screen looks like. The pictures are in `snapshots/`: read them as a designer would.

mod chat;

use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    style::{Color, Modifier},
};

use super::{
    fixture,
    keys::Action,
    planner,
    state::{Dialog, Focus, Pane, State},
    statistics::Step,
    text::width,
    theme::{Depth, Palette, Theme},
    view,
};
use crate::{
    base::OutputId,
    engine::Look,
    show::{Fact, Input, Mode},
    stats::Meters,
};

fn drawn(state: &State, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(state, frame)).unwrap();
    terminal.backend().buffer().clone()
}

/// The cells as lines. The second cell of a wide letter is left out, as a terminal does.
pub(super) fn lines(buf: &Buffer) -> Vec<String> {
    (0..buf.area.height)
        .map(|y| {
            let (mut line, mut x) = (String::new(), 0);
            while x < buf.area.width {
                let symbol = buf[(x, y)].symbol();
                line.push_str(symbol);
                x += width(symbol).max(1);
            }
            line
        })
        .collect()
}

fn screen(state: &State, width: u16, height: u16) -> String {
    let lines = lines(&drawn(state, width, height));
    lines.iter().map(|l| l.trim_end()).collect::<Vec<_>>().join("\n")
}

macro_rules! screens {
    ($($name:ident: $state:expr, $width:expr, $height:expr;)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(stringify!($name), screen(&$state, $width, $height));
            }
        )*
    };
}

fn with(mut state: State, dialog: Dialog) -> State {
    state.dialog = Some(dialog);
    state
}

fn panicked() -> State {
    let mut state = fixture::on_air();
    fixture::command(&mut state, "panic");
    state
}

fn armed() -> State {
    let question = "End the show? Every output is taken off the air, and the show's process ends.";
    with(
        fixture::on_air(),
        Dialog::Arm {
            command: "end-show".parse().unwrap(),
            question: question.into(),
            until_ms: 4200,
        },
    )
}

fn confirm() -> State {
    with(
        panicked(),
        Dialog::Confirm {
            command: "resume".parse().unwrap(),
            question: "Back to the program? 'host' is seen and heard.".into(),
        },
    )
}

fn cjk() -> State {
    let mut spec = fixture::spec("春季大促\x1b[31m直播间 — ลดราคา สงกรานต์ 🛍\u{fe0f}");
    spec.scenes[0].title = "主播\u{202e}近景".into();
    spec.scenes[1].title = "商品特写（第一号链接）限时秒杀".into();
    let failed = Fact::InputFailed {
        input: "cam".parse().unwrap(),
        reason: "设备断开：请重新插上摄像头，然后按 i 重新启动这个输入源".into(),
        kind: crate::show::FailureKind::Lasting,
    };
    fixture::after(spec, Mode::Live, vec![fixture::connected("main"), Input::Fact(failed)])
}

fn nothing_measured() -> State {
    let mut state = fixture::rehearsal();
    state.on_meters(std::sync::Arc::new(Meters { at_ms: 5000, ..Meters::default() }));
    state.picture = None;
    state
}

fn leaving() -> State {
    let mut state = fixture::on_air();
    state.act(Action::AskToLeave, fixture::NOON);
    state
}

screens! {
    rehearsal_80x24: fixture::rehearsal(), 80, 24;
    rehearsal_160x50: fixture::rehearsal(), 160, 50;
    rehearsal_60x40: fixture::rehearsal(), 60, 40;
    on_air_80x24: fixture::on_air(), 80, 24;
    on_air_60x20: fixture::on_air(), 60, 20;
    on_air_120x30: fixture::on_air(), 120, 30;
    input_failed_80x24: fixture::input_failed(), 80, 24;
    input_failed_160x50: fixture::input_failed(), 160, 50;
    output_retrying_80x24: fixture::output_retrying(), 80, 24;
    output_retrying_60x40: fixture::output_retrying(), 60, 40;
    panic_80x24: panicked(), 80, 24;
    confirm_80x24: confirm(), 80, 24;
    armed_80x24: armed(), 80, 24;
    armed_60x40: armed(), 60, 40;
    help_80x24: with(fixture::rehearsal(), Dialog::Help), 80, 24;
    help_160x50: with(fixture::rehearsal(), Dialog::Help), 160, 50;
    cjk_80x24: cjk(), 80, 24;
    recording_80x24: fixture::recording(), 80, 24;
    recording_120x30: fixture::recording(), 120, 30;
    crowded_80x24: fixture::crowded(), 80, 24;
    crowded_160x50: fixture::crowded(), 160, 50;
    nothing_measured_80x24: nothing_measured(), 80, 24;
    leaving_80x24: leaving(), 80, 24;
    watched_80x24: fixture::watched(), 80, 24;
    watched_160x50: fixture::watched(), 160, 50;
    watched_60x40: fixture::watched(), 60, 40;
    alarmed_80x24: fixture::alarmed(), 80, 24;
    alarmed_120x30: fixture::alarmed(), 120, 30;
    planner_on_air_80x24: week(fixture::on_air()), 80, 24;
    statistics_80x24: fixture::statistics(), 80, 24;
    statistics_60x20: fixture::statistics(), 60, 20;
    statistics_160x50: fixture::statistics(), 160, 50;
    statistics_of_an_output_120x30: of_an_output(), 120, 30;
    statistics_frozen_80x24: fixture::looked_back(), 80, 24;
    statistics_frozen_160x50: fixture::looked_back(), 160, 50;
    statistics_explained_80x24: with(fixture::statistics(), Dialog::Explain { from: 0 }), 80, 24;
    statistics_of_nothing_80x24: nothing_to_tell(), 80, 24;
    rundown_80x24: fixture::with_rundown(83_000), 80, 24;
    rundown_160x50: fixture::with_rundown(83_000), 160, 50;
    rundown_over_60x20: fixture::with_rundown(345_000), 60, 20;
    too_small: fixture::on_air(), 50, 15;
    mono_picture_80x24: mono(fixture::on_air()), 80, 24;
}

fn of_an_output() -> State {
    let mut state = fixture::statistics();
    state.act(Action::Statistics(Step::At(2)), fixture::NOON);
    state
}

fn nothing_to_tell() -> State {
    let mut state = nothing_measured();
    state.act(Action::Pane(Pane::Statistics), fixture::NOON);
    state
}

fn week(mut state: State) -> State {
    state.act(Action::Pane(Pane::Planner), fixture::NOON);
    state.planner = planner::fixture::planned();
    state.planner.in_show = true;
    state
}

fn mono(mut state: State) -> State {
    state.palette = Palette::new(Theme::Mono, Depth::True);
    state
}

#[test]
fn the_slate_is_seen_over_the_week() {
    for (w, h) in [(60, 20), (80, 24), (160, 50)] {
        let air = screen(&week(fixture::on_air()), w, h);
        assert!(air.contains("ON AIR") && !air.contains("SLATE") && air.contains("PLAN"), "{air}");
        let slate = screen(&week(panicked()), w, h);
        assert!(slate.contains("ON AIR") && slate.contains("SLATE"), "{slate}");
        assert!(slate.contains("PLAN") && slate.contains("next on air"), "{slate}");
    }
}

#[test]
fn the_mono_theme_has_no_colours() {
    for state in [fixture::on_air, panicked, armed, fixture::crowded, fixture::looked_back]
        .map(|make: fn() -> State| make)
    {
        let buf = drawn(&mono(state()), 80, 24);
        for cell in buf.content() {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{cell:?}");
        }
        assert!(buf.content().iter().any(|c| c.modifier.contains(Modifier::REVERSED)));
    }
}

#[test]
fn a_terminal_of_256_colours_gets_no_others() {
    for theme in [Theme::Dark, Theme::Light] {
        let mut state = fixture::on_air();
        state.palette = Palette::new(theme, Depth::Cube);
        for cell in drawn(&state, 80, 24).content() {
            for colour in [cell.fg, cell.bg] {
                assert!(matches!(colour, Color::Reset | Color::Indexed(16..)), "{colour:?}");
            }
        }
    }
}

#[test]
fn wide_letters_do_not_move_the_columns() {
    let plain = drawn(&fixture::on_air(), 80, 24);
    let wide = drawn(&cjk(), 80, 24);
    // The heading of the inputs, and the rules: where they stood they stand.
    let column_of = |buf: &Buffer, word: &str| {
        (0..buf.area.height).find_map(|y| {
            let row: Vec<&str> = (0..80).map(|x| buf[(x, y)].symbol()).collect();
            let letters: Vec<String> = word.chars().map(String::from).collect();
            row.windows(letters.len()).position(|w| w == letters).map(|x| (x, y))
        })
    };
    for word in ["SCENES", "INPUTS", "gain", "PREVIEW", "OUTPUTS", "loss %", "00:59:"] {
        let place = column_of(&plain, word);
        assert!(place.is_some(), "no {word}");
        assert_eq!(place, column_of(&wide, word), "{word} has moved");
    }
    for line in lines(&wide) {
        assert_eq!(width(&line), 80, "{line}");
        assert!(!line.contains(['\x1b', '\u{202e}']), "{line:?}");
    }
}

#[test]
fn figures_do_not_move_their_columns() {
    let state = fixture::on_air();
    let mut other = fixture::on_air();
    let mut meters = (*other.meters).clone();
    for output in meters.outputs.values_mut() {
        output.sent_kbps = Some(87.0);
        output.rtt_ms = Some(1204.0);
        output.loss = None;
    }
    meters.process.cpu_percent = Some(187.0);
    meters.loudness.momentary = None;
    meters.frames.dropped = 123_456;
    other.on_meters(std::sync::Arc::new(meters));
    let blank = |state: &State| -> Vec<String> {
        let digit = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '–' | 'k' | ' ');
        // Letters alone, each at its place.
        lines(&drawn(state, 80, 24))[15..19]
            .iter()
            .map(|l| l.chars().map(|c| if digit(c) { ' ' } else { c }).collect())
            .collect()
    };
    assert_eq!(blank(&state), blank(&other));
}

#[test]
fn a_secret_path_is_never_drawn() {
    for (w, h) in [(80, 24), (160, 50), (60, 40)] {
        for state in [fixture::on_air(), fixture::output_retrying(), fixture::input_failed()] {
            assert!(!screen(&state, w, h).contains("s3cret"));
        }
    }
}

#[test]
fn old_figures_are_dashes() {
    let mut state = fixture::on_air();
    assert!(screen(&state, 80, 24).contains("2487"));
    assert!(state.tick(5000), "the screen has to change");
    assert!(!screen(&state, 80, 24).contains("2487"));
}

#[test]
fn pictures_are_asked_for_in_the_size_they_have() {
    let state = fixture::on_air();
    let area = |w, h| ratatui::layout::Rect::new(0, 0, w, h);
    assert_eq!(view::look(&state, area(80, 24)), Some(Look { width: 32, height: 18 }));
    let wide = view::look(&state, area(160, 50)).unwrap();
    assert!(wide.width > 80 && wide.height >= 46, "{wide:?}");
    assert_eq!(view::look(&state, area(50, 15)), None);
}

#[test]
fn a_click_previews_a_scene_and_selects_a_row() {
    let state = fixture::on_air();
    let buf = drawn(&state, 80, 24);
    let find = |word: &str| {
        lines(&buf)
            .iter()
            .enumerate()
            .find_map(|(y, l)| l.find(word).map(|at| (width(&l[..at]), y as u16)))
    };
    let click = |word: &str| {
        let (x, y) = find(word).unwrap_or_else(|| panic!("no {word} on the screen"));
        view::click(&state, buf.area, x, y)
    };
    // "Both" is a scene that is neither on program nor on preview: its title is in the list alone.
    assert_eq!(
        click("Both"),
        Some(Action::Give { command: "preview both".parse().unwrap(), confirm: false })
    );
    assert_eq!(click("slides"), Some(Action::Hand(Focus::Inputs, 3)));
    assert_eq!(click("backup.example"), Some(Action::Hand(Focus::Outputs, 1)));
    assert_eq!(click("LOG"), None);
    let output: OutputId = "backup".parse().unwrap();
    let mut state = fixture::on_air();
    state.act(Action::Hand(Focus::Outputs, 1), fixture::NOON);
    assert_eq!(state.meant_output(), Some(output));
}

/// What the log's lines say, the oldest first.
fn log(state: &State) -> Vec<String> {
    state.log.iter().map(|line| line.text.clone()).collect()
}

#[test]
fn identical_retries_are_one_line_of_the_log_and_a_late_console_counts_on() {
    use crate::show::{Happening, folding::Recent};
    let mut state = fixture::on_air();
    let before = log(&state).len();
    let mut recent = Recent::new(200);
    let from = 1000;
    let event = |n: u64, what: Happening| crate::show::Event {
        seq: from + n,
        at: jiff::Timestamp::UNIX_EPOCH + std::time::Duration::from_millis(n * 1400),
        what,
    };
    let output: OutputId = "main".parse().unwrap();
    for n in 0..26 {
        let what = if n % 2 == 0 {
            let reason = "connection refused".into();
            Happening::OutputFailed { output: output.clone(), reason, retry_in_ms: Some(2800) }
        } else {
            let (to, attempt) = ("a.example".into(), n as u32 + 2);
            Happening::OutputConnecting { output: output.clone(), to, attempt }
        };
        let event = event(n, what);
        state.on_event(&event);
        // What is told twice is taken once.
        state.on_event(&event);
        recent.take(&event);
    }
    let folded = "main failed: connection refused (13 times, every 2.8 s)";
    assert_eq!(log(&state).len(), before + 2, "{:?}", log(&state));
    assert_eq!(log(&state).last().map(String::as_str), Some(folded));

    let mut late = fixture::on_air();
    let before = log(&late).len();
    for line in &recent.lines() {
        late.on_logged(line);
    }
    assert_eq!(log(&late)[before..], log(&state)[before..]);
    let reason = "connection refused".into();
    late.on_event(&event(28, Happening::OutputFailed { output, reason, retry_in_ms: None }));
    assert_eq!(log(&late).len(), before + 2);
    assert!(log(&late).last().unwrap().contains("14 times"), "{:?}", log(&late));
}
