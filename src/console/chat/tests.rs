//! What the pane shows, and what its keys do. The pictures are in `snapshots/`.

mod hostile;

use std::{sync::Arc, time::Duration};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier},
};

use super::{Pane, Pressed, list, state::Over, view};
use crate::{
    base::{Now, SourceId},
    chat::{
        Amount, Author, Badge, Kind, Message, MessageId, Platform, Removal, Text, Update, UserId,
        finders::{Complaint, Finds, Order, Question},
        language::Language,
        told::{SourceState, Status, Told},
    },
    console::{
        tests::lines,
        text::width,
        theme::{Depth, Palette, Theme},
    },
};

fn source(name: &str) -> SourceId {
    name.parse().unwrap()
}

fn message(id: u64, ms: u64, who: &str, text: &str) -> Message {
    Message::new(
        MessageId::new(&id.to_string()),
        source("tw"),
        Platform::TWITCH,
        Now::test(ms).wall,
        Author { id: Some(UserId::new(who)), name: Text::name(who), ..Author::default() },
        Text::new(text),
    )
}

/// A pane and the number of the last step it was given.
struct Fed {
    pane: Pane,
    number: u64,
    ms: u64,
}

impl Fed {
    fn new() -> Self {
        Self::themed(Theme::Mono, Depth::Mono)
    }

    fn themed(theme: Theme, depth: Depth) -> Self {
        let markets = [(source("tw"), "vn".parse().unwrap())].into_iter().collect();
        let pane = Pane::new(&Palette::new(theme, depth), TimeZone::UTC, markets);
        Self { pane, number: 0, ms: 70_000 }
    }

    fn now(&self) -> Now {
        Now::test(self.ms)
    }

    fn step(&mut self, source_: &str, update: Update, finds: Finds, language: Option<Language>) {
        self.number += 1;
        let told = Told { number: self.number, source: source(source_), update, language, finds };
        let now = self.now();
        self.pane.take(&told, now);
        self.pane.turn(now);
    }

    fn told(&mut self, message: Message, finds: Finds, language: Option<Language>) {
        let from = message.source.as_str().to_owned();
        self.step(&from, Update::Message(Box::new(message)), finds, language);
    }

    /// One more line, a second later.
    fn says(&mut self, who: &str, text: &str) {
        self.ms += 1_000;
        let message = message(self.number + 1, self.ms, who, text);
        self.told(message, Finds::default(), None);
    }

    fn press(&mut self, keys: &[KeyCode]) -> Pressed {
        let now = self.now();
        let press = |code: &KeyCode| {
            let pressed = self.pane.press(&KeyEvent::new(*code, KeyModifiers::NONE), now);
            self.pane.turn(now);
            pressed
        };
        keys.iter().map(press).last().unwrap()
    }

    fn types(&mut self, text: &str) {
        for c in text.chars() {
            self.press(&[KeyCode::Char(c)]);
        }
    }

    fn drawn(&mut self, width: u16, height: u16) -> Buffer {
        self.pane.resized(width, height);
        let now = self.now();
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let area = Rect::new(0, 0, width, height);
        terminal.draw(|frame| view::draw(frame, area, &self.pane, now)).unwrap();
        terminal.backend().buffer().clone()
    }

    fn screen(&mut self, width: u16, height: u16) -> String {
        let lines = lines(&self.drawn(width, height));
        lines.iter().map(|l| l.trim_end()).collect::<Vec<_>>().join("\n")
    }

    /// The texts of the lines that are seen whole.
    fn seen(&self) -> Vec<String> {
        let shown = list::shown(&self.pane, self.now());
        shown.iter().filter_map(|l| Some(l.entry.message()?.text.as_str().to_owned())).collect()
    }

    fn selected(&self) -> Option<String> {
        let entry = self.pane.room.get(self.pane.selected?)?;
        Some(entry.message()?.text.as_str().to_owned())
    }
}

fn order(code: &str) -> Finds {
    let order = Order { code: Some(code.into()), quantity: 1 };
    Finds { order: Some(order), ..Finds::default() }
}

fn asks() -> Finds {
    Finds { questions: vec![Question::Price], ..Finds::default() }
}

fn complains(complaint: Complaint) -> Finds {
    Finds { complaint: Some(complaint), ..Finds::default() }
}

fn state(id: &str, status: Status, heard: Option<u64>, messages: u64) -> SourceState {
    let heard = heard.map(|ms| Now::test(ms).wall);
    SourceState { id: source(id), kind: "twitch".into(), status, heard, messages, unreadable: 0 }
}

