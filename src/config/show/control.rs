//! `[moderation]`, `[claims]` and `[[item]]`: what is done with the chat besides reading it.

use super::{chat::words, output::Place, pointed};
use crate::{
    chat::{
        claims::{ClaimsConfig, Duplicates, ItemCode},
        control::{ControlSpec, ItemSpec},
        rules::RulesConfig,
    },
    config::{
        diagnostics::{Findings, quoted},
        reader::Fields,
    },
};

pub(in crate::config) const MODERATION_KEYS: [&str; 1] = ["rules"];
pub(in crate::config) const CLAIMS_KEYS: [&str; 5] =
    ["duplicates", "partial", "any-item", "settle-s", "most"];
pub(in crate::config) const ITEM_KEYS: [&str; 3] = ["code", "names", "stock"];

/// Items of a show file.
const MOST_ITEMS: usize = 1_000;
/// Names of one item.
const MOST_NAMES: usize = 20;
/// The largest rules file, in bytes.
const MOST_RULES: u64 = 1 << 20;
/// The largest quantity of one claim that can be allowed.
const MOST_QUANTITY: u32 = 10_000;
/// The longest time in which a claim may still be overtaken, in seconds.
const MOST_SETTLE_S: f32 = 60.0;

pub(super) fn read(
    show: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> ControlSpec {
    let rules = show.table(findings, "moderation").and_then(|fields| {
        fields.only(findings, &MODERATION_KEYS, |_| None);
        read_rules(&fields, place, findings)
    });
    let claims = show.table(findings, "claims");
    let claims = claims.map_or_else(ClaimsConfig::default, |fields| read_claims(&fields, findings));
    let tables = show.tables(findings, "item");
    if let Some(beyond) = tables.get(MOST_ITEMS) {
        let what = format!("there are {} items", tables.len());
        findings.add(beyond.span(), what, format!("a show has {MOST_ITEMS} at most"));
    }
    let mut items: Vec<ItemSpec> = Vec::new();
    for fields in &tables {
        let Some(item) = read_item(fields, findings) else { continue };
        if items.iter().any(|other| other.code == item.code) {
            let what = format!("there are two items {}", quoted(item.code.as_str()));
            findings.add(fields.span(), what, "give each a code of its own");
            continue;
        }
        items.push(item);
    }
    ControlSpec { rules, claims, items }
}

fn read_rules(
    fields: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Option<RulesConfig> {
    fields.missing(findings, "rules", "write rules = \"rules.toml\": the file of the rules");
    let (name, span) = fields.text(findings, "rules")?;
    let path = place.base_dir.join(name);
    let origin = path.display().to_string();
    let read = super::super::read_text(&path, &origin, MOST_RULES, "a file of rules");
    let text = pointed(findings, &span, read)?;
    let rules = match toml::from_str::<RulesConfig>(&text) {
        Ok(rules) => rules,
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let before = text.get(..at).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let what = format!("{origin}:{line}: {}", error.message());
            findings.add(&span, what, "docs/chat.md shows a file of rules");
            return None;
        }
    };
    if let Err(wrong) = rules.check() {
        findings.add(&span, format!("{origin}: {wrong}"), "docs/chat.md shows a file of rules");
        return None;
    }
    Some(rules)
}

fn read_claims(fields: &Fields<'_>, findings: &mut Findings<'_>) -> ClaimsConfig {
    fields.only(findings, &CLAIMS_KEYS, |_| None);
    let default = ClaimsConfig::default();
    let kinds = [
        ("ignore", Duplicates::Ignore),
        ("add", Duplicates::Add),
        ("replace", Duplicates::Replace),
    ];
    let settle = fields.number(findings, "settle-s", 0.0..=MOST_SETTLE_S, " seconds");
    ClaimsConfig {
        settle_ms: settle.map_or(default.settle_ms, |s| (s * 1000.0) as u32),
        duplicates: fields.choice(findings, "duplicates", &kinds).unwrap_or_default(),
        partial: fields.flag(findings, "partial").unwrap_or(default.partial),
        any_item: fields.flag(findings, "any-item").unwrap_or(default.any_item),
        most_quantity: fields
            .whole(findings, "most", 1..=MOST_QUANTITY, "")
            .map_or(default.most_quantity, |(most, _)| most),
        ..default
    }
}

fn read_item(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<ItemSpec> {
    fields.only(findings, &ITEM_KEYS, |_| None);
    fields.missing(findings, "code", "write code = \"A12\": what viewers write to claim it");
    let (text, span) = fields.text(findings, "code")?;
    let code = match ItemCode::new(text) {
        Ok(code) => code,
        Err(wrong) => {
            findings.add(
                &span,
                format!("{} is no code: {wrong}", quoted(text)),
                "write it shorter",
            );
            return None;
        }
    };
    let names = words(fields, "names", MOST_NAMES, findings).unwrap_or_default();
    let stock = fields.whole(findings, "stock", 0..=1_000_000, "").map(|(stock, _)| stock);
    Some(ItemSpec { code, names, stock })
}
