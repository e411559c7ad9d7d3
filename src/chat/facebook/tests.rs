//! The stream and the GET against answers as the documentation shows them, and what is asked.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn session() -> Session {
    Session::new("fb".parse().unwrap(), "123", Some(UserId::new("page"))).unwrap()
}

fn comment(id: &str, second: u32, text: &str) -> Value {
    json!({"id": id, "from": {"name": "Lan", "id": "u1"}, "message": text, "created_time": format!("2026-01-01T00:00:{second:02}+0000"), "view_id": 1})
}

fn event(value: &Value) -> Event {
    Event { name: "message".to_owned(), data: value.to_string() }
}

fn get(
    session: &mut Session,
    ms: u64,
    comments: &[Value],
    next: bool,
) -> Vec<(String, bool, bool)> {
    session.reconcile(Moment::from_ms(ms));
    let mut paging = json!({"cursors": {"before": "b", "after": "a1"}});
    if next {
        paging["next"] = json!("https://graph.facebook.com/next");
    }
    let body = json!({"data": comments, "paging": paging}).to_string();
    session.answered(Now::test(ms), 200, body.as_bytes()).unwrap();
    said(session)
}

fn said(session: &mut Session) -> Vec<(String, bool, bool)> {
    std::iter::from_fn(|| session.poll())
        .filter_map(|update| {
            if let Update::Message(m) = update {
                Some((m.id.as_str().to_owned(), m.backlog, m.late))
            } else {
                None
            }
        })
        .collect()
}

fn got(id: &str, backlog: bool, late: bool) -> (String, bool, bool) {
    (id.to_owned(), backlog, late)
}

#[test]
fn what_the_stream_left_out_is_found_and_marked_late() {
    let mut session = session();
    session.streaming(true);
    assert_eq!(
        get(&mut session, 0, &[comment("c0", 0, "before")], false),
        [got("c0", true, false)]
    );
    session.event(Now::test(3_000), &event(&comment("c1", 3, "SP1 2"))).unwrap();
    session.event(Now::test(3_500), &event(&comment("c1", 3, "SP1 2"))).unwrap();
    assert_eq!(said(&mut session), [got("c1", false, false)]);
    assert_eq!(session.due(Moment::from_ms(4_000)), Some(Moment::from_ms(10_000)));
    let page = [
        comment("c4", 9, "young"),
        comment("c3", 4, "+1"),
        comment("c2", 2, "+1"),
        comment("c1", 3, "SP1 2"),
        comment("c0", 0, "before"),
    ];
    assert_eq!(
        get(&mut session, 10_000, &page, false),
        [got("c2", false, true), got("c3", false, true)]
    );
    session.event(Now::test(10_100), &event(&comment("c4", 9, "young"))).unwrap();
    assert_eq!(said(&mut session), [got("c4", false, false)], "the GET was only faster");
    assert!(get(&mut session, 20_000, &page, false).is_empty());
    // Without the stream nothing is waited for.
    session.streaming(false);
    assert_eq!(
        get(&mut session, 30_000, &[comment("c5", 29, "x")], false),
        [got("c5", false, true)]
    );
}

#[test]
fn a_reconciliation_goes_back_until_something_is_known() {
    let mut session = session();
    get(&mut session, 0, &[comment("c0", 0, "x")], true);
    assert!(
        get(&mut session, 30_000, &[comment("c9", 20, "x"), comment("c8", 19, "x")], true)
            .is_empty()
    );
    assert_eq!(session.due(Moment::from_ms(30_001)), Some(Moment::from_ms(30_001)));
    let request = session.clone().reconcile(Moment::from_ms(30_001));
    assert!(request.query.contains(&("after", "a1".to_owned())));
    let all = get(&mut session, 30_001, &[comment("c7", 18, "x"), comment("c0", 0, "x")], true);
    assert_eq!(all, [got("c7", false, true), got("c8", false, true), got("c9", false, true)]);
    assert_eq!(session.due(Moment::from_ms(30_002)), Some(Moment::from_ms(40_000)));
    // It ends even where nothing is ever known.
    for page in 0..PAGES {
        get(&mut session, 50_000, &[comment(&format!("d{page}"), 30, "x")], true);
    }
    assert_eq!(session.due(Moment::from_ms(50_001)), Some(Moment::from_ms(60_000)));
}

