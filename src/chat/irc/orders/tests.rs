//! Orders against the dialogues of ngircd 26 (without an echo) and InspIRCd 3 (with it).

use proptest::prelude::*;

use super::*;
use crate::chat::{
    Author, Update,
    irc::{Ended, Settings},
};

const PLAIN: &str = ":ng CAP * LS :multi-prefix\n:ng CAP me ACK :multi-prefix\n:ng 001 me :Hi";
const ECHO: &str = ":i CAP * LS :echo-message labeled-response
    :i CAP me ACK :echo-message labeled-response\n:i 001 me :Hi";

struct Play {
    session: Session,
    orders: OpenOrders,
    ms: u64,
}

impl Play {
    fn new(server: &str, joined: &[&str]) -> Self {
        let settings = Settings::new("s".parse().unwrap(), "me", None, &["#a", "#b"]).unwrap();
        let mut play =
            Self { session: Session::new(settings), orders: OpenOrders::default(), ms: 0 };
        play.session.connected(Now::test(0), None, true);
        play.hear(server);
        for channel in joined {
            play.hear(&format!(":me!u@h JOIN {channel}"));
        }
        play
    }

    /// Answers, and the texts of own lines that are reported.
    fn all(&mut self) -> (Vec<(u64, Answer)>, Vec<String>, Vec<String>) {
        let (mut answers, mut own, mut sent) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(output) = self.session.poll() {
            answers.extend(self.orders.output(&output));
            match output {
                Output::Update(Update::Message(message)) if message.own => {
                    own.push(message.text.as_str().to_owned());
                }
                Output::Send(wire) => sent
                    .push(String::from_utf8(wire.bytes().to_vec()).unwrap().trim_end().to_owned()),
                _ => {}
            }
        }
        (answers, own, sent)
    }

    fn hear(&mut self, lines: &str) -> (Vec<(u64, Answer)>, Vec<String>, Vec<String>) {
        for line in lines.lines() {
            self.session.line(Now::test(self.ms), line.trim().as_bytes()).unwrap();
        }
        self.all()
    }

    fn wait(&mut self, ms: u64) -> Vec<(u64, Answer)> {
        self.ms += ms;
        self.session.tick(Now::test(self.ms));
        self.all().0
    }

    fn order(&mut self, number: u64, action: &PlatformAction) -> (Option<Answer>, Vec<String>) {
        let answer = self.orders.begin(&mut self.session, Now::test(self.ms), number, action);
        (answer, self.all().2)
    }
}

fn say(channel: Option<&str>, text: &str) -> PlatformAction {
    let channel = channel.map(str::to_owned);
    PlatformAction::Say { text: text.to_owned(), channel, reply_to: None }
}

fn user(nick: &str) -> Author {
    Author { id: None, name: Text::name(nick), login: None, badges: Vec::new() }
}

fn ban(nick: &str) -> PlatformAction {
    let (reason, channel) = ("spam".to_owned(), Some("#a".to_owned()));
    PlatformAction::Ban { user: user(nick), reason, channel }
}

fn lift(nick: &str) -> PlatformAction {
    PlatformAction::Lift { user: user(nick), channel: Some("#a".to_owned()) }
}

fn dropped(code: &str, text: &str) -> Answer {
    Answer::Dropped { code: Text::new(code), text: Text::new(text) }
}

#[test]
fn without_an_echo_a_line_is_taken_once_the_server_has_passed_it() {
    let mut play = Play::new(PLAIN, &["#a"]);
    let (answer, sent) = play.order(7, &say(Some("#A"), "hello"));
    assert_eq!(answer, None);
    assert_eq!(sent, ["PRIVMSG #a :hello", "PING :hawker.1"]);
    assert_eq!(play.hear(":lan!l@h PRIVMSG #a :meanwhile"), Default::default());
    let (answers, own, _) = play.hear(":ng PONG ng :hawker.1");
    assert!(matches!(&answers[..], [(7, Answer::Taken(Some(_)))]), "{answers:?}");
    assert_eq!(own, ["hello"]);
    assert_eq!(play.hear(":ng PONG ng :hawker.1\n:ng PONG ng :hawker"), Default::default());
    // Refused: never shown, and what comes behind it is not taken for its success.
    play.order(8, &say(Some("#a"), "no"));
    let (answers, own, _) =
        play.hear(":ng 404 me #a :Cannot send to channel\n:ng PONG ng :hawker.2");
    assert_eq!(answers, [(8, dropped("404", "Cannot send to channel"))]);
    assert!(own.is_empty());
}

