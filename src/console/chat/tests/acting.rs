//! What the pane asks of a show, and what it shows of claims, poll, sent lines and acts.

use super::*;
use crate::chat::{
    capability::Route,
    claims::{self, Claim, ClaimId, ItemCode},
    control::{
        Act, ActId, By, ControlState, ItemState, Outcome, PollState, Refused, Request, SentLine,
        What,
    },
    poll::Tally,
    room::Ours,
    send::{self, LineId},
};

/// A pane that acts: everything can be done on `tw`, nothing on `yt`.
fn acting() -> Fed {
    let mut fed = Fed::new();
    let can = |route: Route| route.capabilities();
    let may = [(source("tw"), can(Route::TwitchToken)), (source("yt"), can(Route::YoutubeKey))];
    fed.pane.acts_on(may.into_iter().collect());
    fed.says("Lan", "how much?");
    fed.says("Bo", "hello");
    fed.drawn(80, 24);
    fed
}

fn asked(pressed: Pressed) -> Request {
    match pressed {
        Pressed::Ask(request) => *request,
        other => panic!("{other:?} asks for nothing"),
    }
}

impl Fed {
    fn typed(&mut self, keys: &str) -> Pressed {
        keys.chars().map(|c| self.press(&[KeyCode::Char(c)])).last().unwrap()
    }

    fn control(&mut self, control: ControlState) {
        self.pane.on_control(Arc::new(control));
    }
}

fn item(code: &str, stock: Option<u32>, granted: u64, waiting: u64) -> ItemState {
    ItemState { item: code_of(code), stock, granted, waiting, done: 1, open: code != "B3" }
}

fn code_of(code: &str) -> ItemCode {
    ItemCode::new(code).unwrap()
}

fn claim(id: u64, name: &str, state: claims::State, granted: u32) -> Claim {
    Claim {
        id: ClaimId(id),
        item: code_of("A12"),
        quantity: 2,
        at: Now::test(id * 1_000).wall,
        late: id == 3,
        by: if id == 4 { claims::By::Hand } else { claims::By::Finder },
        message: Some((source("tw"), MessageId::new("1"))),
        platform: Some(Platform::TWITCH),
        person: None,
        name: Text::name(name),
        text: Text::new(if id == 4 { "" } else { "A12 x2" }),
        granted,
        state,
    }
}

fn act(id: u64, what: What, by: By, outcome: Outcome) -> Act {
    Act {
        id: ActId(id),
        at: Now::test(id * 1_000).wall,
        chat: source("tw"),
        message: MessageId::new("1"),
        author: Author { name: Text::name("Lan"), ..Author::default() },
        channel: None,
        what,
        by,
        reason: Some(Text::new("spam")),
        outcome,
    }
}

fn sent(line: u64, text: &str, status: send::Status) -> SentLine {
    let at = Now::test(line * 1_000).wall;
    SentLine { chat: source("tw"), line: LineId(line), at, text: text.into(), status }
}

/// Something of everything.
fn full() -> ControlState {
    let dropped = send::Status::Dropped {
        code: Text::new("msg_duplicate"),
        text: Text::new("Your message is identical to the previous one."),
    };
    let failed = Outcome::Failed { why: Text::new("the account may not do that") };
    ControlState {
        items: vec![item("A12", Some(4), 4, 3), item("B3", None, 2, 0)],
        featured: Some(code_of("A12")),
        claims: vec![
            claim(1, "สมชาย", claims::State::Confirmed, 2),
            claim(2, "Lan", claims::State::Confirmed, 2),
            claim(3, "Siti with a name that goes on and on", claims::State::Waiting, 0),
            claim(4, "by phone", claims::State::New, 0),
        ],
        poll: Some(PollState {
            labels: vec!["red".into(), "a long blue one".into(), "春季".into()],
            tally: Tally { votes: vec![14, 3, 0], total: 17, refused: 2 },
            open: true,
        }),
        lines: vec![
            sent(1, "welcome", send::Status::Confirmed),
            sent(2, "welcome", dropped),
            sent(3, "A12 has 4 left", send::Status::Sent),
            sent(4, "shipping is free today", send::Status::Queued),
        ],
        acts: vec![
            act(1, What::Hide, By::Hand, Outcome::Done),
            act(2, What::TimeOut(600), By::Hand, Outcome::Asked),
            act(3, What::Ban, By::Hand, failed),
        ],
        held: vec![(source("tw"), MessageId::new("2"))],
        refused: None,
    }
}

