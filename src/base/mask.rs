//! Secrets replaced by `…` in texts that somebody else wrote: a server, a library. A secret is found as it is, and in
//! the forms in which such texts repeat it: percent-encoded, escaped, as an entity of HTML, within base64.
//!
//! Every [`super::Secret`] that this process has held is remembered here, so that whoever writes a log, an event or a
//! terminal can ask for all of them at once. It knows no file and no network.

use std::{
    borrow::Cow,
    collections::VecDeque,
    sync::{PoisonError, RwLock},
};

use url::Url;

/// What stands in a secret's place.
const HIDDEN: &str = "…";
/// A shorter text is no secret: it would be found in every other word.
const SHORTEST: usize = 4;
/// A part of a secret or of an address that is this long is kept from others by itself.
const LONG_PART: usize = 8;
/// A part of an address without a digit in it is taken for a secret from this length on: shorter ones are words.
const LONG_WORD: usize = 20;
/// So many are remembered; the oldest goes first.
const MOST: usize = 1024;

static KNOWN: RwLock<Mask> = RwLock::new(Mask::new());

/// Remembers a secret for as long as this process lives.
pub fn remember(secret: &str) {
    if KNOWN.read().unwrap_or_else(PoisonError::into_inner).has(secret) {
        return;
    }
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).secret(secret);
}

/// Remembers what of an address is, or may be, a secret: its password, and those parts of path and query that do not
/// look like words.
pub fn remember_address(url: &Url) {
    let parts = secret_parts(url);
    if parts.is_empty() {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    for part in parts {
        known.add(&part);
    }
}

/// `text` without any secret that is remembered.
pub fn masked(text: &str) -> Cow<'_, str> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).apply(text)
}

fn secret_parts(url: &Url) -> Vec<String> {
    let parts = address_parts(url).into_iter().filter(|part| {
        part.chars().count() >= LONG_WORD || part.chars().any(|c| c.is_ascii_digit())
    });
    parts.chain(url.password().map(decoded)).collect()
}

/// The parts of path and query that are long enough to be secrets, each as it was meant.
fn address_parts(url: &Url) -> Vec<String> {
    let segments = url.path_segments().into_iter().flatten().map(decoded);
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    segments
        .filter(|part| part.chars().count() >= LONG_PART)
        .chain(values.filter(|value| value.chars().count() >= SHORTEST))
        .collect()
}

/// Whether it is an address of a machine, or reads like the name of one: those are shown.
fn is_host(part: &str) -> bool {
    let named =
        |last: &str| (2..=12).contains(&last.len()) && last.bytes().all(|b| b.is_ascii_lowercase());
    part.parse::<std::net::IpAddr>().is_ok()
        || (part.rsplit_once('.').is_some_and(|(_, last)| named(last))
            && !part.contains(|c: char| c.is_ascii_uppercase() || c == '_'))
}

/// Percent-encoding undone.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        if let Some(byte) = percent(&bytes[at..]) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The secrets to be kept from a text.
#[derive(Debug, Default)]
pub struct Mask {
    entries: VecDeque<Entry>,
}

impl Mask {
    /// One that hides nothing.
    pub const fn new() -> Self {
        Self { entries: VecDeque::new() }
    }

    /// One that hides what of these addresses a server must not repeat: every long part of their paths, and every
    /// value of their queries.
    pub fn of_addresses<'a>(urls: impl IntoIterator<Item = &'a Url>) -> Self {
        let mut mask = Self::new();
        for url in urls {
            for part in address_parts(url) {
                mask.add(&part);
            }
            if let Some(password) = url.password() {
                mask.add(&decoded(password));
            }
        }
        mask
    }

    fn has(&self, secret: &str) -> bool {
        self.entries.iter().any(|entry| entry.text == secret)
    }

    /// Hides this, and its long parts: a stream key may hold an address's query, of which a server repeats a value.
    fn secret(&mut self, secret: &str) {
        self.add(secret);
        if let Some(url) = Url::parse(secret).ok().filter(Url::has_host) {
            for part in address_parts(&url) {
                self.add(&part);
            }
            return;
        }
        let is_part = |c: char| c.is_alphanumeric() || "-_.~+".contains(c);
        for part in secret.split(|c| !is_part(c)).filter(|part| part.len() < secret.len()) {
            if part.chars().count() >= LONG_PART && !is_host(part) {
                self.add(part);
            }
        }
    }

    /// Hides this.
    pub fn add(&mut self, text: &str) {
        if text.chars().count() < SHORTEST || self.has(text) {
            return;
        }
        if self.entries.len() == MOST {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry::new(text));
    }

    /// `text` without them.
    pub fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let bytes = text.as_bytes();
        let (mut out, mut kept) = (String::new(), 0);
        let mut at = 0;
        while at < bytes.len() {
            let found = self.entries.iter().filter_map(|entry| entry.found(bytes, kept, at));
            let Some((from, to)) = found.max_by_key(|(from, to)| to - from) else {
                at += 1;
                continue;
            };
            out.push_str(&text[kept..from]);
            if !out.ends_with(HIDDEN) || from > kept {
                out.push_str(HIDDEN);
            }
            (kept, at) = (to, to.max(at + 1));
        }
        if kept == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(&text[kept..]);
        Cow::Owned(out)
    }
}

