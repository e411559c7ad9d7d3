//! Tests of the show file: good ones, bad ones, and whatever chance makes of them.

use std::{collections::BTreeSet, path::PathBuf};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    base::Canvas,
    config::schema::show_schema,
    show::{Hears, InputKind, Target, VideoCodec},
};

fn nowhere() -> Dirs {
    Dirs::below(Path::new("/dev/null"))
}

fn read(text: &str) -> Result<ShowSpec, Diagnostics> {
    parse_show(text, "show.toml", Path::new("/nowhere"), &nowhere())
}

const SMALL: &str = "title = \"t\"\n[[input]]\nid = \"a\"\nkind = \"test\"\n";

fn scenes(text: &str) -> Result<ShowSpec, Diagnostics> {
    read(&format!("{SMALL}{text}"))
}

#[test]
fn the_built_in_show_is_whole() {
    let show = builtin_show();
    assert_eq!(
        show.scenes.iter().map(|s| s.key).collect::<Vec<_>>(),
        ['1', '2', '3', '4'].map(Some)
    );
    assert!(show.outputs.is_empty());
    assert_eq!(show.profile.canvas, Canvas { width: 1280, height: 720, fps: 30 });
    let round = serde_json::from_value(serde_json::to_value(&show).unwrap()).unwrap();
    assert_eq!(show, round);
}

#[test]
fn scenes_without_a_key_get_the_next_free_digit() {
    let scene =
        |id: &str, key: &str| format!("[[scene]]\nid = \"{id}\"\n{key}\nlayers = [\"a\"]\n");
    let text =
        scene("x", "") + &scene("y", "key = \"1\"") + &scene("z", "key = \"v\"") + &scene("v", "");
    let keys: Vec<_> = scenes(&text).unwrap().scenes.iter().map(|s| s.key).collect();
    assert_eq!(keys, [Some('2'), Some('1'), Some('v'), Some('3')]);
    let many: String = (0..10).map(|i| scene(&format!("s{i}"), "")).collect();
    assert_eq!(scenes(&many).unwrap().scenes[9].key, None);
}

#[test]
fn no_command_loses_its_key_to_a_scene() {
    for row in registry_chords() {
        for key in [row.to_ascii_lowercase(), row.to_ascii_uppercase()] {
            let text = format!("[[scene]]\nid = \"s\"\nkey = \"{key}\"\nlayers = [\"a\"]");
            assert_eq!(scenes(&text).unwrap_err().len(), 1, "{key}");
        }
    }
}

fn registry_chords() -> impl Iterator<Item = char> {
    crate::show::registry::ROWS
        .iter()
        .filter_map(|r| r.chord)
        .filter(|c| c.len() == 1)
        .flat_map(str::chars)
        .chain(['q', '?', ' ', '\t', '0'])
}

#[test]
fn the_program_can_be_turned_and_coded_otherwise() {
    let text = format!(
        "profile = \"quality\"\n{SMALL}[program]\ncanvas = \"9:16\"\ncodec = \"vp8\"\n\
         [[scene]]\nid = \"s\"\nlayers = [\"a\"]"
    );
    let profile = read(&text).unwrap().profile;
    assert_eq!(profile.canvas, Canvas { width: 1080, height: 1920, fps: 30 });
    assert_eq!((profile.ladder[1].canvas.width, profile.codec), (720, VideoCodec::Vp8));
}

#[test]
fn paths_start_at_the_folder_of_the_show() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.png"), "x").unwrap();
    let path = dir.path().join("show.toml");
    let text = "title = \"t\"\n[[input]]\nid = \"a\"\nkind = \"image\"\npath = \"a.png\"\n\
                [[scene]]\nid = \"s\"\nlayers = [\"a\"]\nhears = []\n\
                [[output]]\nid = \"o\"\nto = \"https://a.example/x\"\ntoken = \"file:t\"";
    std::fs::write(&path, text).unwrap();
    let show = load_show(&path, &nowhere()).unwrap();
    assert_eq!(show.inputs[0].kind, InputKind::Image { path: dir.path().join("a.png") });
    assert_eq!(show.scenes[0].hears, Hears::Only(BTreeSet::new()));
    let Target::Whip(whip) = &show.outputs[0].target else { panic!() };
    let Some(token) = &whip.ingests[0].token else { panic!() };
    assert_eq!(token.to_string(), format!("file:{}", dir.path().join("t").display()));
}

