//! Links, phone numbers and mentions, found in normalised text before anything else is read: a phone number is never a
//! quantity.

use std::ops::Range;

/// Endings of addresses that are typed without a scheme. Those that are words in some language need a slash after them.
const DOMAINS: &[&str] = &[
    "com", "net", "org", "info", "shop", "store", "xyz", "ly", "gg", "tv", "io", "app", "link",
    "bio", "vn", "th", "ph", "sg", "tw", "hk", "jp", "kr", "br", "mx", "online", "site", "club",
    "live", "vip", "cc", "asia", "page", "top",
];
const DOMAINS_WITH_PATH: &[&str] =
    &["me", "id", "my", "co", "es", "pt", "sa", "ae", "cn", "to", "be", "ee", "gl", "de", "fr"];
/// Digits of a phone number, with the country's code (E.164: at most 15).
const PHONE: std::ops::RangeInclusive<usize> = 8..=15;

/// Where they are, in bytes of the normalised text, in order.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    pub(super) links: Vec<Range<usize>>,
    pub(super) phones: Vec<Range<usize>>,
    pub(super) mentions: Vec<Range<usize>>,
}

impl Contacts {
    pub(super) fn new(text: &str) -> Self {
        let mut contacts = Self::default();
        let mut start = 0;
        for word in text.split(' ') {
            let range = start..start + word.len();
            start = range.end + 1;
            if let Some(name) = mention(word) {
                contacts.mentions.push(range.start..range.start + name);
            } else if let Some(link) = link(word) {
                contacts.links.push(range.start + link.start..range.start + link.end);
            }
        }
        let rest = contacts.blanked(text);
        contacts.phones = phones(&rest);
        contacts
    }

    /// The text with all of them as spaces; the same length.
    pub(super) fn blanked(&self, text: &str) -> String {
        let mut out = text.as_bytes().to_vec();
        for range in self.links.iter().chain(&self.phones).chain(&self.mentions) {
            if let Some(part) = out.get_mut(range.clone()) {
                part.fill(b' ');
            }
        }
        // Ranges hold whole characters, so this is valid.
        String::from_utf8(out).unwrap_or_default()
    }
}

/// The part of a word that is a link.
fn link(word: &str) -> Option<Range<usize>> {
    for scheme in ["https://", "http://", "www."] {
        if let Some(at) = word.find(scheme)
            && word.len() > at + scheme.len()
        {
            return Some(at..word.len());
        }
    }
    let start = word.find(|c: char| c.is_ascii_alphanumeric())?;
    let rest = word.get(start..)?;
    let host_end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '@' | '_')))
        .unwrap_or(rest.len());
    let host = rest.get(..host_end)?.trim_end_matches('.');
    let (name, last) = host.rsplit_once('.')?;
    let has_path = rest.get(host_end..).is_some_and(|tail| tail.starts_with('/'));
    let known = DOMAINS.contains(&last) || (has_path && DOMAINS_WITH_PATH.contains(&last));
    if !known
        || name.is_empty()
        || host.contains("..")
        || host.contains('@')
        || !name.bytes().any(|b| b.is_ascii_alphabetic())
    {
        return None;
    }
    Some(start..if has_path { word.len() } else { start + host.len() })
}

/// Length of a mention at the start of a word.
fn mention(word: &str) -> Option<usize> {
    let name = word.strip_prefix('@')?;
    let end = name.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-')));
    let length = end.unwrap_or(name.len());
    (length > 0).then_some(length + 1)
}

/// A run of digits, by bytes.
fn groups(text: &str) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        if !byte.is_ascii_digit() {
            continue;
        }
        match groups.last_mut() {
            Some(group) if group.end == at => group.end = at + 1,
            _ => groups.push(at..at + 1),
        }
    }
    groups
}

