//! Numbers as people and platforms write them: `1,234.5`, `1.234,5`, `1 234`, `1.2k`, `1.2万`.

/// What parts a number from its fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `1,234.5`
    Point,
    /// `1.234,5`
    Comma,
}

/// The greatest number that is believed.
const MOST: f64 = 1e9;

/// Without what only groups or decorates: blanks, apostrophes, a plus or tilde before it. And what it is to be
/// multiplied by.
fn stripped(cell: &str) -> (String, f64) {
    let bare: String = cell
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '\'' | '’' | '_' | '\u{a0}' | '\u{202f}'))
        .collect();
    let bare = bare.trim_start_matches(['+', '~', '≈']);
    for (suffix, times) in [
        ("k", 1e3),
        ("K", 1e3),
        ("万", 1e4),
        ("萬", 1e4),
        ("w", 1e4),
        ("W", 1e4),
        ("m", 1e6),
        ("M", 1e6),
    ] {
        if let Some(number) = bare.strip_suffix(suffix) {
            return (number.to_owned(), times);
        }
    }
    (bare.trim_end_matches(['人', '单']).to_owned(), 1.0)
}

/// How a number is written, when that can be seen from it alone.
pub fn style(cell: &str) -> Option<Style> {
    let (text, times) = stripped(cell);
    match marks(&text) {
        Marks::Both { last: '.' } => Some(Style::Point),
        Marks::Both { .. } => Some(Style::Comma),
        Marks::Many('.') => Some(Style::Comma),
        Marks::Many(_) => Some(Style::Point),
        Marks::One { mark, thousand } if !thousand || times > 1.0 => {
            Some(if mark == '.' { Style::Point } else { Style::Comma })
        }
        Marks::One { .. } | Marks::None => None,
    }
}

/// The marks of a number.
enum Marks {
    None,
    /// One mark, once; and whether it may part thousands.
    One {
        mark: char,
        thousand: bool,
    },
    /// One mark, more often.
    Many(char),
    /// Both marks.
    Both {
        last: char,
    },
}

fn marks(text: &str) -> Marks {
    let (points, commas) = (text.matches('.').count(), text.matches(',').count());
    match (points, commas) {
        (0, 0) => Marks::None,
        (1, 0) | (0, 1) => {
            let mark = if points == 1 { '.' } else { ',' };
            let (before, after) = text.split_once(mark).unwrap_or((text, ""));
            let thousand =
                after.len() == 3 && (1..=3).contains(&before.len()) && !before.starts_with('0');
            Marks::One { mark, thousand }
        }
        (_, 0) => Marks::Many('.'),
        (0, _) => Marks::Many(','),
        _ => Marks::Both { last: if text.rfind('.') > text.rfind(',') { '.' } else { ',' } },
    }
}

/// The number in a cell, not negative; `usual` says how one is written that can be read in two ways.
pub fn parse(cell: &str, usual: Style) -> Option<f64> {
    let (text, times) = stripped(cell);
    let number = match marks(&text) {
        Marks::None => plain(&text)?,
        Marks::One { mark, thousand } => {
            let decimal = if usual == Style::Point { '.' } else { ',' };
            if thousand && mark != decimal && times == 1.0 {
                grouped(&text, mark)?
            } else {
                fraction(&text, mark, None)?
            }
        }
        Marks::Many(mark) => grouped(&text, mark)?,
        Marks::Both { last } => fraction(&text, last, Some(if last == '.' { ',' } else { '.' }))?,
    };
    let number = number * times;
    (number <= MOST).then_some(number)
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.len() <= 15 && text.bytes().all(|b| b.is_ascii_digit())
}

fn plain(text: &str) -> Option<f64> {
    digits(text).then(|| text.parse().ok())?
}

/// `1.234.567`, and `12,34,567` as in India.
fn grouped(text: &str, mark: char) -> Option<f64> {
    let groups: Vec<&str> = text.split(mark).collect();
    let (last, rest) = groups.split_last()?;
    let (first, middle) = rest.split_first()?;
    let sound = last.len() == 3
        && (1..=3).contains(&first.len())
        && middle.iter().all(|g| matches!(g.len(), 2 | 3));
    sound.then(|| plain(&groups.concat()))?
}

fn fraction(text: &str, decimal: char, group: Option<char>) -> Option<f64> {
    let (whole, part) = text.rsplit_once(decimal)?;
    let whole = match group {
        Some(group) => grouped(whole, group)?,
        None if whole.is_empty() => 0.0,
        None => plain(whole)?,
    };
    let part = if part.is_empty() { 0.0 } else { plain(part)? / 10_f64.powi(part.len() as i32) };
    Some(whole + part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_meant() {
        for (cell, usual, number) in [
            ("1234", Style::Point, 1234.0),
            ("1,234", Style::Point, 1234.0),
            ("1,234", Style::Comma, 1.234),
            ("1.234", Style::Comma, 1234.0),
            ("1.234", Style::Point, 1.234),
            ("1.234,5", Style::Point, 1234.5),
            ("1,234.5", Style::Comma, 1234.5),
            ("1.234.567", Style::Point, 1_234_567.0),
            ("12,34,567", Style::Comma, 1_234_567.0),
            ("12,5", Style::Point, 12.5),
            ("0.250", Style::Comma, 0.25),
            ("1 234", Style::Point, 1234.0),
            ("1'234", Style::Point, 1234.0),
            ("1\u{202f}234,5", Style::Comma, 1234.5),
            ("1.2k", Style::Comma, 1200.0),
            ("1.2万", Style::Point, 12_000.0),
            (" 88人 ", Style::Point, 88.0),
            ("~40", Style::Point, 40.0),
        ] {
            let found = parse(cell, usual);
            assert!(found.is_some_and(|n| (n - number).abs() < 1e-6), "{cell:?}: {found:?}");
        }
        for cell in
            ["", "-5", "n/a", "1.2.3", "1,2,3", "12%", "1e9", "NaN", "99999999999", "--", "1,23,4"]
        {
            assert_eq!(parse(cell, Style::Point), None, "{cell:?}");
        }
    }

    #[test]
    fn a_style_is_seen_where_it_can_be() {
        assert_eq!(style("1.234,5"), Some(Style::Comma));
        assert_eq!(style("12,5"), Some(Style::Comma));
        assert_eq!(style("12.5"), Some(Style::Point));
        assert_eq!(style("1.234.567"), Some(Style::Comma));
        assert_eq!(style("1.234"), None);
        assert_eq!(style("1234"), None);
    }
}
