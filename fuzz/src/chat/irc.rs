//! IRC: a network's lines, and Twitch's.

use std::collections::BTreeSet;

use hawker::{
    base::{Now, Secret},
    chat::{
        UserId,
        irc::{LineBuffer, Output, Session, Settings, buffer::MOST_LINE},
        twitch,
    },
};

use super::{Step, check, steps};

/// A network: bytes come, connections are cut, the host speaks. A line of our own is confirmed or refused once.
pub fn network(data: &[u8]) {
    for account in [None, Some("shop")] {
        let source = "irc".parse().expect("a name");
        let settings = Settings::new(source, "shop", account, &["#shop", "#a"]).expect("sound");
        run(Session::new(settings), account.is_some(), data);
    }
}

fn run(mut session: Session, login: bool, data: &[u8]) {
    let secret = Secret::new("of-ours");
    let (mut reported, mut said, mut answered) =
        (check::Reported::default(), BTreeSet::new(), BTreeSet::new());
    let (mut buffer, mut ms) = (LineBuffer::default(), 0);
    session.connected(Now::test(ms), login.then_some(&secret), true);
    for step in steps(data) {
        ms += 100;
        let now = Now::test(ms);
        match step {
            Step::Bytes(bytes) => buffer.push(bytes, |line| {
                if let Ok(line) = line {
                    // A line that cannot be read changes nothing.
                    let _ = session.line(now, line);
                }
            }),
            Step::Op(op) => match op % 9 {
                0 => {
                    buffer = LineBuffer::default();
                    session.connected(now, login.then_some(&secret), true);
                }
                1 => session.disconnected(),
                2 => ms += 5_000,
                3 => ms += 61_000,
                4 => said.extend(session.say(now, "#shop", "A12 +1 \r\nQUIT")),
                5 => said.extend(session.say(now, "#a", "👩\u{200d}🍳 xin chào")),
                6 => said.extend(session.ban(now, "#shop", "lan", "spam\r\nQUIT")),
                7 => said.extend(session.unban(now, "#shop", "l*n")),
                _ => buffer.end(|line| {
                    if let Ok(line) = line {
                        let _ = session.line(now, line);
                    }
                }),
            },
        }
        session.tick(Now::test(ms));
        assert!(buffer.held() <= MOST_LINE);
        while let Some(output) = session.poll() {
            match output {
                Output::Send(wire) => check::wire(wire.bytes()),
                Output::Update(update) => reported.update(&update),
                Output::Done { label, id } => {
                    assert!(said.contains(&label) && answered.insert(label), "{label}");
                    if let Some(id) = id {
                        check::id(id.as_str());
                    }
                }
                Output::Refused { label, .. } | Output::Unanswered { label } => {
                    assert!(said.contains(&label) && answered.insert(label), "{label}");
                }
                Output::Kicked { channel, reason } => {
                    check::text(&channel);
                    check::text(&reason);
                }
                Output::Stage(_) | Output::Close(_) => {}
            }
        }
    }
}

/// Twitch: several connections, and reconnects that the server asks for. Three are open at most.
pub fn twitch(data: &[u8]) {
    let source = "tw".parse().expect("a name");
    let own = Some(UserId::new("9"));
    let mut session = twitch::irc::Session::new(source, &["shop", "other"], 7, own).expect("sound");
    let mut reported = check::Reported::default();
    let (mut open, mut current, mut ms) = (Vec::new(), 0, 0);
    let mut buffer = LineBuffer::default();
    session.start(Now::test(ms));
    for step in steps(data) {
        ms += 100;
        let now = Now::test(ms);
        let link = open.get(current % open.len().max(1)).copied();
        match (step, link) {
            (Step::Bytes(bytes), Some(link)) => buffer.push(bytes, |line| {
                if let Ok(line) = line {
                    let _ = session.line(now, link, line);
                }
            }),
            (Step::Bytes(_), None) => {}
            (Step::Op(op), link) => match (op % 6, link) {
                (0, _) => session.start(now),
                (1, Some(link)) => session.closed(link),
                (2, _) => ms += 5_000,
                (3, _) => ms += 61_000,
                (4, _) => current += 1,
                (5, Some(link)) => session.connected(now, link),
                _ => {}
            },
        }
        session.tick(Now::test(ms));
        while let Some(output) = session.poll() {
            use twitch::irc::Output;
            match output {
                Output::Open(link) => {
                    assert!(!open.contains(&link));
                    open.push(link);
                    session.connected(now, link);
                }
                Output::Close(link) => open.retain(|known| *known != link),
                Output::Send(link, wire) => {
                    assert!(open.contains(&link));
                    check::wire(wire.bytes());
                }
                Output::Update(update) => reported.update(&update),
                Output::Live => {}
                Output::Lost(_) => assert!(open.is_empty(), "{open:?}"),
            }
            assert!(open.len() <= 3, "{open:?}");
        }
    }
}