fn phones(text: &str) -> Vec<Range<usize>> {
    let groups = groups(text);
    let bytes = text.as_bytes();
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut n = 0;
    while let Some(first) = groups.get(n) {
        let before = first.start.checked_sub(1).and_then(|at| bytes.get(at)).copied();
        // How far groups go on with one separator (or a bracket and a space) between them.
        let mut total = first.len();
        let mut last = n;
        let mut best = is_phone(text, &groups, n..n + 1, before).then_some(n);
        while best.is_none()
            && let (Some(here), Some(next)) = (groups.get(last), groups.get(last + 1))
        {
            let between = bytes.get(here.end..next.start).unwrap_or_default();
            let joined = matches!(
                between,
                [b' ' | b'-' | b'.' | b')']
                    | [b')', b' ' | b'-']
                    | [b' ', b'-', b' ']
                    | [b' ', b'(']
            );
            total += next.len();
            if !joined || total > *PHONE.end() {
                break;
            }
            last += 1;
            if is_phone(text, &groups, n..last + 1, before) {
                best = Some(last);
                // A longer one may follow: "0912 345 678" is one after "0912 345 67".
                let spelt = groups.get(last).is_some_and(|group| group.len() == 1);
                while let (Some(here), Some(after)) = (groups.get(last), groups.get(last + 1)) {
                    let between = bytes.get(here.end..after.start).unwrap_or_default();
                    let joined =
                        matches!(between, [b' ' | b'-' | b'.']) && (after.len() == 1) == spelt;
                    if !joined || !is_phone(text, &groups, n..last + 2, before) {
                        break;
                    }
                    last += 1;
                    best = Some(last);
                }
            }
        }
        if let (Some(end), Some(last)) = (best, best.and_then(|last| groups.get(last))) {
            let plus = usize::from(matches!(before, Some(b'+' | b'(')));
            let mut start = first.start - plus;
            if plus == 1 && before == Some(b'(') && start > 0 && bytes.get(start - 1) == Some(&b'+')
            {
                start -= 1;
            }
            found.push(start..last.end);
            n = end + 1;
        } else {
            n += 1;
        }
    }
    found
}

/// Whether these groups of digits are a phone number.
fn is_phone(text: &str, groups: &[Range<usize>], of: Range<usize>, before: Option<u8>) -> bool {
    let Some(parts) = groups.get(of) else { return false };
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    let digits: String = parts.iter().filter_map(|part| text.get(part.clone())).collect();
    let count = digits.len();
    if !PHONE.contains(&count) {
        return false;
    }
    if before == Some(b'+') {
        // "A12 +1 0912345678": the quantity is not a country's code.
        if first.len() == 1 && parts.get(1).is_some_and(|part| part.len() >= 9) {
            return false;
        }
        if parts
            .get(1)
            .and_then(|part| text.get(part.clone()))
            .is_some_and(|part| part.starts_with('0'))
        {
            return false;
        }
        return count >= 9 || (count >= 8 && parts.len() == 1);
    }
    let zero = digits.starts_with('0') && !digits.starts_with("000");
    if let [_] = parts {
        // A number of eight digits may be a date (20261130); without a zero only those of Singapore and Hong Kong.
        return match count {
            8 => digits.starts_with(['6', '8', '9']),
            _ => count >= 9 && before.is_none_or(|b| !b.is_ascii_alphabetic() || zero),
        };
    }
    let separators: Vec<&str> =
        parts.windows(2).filter_map(|pair| text.get(pair[0].end..pair[1].start)).collect();
    let thousands = separators.iter().all(|separator| *separator == ".")
        && parts.iter().skip(1).all(|part| part.len() == 3)
        && !zero;
    if thousands {
        return false;
    }
    let spelt = parts.iter().all(|part| part.len() == 1);
    if zero {
        // With its separators: from 9 digits (Thailand) to 11 (Korea, the Philippines), 12 in Indonesia.
        let grouped =
            spelt || (first.len() <= 5 && parts.iter().skip(1).all(|part| part.len() >= 2));
        return grouped && (9..=12).contains(&count) && last.len() != 1
            || spelt && (9..=12).contains(&count);
    }
    let hyphen = separators.last().is_some_and(|separator| *separator == "-");
    let brackets = before == Some(b'(');
    // "555-123-4567", "(11) 98765-4321", "11 98765-4321".
    let grouped = parts.len() <= 3 && parts.iter().all(|part| part.len() >= 2);
    (hyphen || brackets) && grouped && (9..=13).contains(&count) && last.len() == 4
}