#[test]
fn with_an_echo_a_line_is_taken_when_it_comes_back() {
    let mut play = Play::new(ECHO, &["#a"]);
    let (answer, sent) = play.order(7, &say(Some("#a"), "hello"));
    assert_eq!((answer, &sent[..]), (None, &["@label=1 PRIVMSG #a :hello".to_owned()][..]));
    let (answers, own, _) = play.hear("@label=1;msgid=x1 :me!u@h PRIVMSG #a :hello");
    assert_eq!(answers, [(7, Answer::Taken(Some(MessageId::new("x1"))))]);
    assert_eq!(own, ["hello"]);
    play.order(8, &say(Some("#a"), "no"));
    let (answers, own, _) = play.hear("@label=2 :i 404 me #a :You cannot send (+m)");
    assert_eq!((answers, own.len()), (vec![(8, dropped("404", "You cannot send (+m)"))], 0));
    // Swallowed: said so after 15 s, once, and a late echo is still shown.
    play.order(9, &say(Some("#a"), "lost"));
    assert_eq!(play.wait(14_999), []);
    assert_eq!(play.wait(1), [(9, Answer::Failed(Failure::Expired))]);
    let (answers, own, _) = play.hear("@label=3;msgid=x3 :me!u@h PRIVMSG #a :lost");
    assert_eq!((answers.len(), own.len()), (0, 1));
}

#[test]
fn several_channels_are_one_answer() {
    let mut play = Play::new(PLAIN, &["#a", "#b"]);
    play.order(7, &say(None, "hello"));
    assert!(play.hear(":ng PONG ng :hawker.2").0.is_empty());
    let (answers, _, _) = play.hear(":ng PONG ng :hawker.1");
    assert!(matches!(&answers[..], [(7, Answer::Taken(_))]), "{answers:?}");
    play.order(8, &say(None, "again"));
    assert!(play.hear(":ng 404 me #a :Cannot send to channel").0.is_empty());
    let (answers, own, _) = play.hear(":ng PONG ng :hawker.3\n:ng PONG ng :hawker.4");
    assert_eq!(answers, [(8, dropped("404", "#a: Cannot send to channel"))]);
    assert_eq!(own, ["again"], "in #b it was said");
    // One of them is not joined: it says so, and the other has it.
    let mut play = Play::new(PLAIN, &["#b"]);
    play.hear(":ng 474 me #a :You are banned");
    play.order(9, &say(None, "hello"));
    let (answers, _, _) = play.hear(":ng PONG ng :hawker.1");
    assert_eq!(answers, [(9, dropped("474", "#a: not in that channel"))]);
    let (answer, sent) = play.order(10, &say(Some("#a"), "x"));
    assert_eq!((answer, sent.len()), (Some(dropped("474", "#a: not in that channel")), 0));
}

#[test]
fn before_a_channel_is_joined_an_order_waits() {
    let mut play = Play::new(PLAIN, &[]);
    for action in [say(None, "x"), say(Some("#a"), "x"), ban("spam"), lift("spam")] {
        assert_eq!(play.order(7, &action), (Some(Answer::Later(AGAIN)), vec![]));
    }
    let mut play = Play::new(PLAIN, &["#a"]);
    for (action, text) in [
        (say(Some("#c"), "x"), "not in that channel"),
        (say(Some("#a"), "\u{202e}"), "#a: the text is empty"),
        (say(Some("#a"), &"x".repeat(500)), "#a: the text does not fit a line"),
        (ban("a*"), "#a: this can be no nickname"),
    ] {
        let want = Answer::Failed(Failure::Other(Text::new(text)));
        assert_eq!(play.order(7, &action), (Some(want), vec![]));
    }
    let delete = PlatformAction::Delete(MessageId::new("1"));
    assert_eq!(play.order(7, &delete).0, Some(Answer::Failed(Failure::NotAllowed)));
}

