//! The chat in the console of a show: where it stands, who has the focus, what is never out of sight.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;

use super::*;
use crate::{
    chat::{
        Author, Message, MessageId, Platform, Text, Update, UserId,
        finders::{Complaint, Finds, Order, Question},
        told::{SourceState, Status, Told},
    },
    console::{keys::press, state::Todo},
};

/// A state with a chat, the number of the last step, and the size of the screen.
struct Fed {
    state: State,
    number: u64,
    area: Rect,
}

fn fed(width: u16, height: u16) -> Fed {
    let mut fed =
        Fed { state: fixture::with_chat(), number: 0, area: Rect::new(0, 0, width, height) };
    fed.source("tt", Status::Live);
    fed.state.settle(fed.area);
    fed
}

/// Everybody writes at once.
fn lively(width: u16, height: u16) -> Fed {
    let mut fed = fed(width, height);
    let order = |code: &str| Finds {
        order: Some(Order { code: Some(code.into()), quantity: 1 }),
        ..Finds::default()
    };
    let asks = Finds { questions: vec![Question::Price], ..Finds::default() };
    fed.says("Lan", "chào shop", Finds::default());
    fed.says("Minh Anh", "áo này giá bao nhiêu vậy shop ơi?", asks);
    fed.says("สมชาย", "A12 +1", order("A12"));
    fed.says(
        "Tito",
        "thank you for the blue one, it came after two days in a nice box",
        Finds::default(),
    );
    for n in 0..14 {
        fed.says(&format!("v{n}"), "lag", complains(Complaint::Lag));
    }
    fed.says("Ana", "no sound here", complains(Complaint::NoSound));
    fed.says("Siti", "mine 12", order("12"));
    let mut meters = (*fed.state.meters).clone();
    meters.verdicts.insert("main".parse().unwrap(), crate::stats::Verdict::good());
    fed.state.on_meters(Arc::new(meters));
    fed.state.settle(fed.area);
    fed
}

fn troubled(width: u16, height: u16) -> Fed {
    let mut fed = lively(width, height);
    let why = "today's quota is used up; it is renewed at midnight".to_owned();
    fed.source("yt", Status::Failed { why });
    fed.state.settle(fed.area);
    fed
}

fn complains(complaint: Complaint) -> Finds {
    Finds { complaint: Some(complaint), ..Finds::default() }
}

impl Fed {
    fn says(&mut self, who: &str, text: &str, finds: Finds) {
        self.number += 1;
        let now = self.state.chat_now();
        let author =
            Author { id: Some(UserId::new(who)), name: Text::name(who), ..Author::default() };
        let source: crate::base::SourceId = "tt".parse().unwrap();
        let id = MessageId::new(&self.number.to_string());
        let platform = Platform::named("tiktok");
        let message = Message::new(id, source.clone(), platform, now.wall, author, Text::new(text));
        let update = Update::Message(Box::new(message));
        let told = Told { number: self.number, source, update, language: None, finds };
        self.state.on_told(&told);
        self.pass(200);
    }

    fn pass(&mut self, ms: u64) {
        let to = self.state.clock_ms + ms;
        self.state.tick(to);
        let mut meters = (*self.state.meters).clone();
        meters.at_ms += ms;
        self.state.on_meters(Arc::new(meters));
    }

    fn source(&mut self, id: &str, status: Status) {
        let now = self.state.chat_now().wall;
        let state = |of: &str, status| SourceState {
            id: of.parse().unwrap(),
            kind: "lines".into(),
            status,
            heard: Some(now),
            messages: 21,
            unreadable: 0,
        };
        let other = if id == "tt" { "yt" } else { "tt" };
        let mut all = vec![state(id, status), state(other, Status::Live)];
        all.sort_by_key(|state| state.id.clone());
        self.state.on_chat_sources(Arc::new(all), false);
    }

    fn screen(&mut self) -> String {
        self.state.settle(self.area);
        screen(&self.state, self.area.width, self.area.height)
    }

    /// Presses keys as the loop does; what is given to others.
    fn press(&mut self, keys: &[KeyCode]) -> Vec<Todo> {
        keys.iter().filter_map(|code| self.chord(*code, KeyModifiers::NONE)).collect()
    }

    fn chord(&mut self, code: KeyCode, modifiers: KeyModifiers) -> Option<Todo> {
        let action = press(&self.state, &KeyEvent::new(code, modifiers))?;
        let todo = self.state.act(action, fixture::NOON);
        self.state.settle(self.area);
        todo
    }

    fn types(&mut self, text: &str) -> Vec<Todo> {
        text.chars().flat_map(|c| self.press(&[KeyCode::Char(c)])).collect()
    }
}

