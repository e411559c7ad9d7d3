//! The journal: every input of a show, a line each. Replayed, it gives the same events again, so a journal
//! is a whole bug report.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use super::{
    event::Event,
    handle::Input,
    spec::{Mode, ShowSpec},
    state::Show,
};
use crate::base::Now;

/// The first line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// The version of this form: 1.
    pub journal: u32,
    /// The show.
    pub spec: ShowSpec,
    /// For an audience or not.
    pub mode: Mode,
}

/// Every other line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub now: Now,
    /// What went in.
    pub input: Input,
}

/// Why a journal could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum BadJournal {
    /// The file could not be read.
    #[error("the journal cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line is not what it should be. The last line of a killed engine may be cut short; it is left out.
    #[error("line {line} of the journal is not understood: {why}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// There is no first line.
    #[error("the journal is empty")]
    Empty,
}

/// Writes one line.
pub fn write_line(to: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    to.write_all(&text)
}

/// Plays a journal again: the show as it was at the end, and every event.
pub fn replay(journal: impl BufRead) -> Result<(Show, Vec<Event>), BadJournal> {
    // As bytes: a line cut short may end in the middle of a character.
    let mut lines = journal.split(b'\n').enumerate().peekable();
    let (_, first) = lines.next().ok_or(BadJournal::Empty)?;
    let opening: Opening = serde_json::from_slice(&first?)
        .map_err(|e| BadJournal::Line { line: 1, why: e.to_string() })?;
    let mut show = Show::new(opening.spec, opening.mode);
    let mut events = Vec::new();
    while let Some((index, line)) = lines.next() {
        match serde_json::from_slice::<Entry>(&line?) {
            Ok(entry) => events.extend(show.handle(entry.now, entry.input).events),
            Err(_) if lines.peek().is_none() => break,
            Err(e) => return Err(BadJournal::Line { line: index + 1, why: e.to_string() }),
        }
    }
    Ok((show, events))
}