fn paged(tabs: usize) -> Fed {
    let mut fed = acting();
    fed.control(full());
    fed.press(&[KeyCode::Tab].repeat(tabs.max(1)));
    if tabs == 0 {
        fed.press(&[KeyCode::BackTab]);
    }
    fed
}

fn after(keys: &str) -> Fed {
    let mut fed = paged(0);
    fed.press(&[KeyCode::Up, KeyCode::Up]);
    fed.typed(keys);
    fed
}

screens! {
    acting_80x24: paged(0), 80, 24;
    selected_80x24: after("a"), 80, 24;
    claims_80x24: paged(1), 80, 24;
    claims_40x14: paged(1), 40, 14;
    poll_80x24: paged(2), 80, 24;
    poll_30x12: paged(2), 30, 12;
    sent_80x24: paged(3), 80, 24;
    sent_40x14: paged(3), 40, 14;
    acts_80x24: paged(4), 80, 24;
    reply_80x24: after("rit is 5 @bo"), 80, 24;
    ban_80x24: after("bspam"), 80, 24;
    time_out_40x14: after("s"), 40, 14;
    delete_80x24: after("d"), 80, 24;
    undo_80x24: after("U"), 80, 24;
    claim_80x24: after("+"), 80, 24;
}

#[test]
fn a_reply_goes_to_the_line_that_is_selected() {
    let mut fed = acting();
    assert_eq!(fed.typed("r"), Pressed::Taken);
    assert!(fed.screen(80, 24).contains("select a line first"));
    fed.press(&[KeyCode::Up, KeyCode::Up]);
    fed.typed("r");
    fed.typed("5 dollars, q and p are letters");
    let text = fed.screen(80, 24);
    assert!(text.contains("Lan (tw): 5 dollars, q and p are letters"), "{text}");
    let request = asked(fed.press(&[KeyCode::Enter]));
    let (chat, message) = (source("tw"), MessageId::new("1"));
    let text = "5 dollars, q and p are letters".to_owned();
    assert_eq!(request, Request::ChatReply { chat, message, text });
    assert_eq!(fed.pane.over, Over::Nothing);
    fed.typed("r");
    fed.typed("never mind");
    assert_eq!(fed.press(&[KeyCode::Esc]), Pressed::Taken);
    assert_eq!(fed.typed("r"), Pressed::Taken);
    assert_eq!(fed.press(&[KeyCode::Enter]), Pressed::Taken, "nothing is not sent");
    assert!(fed.screen(80, 24).contains("there is nothing to send"));
}

#[test]
fn a_new_line_goes_to_all_or_to_one_that_can_be_written_to() {
    let mut fed = acting();
    fed.typed("n");
    fed.typed("hello");
    let (text, all) = ("hello".to_owned(), None);
    assert_eq!(
        asked(fed.press(&[KeyCode::Enter])),
        Request::ChatSay { chat: all, text: text.clone() }
    );
    fed.typed("n");
    fed.typed("hello");
    let one = Some(source("tw"));
    assert_eq!(
        asked(fed.press(&[KeyCode::Down, KeyCode::Enter])),
        Request::ChatSay { chat: one, text }
    );
    fed.typed("n");
    fed.typed("hello");
    assert_eq!(fed.press(&[KeyCode::Down, KeyCode::Down, KeyCode::Enter]), Pressed::Taken);
    let screen = fed.screen(80, 24);
    assert!(screen.contains("yt, which cannot be written to: hello"), "{screen}");
    assert!(screen.contains("yt: nothing can be written there"), "{screen}");
}