fn pressed(mut fed: Fed, keys: &str) -> Fed {
    fed.types(keys);
    fed
}

fn light(mut fed: Fed) -> Fed {
    fed.state.palette = Palette::new(Theme::Light, Depth::Cube);
    fed
}

macro_rules! chats {
    ($($name:ident: $fed:expr;)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(stringify!($name), $fed.screen());
            }
        )*
    };
}

chats! {
    lively_80x24: lively(80, 24);
    lively_120x40: lively(120, 40);
    lively_160x50: lively(160, 50);
    lively_60x20: lively(60, 20);
    empty_80x24: fed(80, 24);
    empty_160x50: fed(160, 50);
    troubled_80x24: troubled(80, 24);
    troubled_120x40: troubled(120, 40);
    zoomed_80x24: pressed(troubled(80, 24), "c");
    zoomed_60x20: pressed(lively(60, 20), "c");
    zoomed_160x50: pressed(troubled(160, 50), "cz");
    focused_120x40: pressed(lively(120, 40), "c");
    typing_80x24: pressed(lively(80, 24), "c/pan");
    typing_160x50: pressed(lively(160, 50), "c/pan");
    help_80x24: pressed(lively(80, 24), "?");
    chat_help_80x24: pressed(lively(80, 24), "c?");
    complaints_80x24: pressed(lively(80, 24), "s");
    complaints_160x50: pressed(troubled(160, 50), "s");
}

/// Where the word stands on the screen.
fn holds(screen: &str, words: &[&str]) {
    for word in words {
        assert!(screen.contains(word), "no {word:?} in\n{screen}");
    }
}

#[test]
fn what_came_is_counted_until_it_is_seen() {
    let mut fed = troubled(80, 24);
    holds(&fed.screen(), &["new    20", "orders     2", "questions     1", "lag 14", "yt FAILED"]);
    fed.press(&[KeyCode::Char('c')]);
    holds(&fed.screen(), &["Lan: chào shop", "yt FAILED", "p panic"]);
    fed.press(&[KeyCode::Char('c')]);
    let screen = fed.screen();
    holds(&screen, &["new     0", "orders     0", "lag 14", "yt FAILED", "LOG"]);
    fed.says("Bo", "more", Finds::default());
    holds(&fed.screen(), &["new     1"]);
    for (key, title) in [('s', "STATISTICS"), ('w', "PLAN")] {
        fed.press(&[KeyCode::Char(key)]);
        holds(&fed.screen(), &[title, "yt FAILED  lag 14"]);
        fed.press(&[KeyCode::Esc]);
    }
    // A minute later nobody complains any more.
    fed.source("yt", Status::Live);
    fed.pass(61_000);
    fed.press(&[KeyCode::Char('s')]);
    let screen = fed.screen();
    assert!(!screen.contains("lag"), "{screen}");
    holds(&screen, &["chat 1 new"]);
}

#[test]
fn beside_the_picture_nothing_is_unseen_and_c_moves_the_focus() {
    let mut fed = lively(160, 50);
    let screen = fed.screen();
    holds(&screen, &["SCENES", "LOG", "Lan: chào shop", "c focus the chat", "lag 14"]);
    assert!(!screen.contains("focused"), "{screen}");
    fed.press(&[KeyCode::Char('c'), KeyCode::Up]);
    holds(&fed.screen(), &["focused", "▸", "c back to the show", "SCENES"]);
    assert_eq!(fed.state.input, 0, "the arrows are the chat's");
    assert_eq!(fed.types("oamE"), [], "so are letters");
    fed.press(&[KeyCode::Char('m'), KeyCode::Char('o')]);
    assert_eq!(fed.types("2"), [given("preview product")], "scenes stay at hand");
    assert_eq!(fed.chord(KeyCode::Char('2'), KeyModifiers::ALT), Some(given("cut-to product")));
    fed.press(&[KeyCode::Up, KeyCode::Esc]);
    assert_eq!(fed.state.pane, Pane::Chat, "back to the newest line first");
    fed.press(&[KeyCode::Esc]);
    assert_eq!(fed.state.pane, Pane::Show);
    fed.types("cz");
    assert!(!fed.screen().contains("SCENES"));
    assert_eq!(fed.types("2"), [], "a scene that is not seen has no key");
    fed.types("z");
    holds(&fed.screen(), &["SCENES", "focused"]);
    assert_eq!(fed.types("q"), []);
    assert_eq!((fed.state.pane, fed.state.leaving()), (Pane::Show, false));
}

