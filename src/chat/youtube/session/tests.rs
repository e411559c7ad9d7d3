//! The session against answers as the description file shows them, and through simulated shows.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::chat::{Kind, Message, Removal, Text, youtube::quota::DAILY};

fn session() -> Session {
    Session::new("yt".parse().unwrap(), "c", Some(UserId::new("shop")))
}

fn quota() -> Quota {
    Quota::new(DAILY, 0, 0, Now::test(0).wall)
}

fn all(session: &mut Session) -> Vec<Output> {
    std::iter::from_fn(|| session.poll()).collect()
}

fn messages(outputs: &[Output]) -> Vec<Message> {
    let message = |o: &Output| match o {
        Output::Update(Update::Message(m)) => Some((**m).clone()),
        _ => None,
    };
    outputs.iter().filter_map(message).collect()
}

/// A stream of two list responses in two manners of writing, with a message that comes twice.
const STREAM: &str = r#"[{"kind":"youtube#liveChatMessageListResponse","nextPageToken":"T1","pollingIntervalMillis":2000,"items":[{"id":"m1","snippet":{"type":"textMessageEvent","liveChatId":"c","publishedAt":"2026-01-01T00:00:00+00:00","hasDisplayContent":true,"displayMessage":"SP1 2 giá bao nhiêu","textMessageDetails":{"messageText":"SP1 2 giá bao nhiêu"}},"authorDetails":{"channelId":"u1","displayName":"Lan","isChatModerator":false,"isChatOwner":false,"isChatSponsor":true,"isVerified":false}}]}
,{"next_page_token":"T2","items":[{"id":"m2","snippet":{"type":"SUPER_CHAT_EVENT","published_at":"2026-01-01T00:00:03+00:00","super_chat_details":{"amount_micros":"1990000","currency":"USD","amount_display_string":"$1.99","tier":1,"user_comment":"hi"}},"author_details":{"channel_id":"u2","display_name":"Bo"}},{"id":"m1","snippet":{"type":"textMessageEvent","textMessageDetails":{"messageText":"SP1 2 giá bao nhiêu"}}},{"id":"m3","snippet":{"type":"TEXT_MESSAGE_EVENT","text_message_details":{"message_text":"+1"}},"author_details":{"channel_id":"u3","display_name":"An"}}]}"#;

#[test]
fn the_stream_is_read_wherever_it_is_cut() {
    for size in 1..200 {
        let (mut session, mut quota) = (session(), quota());
        let request = session.call(Now::test(0), &mut quota);
        assert!(
            request.path.ends_with("/stream")
                && !request.query.iter().any(|(k, _)| *k == "pageToken")
        );
        for chunk in STREAM.as_bytes().chunks(size) {
            session.bytes(Now::test(9), &mut quota, chunk);
        }
        let said = messages(&all(&mut session));
        let short: Vec<_> = said
            .iter()
            .map(|m| (m.id.as_str(), m.author.name.as_str(), m.text.as_str(), m.backlog))
            .collect();
        assert_eq!(
            short,
            [
                ("m1", "Lan", "SP1 2 giá bao nhiêu", true),
                ("m2", "Bo", "hi", false),
                ("m3", "An", "+1", false)
            ]
        );
        assert!(
            matches!(&said[1].kind, Kind::Paid { amount } if amount.micros == 1_990_000 && amount.currency.as_str() == "USD")
        );
        assert!(!said[0].may_act() && said[1].may_act() && said[2].may_act());
        session.closed();
        let request = session.call(Now::test(10), &mut quota);
        assert!(request.query.contains(&("pageToken", "T2".to_owned())), "{request:?}");
    }
}

fn item(kind: &str, details: &str, value: serde_json::Value) -> serde_json::Value {
    json!({"id": "i", "snippet": {"type": kind, "publishedAt": "2026-01-01T00:00:00Z", "displayMessage": "shown", details: value}, "authorDetails": {"channelId": "u", "displayName": "Lan", "isChatOwner": true}})
}

fn read(item: serde_json::Value) -> Vec<Output> {
    let (mut session, mut quota) = (session(), quota());
    session.call(Now::test(0), &mut quota);
    session.bytes(Now::test(0), &mut quota, json!({"items": []}).to_string().as_bytes());
    session.bytes(Now::test(0), &mut quota, json!({"items": [item]}).to_string().as_bytes());
    all(&mut session)
}

