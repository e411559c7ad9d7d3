//! `to = "record"`: files on this machine.

use std::path::Path;

use crate::{
    config::{diagnostics::Findings, reader::Fields},
    show::{Container, RecordSpec},
};

pub(super) const KEYS: [&str; 6] =
    ["folder", "container", "split-minutes", "split-mb", "split-at-segments", "keep-free-mb"];

/// What stays free unless told otherwise, in megabytes: a machine without any is in trouble.
const KEEP_FREE_MB: u32 = 1000;

const CONTAINERS: [(&str, Container); 2] = [("mkv", Container::Mkv), ("mp4", Container::Mp4)];

pub(super) fn read(
    fields: &Fields<'_>,
    base_dir: &Path,
    findings: &mut Findings<'_>,
) -> Option<RecordSpec> {
    fields.missing(findings, "folder", "write folder = \"…\", where the files go");
    let folder = fields.text(findings, "folder").map(|(folder, span)| {
        let folder = base_dir.join(folder);
        if folder.exists() && !folder.is_dir() {
            findings.add(
                &span,
                "this is a file, not a folder",
                "name a folder; it is made if need be",
            );
        }
        folder
    });
    let container = fields.choice(findings, "container", &CONTAINERS).unwrap_or_default();
    let split_at_segments = fields.flag(findings, "split-at-segments").unwrap_or_default();
    let mut whole = |key, range, unit| fields.whole(findings, key, range, unit).map(|(n, _)| n);
    Some(RecordSpec {
        split_minutes: whole("split-minutes", 1..=1440, " minutes"),
        split_mb: whole("split-mb", 1..=1_000_000, " megabytes"),
        split_at_segments,
        keep_free_mb: whole("keep-free-mb", 0..=10_000_000, " megabytes").unwrap_or(KEEP_FREE_MB),
        folder: folder?,
        container,
    })
}
