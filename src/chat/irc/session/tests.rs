//! Dialogues as ngircd 26 and InspIRCd 3 lead them, played against the session.

use proptest::prelude::*;

use super::*;
use crate::chat::{
    Kind,
    irc::{BadSetting, Refusal, Rejection, Wire},
};

fn settings(account: Option<&str>) -> Settings {
    Settings::new("irc".parse().unwrap(), "hawker", account, &["#shop"]).unwrap()
}

struct Play {
    session: Session,
    ms: u64,
}

impl Play {
    fn new(account: Option<&str>) -> Self {
        let mut play = Self { session: Session::new(settings(account)), ms: 0 };
        play.connect();
        play
    }

    fn connect(&mut self) {
        let secret = Secret::new("pa55word-of-ours");
        let with = self.session.settings.account.is_some().then_some(&secret);
        self.session.connected(Now::test(self.ms), with, true);
    }

    fn hear(&mut self, lines: &str) -> Vec<Output> {
        for line in lines.lines() {
            let _ = self.session.line(Now::test(self.ms), line.trim().as_bytes());
        }
        self.all()
    }

    fn wait(&mut self, ms: u64) -> Vec<Output> {
        self.ms += ms;
        self.session.tick(Now::test(self.ms));
        self.all()
    }

    fn all(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.session.poll()).collect()
    }
}

fn sent(outputs: &[Output]) -> Vec<String> {
    let text =
        |wire: &Wire| String::from_utf8(wire.bytes().to_vec()).unwrap().trim_end().to_owned();
    outputs
        .iter()
        .filter_map(|o| if let Output::Send(w) = o { Some(text(w)) } else { None })
        .collect()
}

fn messages(outputs: &[Output]) -> Vec<Message> {
    let message = |o: &Output| match o {
        Output::Update(Update::Message(m)) => Some((**m).clone()),
        _ => None,
    };
    outputs.iter().filter_map(message).collect()
}

fn ended(outputs: &[Output]) -> Option<Ended> {
    outputs.iter().find_map(|o| if let Output::Close(why) = o { Some(why.clone()) } else { None })
}

const INSPIRCD: &str = ":irc.test CAP * LS :message-tags server-time batch echo-message labeled-response account-tag cap-notify inspircd.org/poison
    :irc.test CAP hawker ACK :message-tags server-time batch echo-message account-tag labeled-response
    :irc.test 001 hawker :Welcome to the network hawker!hawker@127.0.0.1
    @time=2026-01-01T00:00:00.000Z :hawker!hawker@h JOIN #shop
    :irc.test 353 hawker = #shop :@lan hawker
    :irc.test 366 hawker #shop :End of /NAMES list.";

#[test]
fn registration_waits_for_the_welcome_before_it_joins() {
    let mut play = Play::new(None);
    assert_eq!(sent(&play.all()), ["CAP LS 302", "NICK hawker", "USER hawker 0 * :hawker"]);
    let asked = sent(
        &play
            .hear(":irc.test CAP * LS * :message-tags\n:irc.test CAP * LS :server-time sts=port=1"),
    );
    assert_eq!(asked, ["CAP REQ :message-tags server-time"]);
    assert_eq!(sent(&play.hear(":irc.test CAP * ACK :message-tags server-time")), ["CAP END"]);
    assert_eq!(sent(&play.hear(":irc.test NOTICE * :*** Looking up your hostname...")).len(), 0);
    let welcomed = play.hear(":irc.test 001 hawker :Welcome");
    assert_eq!(sent(&welcomed), ["JOIN #shop"]);
    assert!(welcomed.contains(&Output::Stage(Stage::Joining)));
    assert!(play.hear(":hawker!h@h JOIN :#shop").contains(&Output::Stage(Stage::Live)));
}

