//! The machine alone: what is sent to whom, and that it always ends. Not the sentences' wording in
//! full: `tests/whip_server.rs` holds that table.

use proptest::prelude::*;

use super::*;
use crate::whip::sdp::tests::{ANSWER, OFFER};

const TOKEN: &str = "t0ken-s3cr3t";

fn session(endpoint: &str) -> Session {
    Session::new(Role::Whip, endpoint.parse().unwrap(), Some(Secret::new(TOKEN)))
}

fn started(endpoint: &str) -> (Session, Request) {
    let mut session = session(endpoint);
    session.handle(Moment::from_ms(0), Input::Start { offer: OFFER.into() });
    let request = sent(&mut session);
    (session, request)
}

fn sent(session: &mut Session) -> Request {
    match session.poll() {
        Some(Output::Send(request)) => request,
        other => panic!("no request but {other:?}"),
    }
}

fn created(location: &str) -> Response {
    Response {
        status: 201,
        location: Some(location.into()),
        etag: Some("\"e1\"".into()),
        content_type: Some("application/sdp".into()),
        body: ANSWER.into(),
        ..Response::default()
    }
}

fn reply(session: &mut Session, ms: u64, id: u32, response: Response) {
    session.handle(Moment::from_ms(ms), Input::Response { id, response });
}

fn candidate(n: u32) -> Input {
    let candidate = format!("candidate:{n} 1 UDP 1 127.0.0.1 {n} typ host");
    Input::Candidate { mline: 0, candidate }
}

fn established(session: &mut Session) -> Option<Url> {
    assert!(matches!(session.poll(), Some(Output::Answer(_))));
    match session.poll() {
        Some(Output::Established { session_url }) => session_url,
        other => panic!("not established but {other:?}"),
    }
}

#[test]
fn a_session_from_offer_to_end() {
    let (mut session, post) = started("https://h/whip?k=1#x");
    assert_eq!((post.method, post.url.as_str()), (Method::Post, "https://h/whip?k=1"));
    assert_eq!(post.bearer, Some(Secret::new(TOKEN)));
    assert_eq!(post.timeout_ms, 10_000);
    for n in [1, 2, 2] {
        session.handle(Moment::from_ms(1), candidate(n));
    }
    let Input::Candidate { candidate: other, .. } = candidate(9) else { unreachable!() };
    session.handle(Moment::from_ms(1), Input::Candidate { mline: 1, candidate: other });
    assert_eq!(session.poll(), None, "candidates wait for the 201");

    reply(&mut session, 2, post.id, created("/s/1?t=2"));
    assert_eq!(established(&mut session).unwrap().as_str(), "https://h/s/1?t=2");
    let patch = sent(&mut session);
    assert_eq!((patch.method, patch.timeout_ms), (Method::Patch, 3_000));
    assert!(patch.headers.contains(&("if-match", "\"e1\"".into())));
    assert_eq!(patch.body.matches("a=candidate:").count(), 2, "{}", patch.body);

    session.handle(Moment::from_ms(3), candidate(3));
    session.handle(Moment::from_ms(3), Input::GatheringDone);
    assert_eq!(session.poll(), None, "one PATCH at a time");
    reply(&mut session, 4, patch.id, Response { status: 204, ..Response::default() });
    let patch = sent(&mut session);
    assert!(patch.body.contains("a=candidate:3 ") && patch.body.contains("a=end-of-candidates"));
    reply(&mut session, 5, patch.id, Response { status: 204, ..Response::default() });

    session.handle(Moment::from_ms(6), Input::Stop);
    let delete = sent(&mut session);
    assert_eq!((delete.method, delete.timeout_ms), (Method::Delete, 1_000));
    assert!(delete.headers.is_empty() && delete.bearer.is_some());
    reply(&mut session, 7, delete.id, Response { status: 200, ..Response::default() });
    assert_eq!(session.poll(), Some(Output::Stopped { clean: true }));
    assert!(session.is_over() && session.next_timeout().is_none());
}

