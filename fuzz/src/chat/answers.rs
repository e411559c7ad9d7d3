//! Answers of an HTTP API to a session that asks again and again.

use hawker::{
    base::Now,
    chat::{UserId, facebook, shopee, sse},
};

use super::{Step, check, steps};

const STATUSES: [u16; 6] = [200, 400, 401, 404, 429, 0];

/// Facebook: the event stream beside the GET that reconciles.
pub fn facebook(data: &[u8]) {
    let source = "fb".parse().expect("a name");
    let own = Some(UserId::new("page"));
    let mut session = facebook::Session::new(source, "123", own).expect("sound");
    let (mut reader, mut reported) = (sse::Reader::default(), check::Reported::default());
    let (mut ms, mut status) = (0, None);
    for step in steps(data) {
        ms += 100;
        let now = Now::test(ms);
        match (step, status.take()) {
            (Step::Bytes(bytes), None) => reader.push(bytes, |piece| {
                if let sse::Piece::Event(event) = piece {
                    let _ = session.event(now, &event);
                }
            }),
            (Step::Bytes(bytes), Some(status)) => {
                if session.due(now.mono).is_some() {
                    check::request(&session.reconcile(now.mono));
                }
                let _ = session.answered(now, status, bytes);
            }
            (Step::Op(op), _) => match op % 10 {
                0 => session.streaming(true),
                1 => session.streaming(false),
                2 => ms += 10_000,
                3 => reader.end(),
                n => status = STATUSES.get(usize::from(n) - 4).copied(),
            },
        }
        while let Some(update) = session.poll() {
            reported.update(&update);
        }
    }
}

/// Shopee: polls, with absences that leave a hole.
pub fn shopee(data: &[u8]) {
    let own = Some(UserId::new("1"));
    let mut session = shopee::Session::new("shop".parse().expect("a name"), 7, own);
    let (mut ms, mut status, mut reported) = (0, 200, check::Reported::default());
    for step in steps(data) {
        match step {
            Step::Bytes(bytes) => {
                ms += 2_500;
                let now = Now::test(ms);
                assert!(session.due(now.mono).is_some());
                check::request(&session.call(now));
                let _ = session.answered(status, bytes);
            }
            Step::Op(op) => match op % 8 {
                0 => ms += 8_000,
                1 => ms += 60_000,
                n => status = STATUSES[usize::from(n) - 2],
            },
        }
        while let Some(update) = session.poll() {
            reported.update(&update);
        }
    }
}
