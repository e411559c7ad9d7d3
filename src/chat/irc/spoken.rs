//! The text of a PRIVMSG or NOTICE: actions (CTCP), and the codes of colour and weight.

use crate::chat::Kind;

/// What was said, without marks of colour and weight; `None` for a request of CTCP that is no action.
pub fn spoken(command: &str, raw: &str) -> Option<(Kind, String)> {
    let action = raw.strip_prefix('\u{1}').map(|ctcp| ctcp.strip_suffix('\u{1}').unwrap_or(ctcp));
    let (kind, text) = match (action, command) {
        (Some(ctcp), "PRIVMSG") => (
            Kind::Action,
            ctcp.strip_prefix("ACTION").filter(|rest| rest.is_empty() || rest.starts_with(' '))?,
        ),
        (Some(_), _) => return None,
        (None, "NOTICE") => (Kind::Notice, raw),
        (None, _) => (Kind::Text, raw),
    };
    Some((kind, unformatted(text)))
}

/// Text without the codes of colour that IRC clients send: 0x03 with up to two numbers, 0x04 with up to two of six
/// hexadecimal digits. The other codes are single control characters, which [`Text`](crate::chat::Text) drops.
fn unformatted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\u{3}', '\u{4}']) {
        let (head, code) = rest.split_at(at);
        out.push_str(head);
        let (most, digit): (usize, fn(&char) -> bool) = if code.starts_with('\u{3}') {
            (2, char::is_ascii_digit)
        } else {
            (6, char::is_ascii_hexdigit)
        };
        let after = code.get(1..).unwrap_or_default();
        let number = |text: &str| text.chars().take(most).take_while(digit).count();
        let first = number(after);
        let after = after.get(first..).unwrap_or_default();
        let second = after.strip_prefix(',').filter(|_| first > 0).map_or(0, number);
        rest = if second > 0 { after.get(second + 1..).unwrap_or_default() } else { after };
    }
    out.push_str(rest);
    out
}