#[test]
fn an_end_that_is_not_confirmed_is_repeated_and_nobody_waits_for_it() {
    let (mut session, post) = started("https://h/whip");
    reply(&mut session, 0, post.id, created("/s/1"));
    established(&mut session);
    session.handle(Moment::from_ms(0), Input::Stop);
    let mut delete = sent(&mut session);
    reply(&mut session, 100, delete.id, Response { status: 503, ..Response::default() });
    assert_eq!(session.poll(), Some(Output::Stopped { clean: false }), "at once");
    let mut at = 100;
    for wait in [1_000, 2_000, 4_000, 8_000] {
        assert_eq!(session.next_timeout(), Some(Moment::from_ms(at + wait)));
        at += wait;
        session.handle(Moment::from_ms(at), Input::Timeout);
        delete = sent(&mut session);
        assert_eq!((delete.method, delete.url.path()), (Method::Delete, "/s/1"));
        session.handle(
            Moment::from_ms(at),
            Input::TransportError { id: delete.id, error: Transport::Refused },
        );
        assert_eq!(session.poll(), None, "the last news was given");
    }
    session.handle(Moment::from_ms(at + 8_000), Input::Timeout);
    delete = sent(&mut session);
    reply(&mut session, at + 8_100, delete.id, Response { status: 204, ..Response::default() });
    assert!(session.is_over() && session.poll().is_none());

    // And not for ever.
    let (mut session, post) = started("https://h/whip");
    reply(&mut session, 0, post.id, created("/s/1"));
    established(&mut session);
    session.handle(Moment::from_ms(0), Input::Stop);
    let mut deletes = 0;
    while let Some(at) = session.next_timeout() {
        assert!(at <= Moment::from_ms(31_500), "{at:?}");
        session.handle(at, Input::Timeout);
        while let Some(output) = session.poll() {
            deletes += u32::from(matches!(output, Output::Send(_)));
        }
    }
    assert!(session.is_over() && (5..=7).contains(&deletes), "{deletes}");
}

#[test]
fn an_answer_after_the_last_news_is_let_go_of_too() {
    let (mut session, post) = started("https://h/whip");
    session.handle(Moment::from_ms(0), Input::Stop);
    session.handle(Moment::from_ms(1_000), Input::Timeout);
    assert_eq!(session.poll(), Some(Output::Stopped { clean: false }));
    reply(&mut session, 5_000, post.id, created("/s/1"));
    let delete = sent(&mut session);
    assert_eq!((delete.method, delete.url.path()), (Method::Delete, "/s/1"));
    reply(&mut session, 5_100, delete.id, Response { status: 200, ..Response::default() });
    assert!(session.is_over() && session.poll().is_none());
}

#[test]
fn a_stale_etag_is_renewed_once() {
    let (mut session, post) = started("https://h/whip");
    session.handle(Moment::from_ms(0), candidate(1));
    reply(&mut session, 1, post.id, created("/s/1"));
    established(&mut session);
    let stale =
        |etag: &str| Response { status: 412, etag: Some(etag.into()), ..Response::default() };
    let first = sent(&mut session);
    session.handle(Moment::from_ms(2), candidate(2));
    session.handle(Moment::from_ms(2), Input::GatheringDone);
    reply(&mut session, 3, first.id, stale("\"e2\""));
    let again = sent(&mut session);
    assert!(again.headers.contains(&("if-match", "\"e2\"".into())));
    for part in ["a=candidate:1 ", "a=candidate:2 ", "a=end-of-candidates"] {
        assert!(again.body.contains(part), "{part}");
    }
    reply(&mut session, 4, again.id, stale("\"e3\""));
    assert_eq!(session.poll(), None);
    session.handle(Moment::from_ms(5), candidate(3));
    assert_eq!(session.poll(), None);

    // The one that told the end too.
    let (mut session, post) = started("https://h/whip");
    session.handle(Moment::from_ms(0), candidate(1));
    session.handle(Moment::from_ms(0), Input::GatheringDone);
    reply(&mut session, 1, post.id, created("/s/1"));
    established(&mut session);
    let first = sent(&mut session);
    reply(&mut session, 2, first.id, stale("\"e1\""));
    assert_eq!(session.poll(), None, "the same ETag is no news");
}

