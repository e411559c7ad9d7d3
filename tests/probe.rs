//! `hawker probe`, and going live at the nearest ingest: real servers on loopback, of which some are slow, some
//! mute and some not there.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
)]

#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "whip_server/fake.rs"]
mod fake;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;
#[path = "probe/schema.rs"]
mod schema;
#[path = "probe/servers.rs"]
mod servers;
#[path = "probe/way.rs"]
mod way;

use std::{sync::atomic::Ordering, time::Duration};

use fake::{Act, Server};
use hawker::{
    base::Secret,
    config,
    engine::{
        Engine, Handle, Over, Plan, Signals,
        probe::nearest,
        studio::{StudioOptions, factory},
        warmth::Warmth,
    },
    link::{
        probe::Prober,
        whip::{Link, LinkOptions, WhipEvent, open},
    },
    show::{
        Command, Event, Happening, IngestSpec, Mode, OutputSpec, Start, Target, WhipSpec,
        spec::Pick,
    },
    stage::{Stage, StageOptions},
    whip::{
        Role,
        probe::{Candidate, Grade, ProbeReport},
    },
};
use hawker_process::Place;
use process::{Said, run};
use servers::{OFFER, Tls, closed, far, mute, no_such_name, stun};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, timeout},
};
use unicode_width::UnicodeWidthStr;
use url::Url;
use way::far_stage;

const MS: Duration = Duration::from_millis(1);

fn say(reply: &str) -> Act {
    Act::Say(format!("HTTP/1.1 {reply}\r\ncontent-length: 0\r\n\r\n"))
}

fn slow(ms: u32) -> Act {
    let reply = "HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n";
    Act::Slow(String::new(), MS * ms, reply.into())
}

async fn stage(token: Option<&str>) -> Stage {
    let token = token.map(Secret::new);
    Stage::start(StageOptions { token, ..StageOptions::default() }).await.unwrap()
}

/// hawker, while the servers of the test go on.
fn probe(place: &Place, args: &[&str]) -> Said {
    let mut all = vec!["probe"];
    all.extend(args);
    tokio::task::block_in_place(|| place.run(&all, 60))
}

fn report(said: &Said) -> ProbeReport {
    let json = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    schema::assert_fits(&json, &config::probe_schema());
    serde_json::from_value(json).unwrap()
}