struct Entry {
    text: String,
    chars: Vec<char>,
    /// What of it stands in base64, for each of the three places it may have in a group of three bytes.
    base64: [Vec<u8>; 3],
    /// Bytes that one of its forms may begin with.
    starts: [bool; 256],
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entry(…)")
    }
}

impl Entry {
    fn new(text: &str) -> Self {
        let base64 = [0, 1, 2].map(|before| within_base64(text.as_bytes(), before));
        let mut starts = [false; 256];
        for first in base64.iter().filter_map(|form| form.first()) {
            starts[usize::from(*first)] = true;
            starts[usize::from(url_safe(*first))] = true;
        }
        if let Some(first) = text.bytes().next() {
            starts[usize::from(first.to_ascii_lowercase())] = true;
            starts[usize::from(first.to_ascii_uppercase())] = true;
            starts[usize::from(b'%')] = true;
            starts[usize::from(b'\\')] = true;
            starts[usize::from(b'&')] |= !first.is_ascii_alphanumeric();
            starts[usize::from(b'+')] |= first == b' ';
        }
        Self { text: text.to_owned(), chars: text.chars().collect(), base64, starts }
    }

    /// Where a form of it lies that begins at `at`; what is before `kept` was given out already.
    fn found(&self, text: &[u8], kept: usize, at: usize) -> Option<(usize, usize)> {
        if !self.starts[usize::from(text[at])] {
            return None;
        }
        if text[at..].starts_with(self.text.as_bytes()) {
            return Some((at, at + self.text.len()));
        }
        if let Some(to) = self.written(text, at, 0) {
            return Some((at, to));
        }
        let same = |form: &&Vec<u8>| {
            let there = text[at..].iter().copied().map(plain_alphabet);
            !form.is_empty() && there.take(form.len()).eq(form.iter().copied())
        };
        let form = self.base64.iter().find(same)?;
        // What is joined to it holds the rest of its first and last character.
        let before = text[kept..at].iter().rev().take_while(|b| is_base64(**b)).count();
        let after = text[at + form.len()..].iter().take_while(|b| is_base64(**b)).count();
        Some((at - before, at + form.len() + after))
    }

    /// Where it ends, if it stands at `at` from its character `n` on, with some characters written in another way, or
    /// cut off where the text was.
    fn written(&self, text: &[u8], at: usize, n: usize) -> Option<usize> {
        let mut to = at;
        let mut n = n;
        while let Some(c) = self.chars.get(n) {
            if *c == '\\' && text.get(to) == Some(&b'\\') {
                return self.after_backslashes(text, to, n);
            }
            let Some(next) = character(text, to, *c) else {
                let cut = to == text.len() || text[to..].starts_with(HIDDEN.as_bytes());
                let enough = n >= SHORTEST && n * 2 >= self.chars.len();
                return (cut && enough).then_some(to);
            };
            to = next;
            n += 1;
        }
        Some(to)
    }

    /// Backslashes may be doubled, more than once, and escape what follows them.
    fn after_backslashes(&self, text: &[u8], at: usize, n: usize) -> Option<usize> {
        let wanted = self.chars[n..].iter().take_while(|c| **c == '\\').count();
        let there = text[at..].iter().take_while(|b| **b == b'\\').count();
        [there, there - 1, wanted]
            .into_iter()
            .filter(|taken| (wanted..=there).contains(taken))
            .find_map(|taken| self.written(text, at + taken, n + wanted))
    }
}

/// Reads one byte that is written in some way, and how long that is.
type Byte<'a> = dyn Fn(&[u8]) -> Option<(u8, usize)> + 'a;