#[test]
fn where_nothing_may_follow_the_offer_it_waits_for_its_candidates() {
    let begin = || {
        let mut session = session("https://h/whip").without_trickle();
        session.handle(Moment::from_ms(0), Input::Start { offer: OFFER.into() });
        session.handle(Moment::from_ms(10), candidate(1));
        assert_eq!(session.poll(), None);
        session
    };
    let mut session = begin();
    session.handle(Moment::from_ms(20), Input::GatheringDone);
    let post = sent(&mut session);
    assert!(post.body.contains("a=candidate:1 ") && post.body.contains("a=end-of-candidates"));
    reply(&mut session, 30, post.id, created("/s/1"));
    established(&mut session);
    session.handle(Moment::from_ms(40), candidate(2));
    assert_eq!(session.poll(), None, "no PATCH");

    let mut session = begin();
    session.handle(session.next_timeout().unwrap(), Input::Timeout);
    let post = sent(&mut session);
    assert!(post.body.contains("a=candidate:1 ") && !post.body.contains("end-of-candidates"));

    let mut session = begin();
    session.handle(Moment::from_ms(11), Input::Stop);
    assert_eq!(session.poll(), Some(Output::Stopped { clean: true }));
}

#[test]
fn named_hosts_may_see_the_token_but_never_in_clear() {
    let redirect =
        |to: &str| Response { status: 307, location: Some(to.into()), ..Response::default() };
    let trusting = |to: &str| {
        let mut session =
            session("https://h.example.com/whip").trusting(vec!["media.example.net".into()]);
        session.handle(Moment::from_ms(0), Input::Start { offer: OFFER.into() });
        let post = sent(&mut session);
        reply(&mut session, 1, post.id, redirect(to));
        session.poll()
    };
    let Some(Output::Send(post)) = trusting("https://media.example.net:8443/x") else { panic!() };
    assert!(post.bearer.is_some());
    for to in
        ["https://other.example.net/x", "http://media.example.net/x", "https://amedia.example.net/"]
    {
        assert!(matches!(trusting(to), Some(Output::Failed(_))), "{to}");
    }
    let Some(Output::Failed(failure)) = trusting("https://other.example.net:1/x") else { panic!() };
    let setting = "token-may-go-to = [\"other.example.net\"]";
    assert!(failure.sentence.contains(setting), "{}", failure.sentence);
}

#[test]
fn what_the_answer_names_is_told_before_it() {
    let (mut session, post) = started("https://h/whip");
    let links = vec!["<stun:s>; rel=\"ice-server\", <x>; rel=next".to_owned()];
    reply(&mut session, 1, post.id, Response { links, ..created("/s/1") });
    let Some(Output::IceServers(servers)) = session.poll() else { panic!() };
    assert_eq!(servers[0].to_string(), "stun:s:3478");
    established(&mut session);
}

#[test]
fn stopped_while_the_answer_is_pending_it_still_lets_go() {
    let (mut session, post) = started("https://h/whip");
    session.handle(Moment::from_ms(10), Input::Stop);
    assert_eq!(session.next_timeout(), Some(Moment::from_ms(1010)));
    reply(&mut session, 20, post.id, created("/s/1"));
    assert_eq!(sent(&mut session).method, Method::Delete);
    session.handle(Moment::from_ms(1269), Input::Timeout);
    assert_eq!(session.poll(), None);
    session.handle(Moment::from_ms(1270), Input::Timeout);
    assert_eq!(session.poll(), Some(Output::Stopped { clean: false }));
    assert_eq!(session.next_timeout(), Some(Moment::from_ms(2270)), "asked again");
}

