//! Answers as servers write them, and what becomes of each.

use proptest::prelude::*;

use super::*;
use crate::whip::sdp::tests::{ANSWER, OFFER};

fn offer() -> String {
    sdp::polish_offer(OFFER).unwrap()
}

fn read(answer: &str) -> Result<String, Unusable> {
    normalise(&offer(), answer, Role::Whip)
}

const FINGERPRINT: &str = "a=fingerprint:sha-256 CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:\
    CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC\r\n";
const ICE: &str = "a=ice-ufrag:wxyz\r\na=ice-pwd:9876543210987654321098\r\n";
const CANDIDATE: &str = "a=candidate:1 1 udp 2130706431 192.0.2.7 4000 typ host\r\n";

/// The answer with these lines at the end of its sections.
fn with(video: &str, audio: &str) -> String {
    ANSWER.replace("m=audio", &format!("{video}m=audio")) + audio
}

/// Every section has what webrtcbin asks of it.
#[track_caller]
fn assert_whole(sdp: &str) {
    let sections = sdp::media_lines(sdp);
    assert_eq!(sections.len(), 2, "{sdp}");
    for (section, mid) in sections.iter().zip(["video0", "audio1"]) {
        assert_eq!(section.attribute("mid"), Some(mid), "{sdp}");
        assert_eq!(section.attribute("setup"), Some("passive"), "{sdp}");
        assert_eq!(section.attribute("ice-ufrag"), Some("wxyz"), "{sdp}");
        assert_eq!(section.attribute("ice-pwd"), Some("9876543210987654321098"), "{sdp}");
        assert!(section.attribute("fingerprint").unwrap().starts_with("sha-256 CC:"), "{sdp}");
        assert_eq!((section.direction(), section.port), ("recvonly", 9), "{sdp}");
        assert!(section.flag("rtcp-mux") && !section.flag("bundle-only"), "{sdp}");
        assert_eq!(section.proto, "UDP/TLS/RTP/SAVPF");
        for once in ["a=mid:", "a=setup:", "a=ice-ufrag:", "a=ice-pwd:", "a=rtcp-mux"] {
            let found =
                section.lines.iter().filter(|l| l.starts_with(once) && **l != "a=rtcp-mux-only");
            assert_eq!(found.count(), 1, "{sdp}");
        }
    }
    assert_eq!(sdp.matches("a=group:BUNDLE video0 audio1\r\n").count(), 1, "{sdp}");
    assert!(sdp.split("\r\n").all(|line| !line.contains(['\r', '\n'])), "{sdp}");
    let session = sdp.split("m=").next().unwrap();
    for moved in ["a=setup", "a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=candidate"] {
        assert!(!session.contains(moved), "{sdp}");
    }
}

#[test]
fn what_is_written_in_many_forms_is_read_in_one() {
    let moved = |line: &str, to: &str| {
        let without = ANSWER.replace(line, "");
        if to.is_empty() { without } else { without.replace("m=video", &format!("{to}m=video")) }
    };
    let cases = [
        ANSWER.to_owned(),
        ANSWER.replace("\r\n", "\n"),
        ANSWER.replace("\r\n", "\r"),
        ANSWER.replace("\r\nm=", "\n\n\r\nm="),
        ANSWER.trim_end().to_owned(),
        format!("\u{feff}{ANSWER}\r\n\r\n"),
        ANSWER.replace("a=setup:passive\r\n", "a=setup:passive \t\r\n"),
        // What stands for the session.
        moved("a=setup:passive\r\n", "a=setup:passive\r\n"),
        moved("a=recvonly\r\n", "a=recvonly\r\n"),
        // What stands in the sections, or only in the one that leads.
        moved(FINGERPRINT, "").replace("a=mid:", &format!("{FINGERPRINT}a=mid:")),
        moved(FINGERPRINT, "").replace("a=mid:video0", &format!("{FINGERPRINT}a=mid:video0")),
        moved(ICE, "").replace("a=mid:", &format!("{ICE}a=mid:")),
        moved(ICE, "").replace("a=mid:video0", &format!("{ICE}a=mid:video0")),
        moved("a=setup:passive\r\n", "").replace("a=mid:video0", "a=setup:passive\r\na=mid:video0"),
        // Another's credentials in a section that follows its bundle are not used.
        moved(ICE, "").replace("a=mid:video0", &format!("{ICE}a=mid:video0")).replace(
            "a=mid:audio1",
            "a=ice-ufrag:other\r\na=ice-pwd:0000000000000000000000\r\na=mid:audio1",
        ),
        // Names.
        ANSWER.replace("a=mid:video0\r\n", "").replace("a=mid:audio1\r\n", ""),
        ANSWER.replace("video0", "0").replace("audio1", "1"),
        ANSWER
            .replace("a=mid:video0\r\n", "a=mid:0\r\n")
            .replace("a=mid:audio1\r\n", "a=mid:1\r\n"),
        // Bundles.
        moved("a=group:BUNDLE video0 audio1\r\n", ""),
        ANSWER.replace("BUNDLE video0 audio1", "BUNDLE video0"),
        ANSWER
            .replace("m=audio 9", "m=audio 0")
            .replace("a=mid:audio1", "a=bundle-only\r\na=mid:audio1"),
        // Directions.
        ANSWER.replace("a=recvonly", "a=sendrecv"),
        ANSWER.replace("a=recvonly\r\n", ""),
        // Transports, codecs, keys, multiplexing.
        ANSWER.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF"),
        ANSWER.replace("UDP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF"),
        ANSWER.replace("SAVPF 96", "SAVPF 120 96") + "a=x\r\n",
        moved("s=-\r\n", "k=prompt\r\n"),
        with("a=rtcp-mux\r\n", "a=rtcp-mux\r\na=rtcp-mux-only\r\n"),
        with("a=setup:active\r\na=ice-ufrag:second\r\n", "").replace("second", "wxyz"),
    ];
    for answer in cases {
        let once = read(&answer).unwrap_or_else(|e| panic!("{e}: {answer}"));
        assert_whole(&once);
        assert_eq!(read(&once).as_ref(), Ok(&once), "twice changes nothing: {answer}");
        assert_eq!(sdp::check_answer(&offer(), &once), Ok(()));
    }
}