#[test]
fn each_type_means_what_the_description_says() {
    let kind =
        |outputs: &[Output]| messages(outputs).pop().map(|m| (m.kind, m.text.as_str().to_owned()));
    let shown = || "shown".to_owned();
    for (name, details, value, want) in [
        ("textMessageEvent", "x", json!({}), (Kind::Text, shown())),
        (
            "superStickerEvent",
            "superStickerDetails",
            json!({"amountMicros": "5", "superStickerMetadata": {"altText": "pear"}}),
            (Kind::Gift, shown()),
        ),
        (
            "newSponsorEvent",
            "newSponsorDetails",
            json!({"memberLevelName": "a"}),
            (Kind::Membership, shown()),
        ),
        (
            "memberMilestoneChatEvent",
            "memberMilestoneChatDetails",
            json!({"userComment": "9 months"}),
            (Kind::Membership, "9 months".to_owned()),
        ),
        (
            "membershipGiftingEvent",
            "membershipGiftingDetails",
            json!({}),
            (Kind::Membership, shown()),
        ),
        ("giftMembershipReceivedEvent", "x", json!({}), (Kind::Membership, shown())),
        ("giftEvent", "x", json!({}), (Kind::Gift, shown())),
        (
            "pollEvent",
            "pollDetails",
            json!({"metadata": {"questionText": "red or blue?"}}),
            (Kind::Notice, "red or blue?".to_owned()),
        ),
        ("sponsorOnlyModeStartedEvent", "x", json!({}), (Kind::Notice, shown())),
        ("somethingNewEvent", "x", json!({}), (Kind::Notice, shown())),
    ] {
        assert_eq!(kind(&read(item(name, details, value))), Some(want), "{name}");
    }
    let deleted = |id: &str| vec![Output::Update(Update::Deleted(MessageId::new(id)))];
    assert_eq!(
        read(item(
            "messageDeletedEvent",
            "messageDeletedDetails",
            json!({"deletedMessageId": "d"})
        )),
        deleted("d")
    );
    assert_eq!(
        read(item(
            "messageRetractedEvent",
            "messageRetractedDetails",
            json!({"retractedMessageId": "r"})
        )),
        deleted("r")
    );
    assert_eq!(read(item("tombstone", "x", json!({}))), deleted("i"));
    let banned = |removal| {
        vec![Output::Update(Update::UserCleared {
            id: Some(UserId::new("b")),
            name: Some(Text::name("Bo")),
            removal,
        })]
    };
    let who = json!({"channelId": "b", "displayName": "Bo"});
    assert_eq!(
        read(item(
            "userBannedEvent",
            "userBannedDetails",
            json!({"bannedUserDetails": who, "banType": "temporary", "banDurationSeconds": "300"})
        )),
        banned(Removal::TimedOut(Duration::from_mins(5)))
    );
    assert_eq!(
        read(item(
            "USER_BANNED_EVENT",
            "user_banned_details",
            json!({"banned_user_details": {"channel_id": "b", "display_name": "Bo"}, "ban_type": "PERMANENT"})
        )),
        banned(Removal::Banned)
    );
    assert_eq!(read(item("chatEndedEvent", "x", json!({}))), [Output::Ended]);
}

#[test]
fn errors_are_told_apart_by_their_reason() {
    let error = |code: u16, reason: &str| {
        json!({"error": {"code": code, "message": "m", "errors": [{"domain": "youtube.liveChat", "reason": reason}]}}).to_string()
    };
    for (code, reason, fault) in [
        (403, "quotaExceeded", Fault::QuotaExceeded),
        (403, "rateLimitExceeded", Fault::RateLimited),
        (403, "liveChatEnded", Fault::ChatEnded),
        (403, "liveChatDisabled", Fault::ChatDisabled),
        (403, "forbidden", Fault::Forbidden),
        (404, "liveChatNotFound", Fault::NotFound),
        (400, "pageTokenInvalid", Fault::BadToken),
        (500, "backendError", Fault::Status(500)),
    ] {
        let (mut session, mut quota) = (session(), quota());
        session.begun = true;
        session.call(Now::test(0), &mut quota);
        session.answered(Now::test(0), &mut quota, code, error(code, reason).as_bytes());
        assert_eq!(all(&mut session), [Output::Failed(fault)]);
        let due = session.due(Now::test(0), &quota, None);
        assert_eq!(due == Due::Never, fault.is_lasting(), "{reason}");
        assert_eq!(matches!(due, Due::NoQuota(_)), fault == Fault::QuotaExceeded);
        // The stream may write the same into its array.
        let (mut session, mut quota) = (self::session(), self::quota());
        session.begun = true;
        session.call(Now::test(0), &mut quota);
        session.bytes(Now::test(0), &mut quota, format!("[{}]", error(code, reason)).as_bytes());
        assert_eq!(all(&mut session), [Output::Failed(fault)]);
    }
}