#[test]
fn a_failed_patch_ends_trickling_and_nothing_else() {
    for status in [307, 405, 412, 422, 428, 500] {
        let (mut session, post) = started("https://h/whip");
        reply(&mut session, 1, post.id, created("/s/1"));
        established(&mut session);
        session.handle(Moment::from_ms(2), candidate(1));
        let patch = sent(&mut session);
        reply(&mut session, 3, patch.id, Response { status, ..Response::default() });
        session.handle(Moment::from_ms(4), candidate(2));
        assert_eq!(session.poll(), None, "{status}");
        assert!(!session.is_over() && session.next_timeout().is_none());
    }
}

#[test]
fn a_late_reply_to_an_old_request_is_ignored() {
    let (mut session, post) = started("https://h/whip");
    reply(&mut session, 1, post.id + 7, created("/s/1"));
    assert_eq!(session.poll(), None);
    session.handle(Moment::from_ms(10_250), Input::Timeout);
    assert!(matches!(session.poll(), Some(Output::Failed(_))));
}

#[test]
fn a_foreign_session_address_gets_no_token() {
    let (mut session, post) = started("https://h.example.com/whip");
    reply(&mut session, 1, post.id, created("https://evil.net/s/1"));
    assert!(established(&mut session).is_some());
    session.handle(Moment::from_ms(2), Input::Stop);
    assert_eq!(sent(&mut session).bearer, None);
}

#[test]
fn a_bad_answer_is_let_go_of() {
    let (mut session, post) = started("https://h/whip");
    reply(&mut session, 1, post.id, Response { body: "v=0\r\n".into(), ..created("/s/1") });
    assert!(matches!(session.poll(), Some(Output::Failed(_))));
    let delete = sent(&mut session);
    reply(&mut session, 2, delete.id, Response { status: 403, ..Response::default() });
    assert_eq!(session.poll(), None, "the last news was the failure");
    assert!(session.is_over());
}

#[test]
fn a_token_that_cannot_be_sent_is_refused_unseen() {
    for token in ["", "two words", "line\n", "ü"] {
        let endpoint = "https://h/whip".parse().unwrap();
        let mut session = Session::new(Role::Whip, endpoint, Some(Secret::new(token)));
        session.handle(Moment::from_ms(0), Input::Start { offer: OFFER.into() });
        let Some(Output::Failed(failure)) = session.poll() else { panic!("{token:?} was sent") };
        assert!(failure.sentence.contains("'token'"));
    }
}

#[test]
fn nothing_printed_holds_the_token_or_the_path() {
    let (mut session, post) = started("https://h/secret-path");
    let printed = format!("{post:?} {session:?} {:?}", Output::Send(post.clone()));
    let body = format!("bad token {TOKEN}");
    reply(&mut session, 1, post.id, Response { status: 401, body, ..Response::default() });
    let printed = format!("{printed}{:?}", session.poll());
    assert!(printed.contains("bad token …"), "{printed}");
    assert!(!printed.contains(TOKEN) && !printed.contains("secret-path"), "{printed}");
}

const PLACES: [&str; 9] = [
    "/s/1?x=1",
    "https://h.example.com/again",
    "https://b.example.com:8443/x",
    "http://h.example.com/down",
    "https://evil.net/x",
    "https://example.com.evil.net/x",
    "https://10.0.0.1/x",
    "::not a url::",
    "",
];

fn response() -> impl Strategy<Value = Response> {
    let body = prop_oneof![
        Just(ANSWER.to_owned()),
        Just("<html>".to_owned()),
        Just("{\"title\":\"t\",\"detail\":\"d\"}".to_owned()),
        ".{0,80}",
    ];
    let status = prop_oneof![Just(201_u16), Just(307), Just(308), 100_u16..600, any::<u16>(),];
    let link =
        "(<(stun|turns?):[a-z]{0,5}>; rel=ice-server(; [a-z]{0,10}=\"?.{0,4}\"?){0,3},?){0,3}";
    let end = prop_oneof![Just(BodyEnd::Whole), Just(BodyEnd::Late), Just(BodyEnd::Cut)];
    let place = proptest::option::of(0..PLACES.len());
    (status, place, body, end, proptest::option::of(".{0,20}"), link).prop_map(
        |(status, place, body, end, loose, link)| Response {
            status,
            location: place.map(|at| PLACES[at].to_owned()),
            etag: loose.clone(),
            content_type: loose.clone(),
            retry_after: loose,
            body,
            end,
            links: vec![link],
            ..Response::default()
        },
    )
}