#[test]
fn when_the_stream_is_back_the_get_brings_what_was_missed_at_once() {
    let mut session = session();
    session.streaming(true);
    get(&mut session, 0, &[comment("c0", 0, "x")], false);
    session.streaming(false);
    assert_eq!(session.due(Moment::from_ms(3_000)), Some(Moment::from_ms(10_000)));
    session.streaming(true);
    assert_eq!(session.due(Moment::from_ms(3_000)), Some(Moment::from_ms(3_000)));
    let missed = [comment("c1", 2, "+1"), comment("c0", 0, "x")];
    assert_eq!(get(&mut session, 3_000, &missed, false), [got("c1", false, true)]);
    // The next one waits for the stream again.
    assert_eq!(session.due(Moment::from_ms(3_100)), Some(Moment::from_ms(13_000)));
    assert!(get(&mut session, 13_000, &[comment("c2", 12, "young")], false).is_empty());
}

#[test]
fn a_comment_without_an_author_is_shown() {
    let mut session = session();
    session.event(Now::test(0), &event(&json!({"id": "c1", "message": "A12 +1", "created_time": "2026-01-01T00:00:00+0000", "parent": {"id": "c0"}}))).unwrap();
    let Some(Update::Message(said)) = session.poll() else { panic!() };
    assert!(said.author.name.is_empty() && said.author.id.is_none() && said.may_act());
    assert_eq!(
        (said.text.as_str(), said.at.to_string().as_str(), said.reply.unwrap().to.as_str()),
        ("A12 +1", "2026-01-01T00:00:00Z", "c0")
    );
}

#[test]
fn errors_are_told_apart_by_their_code() {
    for (code, fault) in [
        (190, Fault::Token),
        (10, Fault::Permission),
        (230, Fault::Permission),
        (4, Fault::RateLimited),
        (100, Fault::NotFound),
        (2, Fault::Status(500)),
    ] {
        let body = json!({"error": {"message": "m", "type": "OAuthException", "code": code, "fbtrace_id": "x"}});
        assert_eq!(
            session().answered(Now::test(0), 500, body.to_string().as_bytes()),
            Err(fault),
            "{code}"
        );
        if fault != Fault::Status(500) {
            assert_eq!(session().event(Now::test(0), &event(&body)), Err(fault));
        }
    }
    assert_eq!(session().answered(Now::test(0), 200, b"{}"), Err(Fault::Unreadable));
    assert_eq!(
        session().event(Now::test(0), &Event { name: "ping".into(), data: "{}".into() }),
        Ok(())
    );
}

#[test]
fn what_is_answered_to_a_write_is_told_apart() {
    let of = |status, body: &Value| {
        answer(&Response { status, body: body.to_string().into_bytes(), after: None })
    };
    let error = |code| json!({"error": {"message": "words", "code": code}});
    assert_eq!(of(200, &json!({"success": true})), Answer::Taken(None));
    assert_eq!(of(200, &json!({"success": false})), dropped("not-done", ""));
    assert_eq!(of(400, &error(190)), dropped("190", "words"));
    assert_eq!(of(403, &error(200)), dropped("200", "words"));
    assert_eq!(of(400, &error(32)), Answer::Later(RATE_LIMIT));
    let network = Answer::Failed(crate::chat::send::Failure::Network);
    assert_eq!(of(0, &Value::Null), network);
}

#[test]
fn requests_hold_no_token_and_lead_nowhere_else() {
    let request = session().stream();
    assert_eq!(request.path, "/123/live_comments");
    assert!(!request.query.iter().any(|(key, _)| *key == "access_token"));
    assert_eq!(delete(&MessageId::new("1_2")).unwrap().path, "/1_2");
    for bad in ["", "../me", "a/b", "a?b"] {
        assert_eq!(
            (delete(&MessageId::new(bad)), hide(&MessageId::new(bad), true).is_err()),
            (Err(Refusal::NoId), true)
        );
        assert!(Session::new("fb".parse().unwrap(), bad, None).is_err());
    }
}

proptest! {
    #[test]
    fn no_data_breaks_the_session(at in 0_usize..200, by: u8, bytes: Vec<u8>, status: u16) {
        let mut session = session();
        let mut data = comment("c1", 1, "SP1 2").to_string().into_bytes();
        if let Some(byte) = data.get_mut(at) { *byte = by; }
        for data in [data, bytes] {
            let name = "message".to_owned();
            let _ = session.event(Now::test(0), &Event { name, data: String::from_utf8_lossy(&data).into_owned() });
            let list = [b"{\"data\":[", &data[..], b"]}"].concat();
            let _ = session.answered(Now::test(0), 200, &list);
            let _ = session.answered(Now::test(0), status, &data);
        }
    }
}
