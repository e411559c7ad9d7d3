//! Words in lines, by display width.

use unicode_width::UnicodeWidthStr;

/// The words in lines of at most `room` columns, with a blank between two. A word that is wider has a line of its
/// own, and is not broken.
pub(super) fn filled<W: AsRef<str>>(
    words: impl IntoIterator<Item = W>,
    room: usize,
) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        let word = word.as_ref();
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.width() + 1 + word.width() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fill_lines_and_are_not_broken() {
        let lines = |text: &str, room| filled(text.split_whitespace(), room);
        assert_eq!(lines("the ingest said no", 10), ["the ingest", "said no"]);
        assert_eq!(lines("春季 大促", 5), ["春季", "大促"]);
        assert_eq!(lines("a longword b", 4), ["a", "longword", "b"]);
        assert_eq!(lines("", 4), [""; 0]);
    }
}
