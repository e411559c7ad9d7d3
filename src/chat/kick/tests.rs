//! The webhook against a delivery as Kick documents it.

use proptest::prelude::*;

use super::*;

const BODY: &str = r##"{"message_id":"k1","replies_to":null,"broadcaster":{"user_id":1,"username":"shop"},"sender":{"user_id":2,"username":"lan","identity":{"username_color":"#00ff00","badges":[{"text":"Moderator","type":"moderator"},{"text":"Sub","type":"subscriber","count":3}]}},"content":"SP1 2 [emote:37226:KEKW]","emotes":[{"emote_id":"37226","positions":[{"s":6,"e":23}]}],"created_at":"2026-01-01T00:00:00Z"}"##;
const ID: &str = "01JGXYZ0000000000000000001";
const SENT: &str = "2026-01-01T00:00:00Z";

fn at(second: i64) -> Timestamp {
    SENT.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

fn webhook() -> Webhook {
    Webhook::new("kick".parse().unwrap(), None)
}

fn headers(
    id: &'static str,
    kind: &'static str,
    sent: &'static str,
) -> impl Fn(&str) -> Option<&'static str> {
    move |name| match name.to_ascii_lowercase().as_str() {
        "kick-event-message-id" => Some(id),
        "kick-event-type" => Some(kind),
        "kick-event-message-timestamp" => Some(sent),
        "kick-event-signature" => Some("c2lnbmF0dXJl"),
        _ => None,
    }
}

fn deliver(
    webhook: &mut Webhook,
    id: &'static str,
    kind: &'static str,
    body: &str,
) -> Result<Option<Update>, Refused> {
    let pending = webhook.check(at(1), headers(id, kind, SENT), body.into())?;
    webhook.accept(at(1), pending, true)
}

