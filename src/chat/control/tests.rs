//! What an operator and the rules do to a chat.

use std::time::Duration;

use super::*;
use crate::{
    base::Now,
    chat::{
        finders::Finder,
        language::Language,
        room::Ours,
        rules::{Action, FloodRule, LinkRule, RulesConfig, WordList},
        sample::{line, source},
        spec::{Server, Service, Transport},
    },
};

fn irc(id: &str) -> ChatSpec {
    let service = Service::Irc {
        server: Server { host: "irc.example".into(), port: 6697 },
        transport: Transport::Tls,
        nick: "shop".into(),
        account: None,
        password: None,
        channels: vec!["#live".into()],
        ca: None,
    };
    ChatSpec { hold: Duration::from_secs(4), ..ChatSpec::new(source(id), service) }
}

fn anonymous(id: &str) -> ChatSpec {
    let server = Server { host: "irc.example".into(), port: 6697 };
    let channels = vec!["live".into()];
    let service = Service::Twitch { channels, server, transport: Transport::Tls, account: None };
    ChatSpec { service, ..irc(id) }
}

struct Rig {
    control: Control,
    finder: Finder,
    items: Items,
    orders: Vec<OrderTo>,
    updates: Vec<(SourceId, Update)>,
    news: Vec<News>,
    shown: Vec<String>,
}

impl Rig {
    fn new(spec: ControlSpec) -> Self {
        let control = Control::new(&[irc("a"), anonymous("t")], spec, Now::test(0).wall).unwrap();
        Self {
            control,
            finder: Finder::new(),
            items: Items::default(),
            orders: Vec::new(),
            updates: Vec::new(),
            news: Vec::new(),
            shown: Vec::new(),
        }
    }

    fn take(&mut self, message: Message, ms: u64) -> Taken {
        if let Some(items) = self.control.new_items() {
            self.items = items;
        }
        let finds = self.finder.find(message.text.as_str(), &self.items, Some(Language::En));
        let from = message.source.clone();
        let mut update = Update::Message(Box::new(message));
        let taken = self.control.update(&from, &mut update, &finds, Now::test(ms));
        self.turn(ms);
        taken
    }

    fn ask(&mut self, request: Request, ms: u64) -> Result<(), String> {
        let done = self.control.request(&request, Now::test(ms)).map_err(|e| e.to_string());
        self.turn(ms);
        done
    }

    fn turn(&mut self, ms: u64) {
        let out = self.control.turn(Now::test(ms));
        self.orders.extend(out.orders);
        self.updates.extend(out.updates);
        self.news.extend(out.news);
        for out in out.outgoing {
            match out {
                Outgoing::Show { message, .. } => self.shown.push(message.id.to_string()),
                Outgoing::Remove(entry) => {
                    let entry = self.control.room().get(entry).and_then(|e| e.message()).cloned();
                    let id = entry.map(|m| m.id.to_string());
                    self.shown.retain(|shown| Some(shown) != id.as_ref());
                }
            }
        }
    }

    fn answer(&mut self, answer: Answer, ms: u64) {
        let order = self.orders.pop().unwrap();
        self.control.answered(order.number, answer, Now::test(ms));
        self.turn(ms);
    }
}

fn id(text: &str) -> MessageId {
    MessageId::new(text)
}

fn item(code: &str) -> ItemCode {
    ItemCode::new(code).unwrap()
}

#[test]
fn a_line_that_breaks_a_rule_is_never_shown_and_its_author_is_timed_out_where_the_platform_can() {
    let rules = RulesConfig {
        links: Some(LinkRule { allow: Vec::new(), action: Action::TimeOut(60) }),
        ..RulesConfig::default()
    };
    let mut rig = Rig::new(ControlSpec { rules: Some(rules), ..ControlSpec::default() });
    rig.take(line("t", "1", 0, "spam", "win at evil.example/x"), 0);
    rig.take(line("t", "2", 0, "lan", "chào shop"), 0);
    rig.turn(10_000);
    assert_eq!(rig.shown, ["2"]);
    // Anonymous Twitch can time nobody out: the line is hidden here, and nothing is ordered.
    assert!(rig.orders.is_empty());
    let told = rig.updates.clone();
    let hidden = Update::Moderated { message: id("1"), to: Ours::Hide };
    assert_eq!(told, [(source("t"), hidden)]);
    let state = rig.control.new_state().unwrap();
    assert!(matches!(&state.acts[..], [Act { what: What::Hide, by: By::Rule(_), .. }]));
    // By mistake.
    rig.ask(Request::ChatUndo { act: Some(state.acts[0].id.0) }, 11_000).unwrap();
    assert_eq!(rig.shown, ["2", "1"]);
}

