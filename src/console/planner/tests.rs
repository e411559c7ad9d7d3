//! The pane under keys, and what it looks like. The pictures are in `snapshots/`: read them as a planner would.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::{buffer::Buffer, layout::Rect, style::Color};

use super::{
    Planner, Todo, draw, fixture,
    state::{Dialog, News},
    step,
};
use crate::console::{
    text::width,
    theme::{Depth, Palette, Theme},
};

fn drawn(planner: &Planner, theme: Theme, w: u16, h: u16) -> Buffer {
    let area = Rect::new(0, 0, w, h);
    let mut buf = Buffer::empty(area);
    draw(planner, &Palette::new(theme, Depth::True), area, &mut buf);
    buf
}

fn screen(planner: &Planner, w: u16, h: u16) -> String {
    lines(&drawn(planner, Theme::Dark, w, h))
}

fn lines(buf: &Buffer) -> String {
    let line = |y| {
        let (mut line, mut x) = (String::new(), 0);
        while x < buf.area.width {
            let symbol = buf[(x, y)].symbol();
            line.push_str(symbol);
            x += width(symbol).max(1);
        }
        line.trim_end().to_owned()
    };
    (0..buf.area.height).map(line).collect::<Vec<_>>().join("\n")
}

/// Keys as a line: `a`, `J`, or by name in brackets: `<tab>`.
fn keys(line: &str) -> Vec<KeyEvent> {
    let mut all = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let (code, length) = match rest.split_once('>') {
            Some((name, _)) if first == '<' => {
                let code = match &name[1..] {
                    "tab" => KeyCode::Tab,
                    "esc" => KeyCode::Esc,
                    "enter" => KeyCode::Enter,
                    "up" => KeyCode::Up,
                    "down" => KeyCode::Down,
                    "left" => KeyCode::Left,
                    "right" => KeyCode::Right,
                    other => panic!("{other}"),
                };
                (code, name.len() + 1)
            }
            _ => (KeyCode::Char(first), first.len_utf8()),
        };
        all.push(KeyEvent::new(code, KeyModifiers::NONE));
        rest = &rest[length..];
    }
    all
}

fn press(planner: &mut Planner, key: &KeyEvent) -> Option<Todo> {
    step(planner, key).and_then(|step| planner.act(step))
}

/// Presses keys; what the loop has to do is done. Gives what is left to do.
fn typed(planner: &mut Planner, line: &str) -> Option<Todo> {
    let mut last = None;
    for key in keys(line) {
        let todo = press(planner, &key);
        last = fixture::serve(planner, todo);
    }
    last
}

fn after(mut planner: Planner, line: &str) -> Planner {
    typed(&mut planner, line);
    planner
}

macro_rules! screens {
    ($($name:ident: $planner:expr, $width:expr, $height:expr;)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(stringify!($name), screen(&$planner, $width, $height));
            }
        )*
    };
}

screens! {
    begun_80x24: fixture::begun(), 80, 24;
    begun_60x18: fixture::begun(), 60, 18;
    planned_60x20: fixture::planned(), 60, 20;
    planned_80x24: fixture::planned(), 80, 24;
    planned_160x50: fixture::planned(), 160, 50;
    an_hour_80x24: after(fixture::begun(), "<esc>]]<down><down>"), 80, 24;
    broken_80x24: after(fixture::planned(), "<tab>KKKKKKKKKKKKKKKK"), 80, 24;
    broken_160x50: after(fixture::planned(), "<tab>KKKKKKKKKKKKKKKK"), 160, 50;
    hosts_80x24: after(fixture::planned(), "h"), 80, 24;
    markets_80x24: after(fixture::planned(), "m<down> "), 80, 24;
    notes_80x24: after(fixture::planned(), "e"), 80, 24;
    help_80x24: after(fixture::planned(), "?"), 80, 24;
    help_60x20: after(fixture::planned(), "?"), 60, 20;
    proposal_80x24: after(fixture::begun(), "f"), 80, 24;
    proposal_160x50: after(fixture::begun(), "<tab>alf"), 160, 50;
    leaving_80x24: after(fixture::begun(), "aq"), 80, 24;
    too_small: fixture::planned(), 50, 15;
}

#[test]
fn every_theme_says_the_same() {
    let planner = after(fixture::planned(), "<tab>KKKKKKKKKKKKKKKK");
    let [dark, light, mono] = Theme::ALL.map(|theme| drawn(&planner, theme, 80, 24));
    assert_eq!(lines(&dark), lines(&light));
    assert_eq!(lines(&dark), lines(&mono));
    for cell in mono.content() {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{cell:?}");
    }
    assert_ne!(dark, light);
}

#[test]
fn a_show_is_added_changed_and_taken_back_by_keys() {
    let mut planner = fixture::begun();
    let shows = |p: &Planner| p.desk.as_ref().unwrap().shows().to_vec();
    let before = shows(&planner);
    typed(&mut planner, "<right>a");
    assert_eq!(shows(&planner).len(), before.len() + 1);
    assert!(planner.unsaved());
    let at = planner.selected().unwrap();
    let first = shows(&planner)[at].clone();
    typed(&mut planner, "J+L");
    let at = planner.selected().unwrap();
    let moved = shows(&planner)[at].clone();
    assert_eq!(moved.start.duration_since(first.start).as_mins(), 24 * 60 + 30);
    assert_eq!((first.minutes, moved.minutes), (60, 90));
    // The second market of the list is taken in, and leads.
    typed(&mut planner, "m");
    assert!(matches!(planner.dialog, Some(Dialog::Markets { .. })));
    typed(&mut planner, "<up><up><up><up><up><up><down>l<enter>");
    let at = planner.selected().unwrap();
    assert_eq!(shows(&planner)[at].markets[0], 1);
    typed(&mut planner, "uuuuu");
    assert_eq!(shows(&planner), before);
    assert!(!planner.unsaved());
    assert_eq!(typed(&mut planner, "q"), Some(Todo::Leave));
}

