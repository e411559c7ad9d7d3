//! Answers as other servers write them: those that can work go on air, and of those that cannot the message says what
//! the answer offers. The real program and a stage on loopback; somebody between them rewrites the answer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
)]

#[allow(dead_code, reason = "shared by two sets of tests")]
#[path = "certificates/between.rs"]
mod between;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;

use std::{
    net::{IpAddr, Ipv4Addr, UdpSocket},
    time::{Duration, Instant},
};

use between::{Between, Edit, as_it_is};
use hawker::stage::{Stage, StageOptions};
use hawker_process::Place;
use serde_json::Value;
use tokio::runtime::Runtime;

const SHOW: &str = "title = \"answers\"\n[[input]]\nid = \"ball\"\nkind = \"test\"\n\
    [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\n[[output]]\nid = \"main\"\nto = ";

/// What becomes of an output whose offers and answers are changed so, and how long that took.
fn publish(at: IpAddr, offer: Edit, answer: Edit) -> (Value, Duration) {
    let runtime = Runtime::new().unwrap();
    let _in = runtime.enter();
    let stage = runtime.block_on(Stage::start(StageOptions::default())).unwrap();
    let between = runtime.block_on(Between::at(at, &stage.whip_url(), offer, answer));
    let place = Place::new();
    let file = place.file("show.toml", &format!("{SHOW}\"{}\"\n", between.url));
    let began = Instant::now();
    let mut show = place.start(&["live", &file]);
    let first = show.event_that("news of the output", 60, |e| {
        e["event"] == "output-live" || e["event"] == "output-failed"
    });
    let took = began.elapsed();
    if first["event"] == "output-live" {
        process::until("media at the stage", 10, || {
            let figures = stage.figures();
            if figures.packets > 100 { Ok(()) } else { Err(format!("{figures:?}")) }
        });
    }
    show.process.signal(rustix::process::Signal::INT);
    show.ended(20);
    runtime.block_on(stage.stop());
    (first, took)
}

fn answered(answer: Edit) -> Value {
    publish(Ipv4Addr::LOCALHOST.into(), as_it_is, answer).0
}

/// Takes lines out of every section and puts one back for the session.
fn for_the_session(sdp: &str, name: &str) -> String {
    let prefix = format!("a={name}");
    let line = sdp.lines().find(|line| line.starts_with(&prefix)).unwrap_or_default().to_owned();
    let rest: String =
        sdp.split_inclusive("\r\n").filter(|line| !line.starts_with(&prefix)).collect();
    rest.replacen("m=", &format!("{line}\r\nm="), 1)
}

#[test]
fn answers_in_other_forms_go_on_air() {
    let forms: [(&str, Edit); 9] = [
        ("line feeds", |sdp| sdp.replace("\r\n", "\n")),
        ("setup for the session", |sdp| for_the_session(sdp, "setup:")),
        ("fingerprint for the session", |sdp| for_the_session(sdp, "fingerprint:")),
        ("ICE for the session", |sdp| {
            for_the_session(&for_the_session(sdp, "ice-ufrag:"), "ice-pwd:")
        }),
        ("no group", |sdp| {
            sdp.split_inclusive("\r\n").filter(|l| !l.starts_with("a=group:")).collect()
        }),
        ("no mid", |sdp| {
            sdp.split_inclusive("\r\n").filter(|l| !l.starts_with("a=mid:")).collect()
        }),
        ("no port, but a bundle", |sdp| {
            let (head, audio) = sdp.split_at(sdp.rfind("m=").unwrap());
            let (line, rest) = audio.split_once("\r\n").unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            format!("{head}{} 0 {}\r\na=bundle-only\r\n{rest}", words[0], words[2..].join(" "))
        }),
        ("a host name", |sdp| sdp.replace(" 127.0.0.1 ", " localhost ")),
        ("a key in the clear", |sdp| sdp.replacen("m=", "k=prompt\r\nm=", 1)),
    ];
    for (form, edit) in forms {
        let first = answered(edit);
        assert_eq!(first["event"], "output-live", "{form}: {first}");
    }
}

#[test]
fn without_a_path_the_message_says_what_the_answer_offers() {
    let cases: [(&str, Edit, bool); 4] = [
        (
            "names no address that media could be sent to",
            |sdp| sdp.split_inclusive("\r\n").filter(|l| !l.starts_with("a=candidate:")).collect(),
            true,
        ),
        (
            "names of its own network (0b7e6d5c-0000-4000-8000-000000000001.local)",
            |sdp| sdp.replace(" 127.0.0.1 ", " 0b7e6d5c-0000-4000-8000-000000000001.local "),
            true,
        ),
        (
            "names its address as no-such-host.invalid, which cannot be resolved",
            |sdp| sdp.replace(" 127.0.0.1 ", " no-such-host.invalid "),
            false,
        ),
        (
            "offers TCP only (127.0.0.1:",
            |sdp| {
                let tcp = sdp.lines().map(|line| {
                    let words: Vec<&str> = line.split(' ').collect();
                    if !line.starts_with("a=candidate:") {
                        return format!("{line}\r\n");
                    }
                    let [foundation, component, _, rest @ ..] = &words[..] else {
                        panic!("{line}")
                    };
                    format!(
                        "{foundation} {component} tcp {} tcptype passive\r\n",
                        rest[..5].join(" ")
                    )
                });
                tcp.collect()
            },
            false,
        ),
    ];
    for (words, edit, for_good) in cases {
        let first = answered(edit);
        assert_eq!(first["event"], "output-failed", "{first}");
        let reason = first["reason"].as_str().unwrap();
        assert!(reason.contains(words) && !reason.contains("block UDP"), "{reason} lacks {words}");
        assert_eq!(first["retry_in_ms"].is_null(), for_good, "{first}");
    }
}

#[test]
fn an_ingest_on_this_machine_is_reached_at_its_other_address() {
    // Connecting a UDP socket sends nothing. A machine that has no way out has no other address.
    let probe = UdpSocket::bind("0.0.0.0:0").unwrap();
    let Some(own) = probe.connect("192.0.2.1:9").ok().and_then(|()| probe.local_addr().ok()) else {
        println!("this machine has no other address than loopback");
        return;
    };
    let (first, _) = publish(own.ip(), as_it_is, as_it_is);
    assert_eq!(first["event"], "output-live", "{first}");
}

#[test]
fn the_offer_refuses_no_track() {
    let (first, _) = publish(
        Ipv4Addr::LOCALHOST.into(),
        |sdp| {
            let refused = sdp
                .lines()
                .any(|line| line.starts_with("m=") && line.split(' ').nth(1) == Some("0"));
            assert!(!refused && !sdp.contains("bundle-only"), "{sdp}");
            // Seen by the server's answer: an offer that was refused here has none.
            sdp.to_owned()
        },
        as_it_is,
    );
    assert_eq!(first["event"], "output-live", "{first}");
}
