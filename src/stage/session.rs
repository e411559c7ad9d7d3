//! From an offer's text to a session: which codecs the stage speaks, and what of an SDP or a trickle fragment
//! it believes. Opens no socket; what it makes is run by `sfu` or `watch`.

use std::{net::SocketAddr, time::Duration, time::Instant};

use str0m::{Candidate, Rtc, RtcConfig, RtcError, change::SdpOffer};

use crate::{
    show::VideoCodec,
    whip::fingerprint::{self, FingerprintError},
};

/// Which way media go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sends to the stage (WHIP).
    Publisher,
    /// Receives from it (WHEP).
    Viewer,
}

/// Why an SDP was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSdp {
    /// Not an SDP at all, or a broken one. In words of our own: a parser's may hold addresses of memory.
    #[error("this is not a usable SDP: {0}")]
    Broken(&'static str),
    /// The certificate it names cannot be checked.
    #[error("this is not a usable SDP: it {0}")]
    Certificate(#[from] FingerprintError),
    /// Nothing in it can be used.
    #[error(
        "the offer has no sound or picture the stage can take: it speaks H.264 (packetization mode 1), \
         VP8 and Opus; a publisher offers them sendonly, a viewer recvonly"
    )]
    NothingInCommon,
}

/// An offer that was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The session.
    pub rtc: Box<Rtc>,
    /// The answer, as SDP.
    pub answer: String,
    /// The other side's ICE user name; another one means an ICE restart.
    pub ufrag: Option<String>,
    /// What a picture may be coded in; `None` when the offer asks for none.
    pub video: Option<Vec<VideoCodec>>,
}

/// H.264: payload type, its RTX, profile. Constrained Baseline first. One line a profile: two of the same
/// would both claim the peer's payload type.
const H264: [(u8, u8, u32); 4] =
    [(108, 109, 0x42_e000), (127, 121, 0x42_0000), (123, 119, 0x4d_0000), (114, 115, 0x64_0000)];

/// Level 3.1 (720p30), for who names none. With level asymmetry allowed, what is sent may be higher.
const LEVEL: u32 = 0x1f;

/// What every session of ours is made with: RTP mode, sender reports each second. The H.264 levels are the
/// highest of `offer`, so that a 1080p publisher is answered as it asked.
pub fn config(offer: &str) -> RtcConfig {
    let mut config = RtcConfig::new()
        .clear_codecs()
        .enable_opus(true, false)
        .set_rtp_mode(true)
        .set_rtcp_report_interval_audio(Duration::from_secs(1))
        .set_rtcp_report_interval_video(Duration::from_secs(1));
    let codecs = config.codec_config();
    for (pt, rtx, profile) in H264 {
        let level = level(offer, profile).unwrap_or(LEVEL);
        codecs.add_h264(pt.into(), Some(rtx.into()), true, profile | level);
    }
    config.enable_vp8(true)
}

/// The highest level the offer names for a profile.
fn level(offer: &str, profile: u32) -> Option<u32> {
    // Constraint set 1 makes Baseline the constrained one, whatever the other flags say.
    let family = |id: u32| (id >> 16, id >> 16 == 0x42 && id & 0x4000 != 0);
    offer
        .match_indices("profile-level-id=")
        .filter_map(|(at, name)| offer.get(at + name.len()..)?.get(..6))
        .filter_map(|id| u32::from_str_radix(id, 16).ok())
        .filter(|id| family(*id) == family(profile))
        .map(|id| id & 0xff)
        .max()
}

