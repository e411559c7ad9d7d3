//! `[[scene]]`: what can be shown, by which key, and what is heard with it.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Spanned, de::DeValue};

use super::{Given, input::Known, pointed};
use crate::{
    base::InputId,
    config::{
        Dirs,
        diagnostics::{Findings, listed, meant, quoted},
        presets,
        reader::{Fields, kind_of},
    },
    scene::{Fit, Layer},
    show::{Hears, SceneSpec, registry},
};

/// The keys of a scene, and of a layer written as a table.
pub(in crate::config) const KEYS: [&str; 6] = ["id", "title", "key", "layout", "layers", "hears"];
pub(in crate::config) const LAYER_KEYS: [&str; 2] = ["input", "fit"];

/// All scenes, each with a key as long as there are digits.
pub(super) fn read_all(
    show: &Fields<'_>,
    known: &[Known],
    dirs: &Dirs,
    findings: &mut Findings<'_>,
) -> Vec<SceneSpec> {
    let tables = show.tables(findings, "scene");
    if !show.has("scene") {
        findings.add_whole(
            "the show has no scenes",
            "add one: [[scene]] with an id and layers = [\"…\"], the name of an input",
        );
    } else if let Some(DeValue::Array(none)) = show.value("scene").map(Spanned::get_ref)
        && none.is_empty()
    {
        findings.add_whole("the show has no scenes", "add one: [[scene]] with an id and layers");
    }
    let (mut scenes, mut given) = (Vec::new(), Given::default());
    let mut keys: BTreeMap<char, usize> = BTreeMap::new();
    for fields in tables {
        if let Some(scene) = read(&fields, known, dirs, &mut given, &mut keys, findings) {
            scenes.push(scene);
        }
    }
    let mut free = ('1'..='9').filter(|digit| !keys.contains_key(digit));
    for scene in scenes.iter_mut().filter(|s| s.key.is_none()) {
        scene.key = free.next();
    }
    scenes
}

fn read(
    fields: &Fields<'_>,
    known: &[Known],
    dirs: &Dirs,
    given: &mut Given,
    keys: &mut BTreeMap<char, usize>,
    findings: &mut Findings<'_>,
) -> Option<SceneSpec> {
    fields.only(findings, &KEYS, |_| None);
    let id: Option<crate::base::SceneId> = given.id(fields, findings);
    let title = fields.text(findings, "title").map(|(title, _)| title.to_owned());
    let key = read_key(fields, keys, findings);
    let (name, span) = match fields.text(findings, "layout") {
        Some(named) => named,
        None => ("full", fields.span().clone()),
    };
    let layout = pointed(findings, &span, presets::load_layout(name, dirs));
    let (layers, count) = read_layers(fields, known, findings);
    if let (Some((name, layout)), Some(value)) = (&layout, fields.value("layers")) {
        let (room, span) = (layout.capacity(), value.span());
        if count > room {
            let s = if room == 1 { "" } else { "s" };
            findings.add(
                &span,
                format!("{count} layers do not fit the layout {name}, which has {room} place{s}"),
                "take layers out, or choose another layout: picture-in-picture, side-by-side and \
                 stack have 2 places, grid has 16",
            );
        }
    }
    let hears = read_hears(fields, known, findings)?;
    let (layout_name, layout) = layout?;
    let id = id?;
    let title = title.unwrap_or_else(|| id.to_string());
    Some(SceneSpec { id, title, key, layout_name, layout, layers, hears })
}

fn read_key(
    fields: &Fields<'_>,
    keys: &mut BTreeMap<char, usize>,
    findings: &mut Findings<'_>,
) -> Option<char> {
    const FORM: &str = "write a digit 1-9 or a small letter in quotes: key = \"1\"";
    let (text, span) = fields.text(findings, "key")?;
    let mut chars = text.chars();
    let (Some(key), None) = (chars.next(), chars.next()) else {
        findings.add(&span, format!("{} is not one key", quoted(text)), FORM);
        return None;
    };
    if !matches!(key, '1'..='9' | 'a'..='z') {
        findings.add(&span, format!("{} cannot be a scene's key", quoted(text)), FORM);
        return None;
    }
    if let Some(taken) = taken(key) {
        let free: Vec<String> =
            ('a'..='z').filter(|c| self::taken(*c).is_none()).map(String::from).collect();
        let todo = format!("use a digit 1-9, or one of {}", listed(&free));
        findings.add(&span, format!("the key {key} {taken}"), todo);
        return None;
    }
    if let Some(line) = keys.get(&key) {
        let what = format!("the key {key} is taken by the scene at line {line}");
        findings.add(
            &span,
            what,
            "give this scene another key, or none: it gets the next free digit",
        );
        return None;
    }
    keys.insert(key, findings.line(span.start));
    Some(key)
}

/// The letters that the console keeps for itself, and what they do there.
const CONSOLES: [(char, &str); 5] = [
    ('q', "leaves the console"),
    ('j', "selects the next one in the console"),
    ('k', "selects the one before in the console"),
    ('s', "opens the console's statistics"),
    ('w', "opens the console's planner"),
];

