//! What comes in pieces that are cut anywhere: the stream of YouTube, server-sent events.

use hawker::{
    base::Now,
    chat::{
        UserId, sse,
        youtube::{
            Output, Quota, Session,
            stream::{Objects, Piece},
        },
    },
};

use super::{Step, check, steps};

/// YouTube: the stream, polls, refusals. The first page is backlog.
pub fn youtube(data: &[u8]) {
    cuts_of_objects(data);
    let mut session = Session::new("yt".parse().expect("a name"), "chat", Some(UserId::new("own")));
    let mut quota = Quota::new(10_000, 0, 0, Now::test(0).wall);
    let mut reported = check::Reported::default();
    let (mut ms, mut status) = (0, None);
    let first = Now::test(0);
    check::request(&session.call(first, &mut quota));
    for step in steps(data) {
        ms += 100;
        let now = Now::test(ms);
        match (step, status.take()) {
            (Step::Bytes(bytes), None) => session.bytes(now, &mut quota, bytes),
            (Step::Bytes(bytes), Some(status)) => session.answered(now, &mut quota, status, bytes),
            (Step::Op(op), _) => match op % 10 {
                0 => check::request(&session.call(now, &mut quota)),
                1 => session.closed(),
                2 => ms += 5_000,
                3 => ms += 130_000,
                n => status = [200, 403, 404, 400, 0, 503].get(usize::from(n) - 4).copied(),
            },
        }
        let now = Now::test(ms);
        session.tick(now);
        // Asked for in any state.
        let _ = session.due(now, &quota, None);
        assert!(quota.left(now.wall) <= 10_000);
        while let Some(output) = session.poll() {
            match output {
                Output::Update(update) => reported.update(&update),
                Output::Unreadable(bytes) => assert!(bytes > 0),
                _ => {}
            }
        }
    }
}

fn cuts_of_objects(data: &[u8]) {
    const MOST: usize = 200;
    let read = |size: usize| {
        let (mut objects, mut out) = (Objects::new(MOST), Vec::new());
        for chunk in data.chunks(size.max(1)) {
            objects.push(chunk, |piece| {
                out.push(match piece {
                    Piece::Object(bytes) => (bytes.to_vec(), 0),
                    Piece::TooLong(bytes) | Piece::Noise(bytes) => (Vec::new(), bytes),
                });
            });
            assert!(objects.held() <= MOST);
        }
        out
    };
    assert_eq!(read(data.len()), read(7));
}

/// Server-sent events: the cuts do not matter, and nothing grows.
pub fn sse(data: &[u8]) {
    const MOST: usize = 64;
    let read = |size: usize| {
        let (mut reader, mut out) = (sse::Reader::new(MOST), Vec::new());
        for chunk in data.chunks(size.max(1)) {
            reader.push(chunk, |piece| out.push(piece));
            assert!(reader.held() <= 2 * MOST + 4 * 256 + 1_024, "{}", reader.held());
        }
        (out, reader.last_id().to_owned(), reader.retry())
    };
    let (events, id, retry) = read(data.len());
    assert_eq!((events.clone(), id, retry), read(1));
    assert_eq!(read(5).0, events);
    for event in events {
        if let sse::Piece::Event(event) = event {
            assert!(!event.name.contains(['\r', '\n']) && !event.data.contains('\r'), "{event:?}");
            assert!(event.data.len() <= 4 * MOST);
        }
    }
}
