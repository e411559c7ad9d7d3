//! What is not to be translated: numbers and all they are glued to (codes, prices, quantities), links, mentions, tags,
//! emotes and names. Placeholders `{0}`, `{1}` stand for them while the rest is away.

use std::{fmt::Write as _, ops::Range};

use super::{Refusal, verdict};

/// A line with more such parts is no sentence.
const MOST_PARTS: usize = 16;

/// A line without what stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shielded {
    template: String,
    parts: Vec<String>,
}

impl Shielded {
    /// Takes the parts out of a line; `keep` are further ones, in bytes. `None` where nothing is left to translate.
    pub fn new(text: &str, keep: &[Range<usize>]) -> Option<Self> {
        let mut ranges: Vec<Range<usize>> =
            keep.iter().filter(|range| text.get((*range).clone()).is_some()).cloned().collect();
        ranges.extend(parts(text));
        ranges.retain(|range| !range.is_empty());
        ranges.sort_by_key(|range| (range.start, range.end));
        let mut merged: Vec<Range<usize>> = Vec::new();
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        if merged.len() > MOST_PARTS {
            return None;
        }
        let (mut template, mut kept, mut at) = (String::new(), Vec::new(), 0);
        let mut has_words = false;
        for range in merged {
            let between = text.get(at..range.start).unwrap_or_default();
            has_words |= between.chars().any(char::is_alphabetic);
            template.push_str(between);
            // Writing to a String cannot fail.
            let _ = write!(template, "{{{}}}", kept.len());
            kept.push(text.get(range.clone()).unwrap_or_default().to_owned());
            at = range.end;
        }
        let rest = text.get(at..).unwrap_or_default();
        has_words |= rest.chars().any(char::is_alphabetic);
        template.push_str(rest);
        has_words.then_some(Self { template, parts: kept })
    }

    /// What is sent.
    pub fn template(&self) -> &str {
        &self.template
    }

    /// Puts the parts into a translated template: each exactly once, in whatever order.
    pub fn restored(&self, translated: &str) -> Result<String, Refusal> {
        let mut out = String::with_capacity(translated.len());
        let mut used = vec![false; self.parts.len()];
        let mut rest = translated;
        while let Some(at) = rest.find(['{', '｛']) {
            let (before, tail) = rest.split_at(at);
            out.push_str(before);
            let open = tail.chars().next().map_or(1, char::len_utf8);
            let inner = tail.get(open..).unwrap_or_default();
            let end = inner.find(['}', '｝']);
            let number = end.and_then(|end| inner.get(..end)?.trim().parse::<usize>().ok());
            if let (Some(end), Some(n)) = (end, number) {
                let (Some(part), Some(used)) = (self.parts.get(n), used.get_mut(n)) else {
                    return Err(Refusal::Part);
                };
                if std::mem::replace(used, true) {
                    return Err(Refusal::Part);
                }
                out.push_str(part);
                let tail = inner.get(end..).unwrap_or_default();
                let close = tail.chars().next().map_or(0, char::len_utf8);
                rest = tail.get(close..).unwrap_or_default();
            } else {
                out.push_str(tail.get(..open).unwrap_or_default());
                rest = inner;
            }
        }
        out.push_str(rest);
        if used.iter().all(|used| *used) { Ok(out) } else { Err(Refusal::Part) }
    }
}

/// The parts that are found in any line.
fn parts(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    for word in text.split(char::is_whitespace) {
        let start = at;
        at += word.len();
        at += text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let tagged = word.starts_with(['@', '#']) && word.chars().nth(1).is_some();
        if tagged || !verdict::addresses(word).is_empty() {
            found.push(start..start + word.len());
            continue;
        }
        found.extend(numbers(word).into_iter().map(|range| range.start + start..range.end + start));
    }
    found
}

/// Runs with a digit and what is glued to it: "A12", "+1", "x2", "฿199.50", "50k", "12:30".
fn numbers(word: &str) -> Vec<Range<usize>> {
    let is_part = |c: char| {
        c.is_ascii_alphanumeric()
            || c.is_numeric()
            || matches!(c, '+' | '-' | '.' | ',' | ':' | '/' | '*' | '×' | '%' | '#' | '_')
            || matches!(c, '$' | '฿' | '₫' | '₱' | '€' | '£' | '¥' | '₩' | '₹' | '￥')
    };
    let mut found = Vec::new();
    let mut start = None;
    let ends = word.char_indices().chain([(word.len(), ' ')]);
    for (at, c) in ends {
        match (start, is_part(c)) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                let run = word.get(from..at).unwrap_or_default();
                let run = run.trim_end_matches(['.', ',', ':', '/', '-']);
                if run.chars().any(char::is_numeric) {
                    found.push(from..from + run.len());
                }
                start = None;
            }
            _ => {}
        }
    }
    found
}
