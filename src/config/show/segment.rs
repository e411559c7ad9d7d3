//! `[[segment]]`: the rundown, in order.

use crate::{
    config::{
        diagnostics::{Findings, listed, meant, quoted},
        reader::Fields,
    },
    show::{SceneSpec, SegmentSpec},
};

/// The keys of a segment.
pub(in crate::config) const KEYS: [&str; 4] = ["title", "length-s", "scene", "by-itself"];
/// Segments that a rundown may have.
const MOST: usize = 200;

/// All segments.
pub(super) fn read_all(
    show: &Fields<'_>,
    scenes: &[SceneSpec],
    findings: &mut Findings<'_>,
) -> Vec<SegmentSpec> {
    let tables = show.tables(findings, "segment");
    if let Some(beyond) = tables.get(MOST) {
        let what = format!("there are {} segments", tables.len());
        findings.add(beyond.span(), what, format!("a rundown has {MOST} at most"));
    }
    tables.iter().filter_map(|fields| read(fields, scenes, findings)).collect()
}

fn read(
    fields: &Fields<'_>,
    scenes: &[SceneSpec],
    findings: &mut Findings<'_>,
) -> Option<SegmentSpec> {
    fields.only(findings, &KEYS, |_| None);
    fields.missing(findings, "title", "write title = \"…\": what the operator reads");
    fields.missing(findings, "length-s", "write length-s = 300: how long it is meant to be, in s");
    let title = fields.text(findings, "title").map(|(title, _)| title.to_owned());
    let length_s = fields.whole(findings, "length-s", 5..=86_400, " s").map(|(s, _)| s);
    let scene = fields.text(findings, "scene").and_then(|(name, span)| {
        let found = scenes.iter().find(|scene| scene.id.as_str() == name);
        if found.is_none() {
            let names: Vec<&str> = scenes.iter().map(|s| s.id.as_str()).collect();
            let near = meant(name, names.iter().copied());
            let todo = format!("{near}the scenes are {}", listed(&names));
            findings.add(&span, format!("there is no scene {}", quoted(name)), todo);
        }
        found.map(|scene| scene.id.clone())
    });
    let by_itself = fields.flag(findings, "by-itself").unwrap_or_default();
    Some(SegmentSpec { title: title?, length_s: length_s?, scene, by_itself })
}
