//! The session against lines as Twitch documents and sends them.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::chat::{Amount, Badge, Kind, Message, Removal, Text};

fn session(channels: &[&str]) -> Session {
    Session::new("tw".parse().unwrap(), channels, 4711, None).unwrap()
}

fn all(session: &mut Session) -> Vec<Output> {
    std::iter::from_fn(|| session.poll()).collect()
}

fn live(channels: &[&str]) -> Session {
    let mut session = session(channels);
    session.start(Now::test(0));
    session.connected(Now::test(0), LinkId(0));
    for line in [
        ":tmi.twitch.tv 001 justinfan4711 :Welcome, GLHF!",
        "@room-id=100 :tmi.twitch.tv ROOMSTATE #shop",
    ] {
        session.line(Now::test(0), LinkId(0), line.as_bytes()).unwrap();
    }
    all(&mut session);
    session
}

fn updates(session: &mut Session, lines: &[&str]) -> Vec<Update> {
    for line in lines {
        session.line(Now::test(0), LinkId(0), line.as_bytes()).unwrap();
    }
    all(session)
        .into_iter()
        .filter_map(|o| if let Output::Update(u) = o { Some(u) } else { None })
        .collect()
}

fn message(session: &mut Session, line: &str) -> Message {
    match updates(session, &[line]).pop() {
        Some(Update::Message(message)) => *message,
        other => panic!("{other:?}"),
    }
}

fn sent(outputs: &[Output]) -> Vec<String> {
    let text =
        |wire: &Wire| String::from_utf8(wire.bytes().to_vec()).unwrap().trim_end().to_owned();
    outputs
        .iter()
        .filter_map(|o| if let Output::Send(_, w) = o { Some(text(w)) } else { None })
        .collect()
}

#[test]
fn reading_needs_no_account() {
    let mut session = session(&["Shop", "#other"]);
    session.start(Now::test(0));
    assert_eq!(all(&mut session), [Output::Open(LinkId(0))]);
    session.connected(Now::test(0), LinkId(0));
    assert_eq!(
        sent(&all(&mut session)),
        ["CAP REQ :twitch.tv/tags twitch.tv/commands", "NICK justinfan4711"]
    );
    session
        .line(Now::test(0), LinkId(0), b":tmi.twitch.tv 001 justinfan4711 :Welcome, GLHF!")
        .unwrap();
    assert_eq!(sent(&all(&mut session)), ["JOIN #shop,#other"]);
    let names: Vec<String> = (0..20).map(|n| format!("{n:025}")).collect();
    let mut many = self::session(&names.iter().map(String::as_str).collect::<Vec<_>>());
    many.start(Now::test(0));
    many.line(Now::test(0), LinkId(0), b":tmi.twitch.tv 001 me :hi").unwrap();
    let joins = sent(&all(&mut many)).join(" ");
    assert!(names.iter().all(|name| joins.contains(name)), "{joins}");
    for bad in ["", "a b", "x\r\nQUIT", "a,b", &"x".repeat(26)] {
        assert!(Session::new("tw".parse().unwrap(), &[bad], 1, None).is_err(), "{bad:?}");
    }
}

const EMOTE: &str = "@badge-info=subscriber/3;badges=subscriber/3,vip/1;color=#0000FF;display-name=Minh;emotes=25:3-7;first-msg=0;id=aaaaaaaa-0000-4000-8000-000000000001;mod=0;room-id=100;subscriber=1;tmi-sent-ts=1767000000000;user-id=7;user-type= :minh!minh@minh.tmi.twitch.tv PRIVMSG #shop :😀😀 Kappa SP1 2";
const BEYOND: &str = "@display-name=Lan;emotes=25:40-44;id=aaaaaaaa-0000-4000-8000-000000000002;room-id=100;tmi-sent-ts=1767000000100;user-id=8 :lan!lan@lan.tmi.twitch.tv PRIVMSG #shop :short";
const REPLY: &str = "@display-name=Lan;emotes=25:6-10;id=aaaaaaaa-0000-4000-8000-000000000003;reply-parent-msg-id=aaaaaaaa-0000-4000-8000-000000000001;reply-parent-msg-body=hai\\sSP1\\:\\sok?;room-id=100;tmi-sent-ts=1767000000200;user-id=8 :lan!lan@lan.tmi.twitch.tv PRIVMSG #shop :hello Kappa";
const SHARED: &str = "@display-name=Lan;id=aaaaaaaa-0000-4000-8000-000000000004;source-room-id=200;source-id=bbbbbbbb-0000-4000-8000-000000000001;room-id=100;tmi-sent-ts=1767000000300;user-id=8 :lan!lan@lan.tmi.twitch.tv PRIVMSG #shop :from the other room";
const ORIGINAL: &str = "@display-name=Lan;id=bbbbbbbb-0000-4000-8000-000000000001;source-room-id=200;source-id=bbbbbbbb-0000-4000-8000-000000000001;room-id=200;tmi-sent-ts=1767000000300;user-id=8 :lan!lan@lan.tmi.twitch.tv PRIVMSG #other :from the other room";

