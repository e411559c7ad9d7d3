//! SDP as text: what webrtcbin's offers need before they go out, what an answer must hold before it comes
//! in, and the trickle fragment. No session state, no HTTP; nothing here knows a codec.

use std::fmt::Write as _;

use super::Role;
use crate::base::text::plain;

/// What is wrong with a session description, in words that follow "the offer" or "the answer".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SdpError(pub String);

fn wrong<T>(why: impl AsRef<str>) -> Result<T, SdpError> {
    // What is repeated in it may be a stranger's.
    Err(SdpError(plain(why.as_ref())))
}

/// One media section, borrowed from the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaLine<'a> {
    /// `audio`, `video` or `application`.
    pub kind: &'a str,
    /// The port; 0 means refused in an answer.
    pub port: u16,
    /// The protocol: `UDP/TLS/RTP/SAVPF`.
    pub proto: &'a str,
    /// The payload types.
    pub formats: Vec<&'a str>,
    /// The section's lines after `m=`, without line ends.
    pub lines: Vec<&'a str>,
}

impl<'a> MediaLine<'a> {
    /// The value of the section's first `a=name:value`.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        attribute(&self.lines, name)
    }

    /// Whether the section holds the flag `a=name`.
    pub fn flag(&self, name: &str) -> bool {
        self.lines.iter().any(|line| line.strip_prefix("a=") == Some(name))
    }

    /// `sendonly`, `recvonly`, `inactive`, or `sendrecv`, which is what silence means.
    pub fn direction(&self) -> &'static str {
        DIRECTIONS.into_iter().find(|d| self.flag(d)).unwrap_or("sendrecv")
    }

    fn is_rtp(&self) -> bool {
        matches!(self.kind, "audio" | "video")
    }
}

pub(super) const DIRECTIONS: [&str; 4] = ["sendonly", "recvonly", "inactive", "sendrecv"];

/// The value of the first `a=name:value` among these lines.
pub(super) fn attribute<'a>(lines: &[&'a str], name: &str) -> Option<&'a str> {
    lines.iter().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
}

/// The lines before the first `m=`, and every media section.
pub(super) fn parse(sdp: &str) -> Result<(Vec<&str>, Vec<MediaLine<'_>>), SdpError> {
    let mut lines = sdp.lines().map(str::trim_end).filter(|line| !line.is_empty());
    if lines.next() != Some("v=0") {
        return wrong("is no session description (it does not begin with v=0)");
    }
    let (mut session, mut media) = (vec!["v=0"], Vec::<MediaLine<'_>>::new());
    for line in lines {
        if line.as_bytes().get(1) != Some(&b'=') {
            return wrong("is no session description (a line is not of the form x=value)");
        }
        if let Some(rest) = line.strip_prefix("m=") {
            let mut words = rest.split_ascii_whitespace();
            let (Some(kind), Some(port), Some(proto)) = (words.next(), words.next(), words.next())
            else {
                return wrong("holds a broken m= line");
            };
            let Ok(port) = port.split('/').next().unwrap_or(port).parse() else {
                return wrong("holds an m= line without a port");
            };
            media.push(MediaLine { kind, port, proto, formats: words.collect(), lines: vec![] });
        } else if let Some(section) = media.last_mut() {
            section.lines.push(line);
        } else {
            session.push(line);
        }
    }
    if media.is_empty() {
        return wrong("holds no audio and no video");
    }
    Ok((session, media))
}

/// Whether a section is not refused. Port 0 refuses it, but for one that goes with its bundle (RFC 9143, section 6).
pub(super) fn is_alive(session: &[&str], section: &MediaLine<'_>) -> bool {
    let bundled = || {
        let group = session.iter().find_map(|line| line.strip_prefix("a=group:BUNDLE "));
        let mid = section.attribute("mid").map(str::trim);
        let mut mids = group.unwrap_or_default().split_ascii_whitespace();
        section.flag("bundle-only") && mid.is_some() && mids.any(|name| Some(name) == mid)
    };
    section.port != 0 || bundled()
}

/// The media sections in order; empty when the text is no session description.
pub fn media_lines(sdp: &str) -> Vec<MediaLine<'_>> {
    parse(sdp).map(|(_, media)| media).unwrap_or_default()
}

