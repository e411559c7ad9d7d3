//! One message per form of a bridge, as the bridges document them.

use proptest::prelude::*;

use super::*;
use crate::chat::{Badge, Removal};

fn reader() -> Reader {
    Reader::new("bridge".parse().unwrap())
}

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn read(frame: &str) -> Option<Update> {
    reader().frame(now(), frame.as_bytes()).unwrap()
}

fn message(frame: &str) -> Message {
    match read(frame) {
        Some(Update::Message(message)) => *message,
        other => panic!("{frame}: {other:?}"),
    }
}

/// Platform, author and text that a frame must give; nothing where it is no chat.
type Want = Option<(&'static str, &'static str, &'static str)>;

const CASES: [(&str, Want); 6] = [
    (
        r#"{"chatname":"Mia","chatmessage":"size M &amp; red? <img src=\"x\" alt=\":heart:\" onerror=\"y\">","textonly":false,"type":"tiktok","userid":"u-1","chatimg":"","chatbadges":"","nameColor":"","event":"","hasDonation":"","membership":"","meta":{"messageId":"t1"}}"#,
        Some(("tiktok", "Mia", "size M & red?")),
    ),
    (
        r#"{"chatname":"Mia","chatmessage":"2 < 3 & <b>","textonly":true,"type":"tiktok","userid":"u-1","meta":{"messageId":"t2"}}"#,
        Some(("tiktok", "Mia", "2 < 3 & <b>")),
    ),
    (r#"{"chatname":"Mia","chatmessage":"joined","type":"tiktok","event":"joined"}"#, None),
    (
        r#"{"timeStamp":"2026-01-01T00:00:00Z","event":{"source":"Twitch","type":"ChatMessage"},"data":{"message":{"msgId":"s1","userId":"8","displayName":"Lan","message":"SP1 2"},"text":"SP1 2","user":{"id":"8","name":"Lan"}}}"#,
        Some(("twitch", "Lan", "SP1 2")),
    ),
    (
        r#"{"action":"event","payload":{"eventTypeId":4,"eventIdentifier":"r1","eventPayload":{"author":{"displayName":"Bo"},"text":"+1"}}}"#,
        Some(("restream", "Bo", "+1")),
    ),
    (
        r#"{"action":"event","payload":{"eventTypeId":4,"eventIdentifier":"r2","eventPayload":{"text":"+1"}}}"#,
        Some(("restream", "", "+1")),
    ),
];

#[test]
fn every_form_gives_one_line_and_never_markup() {
    for (frame, want) in CASES {
        match (read(frame), want) {
            (Some(Update::Message(m)), Some(want)) => {
                assert_eq!((m.platform.as_str(), m.author.name.as_str(), m.text.as_str()), want);
            }
            (None, None) => {}
            (got, want) => panic!("{frame}: {got:?}, {want:?}"),
        }
    }
}

#[test]
fn emotes_of_social_stream_stay_as_text() {
    let said = message(
        r#"{"chatname":"<b>Mia</b> &amp; co","chatmessage":"hi <img src=\"https://h/e.png\" alt=\"Kappa\" title=\"Kappa\" class=\"regular-emote\"/> x","type":"youtube","hasDonation":"$5.00","membership":"MEMBERSHIP","mod":true,"id":7}"#,
    );
    assert_eq!(
        (said.text.as_str(), said.author.name.as_str(), said.id.as_str()),
        ("hi Kappa x", "Mia & co", "7")
    );
    assert_eq!(&said.text.as_str()[said.emotes[0].start..said.emotes[0].end], "Kappa");
    assert_eq!(said.author.badges, [Badge::Moderator, Badge::Member]);
    assert!(matches!(said.kind, Kind::Paid { amount } if amount.micros == 5_000_000));
}

#[test]
fn removals_of_bridges_are_read() {
    assert_eq!(
        read(r#"{"delete":{"type":"twitch","chatname":"Lan","id":"9"}}"#),
        Some(Update::Deleted(MessageId::new("9")))
    );
    let cleared = |removal| {
        Some(Update::UserCleared {
            id: Some(UserId::new("8")),
            name: Some(Text::name("lan")),
            removal,
        })
    };
    assert_eq!(
        read(r#"{"delete":{"type":"twitch","chatname":"lan","userid":"8"}}"#),
        cleared(Removal::Cleared)
    );
    let bot = |kind: &str, data: &str| {
        read(&format!(
            r#"{{"timeStamp":"2026-01-01T00:00:00Z","event":{{"source":"Twitch","type":"{kind}"}},"data":{data}}}"#
        ))
    };
    assert_eq!(
        bot("ChatMessageDeleted", r#"{"targetMessageId":"s1"}"#),
        Some(Update::Deleted(MessageId::new("s1")))
    );
    assert_eq!(bot("ChatCleared", "{}"), Some(Update::AllCleared));
    assert_eq!(
        bot("UserBanned", r#"{"user":{"id":"8","login":"lan","name":"Lan"}}"#),
        cleared(Removal::Banned)
    );
    assert_eq!(
        bot("UserTimedOut", r#"{"user":{"id":"8","login":"lan"},"duration":600}"#),
        cleared(Removal::TimedOut(std::time::Duration::from_mins(10)))
    );
    assert_eq!(bot("Follow", "{}"), None);
}

#[test]
fn streamer_bot_reads_youtube_too() {
    let said = message(
        r#"{"timeStamp":"2026-01-01T07:00:00.1234567+07:00","event":{"source":"YouTube","type":"Message"},"data":{"eventId":"y1","message":"SP1 2","publishedAt":"2026-01-01T00:00:01Z","user":{"id":"UC1","name":"Lan","isModerator":true,"isSponsor":false,"isOwner":false,"isVerified":false}}}"#,
    );
    assert_eq!(
        (said.platform.as_str(), said.id.as_str(), said.text.as_str()),
        ("youtube", "y1", "SP1 2")
    );
    assert_eq!(
        (said.author.badges, said.at.to_string().as_str()),
        (vec![Badge::Moderator], "2026-01-01T00:00:01Z")
    );
    assert_eq!(read(r#"{"id":"hawker","status":"ok","events":{}}"#), None);
}

#[test]
fn a_frame_is_reported_once_and_an_unknown_one_is_counted() {
    let mut reader = reader();
    assert!(reader.frame(now(), CASES[0].0.as_bytes()).unwrap().is_some());
    assert!(reader.frame(now(), CASES[0].0.as_bytes()).unwrap().is_none());
    for bad in ["", "x", "[]", "{}", r#"{"a":1}"#] {
        assert!(reader.frame(now(), bad.as_bytes()).is_err(), "{bad}");
    }
    assert_eq!(reader.bad(), 5);
    assert_eq!(read(r#"{"action":"heartbeat","timestamp":1}"#), None);
}

#[test]
fn frames_for_the_bridges_have_their_documented_form() {
    assert_eq!(social_stream_join("s3"), r#"{"in":4,"join":"s3"}"#);
    let (sent, kept) = social_stream_send("a\r\nb").unwrap();
    let sent: Value = serde_json::from_str(&sent).unwrap();
    assert_eq!((sent, kept), (json!({"action": "sendChat", "value": "a  b"}), 4));
    let asked: Value = serde_json::from_str(&streamer_bot_subscribe()).unwrap();
    assert_eq!(
        (&asked["request"], &asked["events"]["Twitch"][0], &asked["events"]["YouTube"][0]),
        (&json!("Subscribe"), &json!("ChatMessage"), &json!("Message"))
    );
}

proptest! {
    #[test]
    fn no_frame_breaks_the_reader(which in 0_usize..6, at in 0_usize..300, by: u8, bytes: Vec<u8>, html in "\\PC{0,40}") {
        let mut reader = reader();
        let mut frame = CASES[which].0.as_bytes().to_vec();
        if let Some(byte) = frame.get_mut(at) { *byte = by; }
        let _ = reader.frame(now(), &frame);
        let _ = reader.frame(now(), &bytes);
        let made = json!({"chatname": html, "chatmessage": html, "type": html, "hasDonation": html, "meta": html});
        let _ = reader.frame(now(), made.to_string().as_bytes());
    }
}