/// Where `c` ends that stands at `at`, in whichever way it is written.
fn character(text: &[u8], at: usize, c: char) -> Option<usize> {
    let (mut utf8, code) = ([0; 4], u32::from(c));
    let utf8 = c.encode_utf8(&mut utf8).as_bytes();
    let rest = &text[at.min(text.len())..];
    let by_bytes = |one: &Byte<'_>| {
        utf8.iter().try_fold(at, |at, byte| {
            let (found, length) = one(&text[at..])?;
            (found == *byte).then_some(at + length)
        })
    };
    let escaped = || {
        let slashes = rest.iter().take_while(|b| **b == b'\\').count();
        if slashes == 0 {
            return None;
        }
        let after = &rest[slashes..];
        let same = (!c.is_alphanumeric() && after.starts_with(utf8)).then(|| slashes + utf8.len());
        same.or_else(|| unicode(after, code).map(|n| slashes + n)).map(|n| at + n)
    };
    let percented = || {
        by_bytes(&|text| percent(text).map(|byte| (byte, 3))).or_else(|| {
            by_bytes(&|text| {
                let twice = text.strip_prefix(b"%25")?;
                Some((hexadecimal(twice.get(..2)?)? as u8, 5))
            })
        })
    };
    // An escaped form first: a backslash or a percent sign may be the character itself.
    escaped()
        .or_else(percented)
        .or_else(|| by_bytes(&backslashed))
        .or_else(|| entity(rest, c).map(|n| at + n))
        // In either case: a server may say it again in small letters.
        .or_else(|| rest.get(..utf8.len())?.eq_ignore_ascii_case(utf8).then(|| at + utf8.len()))
        .or_else(|| (c == ' ' && rest.first() == Some(&b'+')).then_some(at + 1))
}

/// `u00e9` or `u{e9}`.
fn unicode(text: &[u8], code: u32) -> Option<usize> {
    let digits = text.strip_prefix(b"u")?;
    if let Some(open) = digits.strip_prefix(b"{") {
        let close = open.iter().position(|b| *b == b'}').filter(|n| *n <= 6)?;
        return (hexadecimal(&open[..close])? == code).then_some(close + 3);
    }
    (hexadecimal(digits.get(..4)?)? == code).then_some(5)
}

/// A byte as `\xHH` or `\ooo`.
fn backslashed(text: &[u8]) -> Option<(u8, usize)> {
    let digits = text.strip_prefix(b"\\")?;
    if let Some(hex) = digits.strip_prefix(b"x") {
        return Some((hexadecimal(hex.get(..2)?)? as u8, 4));
    }
    let octal = digits.get(..3)?;
    let value = octal.iter().try_fold(0_u32, |sum, digit| {
        (b'0'..=b'7').contains(digit).then(|| sum * 8 + u32::from(digit - b'0'))
    })?;
    u8::try_from(value).ok().map(|byte| (byte, 4))
}

/// The byte that `%HH` stands for.
fn percent(text: &[u8]) -> Option<u8> {
    hexadecimal(text.strip_prefix(b"%")?.get(..2)?).map(|value| value as u8)
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    let digit = |sum: u32, digit: &u8| Some(sum * 16 + char::from(*digit).to_digit(16)?);
    if digits.is_empty() { None } else { digits.iter().try_fold(0, digit) }
}

/// How long the entity of HTML is that stands for `c`.
fn entity(text: &[u8], c: char) -> Option<usize> {
    let body = text.strip_prefix(b"&")?;
    let end = body.iter().position(|b| *b == b';').filter(|n| *n <= 8)?;
    let is = match &body[..end] {
        b"amp" => c == '&',
        b"lt" => c == '<',
        b"gt" => c == '>',
        b"quot" => c == '"',
        b"apos" => c == '\'',
        [b'#', b'x' | b'X', hex @ ..] => hexadecimal(hex)? == u32::from(c),
        [b'#', digits @ ..] => {
            std::str::from_utf8(digits).ok()?.parse::<u32>().ok()? == u32::from(c)
        }
        _ => false,
    };
    is.then_some(end + 2)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What of `bytes` is the same in every base64 text in which that many bytes of a group come before them.
fn within_base64(bytes: &[u8], before: usize) -> Vec<u8> {
    let bit = |n: usize| (bytes[n / 8] >> (7 - n % 8)) & 1;
    let first = (before * 8).div_ceil(6);
    let last = (before + bytes.len()) * 8 / 6;
    let sextet = |n: usize| (n * 6..n * 6 + 6).fold(0, |sum, n| (sum << 1) | bit(n - before * 8));
    (first..last).map(|n| ALPHABET[usize::from(sextet(n))]).collect()
}

const fn plain_alphabet(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => byte,
    }
}

