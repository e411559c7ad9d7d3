//! One line of IRC: parsed from bytes that may be anything, and written so that it cannot hold a second line.

use std::fmt;

use unicode_segmentation::UnicodeSegmentation;

/// The longest line that is sent without tags, in bytes, with CR LF (RFC 1459, section 2.3).
pub const MOST_SENT: usize = 512;

/// Who a line comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prefix {
    /// The nickname, or a server's name.
    pub nick: String,
    /// The user name.
    pub user: Option<String>,
    /// The host.
    pub host: Option<String>,
}

/// A line as received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Tags with their values unescaped, in order; an absent value is empty.
    pub tags: Vec<(String, String)>,
    /// Who it comes from; absent where the server itself speaks.
    pub prefix: Option<Prefix>,
    /// The command in upper case, or three digits.
    pub command: String,
    /// The parameters, the trailing one last.
    pub params: Vec<String>,
}

/// Why a line cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Nothing but tags, a prefix or blanks.
    #[error("the line has no command")]
    NoCommand,
    /// The command is neither letters nor three digits.
    #[error("the line's command is neither letters nor three digits")]
    BadCommand,
}

impl Line {
    /// Reads a line without its end. Invalid UTF-8 becomes U+FFFD; CR, LF and NUL within are dropped.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let text: String = String::from_utf8_lossy(bytes)
            .chars()
            .filter(|c| !matches!(c, '\r' | '\n' | '\0'))
            .collect();
        let mut rest = text.as_str().trim_start_matches(' ');
        let mut line = Self::default();
        if let Some(tagged) = rest.strip_prefix('@') {
            let (tags, after) = tagged.split_once(' ').ok_or(Malformed::NoCommand)?;
            line.tags = tags
                .split(';')
                .filter(|tag| !tag.is_empty())
                .map(|tag| {
                    let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
                    (key.to_owned(), unescaped(value))
                })
                .collect();
            rest = after.trim_start_matches(' ');
        }
        if let Some(prefixed) = rest.strip_prefix(':') {
            let (prefix, after) = prefixed.split_once(' ').ok_or(Malformed::NoCommand)?;
            line.prefix = Some(Prefix::parse(prefix));
            rest = after.trim_start_matches(' ');
        }
        let (command, after) = rest.split_once(' ').unwrap_or((rest, ""));
        let letters = command.bytes().all(|b| b.is_ascii_alphabetic());
        let digits = command.len() == 3 && command.bytes().all(|b| b.is_ascii_digit());
        if command.is_empty() {
            return Err(Malformed::NoCommand);
        }
        if !letters && !digits {
            return Err(Malformed::BadCommand);
        }
        line.command = command.to_ascii_uppercase();
        let mut rest = after.trim_start_matches(' ');
        while !rest.is_empty() {
            if let Some(trailing) = rest.strip_prefix(':') {
                line.params.push(trailing.to_owned());
                break;
            }
            let (param, after) = rest.split_once(' ').unwrap_or((rest, ""));
            line.params.push(param.to_owned());
            rest = after.trim_start_matches(' ');
        }
        Ok(line)
    }

    /// The value of a tag; of two with the same key the last counts (IRCv3 message-tags). Empty values are as absent.
    pub fn tag(&self, key: &str) -> Option<&str> {
        let (_, value) = self.tags.iter().rev().find(|(known, _)| known == key)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// Whether a tag is there, with or without a value.
    pub fn has_tag(&self, key: &str) -> bool {
        self.tags.iter().any(|(known, _)| known == key)
    }

    /// The parameter at `n`.
    pub fn param(&self, n: usize) -> Option<&str> {
        self.params.get(n).map(String::as_str)
    }

    /// The last parameter.
    pub fn last(&self) -> Option<&str> {
        self.params.last().map(String::as_str)
    }

    /// The nickname it comes from.
    pub fn nick(&self) -> Option<&str> {
        self.prefix.as_ref().map(|prefix| prefix.nick.as_str())
    }
}

impl Prefix {
    fn parse(text: &str) -> Self {
        let (rest, host) = match text.split_once('@') {
            Some((rest, host)) => (rest, Some(host.to_owned())),
            None => (text, None),
        };
        let (nick, user) = match rest.split_once('!') {
            Some((nick, user)) => (nick, Some(user.to_owned())),
            None => (rest, None),
        };
        Self { nick: nick.to_owned(), user, host }
    }
}

