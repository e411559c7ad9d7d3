//! Hosts that a text links to. It errs to the side of finding one: "visit shop.example" without a scheme is a link to
//! every reader.

use super::words::is_spaceless;

/// Ends of names that are taken for a host without a scheme or path. Those of the markets and the ones that spam uses
/// (the largest of the Spamhaus and Interisle lists); ends that are words of a chat (`me`, `so`, `it`) need a path.
const ENDS: [&str; 58] = [
    "com", "net", "org", "info", "biz", "shop", "store", "link", "click", "top", "xyz", "site",
    "online", "live", "vip", "club", "app", "dev", "page", "ly", "gg", "gl", "tv", "tk", "ml",
    "ga", "cf", "icu", "buzz", "cyou", "cfd", "bond", "sbs", "pro", "win", "bid", "loan", "work",
    "vn", "th", "my", "sg", "id", "ph", "tw", "cn", "hk", "jp", "kr", "in", "co", "io", "uk", "us",
    "de", "ru", "br", "mx",
];
/// Ends that are also words, and so need a path, a scheme or `www.`.
const WORDS: [&str; 4] = ["in", "my", "us", "id"];

/// Hosts linked to in a text, in lower case, in order.
pub fn hosts(text: &str) -> Vec<String> {
    let text: String = text
        .chars()
        .map(|c| match c {
            // Browsers read these as dots (UTS #46) and this as a slash (WHATWG URL).
            '\u{3002}' | '\u{ff0e}' | '\u{ff61}' => '.',
            '\\' | '\u{ff0f}' => '/',
            '\u{ff1a}' => ':',
            '\u{ff20}' => '@',
            c => c,
        })
        .flat_map(char::to_lowercase)
        .collect();
    let mut found = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || "<>\"'()[]{}|,;".contains(c)) {
        let (mut rest, mut in_path) = (word, false);
        while let Some(at) = rest.find("//") {
            let (before, after) = rest.split_at(at);
            let after = after.trim_start_matches('/');
            if let Some(scheme) = before.strip_suffix(':') {
                if !in_path {
                    bare(scheme.trim_end_matches(|c: char| c.is_ascii_alphabetic()), &mut found);
                }
                let end = after.find(['/', '?', '#']).unwrap_or(after.len());
                let (authority, beyond) = after.split_at(end);
                // What stands before the last @ is a name and a password, however much it looks like a host.
                let host = authority.rsplit('@').next().unwrap_or(authority);
                let host = host.split(':').next().unwrap_or(host).trim_matches('.');
                if !host.is_empty() {
                    found.push(host.to_owned());
                }
                // A path is searched for further addresses (a redirect), not for names.
                (rest, in_path) = (beyond, true);
            } else {
                if !in_path {
                    bare(before, &mut found);
                }
                rest = after;
            }
        }
        if !in_path {
            bare(rest, &mut found);
        }
    }
    found.dedup();
    found
}

/// A host without a scheme.
fn bare(word: &str, found: &mut Vec<String>) {
    let mut rest = word;
    while !rest.is_empty() {
        let is_part = |c: char| (c.is_alphanumeric() && !is_spaceless(c)) || c == '-' || c == '.';
        let Some(start) = rest.find(is_part) else { return };
        let Some(from) = rest.get(start..) else { return };
        let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let (name, beyond) = from.split_at(end);
        let path = beyond.starts_with(['/', '?', '#']) && beyond.len() > 1;
        if beyond.starts_with('@') {
            // A name before a host: an address of e-mail, or a trick.
            rest = beyond;
            continue;
        }
        let host = name.trim_matches(['.', '-']);
        if is_link(host, path) {
            found.push(host.to_owned());
        }
        if path {
            // What follows is the path, whatever it looks like.
            return;
        }
        rest = beyond;
    }
}

fn is_link(host: &str, path: bool) -> bool {
    let Some((name, end)) = host.rsplit_once('.') else { return false };
    if name.split('.').any(str::is_empty) || end.chars().any(|c| c.is_ascii_digit()) {
        return false;
    }
    let www = name == "www" || name.starts_with("www.");
    if www || (path && end.chars().count() >= 2) {
        return true;
    }
    let several = name.contains('.');
    ENDS.contains(&end) && (several || !WORDS.contains(&end))
}