#[test]
fn a_plain_old_server_without_capabilities_is_read() {
    let mut play = Play::new(None);
    play.hear(
        ":ngircd 421 * CAP :Unknown command\n:ngircd 001 hawker :Welcome\n:hawker!~h@h JOIN :#shop",
    );
    let said = messages(&play.hear(
        ":lan!~l@h PRIVMSG #shop :+1\n:lan!~l@h PRIVMSG #shop :+1\n:lan!~l@h PRIVMSG hawker :private\n:bo!b@h PRIVMSG #other :x",
    ));
    assert_eq!(said.len(), 2, "two equal lines are two messages, and only our channel counts");
    assert!(said[0].id != said[1].id && said[0].at == Now::test(0).wall && said[0].may_act());
    // Without an echo the own line is reported once the server has passed it, once.
    let label = play.session.say(Now::test(0), "#shop", "ok\r\nQUIT").unwrap();
    let out = play.all();
    assert_eq!(sent(&out), ["PRIVMSG #shop :ok  QUIT", "PING :hawker.1"]);
    assert!(messages(&out).is_empty());
    let out = play.hear(":ngircd PONG ngircd :hawker.1");
    let own = &messages(&out)[0];
    assert!(own.own && !own.may_act() && own.text.as_str() == "ok  QUIT");
    assert!(out.contains(&Output::Done { label, id: Some(own.id.clone()) }));
    assert!(play.hear(":ngircd PONG ngircd :hawker.1").is_empty());
}

#[test]
fn sasl_plain_goes_on_only_after_903_and_the_secret_is_never_shown() {
    let mut play = Play::new(Some("shop"));
    let before = format!("{:?}", play.session);
    let out =
        play.hear(":s CAP * LS :sasl=PLAIN,EXTERNAL server-time\n:s CAP * ACK :server-time sasl");
    assert_eq!(sent(&out)[3..], ["CAP REQ :server-time sasl", "AUTHENTICATE PLAIN"]);
    let out = play.hear("AUTHENTICATE +");
    let shown = format!("{before} {out:?} {:?}", play.session);
    // base64("shop\0shop\0pa55word-of-ours"), as RFC 4616 lays it out.
    assert_eq!(sent(&out), ["AUTHENTICATE c2hvcABzaG9wAHBhNTV3b3JkLW9mLW91cnM="]);
    assert!(!shown.contains("pa55word") && !shown.contains("c2hvcA"), "{shown}");
    assert_eq!(sent(&play.hear(":s 900 hawker h!h@h shop :You are now logged in\n:s 903 hawker :SASL authentication successful")), ["CAP END"]);
}

#[test]
fn a_refused_login_ends_lastingly() {
    for (dialogue, why) in [
        (
            ":s CAP * LS :sasl\n:s CAP * ACK :sasl\nAUTHENTICATE +\n:s 904 * :SASL authentication failed",
            Rejection::LoginRefused,
        ),
        (":s CAP * LS :server-time", Rejection::NoSasl),
        (":s CAP * LS :sasl=EXTERNAL", Rejection::NoSasl),
        (":s 421 * CAP :Unknown command", Rejection::NoSasl),
        (":s 001 hawker :Welcome", Rejection::NoSasl),
        (":s 465 * :You are banned from this server", Rejection::Banned),
    ] {
        let end = ended(&Play::new(Some("shop")).hear(dialogue)).unwrap();
        assert_eq!(end, Ended::Rejected(why), "{dialogue}");
        assert!(end.is_lasting());
    }
    let mut session = Session::new(settings(Some("shop")));
    session.connected(Now::test(0), Some(&Secret::new("x")), false);
    assert_eq!(
        session.poll(),
        Some(Output::Close(Ended::Rejected(Rejection::LoginUnsafe))),
        "not without TLS"
    );
}

#[test]
fn a_long_secret_is_sent_in_chunks_of_400() {
    let secret = Secret::new("x".repeat(290));
    let mut begun = Registration::begin("n", "u", Some("acct"), Some(&secret), true).unwrap();
    for line in [":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +"] {
        begun.line(&Line::parse(line.as_bytes()).unwrap());
    }
    let sizes: Vec<usize> =
        begun.drain().filter(Wire::is_secret).map(|wire| wire.bytes().len() - 15).collect();
    // 4 + 1 + 4 + 1 + 290 = 300 bytes are exactly 400 digits, so an empty chunk ends them.
    assert_eq!(sizes, [400, 1]);
}