#[test]
fn tab_completes_names_the_newest_writer_first() {
    let mut fed = acting();
    fed.says("Bora", "hi");
    fed.typed("n");
    fed.typed("thanks @b");
    for text in ["thanks @Bora ▏", "thanks @Bo ▏", "thanks @Bora ▏"] {
        fed.press(&[KeyCode::Tab]);
        let screen = fed.screen(80, 24);
        assert!(screen.contains(text), "{text} in {screen}");
    }
    fed.typed("and @zz");
    fed.press(&[KeyCode::Tab]);
    assert!(fed.screen(80, 24).contains("nobody who wrote here is called zz"));
}

#[test]
fn variables_are_filled_in_and_other_braces_are_left_alone() {
    let mut fed = acting();
    fed.control(full());
    fed.press(&[KeyCode::Up, KeyCode::Up]);
    fed.typed("r");
    fed.typed("{name}: {item} has {left} left");
    let Request::ChatReply { text, .. } = asked(fed.press(&[KeyCode::Enter])) else { panic!() };
    assert_eq!(text, "Lan: A12 has 0 left");
    fed.typed("n");
    fed.typed("{name} {item}");
    assert_eq!(fed.press(&[KeyCode::Enter]), Pressed::Taken, "nobody is answered");
    assert!(fed.screen(80, 24).contains("{name} has no value here"));
    fed.press(&[KeyCode::Esc]);
    fed.typed("n");
    fed.typed(":} {");
    let Request::ChatSay { text, .. } = asked(fed.press(&[KeyCode::Enter])) else { panic!() };
    assert_eq!(text, ":} {");
}

#[test]
fn moderation_names_whom_and_where_and_asks_first() {
    let (chat, message) = (source("tw"), MessageId::new("1"));
    let mut fed = acting();
    fed.press(&[KeyCode::Up, KeyCode::Up]);
    fed.typed("bspy");
    let screen = fed.screen(80, 24);
    for words in ["Ban Lan on twitch (tw)", "how much?", "reason: spy", "ctrl-p panic"] {
        assert!(screen.contains(words), "{words} in {screen}");
    }
    assert!(fed.pane.is_typing());
    let reason = Some("spy".to_owned());
    let ban = Request::ChatBan { chat: chat.clone(), message: message.clone(), reason };
    assert_eq!(asked(fed.press(&[KeyCode::Enter])), ban);
    fed.typed("s");
    let long = asked(fed.press(&[KeyCode::Down, KeyCode::Enter]));
    let (seconds, reason) = (3_600, None);
    let (chat_, message_) = (chat.clone(), message.clone());
    assert_eq!(long, Request::ChatTimeOut { chat: chat_, message: message_, seconds, reason });
    fed.typed("d");
    assert!(!fed.pane.is_typing(), "p is the slate's");
    assert_eq!(fed.typed("x"), Pressed::Taken, "any other key asks for nothing");
    assert_eq!(asked(fed.typed("y")), Request::ChatDelete { chat, message });
    for key in ["b", "s", "d"] {
        fed.typed(key);
        assert_eq!(fed.press(&[KeyCode::Esc]), Pressed::Taken);
        assert_eq!(fed.pane.over, Over::Nothing);
    }
}