#[test]
fn a_ban_is_taken_when_the_server_has_set_it_and_removed_the_user() {
    let mut play = Play::new(PLAIN, &["#a"]);
    let (answer, sent) = play.order(7, &ban("spam"));
    assert_eq!(
        (answer, &sent[..]),
        (None, &["MODE #a +b spam!*@*", "PING :hawker.1"].map(str::to_owned)[..])
    );
    let (answers, _, sent) = play.hear(":me!u@h MODE #a +b spam!*@*\n:ng PONG ng :hawker.1");
    assert_eq!(
        (answers.len(), sent),
        (0, ["KICK #a spam :spam", "PING :hawker.1"].map(str::to_owned).to_vec())
    );
    let (answers, _, _) = play.hear(":me!u@h KICK #a spam :spam\n:ng PONG ng :hawker.1");
    assert_eq!(answers, [(7, Answer::Taken(None))]);
    // It stood before, and the user is gone: that is no refusal.
    play.order(8, &ban("gone"));
    play.hear(
        ":i 697 me #a gone!*@* b :Channel ban list already contains gone!*@*\n:i PONG i :hawker.2",
    );
    let (answers, _, _) = play.hear(":i 401 me gone :No such nick\n:i PONG i :hawker.2");
    assert_eq!(answers, [(8, Answer::Taken(None))]);
    play.order(9, &lift("gone"));
    let (answers, _, _) =
        play.hear(":i 698 me #a gone!*@* b :does not contain\n:i PONG i :hawker.3");
    assert_eq!(answers, [(9, Answer::Taken(None))]);
}

#[test]
fn without_operator_status_nothing_but_the_ban_is_tried_and_the_answer_has_the_servers_words() {
    for server in [PLAIN, ECHO] {
        let mut play = Play::new(server, &["#a"]);
        play.order(6, &say(Some("#a"), "before"));
        play.hear("@label=1 :me!u@h PRIVMSG #a :before\n:s PONG s :hawker.1");
        play.order(7, &ban("spam"));
        play.order(8, &lift("spam"));
        let (answers, _, sent) = play.hear(
            ":s 482 me #a :You are not channel operator\n:s PONG s :hawker.2\n:s 482 me #a :Neither now\n:s PONG s :hawker.3",
        );
        let want = [
            (7, dropped("482", "You are not channel operator")),
            (8, dropped("482", "Neither now")),
        ];
        assert_eq!((answers, sent.len()), (want.to_vec(), 0));
    }
}

#[test]
fn with_labels_an_error_without_one_is_not_taken_for_a_lines() {
    let mut play = Play::new(ECHO, &["#a"]);
    play.order(6, &say(Some("#a"), "said"));
    play.order(7, &ban("spam"));
    let (answers, _, _) = play.hear(":s 482 me #a :You are not channel operator");
    assert_eq!(answers, [(7, dropped("482", "You are not channel operator"))]);
    assert_eq!(play.hear("@label=1;msgid=m :me!u@h PRIVMSG #a :said").0.len(), 1);
}

#[test]
fn the_end_of_the_connection_is_the_answer_of_what_is_open() {
    let mut play = Play::new(PLAIN, &["#a"]);
    play.order(7, &say(Some("#a"), "x"));
    play.order(8, &ban("spam"));
    play.hear("ERROR :Closing link");
    let network = Answer::Failed(Failure::Network);
    assert_eq!(play.orders.end().collect::<Vec<_>>(), [(7, network.clone()), (8, network)]);
    assert_eq!(play.orders.end().count(), 0);
    assert_eq!(play.session.channels().map(|(_, p)| p).collect::<Vec<_>>(), [Presence::Away; 2]);
    let closed = Output::Close(Ended::Silent);
    assert_eq!(play.orders.output(&closed), None);
}

proptest! {
    /// Whatever a server answers, and in whatever order: one answer for each order, never a second.
    #[test]
    fn each_order_is_answered_once(
        echo: bool,
        steps in proptest::collection::vec((0_u8..9, 1_u64..30, 0_usize..4), 0..80),
    ) {
        let mut play = Play::new(if echo { ECHO } else { PLAIN }, &["#a", "#b"]);
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        for (n, (step, label, which)) in steps.into_iter().enumerate() {
            let number = n as u64;
            match step {
                0..=2 => {
                    asked.push(number);
                    let action = [say(None, "x"), say(Some("#a"), "x"), ban("spam"), lift("spam")];
                    answered.extend(play.order(number, &action[which]).0.map(|answer| (number, answer)));
                }
                3 => answered.extend(play.hear(&format!(":s PONG s :hawker.{label}")).0),
                4 => answered.extend(play.hear(&format!("@label={label} :s 404 me #a :no")).0),
                5 => answered.extend(play.hear(":s 482 me #a :no").0),
                6 => answered.extend(play.hear(&format!("@label={label} :me!u@h PRIVMSG #b :x")).0),
                7 => answered.extend(play.hear(":me!u@h PRIVMSG #a :x").0),
                _ => answered.extend(play.wait(label * 400)),
            }
        }
        answered.extend(play.all().0);
        answered.extend(play.orders.end());
        let mut numbers: Vec<u64> = answered.iter().map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        prop_assert_eq!(numbers, asked);
    }
}