#[test]
fn a_word_that_is_spelt_out_is_found_beside_other_single_letters() {
    let words = WordList {
        name: "rude".into(),
        lang: None,
        words: vec!["scam".into(), "ok".into()],
        within_words: false,
        action: Action::Hide,
    };
    let rules = RulesConfig { words: vec![words], ..RulesConfig::default() };
    let mut rig = Rig::new(ControlSpec { rules: Some(rules), ..ControlSpec::default() });
    let texts = [
        ("this is a S C A M", true),
        ("s.c.a.m!", true),
        ("it is a scаm", true),
        ("a b o k e", false),
        ("scampi", false),
    ];
    for (n, (text, hidden)) in texts.into_iter().enumerate() {
        let before = rig.updates.len();
        rig.take(line("a", &n.to_string(), n as u64, &format!("w{n}"), text), n as u64);
        assert_eq!(rig.updates.len() > before, hidden, "{text}");
    }
}

#[test]
fn a_ban_hides_what_its_author_wrote_and_undoing_it_lifts_it_on_the_platform() {
    let mut rig = Rig::new(ControlSpec::default());
    for n in 1..=3 {
        rig.take(line("a", &n.to_string(), n, if n == 2 { "lan" } else { "troll" }, "x"), n);
    }
    rig.turn(5_000);
    assert_eq!(rig.shown.len(), 3);
    let ban = Request::ChatBan { chat: source("a"), message: id("3"), reason: Some("rude".into()) };
    rig.ask(ban, 6_000).unwrap();
    assert_eq!(rig.shown, ["2"]);
    let ordered = &rig.orders[0].action;
    assert!(
        matches!(ordered, PlatformAction::Ban { user, reason, .. }
            if user.name.as_str() == "troll" && reason == "rude"),
        "{ordered:?}"
    );
    let why = Text::new("you're not channel operator");
    rig.answer(Answer::Dropped { code: Text::new("482"), text: why.clone() }, 6_500);
    let state = rig.control.new_state().unwrap();
    assert_eq!(state.acts[0].outcome, Outcome::Failed { why });
    rig.ask(Request::ChatUndo { act: None }, 7_000).unwrap();
    assert_eq!(rig.shown.len(), 3);
    assert!(matches!(rig.orders[0].action, PlatformAction::Lift { .. }));
    assert!(rig.ask(Request::ChatUndo { act: None }, 7_000).is_err(), "nothing is left to undo");
}

#[test]
fn what_a_source_cannot_do_is_refused_in_words() {
    let mut rig = Rig::new(ControlSpec::default());
    rig.take(line("t", "1", 0, "lan", "x"), 0);
    let text = || "hi".to_owned();
    let told = |done: Result<(), String>| done.unwrap_err();
    let say = |chat: &str| Request::ChatSay { chat: Some(source(chat)), text: text() };
    assert_eq!(told(rig.ask(say("t"), 1)), "t: nothing can be written there");
    assert_eq!(told(rig.ask(say("x"), 1)), "there is no chat 'x'");
    let delete = Request::ChatDelete { chat: source("t"), message: id("1") };
    assert_eq!(told(rig.ask(delete, 1)), "t: messages cannot be deleted there");
    let hide = Request::ChatHide { chat: source("t"), message: id("9") };
    assert!(told(rig.ask(hide, 1)).starts_with("that message is not held any more"));
    let state = rig.control.new_state().unwrap();
    assert_eq!(state.refused.unwrap().request, "chat-hide");
}

#[test]
fn a_line_goes_to_every_source_that_can_be_written_to_and_comes_back_once() {
    let mut rig = Rig::new(ControlSpec::default());
    rig.ask(Request::ChatSay { chat: None, text: "A12 is\r\nback".into() }, 0).unwrap();
    let sent: Vec<_> = rig.orders.iter().map(|o| (o.chat.as_str(), &o.action)).collect();
    let say = PlatformAction::Say { text: "A12 is  back".into(), channel: None, reply_to: None };
    assert_eq!(sent, [("a", &say)], "one line, without the line break");
    rig.answer(Answer::Taken(Some(id("own-1"))), 100);
    // The codec does not know our account here: the identifier says whose it is.
    assert_eq!(rig.take(line("a", "own-1", 150, "shop", "A12 is back"), 150), Taken::New);
    let entry = rig.control.room().find(&source("a"), &id("own-1")).unwrap();
    assert!(entry.message().unwrap().own);
    assert_eq!(rig.take(line("a", "own-1", 150, "shop", "A12 is back"), 160), Taken::Known);
    let state = rig.control.new_state().unwrap();
    assert_eq!(state.lines[0].status, Status::Confirmed);
    assert!(matches!(rig.news.last(), Some(News::Sent { status: Status::Confirmed, .. })));
}

