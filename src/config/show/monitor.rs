//! `[[monitor]]`, and `watch` at an output: where viewers watch, and where hawker does as one of them. An address or a
//! secret is never repeated in a message.

use std::ops::Range;

use url::Url;

use super::{
    Given,
    output::{Place, is_loopback, secret_ref},
};
use crate::{
    base::{MonitorId, OutputId},
    config::{
        diagnostics::{Findings, listed, meant, quoted},
        reader::Fields,
    },
    show::{MonitorSpec, OutputSpec},
    stats::figure::STAGE,
};

/// The keys of a monitor.
pub(in crate::config) const KEYS: [&str; 5] = ["id", "url", "token", "output", "market"];
/// The keys of an output that make a monitor of its name.
pub(in crate::config) const WATCH_KEYS: [&str; 2] = ["watch", "watch-token"];

/// More would be a load of its own on the network.
const MAX_MONITORS: usize = 16;

const FORM: &str = "write the address at which a viewer's player watches by WHEP: https://host/…";

/// All monitors of a show with those outputs.
pub(super) fn read_all(
    show: &Fields<'_>,
    outputs: &[OutputSpec],
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Vec<MonitorSpec> {
    let (mut monitors, mut given) = (Vec::new(), Given::default());
    for fields in show.tables(findings, "output") {
        monitors.extend(read_watch(&fields, place, &mut given, findings));
    }
    for fields in show.tables(findings, "monitor") {
        fields.only(findings, &KEYS, |_| None);
        let id: Option<MonitorId> = given.id(&fields, findings);
        fields.missing(findings, "url", FORM);
        let url = read_url(&fields, "url", "token", findings);
        let token = secret_ref(&fields, "token", place.base_dir, findings);
        let output = read_output(&fields, outputs, findings);
        let market = fields.text(findings, "market").map(|(market, _)| market.to_owned());
        let (Some(id), Some((url, _))) = (id, url) else { continue };
        if id.as_str() == STAGE {
            let what = "the monitor of the stage has this name";
            findings.add(fields.span(), what, "give this one another id");
        }
        monitors.push(MonitorSpec { id, url, token, output, market });
    }
    if monitors.len() > MAX_MONITORS {
        let what = format!(
            "a show has at most {MAX_MONITORS} monitors, and this one has {}",
            monitors.len()
        );
        findings.add_whole(what, "keep one for each way to its viewers");
    }
    monitors
}

/// The monitor that an output names by `watch`.
fn read_watch(
    fields: &Fields<'_>,
    place: &Place<'_>,
    given: &mut Given,
    findings: &mut Findings<'_>,
) -> Option<MonitorSpec> {
    let url = read_url(fields, "watch", "watch-token", findings);
    let token = secret_ref(fields, "watch-token", place.base_dir, findings);
    if let (false, Some(value)) = (fields.has("watch"), fields.value("watch-token")) {
        let what = "there is a watch-token, and nothing to watch";
        findings.add(&value.span(), what, format!("write watch = \"…\": {FORM}"));
    }
    let (url, span) = url?;
    // What is wrong with the output itself is said where it is read.
    let toml::de::DeValue::String(name) = fields.value("id")?.get_ref() else { return None };
    let to_be_watched = fields.value("to").is_some_and(|to| {
        !matches!(to.get_ref(), toml::de::DeValue::String(to) if matches!(to.as_ref(), "stage" | "record"))
    });
    if !to_be_watched {
        let what = "the stage is watched anyway, and a recording has no viewers";
        findings.add(&span, what, "take watch out");
        return None;
    }
    let (id, output) = (name.parse().ok()?, name.parse().ok()?);
    given.take(name, findings.line(span.start));
    Some(MonitorSpec { id, url, token, output: Some(output), market: None })
}

fn read_url(
    fields: &Fields<'_>,
    key: &str,
    token: &str,
    findings: &mut Findings<'_>,
) -> Option<(Url, Range<usize>)> {
    let (text, span) = fields.text(findings, key)?;
    let (what, todo) = match Url::parse(text) {
        Err(_) => ("this is no address".to_owned(), FORM.to_owned()),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            (format!("nothing is watched by {}:", quoted(url.scheme())), FORM.to_owned())
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => (
            "the address holds a user name or password".to_owned(),
            format!("take it out, and give {token} = \"env:NAME\" or \"file:PATH\" instead"),
        ),
        Ok(url) if url.scheme() == "http" && fields.has(token) && !is_loopback(&url) => (
            "the token would cross the network in plain text".to_owned(),
            "use https://, or take the token out".to_owned(),
        ),
        Ok(url) => return Some((url, span)),
    };
    findings.add(&span, what, todo);
    None
}

fn read_output(
    fields: &Fields<'_>,
    outputs: &[OutputSpec],
    findings: &mut Findings<'_>,
) -> Option<OutputId> {
    let (name, span) = fields.text(findings, "output")?;
    if let Some(output) = outputs.iter().find(|o| o.id.as_str() == name) {
        return Some(output.id.clone());
    }
    let names: Vec<&str> = outputs.iter().map(|o| o.id.as_str()).collect();
    let near = meant(name, names.iter().copied());
    let todo = if names.is_empty() {
        "there is no [[output]] to watch: take it out".to_owned()
    } else {
        format!("{near}there are {}", listed(&names))
    };
    findings.add(&span, format!("there is no output {}", quoted(name)), todo);
    None
}