#[test]
fn a_taken_nickname_is_replaced_by_one_that_short_limits_allow() {
    let mut play = Play::new(None);
    play.all();
    assert_eq!(sent(&play.hear(":s 433 * hawker :Nickname is already in use")), ["NICK hawker1"]);
    assert_eq!(sent(&play.hear(":s 432 * hawker1 :Erroneous Nickname")), ["NICK hawker2"]);
    let rest = play.hear(&":s 433 * x :in use\n".repeat(10));
    assert_eq!(ended(&rest), Some(Ended::Rejected(Rejection::NoNick)));
    let mut play = Play::new(None);
    play.hear(":s 433 * hawker :in use\n:s 001 hawker1 :Welcome\n:hawker1!h@h JOIN #shop");
    assert!(messages(&play.hear(":hawker1!h@h PRIVMSG #shop :x"))[0].own);
}

#[test]
fn ping_is_answered_and_a_dead_link_is_found() {
    let mut play = Play::new(None);
    play.hear(INSPIRCD);
    assert_eq!(sent(&play.hear("PING :irc.test")), ["PONG :irc.test"]);
    assert!(play.wait(59_000).is_empty());
    assert_eq!(sent(&play.wait(1_000)), ["PING :hawker"]);
    play.ms += 10_000;
    assert!(play.hear(":irc.test PONG irc.test :hawker").is_empty());
    assert!(play.wait(59_000).is_empty());
    assert_eq!(sent(&play.wait(1_000)), ["PING :hawker"]);
    assert_eq!(ended(&play.wait(19_000)), None);
    assert_eq!(ended(&play.wait(1_000)), Some(Ended::Silent));
    assert_eq!(play.session.stage(), Stage::Idle);
    let mut mute = Play::new(None);
    assert_eq!(ended(&mute.wait(45_000)), Some(Ended::NotWelcomed));
}

#[test]
fn history_is_backlog_and_a_replay_after_a_reconnect_is_dropped_by_msgid() {
    let mut play = Play::new(None);
    play.hear(INSPIRCD);
    let live = messages(&play.hear(
        "@time=2026-01-01T00:00:01.123Z;msgid=a1;account=lan :lan!l@h PRIVMSG #shop :SP1 2\n@time=2026-01-01T00:00:02.500Z;msgid=a2 :bo!b@h PRIVMSG #shop :\u{3}04,12red\u{3} \u{2}bold\u{f}",
    ));
    assert!(live.iter().all(|m| !m.backlog && m.may_act()));
    assert_eq!(live[0].author.id, Some(UserId::new("lan")));
    assert!(live[0].author.has(Badge::Moderator) && !live[1].author.has(Badge::Moderator));
    assert_eq!(live[1].text.as_str(), "red bold");
    play.session.disconnected();
    play.ms += 5_000;
    play.connect();
    let again = messages(&play.hear(&format!(
        "{INSPIRCD}
        :irc.test BATCH +1 chathistory #shop
        @batch=1;time=2026-01-01T00:00:01.000Z;msgid=a1 :lan!l@h PRIVMSG #shop :SP1 2
        @batch=1;time=2026-01-01T00:00:02.000Z;msgid=a2 :bo!b@h PRIVMSG #shop :red bold
        @batch=1;time=2026-01-01T00:00:04.000Z;msgid=a3 :bo!b@h PRIVMSG #shop :missed
        :irc.test BATCH -1
        @time=2026-01-01T00:00:09.000Z;msgid=a4 :bo!b@h PRIVMSG #shop :live again"
    )));
    let texts: Vec<_> = again.iter().map(|m| (m.text.as_str(), m.backlog)).collect();
    assert_eq!(texts, [("missed", true), ("live again", false)]);
}

#[test]
fn history_without_msgid_gets_the_identifiers_of_the_first_reading() {
    let batch = ":s BATCH +9 chathistory #shop
        @batch=9;time=2026-01-01T00:00:01.100Z :lan!l@h PRIVMSG #shop :+1
        @batch=9;time=2026-01-01T00:00:01.900Z :lan!l@h PRIVMSG #shop :+1
        :s BATCH -9";
    let mut play = Play::new(None);
    play.hear(INSPIRCD);
    assert_eq!(messages(&play.hear(batch)).len(), 2);
    play.session.disconnected();
    play.connect();
    play.hear(INSPIRCD);
    assert_eq!(messages(&play.hear(batch)).len(), 0);
}

#[test]
fn history_is_asked_for_where_the_server_has_it() {
    let with = INSPIRCD.replace("batch echo", "batch draft/chathistory echo");
    let mut play = Play::new(None);
    play.hear(&with);
    play.hear("@time=2026-01-01T00:00:05.250Z;msgid=a1 :lan!l@h PRIVMSG #shop :x");
    play.session.disconnected();
    play.connect();
    let asked = sent(&play.hear(&with));
    assert_eq!(
        asked.last().unwrap(),
        "CHATHISTORY AFTER #shop timestamp=2026-01-01T00:00:04.250Z 100"
    );
}