const fn url_safe(byte: u8) -> u8 {
    match byte {
        b'+' => b'-',
        b'/' => b'_',
        byte => byte,
    }
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hiding(secret: &str) -> Mask {
        let mut mask = Mask::new();
        mask.secret(secret);
        mask
    }

    fn base64(bytes: &[u8]) -> String {
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let all = group.iter().fold(0_u32, |sum, b| (sum << 8) | u32::from(*b));
            let all = all << (8 * (3 - group.len()));
            for n in 0..4 {
                let sextet = ((all >> (18 - 6 * n)) & 63) as usize;
                text.push(if n > group.len() { '=' } else { char::from(ALPHABET[sextet]) });
            }
        }
        text
    }

    fn percent_encoded(text: &str) -> String {
        text.bytes()
            .map(|b| match b {
                b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
                b => format!("%{b:02x}"),
            })
            .collect()
    }

    #[test]
    fn a_secret_is_hidden_in_every_form() {
        let secret = "p@ss/w\\rd é+&\"1";
        let mask = hiding(secret);
        let json = serde_json::to_string(secret).unwrap();
        for form in [
            secret.to_owned(),
            percent_encoded(secret),
            "p%40ss%2Fw%5Crd%20%C3%A9%2B%26%221".to_owned(),
            percent_encoded(&percent_encoded(secret)),
            json.clone(),
            serde_json::to_string(&json).unwrap(),
            format!("{secret:?}"),
            "p\\@ss/w\\\\rd\\ \\303\\251+\\&\\\"1".to_owned(),
            "p&#64;ss/w\\rd &#xe9;+&amp;&quot;1".to_owned(),
            "p@ss/w\\\\rd+\\u00e9+&\\\"1".to_owned(),
            base64(secret.as_bytes()),
            base64(format!("u:{secret}").as_bytes()),
            base64(format!("us:{secret} ").as_bytes()),
            base64(secret.as_bytes()).replace('+', "-").replace('/', "_"),
        ] {
            let text = format!("key \"{form}\" is in use");
            let said = mask.apply(&text);
            assert!(said.contains('…') && said.contains("in use"), "{form} -> {said}");
            assert!(!said.contains("rd"), "{form} -> {said}");
        }
        assert_eq!(mask.apply("a harmless text"), "a harmless text");
    }

    #[test]
    fn parts_of_a_key_and_what_was_cut_off_are_hidden_too() {
        let mask = hiding("show?auth=s3cr3ts3cr3t&x=1");
        assert_eq!(mask.apply("auth s3cr3ts3cr3t refused"), "auth … refused");
        assert_eq!(hiding("s3cr3ts3cr3t").apply("bad token s3cr3ts3"), "bad token …");
        assert_eq!(hiding("s3cr3ts3cr3t").apply("bad token s3cr3ts3…"), "bad token ……");
        assert_eq!(hiding("s3cR3Ts3cr3t").apply("S3CR3Ts3cr3t"), "…");
        assert_eq!(hiding("abc").apply("abcabc"), "abcabc", "too short to be looked for");
        let hook = hiding("https://127.0.0.1:9/h00kSECRET");
        assert_eq!(hook.apply("h00kSECRET at 127.0.0.1:80"), "… at 127.0.0.1:80");
        let stream = hiding("#!::h=live.example.com,s=s3cr3ts3cr3t");
        assert_eq!(stream.apply("s3cr3ts3cr3t live.example.com"), "… live.example.com");
    }

    #[test]
    fn addresses_hide_their_long_parts_and_values() {
        let url: Url =
            "https://u:pa55word@h/live/pathSECRET7/whip-endpoint?k=v4lue".parse().unwrap();
        let mask = Mask::of_addresses([&url]);
        assert_eq!(
            mask.apply("bad /live/pathSECRET7/whip-endpoint k=v4lue (pa55word)"),
            "bad /live/…/… k=… (…)"
        );
        assert_eq!(secret_parts(&url), ["pathSECRET7", "v4lue", "pa55word"]);
    }

    proptest! {
        /// Nothing that is hidden is left, and nothing else is lost.
        #[test]
        fn no_secret_is_left(secret in "[!-~é你 ]{4,24}", before in ".{0,12}", after in ".{0,12}") {
            let mask = hiding(&secret);
            for form in [
                secret.clone(),
                percent_encoded(&secret),
                format!("{secret:?}"),
                serde_json::to_string(&secret).unwrap(),
            ] {
                let text = format!("{before}{form}{after}");
                let said = mask.apply(&text);
                prop_assert!(!said.contains(&form), "{text:?} -> {said:?}");
            }
            let coded = base64(format!("{before}{secret}{after}").as_bytes());
            prop_assert!(mask.apply(&coded) != coded, "{coded}");
        }

        /// Any text can be looked through.
        #[test]
        fn any_text_is_taken(secret in ".{0,12}", text in ".{0,80}") {
            let _ = hiding(&secret).apply(&text);
        }
    }
}