#[test]
fn what_is_no_text_file_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let cases = [
        (dir.path().join("none.toml"), "there is no such file"),
        (dir.path().to_owned(), "this is a folder"),
        (file("a", b"title = 1\n\xff"), "a:2:1: from here on this is not UTF-8 text"),
        (file("b", b" \n"), "the file is empty"),
        (file("c", &vec![b'#'; MAX_SHOW as usize + 1]), "too large"),
    ];
    for (path, part) in cases {
        let shown = load_show(&path, &nowhere()).unwrap_err().to_string();
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn a_mark_at_the_beginning_is_no_matter() {
    let text = format!("\u{feff}{SMALL}[[scene]]\nid = \"s\"\nlayers = [\"a\"]");
    assert!(read(&text).is_ok());
}

/// The keys a schema allows, following its references.
fn keys(root: &Value, form: &Value) -> BTreeSet<String> {
    let form = match form["$ref"].as_str() {
        Some(path) => root.pointer(path.trim_start_matches('#')).unwrap(),
        None => form,
    };
    let own = form["properties"].as_object().into_iter().flat_map(|p| p.keys().cloned());
    own.collect()
}

fn set(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|k| (*k).to_owned()).collect()
}

#[test]
fn the_schema_has_the_keys_the_reader_has() {
    let schema = show_schema();
    let of = |name: &str| keys(&schema, &schema["$defs"][name]);
    assert_eq!(keys(&schema, &schema), set(&SHOW_KEYS));
    assert_eq!(of("ProgramForm"), set(&PROGRAM_KEYS));
    assert_eq!(of("SceneForm"), set(&scene::KEYS));
    assert_eq!(of("SegmentForm"), set(&segment::KEYS));
    assert_eq!(of("LayerTable"), set(&scene::LAYER_KEYS));
    let outputs = output::KINDS.iter().flat_map(|(_, keys)| keys.iter().copied());
    assert_eq!(of("OutputForm"), outputs.chain(output::COMMON).map(str::to_owned).collect());
    let chats = chat::KINDS.iter().flat_map(|(_, keys)| keys.iter().copied());
    assert_eq!(of("ChatForm"), chats.chain(chat::COMMON).map(str::to_owned).collect());
    assert_eq!(of("ModerationForm"), set(&control::MODERATION_KEYS));
    assert_eq!(of("ClaimsForm"), set(&control::CLAIMS_KEYS));
    assert_eq!(of("ItemForm"), set(&control::ITEM_KEYS));
    assert_eq!(of("StandbyTable"), set(&output::whip::STANDBY_KEYS));
    assert_eq!(of("IceForm"), set(&output::whip::ICE_KEYS));
    assert_eq!(of("IceServerForm"), set(&output::whip::ICE_SERVER_KEYS));
    let variants = schema["$defs"]["InputForm"]["oneOf"].as_array().unwrap();
    assert_eq!(variants.len(), input::KINDS.len());
    for (name, own) in input::KINDS {
        let variant = variants.iter().find(|v| v["properties"]["kind"]["const"] == name).unwrap();
        let mut allowed = keys(&schema, variant);
        allowed.extend(keys(&schema, &serde_json::json!({ "$ref": variant["$ref"] })));
        let mut expected = set(own);
        expected.extend(set(&input::COMMON));
        assert_eq!(allowed, expected, "{name}");
    }
}

