//! The session against frames as Twitch's handbook shows them.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::chat::{Badge, Kind, Message, Removal, UserId};

const ONE: LinkId = LinkId(0);
const TWO: LinkId = LinkId(1);

fn session() -> Session {
    Session::new("tw".parse().unwrap())
}

fn accounts(broadcasters: &[&str]) -> Vec<Account> {
    let account = |id: &&str| Account { broadcaster: UserId::new(id), user: UserId::new("7") };
    broadcasters.iter().map(account).collect()
}

fn begin(session: &mut Session, ms: u64) {
    session.start(Now::test(ms), &accounts(&["1971641"]));
}

/// A topic of the first channel.
fn topic(kind: &'static str) -> Topic {
    Topic { channel: 0, kind }
}

fn all(session: &mut Session) -> Vec<Output> {
    std::iter::from_fn(|| session.poll()).collect()
}

fn hear(session: &mut Session, ms: u64, link: LinkId, frame: &Value) -> Vec<Output> {
    session.text(Now::test(ms), link, frame.to_string().as_bytes()).unwrap();
    all(session)
}

fn welcome(id: &str) -> Value {
    json!({"metadata": {"message_id": "96a3f3b5-5dec-4eed-908e-e11ee657416c", "message_type": "session_welcome", "message_timestamp": "2023-07-19T14:56:51.634234626Z"},
        "payload": {"session": {"id": id, "status": "connected", "connected_at": "2023-07-19T14:56:51.616329898Z", "keepalive_timeout_seconds": 10, "reconnect_url": null}}})
}

fn keepalive() -> Value {
    json!({"metadata": {"message_id": "84c1e79a-2a4b-4c13-ba0b-4312293e9308", "message_type": "session_keepalive", "message_timestamp": "2023-07-19T10:11:12.634234626Z"}, "payload": {}})
}

fn reconnect(url: &str) -> Value {
    json!({"metadata": {"message_id": "84c1e79a", "message_type": "session_reconnect", "message_timestamp": "2022-11-18T09:10:11.634234626Z"},
        "payload": {"session": {"id": "AQoQexAWVYKSTIu4ec_2VAxyuhAB", "status": "reconnecting", "keepalive_timeout_seconds": null, "reconnect_url": url, "connected_at": "2022-11-16T10:11:12.634234626Z"}}})
}

fn notification(id: &str, kind: &str, event: Value) -> Value {
    json!({"metadata": {"message_id": id, "message_type": "notification", "message_timestamp": "2026-01-01T00:00:00.464757833Z", "subscription_type": kind, "subscription_version": "1"},
        "payload": {"subscription": {"id": "0b7f3361", "status": "enabled", "type": kind, "version": "1", "condition": {"broadcaster_user_id": "1971641", "user_id": "7"}, "transport": {"method": "websocket", "session_id": "s1"}, "created_at": "2023-11-06T18:11:47.492253549Z", "cost": 0}, "event": event}})
}

/// The example of `channel.chat.message` of the handbook, shortened to two fragments.
fn chat(id: &str) -> Value {
    json!({"broadcaster_user_id": "1971641", "broadcaster_user_login": "streamer", "broadcaster_user_name": "streamer",
        "chatter_user_id": "4145994", "chatter_user_login": "viewer32", "chatter_user_name": "Viewer32", "message_id": id,
        "message": {"text": "Hi chat Kappa", "fragments": [
            {"type": "text", "text": "Hi chat ", "cheermote": null, "emote": null, "mention": null},
            {"type": "emote", "text": "Kappa", "cheermote": null, "emote": {"id": "25", "emote_set_id": "0", "owner_id": "0", "format": ["static"]}, "mention": null}]},
        "color": "#00FF7F", "badges": [{"set_id": "moderator", "id": "1", "info": ""}, {"set_id": "subscriber", "id": "12", "info": "16"}, {"set_id": "sub-gifter", "id": "1", "info": ""}],
        "message_type": "text", "cheer": null, "reply": null, "channel_points_custom_reward_id": null,
        "source_broadcaster_user_id": null, "source_broadcaster_user_login": null, "source_broadcaster_user_name": null, "source_message_id": null, "source_badges": null})
}

fn with(mut event: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        event[key] = value.clone();
    }
    event
}

fn asks(outputs: &[Output]) -> Vec<Ask> {
    outputs
        .iter()
        .filter_map(|o| if let Output::Request(ask, _) = o { Some(ask.clone()) } else { None })
        .collect()
}

