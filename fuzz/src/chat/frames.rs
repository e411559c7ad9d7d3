//! What comes in whole pieces: frames of a WebSocket, bodies of a webhook, lines. One piece ends where a step ends.

use std::collections::BTreeMap;

use hawker::{
    base::Now,
    chat::{
        Platform, UserId, base64, bridge,
        kick::{Refused, Webhook},
        lines,
        twitch::{
            eventsub::{Output, Session},
            helix::Account,
        },
    },
};

use super::{Step, check, steps};

/// EventSub: frames, answers of Helix and the passing of time.
pub fn eventsub(data: &[u8]) {
    let account = Account { broadcaster: UserId::new("1"), user: UserId::new("2") };
    let mut session = Session::new("tw".parse().expect("a name"));
    let mut reported = check::Reported::default();
    let (mut open, mut asks, mut ms) = (Vec::new(), Vec::new(), 0);
    let mut answer = None;
    session.start(Now::test(ms), std::slice::from_ref(&account));
    for step in steps(data) {
        ms += 100;
        let now = Now::test(ms);
        let mut link = open.last().copied();
        match step {
            Step::Bytes(bytes) => match (answer.take(), link) {
                (Some(status), _) if !asks.is_empty() => {
                    session.answered(now, &asks.remove(0), status, bytes);
                }
                (_, Some(link)) => _ = session.text(now, link, bytes),
                _ => {}
            },
            Step::Op(op) => match op % 12 {
                0 => session.start(now, std::slice::from_ref(&account)),
                1 => _ = link.take().map(|link| session.closed(now, link, Some(4_003))),
                2 => ms += 1_000,
                3 => ms += 20_000,
                4 => _ = link.map(|link| session.alive(now, link)),
                5 => _ = open.first().map(|link| session.closed(now, *link, None)),
                n => answer = [202, 409, 401, 429, 500, 200].get(usize::from(n) - 6).copied(),
            },
        }
        session.tick(Now::test(ms));
        while let Some(output) = session.poll() {
            match output {
                Output::Open(link, address) => {
                    assert!(!open.contains(&link));
                    let fits = |a: &String| a.starts_with("wss://") || a.starts_with("ws://");
                    assert!(address.as_ref().is_none_or(fits), "{address:?}");
                    open.push(link);
                }
                Output::Close(link) => open.retain(|known| *known != link),
                Output::Request(ask, request) => {
                    check::request(&request);
                    asks.push(ask);
                    assert!(asks.len() <= 10_000);
                }
                Output::Update(update) => reported.update(&update),
                Output::Live | Output::Without(..) => {}
                Output::Lost(_) => assert!(open.is_empty(), "{open:?}"),
            }
            assert!(open.len() <= 3, "{open:?}");
        }
    }
}

/// Bridges: frames, and HTML by itself.
pub fn bridge(data: &[u8]) {
    let mut reader = bridge::Reader::new("bridge".parse().expect("a name"));
    let (mut reported, mut bad) = (check::Reported::default(), 0);
    for (n, step) in steps(data).into_iter().enumerate() {
        let Step::Bytes(frame) = step else { continue };
        match reader.frame(Now::test(n as u64 * 50).wall, frame) {
            Ok(update) => update.iter().for_each(|update| reported.update(update)),
            Err(_) => bad += 1,
        }
        html(&String::from_utf8_lossy(frame));
    }
    assert_eq!(reader.bad(), bad);
}

fn html(text: &str) {
    let plain = bridge::html::text(text);
    assert!(plain.text.chars().count() <= 16_384);
    let count = plain.text.chars().count();
    for emote in &plain.emotes {
        assert!(emote.first <= emote.last && emote.last < count, "{plain:?}");
    }
    // Markup may be spelt by entities, but no element that a browser knows survives.
    if !text.contains('&') {
        let again = bridge::html::text(&plain.text);
        assert!(again.emotes.is_empty() || !text.contains("<img"), "{plain:?}");
    }
}

const KINDS: [&str; 7] = [
    "chat.message.sent",
    "moderation.banned",
    "channel.subscription.new",
    "channel.subscription.gifts",
    "kicks.gifted",
    "livestream.status.updated",
    "",
];

/// Kick's webhook: a delivery counts once, and only if its signature was verified.
pub fn kick(data: &[u8]) {
    let mut webhook = Webhook::new("kick".parse().expect("a name"), Some(UserId::new("1")));
    let (mut reported, mut kind) = (check::Reported::default(), 0);
    for (n, step) in steps(data).into_iter().enumerate() {
        let now = Now::test(n as u64 * 50).wall;
        let body = match step {
            Step::Bytes(body) => body,
            Step::Op(op) => {
                kind = usize::from(op) % KINDS.len();
                continue;
            }
        };
        let (id, sent) = (format!("d{n}"), now.to_string());
        let ours = BTreeMap::from([
            ("kick-event-message-id", id.as_str()),
            ("kick-event-message-timestamp", sent.as_str()),
            ("kick-event-signature", "c2lnbmVk"),
            ("kick-event-type", KINDS[kind]),
        ]);
        let header = |name: &str| ours.get(name.to_ascii_lowercase().as_str()).copied();
        let Ok(pending) = webhook.check(now, header, body.to_vec()) else { continue };
        assert!(pending.signed().base.ends_with(body));
        let forged = webhook.accept(now, pending.clone(), false);
        assert_eq!(forged, Err(Refused::BadSignature));
        if let Ok(Some(update)) = webhook.accept(now, pending, true) {
            reported.update(&update);
        }
        let again = webhook.check(now, header, body.to_vec());
        assert_eq!(again.err(), Some(Refused::Repeated));
        // A stranger's headers.
        let text = String::from_utf8_lossy(body);
        let _ = webhook.check(now, |_| Some(&text), Vec::new());
        if let Some(bytes) = base64::decode(&text) {
            assert!(bytes.len() <= text.len());
        }
    }
}

/// hawker's own line, line by line and as a webhook's body.
pub fn lines(data: &[u8]) {
    let reader = || lines::Reader::new("lines".parse().expect("a name"), Platform::UNKNOWN);
    let (mut by_line, mut by_body) = (reader(), reader());
    let (mut one, mut other) = (check::Reported::default(), check::Reported::default());
    for (n, step) in steps(data).into_iter().enumerate() {
        let now = Now::test(n as u64 * 50).wall;
        match step {
            Step::Bytes(bytes) => {
                for line in bytes.split(|byte| *byte == b'\n') {
                    if let Ok(Some(update)) = by_line.line(now, line) {
                        one.update(&update);
                    }
                }
                by_body.body(now, bytes, |read| {
                    if let Ok(update) = read {
                        other.update(&update);
                    }
                });
            }
            // The same lines again are known.
            Step::Op(_) => by_line.restart(),
        }
    }
}