#[test]
fn polling_begins_where_the_stream_brings_nothing() {
    let (mut session, mut quota) = (session(), quota());
    let mut now = 0;
    while session.mode() == Mode::Stream {
        session.call(Now::test(now), &mut quota);
        session.closed();
        now += 60_000;
    }
    assert_eq!((all(&mut session), now), (vec![Output::Polling], 180_000));
    assert!(session.call(Now::test(now), &mut quota).path.ends_with("/messages"));
    session.answered(
        Now::test(now),
        &mut quota,
        200,
        br#"{"nextPageToken":"T9","pollingIntervalMillis":9000,"items":[]}"#,
    );
    assert_eq!(
        session.due(Now::test(now), &quota, Some(Now::test(now).wall)),
        Due::At(Moment::from_ms(now + 9_000))
    );
    // A server without the stream says 404 at once.
    let mut none = self::session();
    none.call(Now::test(0), &mut quota);
    none.answered(Now::test(0), &mut quota, 404, b"");
    assert_eq!(all(&mut none), [Output::Failed(Fault::NotFound), Output::Polling]);
    none.call(Now::test(9_000), &mut quota);
    none.answered(Now::test(9_000), &mut quota, 404, b"");
    assert_eq!(none.due(Now::test(9_000), &quota, None), Due::Never);
}

