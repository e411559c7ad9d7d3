//! Translation of lines into the host's language and back, without I/O: what is asked of a service, in which batches, what
//! is remembered, and what of an answer may be shown.
//!
//! - An answer is untrusted: what is translated can steer it. [`verdict`] lets nothing through that can be followed or
//!   called and was not in the original. That a model *answered* a line instead of translating it cannot be told from
//!   its text; the original stays one key away for that.
//! - Codes, prices, quantities, emotes, mentions and links are not sent: placeholders stand for them ([`shield`]).
//! - Nothing waits for a translation. When more lines come than the service takes, the oldest give way and are counted.
//! - Without a service, or before one is asked, the phrase tables answer; such a translation is marked.

pub mod cache;
pub mod queue;
pub mod shield;
pub mod spec;
pub mod verdict;
pub mod wire;

use std::ops::Range;

use serde::Serialize;

use super::{Text, language::Language};

pub use queue::{Batch, Translator};
pub use spec::{Endpoint, Kind, TranslationSpec};
pub use verdict::Refusal;

/// A line to translate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The caller's number of the line.
    pub id: u64,
    /// The line.
    pub text: Text,
    /// Its language, where it is known.
    pub from: Option<Language>,
    /// The language wanted.
    pub to: Language,
    /// Parts of the line that stay as they are, in bytes: emotes, names of the catalogue.
    pub keep: Vec<Range<usize>>,
}

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// It is in that language already, or holds nothing to translate.
    NotNeeded,
    /// It waits for the service.
    Queued,
    /// The service's translation, checked.
    Translated {
        /// The line in the language wanted.
        text: Text,
    },
    /// The phrase tables know what it says. It is the meaning and not the words: mark it as such.
    ByPhrase {
        /// The phrase in the language wanted.
        text: Text,
    },
    /// The service's translation may not be shown.
    Refused {
        /// The check that it failed.
        why: Refusal,
    },
    /// There is none.
    Unavailable {
        /// The state of the service.
        why: Unavailable,
    },
}

impl State {
    /// Whether nothing more comes of the line.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Queued)
    }
}

/// Why there is no translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unavailable {
    /// No service is configured, and the phrase tables do not know the line.
    NoService,
    /// More lines came than the service takes: newer ones went before it.
    Crowded,
    /// It waited too long to be of use.
    Late,
    /// The service refuses the key.
    NotAllowed,
    /// The service failed, several times.
    Failed,
}

/// A line with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// [`Job::id`].
    pub id: u64,
    /// What became of it.
    pub state: State,
}

/// What has been counted since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counters {
    /// Lines translated by the service, from memory included.
    pub translated: u64,
    /// Of these, from memory.
    pub remembered: u64,
    /// Lines translated by phrase tables.
    pub by_phrase: u64,
    /// Translations that may not be shown.
    pub refused: u64,
    /// Lines that gave way to newer ones.
    pub crowded: u64,
    /// Lines without a translation for another reason.
    pub unavailable: u64,
    /// Requests sent.
    pub requests: u64,
    /// Requests that failed.
    pub failed: u64,
}

#[cfg(test)]
mod tests;
