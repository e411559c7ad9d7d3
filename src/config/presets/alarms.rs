//! The rules of alarms: those embedded in the program, or the user's `alarms.toml` in their place. It judges no
//! figure.

use std::path::Path;

use toml::{Spanned, de::DeValue};
use url::Url;

use super::MAX_PRESET;
use crate::{
    base::Severity,
    config::{
        Diagnostics, Dirs,
        diagnostics::{Findings, quoted},
        reader::{self, Fields},
        show::{Given, secret_ref},
    },
    show::{AlarmSpec, Webhook, WebhookTo},
    stats::{alarm::Rule, verdict::Metric},
    whip,
};

/// The embedded rules.
pub const ALARMS: &str = include_str!("../../../presets/alarms.toml");

/// More rules than anybody reads.
const MAX_ALARMS: usize = 64;
const HOOK_KEYS: [&str; 3] = ["run", "webhook", "webhook-token"];
const KEYS: [&str; 6] = ["id", "metric", "above", "for-ms", "clears-below", "severity"];
const SEVERITIES: [(&str, Severity); 3] =
    [("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)];

/// The rules in effect.
///
/// # Errors
/// The user's own file has problems.
pub fn load_alarms(dirs: &Dirs) -> Result<Vec<AlarmSpec>, Diagnostics> {
    let path = dirs.config.join("alarms.toml");
    if std::fs::symlink_metadata(&path).is_err() {
        return parse(ALARMS, "(built in) alarms.toml", Path::new(""));
    }
    let origin = path.display().to_string();
    let text = super::super::read_text(&path, &origin, MAX_PRESET, "a preset")?;
    parse(&text, &origin, &dirs.config)
}

fn parse(text: &str, origin: &str, base_dir: &Path) -> Result<Vec<AlarmSpec>, Diagnostics> {
    let mut findings = Findings::new(origin, text);
    let read = reader::document(text, &mut findings).map(|table| {
        let fields = Fields::new(&table, 0..0, "alarms.toml");
        read(&fields, base_dir, &mut findings)
    });
    findings.done(read)
}

fn read(fields: &Fields<'_>, base_dir: &Path, findings: &mut Findings<'_>) -> Vec<AlarmSpec> {
    let known: Vec<&str> = HOOK_KEYS.into_iter().chain(["alarm"]).collect();
    fields.only(findings, &known, |_| None);
    let (run, webhook) = (read_run(fields, findings), read_webhook(fields, base_dir, findings));
    let tables = fields.tables(findings, "alarm");
    if tables.len() > MAX_ALARMS {
        let what = format!("there are {} alarms, and {MAX_ALARMS} at most", tables.len());
        findings.add_whole(what, "keep those that somebody acts upon");
    }
    let known: Vec<&str> = KEYS.into_iter().chain(HOOK_KEYS).collect();
    let (mut alarms, mut given) = (Vec::new(), Given::default());
    for fields in tables.iter().take(MAX_ALARMS) {
        fields.only(findings, &known, |_| None);
        let id = given.id(fields, findings);
        fields.missing(findings, "metric", "write metric = \"stall-ms\" or another figure");
        let metric = fields.choice(findings, "metric", &Metric::NAMED);
        fields.missing(findings, "above", "write above = …, in the metric's unit");
        let above = fields.whole(findings, "above", 0..=10_000_000, "").map(|(n, _)| n);
        let for_ms = fields.whole(findings, "for-ms", 0..=3_600_000, " ms").map_or(0, |(n, _)| n);
        let clears = fields.whole(findings, "clears-below", 1..=10_000_000, "");
        if let (Some((clears, span)), Some(above)) = (&clears, above)
            && *clears > above.saturating_add(1)
        {
            let todo = "set it to at most one more than above; well below keeps it from flapping";
            findings.add(span, "the alarm would clear while it is still raised", todo);
        }
        let severity = fields.choice(findings, "severity", &SEVERITIES);
        let own = HOOK_KEYS.into_iter().any(|key| fields.has(key));
        let (run, webhook) = if own {
            (read_run(fields, findings), read_webhook(fields, base_dir, findings))
        } else {
            (run.clone(), webhook.clone())
        };
        let (Some(id), Some(metric), Some(above)) = (id, metric, above) else { continue };
        let clears_below = clears.map_or_else(|| (above * 4 / 5).max(1), |(n, _)| n);
        let severity = severity.unwrap_or(Severity::Warning);
        let rule = Rule { id, metric, above, for_ms, clears_below, severity };
        alarms.push(AlarmSpec { rule, run, webhook });
    }
    alarms
}

fn read_run(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    const FORM: &str =
        "write run = [\"/path/to/program\", \"argument\"]; there is no shell in between";
    let Some((items, span)) = fields.items(findings, "run") else { return Vec::new() };
    if items.is_empty() || items.len() > 32 {
        findings.add(&span, "a command has a program and at most 31 arguments", FORM);
        return Vec::new();
    }
    let mut word = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
        DeValue::String(text) if !text.contains('\0') && text.len() <= 4096 => {
            Some(text.to_string())
        }
        _ => {
            findings.add(&item.span(), "a program and its arguments are texts", FORM);
            None
        }
    };
    let words: Vec<String> = items.iter().filter_map(&mut word).collect();
    if words.first().is_some_and(|program| program.trim().is_empty()) {
        findings.add(&span, "the program has no name", FORM);
    }
    words
}

fn read_webhook(
    fields: &Fields<'_>,
    base_dir: &Path,
    findings: &mut Findings<'_>,
) -> Option<Webhook> {
    const FORM: &str = "write webhook = \"https://…\", or \"env:NAME\" or \"file:PATH\" for an address that is \
                        a secret itself";
    let token = secret_ref(fields, "webhook-token", base_dir, findings);
    let Some((text, span)) = fields.text(findings, "webhook") else {
        if let Some(value) = fields.value("webhook-token") {
            let what = "there is a webhook-token, and no webhook to send it to";
            findings.add(&value.span(), what, FORM);
        }
        return None;
    };
    if text.starts_with("env:") || text.starts_with("file:") {
        let to = secret_ref(fields, "webhook", base_dir, findings)?;
        return Some(Webhook { to: WebhookTo::Secret(to), token });
    }
    match Url::parse(text) {
        Ok(url) if url.password().is_some() || !url.username().is_empty() => {
            let todo = "take it out, and give webhook-token = \"env:NAME\" instead";
            findings.add(&span, "the address holds a user name or password", todo);
            None
        }
        Ok(url) if whip::is_private(&url) => Some(Webhook { to: WebhookTo::Address(url), token }),
        Ok(url) if url.scheme() == "http" => {
            let todo = "use https://; http:// is for this machine only";
            findings.add(&span, "what happens would cross the network in plain text", todo);
            None
        }
        Ok(url) => {
            let what = format!("nobody is told by {}:", quoted(url.scheme()));
            findings.add(&span, what, FORM);
            None
        }
        Err(_) => {
            findings.add(&span, "this is no address", FORM);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SecretRef;

    fn parsed(text: &str) -> Result<Vec<AlarmSpec>, Diagnostics> {
        parse(text, "alarms.toml", Path::new("/cfg"))
    }

    #[test]
    fn the_embedded_rules_read_and_raise_a_stall_within_a_second() {
        let alarms = parsed(ALARMS).unwrap();
        assert!(
            alarms.len() >= 8 && alarms.iter().all(|a| a.run.is_empty() && a.webhook.is_none())
        );
        let stall = alarms.iter().find(|a| a.rule.metric == Metric::StallMs).unwrap();
        assert!(
            stall.rule.above + stall.rule.for_ms <= 600
                && stall.rule.severity == Severity::Critical
        );
        for (_, metric) in Metric::NAMED {
            assert!(
                ALARMS.contains(&format!("#   {}", metric.name())),
                "{metric:?} is not explained"
            );
        }
    }

    #[test]
    fn a_users_file_takes_their_place_and_hooks_are_given_to_all() {
        let root = tempfile::tempdir().unwrap();
        let dirs = Dirs::below(root.path());
        assert_eq!(load_alarms(&dirs).unwrap(), parsed(ALARMS).unwrap());
        std::fs::create_dir_all(&dirs.config).unwrap();
        let text = "run = [\"page\", \"-u\"]\nwebhook = \"env:HOOK\"\n\
                    [[alarm]]\nid = \"a\"\nmetric = \"loss-percent\"\nabove = 10\n\
                    [[alarm]]\nid = \"b\"\nmetric = \"down-ms\"\nabove = 0\nseverity = \"critical\"\n\
                    webhook = \"http://127.0.0.1:9/x\"\nwebhook-token = \"file:t\"\n";
        std::fs::write(dirs.config.join("alarms.toml"), text).unwrap();
        let alarms = load_alarms(&dirs).unwrap();
        assert_eq!(alarms[0].run, ["page", "-u"]);
        assert_eq!((alarms[0].rule.clears_below, alarms[0].rule.severity), (8, Severity::Warning));
        let to = |a: &AlarmSpec| a.webhook.as_ref().map(|w| w.to.clone());
        assert_eq!(to(&alarms[0]), Some(WebhookTo::Secret(SecretRef::Env("HOOK".into()))));
        assert!(alarms[1].run.is_empty(), "one that says who is told says it all");
        assert_eq!((alarms[1].rule.clears_below, alarms[1].webhook.is_some()), (1, true));
    }

    #[test]
    fn what_cannot_work_is_refused_with_all_its_problems() {
        let text = "webhook = \"https://me:hu5h@a.example/\"\nrun = []\n\
                    [[alarm]]\nid = \"a\"\nmetric = \"stal-ms\"\nabove = 5\n\
                    [[alarm]]\nid = \"a\"\nmetric = \"stall-ms\"\nabove = 5\nclears-below = 50\nevery = 1\n\
                    [[alarm]]\nid = \"c\"\nmetric = \"stall-ms\"\nwebhook = \"http://a.example/hu5h\"\n";
        let shown = parsed(text).unwrap_err().to_string();
        for part in [
            "user name or password",
            "at most 31 arguments",
            "did you mean \"stall-ms\"?",
            "given at line 4 already",
            "still raised",
            "every",
            "has no above",
            "plain text",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
        assert!(!shown.contains("hu5h"), "{shown}");
    }
}