#[test]
fn the_bundle_is_the_only_group() {
    // As libdatachannel writes it, and the other way round.
    let bundle = ANSWER.lines().find(|line| line.starts_with("a=group:BUNDLE")).unwrap();
    for (before, after) in
        [("", "a=group:LS video0 audio1\r\n"), ("a=group:LS video0 audio1\r\n", "")]
    {
        let answer =
            ANSWER.replace(&format!("{bundle}\r\n"), &format!("{before}{bundle}\r\n{after}"));
        let read = normalise(OFFER, &answer, Role::Whip).unwrap();
        let groups: Vec<&str> = read.lines().filter(|line| line.starts_with("a=group:")).collect();
        assert_eq!(groups, [bundle], "{read}");
    }
}

#[test]
fn codecs_that_were_not_offered_are_left_out() {
    let answer = ANSWER.replace("SAVPF 96", "SAVPF 120 96 97").replace(
        "a=mid:video0",
        "a=rtpmap:120 VP9/90000\r\na=fmtp:120 profile-id=0\r\na=rtcp-fb:120 nack\r\na=rtcp-fb:* nack\r\n\
         a=rtpmap:96 H264/90000\r\na=mid:video0",
    );
    let read = read(&answer).unwrap();
    assert!(read.contains("SAVPF 96 97\r\n") && !read.contains("120"), "{read}");
    assert!(read.contains("a=rtpmap:96 ") && read.contains("a=rtcp-fb:* nack"), "{read}");
}

#[test]
fn header_extensions_of_the_session_are_each_sections() {
    let answer = ANSWER.replace("m=video", "a=extmap:3 urn:x\r\na=extmap:4 urn:y\r\nm=video");
    let answer = answer.replace("a=mid:audio1", "a=extmap:3/sendonly urn:own\r\na=mid:audio1");
    let read = read(&answer).unwrap();
    let of = |at: usize| {
        let sections = sdp::media_lines(&read);
        let lines: Vec<String> =
            sections[at].lines.iter().filter(|l| extension(l)).map(|l| (*l).to_owned()).collect();
        lines.join(" ")
    };
    assert_eq!(of(0), "a=extmap:3 urn:x a=extmap:4 urn:y");
    assert_eq!(of(1), "a=extmap:3/sendonly urn:own a=extmap:4 urn:y");
}