/// Takes an offer and answers it. `candidates` are the addresses the stage can be reached at.
pub fn accept(role: Role, offer: &str, candidates: &[SocketAddr]) -> Result<Accepted, BadSdp> {
    if !offers(role, offer) {
        return Err(if offer.trim_start().starts_with("v=") {
            BadSdp::NothingInCommon
        } else {
            BadSdp::Broken("it does not begin with v=0")
        });
    }
    // Host names (mDNS) are of no use to us: the peer's own checks tell us where it is.
    let offer: String = offer
        .lines()
        .filter(|line| !(line.starts_with("a=candidate:") && line.contains(".local ")))
        .flat_map(|line| [line, "\r\n"])
        .collect();
    // str0m holds the certificate that is shown against this one, and ends the session if it is another.
    let offer = fingerprint::only_sha256(&offer)?;
    let ufrag = attribute(&offer, "ice-ufrag").map(str::to_owned);
    let parsed = SdpOffer::from_sdp_string(&offer).map_err(|_| BadSdp::Broken(UNREADABLE))?;
    let mut rtc = config(&offer).build(Instant::now());
    // One that is here itself needs no other way.
    let here = offer.lines().any(|line| line.starts_with("a=candidate:") && line.contains(" 127."));
    let local: Vec<_> = candidates.iter().filter(|c| c.ip().is_loopback()).collect();
    let usable = if here && !local.is_empty() { local } else { candidates.iter().collect() };
    for address in usable {
        if let Ok(candidate) = Candidate::host(*address, "udp") {
            rtc.add_local_candidate(candidate);
        }
    }
    let answer = rtc.sdp_api().accept_offer(parsed);
    let answer = answer.map_err(|_| BadSdp::Broken(UNANSWERABLE))?.to_sdp_string();
    let useful = answer.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        matches!(words.next(), Some("m=audio" | "m=video")) && words.next() != Some("0")
    });
    if !useful || !speaks(&answer) {
        return Err(BadSdp::NothingInCommon);
    }
    let video = offers_video(&offer).then(|| spoken(&answer));
    Ok(Accepted { rtc: Box::new(rtc), answer, ufrag, video })
}

const UNREADABLE: &str =
    "a line of it is not what RFC 8866 allows, or a payload type has no a=rtpmap";
const UNANSWERABLE: &str = "its sections do not fit together: check a=group:BUNDLE, a=mid, a=setup, the ICE user name \
                            and password, and the fingerprint";

/// Whether the offer has a section for a picture that is not switched off.
fn offers_video(offer: &str) -> bool {
    let mut lines = offer.lines().skip_while(|line| !line.starts_with("m=video "));
    let Some(section) = lines.next() else { return false };
    section.split_ascii_whitespace().nth(1) != Some("0")
        || lines
            .take_while(|line| !line.starts_with("m="))
            .any(|line| line.trim_end() == "a=bundle-only")
}

/// The codecs of a picture in the answer.
fn spoken(answer: &str) -> Vec<VideoCodec> {
    let named = |name: &str| {
        answer.lines().filter_map(|line| line.strip_prefix("a=rtpmap:")?.split_once(' ')).any(
            |(_, codec)| {
                codec.split('/').next().is_some_and(|codec| codec.eq_ignore_ascii_case(name))
            },
        )
    };
    let all = [("h264", VideoCodec::H264), ("vp8", VideoCodec::Vp8)];
    all.into_iter().filter(|(name, _)| named(name)).map(|(_, codec)| codec).collect()
}

/// Whether a codec of ours came out of the negotiation.
fn speaks(answer: &str) -> bool {
    answer.lines().any(|line| {
        line.strip_prefix("a=rtpmap:").and_then(|map| map.split_once(' ')).is_some_and(
            |(_, codec)| {
                let name = codec.split('/').next().unwrap_or_default();
                ["h264", "vp8", "opus"].iter().any(|ours| name.eq_ignore_ascii_case(ours))
            },
        )
    })
}

