//! `to = "rtmp://…"`: an RTMP or RTMPS server, and where the stream key is kept.

use std::{ops::Range, path::Path};

use url::Url;

use super::secret_ref;
use crate::{
    config::{diagnostics::Findings, reader::Fields, redact},
    show::RtmpSpec,
};

pub(super) const KEYS: [&str; 1] = ["key"];

pub(super) fn read(
    fields: &Fields<'_>,
    (url, span): (Url, Range<usize>),
    base_dir: &Path,
    findings: &mut Findings<'_>,
) -> Option<RtmpSpec> {
    let has_key = fields.has("key");
    let key = secret_ref(fields, "key", base_dir, findings);
    let shown = redact::shown_url(&url);
    let parts = url.path_segments().map_or(0, |parts| parts.filter(|p| !p.is_empty()).count());
    let wrong = if url.host_str().is_none_or(str::is_empty) {
        Some((format!("the address {shown} names no server"), "write rtmp://host/app"))
    } else if !url.username().is_empty() || url.password().is_some() {
        Some((
            format!("the address {shown} holds a user name or password"),
            "take it out, and give the stream key as key = \"env:NAME\" or \"file:PATH\"",
        ))
    } else if parts == 0 {
        Some((
            format!("the address {shown} names no application"),
            "write rtmp://host/app as the platform gives it, and key = \"env:NAME\" for the stream key",
        ))
    } else if parts == 1 && !has_key {
        Some((
            format!("there is no stream key for {shown}"),
            "give key = \"env:NAME\" or \"file:PATH\"; a stream without a secret is rtmp://host/app/stream",
        ))
    } else {
        None
    };
    if let Some((what, todo)) = wrong {
        findings.add(&span, what, todo);
        return None;
    }
    Some(RtmpSpec { url, key })
}
