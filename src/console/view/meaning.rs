//! What figures mean, in words: every figure and word about a subject, with its unit and who says so.

use crate::stats::figure::Who;

/// What the columns of a figure's past are.
pub(in crate::console) const P95: &str =
    "95 of 100 seconds of the last five minutes were no worse.";
pub(in crate::console) const COURSE: &str = "The last five minutes, each column the worst of its time; · is not measured. Of a sum: by how much it grew.";

/// Every figure and every word about such a subject: its name, and what is to be said of it.
pub(in crate::console) fn of(who: &Who) -> Vec<(String, String)> {
    let figures = who.figures().iter().map(|f| {
        let unit = if f.unit.is_empty() { String::new() } else { format!(", in {}", f.unit) };
        (format!("{}{unit}", f.name.trim()), sourced(f.meaning, f.source))
    });
    let traits = who.traits().iter().map(|t| (t.name.to_owned(), sourced(t.meaning, t.source)));
    figures.chain(traits).collect()
}

/// The columns beside a figure.
pub(in crate::console) fn columns() -> impl Iterator<Item = (String, String)> {
    let columns = [
        ("now", "The newest value, ten times a second. Frozen: the value of that second."),
        ("p95", P95),
        ("target", "What is aimed at: from the show's profile. In red: missed."),
        ("5 min", COURSE),
        (
            "frames' way",
            "Where a frame's time goes, stage by stage. A bar is the median, the pale end behind it the 95th percentile.",
        ),
        (
            "verdict",
            "The worst that counts now, held against flapping; and where it arises, where figures tell.",
        ),
    ];
    columns.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned()))
}

/// What it means, and who says so.
pub(in crate::console) fn sourced(meaning: &str, source: &str) -> String {
    format!("{meaning} Source: {}", small(source))
}

/// A sentence that begins in the middle of a line; a name keeps its capital.
fn small(sentence: &str) -> String {
    let mut words = sentence.splitn(2, ' ');
    let first = words.next().unwrap_or_default();
    let name = first.chars().skip(1).any(char::is_uppercase);
    let rest = words.next().map_or_else(String::new, |rest| format!(" {rest}"));
    if name { sentence.to_owned() } else { format!("{}{rest}", first.to_lowercase()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_capitals() {
        assert_eq!(small("The encoder's count."), "the encoder's count.");
        assert_eq!(small("RTCP from the ingest."), "RTCP from the ingest.");
    }
}
