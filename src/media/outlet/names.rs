//! What a recording's files are called. Pure.

/// Longest part of a name that comes from the title, in bytes: with the rest it fits every file system.
const MOST_TITLE: usize = 120;

/// `TITLE-YYYYMMDD-HHMMSS-NNN.ext`, with a title that every file system takes. `time` is local.
pub(super) fn name(title: &str, time: &jiff::civil::DateTime, number: u32, ext: &str) -> String {
    format!("{}-{}-{number:03}.{ext}", safe(title), time.strftime("%Y%m%d-%H%M%S"))
}

/// The title without what some file system refuses, a shell reads, or an eye cannot see.
fn safe(title: &str) -> String {
    let mut safe = String::new();
    for c in title.chars() {
        let c = match c {
            // Marks that turn or hide text, and the private ones.
            '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => continue,
            '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{10ffff}' => {
                continue;
            }
            c if c.is_control() || c.is_whitespace() => '-',
            c if c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_' => '-',
            c => c,
        };
        if c == '-' && (safe.is_empty() || safe.ends_with('-')) {
            continue;
        }
        if safe.len() + c.len_utf8() > MOST_TITLE {
            break;
        }
        safe.push(c);
    }
    let safe = safe.trim_end_matches('-');
    if safe.is_empty() { "show".into() } else { safe.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn titles_become_names_of_files() {
        for (title, wanted) in [
            ("Tea at eight", "Tea-at-eight"),
            ("../../etc/passwd", "etc-passwd"),
            ("春季大促 · 50% off!", "春季大促-·-50-off"),
            ("a\u{202e}b", "ab"),
            ("\\:*?\"<>|", "show"),
            ("…", "…"),
        ] {
            assert_eq!(safe(title), wanted);
        }
        let time = jiff::civil::date(2026, 11, 24).at(20, 5, 9, 0);
        assert_eq!(name("CON", &time, 7, "mkv"), "CON-20261124-200509-007.mkv");
    }

    proptest! {
        #[test]
        fn any_title_gives_a_name_that_stays_in_its_folder(title in "\\PC{0,300}|[[:cntrl:]/\\\\.:]{0,40}") {
            let safe = safe(&title);
            prop_assert!(!safe.is_empty() && safe.len() <= MOST_TITLE);
            prop_assert!(!safe.contains(['/', '\\', '.', ':', '\0', '\n']) && !safe.starts_with('-'));
        }
    }
}
