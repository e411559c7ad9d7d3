//! Walks a TOML document table by table and says of every key whether it is known and of the right
//! type, instead of stopping at the first that is not. It knows no show and reads no file.

use std::ops::{Range, RangeInclusive};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    diagnostics::{Findings, listed, meant, nearest, quoted},
    redact,
};

/// The greatest length of a name or title, in characters.
pub(super) const MAX_TEXT: usize = 400;

/// A value with its place.
pub(super) type At<T> = (T, Range<usize>);

/// Parses a document; what is not TOML becomes findings, all of it at once.
pub(super) fn document<'t>(text: &'t str, findings: &mut Findings<'_>) -> Option<DeTable<'t>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        findings.add(
            &span,
            format!("this is not TOML: {}", error.message()),
            "mend this first; the rest is checked once the file reads as TOML (https://toml.io)",
        );
    }
    let table = table.into_inner();
    hide_secrets(&table, findings);
    errors.is_empty().then_some(table)
}

/// Hides the values of telling keys, however they are written.
fn hide_secrets(table: &DeTable<'_>, findings: &mut Findings<'_>) {
    for (key, value) in table {
        let inside = match value.get_ref() {
            DeValue::Table(table) => {
                hide_secrets(table, findings);
                continue;
            }
            DeValue::String(text) => text.as_ref(),
            DeValue::Array(items) => {
                for item in items {
                    if let DeValue::Table(table) = item.get_ref() {
                        hide_secrets(table, findings);
                    }
                }
                ""
            }
            _ => "",
        };
        let tables = matches!(value.get_ref(), DeValue::Array(items)
            if items.iter().all(|i| matches!(i.get_ref(), DeValue::Table(_))));
        if !tables && redact::tells(key.get_ref(), inside) {
            findings.hide(value.span());
        }
    }
}

/// What a value is, in words.
pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// One table of the document: its keys, each asked for by name and type.
#[derive(Debug, Clone)]
pub(super) struct Fields<'t> {
    table: &'t DeTable<'t>,
    span: Range<usize>,
    place: String,
}

impl<'t> Fields<'t> {
    /// A table. `place` is what the user reads: `[[input]]`, `the show`.
    pub(super) fn new(table: &'t DeTable<'t>, span: Range<usize>, place: &str) -> Self {
        Self { table, span, place: place.to_owned() }
    }

    /// The same table under another name: `[output.ice]` for what is `[ice]` inside an output.
    pub(super) fn named(mut self, place: &str) -> Self {
        place.clone_into(&mut self.place);
        self
    }

    /// Where the table begins.
    pub(super) fn span(&self) -> &Range<usize> {
        &self.span
    }

    /// Whether the key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Refuses every key that is not known here. `why` may say more of one that is known elsewhere.
    pub(super) fn only(
        &self,
        findings: &mut Findings<'_>,
        known: &[&str],
        why: impl Fn(&str) -> Option<String>,
    ) {
        for key in self.table.keys() {
            let word = key.get_ref().as_ref();
            if known.contains(&word) {
                continue;
            }
            let todo = why(word).unwrap_or_else(|| {
                format!(
                    "{}the keys of {} are {}",
                    meant(word, known.iter().copied()),
                    self.place,
                    listed(known)
                )
            });
            let what = format!("{} has no key {}", self.place, quoted(word));
            findings.add(&key.span(), what, todo);
        }
    }

    /// The value as it stands.
    pub(super) fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    /// Says that a key which must be there is not.
    pub(super) fn missing(&self, findings: &mut Findings<'_>, key: &str, todo: &str) {
        // A slip in its name was said as an unknown key; once is enough.
        let slip = |word: &str| nearest(word, [key]).is_some();
        if self.has(key) || self.table.keys().any(|k| slip(k.get_ref())) {
            return;
        }
        let what = format!("{} has no {key}", self.place);
        if self.span.is_empty() {
            findings.add_whole(what, todo);
        } else {
            findings.add(&self.span, what, todo);
        }
    }

