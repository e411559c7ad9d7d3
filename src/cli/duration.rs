//! Durations as people type them: `20s`, `1m30s`, `500ms`, `2h`.

use std::time::Duration;

const HOW: &str = "write a duration as 20s, 1m30s, 500ms or 2h";

/// Reads a duration from 1 ms to 1000 hours.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    let mut sum = 0_u64;
    if rest.is_empty() {
        return Err(HOW.into());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let each = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "" => return Err(format!("'{number}' has no unit: {HOW}")),
            _ => return Err(format!("'{unit}' is no unit of time: {HOW}")),
        };
        let number: u64 = number.parse().map_err(|_| format!("'{text}' is no duration: {HOW}"))?;
        sum = number.checked_mul(each).and_then(|ms| ms.checked_add(sum)).unwrap_or(u64::MAX);
        rest = after;
    }
    match sum {
        0 => Err(format!("a duration of nothing is of no use: {HOW}")),
        1..=3_600_000_000 => Ok(Duration::from_millis(sum)),
        _ => Err("a duration is 1000h at most".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_or_explained() {
        for (text, ms) in [
            ("20s", 20_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("2h", 7_200_000),
            ("1min", 60_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for (text, word) in [
            ("", "20s"),
            ("20", "no unit"),
            ("s", "no duration"),
            ("5 parsecs", "no unit of time"),
            ("0s", "nothing"),
            ("9999999999999999999h", "1000h"),
            ("99999999999999999999999h", "no duration"),
            ("-5s", "unit"),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
    }
}