fn holes(outputs: &[Output]) -> Vec<(i64, i64)> {
    let since = |at: Timestamp| at.duration_since(Now::test(0).wall).as_millis() as i64;
    let hole = |o: &Output| match o {
        Output::Update(Update::Hole { from, until }) => Some((since(*from), since(*until))),
        _ => None,
    };
    outputs.iter().filter_map(hole).collect()
}

/// Heard last at 5 s, back at 20 s.
fn away(server: &str) -> Play {
    let mut play = Play::new(None);
    assert!(holes(&play.hear(server)).is_empty());
    play.ms = 5_000;
    play.hear("@time=2026-01-01T00:00:05.000Z;msgid=a1 :lan!l@h PRIVMSG #shop :x");
    play.session.disconnected();
    play.ms = 20_000;
    play.connect();
    let again = server.replace("00:00:00.000Z", "00:00:20.000Z");
    assert!(holes(&play.hear(&again)).is_empty(), "not yet");
    play
}

#[test]
fn a_hole_is_told_once_no_history_has_filled_it() {
    let (known, early, late) = ("05.000Z;msgid=a1", "04.000Z;msgid=b1", "12.000Z;msgid=b2");
    for (lines, want) in [
        (&[][..], Some((5_000, 20_000))),
        (&[known, late], None),
        (&[early, late], None),
        (&[late], Some((5_000, 12_000))),
    ] {
        let mut play = away(INSPIRCD);
        if !lines.is_empty() {
            play.hear(":irc.test BATCH +1 chathistory #shop");
            for line in lines {
                play.hear(&format!(
                    "@batch=1;time=2026-01-01T00:00:{line} :lan!l@h PRIVMSG #shop :x"
                ));
            }
            play.hear(":irc.test BATCH -1");
        }
        assert!(holes(&play.wait(2_999)).is_empty(), "{lines:?}");
        assert_eq!(holes(&play.wait(1)), Vec::from_iter(want), "{lines:?}");
        assert!(holes(&play.wait(20_000)).is_empty());
    }
}

#[test]
fn a_history_that_is_asked_for_is_asked_for_to_its_end() {
    let with = INSPIRCD.replace("batch echo", "batch draft/chathistory echo");
    let mut play = away(&with);
    let page = |from: usize, lines: usize| {
        let line = |n: usize| {
            format!(
                "@batch=1;time=2026-01-01T00:00:{:02}.{:03}Z;msgid=h{n} :lan!l@h PRIVMSG #shop :{n}\n",
                5 + n / 50,
                n % 50
            )
        };
        let lines: String = (from..from + lines).map(line).collect();
        format!(":irc.test BATCH +1 chathistory #shop\n{lines}:irc.test BATCH -1")
    };
    let out = play.hear(&page(0, 100));
    assert_eq!(messages(&out).len(), 100);
    assert_eq!(sent(&out), ["CHATHISTORY AFTER #shop timestamp=2026-01-01T00:00:06.049Z 100"]);
    let out = play.hear(&page(100, 30));
    assert_eq!((messages(&out).len(), sent(&out).len()), (30, 0));
    assert!(holes(&play.wait(30_000)).is_empty());
    // The rest never comes.
    let mut play = away(&with);
    play.hear(&page(0, 100));
    assert_eq!(holes(&play.wait(3_000)), [(6_049, 20_000)]);
}

#[test]
fn a_kick_leaves_a_hole_of_its_length() {
    let mut play = Play::new(None);
    play.hear(INSPIRCD);
    play.hear(":lan!l@h KICK #shop hawker :no bots");
    assert_eq!(sent(&play.wait(10_000)), ["JOIN #shop"]);
    play.hear(":hawker!h@h JOIN #shop");
    assert_eq!(holes(&play.wait(3_000)), [(0, 10_000)]);
}

