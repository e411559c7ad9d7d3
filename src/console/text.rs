//! Text for cells: cut by display width, and figures that keep their place. What comes from outside (titles,
//! reasons) may hold anything; nothing but printable graphemes leaves this file.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::base::text::plain;

/// What stands where nothing was measured.
pub(super) const DASH: &str = "–";

/// Columns the text takes.
pub(super) fn width(text: &str) -> u16 {
    text.width().min(usize::from(u16::MAX)) as u16
}

/// At most `most` columns of harmless text; an ellipsis says that there is more.
pub(super) fn clip(text: &str, most: u16) -> String {
    let text = plain(text);
    if width(&text) <= most {
        return text;
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let w = width(grapheme);
        if used + w + 1 > most {
            break;
        }
        used += w;
        out.push_str(grapheme);
    }
    if most > 0 {
        out.push('…');
    }
    out
}

/// Harmless text in lines of at most `most` columns (at least one), parted at blanks where there are any.
pub(super) fn wrap(text: &str, most: u16) -> Vec<String> {
    let most = most.max(2);
    let mut lines = vec![String::new()];
    let mut used = 0;
    let text = plain(text);
    // Words, each with the signs that follow it: no line begins with a comma.
    let mut words: Vec<String> = Vec::new();
    for word in text.split_word_bounds() {
        let sign = !word.starts_with(|c: char| c == ' ' || c.is_alphanumeric());
        match words.last_mut() {
            Some(last) if sign && !last.ends_with(' ') => last.push_str(word),
            _ => words.push(word.to_owned()),
        }
    }
    for word in &words {
        let w = width(word);
        if used + w > most && w <= most {
            lines.push(String::new());
            used = 0;
        }
        for grapheme in word.graphemes(true) {
            let w = width(grapheme);
            if used + w > most {
                lines.push(String::new());
                used = 0;
            }
            if used == 0 && grapheme == " " {
                continue;
            }
            if let Some(line) = lines.last_mut() {
                line.push_str(grapheme);
            }
            used += w;
        }
    }
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines
}

/// A figure with so many decimals, or a dash.
pub(super) fn figure(value: Option<f64>, decimals: usize) -> String {
    match value {
        Some(v) if v.is_finite() => {
            let text = format!("{v:.decimals$}");
            // "-0.0" is a rounding of nothing, and reads like something.
            match text.strip_prefix('-') {
                Some(rest) if !rest.contains(|c: char| matches!(c, '1'..='9')) => rest.to_owned(),
                _ => text,
            }
        }
        _ => DASH.to_owned(),
    }
}

/// A count in at most six columns: `12345`, `123k`, `1.23M`.
pub(super) fn count(value: u64) -> String {
    match value {
        0..100_000 => value.to_string(),
        100_000..1_000_000 => format!("{}k", value / 1000),
        1_000_000..1_000_000_000 => format!("{:.2}M", value as f64 / 1e6),
        _ => format!("{:.2}G", value as f64 / 1e9),
    }
}

/// `00:12:34`. Beyond 99 hours the hours grow.
pub(super) fn clock(ms: u64) -> String {
    let s = ms / 1000;
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_harmful_reaches_a_cell() {
        assert_eq!(clip("a\x1b[31mb\u{202e}c", 9), "a[31mbc");
        assert_eq!(wrap("a\x1b[31mb\u{202e}c", 9), ["a[31mbc"]);
    }

    #[test]
    fn wide_letters_are_cut_by_columns() {
        assert_eq!(clip("春季大促", 8), "春季大促");
        assert_eq!(clip("春季大促", 7), "春季大…");
        assert_eq!(clip("春季大促", 6), "春季…");
        assert_eq!(clip("abc", 2), "a…");
        assert_eq!(clip("abc", 0), "");
    }

    #[test]
    fn lines_are_parted_at_blanks() {
        assert_eq!(wrap("the ingest said no", 10), ["the ingest", "said no"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert!(wrap("春季大促 春季大促", 5).iter().all(|l| width(l) <= 5));
        assert_eq!(wrap("said no; again", 8), ["said no;", "again"]);
        assert_eq!(wrap("said no; again", 7), ["said", "no;", "again"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn figures_are_dashes_when_there_are_none() {
        assert_eq!(figure(None, 1), DASH);
        assert_eq!(figure(Some(f64::NAN), 1), DASH);
        assert_eq!(figure(Some(-0.01), 1), "0.0");
        assert_eq!(figure(Some(-23.04), 1), "-23.0");
        assert_eq!(
            (count(99_999), count(123_456), count(12_345_678)),
            ("99999".into(), "123k".into(), "12.35M".into())
        );
        assert_eq!(clock(3_723_000), "01:02:03");
    }
}
