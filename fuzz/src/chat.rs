//! Live chat: what a platform, a bridge or a viewer sends. Each target drives a real session and checks what comes out
//! of it: every text is clean, every identifier names something, nothing is reported twice, nothing grows.

pub mod answers;
pub mod check;
pub mod claims;
pub mod frames;
pub mod irc;
pub mod rules;
pub mod streams;
pub mod translation;
pub mod words;

/// A body with its name.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("chat_irc", irc::network),
    ("chat_twitch_irc", irc::twitch),
    ("chat_eventsub", frames::eventsub),
    ("chat_bridge", frames::bridge),
    ("chat_kick", frames::kick),
    ("chat_lines", frames::lines),
    ("chat_youtube", streams::youtube),
    ("chat_sse", streams::sse),
    ("chat_facebook", answers::facebook),
    ("chat_shopee", answers::shopee),
    ("chat_rules", rules::rules),
    ("chat_claims", claims::claims),
    ("chat_translation", translation::translation),
    ("chat_words", words::words),
];

/// Marks a step other than bytes. It is in no valid UTF-8; the byte after it says which step.
pub const MARK: u8 = 0xfe;

/// One step of a script.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// These bytes arrive.
    Bytes(&'a [u8]),
    /// Anything else that can happen; each target gives the numbers a meaning.
    Op(u8),
}

/// The steps of a script.
pub fn steps(data: &[u8]) -> Vec<Step<'_>> {
    let mut parts = data.split(|byte| *byte == MARK);
    let mut steps: Vec<Step<'_>> = Vec::new();
    steps.extend(parts.next().filter(|part| !part.is_empty()).map(Step::Bytes));
    for part in parts {
        if let Some((op, rest)) = part.split_first() {
            steps.push(Step::Op(*op));
            steps.extend((!rest.is_empty()).then_some(Step::Bytes(rest)));
        }
    }
    steps
}