/// The first ICE user fragment and password, at session or media level.
pub fn ice_credentials(sdp: &str) -> Option<(&str, &str)> {
    let lines: Vec<&str> = sdp.lines().map(str::trim_end).collect();
    Some((attribute(&lines, "ice-ufrag")?, attribute(&lines, "ice-pwd")?))
}

/// Every candidate in the text, as `candidate:…` without the `a=`. One with a control character in it (a return in the
/// middle of the line, say) is none.
pub fn candidates(sdp: &str) -> Vec<&str> {
    sdp.lines()
        .filter_map(|line| line.trim_end().strip_prefix("a="))
        .filter(|value| value.starts_with("candidate:") && !value.contains(char::is_control))
        .collect()
}

/// The index of the m-line that carries the transport: the first one the BUNDLE group names.
pub fn bundle_line(sdp: &str) -> u32 {
    let tag = sdp.lines().find_map(|l| l.strip_prefix("a=group:BUNDLE ")?.split(' ').next());
    let at = tag.and_then(|tag| {
        media_lines(sdp).iter().position(|m| m.attribute("mid") == Some(tag.trim_end()))
    });
    at.unwrap_or(0) as u32
}

/// Makes webrtcbin's offer one that RFC 9725 allows a publisher to send: every m-line `sendonly`,
/// `rtcp-mux` and `rtcp-mux-only`, `setup:actpass`, `ice-options:trickle`, one stream id, and a port (9) where a
/// section goes with its bundle only: servers that know no `bundle-only` take port 0 for a refusal. Applying it twice
/// changes nothing.
///
/// # Errors
/// When the text is no offer of at most one audio and one video track, bundled, with ICE credentials
/// and a fingerprint, or when a track would receive only or nothing.
pub fn polish_offer(offer: &str) -> Result<String, SdpError> {
    polish(offer, Role::Whip)
}

/// The same for a viewer's offer (WHEP): every m-line `recvonly`. Stream ids are left alone.
///
/// # Errors
/// As [`polish_offer`], with the directions the other way round.
pub fn polish_viewer_offer(offer: &str) -> Result<String, SdpError> {
    polish(offer, Role::Whep)
}

pub(super) fn polish(offer: &str, role: Role) -> Result<String, SdpError> {
    let (session, media) = parse(offer)?;
    for kind in ["audio", "video"] {
        if media.iter().filter(|m| m.kind == kind).count() > 1 {
            return wrong(format!("holds more than one {kind} track"));
        }
    }
    if media.len() > 1 && !session.iter().any(|l| l.starts_with("a=group:BUNDLE ")) {
        return wrong("does not bundle its tracks");
    }
    if ice_credentials(offer).is_none() {
        return wrong("holds no ICE credentials");
    }
    let (want, other) = match role {
        Role::Whip => ("sendonly", "recvonly"),
        Role::Whep => ("recvonly", "sendonly"),
    };
    let stream = stream_id(&media);
    let mut out = String::with_capacity(offer.len() + 256);
    for line in &session {
        push(&mut out, line);
    }
    if !session.contains(&"a=ice-options:trickle") {
        push(&mut out, "a=ice-options:trickle");
    }
    for (index, section) in media.iter().enumerate() {
        if section.attribute("fingerprint").is_none()
            && attribute(&session, "fingerprint").is_none()
        {
            return wrong("holds no certificate fingerprint");
        }
        let formats = section.formats.join(" ");
        let MediaLine { kind, proto, .. } = section;
        let bundled = section.port == 0 && is_alive(&session, section);
        let port = if bundled { 9 } else { section.port };
        push(&mut out, &format!("m={kind} {port} {proto} {formats}"));
        if !section.is_rtp() {
            section.lines.iter().for_each(|line| push(&mut out, line));
            continue;
        }
        let direction = section.direction();
        if direction == other || direction == "inactive" {
            return wrong(format!("says {direction} for its {kind}"));
        }
        polish_section(&mut out, section, want, (role == Role::Whip).then_some(&stream), index);
    }
    Ok(out)
}