/// A lively chat, in the palette of the theme.
fn lively(theme: Theme, depth: Depth) -> Fed {
    let mut fed = Fed::themed(theme, depth);
    let mut old = message(900, 10_000, "Bo", "is this live?");
    old.backlog = true;
    fed.told(old, asks(), Some(Language::En));
    let platforms = [
        ("yt", Platform::YOUTUBE),
        ("tw", Platform::TWITCH),
        ("br", Platform::named("TikTok")),
        ("fb", Platform::FACEBOOK),
    ];
    let said: [(&str, &str, Finds, Option<Language>); 10] = [
        ("Lan", "chào shop", Finds::default(), Some(Language::Vi)),
        ("Minh Anh", "áo này giá bao nhiêu vậy shop ơi?", asks(), Some(Language::Vi)),
        ("สมชาย", "A12 +1", order("A12"), Some(Language::Th)),
        ("王小明", "直播很卡，声音断断续续的", complains(Complaint::Lag), Some(Language::Zh)),
        ("Siti", "mine 12", order("12"), Some(Language::Ms)),
        ("Jo", "the picture is frozen", complains(Complaint::Lag), Some(Language::En)),
        ("Ana", "no sound here", complains(Complaint::NoSound), Some(Language::En)),
        ("fam 👨‍👩‍👧‍👦", "we love it 🏴󠁧󠁢󠁥󠁮󠁧󠁿 👩🏽‍🍳 so much", Finds::default(), Some(Language::En)),
        (
            "Tito",
            "I bought the blue one last week and it arrived after two days in a very nice box, so thank you \
             very much for that, and please tell us when the red one comes back, my sister wants one, too",
            Finds::default(),
            Some(Language::En),
        ),
        ("", "who am I", Finds::default(), None),
    ];
    for (n, (who, text, finds, language)) in said.into_iter().enumerate() {
        fed.ms += 700;
        let mut message = message(n as u64, fed.ms, who, text);
        let (from, platform) = &platforms[n % platforms.len()];
        (message.source, message.platform) = (source(from), platform.clone());
        if n == 1 {
            message.author.badges = vec![Badge::Member, Badge::First];
        }
        if n == 8 {
            message.author.badges = vec![Badge::Moderator];
        }
        fed.told(message, finds, language);
    }
    for n in 0..3 {
        fed.ms += 100;
        let message = message(100 + n, fed.ms, &format!("v{n}"), "hello everybody");
        fed.told(message, Finds::default(), Some(Language::En));
    }
    fed.ms += 500;
    let mut paid = message(200, fed.ms, "Big", "for the team");
    paid.kind = Kind::Paid { amount: Amount { micros: 5_500_000, currency: Text::name("USD") } };
    fed.told(paid, Finds::default(), Some(Language::En));
    fed.ms += 500;
    fed.told(message(201, fed.ms, "troll", "something rude"), Finds::default(), None);
    fed.step("tw", Update::Deleted(MessageId::new("201")), Finds::default(), None);
    let hole = Update::Hole { from: Now::test(40_000).wall, until: Now::test(fed.ms).wall };
    fed.step("fb", hole, Finds::default(), None);
    fed.ms += 1_000;
    fed.told(message(202, fed.ms, "Lan", "A7 x2"), order("A7"), Some(Language::Vi));
    let failed =
        Status::Failed { why: "today's quota is used up; it is renewed at midnight".into() };
    fed.pane.on_sources(Arc::new(vec![
        state("tw", Status::Live, Some(fed.ms - 2_000), 1_234),
        state("yt", failed, Some(fed.ms - 61_000), 12),
        state("br", Status::Silent { since: Now::test(0).wall, overdue: true }, Some(0), 3),
        state("fb", Status::Live, Some(fed.ms - 33_000), 140_000),
    ]));
    fed
}

fn mono() -> Fed {
    lively(Theme::Mono, Depth::Mono)
}

macro_rules! screens {
    ($($name:ident: $fed:expr, $width:expr, $height:expr;)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(stringify!($name), $fed.screen($width, $height));
            }
        )*
    };
}

// Behind the macro, which it uses.
mod acting;

fn pressed(keys: &[KeyCode]) -> Fed {
    let mut fed = mono();
    fed.drawn(80, 24);
    fed.press(keys);
    fed
}

