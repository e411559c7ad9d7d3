//! Problems in a file, each with what is wrong, where, and what to do. It shows the line as written,
//! except what may be a secret. It reads no file and decides nothing.

use std::{fmt, ops::Range};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::redact;

/// The widest piece of a source line that is shown, in terminal columns.
const WIDEST: usize = 120;

/// The most problems that are written out: beyond, it is not the right file.
const SHOWN: usize = 100;

/// Where in a file a problem is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// The line, secrets and control characters replaced.
    shown: String,
    /// Terminal columns before the caret.
    indent: usize,
    /// Carets, at least 1.
    carets: usize,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the user named it.
    pub origin: String,
    /// Where in it; `None` when it is about the file as a whole.
    pub spot: Option<Spot>,
    /// What is wrong, and why.
    pub what: String,
    /// What to do about it.
    pub todo: String,
}

impl Problem {
    /// A problem with a file as a whole.
    pub fn whole(
        origin: impl Into<String>,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self { origin: origin.into(), spot: None, what: what.into(), todo: todo.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(spot) = &self.spot else {
            return write!(f, "{}: {}\n  = {}", self.origin, self.what, self.todo);
        };
        let gutter = spot.line.to_string().len();
        writeln!(f, "{}:{}:{}: {}", self.origin, spot.line, spot.column, self.what)?;
        writeln!(f, "{:gutter$} |", "")?;
        writeln!(f, "{} | {}", spot.line, spot.shown)?;
        writeln!(
            f,
            "{:gutter$} | {:indent$}{}",
            "",
            "",
            "^".repeat(spot.carets),
            indent = spot.indent
        )?;
        write!(f, "{:gutter$} = {}", "", self.todo)
    }
}

/// All the problems found in one pass; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics(Vec<Problem>);

impl Diagnostics {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Always false: no problem is no `Diagnostics`.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problems, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl From<Problem> for Diagnostics {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().take(SHOWN).enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        match self.0.len() {
            0 | 1 => {}
            all @ ..=SHOWN => write!(f, "\n\n{all} problems")?,
            all => write!(f, "\n\n{all} problems, the first {SHOWN} of them shown")?,
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Collects the problems of one file (and of the presets it names) while it is read.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    origin: &'a str,
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
    /// What is never shown, in order.
    hidden: Vec<Range<usize>>,
    found: Vec<(usize, Problem)>,
}

impl<'a> Findings<'a> {
    /// For a file of that name and text.
    pub(super) fn new(origin: &'a str, text: &'a str) -> Self {
        let lines =
            std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        Self { origin, text, lines, hidden: redact::in_text(text), found: Vec::new() }
    }

    /// Never show these bytes of the text.
    pub(super) fn hide(&mut self, span: Range<usize>) {
        self.hidden.push(span);
        self.hidden.sort_by_key(|r| (r.start, r.end));
    }

    /// A problem at `span`, in bytes of the text.
    pub(super) fn add(
        &mut self,
        span: &Range<usize>,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) {
        let (origin, spot) = (self.origin.to_owned(), Some(self.spot(span)));
        let problem = Problem { origin, spot, what: what.into(), todo: todo.into() };
        self.found.push((span.start, problem));
    }

    /// A problem with the file as a whole.
    pub(super) fn add_whole(&mut self, what: impl Into<String>, todo: impl Into<String>) {
        self.found.push((0, Problem::whole(self.origin, what, todo)));
    }

    /// Problems of another file, which this one names at `span`.
    pub(super) fn add_others(&mut self, span: &Range<usize>, others: Diagnostics) {
        self.found.extend(others.0.into_iter().map(|p| (span.start, p)));
    }

    /// The line of a place, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at).max(1)
    }

    /// What was read, if nothing is wrong.
    pub(super) fn done<T>(mut self, read: Option<T>) -> Result<T, Diagnostics> {
        match read {
            Some(read) if self.found.is_empty() => Ok(read),
            _ => {
                if self.found.is_empty() {
                    self.add_whole("this could not be read", "report it with the file as a bug");
                }
                Err(self.problems())
            }
        }
    }

    /// What was found, in the order of the file.
    pub(super) fn problems(mut self) -> Diagnostics {
        self.found.sort_by_key(|(at, _)| *at);
        self.found.dedup();
        Diagnostics(self.found.into_iter().map(|(_, p)| p).collect())
    }

    fn spot(&self, span: &Range<usize>) -> Spot {
        let mut at = span.start.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let line = self.line(at);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let source = self.text[start..].split('\n').next().unwrap_or_default();
        // A place on the line's end (a missing value) is still on the line.
        let at = at.min(start + source.len());
        let column = self.text[start..at].chars().count() + 1;
        let end = span.end.clamp(at, start + source.len());
        let (start, source) = self.near(start, source, at);
        let pieces = self.pieces(start, source);
        let width = |upto: usize| -> usize {
            pieces.iter().take_while(|(from, _)| *from < upto).map(|(_, p)| p.width()).sum()
        };
        let (before, upto) = (width(at), width(end));
        let whole: String = pieces.iter().map(|(_, p)| p.as_str()).collect();
        let (shown, cut) = window(&whole, before);
        let carets = upto.saturating_sub(before).clamp(1, WIDEST);
        let indent = before - cut.min(before) + usize::from(cut > 0);
        let room = shown.width().saturating_sub(indent).max(1);
        Spot { line, column, shown, indent, carets: carets.min(room) }
    }