#[test]
fn orders_become_claims_in_the_order_of_the_platforms_time() {
    let mut rig = Rig::new(ControlSpec::default());
    rig.take(line("a", "0", 0, "early", "A12 +1"), 0);
    rig.ask(Request::OpenItem { item: item("A12"), stock: Some(2) }, 1).unwrap();
    rig.take(line("a", "1", 2_000, "bo", "A12 x2"), 2_000);
    // Written earlier, comes later.
    rig.take(line("t", "2", 1_500, "lan", "a12 +1"), 2_500);
    rig.ask(Request::FeatureItem { item: Some(item("A12")) }, 3_000).unwrap();
    rig.take(line("a", "3", 3_000, "mai", "+1"), 3_000);
    rig.take(Message { backlog: true, ..line("a", "4", 3_000, "old", "A12 +1") }, 3_000);
    rig.turn(10_000);
    let state = rig.control.new_state().unwrap();
    let claims: Vec<_> =
        state.claims.iter().map(|c| (c.name.as_str(), c.quantity, c.granted, c.state)).collect();
    use claims::State as S;
    assert_eq!(
        claims,
        [("lan", 1, 1, S::Confirmed), ("bo", 2, 0, S::Waiting), ("mai", 1, 1, S::Confirmed),]
    );
    let news = serde_json::to_string(&rig.news).unwrap();
    assert!(!news.contains("lan"), "the journal names nobody: {news}");
    assert_eq!((state.items[0].granted, state.items[0].waiting), (2, 2));
}

#[test]
fn a_poll_counts_each_person_once_and_its_result_is_news() {
    let mut rig = Rig::new(ControlSpec::default());
    assert!(rig.ask(Request::ClosePoll, 0).is_err());
    assert!(rig.ask(Request::OpenPoll { choices: "one".into() }, 0).is_err());
    rig.ask(Request::OpenPoll { choices: "Red=r,1; blue".into() }, 0).unwrap();
    for (n, (who, text)) in
        [("lan", "1"), ("bo", "BLUE"), ("lan", "blue!"), ("mai", "what?")].into_iter().enumerate()
    {
        let at = 10 + n as u64;
        rig.take(line("a", &n.to_string(), at, who, text), at);
    }
    assert!(rig.control.new_state().unwrap().poll.unwrap().open);
    rig.ask(Request::ClosePoll, 100).unwrap();
    let Some(News::PollClosed(poll)) = rig.news.last() else { panic!("{:?}", rig.news) };
    assert_eq!(
        (&poll.labels[..], &poll.tally.votes[..]),
        (&["Red".to_owned(), "blue".to_owned()][..], &[0, 2][..])
    );
}

#[test]
fn a_flood_is_held_and_the_review_decides() {
    let rules = RulesConfig {
        flood: Some(FloodRule { lines: 2, within_s: 10, action: Action::Hold }),
        ..RulesConfig::default()
    };
    let mut rig = Rig::new(ControlSpec { rules: Some(rules), ..ControlSpec::default() });
    for n in 0..3 {
        rig.take(line("a", &n.to_string(), n, "lan", "hello"), n);
    }
    rig.turn(5_000);
    assert_eq!(rig.shown, ["0", "1"]);
    assert_eq!(rig.control.new_state().unwrap().held, [(source("a"), id("2"))]);
    rig.ask(Request::ChatShow { chat: source("a"), message: id("2") }, 6_000).unwrap();
    assert_eq!(rig.shown, ["0", "1", "2"]);
    assert!(rig.control.new_state().unwrap().held.is_empty());
}

#[test]
fn nothing_grows_without_bound() {
    let mut rig = Rig::new(ControlSpec::default());
    for n in 0..3_000_u64 {
        rig.take(line("a", &n.to_string(), n, "lan", "x"), n);
        let hide = Request::ChatHide { chat: source("a"), message: id(&n.to_string()) };
        rig.ask(hide, n).unwrap();
        let _ = rig.ask(Request::ChatSay { chat: None, text: format!("line {n}") }, n);
    }
    let control = &rig.control;
    assert!(control.acts.len() <= MOST_ACTS && control.pending.len() <= MOST_PENDING);
    assert!(control.asked_at.len() <= 200 && control.replies.is_empty());
    let state = rig.control.new_state().unwrap();
    assert!(state.acts.len() <= SHOWN && state.lines.len() <= SHOWN);
}