#[test]
fn emotes_count_characters_and_badges_are_read() {
    let mut session = live(&["shop"]);
    let said = message(&mut session, EMOTE);
    let emote = &said.emotes[0];
    assert_eq!((&said.text.as_str()[emote.start..emote.end], emote.id.as_str()), ("Kappa", "25"));
    assert_eq!(said.text.as_str(), "😀😀 Kappa SP1 2");
    assert_eq!(said.author.badges, [Badge::Member, Badge::Vip]);
    assert_eq!(
        (said.author.id.as_ref().unwrap().as_str(), said.author.name.as_str()),
        ("7", "Minh")
    );
    assert_eq!(said.at.as_millisecond(), 1_767_000_000_000);
    assert!(said.may_act());
    let short = message(&mut session, BEYOND);
    assert!(short.emotes.is_empty() && short.text.as_str() == "short");
}

#[test]
fn replies_quote_what_is_answered() {
    let said = message(&mut live(&["shop"]), REPLY);
    let reply = said.reply.unwrap();
    assert_eq!(reply.to.as_str(), "aaaaaaaa-0000-4000-8000-000000000001");
    assert_eq!(reply.text, Some(Text::new("hai SP1; ok?")));
    assert_eq!(&said.text.as_str()[said.emotes[0].start..said.emotes[0].end], "Kappa");
}

#[test]
fn a_shared_message_is_shown_once() {
    let mut alone = live(&["shop"]);
    let copy = message(&mut alone, SHARED);
    let origin = copy.origin.as_ref().unwrap();
    assert_eq!(
        (origin.channel.as_str(), origin.id.as_str()),
        ("200", "bbbbbbbb-0000-4000-8000-000000000001")
    );
    assert!(!copy.may_act());
    assert!(updates(&mut alone, &[ORIGINAL, SHARED]).is_empty(), "already shown");
    // Where the other room is read too, the original is kept, in whichever order they come.
    let room = "@room-id=200 :tmi.twitch.tv ROOMSTATE #other";
    for order in [[room, SHARED, ORIGINAL], [room, ORIGINAL, SHARED]] {
        let shown = updates(&mut live(&["shop", "other"]), &order);
        assert!(
            matches!(&shown[..], [Update::Message(m)] if m.origin.is_none() && m.may_act()),
            "{shown:?}"
        );
    }
}

#[test]
fn removals_reach_us_in_all_three_forms() {
    let mut session = live(&["shop"]);
    let lines = [
        "@login=lan;room-id=100;target-msg-id=aaaaaaaa-0000-4000-8000-000000000003;tmi-sent-ts=1767000000400 :tmi.twitch.tv CLEARMSG #shop :hello Kappa",
        "@ban-duration=600;room-id=100;target-user-id=8;tmi-sent-ts=1767000000500 :tmi.twitch.tv CLEARCHAT #shop :lan",
        "@room-id=100;target-user-id=9;tmi-sent-ts=1767000000550 :tmi.twitch.tv CLEARCHAT #shop :bo",
        "@room-id=100;tmi-sent-ts=1767000000600 :tmi.twitch.tv CLEARCHAT #shop",
    ];
    let user = |id, name, removal| Update::UserCleared {
        id: Some(UserId::new(id)),
        name: Some(Text::name(name)),
        removal,
    };
    assert_eq!(
        updates(&mut session, &lines),
        [
            Update::Deleted(MessageId::new("aaaaaaaa-0000-4000-8000-000000000003")),
            user("8", "lan", Removal::TimedOut(Duration::from_mins(10))),
            user("9", "bo", Removal::Banned),
            Update::AllCleared,
        ]
    );
    // Of this name nothing is left: nobody's lines go, and by no means everybody's.
    assert_eq!(updates(&mut session, &[":tmi.twitch.tv CLEARCHAT #shop :\u{200b}"]), []);
}