#[test]
fn a_lost_stream_is_opened_again_soon_and_one_that_flaps_keeps_the_pace() {
    let (mut session, mut quota) = (session(), quota());
    let spacing = quota.pace(Now::test(0).wall, None).spacing.unwrap();
    assert!(spacing > Duration::from_secs(10), "{spacing:?}");
    let (mut now, mut waits) = (0, Vec::new());
    for _ in 0..8 {
        session.call(Now::test(now), &mut quota);
        session.bytes(Now::test(now), &mut quota, br#"[{"nextPageToken":"T1","items":[]}"#);
        session.closed();
        let Due::At(at) = session.due(Now::test(now), &quota, None) else { panic!() };
        waits.push(at.as_ms() - now);
        now = at.as_ms();
    }
    assert_eq!(waits[..5], [1_000; 5]);
    assert!(waits[5..].iter().all(|ms| *ms >= spacing.as_millis() as u64), "{waits:?}");
}

#[test]
fn an_api_that_is_not_reached_is_no_reason_to_poll() {
    let (mut session, mut quota) = (session(), quota());
    for n in 0..10 {
        session.call(Now::test(n), &mut quota);
        session.answered(Now::test(n), &mut quota, if n % 2 == 0 { 0 } else { 503 }, b"");
    }
    assert_eq!(session.mode(), Mode::Stream);
}

#[test]
fn a_silent_stream_is_opened_anew_with_its_token() {
    let (mut session, mut quota) = (session(), quota());
    session.call(Now::test(0), &mut quota);
    session.bytes(Now::test(0), &mut quota, br#"[{"nextPageToken":"T1","items":[]}"#);
    session.tick(Now::test(119_000));
    assert!(all(&mut session).is_empty());
    session.tick(Now::test(120_000));
    assert_eq!((all(&mut session), session.mode()), (vec![Output::Close], Mode::Stream));
    assert!(
        session
            .call(Now::test(130_000), &mut quota)
            .query
            .contains(&("pageToken", "T1".to_owned()))
    );
}

#[test]
fn a_lost_token_repeats_nothing_and_claims_nothing_old() {
    let (mut session, mut quota) = (session(), quota());
    let body = |items: &[(&str, &str)]| {
        let items: Vec<_> = items.iter().map(|(id, at)| json!({"id": id, "snippet": {"type": "textMessageEvent", "publishedAt": at, "textMessageDetails": {"messageText": "+1"}}})).collect();
        json!({"nextPageToken": "T", "items": items}).to_string()
    };
    session.call(Now::test(0), &mut quota);
    session.bytes(Now::test(0), &mut quota, body(&[]).as_bytes());
    session.bytes(Now::test(0), &mut quota, body(&[("a", "2026-01-01T00:00:05Z")]).as_bytes());
    session.closed();
    session.call(Now::test(9), &mut quota);
    session.answered(
        Now::test(9),
        &mut quota,
        400,
        br#"{"error":{"code":400,"errors":[{"reason":"pageTokenInvalid"}]}}"#,
    );
    assert!(!session.call(Now::test(9), &mut quota).query.iter().any(|(k, _)| *k == "pageToken"));
    all(&mut session);
    session.bytes(
        Now::test(9),
        &mut quota,
        body(&[
            ("z", "2026-01-01T00:00:04Z"),
            ("a", "2026-01-01T00:00:05Z"),
            ("b", "2026-01-01T00:00:06Z"),
        ])
        .as_bytes(),
    );
    let said: Vec<_> = messages(&all(&mut session))
        .into_iter()
        .map(|m| (m.id.as_str().to_owned(), m.backlog))
        .collect();
    assert_eq!(said, [("z".to_owned(), true), ("b".to_owned(), false)]);
}

/// Runs a show of four hours; `life` is how long a stream lives, `interval` what polls are told. Returns what is left and
/// the longest time between two calls.
fn show(poll: bool, life: u64, interval: u64) -> (u64, Duration) {
    let (mut session, hours) = (session(), 4);
    // The show begins at 20:00 in Los Angeles, so that the reset lies at its end and does not help.
    let start = 4 * 3_600_000;
    let mut quota = Quota::new(DAILY, 0, 0, Now::test(start).wall);
    let end_ms = start + hours * 3_600_000;
    let end = Some(Now::test(end_ms).wall);
    if poll {
        session.mode = Mode::Poll;
    }
    let page = format!(r#"{{"nextPageToken":"T","pollingIntervalMillis":{interval},"items":[]}}"#);
    let (mut ms, mut last, mut longest, mut closes) = (start, start, 0, None);
    while ms < end_ms {
        if closes.is_some_and(|at| at <= ms) {
            session.closed();
            closes = None;
        }
        if let Due::At(at) = session.due(Now::test(ms), &quota, end)
            && at.as_ms() <= ms
        {
            longest = longest.max(ms - last);
            last = ms;
            session.call(Now::test(ms), &mut quota);
            if poll {
                session.answered(Now::test(ms), &mut quota, 200, page.as_bytes());
            } else {
                session.bytes(Now::test(ms), &mut quota, page.as_bytes());
                closes = Some(ms + life);
            }
        }
        ms += 100;
    }
    (quota.left(Now::test(end_ms - 100).wall), Duration::from_millis(longest))
}

#[test]
fn a_show_of_four_hours_ends_with_quota_left() {
    // A stream that the server closes every minute costs 240 connections.
    let (left, longest) = show(false, 60_000, 0);
    assert!(left >= 8_700 && longest <= Duration::from_secs(62), "{left} {longest:?}");
    // One that is closed every second must not empty the day.
    let (left, longest) = show(false, 1_000, 0);
    assert!(left > 0 && longest < Duration::from_mins(1), "{left} {longest:?}");
    // Polls that are told to come every second or every five.
    for interval in [1_000, 5_000] {
        let (left, longest) = show(true, 0, interval);
        assert!(left > 0 && longest < Duration::from_mins(1), "{left} {longest:?}");
    }
    // What obeying the interval alone would cost: nothing is left after 33 min.
    let (start, every) = (Now::test(4 * 3_600_000).wall, Duration::from_secs(1));
    let out = Quota::new(DAILY, 0, 0, start).runs_out(start, every).unwrap();
    assert_eq!(out.duration_since(start).as_secs(), 2_000);
}

proptest! {
    #[test]
    fn no_answer_breaks_the_session(at in 0_usize..1_600, by: u8, cut in 0_usize..1_700, bytes: Vec<u8>, status: u16) {
        let (mut session, mut quota) = (session(), quota());
        session.call(Now::test(0), &mut quota);
        let mut stream = STREAM.as_bytes().to_vec();
        if let Some(byte) = stream.get_mut(at) { *byte = by; }
        stream.truncate(cut);
        session.bytes(Now::test(0), &mut quota, &stream);
        session.bytes(Now::test(0), &mut quota, &bytes);
        session.answered(Now::test(0), &mut quota, status, &bytes);
        session.tick(Now::test(500_000));
        let _ = session.due(Now::test(500_000), &quota, None);
    }

    #[test]
    fn odd_fields_are_no_reason_to_stop(kind in "[a-zA-Z_]{0,30}", id in "\\PC{0,10}", n: i64, text in "\\PC{0,10}") {
        for key in ["superChatDetails", "userBannedDetails", "textMessageDetails"] {
            for value in [json!(null), json!(n), json!([text]), json!({"amountMicros": n, "banDurationSeconds": text, "messageText": {}})] {
                let _ = read(json!({"id": id, "snippet": {"type": kind, "publishedAt": n, key: value}, "authorDetails": text}));
            }
        }
    }
}