#[test]
fn own_lines_are_confirmed_by_label_and_shown_once() {
    let mut play = Play::new(None);
    play.hear(INSPIRCD);
    let label = play.session.say(Now::test(0), "#shop", "hello").unwrap();
    let out = play.all();
    assert_eq!(sent(&out), ["@label=1 PRIVMSG #shop :hello"]);
    assert!(messages(&out).is_empty(), "the echo is the message");
    let out = play
        .hear("@label=1;msgid=e1;time=2026-01-01T00:00:09.000Z :hawker!h@h PRIVMSG #shop :hello");
    assert!(out.contains(&Output::Done { label, id: Some(MessageId::new("e1")) }));
    assert!(messages(&out).len() == 1 && messages(&out)[0].own);
    let label = play.session.say(Now::test(0), "#SHOP", "again").unwrap();
    let out =
        play.hear("@label=2 :irc.test 404 hawker #shop :You cannot send messages to this channel");
    assert!(out.contains(&Output::Refused {
        label,
        numeric: 404,
        text: Text::new("You cannot send messages to this channel"),
    }));
    assert_eq!(play.session.say(Now::test(0), "#other", "x"), Err(Refusal::NotJoined));
    assert_eq!(play.session.say(Now::test(0), "#shop", "\r\n\u{202e}"), Err(Refusal::Empty));
}

#[test]
fn a_netsplit_removes_nothing_and_loses_nothing() {
    let mut play = Play::new(None);
    play.hear(INSPIRCD);
    let out = play.hear(
        ":irc.test BATCH +n netsplit a.test b.test\n@batch=n :lan!l@h QUIT :a.test b.test\n:irc.test BATCH -n\n:bo!b@h QUIT :*.net *.split
         :lan!l@h JOIN #shop\n@msgid=s1 :lan!l@h PRIVMSG #shop :back",
    );
    assert_eq!(out.len(), 1, "{out:?}");
    let back = messages(&out);
    assert!(!back[0].backlog && !back[0].author.has(Badge::Moderator));
}

#[test]
fn a_kick_is_followed_by_a_rejoin_and_a_ban_ends_lastingly() {
    let mut play = Play::new(None);
    play.hear(INSPIRCD);
    let out = play.hear(":lan!l@h KICK #shop hawker :no bots");
    assert!(
        matches!(&out[..], [Output::Stage(Stage::Joining), Output::Kicked { reason, .. }] if reason.as_str() == "no bots")
    );
    assert!(sent(&play.wait(9_000)).is_empty());
    assert_eq!(sent(&play.wait(1_000)), ["JOIN #shop"]);
    let out = play.hear(":irc.test 474 hawker #shop :Cannot join channel (you're banned)");
    assert_eq!(ended(&out), Some(Ended::NoChannel(474)));
    assert!(ended(&out).unwrap().is_lasting());
}

#[test]
fn what_operators_do_to_others_is_reported() {
    let mut play = Play::new(None);
    play.hear(INSPIRCD);
    let cleared = |name: &str, removal| {
        Output::Update(Update::UserCleared { id: None, name: Some(Text::name(name)), removal })
    };
    let out = play.hear(
        ":lan!l@h KICK #shop spam :bye\n:lan!l@h MODE #shop +ov-b+bb bo bo x!*@* bad!*@* *!*@evil\n:lan!l@h REDACT #shop a1 :spam",
    );
    assert_eq!(
        out,
        [
            cleared("spam", Removal::Cleared),
            cleared("bad", Removal::Banned),
            Output::Update(Update::Deleted(MessageId::new("a1"))),
        ]
    );
    assert!(messages(&play.hear(":bo!b@h PRIVMSG #shop :x"))[0].author.has(Badge::Moderator));
    // What names nobody removes nothing.
    let nobody = ":lan!l@h REDACT #shop :\n:lan!l@h REDACT #shop\n:lan!l@h MODE #shop +b \u{200b}!*@*\n:lan!l@h KICK #shop \u{1} :x";
    assert_eq!(play.hear(nobody), []);
}

#[test]
fn modes_are_read_as_the_server_says_they_have_parameters() {
    let mut play = Play::new(None);
    play.hear(INSPIRCD);
    // As InspIRCd 3 says it: `H` has a parameter when it is set, `q` and `a` do not exist.
    play.hear(
        ":irc.test 005 hawker CHANMODES=b,k,Hl,imnpst PREFIX=(ov)@+ :are supported by this server",
    );
    play.hear(":lan!l@h MODE #shop +Hto-l+k 10:1h bo key");
    let said = messages(&play.hear(":bo!b@h PRIVMSG #shop :x\n:key!b@h PRIVMSG #shop :y"));
    assert!(said[0].author.has(Badge::Moderator) && !said[1].author.has(Badge::Moderator));
    play.hear(":lan!l@h MODE #shop -Ho bo");
    assert!(!messages(&play.hear(":bo!b@h PRIVMSG #shop :z"))[0].author.has(Badge::Moderator));
}