/// Whether the offer has sound or picture going the right way.
fn offers(role: Role, offer: &str) -> bool {
    let fits = |direction: &str| match role {
        Role::Publisher => matches!(direction, "a=sendonly" | "a=sendrecv"),
        Role::Viewer => matches!(direction, "a=recvonly" | "a=sendrecv"),
    };
    let mut media = false;
    let mut session = "a=sendrecv";
    let mut current: Option<&str> = None;
    let mut any = false;
    for line in offer.lines().map(str::trim_end) {
        if line.starts_with("m=") {
            any |= current.is_some_and(fits);
            media = true;
            let ours = line.starts_with("m=audio ") || line.starts_with("m=video ");
            current = ours.then_some(session);
        } else if matches!(line, "a=sendonly" | "a=recvonly" | "a=sendrecv" | "a=inactive") {
            if !media {
                session = line;
            } else if let Some(direction) = &mut current {
                *direction = line;
            }
        }
    }
    any || current.is_some_and(fits)
}

/// What a trickle fragment (RFC 8840) holds.
#[derive(Debug, Default)]
pub struct Fragment {
    /// The ICE user name it names.
    pub ufrag: Option<String>,
    /// The candidates it brings; those we cannot use are left out.
    pub candidates: Vec<Candidate>,
}

/// Most candidates taken from one fragment.
const MAX_CANDIDATES: usize = 32;

/// Reads a trickle fragment; `None` when there is nothing of one in the text.
pub fn fragment(text: &str) -> Option<Fragment> {
    let known = |line: &str| {
        ["a=candidate:", "a=ice-ufrag:", "a=ice-pwd:", "a=end-of-candidates", "a=mid:"]
            .iter()
            .any(|prefix| line.starts_with(prefix))
    };
    if !text.lines().any(known) {
        return None;
    }
    let candidates = text
        .lines()
        .map(str::trim_end)
        .filter(|line| line.starts_with("a=candidate:"))
        .filter_map(|line| Candidate::from_sdp_string(&line[2..]).ok())
        .take(MAX_CANDIDATES)
        .collect();
    Some(Fragment { ufrag: attribute(text, "ice-ufrag").map(str::to_owned), candidates })
}

/// The value of the first `a=name:value`.
fn attribute<'a>(sdp: &'a str, name: &str) -> Option<&'a str> {
    sdp.lines()
        .filter_map(|line| line.strip_prefix("a="))
        .filter_map(|line| line.strip_prefix(name))
        .find_map(|rest| rest.strip_prefix(':'))
        .map(str::trim)
}

/// Whether a running session broke because somebody showed another certificate than was named for them.
pub const fn is_impostor(error: &RtcError) -> bool {
    // The description itself was taken long before: nothing else of it is looked at while a session runs.
    matches!(error, RtcError::RemoteSdp(_))
}