#[test]
fn what_a_source_does_not_offer_is_not_asked() {
    let mut fed = acting();
    let mut message = message(9, fed.ms + 1, "Tito", "from elsewhere");
    (message.source, message.platform) = (source("yt"), Platform::YOUTUBE);
    fed.told(message, Finds::default(), None);
    fed.press(&[KeyCode::Up]);
    for (key, why) in [
        ("d", "yt: messages cannot be deleted there"),
        ("s", "yt: users cannot be timed out there"),
        ("b", "yt: users cannot be banned there"),
        ("r", "yt: nothing can be written there"),
    ] {
        assert_eq!(fed.typed(key), Pressed::Taken, "{key}");
        assert_eq!(fed.pane.over, Over::Nothing, "{key}");
        let screen = fed.screen(80, 24);
        assert!(screen.contains(why), "{why} in {screen}");
    }
    // Hiding is done here.
    assert!(matches!(asked(fed.typed("x")), Request::ChatHide { .. }));
}

#[test]
fn what_is_hidden_or_held_is_shown_by_the_same_key() {
    let mut fed = acting();
    let held = Update::Moderated { message: MessageId::new("2"), to: Ours::Hold };
    fed.step("tw", held, Finds::default(), None);
    assert_eq!(fed.typed("w"), Pressed::Taken);
    assert_eq!(fed.seen(), ["hello"], "what waits for review only");
    fed.press(&[KeyCode::Up]);
    let (chat, message) = (source("tw"), MessageId::new("2"));
    assert_eq!(asked(fed.typed("x")), Request::ChatShow { chat, message });
    let shown = Update::Moderated { message: MessageId::new("2"), to: Ours::Show };
    fed.step("tw", shown, Finds::default(), None);
    fed.typed("w");
    fed.press(&[KeyCode::Up]);
    assert!(matches!(asked(fed.typed("x")), Request::ChatHide { .. }));
}

#[test]
fn undo_names_what_is_undone() {
    let mut fed = acting();
    fed.typed("U");
    assert!(fed.screen(80, 24).contains("no act of moderation that can be undone"));
    fed.control(full());
    fed.typed("U");
    let screen = fed.screen(80, 24);
    assert!(screen.contains("Undo the ban of Lan on twitch (tw)?"), "{screen}");
    assert_eq!(asked(fed.typed("y")), Request::ChatUndo { act: Some(3) });
    fed.press(&[KeyCode::BackTab, KeyCode::Up, KeyCode::Up]);
    fed.typed("U");
    assert!(fed.screen(80, 24).contains("Undo the hiding of Lan"));
    assert_eq!(asked(fed.press(&[KeyCode::Enter])), Request::ChatUndo { act: Some(1) });
}

#[test]
fn claims_are_worked_off_by_key() {
    let mut fed = paged(1);
    let item = || code_of("A12");
    assert_eq!(asked(fed.typed("d")), Request::ClaimDone { claim: ClaimId(1) });
    fed.press(&[KeyCode::Down, KeyCode::Down]);
    assert_eq!(asked(fed.typed("x")), Request::CancelClaim { claim: ClaimId(3) });
    assert_eq!(asked(fed.typed("U")), Request::UndoClaim);
    assert_eq!(asked(fed.typed("o")), Request::CloseItem { item: item() });
    assert_eq!(asked(fed.typed("f")), Request::FeatureItem { item: None }, "it is on show");
    fed.typed("s");
    fed.typed("10");
    assert_eq!(
        asked(fed.press(&[KeyCode::Enter])),
        Request::SetStock { item: item(), stock: Some(10) }
    );
    fed.typed("i");
    fed.typed("c7 many");
    assert_eq!(fed.press(&[KeyCode::Enter]), Pressed::Taken);
    assert!(fed.screen(80, 24).contains("'many' is no whole number"));
    fed.press(&[KeyCode::Backspace; 4]);
    fed.typed("3");
    assert_eq!(
        asked(fed.press(&[KeyCode::Enter])),
        Request::OpenItem { item: code_of("C7"), stock: Some(3) }
    );
    fed.typed("+");
    fed.typed("x2 Lan by phone");
    let name = Text::name("Lan by phone");
    assert_eq!(
        asked(fed.press(&[KeyCode::Enter])),
        Request::EnterClaim { item: item(), quantity: 2, name }
    );
    fed.press(&[KeyCode::Right]);
    assert_eq!(asked(fed.typed("f")), Request::FeatureItem { item: Some(code_of("B3")) });
    assert!(matches!(asked(fed.typed("o")), Request::OpenItem { .. }));
    assert_eq!(fed.typed("d"), Pressed::Taken, "nobody claims it");
    fed.press(&[KeyCode::Esc]);
    assert!(fed.screen(80, 24).contains("LINES"), "esc goes back to the lines");
    fed.press(&[KeyCode::Up]);
    fed.typed("+");
    fed.typed("2");
    let (chat, message, quantity) = (source("tw"), MessageId::new("2"), 2);
    let claim = Request::Claim { chat, message, item: item(), quantity };
    assert_eq!(asked(fed.press(&[KeyCode::Enter])), claim, "the item on show is filled in");
}

