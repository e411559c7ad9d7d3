//! Links: what lies between the stage and a viewer of some market, to rehearse with.

use std::fmt;

use super::{Preset, named, presets, text};
use crate::{
    base::Kbps,
    config::{
        Diagnostics, Dirs,
        diagnostics::Findings,
        reader::{self, Fields},
    },
    flow::{Outage, Path},
};

const LINKS: [(&str, &str); 19] = [
    ("bangkok-4g", include_str!("../../../presets/links/bangkok-4g.toml")),
    ("berlin-cable", include_str!("../../../presets/links/berlin-cable.toml")),
    ("crowded-hall", include_str!("../../../presets/links/crowded-hall.toml")),
    ("dubai-4g", include_str!("../../../presets/links/dubai-4g.toml")),
    ("ho-chi-minh-4g", include_str!("../../../presets/links/ho-chi-minh-4g.toml")),
    ("jakarta-4g", include_str!("../../../presets/links/jakarta-4g.toml")),
    ("kuala-lumpur-4g", include_str!("../../../presets/links/kuala-lumpur-4g.toml")),
    ("london-cable", include_str!("../../../presets/links/london-cable.toml")),
    ("los-angeles-cable", include_str!("../../../presets/links/los-angeles-cable.toml")),
    ("madrid-cable", include_str!("../../../presets/links/madrid-cable.toml")),
    ("manila-4g", include_str!("../../../presets/links/manila-4g.toml")),
    ("mexico-city-4g", include_str!("../../../presets/links/mexico-city-4g.toml")),
    ("new-york-cable", include_str!("../../../presets/links/new-york-cable.toml")),
    ("paris-cable", include_str!("../../../presets/links/paris-cable.toml")),
    ("riyadh-4g", include_str!("../../../presets/links/riyadh-4g.toml")),
    ("sao-paulo-4g", include_str!("../../../presets/links/sao-paulo-4g.toml")),
    ("seoul-fibre", include_str!("../../../presets/links/seoul-fibre.toml")),
    ("singapore-fibre", include_str!("../../../presets/links/singapore-fibre.toml")),
    ("tokyo-fibre", include_str!("../../../presets/links/tokyo-fibre.toml")),
];

const KEYS: [&str; 7] =
    ["title", "delay-ms", "jitter-ms", "loss-permille", "kbps", "queue-ms", "outage"];

/// A link that can be named.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The name: that of its file, without `.toml`.
    pub name: String,
    /// In words.
    pub title: String,
    /// What it is like, one way.
    pub path: Path,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Path { rate, delay_ms, jitter_ms, loss, outage, .. } = self.path;
        write!(f, "{:<20}{}\n    {delay_ms} ms", self.name, self.title)?;
        if jitter_ms > 0 {
            write!(f, " and up to {jitter_ms} more")?;
        }
        if loss > 0.0 {
            write!(f, ", {:.1} % lost", loss * 100.0)?;
        }
        if let Some(rate) = rate {
            write!(f, ", {} kbit/s", rate.0)?;
        }
        if let Some(Outage { every_ms, ms }) = outage {
            write!(f, ", out for {ms} ms every {} s", every_ms / 1000)?;
        }
        Ok(())
    }
}

/// The links there are: the user's and the embedded, by name.
pub fn links(dirs: &Dirs) -> Vec<Preset> {
    presets(&LINKS, &dirs.config.join("links"))
}

/// The link of that name.
///
/// # Errors
/// No such link, or the user's own file has problems.
pub fn load_link(name: &str, dirs: &Dirs) -> Result<Link, Diagnostics> {
    let all = links(dirs);
    let (origin, text) = text(named("link", name, &all)?, &LINKS)?;
    let mut findings = Findings::new(&origin, &text);
    let link = reader::document(&text, &mut findings)
        .map(|t| read(name, &Fields::new(&t, 0..0, "a link"), &mut findings));
    findings.done(link)
}

fn read(name: &str, fields: &Fields<'_>, findings: &mut Findings<'_>) -> Link {
    fields.only(findings, &KEYS, |_| None);
    let title = fields.text(findings, "title").map_or(name, |(title, _)| title).to_owned();
    let mut whole =
        |key: &str, range, unit: &str| fields.whole(findings, key, range, unit).map(|(n, _)| n);
    let delay_ms = whole("delay-ms", 0..=5000, " ms").unwrap_or(0);
    let jitter_ms = whole("jitter-ms", 0..=5000, " ms").unwrap_or(0);
    let loss = whole("loss-permille", 0..=1000, " permille").unwrap_or(0);
    let rate = whole("kbps", 10..=10_000_000, " kbit/s").map(Kbps);
    let queue_ms = whole("queue-ms", 1..=5000, " ms").unwrap_or(Path::CLEAR.queue_ms);
    let outage = fields.table(findings, "outage").and_then(|outage| read_outage(&outage, findings));
    let path = Path {
        rate,
        queue_ms,
        delay_ms,
        jitter_ms,
        loss: f64::from(loss) / 1000.0,
        outage,
        ..Path::CLEAR
    };
    Link { name: name.to_owned(), title, path }
}

fn read_outage(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<Outage> {
    fields.only(findings, &["every-s", "ms"], |_| None);
    for key in ["every-s", "ms"] {
        fields.missing(findings, key, "write outage = { every-s = 120, ms = 800 }");
    }
    let (every_s, span) = fields.whole(findings, "every-s", 1..=86_400, " s")?;
    let (ms, _) = fields.whole(findings, "ms", 1..=600_000, " ms")?;
    if ms >= every_s * 1000 {
        findings.add(&span, "the outage never ends", "let every-s be longer than ms");
        return None;
    }
    Some(Outage { every_ms: every_s * 1000, ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_link_reads_and_is_none_without_an_effect() {
        let dirs = Dirs::below(std::path::Path::new("/dev/null"));
        for preset in links(&dirs) {
            let link = load_link(&preset.name, &dirs).unwrap();
            assert!(!link.path.is_clear() && link.title.len() > 5, "{link:?}");
        }
        let jakarta = load_link("jakarta-4g", &dirs).unwrap().path;
        assert_eq!((jakarta.rate, jakarta.loss), (Some(Kbps(4000)), 0.01));
        assert_eq!(jakarta.outage, Some(Outage { every_ms: 90_000, ms: 900 }));
    }

    #[test]
    fn the_users_link_replaces_one_and_is_refused_with_all_its_problems() {
        let root = tempfile::tempdir().unwrap();
        let dirs = Dirs::below(root.path());
        let folder = dirs.config.join("links");
        std::fs::create_dir_all(&folder).unwrap();
        let write = |text: &str| std::fs::write(folder.join("jakarta-4g.toml"), text).unwrap();
        write("delay-ms = 7");
        let own = load_link("jakarta-4g", &dirs).unwrap();
        assert_eq!(own.path, Path { delay_ms: 7, ..Path::CLEAR });
        write("dely-ms = 7\nloss-permille = 1001\noutage = { every-s = 1, ms = 1000 }\n");
        let shown = load_link("jakarta-4g", &dirs).unwrap_err().to_string();
        for part in ["delay-ms", "loss-permille is out of range", "the outage never ends"] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
        let shown = load_link("jakarta-5g", &dirs).unwrap_err().to_string();
        assert!(shown.contains("did you mean \"jakarta-4g\""), "{shown}");
    }
}
