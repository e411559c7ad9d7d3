//! What a viewer asks of an answer. A publisher needs every track it offers; a viewer takes what there is: a stream may
//! have sound alone or a picture alone.

use super::sdp::{MediaLine, SdpError, check_answer, media_lines};

/// Whether an answer gives a viewer anything.
///
/// # Errors
/// What is wrong, in words that follow "the answer".
pub fn check_answer_of_viewer(offer: &str, answer: &str) -> Result<(), SdpError> {
    let (offered, answered) = (media_lines(offer), media_lines(answer));
    if offered.len() != answered.len() || answered.is_empty() {
        // It is no answer to this offer at all: the common rule has the words.
        return check_answer(offer, answer);
    }
    let given: Vec<bool> = answered.iter().map(is_given).collect();
    if !given.contains(&true) {
        return Err(SdpError("has neither sound nor picture: the stream is empty".into()));
    }
    // The common rule, without the tracks that there are not.
    check_answer(&without(offer, &given), &without(answer, &given))
}

/// Whether an answer has a picture.
pub fn has_picture(answer: &str) -> bool {
    media_lines(answer).iter().any(|media| media.kind == "video" && is_given(media))
}

fn is_given(media: &MediaLine<'_>) -> bool {
    let refused = media.port == 0 && !media.flag("bundle-only");
    !refused && matches!(media.direction(), "sendonly" | "sendrecv")
}

/// The text without the sections that are not kept.
fn without(sdp: &str, keep: &[bool]) -> String {
    let mut out = String::with_capacity(sdp.len());
    let mut section = None;
    for line in sdp.lines() {
        if line.starts_with("m=") {
            section = Some(section.map_or(0, |n: usize| n + 1));
        }
        if section.is_none_or(|n| keep.get(n).copied().unwrap_or(false)) {
            out.push_str(line.trim_end());
            out.push_str("\r\n");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-ufrag:abcd\r\n\
                        a=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 AA:BB\r\n";
    const OFFER: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\na=recvonly\r\n\
                         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=recvonly\r\n";

    fn answer(video: &str, audio: &str) -> Result<(), String> {
        let section = |kind: &str, format: &str, how: &str| {
            let (port, direction) = how.split_once(' ').unwrap();
            format!(
                "m={kind} {port} UDP/TLS/RTP/SAVPF {format}\r\na=rtpmap:{format} x/1\r\na={direction}\r\n"
            )
        };
        let answer =
            format!("{HEAD}{}{}", section("video", "96", video), section("audio", "111", audio));
        check_answer_of_viewer(&format!("{HEAD}{OFFER}"), &answer).map_err(|e| e.0)
    }

    #[test]
    fn one_track_is_enough_for_a_viewer_and_none_is_not() {
        for not_given in ["0 inactive", "0 sendonly", "9 inactive", "9 recvonly"] {
            assert_eq!(answer("9 sendonly", not_given), Ok(()), "{not_given}");
            assert_eq!(answer(not_given, "9 sendonly"), Ok(()), "{not_given}");
            let neither = answer(not_given, not_given).unwrap_err();
            assert!(neither.contains("neither sound nor picture"), "{neither}");
        }
        assert_eq!(answer("9 sendonly", "9 sendrecv"), Ok(()));
    }

    #[test]
    fn what_is_given_must_be_what_was_offered() {
        let offer = format!("{HEAD}{OFFER}");
        let other = offer.replace(" 96\r", " 97\r").replace("recvonly", "sendonly");
        let why = check_answer_of_viewer(&offer, &other).unwrap_err().0;
        assert!(why.contains("video codec"), "{why}");
        assert!(check_answer_of_viewer(&offer, "hello").is_err());
        assert!(check_answer_of_viewer(&offer, HEAD).is_err());
        assert!(has_picture(&offer.replace("recvonly", "sendonly")) && !has_picture(&offer));
    }
}