fn message(update: Result<Option<Update>, Refused>) -> Message {
    match update {
        Ok(Some(Update::Message(message))) => *message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_base_string_is_id_time_and_body() {
    let pending =
        webhook().check(at(0), headers(ID, "chat.message.sent", SENT), BODY.into()).unwrap();
    let base = format!("{ID}.{SENT}.{BODY}");
    assert_eq!(
        pending.signed(),
        &Signed { base: base.into_bytes(), signature: b"signature".to_vec() }
    );
}

#[test]
fn a_message_is_read_with_its_emotes_and_badges() {
    let said = message(deliver(&mut webhook(), ID, "chat.message.sent", BODY));
    assert_eq!(
        (said.id.as_str(), said.text.as_str(), said.author.name.as_str()),
        ("k1", "SP1 2 KEKW", "lan")
    );
    assert_eq!(
        (said.emotes[0].start, said.emotes[0].end, said.emotes[0].id.as_str()),
        (6, 10, "37226")
    );
    assert_eq!(said.author.badges, [Badge::Moderator, Badge::Member]);
    assert_eq!(
        (said.author.id.as_ref().unwrap().as_str(), said.channel.as_ref().unwrap().as_str()),
        ("2", "shop")
    );
    assert!(said.may_act());
    let reply = BODY.replace(
        "\"replies_to\":null",
        r#""replies_to":{"message_id":"k0","content":"hi [emote:1:A]"}"#,
    );
    let reply = message(deliver(&mut webhook(), ID, "chat.message.sent", &reply)).reply.unwrap();
    assert_eq!((reply.to.as_str(), reply.text.unwrap().as_str()), ("k0", "hi A"));
    for odd in ["[emote:x:A]", "[emote:1:]", "[emote:1:a b]", "[emote:1", "[emote:", "[emote:1:A"] {
        let (text, found) = emotes(&format!("😀{odd}"));
        assert_eq!((text.as_str(), found.len()), (format!("😀{odd}").as_str(), 0));
    }
}

#[test]
fn a_delivery_is_accepted_once_and_only_with_its_signature() {
    let mut webhook = webhook();
    let pending = |webhook: &Webhook| {
        webhook.check(at(1), headers(ID, "chat.message.sent", SENT), BODY.into())
    };
    let forged = pending(&webhook).unwrap();
    assert_eq!(webhook.accept(at(1), forged, false), Err(Refused::BadSignature));
    let (first, second) = (pending(&webhook).unwrap(), pending(&webhook).unwrap());
    assert!(
        webhook.accept(at(1), first, true).unwrap().is_some(),
        "a forged one does not keep it out"
    );
    assert_eq!(webhook.accept(at(1), second, true), Err(Refused::Repeated), "two at the same time");
    assert_eq!(pending(&webhook), Err(Refused::Repeated));
}

#[test]
fn what_is_old_or_lacks_a_header_is_refused() {
    let check = |second, id, sent| {
        webhook().check(at(second), headers(id, "chat.message.sent", sent), BODY.into())
    };
    assert!(check(300, ID, SENT).is_ok() && check(-300, ID, SENT).is_ok());
    assert_eq!(check(301, ID, SENT), Err(Refused::Stale));
    assert_eq!(check(-301, ID, SENT), Err(Refused::Stale));
    assert_eq!(check(0, "", SENT), Err(Refused::BadHeader));
    assert_eq!(check(0, ID, "today"), Err(Refused::BadHeader));
    assert_eq!(webhook().check(at(0), |_: &str| None, Vec::new()), Err(Refused::BadHeader));
    let long = webhook().check(at(0), headers(ID, "x", SENT), vec![b' '; MOST_BODY + 1]);
    assert_eq!(long, Err(Refused::TooLong));
}

#[test]
fn bans_memberships_and_gifts_are_read() {
    let ban = |meta: &str| {
        let body = format!(
            r#"{{"broadcaster":{{"user_id":1}},"moderator":{{"user_id":3}},"banned_user":{{"user_id":2,"username":"lan"}},"metadata":{meta}}}"#
        );
        deliver(&mut webhook(), ID, "moderation.banned", &body).unwrap().unwrap()
    };
    let cleared = |removal| Update::UserCleared {
        id: Some(UserId::new("2")),
        name: Some(Text::name("lan")),
        removal,
    };
    let created = r#""reason":"x","created_at":"2026-01-01T00:00:00Z""#;
    assert_eq!(ban(&format!(r#"{{{created},"expires_at":null}}"#)), cleared(Removal::Banned));
    assert_eq!(
        ban(&format!(r#"{{{created},"expires_at":"2026-01-01T00:10:00Z"}}"#)),
        cleared(Removal::TimedOut(std::time::Duration::from_mins(10)))
    );
    let new = message(deliver(
        &mut webhook(),
        ID,
        "channel.subscription.new",
        r#"{"subscriber":{"user_id":2,"username":"lan"},"created_at":"2026-01-01T00:00:00Z"}"#,
    ));
    assert!(new.kind == Kind::Membership && new.author.name.as_str() == "lan" && !new.may_act());
    let gift = message(deliver(
        &mut webhook(),
        ID,
        "kicks.gifted",
        r#"{"sender":{"user_id":2,"username":"lan"},"gift":{"amount":100,"name":"Rage","message":"SP1 2"}}"#,
    ));
    assert!(
        matches!(gift.kind, Kind::Paid { ref amount } if amount.micros == 100_000_000)
            && gift.text.as_str() == "SP1 2"
    );
    assert_eq!(deliver(&mut webhook(), ID, "channel.followed", "{}"), Ok(None));
    assert_eq!(deliver(&mut webhook(), ID, "chat.message.sent", "{}"), Err(Refused::BadBody));
}

#[test]
fn requests_have_the_documented_form() {
    let (request, kept) = send(1, "a\nb", Some(&MessageId::new("k1"))).unwrap();
    assert_eq!(
        (request.body.unwrap(), kept),
        (
            json!({"broadcaster_user_id": 1, "content": "a b", "type": "user", "reply_to_message_id": "k1"}),
            3
        )
    );
    assert_eq!(delete(&MessageId::new("a-1")).unwrap().path, "/public/v1/chat/a-1");
    for bad in ["", "../x", "a/b", "a?b"] {
        assert_eq!(delete(&MessageId::new(bad)), Err(Refusal::NoId), "{bad}");
    }
    let minutes = |seconds| {
        ban(1, 2, Some(std::time::Duration::from_secs(seconds)), "x").body.unwrap()["duration"]
            .clone()
    };
    assert_eq!((minutes(0), minutes(61), minutes(u64::MAX)), (json!(1), json!(2), json!(10_080)));
    assert_eq!(
        sent(br#"{"data":{"is_sent":true,"message_id":"k9"},"message":"OK"}"#),
        Some(MessageId::new("k9"))
    );
    assert_eq!(sent(br#"{"data":{"is_sent":false,"message_id":""},"message":"OK"}"#), None);
    let reason = ban(1, 2, None, &"x".repeat(300)).body.unwrap()["reason"].clone();
    assert_eq!(reason, json!("x".repeat(100)));
}

#[test]
fn what_is_answered_to_a_write_is_told_apart() {
    let of = |status, body: &str| {
        answer(&Response { status, body: body.as_bytes().to_vec(), after: None })
    };
    let sent = of(200, r#"{"data":{"is_sent":true,"message_id":"k9"},"message":"OK"}"#);
    assert_eq!(sent, Answer::Taken(Some(MessageId::new("k9"))));
    let held = of(200, r#"{"data":{"is_sent":false,"message_id":""},"message":"slow mode"}"#);
    assert_eq!(held, dropped("not-sent", "slow mode"));
    assert_eq!(of(204, ""), Answer::Taken(None));
    assert_eq!(of(200, r#"{"data":{},"message":"OK"}"#), Answer::Taken(None));
    let not_allowed = Answer::Failed(crate::chat::send::Failure::NotAllowed);
    assert_eq!(of(401, r#"{"data":{},"message":"Unauthorized"}"#), not_allowed);
    let banned = of(403, r#"{"data":{},"message":"user is banned"}"#);
    assert_eq!(banned, dropped("403", "user is banned"));
}

proptest! {
    #[test]
    fn no_delivery_breaks_the_webhook(at in 0_usize..500, by: u8, bytes: Vec<u8>, content in "(\\[emote:[0-9a:]{0,6}\\]?|\\PC){0,20}") {
        let mut body = BODY.as_bytes().to_vec();
        if let Some(byte) = body.get_mut(at) { *byte = by; }
        for body in [body, bytes, json!({"message_id": "x", "content": content, "sender": {}}).to_string().into_bytes()] {
            let mut webhook = webhook();
            let pending = webhook.check(super::tests::at(0), headers(ID, "chat.message.sent", SENT), body).unwrap();
            if let Ok(Some(Update::Message(m))) = webhook.accept(super::tests::at(0), pending, true) {
                for e in &m.emotes { prop_assert!(m.text.as_str().get(e.start..e.end).is_some()); }
            }
        }
    }
}