#[test]
fn depth_does_not_exhaust_the_stack() {
    for text in [
        format!("{}x = 1", "a.".repeat(100_000)),
        format!("[{}x]", "a.".repeat(100_000)),
        format!("x = {}", "[".repeat(200_000)),
        format!("x = {}", "{a=".repeat(80_000)),
        format!("x = {{ {}y = 1 }}", "a . ".repeat(60_000)),
        format!("x = {}1{}", "[".repeat(79), "]".repeat(79)),
    ] {
        assert!(read(&text).is_err());
    }
}

/// A change to a text, anywhere in it.
#[derive(Debug, Clone)]
enum Change {
    Cut(prop::sample::Index, usize),
    Put(prop::sample::Index, String),
    Double(prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let bit = prop_oneof![
        proptest::sample::select(vec![
            "\"",
            "'",
            "\"\"\"",
            "[",
            "]",
            "[[",
            "{",
            "}",
            "=",
            ",",
            "\n",
            "\r",
            "#",
            ".",
            "\\",
            "\\u",
            "\0",
            "é",
            "直",
            "\u{1b}[2J",
            "-1",
            "1e999",
            "nan",
            "99999999999999999999",
            "0x",
            "1979-05-27",
            "[[input]]\n",
            "[[scene]]\n",
            "[program]\n",
            "token = \"",
            "id = ",
            "layers = [",
            "a.b = ",
            "://u:p@",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    prop_oneof![
        (any::<prop::sample::Index>(), 1_usize..40).prop_map(|(i, n)| Change::Cut(i, n)),
        (any::<prop::sample::Index>(), bit).prop_map(|(i, s)| Change::Put(i, s)),
        (any::<prop::sample::Index>(), 1_usize..200).prop_map(|(i, n)| Change::Double(i, n)),
    ]
}

fn apply(text: &mut String, change: &Change) {
    let edge = |text: &str, mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    match change {
        Change::Cut(i, n) => {
            let from = edge(text, i.index(text.len() + 1));
            let to = edge(text, from + n);
            text.replace_range(from..to.max(from), "");
        }
        Change::Put(i, s) => {
            let at = edge(text, i.index(text.len() + 1));
            text.insert_str(at, s);
        }
        Change::Double(i, n) => {
            let from = edge(text, i.index(text.len() + 1));
            let to = edge(text, from + n).max(from);
            let piece = text[from..to].to_owned();
            text.insert_str(to, &piece);
        }
    }
}

/// Every problem can be shown, and points into the text.
fn check_problems(text: &str, read: Result<ShowSpec, Diagnostics>) -> Result<(), TestCaseError> {
    match read {
        Ok(show) => prop_assert!(!show.scenes.is_empty() && !show.profile.ladder.is_empty()),
        Err(problems) => {
            prop_assert!(!problems.is_empty());
            let shown = problems.to_string();
            prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
            for spot in problems.iter().filter_map(|p| p.spot.as_ref()) {
                prop_assert!(spot.line <= text.matches('\n').count() + 1);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_too_broken_to_be_told_so(
        which in 0..EXAMPLES.len(),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let mut text = EXAMPLES[which].1.to_owned();
        for change in &changes {
            apply(&mut text, change);
        }
        let result = read(&text);
        check_problems(&text, result)?;
    }

    #[test]
    fn a_token_by_value_is_never_repeated(
        quote in proptest::sample::select(vec!["\"", "'", "\"\"\"", "'''"]),
        key in proptest::sample::select(vec!["token", "tokn", "\"token\"", "secret", "output.token"]),
        at in any::<prop::sample::Index>(),
        closed: bool,
    ) {
        let mut text = EXAMPLES[1].1.to_owned();
        let lines: Vec<usize> = text.match_indices('\n').map(|(i, _)| i + 1).collect();
        let end = if closed { quote } else { "" };
        text.insert_str(lines[at.index(lines.len())], &format!("{key} = {quote}hu5h{end} # x = \n"));
        let shown = read(&text).unwrap_err().to_string();
        prop_assert!(!shown.contains("hu5h"), "{shown}");
    }
}