fn polish_section(
    out: &mut String,
    section: &MediaLine<'_>,
    direction: &str,
    stream: Option<&String>,
    index: usize,
) {
    // The track's own id: from its msid, or from what its sender says of it.
    let ids = section.attribute("msid").or_else(|| {
        let said = section.lines.iter().filter(|line| line.starts_with("a=ssrc:"));
        said.filter_map(|line| line.split_once(" msid:")).map(|(_, ids)| ids).next()
    });
    let track = ids.and_then(|ids| ids.split_ascii_whitespace().nth(1));
    let track = track.map_or_else(|| format!("track{index}"), str::to_owned);
    for line in &section.lines {
        let value = line.strip_prefix("a=").unwrap_or_default();
        // These are written afresh below, in one place and one form.
        if DIRECTIONS.contains(&value)
            || value.starts_with("setup:")
            || (stream.is_some() && value.starts_with("msid:"))
            || matches!(value, "rtcp-mux" | "rtcp-mux-only" | "ice-options:trickle" | "bundle-only")
        {
            continue;
        }
        match (stream, value.split_once(" msid:")) {
            (Some(stream), Some((ssrc, _))) if ssrc.starts_with("ssrc:") => {
                push(out, &format!("a={ssrc} msid:{stream} {track}"));
            }
            _ => push(out, line),
        }
    }
    for line in ["a=rtcp-mux", "a=rtcp-mux-only", "a=setup:actpass"] {
        push(out, line);
    }
    push(out, &format!("a={direction}"));
    if let Some(stream) = stream {
        push(out, &format!("a=msid:{stream} {track}"));
    }
}

pub(super) fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push_str("\r\n");
}

/// The stream id the first track already has, so that nothing changes needlessly.
fn stream_id(media: &[MediaLine<'_>]) -> String {
    let named = media.iter().flat_map(|m| &m.lines).find_map(|line| {
        let ids = line.strip_prefix("a=msid:").or_else(|| {
            line.strip_prefix("a=ssrc:").and_then(|l| l.split_once(" msid:")).map(|(_, ids)| ids)
        })?;
        ids.split_ascii_whitespace().next().filter(|id| *id != "-")
    });
    named.unwrap_or("hawker").to_owned()
}

/// Whether an answer takes what the offer offers: the same m-lines in the same order, none refused,
/// a codec of ours in each, a fingerprint and ICE credentials.
///
/// # Errors
/// What is wrong, in words that follow "the answer".
pub fn check_answer(offer: &str, answer: &str) -> Result<(), SdpError> {
    let (session, answered) = parse(answer)?;
    let offered = media_lines(offer);
    let kinds = |lines: &[MediaLine<'_>]| {
        lines.iter().map(|m| m.kind.to_owned()).collect::<Vec<_>>().join(", ")
    };
    if kinds(&offered) != kinds(&answered) {
        return wrong(format!(
            "is for other tracks: offered {}, answered {}",
            kinds(&offered),
            kinds(&answered).chars().take(60).collect::<String>()
        ));
    }
    for (ours, theirs) in offered.iter().zip(&answered) {
        let kind = ours.kind;
        if !is_alive(&session, theirs) || theirs.direction() == "inactive" {
            return wrong(format!("refuses the {kind}"));
        }
        if !theirs.formats.iter().any(|format| ours.formats.contains(format)) {
            return wrong(format!("names no {kind} codec that was offered"));
        }
    }
    let has = |name| {
        attribute(&session, name).or_else(|| answered.iter().find_map(|m| m.attribute(name)))
    };
    for (name, what) in [
        ("fingerprint", "certificate fingerprint"),
        ("ice-ufrag", "ICE user fragment (ice-ufrag)"),
        ("ice-pwd", "ICE password (ice-pwd)"),
    ] {
        if has(name).is_none_or(str::is_empty) {
            return wrong(format!("holds no {what}"));
        }
    }
    Ok(())
}

/// The offer with these candidates at its bundle's m-line, for an endpoint that takes no PATCH.
pub(super) fn with_candidates(offer: &str, candidates: &[String], done: bool) -> String {
    let at = bundle_line(offer) as usize;
    let mut out = String::with_capacity(offer.len() + 128 * candidates.len());
    // The session's lines are before the first section.
    let mut section = None;
    let put = |out: &mut String, section: Option<usize>| {
        if section == Some(at) {
            for candidate in candidates {
                push(out, &format!("a={candidate}"));
            }
            if done {
                push(out, "a=end-of-candidates");
            }
        }
    };
    for line in offer.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if line.starts_with("m=") {
            put(&mut out, section);
            section = Some(section.map_or(0, |n| n + 1));
        }
        push(&mut out, line);
    }
    put(&mut out, section);
    out
}