    /// Of an endless line, the part around `at`: the rest could not be shown anyway.
    fn near(&self, start: usize, source: &'a str, at: usize) -> (usize, &'a str) {
        const REACH: usize = 1024;
        if source.len() <= 2 * REACH {
            return (start, source);
        }
        let edge = |mut i: usize| {
            while !self.text.is_char_boundary(i) {
                i -= 1;
            }
            i
        };
        let from = edge(at.saturating_sub(REACH).max(start));
        let to = edge((at + REACH).min(start + source.len()));
        (from, &self.text[from..to])
    }

    /// The line as it may be shown: each piece with the byte of the text it stands for.
    fn pieces(&self, start: usize, source: &str) -> Vec<(usize, String)> {
        let mut pieces = Vec::new();
        let mut hidden_until = 0;
        for (i, c) in source.char_indices() {
            let at = start + i;
            let inside = self.hidden.iter().find(|r| r.contains(&at));
            if let Some(range) = inside {
                if at >= hidden_until {
                    pieces.push((at, "…".to_owned()));
                }
                hidden_until = hidden_until.max(range.end);
            } else {
                // Control characters would move the caret, or speak to the terminal.
                let safe = if c.width().is_none() { ' ' } else { c };
                pieces.push((at, safe.to_string()));
            }
        }
        pieces
    }
}

/// At most [`WIDEST`] columns of a line, with the column `at` in it; also how many were cut off before.
fn window(line: &str, at: usize) -> (String, usize) {
    if line.width() <= WIDEST {
        return (line.trim_end().to_owned(), 0);
    }
    let from = at.saturating_sub(WIDEST / 2);
    let mut out = String::new();
    let (mut column, mut cut) = (0, 0);
    for c in line.chars() {
        if column < from {
            cut = column + c.width().unwrap_or(0);
        } else if column < from + WIDEST {
            out.push(c);
        }
        column += c.width().unwrap_or(0);
    }
    let head = if cut > 0 { "…" } else { "" };
    let tail = if column > from + WIDEST { "…" } else { "" };
    (format!("{head}{}{tail}", out.trim_end()), cut)
}

/// A word of the user's for a message: quoted, without control characters, not endless.
pub(super) fn quoted(word: &str) -> String {
    let short: String = word.chars().take(48).collect();
    let more = if short.len() < word.len() { "…" } else { "" };
    format!("{:?}", short + more)
}

/// `a, b and c`.
pub(super) fn listed<S: AsRef<str>>(words: &[S]) -> String {
    match words {
        [] => "none".to_owned(),
        [one] => one.as_ref().to_owned(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", most.join(", "), last.as_ref())
        }
    }
}

/// The name the user may have meant.
pub(super) fn nearest<'w>(word: &str, names: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let word: String = word.chars().take(64).collect::<String>().to_lowercase().replace('_', "-");
    let slack = (word.chars().count() / 3).clamp(1, 3);
    names
        .into_iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&name.to_lowercase(), &word),
                name.len().abs_diff(word.len()),
                name,
            )
        })
        .filter(|(distance, ..)| *distance <= slack)
        .min()
        .map(|(.., name)| name)
}

/// `did you mean "x"? ` or nothing.
pub(super) fn meant<'w>(word: &str, names: impl IntoIterator<Item = &'w str>) -> String {
    nearest(word, names).map_or_else(String::new, |near| format!("did you mean \"{near}\"? "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, span: Range<usize>) -> String {
        let mut findings = Findings::new("a.toml", text);
        findings.add(&span, "wrong", "mend it");
        findings.done(None::<()>).unwrap_err().to_string()
    }

    #[test]
    fn the_caret_is_under_the_span_also_beneath_wide_characters() {
        let text = "x = 1\ntitle = \"直播\" # y\n";
        let at = text.find('#').unwrap();
        assert_eq!(
            one(text, at..at + 1),
            "a.toml:2:14: wrong\n  |\n2 | title = \"直播\" # y\n  |                ^\n  = mend it"
        );
    }

    #[test]
    fn a_terminal_is_not_spoken_to() {
        assert!(!one("title = \"\u{1b}[2J\"", 0..5).contains('\u{1b}'));
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("{}HERE{}", "a".repeat(500), "b".repeat(500));
        let shown = one(&text, 500..504);
        let lines: Vec<&str> = shown.lines().collect();
        let line: Vec<char> = lines[2].chars().collect();
        let caret = lines[3].find('^').unwrap();
        assert_eq!(line[caret..caret + 4].iter().collect::<String>(), "HERE");
        assert!(line.len() < 140);
    }

    #[test]
    fn near_names_are_named_and_far_ones_are_not() {
        assert_eq!(nearest("titel", ["title", "profile"]), Some("title"));
        assert_eq!(nearest("gain_db", ["gain-db"]), Some("gain-db"));
        // As near, but letters swapped are likelier than a letter more and another less.
        assert_eq!(nearest("rtps", ["rtmps", "rtsp"]), Some("rtsp"));
        assert_eq!(nearest("zebra", ["title", "profile"]), None);
    }
}