/// What this letter does already. With Shift held a scene's key cuts: that must never be the chord that
/// ends the show, so capitals count as well.
fn taken(key: char) -> Option<String> {
    if let Some((_, does)) = CONSOLES.iter().find(|(own, _)| *own == key) {
        return Some((*does).to_owned());
    }
    let (small, capital) = (key.to_string(), key.to_ascii_uppercase().to_string());
    registry::ROWS.iter().find_map(|row| match row.chord {
        Some(chord) if chord == small => Some(format!("is that of the command {}", row.name)),
        Some(chord) if chord == capital => {
            Some(format!("is, with Shift held, that of the command {}", row.name))
        }
        _ => None,
    })
}

/// The layers without problems, and how many were written.
fn read_layers(
    fields: &Fields<'_>,
    known: &[Known],
    findings: &mut Findings<'_>,
) -> (Vec<Layer>, usize) {
    fields.missing(findings, "layers", "write layers = [\"…\"], the names of inputs, bottom first");
    let Some((items, span)) = fields.items(findings, "layers") else { return (Vec::new(), 0) };
    if items.is_empty() {
        findings.add(&span, "a scene without a layer shows nothing", "name at least one input");
    }
    let layers = items.iter().filter_map(|item| read_layer(item, known, findings)).collect();
    (layers, items.len())
}

fn read_layer(
    item: &Spanned<DeValue<'_>>,
    known: &[Known],
    findings: &mut Findings<'_>,
) -> Option<Layer> {
    match item.get_ref() {
        DeValue::String(name) => {
            let input = picture(name, item.span(), known, findings)?;
            Some(Layer { input, fit: Fit::default() })
        }
        DeValue::Table(table) => {
            let fields = Fields::new(table, item.span(), "a layer");
            fields.only(findings, &LAYER_KEYS, |_| None);
            let fits = [("contain", Fit::Contain), ("cover", Fit::Cover)];
            let fit = fields.choice(findings, "fit", &fits).unwrap_or_default();
            fields.missing(findings, "input", "write { input = \"…\", fit = \"cover\" }");
            let (name, span) = fields.text(findings, "input")?;
            Some(Layer { input: picture(name, span, known, findings)?, fit })
        }
        other => {
            findings.add(
                &item.span(),
                format!("a layer is the name of an input, but this is {}", kind_of(other)),
                "write \"name\" or { input = \"name\", fit = \"cover\" }",
            );
            None
        }
    }
}

/// The input of that name, whichever kind it is.
fn existing<'k>(
    name: &str,
    span: &std::ops::Range<usize>,
    known: &'k [Known],
    findings: &mut Findings<'_>,
) -> Option<&'k Known> {
    let input = known.iter().find(|k| k.id == name);
    if input.is_none() {
        let names: Vec<&str> = known.iter().map(|k| k.id.as_str()).collect();
        let todo = if names.is_empty() {
            format!("the show has no inputs; add [[input]] with id = {}", quoted(name))
        } else {
            let names: Vec<String> = names.iter().take(12).map(|n| quoted(n)).collect();
            let near = meant(name, known.iter().map(|k| k.id.as_str()));
            format!("{near}the inputs are {}", listed(&names))
        };
        findings.add(span, format!("no input is called {}", quoted(name)), todo);
    }
    input
}

fn picture(
    name: &str,
    span: std::ops::Range<usize>,
    known: &[Known],
    findings: &mut Findings<'_>,
) -> Option<InputId> {
    let input = existing(name, &span, known, findings)?;
    if input.kind == Some("microphone") {
        findings.add(
            &span,
            format!("{} is a microphone: it has no picture to be a layer", quoted(name)),
            "take it out here, and name it in hears = [\"…\"]",
        );
        return None;
    }
    // An id that is no name was refused at its input.
    name.parse().ok()
}

fn read_hears(fields: &Fields<'_>, known: &[Known], findings: &mut Findings<'_>) -> Option<Hears> {
    if !fields.has("hears") {
        return Some(Hears::Layers);
    }
    let (items, _) = fields.items(findings, "hears")?;
    let mut heard = BTreeSet::new();
    for item in items {
        let DeValue::String(name) = item.get_ref() else {
            let what =
                format!("hears lists names of inputs, but this is {}", kind_of(item.get_ref()));
            findings.add(&item.span(), what, "write hears = [\"mic\"], or [] for silence");
            continue;
        };
        let Some(input) = existing(name, &item.span(), known, findings) else { continue };
        if let Some(kind @ ("image" | "screen" | "camera")) = input.kind {
            findings.add(
                &item.span(),
                format!("{} is of the kind {kind}: it has no sound", quoted(name)),
                "add an [[input]] of kind = \"microphone\", and name that",
            );
        } else if let Ok(id) = name.parse() {
            heard.insert(id);
        }
    }
    Some(Hears::Only(heard))
}
