//! Text from outside (a show file, a server, a viewer) made harmless: nothing in it can move a cursor, ring a bell,
//! or turn the direction of the line it stands in.

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
}