#[test]
fn nothing_unsaved_is_left_without_a_question() {
    let mut planner = after(fixture::begun(), "<right>a");
    assert_eq!(typed(&mut planner, "q"), None);
    assert_eq!(planner.dialog, Some(Dialog::Leaving));
    assert_eq!(typed(&mut planner, "<esc>"), None);
    assert_eq!(typed(&mut planner, "qd"), Some(Todo::Leave));
    assert!(planner.draft().is_some());
    // Saved, and then left; what could not be saved stays.
    planner.dialog = None;
    typed(&mut planner, "q");
    let todo = press(&mut planner, &keys("s")[0]).unwrap();
    let Todo::Keep { shows, .. } = todo else { panic!("{todo:?}") };
    let full = News::Kept { shows: shows.clone(), kept: Err("the disk is full".into()) };
    assert_eq!(planner.on(full), None);
    assert!(planner.unsaved() && planner.said.as_ref().unwrap().text.contains("disk is full"));
    typed(&mut planner, "q");
    press(&mut planner, &keys("s")[0]);
    let kept = News::Kept { shows, kept: Ok("plan.json".into()) };
    assert_eq!(planner.on(kept), Some(Todo::Leave));
    assert!(!planner.unsaved() && planner.draft().is_none());
}

#[test]
fn a_proposal_is_looked_at_then_taken_or_dropped() {
    let mut planner = after(fixture::begun(), "f");
    let count = |p: &Planner| p.desk.as_ref().unwrap().shows().len();
    assert!(planner.proposal.is_some() && planner.aside && count(&planner) == 1);
    // Nothing is edited behind it.
    typed(&mut planner, "ax");
    assert_eq!(count(&planner), 1);
    typed(&mut planner, "<tab>");
    assert!(!planner.aside);
    typed(&mut planner, "n");
    assert!(planner.proposal.is_none() && count(&planner) == 1);
    typed(&mut planner, "fy");
    assert!(count(&planner) > 5 && planner.unsaved());
    typed(&mut planner, "u");
    assert_eq!(count(&planner), 1);
}

#[test]
fn a_proposal_for_other_locks_comes_too_late() {
    let mut planner = fixture::begun();
    let todo = press(&mut planner, &keys("f")[0]);
    assert!(screen(&planner, 80, 24).contains("computing a proposal, 0 s"));
    // The pane is alive meanwhile.
    typed(&mut planner, "<right>al");
    fixture::serve(&mut planner, todo);
    assert!(planner.proposal.is_none());
    assert!(planner.said.as_ref().unwrap().text.contains("locked shows have changed"));
    // One that is not waited for any more is not shown.
    let todo = press(&mut planner, &keys("f")[0]);
    typed(&mut planner, "n");
    fixture::serve(&mut planner, todo);
    assert!(planner.proposal.is_none() && planner.computing.is_none());
}

#[test]
fn the_countdown_runs() {
    let mut planner = fixture::begun();
    let text = screen(&planner, 80, 24);
    assert!(text.contains("next on air: Thu 19:30 lin for MY, SG, in 2 d 02:42:45"), "{text}");
    assert!(planner.tick("2027-03-25T12:00:00Z".parse().unwrap()));
    let text = screen(&planner, 80, 24);
    assert!(text.contains("planned now: Thu 19:30 lin for MY, SG, left 01:00:00"), "{text}");
    assert!(!planner.tick("2027-03-25T12:00:00.2Z".parse().unwrap()));
}

#[test]
fn what_cannot_be_read_is_said() {
    let mut planner = Planner::new(fixture::TUESDAY.parse().unwrap(), true);
    assert!(screen(&planner, 80, 24).contains("reading the plan"));
    let why = "plan.toml:3: no host\n  write a [[host]]";
    planner.on(News::Opened(Err(why.into())));
    assert!(screen(&planner, 80, 24).contains("write a [[host]]"));
    typed(&mut planner, "aufS<tab>?");
    assert_eq!(typed(&mut planner, "<esc>"), None, "the help is closed");
    assert_eq!(typed(&mut planner, "<esc>"), Some(Todo::Leave));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// No keys break it, whatever its size; and all of them can be taken back.
    #[test]
    fn no_keys_break_it(
        pressed in prop::collection::vec(prop::sample::select(
            "aaaxJKHL+-hml uUyn.vVe?S[]jkq".chars().map(|c| c.to_string())
                .chain(["<tab>", "<left>", "<right>", "<up>", "<down>", "<enter>", "<esc>"].map(String::from))
                .collect::<Vec<_>>()), 1..120),
        w in 1_u16..200,
        h in 1_u16..70,
    ) {
        let mut planner = fixture::begun();
        let first = planner.desk.as_ref().unwrap().shows().to_vec();
        for key in &pressed {
            typed(&mut planner, key);
        }
        let buf = drawn(&planner, Theme::Dark, w, h);
        prop_assert_eq!(buf.area, Rect::new(0, 0, w, h));
        typed(&mut planner, "<esc><esc>");
        let desk = planner.desk.as_mut().unwrap();
        while desk.undo().is_some() {}
        prop_assert_eq!(desk.shows(), first.as_slice());
    }
}