#[test]
fn notices_actions_and_bits_have_their_kinds() {
    let mut session = live(&["shop"]);
    let gift = message(
        &mut session,
        "@display-name=Ann;id=aaaaaaaa-0000-4000-8000-000000000005;login=ann;msg-id=subgift;msg-param-recipient-display-name=Bo;room-id=100;system-msg=Ann\\sgifted\\sBo\\sa\\ssub!;tmi-sent-ts=1767000000700;user-id=9 :tmi.twitch.tv USERNOTICE #shop",
    );
    assert_eq!(
        (gift.kind.clone(), gift.text.as_str(), gift.author.name.as_str()),
        (Kind::Membership, "Ann gifted Bo a sub!", "Ann")
    );
    assert!(!gift.may_act());
    let raid = message(
        &mut session,
        "@id=r1;login=ann;msg-id=raid;system-msg=15\\sraiders :tmi.twitch.tv USERNOTICE #shop",
    );
    assert_eq!(raid.kind, Kind::Notice);
    let resub = message(
        &mut session,
        "@id=r2;login=ann;msg-id=resub;system-msg=Ann\\sresubscribed :tmi.twitch.tv USERNOTICE #shop :SP1 2",
    );
    assert!(resub.text.as_str() == "Ann resubscribed SP1 2" && !resub.may_act());
    let waves =
        message(&mut session, ":lan!lan@lan.tmi.twitch.tv PRIVMSG #shop :\u{1}ACTION waves\u{1}");
    assert_eq!((waves.kind.clone(), waves.text.as_str()), (Kind::Action, "waves"));
    let acted = message(
        &mut session,
        "@id=a9;emotes=25:6-10 :lan!lan@l PRIVMSG #shop :\u{1}ACTION waves Kappa\u{1}",
    );
    assert_eq!(&acted.text.as_str()[acted.emotes[0].start..acted.emotes[0].end], "Kappa");
    let cheer = message(
        &mut session,
        "@id=b1;bits=100;first-msg=1 :lan!lan@l PRIVMSG #shop :cheer100 mine 12",
    );
    assert_eq!(
        cheer.kind,
        Kind::Paid { amount: Amount { micros: 100_000_000, currency: Text::name("BITS") } }
    );
    assert!(cheer.author.has(Badge::First) && cheer.may_act());
}

#[test]
fn ping_is_answered_and_silence_ends_the_link() {
    let mut session = live(&["shop"]);
    session.line(Now::test(0), LinkId(0), b"PING :tmi.twitch.tv").unwrap();
    assert_eq!(sent(&all(&mut session)), ["PONG :tmi.twitch.tv"]);
    session.tick(Now::test(60_000));
    assert_eq!(sent(&all(&mut session)), ["PING :hawker"]);
    session.tick(Now::test(74_000));
    assert!(all(&mut session).is_empty());
    session.tick(Now::test(75_000));
    assert_eq!(all(&mut session), [Output::Close(LinkId(0)), Output::Lost(Lost::Silent)]);
}