/// A tag's value with its escapes resolved (IRCv3 message-tags): an unknown escape stands for its character, a lone
/// backslash at the end for nothing.
fn unescaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some(':') => out.push(';'),
            Some('s') => out.push(' '),
            Some('r') => out.push('\r'),
            Some('n') => out.push('\n'),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

/// Why a line cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// The command, or a parameter before the last, is empty, holds a blank or begins with a colon.
    #[error("a parameter of the line is empty, holds a blank or begins with a colon")]
    BadParam,
    /// The line is full before its text begins.
    #[error("the line has no room for a text")]
    NoRoom,
}

/// Bytes to be sent. `Debug` hides those that hold a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Wire {
    bytes: Vec<u8>,
    secret: bool,
}

impl Wire {
    /// The bytes with CR LF.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether they must not be logged.
    pub fn is_secret(&self) -> bool {
        self.secret
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.secret {
            f.write_str("Wire(…)")
        } else {
            write!(f, "Wire({:?})", String::from_utf8_lossy(&self.bytes))
        }
    }
}

/// A line to be sent. It has no `Debug`, because it may hold a secret.
#[derive(Clone, Copy, Default)]
pub struct Command<'a> {
    /// The command.
    pub name: &'a str,
    /// Parameters before the last; none may be empty, hold a blank or begin with a colon.
    pub params: &'a [&'a str],
    /// The last parameter, which may be any text. It is made one line and cut to what fits.
    pub text: Option<&'a str>,
    /// A value for the tag `label` (IRCv3 labeled-response).
    pub label: Option<u64>,
    /// Bytes to leave free for the prefix that the server puts before the line when it passes it on.
    pub reserve: usize,
    /// Whether the line holds a secret.
    pub secret: bool,
}

impl Command<'_> {
    /// Writes the line. Returns it with the number of bytes of `text` that it holds.
    pub fn write(&self) -> Result<(Wire, usize), Unsendable> {
        let mut line = self.name.to_owned();
        if !is_middle(self.name) || !self.params.iter().all(|param| is_middle(param)) {
            return Err(Unsendable::BadParam);
        }
        for param in self.params {
            line.push(' ');
            line.push_str(param);
        }
        let room = MOST_SENT - 2;
        if line.len() > room {
            return Err(Unsendable::NoRoom);
        }
        let mut kept = 0;
        if let Some(text) = self.text {
            line.push_str(" :");
            let room = room.checked_sub(line.len() + self.reserve).ok_or(Unsendable::NoRoom)?;
            let fits = fitting(text, room);
            kept = fits.len();
            line.extend(fits.chars().map(|c| if is_end(c) { ' ' } else { c }));
        }
        if let Some(label) = self.label {
            line.insert_str(0, &format!("@label={label} "));
        }
        line.push_str("\r\n");
        Ok((Wire { bytes: line.into_bytes(), secret: self.secret }, kept))
    }
}