fn busy() -> Fed {
    let mut fed = pressed(&[
        KeyCode::Up,
        KeyCode::Up,
        KeyCode::Up,
        KeyCode::Up,
        KeyCode::Char('t'),
        KeyCode::PageUp,
    ]);
    for n in 0..37 {
        fed.says("Bo", &format!("line {n}"));
    }
    fed
}

screens! {
    nothing_80x24: Fed::new(), 80, 24;
    lively_80x24: mono(), 80, 24;
    lively_160x50: mono(), 160, 50;
    lively_50x20: mono(), 50, 20;
    lively_30x12: mono(), 30, 12;
    scrolled_80x24: busy(), 80, 24;
    scrolled_160x50: busy(), 160, 50;
    orders_80x24: pressed(&[KeyCode::Char('o')]), 80, 24;
    card_80x24: pressed(&[KeyCode::Up, KeyCode::Enter]), 80, 24;
    help_80x24: pressed(&[KeyCode::Char('?')]), 80, 24;
    too_small_20x6: mono(), 20, 6;
}

#[test]
fn a_reader_who_selects_stands_still_and_new_lines_are_counted() {
    let mut fed = Fed::new();
    fed.drawn(80, 24);
    for n in 0..60 {
        fed.says("Bo", &format!("line {n}"));
    }
    assert_eq!(fed.seen().last().unwrap(), "line 59");
    fed.press(&[KeyCode::Up]);
    assert_eq!(fed.selected().as_deref(), Some("line 59"));
    let before = fed.seen();
    for n in 0..37 {
        fed.says("Lan", &format!("more {n}"));
    }
    assert_eq!(fed.seen(), before);
    assert!(fed.screen(80, 24).contains("37 new"));
    fed.press(&[KeyCode::Up; 30]);
    assert_eq!(fed.selected().as_deref(), Some("line 29"));
    assert_eq!(fed.seen().first().unwrap(), "line 29", "the selected one is seen");
    fed.press(&[KeyCode::Down; 31]);
    assert_eq!(fed.selected().as_deref(), Some("more 0"));
    assert_eq!(fed.seen().last().unwrap(), "more 0");
    fed.press(&[KeyCode::Home]);
    assert_eq!(fed.seen().first().unwrap(), "line 0");
    assert_eq!(fed.selected().as_deref(), Some("line 0"));
    fed.press(&[KeyCode::PageDown]);
    assert!(!fed.seen().contains(&"more 36".to_owned()));
    fed.press(&[KeyCode::End]);
    assert_eq!((fed.selected(), fed.seen().last().unwrap().as_str()), (None, "more 36"));
    assert_eq!(fed.pane.view.new_below(), None);
}

#[test]
fn the_newest_line_is_beyond_the_last_and_a_page_goes_there() {
    let mut fed = Fed::new();
    for n in 0..10 {
        fed.says("Bo", &format!("line {n}"));
    }
    fed.drawn(80, 24);
    fed.press(&[KeyCode::Up, KeyCode::Down]);
    assert_eq!((fed.selected(), fed.pane.view.new_below()), (None, None), "live again");
}

#[test]
fn long_lines_are_scrolled_over_without_leaving_one_out() {
    let mut fed = Fed::new();
    for n in 0..40 {
        let words = if n % 3 == 0 { " and so on".repeat(40) } else { String::new() };
        fed.says("Bo", &format!("line {n}{words}"));
    }
    fed.drawn(80, 24);
    for n in (0..40).rev() {
        fed.press(&[KeyCode::Up]);
        let selected = fed.selected().unwrap();
        assert!(selected == format!("line {n}") || selected.starts_with(&format!("line {n} ")));
        assert!(fed.seen().contains(&selected), "{n}");
        assert!(fed.screen(80, 24).contains("▸"), "{n}");
    }
    for n in 1..40 {
        fed.press(&[KeyCode::Down]);
        let selected = fed.selected().unwrap();
        assert!(fed.seen().contains(&selected), "{n}");
    }
}

#[test]
fn the_selected_line_stays_on_the_screen_when_the_head_grows_and_the_screen_shrinks() {
    let mut fed = Fed::new();
    fed.drawn(80, 24);
    for n in 0..60 {
        fed.says("Bo", &format!("line {n}"));
    }
    fed.press(&[KeyCode::Up; 40]);
    let selected = fed.selected().unwrap();
    assert_eq!(fed.seen().first(), Some(&selected));
    let why = "refused".to_owned();
    let failed = Status::Failed { why };
    fed.pane.on_sources(Arc::new(vec![state("tw", failed, None, 3)]));
    for (w, h) in [(80, 24), (80, 12), (160, 50), (40, 9)] {
        fed.pane.resized(w, h);
        fed.pane.turn(fed.now());
        let screen = fed.screen(w, h);
        assert!(screen.contains(&selected), "{w}x{h}: {screen}");
    }
}