fn place_of(report: &ProbeReport, port: u16) -> (usize, &Candidate) {
    let ending = format!(":{port}");
    let found = report.candidates.iter().enumerate().find(|(_, c)| c.ingest.ends_with(&ending));
    found.unwrap_or_else(|| panic!("no {port} in {report:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_best_comes_first_and_each_has_its_verdict() {
    let place = Place::new();
    let near = stage(None).await;
    let (trusted, strange) = (Tls::start(50 * MS).await, Tls::start(MS).await);
    let fair = Server::start(vec![("OPTIONS", slow(150))]).await;
    let far_away = Server::start(vec![("OPTIONS", slow(300))]).await;
    let unwell = Server::start(vec![("OPTIONS", say("503 Unavailable"))]).await;
    let other = Server::start(vec![("OPTIONS", Act::Hang("SSH-2.0-OpenSSH\r\n\r\n".into()))]).await;
    let (gone, hung, nowhere) = (closed().await, mute().await, no_such_name());
    let http = |port: u16| format!("http://127.0.0.1:{port}/s3cr3t?key=s3cr3t");
    let https = |port: u16| format!("https://127.0.0.1:{port}/s3cr3t?key=s3cr3t");
    let urls = [
        http(hung),
        format!("https://{nowhere}/s3cr3t"),
        http(gone),
        http(far_away.port),
        https(strange.port),
        https(fair.port),
        http(other.port),
        http(unwell.port),
        http(fair.port),
        https(trusted.port),
        near.whip_url(),
    ];
    let mut args: Vec<&str> = urls.iter().map(String::as_str).collect();
    let ca = trusted.ca.path().to_str().unwrap();
    args.extend(["--timeout", "1s", "--ca", ca]);

    let table = probe(&place, &args);
    let json = probe(&place, &[&args[..], &["--json"]].concat());
    assert_eq!((table.code, json.code), (0, 0), "{table:?}");
    for said in [&table, &json] {
        assert!(!format!("{}{}", said.out, said.err).contains("s3cr3t"), "{said:?}");
    }
    let report = report(&json);
    assert_eq!(report.candidates.len(), urls.len());
    let sorted = report.candidates.is_sorted_by_key(|c| c.grade);
    assert!(sorted && report.has_good_one(), "{report:?}");

    // Near ones: what else the machine does may make one look unsteady, but not nearer than it is.
    let distance = |port| {
        let (_, candidate) = place_of(&report, port);
        assert!(candidate.good_enough, "{candidate:?}");
        assert_eq!((candidate.rounds, candidate.answered), (5, 5), "{candidate:?}");
        candidate.distance_ms().unwrap()
    };
    let by_way = [distance(near.address().port()), distance(trusted.port)];
    assert!(by_way[0] < by_way[1] && by_way[1] >= 50.0, "{by_way:?}");
    let (_, tls) = place_of(&report, trusted.port);
    assert!(tls.tls.is_some() && tls.tcp.is_some() && tls.status == Some(204), "{tls:?}");
    let of = |grade: Grade, words: &str| {
        let found = report.candidates.iter().find(|c| c.verdict.contains(words));
        let found = found.unwrap_or_else(|| panic!("nobody is {words}: {report:?}"));
        assert_eq!(found.grade, grade, "{found:?}");
    };
    of(Grade::Far, "; sound will lag");
    of(Grade::Poor, "it is not well: it answers 503");
    of(Grade::Refused, "TLS certificate not trusted: self-signed certificate");
    of(Grade::Unreachable, "no answer in 1 s, though it takes connections: is it an ingest?");
    of(Grade::Unreachable, "nothing listens there: check the port");
    of(Grade::Unreachable, "the name cannot be found: check it, and this machine's network");
    of(Grade::Unreachable, "it does not speak TLS: check the port, and http or https");
    of(Grade::Unreachable, "it cannot be talked to (what it answers is not HTTP)");
    let (_, hung) = place_of(&report, hung);
    assert_eq!((hung.rounds, hung.answered), (1, 0), "not asked again");

    // The table says the same, readably.
    assert!(!table.out.contains('\x1b'), "no colours in a pipe");
    assert!(table.out.lines().all(|line| line.width() <= 80), "{}", table.out);
    let rows = table.out.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    assert_eq!(rows.count(), urls.len(), "{}", table.out);
    for candidate in report.candidates.iter().filter(|c| !c.good_enough && c.grade != Grade::Far) {
        let words = candidate.verdict.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = table.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(&words), "{words}: {}", table.out);
    }
    near.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_good_enough_is_three_and_bad_usage_is_two() {
    let place = Place::new();
    let gone = format!("http://127.0.0.1:{}/s3cr3t", closed().await);
    let none = probe(&place, &[&gone]);
    assert_eq!(none.code, 3, "{none:?}");
    assert!(
        none.out.contains("nothing listens") && none.err.contains("not good enough"),
        "{none:?}"
    );
    let stage_only = place.file(
        "stage.toml",
        "title = \"t\"\n[[input]]\nid = \"a\"\nkind = \"test\"\n[[scene]]\nid = \"s\"\n\
         layers = [\"a\"]\n",
    );
    for (args, word) in [
        (&[][..], "SHOW|URL"),
        (&[&gone, "show.toml"], "not both"),
        (&["no-such-show.toml"], "no such file"),
        (&[&stage_only], "no WHIP ingest"),
        (&["ftp://127.0.0.1/s3cr3t"], "https://"),
        (&["https://"], "address 1"),
        (&["https://user:s3cr3t@127.0.0.1/"], "--token"),
        (&[&gone, "--token", "s3cr3t"], "by reference"),
        (&["http://ingest.example/", "--token", "env:PATH"], "plain text"),
        (&[&gone, "--rounds", "0"], "--rounds"),
        (&[&gone, "--stun", "nonsense"], "stun:HOST"),
        (&[&gone, "--ca", "/no/such.pem"], "cannot be read"),
        (&[&gone, "--publish", "soon"], "20s"),
    ] {
        let said = probe(&place, args);
        assert_eq!(said.code, 2, "{args:?}: {said:?}");
        assert!(said.err.contains(word), "{args:?}: {said:?}");
        assert!(!said.err.contains("s3cr3t"), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_never_sent_to_be_measured_and_a_show_names_its_outputs() {
    let place = Place::new();
    let server = Server::start(vec![("OPTIONS", say("401 Unauthorized"))]).await;
    let show = place.file(
        "show.toml",
        &format!(
            "title = \"t\"\n[[input]]\nid = \"a\"\nkind = \"test\"\n[[scene]]\nid = \"s\"\n\
             layers = [\"a\"]\n[[output]]\nid = \"main\"\nto = \"{}\"\ntoken = \"env:TOKEN\"\n",
            server.url("/s3cr3t?key=s3cr3t")
        ),
    );
    let mut command = place.hawker(&["probe", &show, "--rounds", "2"]);
    let said = tokio::task::block_in_place(|| run(command.env("TOKEN", "t0ken"), 30));
    assert_eq!(said.code, 0, "a 401 is an answer: {said:?}");
    assert!(said.out.contains("away (main)"), "{said:?}");
    assert!(!said.out.contains("s3cr3t"), "{said:?}");
    let seen = server.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    for seen in seen {
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("OPTIONS", "/s3cr3t?key=s3cr3t"));
        assert_eq!(seen.header("authorization"), None);
        assert_eq!(seen.header("host"), Some(format!("127.0.0.1:{}", server.port).as_str()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn udp_is_timed_where_a_stun_server_is_named() {
    let place = Place::new();
    let (port, asked) = stun(20 * MS).await;
    let link = format!(
        "HTTP/1.1 204 No Content\r\nlink: <stun:127.0.0.1:{port}>; rel=\"ice-server\"\r\n\r\n"
    );
    let names = Server::start(vec![("OPTIONS", Act::Say(link))]).await;
    let silent = Server::start(vec![("OPTIONS", say("204 No Content"))]).await;
    let (one, two) = (names.url("/a").to_string(), silent.url("/b").to_string());

    let said = report(&probe(&place, &[&one, &two, "--json", "--rounds", "3"]));
    let (_, measured) = place_of(&said, names.port);
    let spread = measured.stun.unwrap_or_else(|| panic!("{measured:?}"));
    assert!(spread.min_ms >= 20.0 && asked.load(Ordering::SeqCst) >= 3, "{spread:?}");
    assert_eq!(place_of(&said, silent.port).1.stun, None);

    let own = format!("stun:127.0.0.1:{port}");
    let said = report(&probe(&place, &[&two, "--json", "--rounds", "1", "--stun", &own]));
    assert!(said.candidates[0].stun.is_some(), "{said:?}");
    // Nobody there: a dash, no failure.
    let own = format!("stun:127.0.0.1:{}", closed().await);
    let said = report(&probe(&place, &[&two, "--json", "--rounds", "1", "--stun", &own]));
    assert!(said.candidates[0].stun.is_none() && said.has_good_one(), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_publish_is_measured_or_says_why_not() {
    let place = Place::new();
    let near = stage(Some("t0ken-s3cr3t")).await;
    let url = near.whip_url();
    let publish = |token: &str| {
        let args = ["probe", &url, "--publish", "3s", "--token", "env:TOKEN", "--json"];
        let mut command = place.hawker(&args);
        tokio::task::block_in_place(|| run(command.env("TOKEN", token), 60))
    };
    let said = publish("t0ken-s3cr3t");
    let good = report(&said);
    let published = good.candidates[0].publish.as_ref().unwrap_or_else(|| panic!("{said:?}"));
    assert_eq!((said.code, &published.failure), (0, &None), "{said:?}");
    assert!((3000..4500).contains(&published.for_ms), "{published:?}");
    assert!(published.connect_ms.is_some_and(|ms| ms < 5000), "{published:?}");
    assert!(published.kbps.is_some_and(|kbps| kbps > 500.0), "{published:?}");

    let said = publish("wrong");
    let refused = report(&said);
    let candidate = &refused.candidates[0];
    assert_eq!((said.code, candidate.grade), (3, Grade::Refused), "{said:?}");
    assert!(candidate.verdict.contains("refused the token (401)"), "{said:?}");
    near.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn colours_are_for_terminals_that_want_them() {
    let place = Place::new();
    let server = Server::start(vec![("OPTIONS", say("204 No Content"))]).await;
    let url = server.url("/s3cr3t").to_string();
    let in_terminal = |no_color: &str| {
        let program = env!("CARGO_BIN_EXE_hawker");
        let line = format!("'{program}' probe --rounds 2 '{url}'");
        let mut command = process::tool("script");
        command.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").env("NO_COLOR", no_color);
        for (name, folder) in place.folders() {
            command.env(name, folder);
        }
        tokio::task::block_in_place(|| run(&mut command, 30))
    };
    let (coloured, plain) = (in_terminal(""), in_terminal("1"));
    assert_eq!((coloured.code, plain.code), (0, 0), "{coloured:?} {plain:?}");
    assert!(
        coloured.out.contains("\x1b[3") && !plain.out.contains('\x1b'),
        "{coloured:?} {plain:?}"
    );
}

fn link(ca: Option<&Tls>) -> Link {
    let ca = ca.map(|tls| tls.ca.path().to_owned());
    Link::new(&LinkOptions { ca, ..LinkOptions::default() }).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nearest_is_found_in_its_time_and_its_connection_serves_the_post() {
    let near =
        Server::start(vec![("OPTIONS", say("204 No Content")), ("POST", say("404 No"))]).await;
    let slower = Server::start(vec![("OPTIONS", slow(80))]).await;
    let unwell = Server::start(vec![("OPTIONS", say("502 Bad Gateway"))]).await;
    let at = |port: u16| -> Url { format!("http://127.0.0.1:{port}/whip").parse().unwrap() };
    let ways =
        [at(mute().await), slower.url("/w"), at(closed().await), near.url("/w"), unwell.url("/w")];
    let (link, prober) = (link(None), Prober::new(None).unwrap());
    let began = Instant::now();
    let found = nearest(&prober, &link, &ways).await;
    let took = began.elapsed();
    assert!(took < Duration::from_millis(1700), "{took:?}");
    let [None, Some(slow_ms), None, Some(near_ms), None] = found[..] else { panic!("{found:?}") };
    assert!(slow_ms >= 80 && near_ms < slow_ms, "{found:?}");

    // Three rounds, and the connection that stays.
    assert_eq!(near.seen().len(), 4);
    let mut talk = open(&link, near.url("/w"), None, OFFER.into(), Role::Whip);
    let news = timeout(10 * Duration::from_secs(1), talk.events.recv()).await.unwrap();
    assert!(matches!(news, Some(WhipEvent::Failed { .. })), "{news:?}");
    let connections: std::collections::BTreeSet<usize> =
        near.seen().iter().map(|s| s.connection).collect();
    assert_eq!(connections.len(), 4, "the POST opened none of its own");

    // With nobody there it does not take longer, and says nothing.
    let began = Instant::now();
    let nobody = nearest(&prober, &link, &[at(mute().await), at(closed().await)]).await;
    assert_eq!(nobody, [None, None]);
    assert!(began.elapsed() < Duration::from_millis(1900));
}

/// At 100 ms there and back the offer is answered after one round trip, not after four.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_by_answers_after_one_round_trip() {
    let tls = Tls::start(Duration::ZERO).await;
    let url: Url =
        format!("https://127.0.0.1:{}/whip", far(tls.port, 50 * MS).await).parse().unwrap();
    let answered = async |link: &Link| {
        let began = Instant::now();
        let mut talk = open(link, url.clone(), None, OFFER.into(), Role::Whip);
        let news = timeout(Duration::from_secs(10), talk.events.recv()).await.unwrap();
        assert!(matches!(news, Some(WhipEvent::Answer(_))), "{news:?}");
        began.elapsed()
    };
    let cold = answered(&link(Some(&tls))).await;
    assert!(cold >= 200 * MS, "TLS is a round trip, the POST another: {cold:?}");

    let standing = link(Some(&tls));
    let (before, warmth) = (tls.connections(), Warmth::keep(&standing, vec![url.clone()]));
    let deadline = Instant::now() + Duration::from_secs(10);
    // Warm once the connection has been used and is idle again; its OPTIONS took a round trip.
    while tls.connections() == before {
        assert!(Instant::now() < deadline, "nothing was warmed");
        tokio::time::sleep(5 * MS).await;
    }
    tokio::time::sleep(500 * MS).await;
    let warm = answered(&standing).await;
    assert!(warm >= 100 * MS && warm + 80 * MS < cold, "warm {warm:?}, cold {cold:?}");
    assert_eq!(tls.connections(), before + 1, "the POST opened none of its own");
    drop(warmth);
}

/// The built-in show, with that output.
fn engine(whip: WhipSpec, standby: bool) -> (Handle, JoinHandle<Over>, mpsc::Sender<()>) {
    let mut spec = config::builtin_show();
    spec.outputs.push(OutputSpec::new("main".parse().unwrap(), Target::Whip(whip)));
    let start = Start { for_ms: None, standby, headless: false };
    let plan = Plan { spec, mode: Mode::Live, start, journal: None, report: None, store: None };
    let options = StudioOptions {
        listen: ([127, 0, 0, 1], 0).into(),
        any_port: true,
        token: None,
        monitor: false,
        link: None,
        sessions: None,
    };
    let engine = Engine::new(plan, factory(options)).unwrap();
    let handle = engine.faces().handle();
    let (stop, signals) = Signals::queue();
    (handle, tokio::spawn(engine.run(signals)), stop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_show_goes_live_at_the_nearest_and_says_so() {
    let near = stage(None).await;
    let slower = Server::start(vec![("OPTIONS", slow(120))]).await;
    let gone: Url = format!("http://127.0.0.1:{}/s3cr3t", closed().await).parse().unwrap();
    let mut whip = WhipSpec::to(gone, None);
    whip.pick = Pick::Nearest;
    let ingest = |url| IngestSpec { url, token: None, server: None };
    whip.ingests.push(ingest(slower.url("/s3cr3t")));
    whip.ingests.push(ingest(near.whip_url().parse().unwrap()));
    let (mut handle, over, _stop) = engine(whip, false);
    let mut events: Vec<Event> = Vec::new();
    let live = async {
        loop {
            let event = handle.events.recv().await.unwrap();
            let live = matches!(event.what, Happening::OutputLive { .. });
            events.push(event);
            if live {
                return;
            }
        }
    };
    let live = timeout(Duration::from_secs(30), live).await;
    let told: Vec<String> = events.iter().map(|e| e.what.sentence()).collect();
    assert!(live.is_ok(), "{told:?}");
    let at = |is: fn(&Happening) -> bool| events.iter().find(|e| is(&e.what)).unwrap();
    let probed = at(|h| matches!(h, Happening::OutputProbed { .. }));
    let began = at(|h| matches!(h, Happening::OutputProbing { .. }));
    let took = probed.at.duration_since(began.at);
    assert!(took < jiff::SignedDuration::from_millis(1800), "{took:?}");
    let said = probed.what.sentence();
    let nearest = format!("main: 127.0.0.1:{} is nearest (", near.address().port());
    assert!(said.starts_with(&nearest) && said.contains("stands by (no answer)"), "{said}");
    let standby = format!("127.0.0.1:{} stands by (", slower.port);
    let (_, after) = said.split_once(&standby).unwrap_or_else(|| panic!("{said}"));
    assert!(after.starts_with(|c: char| c.is_ascii_digit()), "{said}");
    let up = at(|h| matches!(h, Happening::OutputLive { .. }));
    let here = format!("127.0.0.1:{}", near.address().port());
    assert!(matches!(&up.what, Happening::OutputLive { to, .. } if *to == here), "{told:?}");
    assert!(slower.seen().iter().all(|s| s.method == "OPTIONS"));
    handle.command(Command::EndShow, true).await.unwrap();
    let over = timeout(Duration::from_secs(20), over).await.unwrap().unwrap();
    assert_eq!(over.exit_code, 0);
    near.stop().await;
}

/// HTTP and media 100 ms there and back, the connection standing by: the first whole key frame is at the ingest
/// within 900 ms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_way_off_the_first_frame_is_there_in_time() {
    let ingest = stage(None).await;
    let whip = WhipSpec::to(far_stage(&ingest, 50 * MS).await, None);
    let (mut handle, over, _stop) = engine(whip, true);
    let up = async {
        loop {
            if matches!(handle.events.recv().await.unwrap().what, Happening::InputUp { .. }) {
                return;
            }
        }
    };
    timeout(Duration::from_secs(20), up).await.expect("an input");
    // The operator looks around for a moment; the connection comes to stand by.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let told = std::time::Instant::now();
    handle.command(Command::GoLive { output: None }, true).await.unwrap();
    let seen = async {
        loop {
            if let Some(at) = ingest.figures().first_frame_at {
                return at;
            }
            tokio::time::sleep(5 * MS).await;
        }
    };
    let first = timeout(Duration::from_secs(10), seen).await.expect("a frame") - told;
    println!("first frame {first:?} after GoLive, at 100 ms there and back");
    assert!(first <= Duration::from_millis(900), "{first:?}");
    handle.command(Command::EndShow, true).await.unwrap();
    let over = timeout(Duration::from_secs(20), over).await.unwrap().unwrap();
    assert_eq!(over.exit_code, 0);
    ingest.stop().await;
}