#[test]
fn a_reconnect_opens_the_new_link_first_and_repeats_nothing() {
    let mut session = live(&["shop"]);
    session.line(Now::test(0), LinkId(0), b":tmi.twitch.tv RECONNECT").unwrap();
    session.line(Now::test(0), LinkId(0), b":tmi.twitch.tv RECONNECT").unwrap();
    assert_eq!(all(&mut session), [Output::Open(LinkId(1))]);
    session.connected(Now::test(1), LinkId(1));
    assert_eq!(updates(&mut session, &[BEYOND]).len(), 1, "the old link still reads");
    for line in [
        ":tmi.twitch.tv 001 justinfan4711 :Welcome",
        BEYOND,
        "@room-id=100 :tmi.twitch.tv ROOMSTATE #shop",
    ] {
        session.line(Now::test(2), LinkId(1), line.as_bytes()).unwrap();
    }
    let after = all(&mut session);
    assert!(!after.iter().any(|o| matches!(o, Output::Update(_) | Output::Lost(_))), "{after:?}");
    assert!(after.ends_with(&[Output::Live]));
    assert_eq!(updates(&mut session, &[EMOTE]).len(), 1, "what was on its way on the old link");
    let cleared = "@room-id=100;target-user-id=8;tmi-sent-ts=1767000000600 :tmi.twitch.tv CLEARCHAT #shop :lan";
    assert_eq!(updates(&mut session, &[cleared]).len(), 1);
    session.line(Now::test(2), LinkId(1), cleared.as_bytes()).unwrap();
    assert!(all(&mut session).is_empty(), "told once, although both links bring it");
    session.tick(Now::test(2_001));
    assert!(all(&mut session).is_empty());
    session.tick(Now::test(2_002));
    assert_eq!(all(&mut session), [Output::Close(LinkId(0))]);
    session.closed(LinkId(0));
    assert!(all(&mut session).is_empty());
    session.closed(LinkId(1));
    assert_eq!(all(&mut session), [Output::Close(LinkId(1)), Output::Lost(Lost::Closed)]);
}

#[test]
fn a_link_that_breaks_after_the_announcement_does_not_end_the_source() {
    let mut session = live(&["shop"]);
    session.line(Now::test(0), LinkId(0), b":tmi.twitch.tv RECONNECT").unwrap();
    session.closed(LinkId(0));
    assert_eq!(all(&mut session), [Output::Open(LinkId(1)), Output::Close(LinkId(0))]);
}

#[test]
fn reconnects_announced_on_every_new_link_open_no_more_than_two() {
    let mut session = live(&["shop"]);
    let mut opened = 0;
    for link in 0..5 {
        let _ = session.line(Now::test(link), LinkId(link), b":tmi.twitch.tv RECONNECT");
        opened += all(&mut session).iter().filter(|o| matches!(o, Output::Open(_))).count();
    }
    assert_eq!(opened, 1);
    session.closed(LinkId(0));
    session.closed(LinkId(1));
    assert!(
        all(&mut session).contains(&Output::Lost(Lost::Closed)),
        "and begins anew after a wait"
    );
}

#[test]
fn the_own_account_is_marked() {
    let mut session =
        Session::new("tw".parse().unwrap(), &["shop"], 1, Some(UserId::new("8"))).unwrap();
    session.start(Now::test(0));
    assert!(message(&mut session, BEYOND).own);
    assert!(!message(&mut session, EMOTE).own);
}

proptest! {
    #[test]
    fn no_line_breaks_the_session(
        which in 0_usize..5, at in 0_usize..400, by: u8, cut in 0_usize..500,
        bytes: Vec<u8>, emotes in "[0-9:,/\\-a]{0,40}", text in "\\PC{0,20}",
    ) {
        let mut session = live(&["shop"]);
        let mut line = [EMOTE, BEYOND, REPLY, SHARED, ORIGINAL][which].as_bytes().to_vec();
        if let Some(byte) = line.get_mut(at) { *byte = by; }
        line.truncate(cut);
        let _ = session.line(Now::test(0), LinkId(0), &line);
        let _ = session.line(Now::test(0), LinkId(0), &bytes);
        let made = format!("@emotes={emotes};id=x :a!a@a PRIVMSG #shop :{text}");
        let _ = session.line(Now::test(0), LinkId(0), made.as_bytes());
        for output in all(&mut session) {
            if let Output::Update(Update::Message(m)) = output {
                for e in &m.emotes { prop_assert!(m.text.as_str().get(e.start..e.end).is_some()); }
            }
        }
    }
}