#[test]
fn filters_show_what_they_say() {
    let mut fed = mono();
    fed.drawn(80, 24);
    for (key, texts) in [
        ('o', &["A12 +1", "mine 12", "A7 x2"][..]),
        ('u', &["is this live?", "áo này giá bao nhiêu vậy shop ơi?"]),
        ('e', &["直播很卡，声音断断续续的", "the picture is frozen", "no sound here"]),
        ('f', &["áo này giá bao nhiêu vậy shop ơi?"]),
    ] {
        fed.press(&[KeyCode::Char(key)]);
        assert_eq!(fed.seen(), texts, "{key}");
        assert!(fed.screen(80, 24).contains("only "));
        fed.press(&[KeyCode::Char(key)]);
    }
    fed.press(&[KeyCode::Char('m')]);
    assert_eq!(fed.seen().len(), 1);
    fed.press(&[KeyCode::Esc]);
    assert!(fed.seen().len() > 10, "esc shows all lines again");
}

#[test]
fn a_search_finds_while_it_is_typed() {
    let mut fed = mono();
    fed.drawn(80, 24);
    fed.press(&[KeyCode::Char('/')]);
    fed.types("from:lan");
    assert_eq!(fed.seen(), ["chào shop", "A7 x2"]);
    fed.types(" in:youtube");
    assert_eq!(fed.seen(), ["chào shop"]);
    assert_eq!(fed.press(&[KeyCode::Char('q')]), Pressed::Taken, "a letter is a letter");
    assert_eq!(fed.seen(), [""; 0]);
    fed.press(&[KeyCode::Backspace, KeyCode::Enter]);
    assert!(fed.screen(80, 24).contains("search: from:lan in:youtube"));
    fed.press(&[KeyCode::Char('/'), KeyCode::Esc]);
    assert_eq!(fed.pane.view.filter().query, None);
    assert_eq!(fed.pane.over, Over::Nothing);
    fed.press(&[KeyCode::Char('/')]);
    assert_eq!(fed.pane.paste("\x1b]0;x\x07😀 lan\nsecond"), Pressed::Taken);
    assert_eq!(fed.pane.search, "]0;x😀 lan");
    fed.press(&[KeyCode::Home, KeyCode::Delete, KeyCode::End, KeyCode::Left, KeyCode::Backspace]);
    assert_eq!(fed.pane.search, "0;x😀 ln");
}

#[test]
fn a_line_is_answered_pinned_and_its_author_highlighted() {
    let mut fed = Fed::new();
    fed.says("Lan", "how much?");
    fed.says("Bo", "hello");
    fed.drawn(80, 24);
    fed.press(&[KeyCode::Char('a')]);
    assert!(fed.screen(80, 24).contains("select a line first"));
    fed.press(&[KeyCode::Up, KeyCode::Up, KeyCode::Char('a')]);
    assert!(fed.screen(80, 24).contains("✓ Lan: how much?"));
    fed.press(&[KeyCode::Char('a')]);
    assert!(!fed.screen(80, 24).contains('✓'));
    fed.press(&[KeyCode::Char('t')]);
    assert!(fed.screen(80, 24).contains("^ TW  Lan: how much?"));
    fed.press(&[KeyCode::Char('h')]);
    let reversed = |fed: &mut Fed| {
        let buf = fed.drawn(80, 24);
        buf.content().iter().filter(|cell| cell.modifier.contains(Modifier::REVERSED)).count()
    };
    let lit = reversed(&mut fed);
    fed.ms += 5 * 60_000;
    fed.pane.turn(fed.now());
    assert!(reversed(&mut fed) < lit, "for five minutes");
    fed.step("tw", Update::Deleted(MessageId::new("1")), Finds::default(), None);
    let screen = fed.screen(80, 24);
    assert!(!screen.contains("how much?") && screen.contains("(deleted)"), "{screen}");
}