fn live() -> Session {
    let mut session = session();
    begin(&mut session, 0);
    hear(&mut session, 0, ONE, &welcome("s1"));
    for kind in KINDS {
        session.answered(Now::test(0), &Ask::Subscribe(topic(kind)), 202, b"{}");
    }
    all(&mut session);
    session
}

fn one(outputs: Vec<Output>) -> Message {
    match &outputs[..] {
        [Output::Update(Update::Message(message))] => (**message).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_welcome_is_followed_by_the_subscriptions() {
    let mut session = session();
    begin(&mut session, 0);
    assert_eq!(all(&mut session), [Output::Open(ONE, None)]);
    let out = hear(&mut session, 100, ONE, &welcome("s1"));
    assert_eq!(asks(&out), KINDS.map(|kind| Ask::Subscribe(topic(kind))));
    let Some(Output::Request(_, request)) = out.first() else { panic!() };
    assert_eq!(
        request.body.as_ref().unwrap(),
        &json!({"type": "channel.chat.message", "version": "1",
        "condition": {"broadcaster_user_id": "1971641", "user_id": "7"}, "transport": {"method": "websocket", "session_id": "s1"}})
    );
    session.answered(Now::test(200), &Ask::Subscribe(topic(KINDS[0])), 202, b"{}");
    assert_eq!(all(&mut session), [Output::Live]);
    assert_eq!(session.keepalive(), Some(Duration::from_secs(10)));
}

#[test]
fn a_message_is_read_whole_and_reported_once() {
    let mut session = live();
    let said = one(hear(&mut session, 1, ONE, &notification("n1", KINDS[0], chat("m1"))));
    assert_eq!((said.text.as_str(), said.author.name.as_str()), ("Hi chat Kappa", "Viewer32"));
    assert_eq!(said.author.badges, [Badge::Moderator, Badge::Member]);
    assert_eq!(
        (said.emotes[0].start, said.emotes[0].end, said.emotes[0].id.as_str()),
        (8, 13, "25")
    );
    assert_eq!(said.at.to_string(), "2026-01-01T00:00:00.464757833Z");
    assert!(said.may_act());
    assert!(hear(&mut session, 2, ONE, &notification("n1", KINDS[0], chat("m1"))).is_empty());
    assert!(hear(&mut session, 2, ONE, &notification("n2", KINDS[0], chat("m1"))).is_empty());
    let cheered = with(
        chat("m2"),
        json!({"cheer": {"bits": 100}, "reply": {"parent_message_id": "m1", "parent_message_body": "Hi"}, "chatter_user_id": "7"}),
    );
    let said = one(hear(&mut session, 3, ONE, &notification("n3", KINDS[0], cheered)));
    assert!(matches!(said.kind, Kind::Paid { ref amount } if amount.micros == 100_000_000));
    assert!(said.own && said.reply.unwrap().to.as_str() == "m1");
    let shared = json!({"source_broadcaster_user_id": "112233", "source_broadcaster_user_login": "other", "source_message_id": "o1"});
    let said = one(hear(
        &mut session,
        4,
        ONE,
        &notification("n4", KINDS[0], with(chat("m3"), shared.clone())),
    ));
    assert_eq!(said.origin.unwrap().channel.as_str(), "other");
    assert!(
        hear(&mut session, 5, ONE, &notification("n5", KINDS[0], with(chat("m4"), shared)))
            .is_empty()
    );
}

#[test]
fn removals_and_notices_are_reported() {
    let mut session = live();
    let base = json!({"broadcaster_user_id": "1971641", "target_user_id": "8", "target_user_login": "lan", "target_user_name": "Lan", "message_id": "m1"});
    let mut update = |id: &str, kind, event: &Value| match hear(
        &mut session,
        1,
        ONE,
        &notification(id, kind, event.clone()),
    )
    .pop()
    {
        Some(Output::Update(update)) => update,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        update("a", "channel.chat.message_delete", &base),
        Update::Deleted(MessageId::new("m1"))
    );
    let cleared = Update::UserCleared {
        id: Some(UserId::new("8")),
        name: Some(Text::name("lan")),
        removal: Removal::Cleared,
    };
    assert_eq!(update("b", "channel.chat.clear_user_messages", &base), cleared);
    assert_eq!(update("c", "channel.chat.clear", &base), Update::AllCleared);
    let event =
        with(chat("m9"), json!({"notice_type": "resub", "system_message": "viewer32 subscribed"}));
    let Update::Message(notice) = update("d", "channel.chat.notification", &event) else {
        panic!()
    };
    assert_eq!(
        (notice.kind.clone(), notice.text.as_str()),
        (Kind::Membership, "viewer32 subscribed Hi chat Kappa")
    );
}

#[test]
fn the_old_socket_stays_until_the_new_welcome_and_nothing_is_subscribed_again() {
    let mut session = live();
    let url = "wss://eventsub.wss.twitch.tv?id=s2";
    let out = hear(&mut session, 1_000, ONE, &reconnect(url));
    assert_eq!(out, [Output::Open(TWO, Some(url.to_owned()))]);
    assert!(hear(&mut session, 1_100, ONE, &reconnect(url)).is_empty());
    one(hear(&mut session, 1_200, ONE, &notification("n1", KINDS[0], chat("m1"))));
    assert_eq!(hear(&mut session, 1_300, TWO, &welcome("s2")), [Output::Close(ONE)]);
    assert!(hear(&mut session, 1_400, TWO, &notification("n1", KINDS[0], chat("m1"))).is_empty());
    // What was on its way on the old one is not lost.
    one(hear(&mut session, 1_450, ONE, &notification("n0", KINDS[0], chat("m0"))));
    session.closed(Now::test(1_450), ONE, Some(4004));
    assert!(all(&mut session).is_empty());
    // An address that is neither TLS nor this machine is not followed.
    assert!(
        session
            .text(Now::test(1_500), TWO, reconnect("ws://evil.example/x").to_string().as_bytes())
            .is_err()
    );
    assert!(!hear(&mut session, 1_600, TWO, &reconnect("ws://127.0.0.1:9/ws")).is_empty());
}

#[test]
fn a_reconnect_that_fails_is_tried_again_while_the_old_socket_stands() {
    let mut session = live();
    let url = "wss://eventsub.wss.twitch.tv?id=s2";
    hear(&mut session, 1_000, ONE, &reconnect(url));
    session.closed(Now::test(1_100), TWO, None);
    assert_eq!(all(&mut session), [Output::Close(TWO)]);
    one(hear(&mut session, 1_200, ONE, &notification("n1", KINDS[0], chat("m1"))));
    session.tick(Now::test(2_099));
    assert!(all(&mut session).is_empty());
    session.tick(Now::test(2_100));
    let three = LinkId(2);
    assert_eq!(all(&mut session), [Output::Open(three, Some(url.to_owned()))]);
    session.closed(Now::test(2_200), three, None);
    all(&mut session);
    session.closed(Now::test(2_300), ONE, Some(4004));
    assert_eq!(all(&mut session), [Output::Close(ONE), Output::Lost(Lost::Closed(Some(4004)))]);
    session.tick(Now::test(9_000));
    assert!(all(&mut session).is_empty(), "an old address leads nowhere");
}

#[test]
fn silence_beyond_the_keepalive_is_a_dead_link() {
    let mut session = live();
    hear(&mut session, 9_000, ONE, &keepalive());
    session.tick(Now::test(21_000));
    assert!(all(&mut session).is_empty());
    session.tick(Now::test(22_000));
    assert_eq!(all(&mut session), [Output::Close(ONE), Output::Lost(Lost::Silent)]);
    begin(&mut session, 23_000);
    assert_eq!(all(&mut session), [Output::Open(TWO, None)]);
    assert_eq!(
        asks(&hear(&mut session, 23_100, TWO, &welcome("s2"))).len(),
        KINDS.len(),
        "all anew"
    );
    let mut mute = self::session();
    begin(&mut mute, 0);
    mute.tick(Now::test(10_000));
    assert!(all(&mut mute).ends_with(&[Output::Lost(Lost::NotWelcomed)]));
}

#[test]
fn a_409_finds_the_dead_subscription_deletes_it_and_subscribes_again() {
    let mut session = session();
    begin(&mut session, 0);
    hear(&mut session, 0, ONE, &welcome("s2"));
    let kind = KINDS[0];
    session.answered(
        Now::test(1),
        &Ask::Subscribe(topic(kind)),
        409,
        br#"{"error":"Conflict","status":409,"message":"subscription already exists"}"#,
    );
    let out = all(&mut session);
    assert_eq!(asks(&out), [Ask::List(topic(kind))]);
    let entry = |id: &str, user: &str, session: &str| {
        json!({"id": id, "status": "enabled", "type": kind, "version": "1",
        "condition": {"broadcaster_user_id": "1971641", "user_id": user}, "transport": {"method": "websocket", "session_id": session}})
    };
    let list = json!({"data": [entry("ours-now", "7", "s2"), entry("other-user", "9", "s0"), entry("dead", "7", "s1")], "total": 3});
    session.answered(Now::test(2), &Ask::List(topic(kind)), 200, list.to_string().as_bytes());
    let out = all(&mut session);
    assert!(
        matches!(&out[..], [Output::Request(Ask::Delete(_), r)] if r.query == [("id", "dead".to_owned())]),
        "{out:?}"
    );
    session.answered(Now::test(3), &Ask::Delete(topic(kind)), 204, b"");
    assert_eq!(asks(&all(&mut session)), [Ask::Subscribe(topic(kind))]);
    session.answered(Now::test(4), &Ask::Subscribe(topic(kind)), 202, b"{}");
    assert_eq!(all(&mut session), [Output::Live]);
}

#[test]
fn a_dead_subscription_is_looked_for_on_the_next_page() {
    let mut session = session();
    begin(&mut session, 0);
    hear(&mut session, 0, ONE, &welcome("s2"));
    let kind = KINDS[0];
    session.answered(Now::test(1), &Ask::Subscribe(topic(kind)), 409, b"{}");
    all(&mut session);
    let page = json!({"data": [], "total": 101, "pagination": {"cursor": "p2"}}).to_string();
    for _ in 0..4 {
        session.answered(Now::test(2), &Ask::List(topic(kind)), 200, page.as_bytes());
        let out = all(&mut session);
        let [Output::Request(Ask::List(_), request)] = &out[..] else { panic!("{out:?}") };
        assert_eq!(request.query, [("type", kind.to_owned()), ("after", "p2".to_owned())]);
    }
    session.answered(Now::test(3), &Ask::List(topic(kind)), 200, page.as_bytes());
    assert!(all(&mut session).is_empty(), "pages are bounded");
    session.alive(Now::test(1_004), ONE);
    session.tick(Now::test(1_004));
    assert_eq!(asks(&all(&mut session)), [Ask::Subscribe(topic(kind))]);
}

#[test]
fn several_channels_are_read_in_one_session_and_one_refusal_leaves_the_others() {
    let mut session = session();
    session.start(Now::test(0), &accounts(&["1971641", "9"]));
    let out = asks(&hear(&mut session, 100, ONE, &welcome("s1")));
    assert_eq!(out.len(), 2 * KINDS.len());
    let both = [topic(KINDS[0]), Topic { channel: 1, kind: KINDS[0] }];
    assert_eq!(out[..2], both.map(Ask::Subscribe), "messages first");
    let no = br#"{"message":"subscription missing proper authorization"}"#;
    session.answered(Now::test(101), &Ask::Subscribe(both[1]), 403, no);
    assert_eq!(all(&mut session), [Output::Without(both[1], 403)], "the other may still do");
    session.answered(Now::test(102), &Ask::Subscribe(both[0]), 202, b"{}");
    assert_eq!(all(&mut session), [Output::Live]);
    // A copy of what another channel said counts, as long as that channel itself is not read.
    let shared = json!({"source_broadcaster_user_id": "9", "source_broadcaster_user_login": "other", "source_message_id": "o1"});
    let copy = |id| notification(id, KINDS[0], with(chat("m3"), shared.clone()));
    assert!(one(hear(&mut session, 103, ONE, &copy("n1"))).origin.is_some());
    let mut both_read = self::session();
    both_read.start(Now::test(0), &accounts(&["1971641", "9"]));
    hear(&mut both_read, 0, ONE, &welcome("s1"));
    for topic in both {
        assert!(!all(&mut both_read).contains(&Output::Live));
        both_read.answered(Now::test(1), &Ask::Subscribe(topic), 202, b"{}");
    }
    assert!(all(&mut both_read).contains(&Output::Live), "once all are settled");
    assert!(hear(&mut both_read, 2, ONE, &copy("n1")).is_empty());
    // The last one that is taken away ends the source.
    let mut revoked = |broadcaster: &str| {
        let frame = json!({"metadata": {"message_id": "r", "message_type": "revocation", "message_timestamp": "2022-11-16T10:11:12.464757833Z"},
            "payload": {"subscription": {"id": "f1", "status": "user_removed", "type": KINDS[0], "condition": {"broadcaster_user_id": broadcaster, "user_id": "7"}}}});
        hear(&mut both_read, 3, ONE, &frame)
    };
    assert_eq!(revoked("9"), [Output::Without(both[1], 0)]);
    assert!(matches!(revoked("1971641").last(), Some(Output::Lost(Lost::Unauthorized(_)))));
}

#[test]
fn a_subscription_is_tried_again_with_growing_waits_and_given_up() {
    let mut session = session();
    begin(&mut session, 0);
    hear(&mut session, 0, ONE, &welcome("s1"));
    let mut waits = Vec::new();
    let mut ms = 0;
    session.answered(Now::test(ms), &Ask::Subscribe(topic(KINDS[0])), 503, b"");
    while waits.len() < 4 {
        let before = ms;
        let out = loop {
            ms += 500;
            session.alive(Now::test(ms), ONE);
            session.tick(Now::test(ms));
            let out = all(&mut session);
            if !out.is_empty() || ms > 60_000 {
                break out;
            }
        };
        if asks(&out).is_empty() {
            break;
        }
        waits.push(ms - before);
        session.answered(Now::test(ms), &Ask::Subscribe(topic(KINDS[0])), 503, b"");
    }
    assert_eq!(waits, [1_000, 2_000, 4_000]);
    let mut refused = self::session();
    begin(&mut refused, 0);
    hear(&mut refused, 0, ONE, &welcome("s1"));
    refused.answered(Now::test(1), &Ask::Subscribe(topic(KINDS[1])), 403, b"{}");
    assert_eq!(all(&mut refused), [Output::Without(topic(KINDS[1]), 403)]);
    refused.answered(
        Now::test(1),
        &Ask::Subscribe(topic(KINDS[0])),
        401,
        br#"{"message":"Invalid OAuth token"}"#,
    );
    let lost = Lost::Unauthorized(Text::new("Invalid OAuth token"));
    assert!(lost.is_lasting());
    assert_eq!(all(&mut refused), [Output::Close(ONE), Output::Lost(lost)]);
}

#[test]
fn a_revoked_subscription_ends_the_source_lastingly() {
    let mut session = live();
    let frame = json!({"metadata": {"message_id": "r", "message_type": "revocation", "message_timestamp": "2022-11-16T10:11:12.464757833Z", "subscription_type": KINDS[0], "subscription_version": "1"},
        "payload": {"subscription": {"id": "f1c2a387", "status": "authorization_revoked", "type": KINDS[0], "version": "1"}}});
    let out = hear(&mut session, 1, ONE, &frame);
    assert!(
        matches!(out.last(), Some(Output::Lost(Lost::Unauthorized(why))) if why.as_str() == "authorization_revoked")
    );
}

#[test]
fn frames_that_are_none_are_errors_not_silence() {
    let mut session = live();
    for frame in [
        "",
        "x",
        "{}",
        "[]",
        r#"{"metadata":{"message_type":"new"}}"#,
        r#"{"metadata":{"message_type":"session_welcome"}}"#,
    ] {
        assert!(session.text(Now::test(0), ONE, frame.as_bytes()).is_err(), "{frame}");
    }
    let without = notification("n1", KINDS[0], json!({"message": {"text": "x"}}));
    assert_eq!(
        session.text(Now::test(0), ONE, without.to_string().as_bytes()),
        Err(Malformed::Unknown)
    );
}

proptest! {
    #[test]
    fn no_frame_breaks_the_session(at in 0_usize..900, by: u8, bytes: Vec<u8>, status: u16, body in "\\PC{0,40}") {
        let mut session = live();
        for frame in [notification("n", KINDS[0], chat("m")), welcome("s2"), reconnect("wss://h/x"), keepalive()] {
            let mut frame = frame.to_string().into_bytes();
            if let Some(byte) = frame.get_mut(at) { *byte = by; }
            let _ = session.text(Now::test(0), ONE, &frame);
        }
        let _ = session.text(Now::test(0), ONE, &bytes);
        for ask in [Ask::Subscribe(topic(KINDS[0])), Ask::List(topic(KINDS[1])), Ask::Delete(topic(KINDS[2]))] {
            session.answered(Now::test(1), &ask, status, body.as_bytes());
        }
        session.tick(Now::test(100_000));
        prop_assert!(all(&mut session).len() < 100);
    }
}