fn given(line: &str) -> Todo {
    Todo::Give { command: line.parse().unwrap(), confirm: false }
}

#[test]
fn panic_is_one_key_away_and_a_letter_only_where_the_screen_says_so() {
    for (width, height) in [(80, 24), (160, 50)] {
        let mut fed = lively(width, height);
        assert_eq!(fed.types("cp"), [given("panic")]);
        fed.types("?");
        assert_eq!(fed.types("p"), [given("panic")], "over the help, too");
        fed.press(&[KeyCode::Esc, KeyCode::Up, KeyCode::Enter]);
        assert_eq!(fed.types("p"), [given("panic")], "over a card, too");
        fed.press(&[KeyCode::Esc]);
        assert_eq!(fed.types("/pq"), [], "letters");
        holds(&fed.screen(), &["TYPING", "/pq", "ctrl-p panic"]);
        assert_eq!(fed.chord(KeyCode::Char('p'), KeyModifiers::CONTROL), Some(given("panic")));
        holds(&fed.screen(), &["/pq"]);
        fed.chord(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert!(fed.state.leaving(), "the way out is never shut");
        fed.press(&[KeyCode::Enter]);
        assert!(!fed.screen().contains("TYPING"));
        assert_eq!(fed.types("p"), [given("panic")]);
    }
}

#[test]
fn pasted_text_is_typed_in_a_search_and_nothing_anywhere_else() {
    let mut fed = lively(80, 24);
    assert!(!fed.state.paste("pE"));
    fed.types("c");
    assert!(!fed.state.paste("pE"));
    fed.types("/");
    assert!(fed.state.paste("lan"));
    holds(&fed.screen(), &["/lan"]);
    fed.types("s");
    assert_eq!(fed.state.pane, Pane::Chat);
}

#[test]
fn the_slate_is_seen_over_the_chat() {
    for (width, height) in [(60, 20), (80, 24), (160, 50)] {
        let mut fed = pressed(lively(width, height), "cz");
        assert!(!fed.screen().contains("SLATE"));
        fixture::command(&mut fed.state, "panic");
        holds(&fed.screen(), &["ON AIR", "SLATE", "CHAT", "Siti: mine 12"]);
    }
}

#[test]
fn no_picture_is_asked_for_where_the_chat_covers_it() {
    let fed = lively(160, 50);
    assert!(view::look(&fed.state, fed.area).is_some());
    let fed = pressed(fed, "c");
    assert!(view::look(&fed.state, fed.area).is_some(), "beside");
    let fed = pressed(fed, "z");
    assert_eq!(view::look(&fed.state, fed.area), None);
    let fed = pressed(lively(80, 24), "c");
    assert_eq!(view::look(&fed.state, fed.area), None);
}

#[test]
fn a_click_focuses_what_it_hits() {
    let mut fed = lively(160, 50);
    let at = (140, 30);
    let action = view::click(&fed.state, fed.area, at.0, at.1).unwrap();
    assert_eq!(action, Action::Pane(Pane::Chat));
    fed.state.act(action, fixture::NOON);
    fed.state.act(Action::Hand(Focus::Outputs, 1), fixture::NOON);
    assert_eq!(fed.state.pane, Pane::Show);
}

#[test]
fn a_show_without_a_chat_says_so() {
    let mut state = fixture::on_air();
    let c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::NONE);
    let action = press(&state, &c).unwrap();
    state.act(action, fixture::NOON);
    assert!(state.log.last().unwrap().text.contains("no chat"));
    assert!(!screen(&state, 80, 24).contains("c chat"));
}

#[test]
fn an_idle_chat_asks_for_no_drawing() {
    let mut fed = fed(80, 24);
    for source in ["tt", "yt"] {
        fed.source(source, Status::Ended);
    }
    fed.state.settle(fed.area);
    fed.state.figures_at = fed.state.clock_ms;
    let next = fed.state.next_tick().unwrap();
    assert!(next > fed.state.clock_ms + 1_000, "nothing but figures that may become old");
}

#[test]
fn the_themes_keep_to_their_colours_and_the_words_are_the_same() {
    let dark = troubled(160, 50).screen();
    let mut light = light(troubled(160, 50));
    assert_eq!(dark, light.screen());
    let mut mono = troubled(160, 50);
    mono.state.palette = Palette::new(Theme::Mono, Depth::True);
    mono.state.picture = None;
    let buf = drawn(&mono.state, 160, 50);
    // The pane was made with the palette of the terminal.
    let left = buf.content().iter().enumerate().filter(|(at, _)| at % 160 < 99);
    for (_, cell) in left {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{cell:?}");
    }
}