#[test]
fn what_was_removed_is_nowhere_on_the_screen() {
    let mut fed = Fed::new();
    fed.says("troll", "very rude words");
    fed.says("Bo", "hello");
    fed.drawn(80, 24);
    fed.press(&[KeyCode::Up, KeyCode::Up, KeyCode::Char('t'), KeyCode::Enter]);
    assert!(fed.screen(80, 24).contains("very rude words"));
    let removal = Removal::TimedOut(Duration::from_mins(10));
    let gone = Update::UserCleared { id: Some(UserId::new("troll")), name: None, removal };
    fed.step("tw", gone, Finds::default(), None);
    let card = fed.screen(80, 24);
    assert!(!card.contains("rude") && card.contains("timed out for 10 min"), "{card}");
    fed.press(&[KeyCode::Esc]);
    let list = fed.screen(80, 24);
    assert!(!list.contains("rude") && list.contains("(deleted: timed out)"), "{list}");
    fed.press(&[KeyCode::Char('/')]);
    fed.types("rude");
    assert!(!fed.screen(80, 24).contains("very rude"));
}

#[test]
fn complaints_are_people_of_the_last_minute() {
    let mut fed = Fed::new();
    for n in 0..14 {
        for again in 0..2 {
            fed.ms += 100;
            let message = message(n * 2 + again, fed.ms, &format!("v{n}"), "lag!");
            fed.told(message, complains(Complaint::Lag), None);
        }
    }
    let mut bot = message(99, fed.ms, "robot", "lag!");
    bot.author.badges = vec![Badge::Bot];
    fed.told(bot, complains(Complaint::Lag), None);
    let mut old = message(98, 1_000, "old", "lag!");
    old.backlog = true;
    fed.told(old, complains(Complaint::Lag), None);
    assert!(fed.screen(80, 24).contains("lag 14\n"), "{}", fed.screen(80, 24));
    fed.ms += 59_000;
    let due = fed.pane.next_change(fed.now()).unwrap();
    assert!(due > fed.now().mono && due.since(fed.now().mono) < Duration::from_secs(1));
    fed.ms += 1_000;
    fed.pane.turn(fed.now());
    assert!(!fed.screen(80, 24).contains("lag 14\n"), "forgotten");
}

#[test]
fn repeats_are_folded_and_orders_are_not() {
    let mut fed = Fed::new();
    fed.drawn(80, 24);
    for n in 0..5 {
        fed.says(&format!("v{n}"), "so nice");
    }
    for n in 0..3 {
        fed.ms += 10;
        let message = message(100 + n, fed.ms, &format!("b{n}"), "A12 +1");
        fed.told(message, order("A12"), None);
    }
    assert_eq!(fed.seen(), ["so nice", "A12 +1", "A12 +1", "A12 +1"]);
    assert!(fed.screen(80, 24).contains("so nice (x5)"));
}

#[test]
fn steps_that_are_missing_are_told() {
    let mut fed = Fed::new();
    fed.says("Bo", "one");
    fed.number += 12;
    fed.says("Bo", "two");
    assert!(fed.screen(80, 24).contains("12 steps were missed"));
}

#[test]
fn many_sources_show_those_in_trouble_first() {
    let mut fed = Fed::new();
    let mut states: Vec<_> =
        (0..20).map(|n| state(&format!("source-{n}"), Status::Live, Some(70_000), 10)).collect();
    states[17].status = Status::Waiting { why: "refused".into(), retry_in_ms: 3_000 };
    states[18].status = Status::Silent { since: Now::test(0).wall, overdue: true };
    fed.pane.on_sources(Arc::new(states));
    let screen = fed.screen(80, 24);
    assert!(screen.contains("source-17 RETRYING") && screen.contains(" more"), "{screen}");
    assert!(screen.contains("source-18 SILENT"), "{screen}");
    assert!(screen.contains("! source-17: refused"), "{screen}");
}

#[test]
fn nothing_in_an_idle_pane_asks_to_be_drawn() {
    let mut fed = Fed::new();
    fed.says("Bo", "one");
    fed.pane.on_sources(Arc::new(vec![state("tw", Status::Ended, Some(70_000), 1)]));
    assert_eq!(fed.pane.next_change(fed.now()), None);
}

#[test]
fn the_themes_keep_to_their_colours() {
    for cell in mono().drawn(80, 24).content() {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{cell:?}");
    }
    let mut texts = Vec::new();
    for theme in [Theme::Dark, Theme::Light] {
        let buf = lively(theme, Depth::Cube).drawn(80, 24);
        for colour in buf.content().iter().flat_map(|cell| [cell.fg, cell.bg]) {
            assert!(matches!(colour, Color::Reset | Color::Indexed(16..)), "{colour:?}");
        }
        texts.push(lines(&buf));
    }
    assert_eq!(texts[0], texts[1], "the same words in both");
}
