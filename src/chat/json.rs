//! Reading JSON of others: fields may be missing, null, or of a neighbouring type (numbers as strings), and none of that is
//! a reason to lose the message.

use jiff::Timestamp;
use serde_json::Value;

/// The largest JSON text that is read, in bytes. Messages of the platforms read here have some kilobytes; a page of
/// YouTube with 2,000 messages has about 3 MB.
pub const MOST_JSON: usize = 8 << 20;

/// The value under the first of the keys that is there and not null.
pub fn any<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().filter_map(|key| value.get(key)).find(|value| !value.is_null())
}

/// A string that is not empty.
pub fn text<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a str> {
    keys.iter().filter_map(|key| value.get(key)?.as_str()).find(|text| !text.is_empty())
}

/// An identifier: a string that is not empty, or a whole number.
pub fn id(value: &Value, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| match value.get(key)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    })
}

/// A whole number, also written as a string (64-bit numbers of Google).
pub fn number(value: &Value, keys: &[&str]) -> Option<u64> {
    keys.iter().find_map(|key| match value.get(key)? {
        Value::String(text) => text.trim().parse().ok(),
        number => number.as_u64(),
    })
}

/// Whether a switch is on; `"true"` and 1 count.
pub fn flag(value: &Value, keys: &[&str]) -> bool {
    any(value, keys).is_some_and(|value| match value {
        Value::Bool(on) => *on,
        Value::Number(number) => number.as_u64() == Some(1),
        Value::String(text) => text == "true" || text == "1",
        _ => false,
    })
}

/// A time: RFC 3339 (also with an offset without a colon, as Facebook writes it), or a number of seconds or
/// milliseconds since 1970.
pub fn time(value: &Value, keys: &[&str]) -> Option<Timestamp> {
    keys.iter().find_map(|key| match value.get(key)? {
        Value::String(text) => text.parse().ok().or_else(|| epoch(text.trim().parse().ok()?)),
        number => epoch(number.as_i64()?),
    })
}

/// Seconds or milliseconds since 1970, told apart by their size: 100,000,000,000 s lie in the year 5138.
fn epoch(number: i64) -> Option<Timestamp> {
    if number.unsigned_abs() < 100_000_000_000 {
        Timestamp::from_second(number).ok()
    } else {
        Timestamp::from_millisecond(number).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn neighbouring_types_are_read() {
        let value = json!({"a": "7", "b": 7, "c": null, "d": "", "e": true, "f": 1.5});
        assert_eq!((number(&value, &["a"]), number(&value, &["b"])), (Some(7), Some(7)));
        assert_eq!(
            (id(&value, &["c", "d", "b"]), id(&value, &["f"])),
            (Some("7".to_owned()), None)
        );
        assert_eq!(text(&value, &["c", "d", "a"]), Some("7"));
        assert!(
            flag(&value, &["c", "e"]) && !flag(&value, &["a"]) && any(&value, &["c"]).is_none()
        );
    }

    #[test]
    fn times_are_read_in_the_forms_in_use() {
        let want: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for form in [
            json!("2026-01-01T00:00:00Z"),
            json!("2026-01-01T00:00:00+0000"),
            json!("2026-01-01T00:00:00.000000000Z"),
            json!("2026-01-01T07:00:00+07:00"),
            json!("2026-01-01T00:00:00.0000000+00:00"),
            json!(1_767_225_600),
            json!("1767225600"),
            json!(1_767_225_600_000_i64),
        ] {
            assert_eq!(time(&json!({"t": form}), &["t"]), Some(want), "{form}");
        }
        for form in [json!("yesterday"), json!(null), json!(1e300), json!(i64::MIN)] {
            assert_eq!(time(&json!({"t": form}), &["t"]), None, "{form}");
        }
    }
}
