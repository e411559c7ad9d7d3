//! `to = "srt://…"`: an SRT server that we call, and where passphrase and stream id are kept.

use std::{ops::Range, path::Path};

use url::Url;

use super::secret_ref;
use crate::{
    config::{diagnostics::Findings, reader::Fields, redact},
    show::SrtSpec,
};

pub(super) const KEYS: [&str; 3] = ["stream-id", "passphrase", "latency-ms"];

/// Unless told otherwise, in ms: a lost packet can be asked for again twice on a path of 100 ms.
const LATENCY_MS: u32 = 250;

pub(super) fn read(
    fields: &Fields<'_>,
    (url, span): (Url, Range<usize>),
    base_dir: &Path,
    findings: &mut Findings<'_>,
) -> Option<SrtSpec> {
    let stream_id = secret_ref(fields, "stream-id", base_dir, findings);
    let passphrase = secret_ref(fields, "passphrase", base_dir, findings);
    let latency = fields.whole(findings, "latency-ms", 20..=8000, " ms");
    let shown = redact::shown_url(&url);
    let more = url.query().is_some()
        || !matches!(url.path(), "" | "/")
        || !url.username().is_empty()
        || url.password().is_some();
    let wrong = if url.host_str().is_none_or(str::is_empty) || url.port().is_none() {
        Some((format!("the address {shown} lacks a host or a port"), "write srt://host:port"))
    } else if more {
        Some((
            format!("the address {shown} holds more than host and port"),
            "write srt://host:port, and the rest as keys: stream-id and passphrase as references, latency-ms",
        ))
    } else {
        None
    };
    if let Some((what, todo)) = wrong {
        findings.add(&span, what, todo);
        return None;
    }
    let latency_ms = latency.map_or(LATENCY_MS, |(ms, _)| ms);
    Some(SrtSpec { url, stream_id, passphrase, latency_ms })
}