#[derive(Debug, Clone)]
enum Act {
    Reply(Box<Response>),
    Break(Transport),
    Candidate(String),
    Done,
    Wait(u64),
    Stop,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => response().prop_map(|r| Act::Reply(Box::new(r))),
        1 => Just(Act::Break(Transport::Cut)),
        1 => Just(Act::Break(Transport::Untrusted("x".into()))),
        2 => "(a=)?(candidate:)?.{0,20}".prop_map(Act::Candidate),
        1 => Just(Act::Done),
        2 => (0_u64..4_000).prop_map(Act::Wait),
        1 => Just(Act::Stop),
    ]
}

proptest! {
    /// Whatever the other end does: no panic, no token to a stranger or in the clear, one last word,
    /// and after a stop it says so within its deadlines, and is gone half a minute later.
    #[test]
    fn it_always_ends_and_keeps_its_secret(
        acts in proptest::collection::vec(act(), 0..24),
        trickle: bool,
    ) {
        let mut session = session("https://h.example.com/whip");
        if !trickle {
            session = session.without_trickle();
        }
        session.handle(Moment::from_ms(0), Input::Start { offer: OFFER.into() });
        let (mut ms, mut last, mut words, mut posts) = (0, 0, 0, 0);
        let ending = [Act::Stop, Act::Wait(1_300), Act::Wait(1_300)];
        let background = (0..40).map(|_| Act::Wait(1_300));
        let (acts_and_end, mut turn) = (acts.len() + ending.len(), 0);
        for act in acts.into_iter().chain(ending).chain(background) {
            turn += 1;
            if turn > acts_and_end + 1 {
                prop_assert_eq!(words, 1, "the last news is late");
            }
            while let Some(output) = session.poll() {
                let printed = format!("{output:?}");
                prop_assert!(!printed.contains(TOKEN));
                match output {
                    Output::Send(request) => {
                        last = request.id;
                        posts += u32::from(request.method == Method::Post);
                        let host = request.url.host_str().unwrap_or_default();
                        let kin = request.url.scheme() == "https"
                            && (host == "example.com" || host.ends_with(".example.com"));
                        prop_assert!(kin == request.bearer.is_some(), "{request:?}");
                        prop_assert!(kin || request.method != Method::Post, "{request:?}");
                        let timeout_ms = request.timeout_ms;
                        prop_assert!((1..=10_250).contains(&timeout_ms), "{timeout_ms} ms");
                    }
                    Output::Failed(failure) => {
                        words += 1;
                        let one_line = !failure.sentence.contains(char::is_control);
                        prop_assert!(one_line && failure.sentence.chars().count() < 700);
                    }
                    Output::Stopped { .. } => words += 1,
                    Output::IceServers(_) | Output::Answer(_) | Output::Established { .. } => {
                        prop_assert_eq!(words, 0);
                    }
                }
            }
            let input = match act {
                Act::Reply(response) => Input::Response { id: last, response: *response },
                Act::Break(error) => Input::TransportError { id: last, error },
                Act::Candidate(candidate) => Input::Candidate { mline: 0, candidate },
                Act::Done => Input::GatheringDone,
                Act::Wait(by) => {
                    ms += by;
                    Input::Timeout
                }
                Act::Stop => Input::Stop,
            };
            session.handle(Moment::from_ms(ms), input);
        }
        while let Some(output) = session.poll() {
            words += u32::from(matches!(output, Output::Failed(_) | Output::Stopped { .. }));
        }
        prop_assert!(session.is_over(), "{session:?}");
        prop_assert_eq!(words, 1);
        prop_assert!(posts <= 6, "{posts} POSTs");
    }
}
