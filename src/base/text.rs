//! Text from outside (a show file, a server, a viewer) made harmless: nothing in it can move a cursor, ring a bell,
//! or turn the direction of the line it stands in.

use std::fmt::Write as _;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

/// Longest run of a letter and the marks on it, in characters: beyond it, stacked marks would climb over the lines
/// above. Seven marks are more than any script's spelling needs (Hebrew with cantillation: five), and a flag of a
/// country's part needs six.
const MARKS: usize = 8;

/// Most characters of a width of their own in one grapheme. A family of four with skin tones has eight; Indic conjuncts
/// have fewer.
const BASES: usize = 12;

/// The flag on which the tag sequences of UTS #51 are built.
const BLACK_FLAG: char = '\u{1f3f4}';

/// The tag sequences that Unicode recommends for interchange (RGI): England, Scotland, Wales. All other tag characters
/// are invisible text and go.
const FLAGS: [&str; 3] = [
    "\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
];

/// Invisible, and either turns the direction of what follows or joins what should be apart.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Each character, and whether it is a mark that goes. The tags of a flag stay.
fn marked(text: &str) -> impl Iterator<Item = (char, bool)> + '_ {
    let mut tags = 0;
    text.char_indices().map(move |(at, c)| {
        if c == BLACK_FLAG {
            let rest = text.get(at + c.len_utf8()..).unwrap_or("");
            tags = FLAGS.iter().find(|flag| rest.starts_with(**flag)).map_or(0, |_| FLAG_TAGS);
            return (c, false);
        }
        let of_flag = tags > 0;
        tags = tags.saturating_sub(1);
        (c, is_mark(c) && !of_flag)
    })
}

/// Characters in each of [`FLAGS`].
const FLAG_TAGS: usize = 6;

/// Counts through one grapheme, so that only so much of it stays.
#[derive(Default)]
struct Stack {
    bases: usize,
    marks: usize,
}

impl Stack {
    /// Whether the next character of the grapheme stays.
    fn keeps(&mut self, c: char) -> bool {
        if c.width().unwrap_or(0) > 0 {
            self.bases += 1;
            self.marks = 0;
        } else {
            self.marks += 1;
        }
        self.bases <= BASES && self.marks < MARKS
    }
}

/// One line without control characters and marks of direction; blanks of every kind are spaces. Cleaning it again
/// changes nothing.
pub fn plain(text: &str) -> String {
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return text.to_owned();
    }
    let clean: String = marked(text)
        .map(|(c, goes)| if c.is_whitespace() { (' ', false) } else { (c, goes) })
        .filter(|(c, goes)| !goes && !c.is_control())
        .map(|(c, _)| c)
        .collect();
    let mut out = String::with_capacity(clean.len());
    for grapheme in clean.graphemes(true) {
        let mut stack = Stack::default();
        out.extend(grapheme.chars().filter(|c| stack.keeps(*c)));
    }
    out
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
        let mut stack = Stack::default();
        for (c, goes) in marked(grapheme) {
            let harmful = goes || !stack.keeps(c) || (c.is_control() && !c.is_ascii());
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

/// The same, of at most `most` graphemes (what a reader takes for one character); never cut inside one.
pub fn short(text: &str, most: usize) -> String {
    plain(text).graphemes(true).take(most).collect()
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
    fn emoji_of_many_characters_stay_whole() {
        for whole in [
            // A family of four with a skin tone each; a kiss of two; a pirate; a keycap; a flag of two letters.
            "👨🏻\u{200d}👩🏽\u{200d}👧🏼\u{200d}👦🏿",
            "👩🏻\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👨🏿",
            "🏴\u{200d}☠\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "🇻🇳",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "🏴\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
            // Conjuncts, stacked vowels and points.
            "क्ष्म्य",
            "ที่",
            "שּׁ",
        ] {
            assert_eq!(plain(whole), whole);
            assert_eq!(short(&format!("{whole}{whole}x"), 1), whole);
            let written = serde_json::to_string(whole).unwrap();
            assert_eq!(json(&written), written, "as JSON too");
        }
    }

    #[test]
    fn tags_that_make_no_flag_go() {
        let hidden = "\u{e0069}\u{e0067}\u{e006e}\u{e006f}\u{e0072}\u{e0065}\u{e007f}";
        assert_eq!(plain(&format!("a{hidden}b")), "ab");
        assert_eq!(plain(&format!("🏴{hidden}")), "🏴", "not the tags of a flag");
        assert_eq!(plain(&format!("👩{hidden}")), "👩");
        assert_eq!(plain(&format!("🏴{}{hidden}", FLAGS[0])), format!("🏴{}", FLAGS[0]));
        assert_eq!(plain(&format!("🏴\u{7}{}", FLAGS[0])), "🏴", "not joined by cleaning");
        assert_eq!(plain(&FLAGS[0].repeat(3)), "");
    }

    #[test]
    fn chains_and_stacks_are_bounded() {
        let chain = "👩\u{200d}".repeat(500);
        assert!(plain(&chain).chars().count() <= 2 * BASES);
        let pile = format!("👩{}", "\u{fe0f}\u{200d}".repeat(500));
        assert!(plain(&pile).chars().count() <= MARKS);
        let tones = format!("a{}", "🏻".repeat(500));
        assert!(plain(&tones).chars().count() <= BASES);
    }

    proptest::proptest! {
        #[test]
        fn cleaning_again_changes_nothing(
            text in proptest::collection::vec(
                proptest::sample::select(vec![
                    'a', ' ', '\t', '\u{1b}', '\u{202e}', '\u{301}', '\u{200d}', '\u{fe0f}', '🏴', '👩', '🏻',
                    '\u{e0067}', '\u{e0062}', '\u{e0065}', '\u{e006e}', '\u{e007f}', 'क', '\u{94d}', '🇻',
                    '\u{600}', '\u{1100}', '\u{e0100}',
                ]),
                0..80,
            ),
            most in 0_usize..20,
        ) {
            let text: String = text.into_iter().collect();
            let once = plain(&text);
            proptest::prop_assert_eq!(&plain(&once), &once);
            let shortened = short(&text, most);
            proptest::prop_assert!(once.starts_with(&shortened));
            let cut = shortened.len();
            proptest::prop_assert!(once.grapheme_indices(true).any(|(at, _)| at == cut) || cut == once.len());
        }

        #[test]
        fn json_is_the_same_value(text in ".*") {
            let written = serde_json::to_string(&text).unwrap();
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&json(&written)).unwrap(), text);
        }
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
