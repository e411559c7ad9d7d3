//! What in a file may be a secret, so that no message ever repeats it. Better too much hidden than too
//! little: it works on broken files too, where only the text can be trusted.

use std::ops::Range;

use url::Url;

/// Words which, in a key's name, say that its value is a secret.
const TELLING: [&str; 10] = [
    "token",
    "secret",
    "passw",
    "passp",
    "bearer",
    "auth",
    "credential",
    "key",
    "stream-id",
    "streamid",
];

/// The longest value of a scene's `key`, in characters, with a slip: longer ones are an output's key.
const SCENE_KEY: usize = 2;

/// Whether a key of that name may hold a secret.
pub(super) fn is_telling(key: &str) -> bool {
    let key = key.to_lowercase();
    let plain = key.trim();
    plain != "keyframe-ms"
        && plain != "token-may-go-to"
        && (matches!(plain, "session" | "account")
            || TELLING.iter().any(|word| plain.contains(word))
            || (plain.len() <= 8 && strsim::damerau_levenshtein(plain, "token") <= 2))
}

/// Whether that value of that key may be a secret.
pub(super) fn tells(key: &str, value: &str) -> bool {
    let scene = key.trim() == "key" && value.chars().count() <= SCENE_KEY;
    is_telling(key) && !scene && !is_reference(value)
}

/// Whether a value is a well-formed reference, which may be shown.
pub(super) fn is_reference(value: &str) -> bool {
    match value.split_once(':') {
        Some(("env", name)) => is_variable(name),
        Some(("file", path)) => !path.is_empty(),
        _ => false,
    }
}

/// Whether this can be the name of an environment variable.
pub(super) fn is_variable(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// An address for the operator's eyes: scheme, host and port; no user, password, path or query.
pub fn shown_url(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    let port = url.port().map_or_else(String::new, |p| format!(":{p}"));
    let user = if url.username().is_empty() && url.password().is_none() { "" } else { "…@" };
    let path = if matches!(url.path(), "" | "/") && url.query().is_none() { "" } else { "/…" };
    format!("{}://{user}{host}{port}{path}", url.scheme())
}

/// The parts of a text that are never shown, in order, found without parsing it.
pub(super) fn in_text(text: &str) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    addresses(text, &mut hidden);
    values(text, &mut hidden);
    hidden.sort_by_key(|r| (r.start, r.end));
    hidden
}

fn addresses(text: &str, hidden: &mut Vec<Range<usize>>) {
    for (i, mark) in text.match_indices("://") {
        let from = i + mark.len();
        let rest = &text[from..];
        let end = rest.find(|c: char| c.is_whitespace() || "\"'<>`".contains(c));
        let address = &rest[..end.unwrap_or(rest.len())];
        let slash = address.find(['/', '?', '#', '\\']).unwrap_or(address.len());
        match address.rfind('@') {
            Some(at) if at < slash => hidden.push(from..from + at),
            // An odd one: a password with a slash in it, perhaps. All of it, then.
            Some(_) => {
                hidden.push(from..from + address.len());
                continue;
            }
            None => {}
        }
        if slash + 1 < address.len() {
            hidden.push(from + slash + 1..from + address.len());
        }
    }
}

fn values(text: &str, hidden: &mut Vec<Range<usize>>) {
    for (equals, _) in text.match_indices('=') {
        let before = text[..equals].trim_end_matches([' ', '\t']);
        let before = before.trim_end_matches(['"', '\'']);
        let start = before.rfind(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)));
        let key = &before
            [start.map_or(0, |i| i + before[i..].chars().next().map_or(1, char::len_utf8))..];
        let key = key.rsplit('.').next().unwrap_or(key);
        if !is_telling(key) {
            continue;
        }
        let rest = &text[equals + 1..];
        let value = rest.trim_start_matches([' ', '\t']);
        let from = text.len() - value.len();
        let quotes = value.chars().take_while(|c| "\"'".contains(*c)).count();
        // Two quotes are an empty string.
        let open = if quotes >= 3 { 3 } else { quotes.min(1) };
        let inner = &value[open..];
        let close = match open {
            3 => inner.find(&value[..3]),
            1 => inner
                .find(|c: char| c == '\n' || value.starts_with(c))
                // An escaped quote does not close: then hide to the line's end.
                .map(|i| if inner[..i].contains('\\') { line_end(inner) } else { i }),
            _ => Some(line_end(inner)),
        };
        let close = close.unwrap_or(inner.len());
        if open != 0 && !tells(key, &inner[..close]) {
            continue;
        }
        hidden.push(from + open..from + open + close);
    }
}

fn line_end(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut out = text.to_owned();
        for range in in_text(text).into_iter().rev() {
            out.replace_range(range, "…");
        }
        out
    }

    #[test]
    fn secrets_are_found_in_whole_and_in_broken_text() {
        for text in [
            "token = \"s3cr3t\"",
            "tokn='s3cr3t'",
            "\"token\" = \"s3cr3t",
            "token = \"\"\"\ns3cr3t\n",
            "token = s3cr3t",
            "token = \"a\\\"s3cr3t\"",
            "api-key = \"s3cr3t\"",
            "a = { token = \"s3cr3t\", x = 1 }",
            "key = \"s3cr3t\"",
            "account = \"s3cr3t\"",
            "passphrase = 's3cr3t'",
            "stream-id = \"s3cr3t\"",
            "uri = \"rtsp://user:s3cr3t@cam/1\"",
            "uri = \"rtsp://user:s3/cr3t@cam/1\"",
            "to = \"https://live.example/whip/s3cr3t\"",
            "to = \"https://live.example?k=s3cr3t",
        ] {
            assert!(!masked(text).contains("cr3t"), "{text} -> {}", masked(text));
        }
    }

    #[test]
    fn what_is_no_secret_is_left() {
        for text in ["token = \"env:WHIP_TOKEN\"", "key = \"1\"", "to = \"https://a.example\""] {
            assert_eq!(masked(text), text);
        }
        assert_eq!(masked("uri = \"rtsp://u:p@cam:554\" # x"), "uri = \"rtsp://…@cam:554\" # x");
    }

    #[test]
    fn addresses_are_shown_by_host() {
        let url = Url::parse("rtsp://u:p@cam:554/live?k=1").unwrap();
        assert_eq!(shown_url(&url), "rtsp://…@cam:554/…");
    }
}