    /// A text, not empty, not endless, without control characters.
    pub(super) fn text(&self, findings: &mut Findings<'_>, key: &str) -> Option<At<&'t str>> {
        let value = self.value(key)?;
        let DeValue::String(text) = value.get_ref() else {
            wrong(findings, key, value, "a text");
            return None;
        };
        let text = text.as_ref();
        if text.trim().is_empty() {
            findings.add(&value.span(), format!("{key} is empty"), format!("write {key} = \"…\""));
            None
        } else if text.chars().count() > MAX_TEXT && !redact::is_telling(key) {
            let what = format!("{key} is longer than {MAX_TEXT} characters");
            findings.add(&value.span(), what, "make it shorter");
            None
        } else if text.chars().any(char::is_control) {
            let what = format!("{key} holds a control character");
            findings.add(&value.span(), what, "take it out; a text here is one line");
            None
        } else {
            Some((text, value.span()))
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, findings: &mut Findings<'_>, key: &str) -> Option<bool> {
        let value = self.value(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        wrong(findings, key, value, "true or false");
        None
    }

    /// A whole number in a range, with its unit for the message.
    pub(super) fn whole(
        &self,
        findings: &mut Findings<'_>,
        key: &str,
        range: RangeInclusive<u32>,
        unit: &str,
    ) -> Option<At<u32>> {
        let value = self.value(key)?;
        let Some(number) = whole_number(value.get_ref()) else {
            wrong(findings, key, value, "a whole number");
            return None;
        };
        let inside = u32::try_from(number).ok().filter(|n| range.contains(n));
        if inside.is_none() {
            let todo = format!("use {}-{}{unit}", range.start(), range.end());
            findings.add(&value.span(), format!("{key} is out of range"), todo);
        }
        inside.map(|n| (n, value.span()))
    }

    /// A number, with or without a point, in a range.
    pub(super) fn number(
        &self,
        findings: &mut Findings<'_>,
        key: &str,
        range: RangeInclusive<f32>,
        unit: &str,
    ) -> Option<f32> {
        let value = self.value(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(_) => whole_number(value.get_ref()).map(|n| n as f32),
            DeValue::Float(float) => float.as_str().parse::<f32>().ok(),
            _ => {
                wrong(findings, key, value, "a number");
                return None;
            }
        };
        let inside = number.filter(|n| range.contains(n));
        if inside.is_none() {
            let todo = format!("use {} to {}{unit}", range.start(), range.end());
            findings.add(&value.span(), format!("{key} is out of range"), todo);
        }
        inside
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &self,
        findings: &mut Findings<'_>,
        key: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let (word, span) = self.text(findings, key)?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == word) {
            return Some(*choice);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let what = format!("{key} cannot be {}", quoted(word));
        let todo =
            format!("{}{key} is one of {}", meant(word, names.iter().copied()), listed(&names));
        findings.add(&span, what, todo);
        None
    }

    /// The items of a list.
    pub(super) fn items(
        &self,
        findings: &mut Findings<'_>,
        key: &str,
    ) -> Option<At<&'t [Spanned<DeValue<'t>>]>> {
        let value = self.value(key)?;
        if let DeValue::Array(items) = value.get_ref() {
            return Some((items.as_ref(), value.span()));
        }
        wrong(findings, key, value, "a list");
        None
    }

    /// A table inside this one: `[program]`.
    pub(super) fn table(&self, findings: &mut Findings<'_>, key: &str) -> Option<Fields<'t>> {
        let value = self.value(key)?;
        if let DeValue::Table(table) = value.get_ref() {
            return Some(Fields::new(table, value.span(), &format!("[{key}]")));
        }
        let what = format!("{key} is a table, but this is {}", kind_of(value.get_ref()));
        findings.add(&value.span(), what, format!("write [{key}], and its keys below"));
        None
    }

    /// Tables of one kind, one after the other: `[[input]]`.
    pub(super) fn tables(&self, findings: &mut Findings<'_>, key: &str) -> Vec<Fields<'t>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let place = format!("[[{key}]]");
        let todo = format!("begin each one with a line [[{key}]], and write its keys below");
        let DeValue::Array(items) = value.get_ref() else {
            let what =
                format!("{key} is a list of tables, but this is {}", kind_of(value.get_ref()));
            findings.add(&value.span(), what, todo);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            if let DeValue::Table(table) = item.get_ref() {
                tables.push(Fields::new(table, item.span(), &place));
            } else {
                let what = format!("this is {}, not a table of {place}", kind_of(item.get_ref()));
                findings.add(&item.span(), what, todo.clone());
            }
        }
        tables
    }
}

fn wrong(findings: &mut Findings<'_>, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
    let what = format!("{key} is {wanted}, but this is {}", kind_of(value.get_ref()));
    findings.add(&value.span(), what, format!("write {key} = {}", example(wanted)));
}

/// A TOML integer, if it fits.
pub(super) fn whole_number(value: &DeValue<'_>) -> Option<i64> {
    match value {
        // One too great for 64 bits is out of any range here.
        DeValue::Integer(n) => Some(i64::from_str_radix(n.as_str(), n.radix()).unwrap_or(i64::MAX)),
        _ => None,
    }
}

fn example(wanted: &str) -> &'static str {
    match wanted {
        "a text" => "\"…\", in quotes",
        "true or false" => "true or false, without quotes",
        "a whole number" => "30 or the like, without quotes and without a point",
        "a number" => "-6.0 or the like, without quotes",
        _ => "[ … ], in brackets",
    }
}