/// The body of a trickle PATCH (RFC 8840, in the shape RFC 9725 shows): the bundle's m-line with its
/// credentials and the candidates, each as `candidate:…`.
pub(super) fn fragment(offer: &str, candidates: &[String], done: bool) -> Option<String> {
    let media = media_lines(offer);
    let line = media.get(bundle_line(offer) as usize)?;
    let (ufrag, pwd) = ice_credentials(offer)?;
    let mut out = String::new();
    if let Some(group) = offer.lines().find(|l| l.starts_with("a=group:BUNDLE ")) {
        push(&mut out, group.trim_end());
    }
    let format = line.formats.first().copied().unwrap_or("0");
    push(&mut out, &format!("m={} 9 {} {format}", line.kind, line.proto));
    if let Some(mid) = line.attribute("mid") {
        push(&mut out, &format!("a=mid:{mid}"));
    }
    let _ = write!(out, "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n");
    for candidate in candidates {
        push(&mut out, &format!("a={candidate}"));
    }
    if done {
        push(&mut out, "a=end-of-candidates");
    }
    Some(out)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What webrtcbin 1.22 offers, shortened.
    pub(crate) const OFFER: &str = "v=0\r\no=- 1 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
        a=ice-options:trickle\r\na=group:BUNDLE video0 audio1\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=setup:actpass\r\n\
        a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
        a=sendrecv\r\na=rtpmap:96 H264/90000\r\na=ssrc:11 msid:user@host webrtctransceiver0\r\n\
        a=ssrc:11 cname:user@host\r\na=mid:video0\r\na=fingerprint:sha-256 AA:BB\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=setup:actpass\r\n\
        a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=rtcp-mux\r\na=sendonly\r\n\
        a=rtpmap:111 OPUS/48000/2\r\na=ssrc:22 msid:other@host webrtctransceiver1\r\n\
        a=mid:audio1\r\na=fingerprint:sha-256 AA:BB\r\n";

    pub(crate) const ANSWER: &str = "v=0\r\no=- 2 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        a=group:BUNDLE video0 audio1\r\na=fingerprint:sha-256 CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:\
        CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC\r\na=ice-ufrag:wxyz\r\n\
        a=ice-pwd:9876543210987654321098\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n\
        a=mid:video0\r\na=recvonly\r\na=setup:passive\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
        a=mid:audio1\r\na=recvonly\r\na=setup:passive\r\n";

    #[test]
    fn an_offer_is_polished_once_and_for_all() {
        let polished = polish_offer(OFFER).unwrap();
        for media in media_lines(&polished) {
            assert_eq!(media.direction(), "sendonly");
            assert!(media.flag("rtcp-mux") && media.flag("rtcp-mux-only"));
            assert_eq!(media.attribute("setup"), Some("actpass"));
            assert_eq!(media.attribute("msid").unwrap().split(' ').next(), Some("user@host"));
        }
        assert!(!polished.contains("other@host"));
        assert!(polished.contains("a=ssrc:22 msid:user@host webrtctransceiver1\r\n"));
        assert!(polished.contains("a=msid:user@host webrtctransceiver1\r\n"));
        assert_eq!(polished.matches("a=ice-options:trickle").count(), 1);
        let mux = polished.find("a=rtcp-mux\r\na=rtcp-mux-only\r\n");
        assert!(mux.is_some(), "{polished}");
        // webrtcbin offers what goes with the bundle only with port 0.
        let zero = OFFER
            .replace("m=audio 9", "m=audio 0")
            .replace("a=mid:audio1", "a=bundle-only\r\na=mid:audio1");
        let zero = polish_offer(&zero).unwrap();
        assert!(zero.contains("m=audio 9 ") && !zero.contains("bundle-only"), "{zero}");
        assert_eq!(polish_offer(&polished).unwrap(), polished);
    }

    #[test]
    fn an_offer_that_is_none_is_refused_in_words() {
        let cases = [
            ("hello", "does not begin with v=0"),
            ("v=0\r\n", "no audio and no video"),
            (&OFFER.replace("sendonly", "recvonly"), "recvonly for its audio"),
            (&OFFER.replace("m=audio", "m=video"), "more than one video"),
            (&OFFER.replace("a=group", "a=groop"), "does not bundle"),
            (&OFFER.replace("a=ice-pwd", "a=ice-pawd"), "no ICE credentials"),
            (&OFFER.replace("a=fingerprint", "a=finger"), "no certificate fingerprint"),
        ];
        for (offer, why) in cases {
            let error = polish_offer(offer).unwrap_err().to_string();
            assert!(error.contains(why), "{error} lacks {why}");
            assert!(!error.contains(char::is_control), "{error:?}");
        }
    }

    #[test]
    fn a_viewers_offer_receives_only() {
        let offer = OFFER.replace("a=sendonly", "a=recvonly");
        let polished = polish_viewer_offer(&offer).unwrap();
        assert!(media_lines(&polished).iter().all(|m| m.direction() == "recvonly"));
        assert!(polish_viewer_offer(OFFER).is_err());
    }

    #[test]
    fn answers_are_checked_in_words() {
        assert_eq!(check_answer(OFFER, ANSWER), Ok(()));
        let cases = [
            (ANSWER.replace("m=audio 9", "m=audio 0"), "refuses the audio"),
            (ANSWER.replace("a=recvonly", "a=inactive"), "refuses the video"),
            (ANSWER.replace("SAVPF 96", "SAVPF 102"), "no video codec that was offered"),
            (ANSWER.replace("m=audio", "m=video"), "other tracks"),
            (ANSWER.replace("a=fingerprint", "a=x"), "no certificate fingerprint"),
            (ANSWER.replace("a=ice-ufrag", "a=x"), "no ICE user fragment"),
            (ANSWER.replace("a=ice-pwd", "a=x"), "no ICE password"),
            ("v=0\r\ngarbage".into(), "not of the form"),
            // Found by libFuzzer: the kind of a track was repeated as it was.
            ("v=0\r\nm=\0\u{9b}2J 1 x 0\r\n".into(), "answered 2J"),
        ];
        for (answer, why) in cases {
            let error = check_answer(OFFER, &answer).unwrap_err().to_string();
            assert!(error.contains(why), "{error} lacks {why}");
        }
    }

    #[test]
    fn a_candidate_is_one_line_whatever_ends_a_line_elsewhere() {
        let text = "a=candidate:1 1 UDP 1 ::1 9 typ host\r\na=candidate:2\ra=ice-pwd:x\r\na=candidate:\0\n";
        assert_eq!(candidates(text), ["candidate:1 1 UDP 1 ::1 9 typ host"]);
    }

    #[test]
    fn the_fragment_names_the_bundles_line_only() {
        let fragment = fragment(OFFER, &["candidate:1 1 UDP 1 127.0.0.1 5 typ host".into()], true);
        assert_eq!(
            fragment.unwrap(),
            "a=group:BUNDLE video0 audio1\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:video0\r\n\
             a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
             a=candidate:1 1 UDP 1 127.0.0.1 5 typ host\r\na=end-of-candidates\r\n"
        );
    }

    #[test]
    fn candidates_go_into_the_offer_at_the_bundles_line() {
        let held = ["candidate:1 1 UDP 1 127.0.0.1 5 typ host".to_owned()];
        for (offer, before) in [
            (OFFER.to_owned(), "m=audio"),
            (OFFER.replace("BUNDLE video0 audio1", "BUNDLE audio1 video0"), ""),
        ] {
            let with = with_candidates(&offer, &held, true);
            let want = format!("a={}\r\na=end-of-candidates\r\n{before}", held[0]);
            assert!(with.contains(&want) && with.matches(&held[0]).count() == 1, "{with}");
            assert_eq!(with.lines().count(), offer.lines().count() + 2);
        }
        assert!(!with_candidates(OFFER, &held, false).contains("end-of-candidates"));
    }

    #[test]
    fn the_bundles_line_is_the_one_its_group_names_first() {
        assert_eq!(bundle_line(OFFER), 0);
        assert_eq!(bundle_line(&OFFER.replace("BUNDLE video0 audio1", "BUNDLE audio1 video0")), 1);
        let with = format!("{OFFER}a=candidate:1 1 UDP 1 10.0.0.1 5 typ host\r\n");
        assert_eq!(candidates(&with), ["candidate:1 1 UDP 1 10.0.0.1 5 typ host"]);
    }

    proptest! {
        /// An answer or an offer that was damaged on its way is taken or refused, in one line, without a panic.
        #[test]
        fn damaged_sdp_is_no_panic(
            cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4),
            put in prop::collection::vec((any::<prop::sample::Index>(), ".{0,12}"), 0..4),
        ) {
            let damage = |text: &str| {
                let mut lines: Vec<String> = text.split("\r\n").map(Into::into).collect();
                for (from, to) in &cuts {
                    let (a, b) = (from.index(lines.len()), to.index(lines.len()));
                    lines.swap(a, b);
                    let half = lines[a].chars().take(b).collect();
                    lines[a] = half;
                }
                for (at, what) in &put {
                    let n = at.index(lines.len());
                    lines[n].push_str(what);
                }
                lines.join("\r\n")
            };
            let (offer, answer) = (damage(OFFER), damage(ANSWER));
            for result in [
                polish_offer(&offer).map(drop),
                polish_viewer_offer(&offer).map(drop),
                check_answer(OFFER, &answer),
            ] {
                let said = result.err().map(|e| e.to_string()).unwrap_or_default();
                prop_assert!(!said.contains(char::is_control), "{said:?}");
            }
            let _ = (ice_credentials(&answer), candidates(&answer), bundle_line(&answer));
        }

        /// A fragment read from anything is candidates, one a line; one made of anything holds each of them.
        #[test]
        fn fragments_are_read_and_made(
            text in "((a=candidate:|a=mid:|m=|a=ice-ufrag:|a=)?.{0,20}\r?\n){0,12}",
            held in prop::collection::vec("candidate:[!-~]{1,8}( [!-~]{1,8}){0,6}", 0..5),
            done: bool,
        ) {
            for candidate in candidates(&text) {
                prop_assert!(candidate.starts_with("candidate:") && !candidate.contains('\n'));
            }
            let _ = (ice_credentials(&text), bundle_line(&text), media_lines(&text));
            let whole = fragment(OFFER, &held, done).unwrap();
            prop_assert_eq!(candidates(&whole), held.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(whole.contains("a=end-of-candidates"), done);
            let with = with_candidates(OFFER, &held, done);
            prop_assert_eq!(candidates(&with).len(), held.len());
            prop_assert_eq!(media_lines(&with).len(), 2);
        }
    }
}