#[test]
fn a_poll_is_begun_and_closed() {
    let mut fed = paged(2);
    assert_eq!(asked(fed.typed("x")), Request::ClosePoll);
    fed.typed("n");
    fed.typed("red; blue");
    assert_eq!(
        asked(fed.press(&[KeyCode::Enter])),
        Request::OpenPoll { choices: "red; blue".into() }
    );
}

#[test]
fn what_was_refused_is_said_once() {
    let mut fed = acting();
    let why = "that message is not held any more".to_owned();
    let refused = Some(Refused { number: 3, request: "chat-delete".into(), why });
    fed.control(ControlState { refused, ..ControlState::default() });
    assert!(fed.screen(80, 24).contains("not done: that message is not held any more"));
    fed.press(&[KeyCode::Up]);
    let again = (*fed.pane.control).clone();
    fed.control(again);
    assert!(!fed.screen(80, 24).contains("not done"));
}

#[test]
fn a_pane_without_a_show_asks_for_nothing() {
    let mut fed = Fed::new();
    fed.says("Lan", "how much?");
    fed.drawn(80, 24);
    fed.press(&[KeyCode::Up]);
    for key in ["r", "n", "d", "x", "s", "b", "U", "w", "+"] {
        assert_eq!(fed.typed(key), Pressed::Ignored, "{key}");
    }
    assert_eq!(fed.press(&[KeyCode::Tab]), Pressed::Ignored);
}

#[test]
fn hostile_text_stays_in_its_cells_on_every_page() {
    for (n, text) in hostile::hostile().iter().enumerate() {
        let mut fed = acting();
        let mut control = full();
        for claim in &mut control.claims {
            (claim.name, claim.text) = (Text::name(text), Text::new(text));
        }
        for act in &mut control.acts {
            act.author.name = Text::name(text);
            act.reason = Some(Text::new(text));
            act.outcome = Outcome::Failed { why: Text::new(text) };
        }
        // These are not made harmless before they come.
        let long: String = text.chars().take(10_000).collect();
        control.lines[1].text.clone_from(&long);
        control.poll.as_mut().unwrap().labels[1].clone_from(&long);
        let why = long.clone();
        control.refused = Some(Refused { number: 1, request: long.clone(), why });
        fed.control(control);
        for size in [(80, 24), (24, 8), (41, 13)] {
            for page in 0..5 {
                let what = format!("text {n}, page {page} at {size:?}");
                hostile::assert_harmless(&fed.drawn(size.0, size.1), &what);
                fed.press(&[KeyCode::Up, KeyCode::Tab]);
            }
            fed.press(&[KeyCode::Up]);
            for open in ["r", "b", "d", "U", "+"] {
                fed.typed(open);
                fed.pane.paste(text);
                hostile::assert_harmless(&fed.drawn(size.0, size.1), &format!("text {n}, {open}"));
                fed.press(&[KeyCode::Esc]);
            }
            fed.press(&[KeyCode::End]);
        }
    }
}