#[test]
fn a_ban_names_one_nickname_only() {
    let mut play = Play::new(None);
    play.hear(INSPIRCD);
    play.session.ban(Now::test(0), "#shop", "spam", "no\r\nQUIT").unwrap();
    play.session.unban(Now::test(0), "#shop", "spam").unwrap();
    let lines =
        ["MODE #shop +b spam!*@*", "PING :hawker.1", "MODE #shop -b spam!*@*", "PING :hawker.2"];
    assert_eq!(sent(&play.all()), lines);
    let kicked = sent(&play.hear(":s PONG s :hawker.1"));
    assert_eq!(kicked, ["KICK #shop spam :no  QUIT", "PING :hawker.1"]);
    for bad in ["", "*", "a*", "a b", "a\nb", "~a:x", "x,y"] {
        assert_eq!(
            play.session.ban(Now::test(0), "#shop", bad, ""),
            Err(Refusal::BadNick),
            "{bad:?}"
        );
    }
    assert_eq!(play.session.ban(Now::test(0), "#other", "spam", ""), Err(Refusal::NotJoined));
    assert!(play.all().is_empty());
}

#[test]
fn actions_and_notices_are_told_from_text() {
    let mut play = Play::new(None);
    play.hear(INSPIRCD);
    let said = messages(&play.hear(
        ":lan!l@h PRIVMSG #shop :\u{1}ACTION waves\u{1}\n:lan!l@h PRIVMSG #shop :\u{1}VERSION\u{1}\n:bot!b@h NOTICE #shop :hi\n@bot;+draft/reply=a1 :bot!b@h PRIVMSG #shop :+1",
    ));
    let kinds: Vec<_> =
        said.iter().map(|m| (m.kind.clone(), m.text.as_str(), m.may_act())).collect();
    assert_eq!(
        kinds,
        [(Kind::Action, "waves", false), (Kind::Notice, "hi", false), (Kind::Text, "+1", false)]
    );
    assert_eq!(said[2].reply.as_ref().unwrap().to, MessageId::new("a1"));
}

#[test]
fn settings_that_would_break_a_line_are_refused() {
    let new = |nick, account, channels: &[&str]| {
        Settings::new("s".parse().unwrap(), nick, account, channels)
    };
    for nick in ["", "a b", "a\r\nQUIT", ":x", "#x"] {
        assert_eq!(new(nick, None, &["#c"]), Err(BadSetting::Nick), "{nick:?}");
    }
    assert_eq!(new("n", Some("a\0b"), &["#c"]), Err(BadSetting::Account));
    for channels in [&[][..], &["c"], &["#a,#b"], &["#a b"], &["#"], &["#a\r"]] {
        assert_eq!(new("n", None, channels), Err(BadSetting::Channel), "{channels:?}");
    }
}

proptest! {
    #[test]
    fn no_line_breaks_a_session(
        lines in proptest::collection::vec(prop_oneof![
            "(@[a-z]{1,5}=[!-~]{0,9} )?(:[a-z!@]{1,9} )?(PRIVMSG|CAP|BATCH|KICK|MODE|JOIN|NICK|PART|353|001|433|474|404|AUTHENTICATE|ERROR|REDACT|NOTICE) [ -~]{0,40}".prop_map(String::into_bytes),
            "(PRIVMSG|KICK|MODE|JOIN) #shop [+\\-a-zé: ]{0,20}".prop_map(|s| format!(":hawker!a@b {s}").into_bytes()),
            any::<Vec<u8>>(),
        ], 0..60),
        joined: bool,
    ) {
        let mut play = Play::new(None);
        if joined { play.hear(INSPIRCD); }
        for line in lines {
            let _ = play.session.line(Now::test(play.ms), &line);
            play.wait(7_000);
            prop_assert!(play.session.batches.len() <= BATCHES && play.session.channels.len() <= 1);
        }
    }
}