/// The longest beginning of whole graphemes that has at most `most` bytes.
pub fn fitting(text: &str, most: usize) -> &str {
    let end = text
        .grapheme_indices(true)
        .map(|(at, grapheme)| at + grapheme.len())
        .take_while(|end| *end <= most)
        .last();
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

const fn is_end(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\0')
}

fn is_middle(param: &str) -> bool {
    !param.is_empty() && !param.starts_with(':') && !param.contains([' ', '\r', '\n', '\0'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Line {
        Line::parse(text.as_bytes()).unwrap()
    }

    /// Examples of the IRCv3 message-tags specification and of RFC 1459.
    #[test]
    fn documented_lines_are_read() {
        let line = parse("@aaa=bbb;ccc;example.com/ddd=eee :nick!ident@host.com PRIVMSG me :Hello");
        assert_eq!(line.tag("aaa"), Some("bbb"));
        assert!(line.has_tag("ccc") && line.tag("ccc").is_none());
        assert_eq!(line.tag("example.com/ddd"), Some("eee"));
        let prefix = line.prefix.clone().unwrap();
        assert_eq!(
            (prefix.user.as_deref(), prefix.host.as_deref()),
            (Some("ident"), Some("host.com"))
        );
        assert_eq!((line.nick(), line.command.as_str()), (Some("nick"), "PRIVMSG"));
        assert_eq!(line.params, ["me", "Hello"]);
        let line = parse(":irc.example.com CAP * LS * :multi-prefix sasl");
        assert_eq!(
            (line.nick(), line.params.len(), line.last()),
            (Some("irc.example.com"), 4, Some("multi-prefix sasl"))
        );
        assert_eq!(parse("ping a").command, "PING");
        assert_eq!(parse(":s 001  me   :").params, ["me", ""]);
        assert_eq!(parse("PRIVMSG #c ::)").last(), Some(":)"));
        let line = parse("@k=a\\:b\\s\\\\c\\r\\n\\q\\;k2=x X");
        assert_eq!((line.tag("k"), line.tag("k2")), (Some("a;b \\c\r\nq"), Some("x")));
        assert_eq!(parse("@a=1;a=2 X").tag("a"), Some("2"));
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for empty in ["", " ", "@a=b", "@a=b ", ":nick", ":nick ", "@a :b "] {
            assert_eq!(Line::parse(empty.as_bytes()), Err(Malformed::NoCommand), "{empty:?}");
        }
        for bad in ["12", "PRIV-MSG x", "1234 x", "é", "P1 x"] {
            assert_eq!(Line::parse(bad.as_bytes()), Err(Malformed::BadCommand), "{bad:?}");
        }
        let line = Line::parse(b":n PRIVMSG #c :caf\xe9 \xff\r\0x").unwrap();
        assert_eq!(line.last(), Some("caf\u{fffd} \u{fffd}x"));
    }

    fn written(command: Command<'_>) -> String {
        String::from_utf8(command.write().unwrap().0.bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_sent_text_is_one_line_and_cut_between_graphemes() {
        let say = |text| Command {
            name: "PRIVMSG",
            params: &["#c"],
            text: Some(text),
            ..Command::default()
        };
        assert_eq!(written(say("a\r\nQUIT\0b")), "PRIVMSG #c :a  QUIT b\r\n");
        let family = "👩🏽\u{200d}👩🏽\u{200d}👧🏽\u{200d}👦🏽";
        let long = family.repeat(100);
        let (wire, kept) = say(&long).write().unwrap();
        assert!(wire.bytes().len() <= MOST_SENT && kept % family.len() == 0 && kept > 0);
        let (wire, _) = Command { reserve: 100, ..say(&long) }.write().unwrap();
        assert!(wire.bytes().len() <= MOST_SENT - 100);
        assert_eq!(written(Command { label: Some(7), ..say("x") }), "@label=7 PRIVMSG #c :x\r\n");
        for bad in ["", "a b", ":a", "a\rb", "a\nb", "a\0"] {
            let command = Command { name: "JOIN", params: &[bad], ..Command::default() };
            assert_eq!(command.write(), Err(Unsendable::BadParam), "{bad:?}");
        }
        let full = Command { reserve: 600, ..say("x") };
        assert_eq!(full.write(), Err(Unsendable::NoRoom));
    }

    #[test]
    fn a_secret_line_is_not_shown() {
        let command = Command {
            name: "AUTHENTICATE",
            params: &["czNjcmV0"],
            secret: true,
            ..Command::default()
        };
        let (wire, _) = command.write().unwrap();
        assert!(wire.is_secret() && !format!("{wire:?}").contains("czNj"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Line::parse(&bytes);
        }

        #[test]
        fn a_mutated_line_is_read_or_refused(at in 0_usize..90, by: u8, cut in 0_usize..90) {
            let mut bytes = b"@id=1;time=2026-01-01T00:00:00.000Z :minh!m@h PRIVMSG #shop :SP1 2 gi\xc3\xa1?".to_vec();
            if let Some(byte) = bytes.get_mut(at) { *byte = by; }
            bytes.truncate(cut);
            let _ = Line::parse(&bytes);
        }

        #[test]
        fn nothing_sent_holds_a_second_line(text in "\\PC{0,300}|[\\x00-\\x20]{0,600}|(a\u{301}|🇻🇳|\r\n){0,400}") {
            let command = Command { name: "PRIVMSG", params: &["#c"], text: Some(&text), ..Command::default() };
            let (wire, kept) = command.write().unwrap();
            let (body, end) = wire.bytes().split_at(wire.bytes().len() - 2);
            prop_assert!(end == b"\r\n" && wire.bytes().len() <= MOST_SENT && kept <= text.len());
            prop_assert!(!body.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
            let back = Line::parse(wire.bytes()).unwrap();
            let same: String = text[..kept].chars().map(|c| if is_end(c) { ' ' } else { c }).collect();
            prop_assert_eq!(back.last().unwrap(), same);
        }
    }
}
