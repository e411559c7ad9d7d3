//! A line as tokens of orders: words, numbers, codes, "+", "x2". What a word means is looked up later.

/// A token, and whether no blank stands before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) glued: bool,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word of Latin letters, or a run of one other script.
    Word(String),
    /// A number of digits.
    Number(u32),
    /// Letters and digits that have the shape of an item's code.
    Code(String),
    /// "x2", "2x", "*2".
    Times(u32),
    /// Letters and digits of another shape; amounts, times, scores.
    Junk,
    /// Letters before digits, not yet known for a code: ("chot", 2).
    Glued(String, u32),
    /// Digits before letters: (2, "pcs").
    Measured(u32, String),
    /// "+".
    Plus,
    /// A line's parts are apart here: a comma, a full stop.
    Break,
    /// Any other sign.
    Sign(char),
}

/// Numbers above this are no quantity and no part of a code.
const GREATEST: u32 = 99_999;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Thai,
    Hangul,
    East,
    Arabic,
    Blank,
    Sign,
}

fn class(c: char) -> Class {
    match c {
        '0'..='9' => Class::Digit,
        '\u{e01}'..='\u{e4e}' => Class::Thai,
        '\u{ac00}'..='\u{d7a3}' | '\u{3131}'..='\u{318e}' => Class::Hangul,
        'ー' | '々' | '\u{3041}'..='\u{30fa}' | '\u{3400}'..='\u{9fff}' => Class::East,
        '\u{621}'..='\u{6d3}' => Class::Arabic,
        '×' | '✕' => Class::Sign,
        '\'' | '’' => Class::Letter,
        c if c.is_whitespace() => Class::Blank,
        c if c.is_alphabetic() || matches!(c, '\u{300}'..='\u{36f}') => Class::Letter,
        _ => Class::Sign,
    }
}

/// Cuts a normalised text into tokens.
pub(super) fn cut(text: &str) -> Vec<Token> {
    // "n.º 7" is "n.o 7" by now.
    let text = apart(text).replace("n.o ", "no ");
    let mut parts: Vec<(Class, &str, bool)> = Vec::new();
    let mut glued = false;
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let of = class(c);
        let length = if of == Class::Sign {
            c.len_utf8()
        } else {
            rest.find(|c| class(c) != of).unwrap_or(rest.len())
        };
        let (part, tail) = rest.split_at(length);
        rest = tail;
        if of == Class::Blank {
            glued = false;
            continue;
        }
        parts.push((of, part, glued));
        glued = true;
    }
    let mut tokens = Vec::new();
    let mut n = 0;
    while n < parts.len() {
        let (kind, used) = read(&parts, n);
        let glued = parts.get(n).is_some_and(|part| part.2);
        tokens.push(Token { kind, glued });
        n += used.max(1);
    }
    tokens
}

/// "2xA5" with a blank behind the x.
fn apart(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut last = (' ', ' ');
    for c in text.chars() {
        if c.is_ascii_alphabetic()
            && matches!(last, ('0'..='9', 'x'))
            && !matches!(c, 'l' | 's' | 'x')
        {
            out.push(' ');
        }
        out.push(c);
        last = (last.1, c);
    }
    out
}

