//! What a platform answers to a request that writes. Each platform's module knows where its words stand; what a status
//! of HTTP means by itself is here. The words are the platform's own: cleaned, and without any secret of this process.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use serde_json::Value;

use super::{
    Text, json,
    send::{Answer, Failure},
};
use crate::base::mask::masked;

/// The least and the most that is waited where a platform says "later".
const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_mins(15);

/// An answer of HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// The status; 0 where there was no answer.
    pub status: u16,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// What `Retry-After` asks for: [`retry_after`].
    pub after: Option<Duration>,
}

impl Response {
    /// Whether the status is one of success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body; null where it is no JSON.
    pub fn json(&self) -> Value {
        let body = self.body.get(..json::MOST_JSON).unwrap_or(&self.body);
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Asked too often: again after what the platform names, or after `usual`.
    pub fn later(&self, usual: Duration) -> Answer {
        Answer::Later(self.after.unwrap_or(usual).clamp(LEAST, MOST))
    }

    /// The answer is no success. `code` and `words` are what the platform says of it, as far as it says something.
    pub fn refused(&self, code: Option<&str>, words: Option<&str>) -> Answer {
        let number = self.status.to_string();
        match self.status {
            0 => Answer::Failed(Failure::Network),
            429 => self.later(LEAST * 5),
            503 if self.after.is_some() => self.later(LEAST * 5),
            401 | 403 if code.is_none() && words.is_none_or(only_the_status) => {
                Answer::Failed(Failure::NotAllowed)
            }
            // It broke there: nothing was refused.
            500.. => {
                let words = words.map_or_else(
                    || format!("status {number}"),
                    |words| format!("status {number}: {words}"),
                );
                Answer::Failed(Failure::Other(Text::new(&masked(&words))))
            }
            _ => dropped(code.unwrap_or(&number), words.unwrap_or_default()),
        }
    }
}

/// Refused with this code and these words of a platform.
pub fn dropped(code: &str, words: &str) -> Answer {
    Answer::Dropped { code: Text::name(&masked(code)), text: Text::new(&masked(words)) }
}

/// Words that say no more than the status does.
fn only_the_status(words: &str) -> bool {
    let words = words.trim().trim_end_matches('.');
    ["", "unauthorized", "forbidden"].iter().any(|plain| words.eq_ignore_ascii_case(plain))
}

/// Reads `Retry-After`: a number of seconds, or a date (RFC 9110, 10.2.3).
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::Secret;

    fn of(status: u16) -> Response {
        Response { status, ..Response::default() }
    }

    #[test]
    fn a_status_alone_is_told_apart() {
        assert_eq!(of(0).refused(None, None), Answer::Failed(Failure::Network));
        for words in [None, Some("Unauthorized"), Some("forbidden.")] {
            assert_eq!(of(401).refused(None, words), Answer::Failed(Failure::NotAllowed));
        }
        assert_eq!(of(403).refused(None, Some("slow mode")), dropped("403", "slow mode"));
        assert_eq!(of(403).refused(Some("forbidden"), None), dropped("forbidden", ""));
        let broken = Answer::Failed(Failure::Other(Text::new("status 502")));
        assert_eq!(of(502).refused(None, None), broken);
        assert_eq!(of(429).refused(None, Some("x")), Answer::Later(Duration::from_secs(5)));
        let later = Response { after: Some(Duration::from_secs(7)), ..of(503) };
        assert_eq!(later.refused(None, None), Answer::Later(Duration::from_secs(7)));
        let never = Response { after: Some(Duration::MAX), ..of(429) };
        assert_eq!(never.refused(None, None), Answer::Later(MOST));
    }

    #[test]
    fn the_words_hold_no_secret_and_nothing_for_a_terminal() {
        let _kept = Secret::new("EAAB-words-of-ours");
        let Answer::Dropped { code, text } =
            dropped("190 EAAB-words-of-ours", "Malformed access token EAAB-words-of-ours\u{1b}[2J")
        else {
            panic!()
        };
        assert!(!code.as_str().contains("EAAB") && !text.as_str().contains("EAAB"), "{text:?}");
        assert!(text.as_str().starts_with("Malformed access token …"), "{text:?}");
        assert!(!text.as_str().contains('\u{1b}'));
    }

    #[test]
    fn retry_after_is_a_number_or_a_date() {
        let now = "1994-11-06T08:49:07Z".parse().unwrap();
        for (value, want) in [
            ("30", Some(30)),
            (" 7 ", Some(7)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(retry_after(value, now), want.map(Duration::from_secs), "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_breaks_it(status: u16, body: Vec<u8>, after in proptest::option::of(0_u64..), value: String) {
            let response = Response { status, body, after: after.map(Duration::from_secs) };
            let _ = (response.json(), response.refused(None, Some(&value)), response.later(MOST));
            let _ = retry_after(&value, Timestamp::UNIX_EPOCH);
        }
    }
}
