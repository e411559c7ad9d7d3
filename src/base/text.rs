//! Text from outside (a show file, a server, a viewer) made harmless: nothing in it can move a cursor, ring a bell,
//! or turn the direction of the line it stands in.

use std::fmt::Write as _;

use unicode_segmentation::UnicodeSegmentation;

/// Longest grapheme, in characters: beyond it, marks stacked on a letter would climb over the lines above.
const MARKS: usize = 8;

/// Invisible, and either turns the direction of what follows or joins what should be apart.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One line without control characters and marks of direction; blanks of every kind are spaces.
pub fn plain(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_mark(*c))
        .collect();
    plain.graphemes(true).flat_map(|g| g.chars().take(MARKS)).collect()
}

/// Text of several lines for a terminal: each made [`plain`], but for the codes that colour it.
pub fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut rest = line.trim_end_matches(['\r', '\n']);
        // Calendars and tables end their lines with both.
        let end = match &line[rest.len()..] {
            "\r" => "",
            end if end.len() > 2 => "\n",
            end => end,
        };
        while let Some(at) = rest.find("\x1b[") {
            let code = &rest[at + 2..];
            let parameters = code.bytes().take_while(|b| b.is_ascii_digit() || *b == b';').count();
            out.push_str(&plain(&rest[..at]));
            let length =
                if code.as_bytes().get(parameters) == Some(&b'm') { parameters + 1 } else { 0 };
            if length > 0 {
                out.push_str(&rest[at..at + 2 + length]);
            }
            rest = &code[length..];
        }
        out.push_str(&plain(rest));
        out.push_str(end);
    }
    out
}

/// JSON whose strings have what [`plain`] leaves out written as `\uXXXX`: the same value, and safe to look at.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for grapheme in text.graphemes(true) {
        for (n, c) in grapheme.chars().enumerate() {
            let harmful = is_mark(c) || n >= MARKS || (c.is_control() && !c.is_ascii());
            if harmful {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            } else {
                out.push(c);
            }
        }
    }
    out
}

/// The same, of at most `most` characters.
pub fn short(text: &str, most: usize) -> String {
    plain(text).chars().take(most).collect()
}

/// One field of a table in CSV (RFC 4180, also for those who part fields by semicolons). What a spreadsheet would
/// take for a formula is said to be text.
pub fn csv_field(text: &str) -> String {
    let text = plain(text);
    let formula = text.trim_start().starts_with(['=', '+', '-', '@']);
    let text = if formula { format!("'{text}") } else { text };
    if text.contains([',', '"', ';']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_harmful_is_left() {
        assert_eq!(plain("a\x1b[31mb\u{9b}c\td\ne\u{202e}f\u{61c}g"), "a[31mbc d efg");
        let zalgo = format!("z{}", "\u{301}".repeat(50));
        assert_eq!(plain(&zalgo).chars().count(), MARKS);
        assert_eq!(plain("👩\u{200d}🍳"), "👩\u{200d}🍳", "what joins one picture stays");
        assert_eq!(short("春季大促\u{200f}!", 4), "春季大促");
    }

    #[test]
    fn lines_keep_their_ends_and_their_colours() {
        let text = "\x1b[1;31mred\u{202e}\x1b[0m  x\r\n\x1b]0;title\x07\x1b[2Jy\u{2028}z\n";
        assert_eq!(lines(text), "\x1b[1;31mred\x1b[0m  x\r\n]0;title2Jy z\n");
        assert_eq!(lines("a\nb"), "a\nb");
    }

    #[test]
    fn json_says_the_same_without_marks() {
        let value = format!("a\u{202e}b\u{9b}👩\u{200d}🍳\u{e0041}\n z{}", "\u{301}".repeat(12));
        let written = serde_json::to_string(&value).unwrap();
        let safe = json(&written);
        assert!(safe.contains("\\u202e") && !safe.contains('\u{202e}'), "{safe}");
        assert!(!safe.contains(&"\u{301}".repeat(MARKS)), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), value);
    }
}