/// The token that begins at a part, and how many parts it takes.
fn read(parts: &[(Class, &str, bool)], n: usize) -> (Kind, usize) {
    let part = |k: usize| parts.get(n + k).copied();
    let glued =
        |k: usize, of: Class| part(k).filter(|part| part.2 && part.0 == of).map(|part| part.1);
    let Some((of, text, _)) = part(0) else { return (Kind::Junk, 1) };
    match of {
        Class::Letter => {
            // "a12", "a-12", "a12b", "a5x2".
            let (hyphen, at) = match glued(1, Class::Sign) {
                Some(sign @ ("-" | "_")) if text.chars().count() <= 3 => (sign, 2),
                _ => ("", 1),
            };
            let Some(digits) = glued(at, Class::Digit) else {
                return (Kind::Word(text.to_owned()), 1);
            };
            let number = number(digits);
            let tail = glued(at + 1, Class::Letter);
            let more = glued(at + 2, Class::Digit);
            let letters = text.chars().count();
            let ascii = text.bytes().all(|b| b.is_ascii_alphabetic());
            match (tail, more) {
                (None, _) if text == "x" && hyphen.is_empty() => (Kind::Times(number), 2),
                (None, _) if ascii && letters <= 4 && digits.len() <= 4 => {
                    let code = format!("{text}{hyphen}{digits}").to_uppercase();
                    if hyphen.is_empty() && letters >= 2 {
                        // It may be a word that is glued to its number; the code is made again from its parts.
                        (Kind::Glued(format!("{text}\u{0}{digits}"), number), 2)
                    } else {
                        (Kind::Code(code), at + 1)
                    }
                }
                (None, _) => (Kind::Glued(text.to_owned(), number), at + 1),
                // The quantity is left for the next token.
                (Some("x"), Some(_)) if ascii && letters <= 4 && digits.len() <= 4 => {
                    (Kind::Code(format!("{text}{hyphen}{digits}").to_uppercase()), at + 1)
                }
                (Some(tail), None) if ascii && letters <= 4 && digits.len() <= 4 => {
                    let code = format!("{text}{hyphen}{digits}").to_uppercase();
                    match tail {
                        "s" | "m" | "l" | "xl" | "xxl" | "xs" => (Kind::Code(code), at + 2),
                        tail if tail.len() == 1 && tail.is_ascii() => {
                            (Kind::Code(code + &tail.to_uppercase()), at + 2)
                        }
                        _ => (Kind::Junk, at + 2),
                    }
                }
                (Some(_), Some(_)) => (Kind::Junk, at + 3),
                (Some(_), None) => (Kind::Junk, at + 2),
            }
        }
        Class::Digit => {
            // "1.5", "12:30", "2-1", "11/11": neither quantity nor item.
            let mut used = 1;
            while matches!(glued(used, Class::Sign), Some("." | "," | ":" | "/" | "-"))
                && glued(used + 1, Class::Digit).is_some()
            {
                used += 2;
            }
            if used > 1 {
                let letters = usize::from(glued(used, Class::Letter).is_some());
                return (Kind::Junk, used + letters);
            }
            if glued(1, Class::Sign) == Some("%") {
                return (Kind::Junk, 2);
            }
            let number = number(text);
            match (glued(1, Class::Letter), glued(2, Class::Digit)) {
                (Some("x"), None) => (Kind::Times(number), 2),
                (Some(letters), None) => (Kind::Measured(number, letters.to_owned()), 2),
                (Some(_), Some(_)) => (Kind::Junk, 3),
                (None, _) => (Kind::Number(number), 1),
            }
        }
        Class::Sign => match text {
            "+" | "➕" => (Kind::Plus, 1),
            "*" | "×" | "✕" if part(1).is_some_and(|part| part.0 == Class::Digit) => {
                (Kind::Times(part(1).map_or(0, |part| number(part.1))), 2)
            }
            "," | "،" | ";" | "。" | "、" | "，" | "/" | "." | "!" | "&" | "|" => {
                (Kind::Break, 1)
            }
            "$" | "₱" | "฿" | "€" | "£" | "¥" | "₫" | "₩" | "₹" => {
                let used = usize::from(glued(1, Class::Digit).is_some());
                (Kind::Junk, 1 + used)
            }
            _ => (Kind::Sign(text.chars().next().unwrap_or(' ')), 1),
        },
        _ => (Kind::Word(text.to_owned()), 1),
    }
}

fn number(digits: &str) -> u32 {
    digits.parse().ok().filter(|number| *number <= GREATEST).unwrap_or(u32::MAX)
}