/// Whether a datagram is RTCP, encrypted or not: by its first two bytes (RFC 7983, 7; RFC 5761, 4).
pub const fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, 192..=223, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtcp_is_told_from_what_else_comes_on_the_same_port() {
        let (nack, report) = ([0x81, 205, 0, 3].as_slice(), [0x80, 201, 0, 1].as_slice());
        assert!(is_rtcp(nack) && is_rtcp(report));
        let (rtp, stun, dtls) = ([0x80, 0xe0, 0, 1], [0, 1, 0, 8], [22, 254, 253, 0]);
        assert!(![rtp.as_slice(), &stun, &dtls, &[], &[0x80]].into_iter().any(is_rtcp));
    }

    #[test]
    fn the_direction_must_fit_the_role() {
        let sdp = "v=0\r\na=sendrecv\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=sendonly\r\n";
        assert!(offers(Role::Publisher, sdp) && !offers(Role::Viewer, sdp));
        let data = "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
        assert!(!offers(Role::Publisher, data) && !offers(Role::Viewer, data));
        assert_eq!(accept(Role::Viewer, data, &[]).unwrap_err(), BadSdp::NothingInCommon);
        assert!(matches!(accept(Role::Viewer, "hello", &[]), Err(BadSdp::Broken(_))));
    }

    #[test]
    fn an_offer_with_every_profile_and_mode_is_answered() {
        // As browsers do it: several payload types a codec.
        let mut rtc = Rtc::builder().build(Instant::now());
        let mut api = rtc.sdp_api();
        let (video, recvonly) = (str0m::media::MediaKind::Video, str0m::media::Direction::RecvOnly);
        api.add_media(video, recvonly, None, None, None);
        let offer = api.apply().unwrap().0.to_sdp_string();
        assert!(offer.matches("profile-level-id").count() > 4);
        let accepted = accept(Role::Viewer, &offer, &[]).unwrap();
        assert!(accepted.answer.contains("profile-level-id=42e01f"), "{}", accepted.answer);
    }

    #[test]
    fn what_is_said_of_a_bad_offer_holds_nothing_of_the_parsers_own() {
        let media = "m=video 9 UDP/TLS/RTP/SAVPF 108\r\na=mid:0\r\na=recvonly\r\n";
        let head = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
        let whole = format!("{head}{media}a=rtpmap:108 H264/90000\r\n");
        let cut = (0..whole.len()).map(|n| whole[..n].to_owned());
        let swapped = (0..whole.len()).map(|n| {
            let mut bytes = whole.clone().into_bytes();
            bytes[n] = b'~';
            String::from_utf8(bytes).unwrap()
        });
        let mut refused = 0;
        for offer in cut.chain(swapped) {
            if let Err(bad) = accept(Role::Viewer, &offer, &[]) {
                refused += 1;
                let words = bad.to_string();
                assert!(!words.contains("0x") && !words.contains("Offset"), "{words}");
            }
        }
        assert!(refused > 100, "{refused}");
    }

    #[test]
    fn what_a_viewer_can_decode_is_known_from_its_offer() {
        let mut offers = Vec::new();
        for (h264, vp8) in [(true, true), (true, false), (false, true)] {
            let mut rtc = Rtc::builder()
                .clear_codecs()
                .enable_opus(true, false)
                .enable_h264(h264)
                .enable_vp8(vp8)
                .build(Instant::now());
            let mut api = rtc.sdp_api();
            for kind in [str0m::media::MediaKind::Video, str0m::media::MediaKind::Audio] {
                api.add_media(kind, str0m::media::Direction::RecvOnly, None, None, None);
            }
            offers.push(api.apply().unwrap().0.to_sdp_string());
        }
        let speaks = |offer: &str| accept(Role::Viewer, offer, &[]).unwrap().video.unwrap();
        use VideoCodec::{H264, Vp8};
        assert_eq!(speaks(&offers[0]), [H264, Vp8]);
        assert_eq!((speaks(&offers[1]), speaks(&offers[2])), (vec![H264], vec![Vp8]));
        let neither = offers[0].replace("H264", "AV1").replace("VP8", "VP9");
        assert_eq!(speaks(&neither), []);
    }

    #[test]
    fn levels_are_those_of_the_offer() {
        let offer = "a=fmtp:96 profile-level-id=42e01f\r\na=fmtp:98 profile-level-id=42c028;x=1\r\n\
                     a=fmtp:99 profile-level-id=42001e\r\na=fmtp:100 profile-level-id=6400";
        assert_eq!(level(offer, 0x42_e000), Some(0x28));
        assert_eq!(level(offer, 0x42_0000), Some(0x1e));
        assert_eq!((level(offer, 0x4d_0000), level(offer, 0x64_0000)), (None, None));
    }

    #[test]
    fn fragments_bring_candidates() {
        let text = "a=ice-ufrag:abcd\r\na=ice-pwd:x\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
                    a=candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host\r\n\
                    a=candidate:2 1 udp 2130706431 x.local 4000 typ host\r\na=end-of-candidates\r\n";
        let fragment = fragment(text).unwrap();
        assert_eq!(fragment.ufrag.as_deref(), Some("abcd"));
        assert_eq!(fragment.candidates.len(), 1);
        assert!(super::fragment("hello").is_none());
    }
}