#[test]
fn candidates_are_in_the_section_that_leads_once_each() {
    let second = "a=candidate:2 1 UDP 1 2001:db8::1 4000 typ host\r\n";
    let name = "a=candidate:3 1 udp 1 media.example.com 4000 typ host\r\n";
    let useless = "a=candidate:1 2 udp 2130706430 192.0.2.7 4001 typ host\r\na=candidate:\r\n\
         a=candidate:foo bar\r\na=candidate:1 1 udp 99999999999 300.1.1.1 70000 typ host\r\n\
         a=candidate:4 1 tcp 1 192.0.2.7 9 typ host tcptype active\r\n\
         a=candidate:5 1 udp 1 0.0.0.0 4000 typ host\r\na=candidate:6 1 udp 1 192.0.2.7 0 typ host\r\n";
    let answer = with(
        &format!("{CANDIDATE}{useless}{name}"),
        &format!("{CANDIDATE}{second}a=end-of-candidates\r\n"),
    );
    let read = read(&answer).unwrap();
    let [first, other] = &sdp::media_lines(&read)[..] else { panic!("{read}") };
    let of = |section: &MediaLine<'_>| {
        let lines = section.lines.iter().filter(|line| line.contains("candidate"));
        lines.flat_map(|line| [*line, "\r\n"]).collect::<String>()
    };
    assert_eq!(of(first), format!("{CANDIDATE}{name}{second}a=end-of-candidates\r\n"));
    assert_eq!(of(other), "");
    // The one that leads is the first that the group names.
    let turned = ANSWER.replace("BUNDLE video0 audio1", "BUNDLE audio1 video0");
    let read = super::normalise(&offer(), &(turned + CANDIDATE), Role::Whip).unwrap();
    assert!(sdp::media_lines(&read)[1].attribute("candidate").is_some(), "{read}");
    assert!(read.contains("a=group:BUNDLE audio1 video0\r\n"), "{read}");
    let many: String =
        (0..500).map(|n| CANDIDATE.replace("4000", &(4000 + n).to_string())).collect();
    let read = self::read(&with(&many, "")).unwrap();
    assert_eq!(read.matches("a=candidate:").count(), MAX_CANDIDATES);
}

#[test]
fn what_cannot_work_is_refused_in_words() {
    let video = ANSWER.split("m=audio").next().unwrap();
    let (head, rest) = ANSWER.split_at(ANSWER.find("m=video").unwrap());
    let (one, two) = rest.split_at(rest.find("m=audio").unwrap());
    let apart = ANSWER.replace("a=group:BUNDLE video0 audio1\r\n", "");
    let other = "a=ice-ufrag:second\r\na=ice-pwd:0000000000000000000000\r\n";
    let cases = [
        ("hello".to_owned(), "is no session description"),
        (video.to_owned(), "leaves out the audio that was offered"),
        (format!("{head}{two}"), "leaves out the video that was offered"),
        (
            format!("{head}{two}{one}"),
            "in another order (audio, video) than they were offered in (video, audio)",
        ),
        (
            format!("{ANSWER}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"),
            "for other tracks",
        ),
        (
            ANSWER.replace("a=mid:video0", "a=mid:x").replace("a=mid:audio1", "a=mid:video0"),
            "another order (a=mid)",
        ),
        (ANSWER.replace("m=audio 9", "m=audio 0"), "refuses the audio"),
        (
            ANSWER
                .replace("m=audio 9", "m=audio 0")
                .replace("BUNDLE video0 audio1", "BUNDLE video0"),
            "refuses the audio",
        ),
        (ANSWER.replace("a=recvonly", "a=inactive"), "refuses the video"),
        (
            ANSWER.replace("a=recvonly", "a=sendonly"),
            "says sendonly for the video, which was offered sendonly",
        ),
        (ANSWER.replace("a=setup:passive", "a=setup:actpass"), "a=setup:actpass is no answer"),
        (ANSWER.replace("a=setup:passive", "a=setup:holdconn"), "a=setup:holdconn is no answer"),
        (ANSWER.replace("a=setup:passive\r\n", ""), "holds no a=setup"),
        (
            ANSWER.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
            "by RTP/AVP, which is not the encrypted transport",
        ),
        (ANSWER.replace("SAVPF 96", "SAVPF 102"), "no video codec that was offered"),
        (apart.clone() + other, "does not bundle"),
        (
            apart.replace("m=audio", &format!("{CANDIDATE}m=audio"))
                + &CANDIDATE.replace("4000", "4002"),
            "does not bundle",
        ),
        (ANSWER.replace("a=ice-pwd", "a=x"), "no ICE password"),
        (ANSWER.replace("a=ice-ufrag", "a=x"), "no ICE user fragment"),
        (ANSWER.replace(FINGERPRINT, ""), "no certificate fingerprint"),
        (ANSWER.replace("sha-256", "sha-1"), "by sha-1 only, which can be forged"),
        (ANSWER.replace("sha-256", "MD5"), "by md5 only, which can be forged"),
        (ANSWER.replace("sha-256", "sha-999"), "not known here (sha-999)"),
        (ANSWER.replace("CC:CC", "CC:ZZ"), "broken sha-256 fingerprint"),
        (
            with("", &FINGERPRINT.replace("CC", "DD")),
            "names one certificate for one track and another",
        ),
    ];
    for (answer, why) in cases {
        let Err(refused) = read(&answer) else { panic!("taken, though it {why}: {answer}") };
        assert!(refused.why.contains(why), "{refused} lacks {why}");
        assert!(!refused.why.contains(char::is_control), "{refused:?}");
    }
}

