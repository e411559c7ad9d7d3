//! Prepared texts with variables, and the completion of names.

use std::{collections::HashSet, ops::Range};

/// What is wrong with a prepared text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSnippet {
    /// A variable that has no value here.
    #[error("the variable {{{0}}} has no value here")]
    Unknown(String),
    /// A brace that is not closed, or closes nothing.
    #[error("the brace at byte {0} has no partner; write {{{{ or }}}} for the character itself")]
    Brace(usize),
}

/// Puts values in the place of `{name}`; `{{` and `}}` are braces. Values are not read again, so a viewer's name cannot
/// bring a variable with it.
pub fn expand(
    template: &str,
    value: &dyn Fn(&str) -> Option<String>,
) -> Result<String, BadSnippet> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let position = template.len() - from.len();
        if let Some(after) = from.strip_prefix("{{") {
            out.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            out.push('}');
            rest = after;
        } else if let Some(inner) = from.strip_prefix('{') {
            let end = inner
                .find(['{', '}'])
                .filter(|end| inner.get(*end..).is_some_and(|rest| rest.starts_with('}')));
            let (name, after) = inner.split_at(end.ok_or(BadSnippet::Brace(position))?);
            let name = name.trim();
            out.push_str(&value(name).ok_or_else(|| BadSnippet::Unknown(name.to_owned()))?);
            rest = after.strip_prefix('}').unwrap_or(after);
        } else {
            return Err(BadSnippet::Brace(position));
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// A name that is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// Bytes of the text that a completion replaces, without the `@`.
    pub range: Range<usize>,
    /// What is written so far.
    pub prefix: String,
}

/// The mention that ends at the cursor (a byte of the text): `@` at the beginning of a word, and what follows it.
pub fn mention(text: &str, cursor: usize) -> Option<Mention> {
    let before = text.get(..cursor)?;
    let at = before.rfind('@')?;
    let (front, from) = before.split_at(at);
    let prefix = from.strip_prefix('@')?;
    let starts_word = front.chars().next_back().is_none_or(char::is_whitespace);
    let whole = !prefix.contains(char::is_whitespace);
    (starts_word && whole).then(|| Mention { range: at + 1..cursor, prefix: prefix.to_owned() })
}

/// Names that complete a prefix, in the order given (the newest writers first): those that begin with it, then those
/// that hold it. Capitals make no difference; no name comes twice.
pub fn complete<'a>(
    prefix: &str,
    names: impl Iterator<Item = &'a str>,
    most: usize,
) -> Vec<&'a str> {
    let prefix = prefix.to_lowercase();
    let mut seen = HashSet::new();
    let (mut begin, mut hold) = (Vec::new(), Vec::new());
    for name in names {
        let lower = name.to_lowercase();
        let begins = lower.starts_with(&prefix);
        if name.is_empty() || !(begins || lower.contains(&prefix)) || !seen.insert(lower) {
            continue;
        }
        if begins {
            begin.push(name);
            if begin.len() >= most {
                break;
            }
        } else if hold.len() < most {
            hold.push(name);
        }
    }
    begin.extend(hold);
    begin.truncate(most);
    begin
}