#[test]
fn a_viewers_answer_sends() {
    let offer = sdp::polish_viewer_offer(&OFFER.replace("a=sendonly", "a=recvonly")).unwrap();
    let read = |answer: &str| normalise(&offer, answer, Role::Whep);
    for direction in ["a=sendonly\r\n", "a=sendrecv\r\n", ""] {
        let read = read(&ANSWER.replace("a=recvonly\r\n", direction)).unwrap();
        assert!(sdp::media_lines(&read).iter().all(|m| m.direction() == "sendonly"), "{read}");
    }
    assert!(read(ANSWER).unwrap_err().why.contains("says recvonly"));
    // What holds certificates against it knows one function.
    let strong = format!("a=fingerprint:sha-512 {}\r\n", ["AB"; 64].join(":"));
    let sending = ANSWER.replace("a=recvonly", "a=sendonly");
    let refused = read(&sending.replace(FINGERPRINT, &strong)).unwrap_err();
    assert!(refused.why.contains("not known here (sha-512)"), "{refused}");
    assert!(self::read(&ANSWER.replace(FINGERPRINT, &strong)).is_ok());
}

#[test]
fn a_return_alone_hides_nothing() {
    // GStreamer ends a line there: what follows counts for it, so it has to count here.
    let other = FINGERPRINT.trim_end().replace("CC", "DD");
    let hidden = with(&format!("a=note:x\r{other}\r\n"), "");
    assert!(read(&hidden).unwrap_err().why.contains("one certificate for one track"));
    let nul = with("a=note:x\0a=setup:active\r\n", "");
    assert!(!self::read(&nul).unwrap().contains("note"));
}

proptest! {
    /// An answer from a stranger is taken or refused in one line of words. What is taken is of one form whatever it was
    /// made of, is not much longer, and says the same to who reads it once more.
    #[test]
    fn hostile_answers_are_taken_in_one_form_or_refused(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..3),
        put in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![
            ".{0,20}",
            "(\r|\n|\r\n)?a=(setup|mid|ice-ufrag|ice-pwd|fingerprint|group:BUNDLE|candidate|extmap):?[ -~]{0,30}",
            "(\r|\n|\r\n)?m=(audio|video|application) [0-9]{1,5} [ -~]{0,30}",
            "\r\na=(bundle-only|inactive|sendrecv|sendonly|rtcp-mux|ice-lite|end-of-candidates)",
        ]), 0..6),
        viewer: bool,
    ) {
        let mut lines: Vec<String> = ANSWER.split("\r\n").map(Into::into).collect();
        for (from, to) in &cuts {
            let (a, b) = (from.index(lines.len()), to.index(lines.len()));
            lines.swap(a, b);
        }
        for (at, what) in &put {
            let n = at.index(lines.len());
            lines[n].push_str(what);
        }
        let answer = lines.join("\r\n");
        let (offer, role) = if viewer {
            (sdp::polish_viewer_offer(&OFFER.replace("a=sendonly", "a=recvonly")).unwrap(), Role::Whep)
        } else {
            (offer(), Role::Whip)
        };
        match normalise(&offer, &answer, role) {
            Err(refused) => {
                prop_assert!(!refused.why.contains(char::is_control), "{refused:?}");
                prop_assert!(refused.why.chars().count() < 400, "{refused:?}");
            }
            Ok(once) => {
                prop_assert!(once.len() < 4 * answer.len() + 1000);
                prop_assert_eq!(normalise(&offer, &once, role), Ok(once.clone()));
                prop_assert_eq!(sdp::media_lines(&once).len(), 2);
                let lone = once.replace("\r\n", "").chars().any(|c| c.is_control() && c != '\t');
                prop_assert!(!lone, "{once:?}");
                let reach = crate::whip::reach::Reach::of(&once);
                prop_assert!(!reach.no_path(&[], std::time::Duration::ZERO).sentence.contains(char::is_control));
            }
        }
    }
}
