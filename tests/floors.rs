//! Holds the house to its plan: reads every path in `src` and fails on an import that points up or
//! sideways, and on what a room may not name. It reads text, so it needs nothing but the sources.
//!
//! A scanner rather than a parser: comments and literals are blanked, the rest is cut into words and
//! marks, and every path is spelt out in full, braces and all. The tests at the end show that it can
//! fail.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
)]

use std::{fs, path::Path};

/// The floors from the ground up. A room imports from lower rows only.
///
/// `config` stands half a floor above `show`: it reads files into `show`'s own `ShowSpec`.
const FLOORS: &[(&str, &[&str])] = &[
    ("0", &["base"]),
    ("1", &["market"]),
    ("2", &["scene", "planner", "stats", "chat", "whip", "flow", "shop"]),
    ("3", &["show"]),
    ("3 1/2", &["config"]),
    ("3 3/4", &["system"]),
    ("4", &["media", "stage", "link", "store"]),
    ("5", &["engine"]),
    ("6", &["console", "headless", "remote"]),
    ("7", &["cli"]),
];

/// Rows of `FLOORS` that are pure: no async, no thread, no clock.
const PURE: usize = 5;

/// About 500 is asked for; beyond this a file has two ideas.
const MOST_LINES: usize = 700;

/// Where a room stands: its row in `FLOORS`.
fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|(_, rooms)| rooms.contains(&room))
}

/// Replaces comments and literals by blanks; line ends stay where they are.
fn blank(source: &str) -> String {
    let text: Vec<char> = source.chars().collect();
    let at = |i: usize| text.get(i).copied().unwrap_or('\0');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(source.len());
    let mut i = 0;
    while i < text.len() {
        let end = match at(i) {
            '/' if at(i + 1) == '/' => (i..text.len()).find(|&j| at(j) == '\n'),
            '/' if at(i + 1) == '*' => Some(after_block(&text, i)),
            '"' => Some(after_string(&text, i)),
            // r"..", r#".."#, br".."; but r#name is a word, and so is a name that ends in r.
            'r' if i == 0
                || !word(at(i - 1))
                || (at(i - 1) == 'b' && (i < 2 || !word(at(i - 2)))) =>
            {
                let hashes = (i + 1..text.len()).take_while(|&j| at(j) == '#').count();
                if at(i + 1 + hashes) == '"' {
                    Some(after_raw(&text, i + 2 + hashes, hashes))
                } else {
                    Some(i)
                }
            }
            // 'x' and '\n' are characters; 'a without a second mark is a lifetime.
            '\'' if at(i + 1) == '\\' => {
                (i + 3..text.len()).find(|&j| at(j) == '\'').map(|j| j + 1)
            }
            '\'' if at(i + 2) == '\'' => Some(i + 3),
            _ => Some(i),
        };
        let end = end.unwrap_or(text.len());
        if end == i {
            out.push(at(i));
            i += 1;
        } else {
            out.extend(text[i..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            i = end;
        }
    }
    out
}

fn after_block(text: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i + 1 < text.len() {
        match (text[i], text[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    text.len()
}

fn after_string(text: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < text.len() {
        match text[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    text.len()
}

fn after_raw(text: &[char], start: usize, hashes: usize) -> usize {
    (start..text.len())
        .find(|&i| {
            text[i] == '"' && (i + 1..=i + hashes).all(|j| text.get(j).is_some_and(|c| *c == '#'))
        })
        .map_or(text.len(), |i| i + 1 + hashes)
}

/// A word or a mark.
#[derive(Debug, Clone)]
struct Token {
    text: String,
    line: usize,
    in_test: bool,
}

fn tokens(blanked: &str) -> Vec<Token> {
    let mut all: Vec<Token> = Vec::new();
    for (index, text) in blanked.lines().enumerate() {
        let line = index + 1;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c.is_whitespace() {
                continue;
            }
            let mut text = String::from(c);
            if c.is_alphanumeric() || c == '_' {
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    text.push(c);
                }
                // r#async is a name, not the keyword.
                if text == "r" && chars.next_if_eq(&'#').is_some() {
                    text.push('#');
                    while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                        text.push(c);
                    }
                }
            } else if c == ':' && chars.next_if_eq(&':').is_some() {
                text.push(':');
            }
            all.push(Token { text, line, in_test: false });
        }
    }
    all
}

/// A path spelt out in full, with where it stands.
#[derive(Debug)]
struct Named {
    path: Vec<String>,
    line: usize,
    in_use: bool,
    in_test: bool,
    /// The modules opened in this file around it.
    inside: Vec<String>,
    /// The two marks after it.
    then: [String; 2],
}

/// Reads the path, or the tree of paths, that begins at `i`; gives where it ends.
fn tree(
    tokens: &[Token],
    mut i: usize,
    prefix: &[String],
    leaves: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    let text = |i: usize| tokens.get(i).map_or("", |t| t.text.as_str());
    let mut path = prefix.to_vec();
    loop {
        match text(i) {
            "{" => {
                i += 1;
                while !matches!(text(i), "}" | "") {
                    i = if text(i) == "," { i + 1 } else { tree(tokens, i, &path, leaves) };
                }
                return i + 1;
            }
            "" | "}" => return i,
            word => path.push(word.to_owned()),
        }
        i += 1;
        if text(i) == "as" && !prefix.is_empty() {
            i += 2;
        }
        let joined = text(i) == "::"
            && (matches!(text(i + 1), "{" | "*")
                || text(i + 1).starts_with(|c: char| c.is_alphabetic() || c == '_'));
        if !joined {
            leaves.push((path, tokens.get(i - 1).map_or(0, |t| t.line)));
            return i;
        }
        i += 1;
    }
}

/// Where the item that begins at `i` ends.
fn after_item(tokens: &[Token], mut i: usize) -> usize {
    let mut depth = 0_usize;
    while i < tokens.len() {
        match tokens[i].text.as_str() {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return i + 1;
                }
            }
            ";" if depth == 0 => return i + 1,
            _ => {}
        }
        i += 1;
    }
    tokens.len()
}

/// Marks what is compiled for tests only.
fn mark_tests(tokens: &mut [Token]) {
    let starts = |tokens: &[Token], words: &[&str]| {
        words.iter().enumerate().all(|(n, w)| tokens.get(n).is_some_and(|t| t.text == *w))
    };
    for i in 0..tokens.len() {
        if starts(&tokens[i..], &["#", "[", "cfg", "(", "test", ")"])
            || starts(&tokens[i..], &["#", "[", "cfg", "(", "all", "(", "test"])
        {
            let end = after_item(tokens, i);
            tokens[i..end].iter_mut().for_each(|t| t.in_test = true);
        }
    }
}

/// Every path in a source, test code marked.
fn paths(source: &str) -> (Vec<Token>, Vec<Named>) {
    let mut tokens = tokens(&blank(source));
    mark_tests(&mut tokens);
    let text = |i: usize| tokens.get(i).map_or("", |t| t.text.as_str());
    let mut named = Vec::new();
    let (mut depth, mut in_use) = (0_usize, false);
    let mut modules: Vec<(String, usize)> = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        match text(i) {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                modules.retain(|(_, opened)| *opened <= depth);
            }
            "use" => in_use = true,
            ";" => in_use = false,
            "mod" if text(i + 2) == "{" => modules.push((text(i + 1).to_owned(), depth + 1)),
            word if word.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && (i == 0 || text(i - 1) != "::" || !continues(&tokens, i - 1)) =>
            {
                let mut leaves = Vec::new();
                let end = tree(&tokens, i, &[], &mut leaves);
                let then = [text(end).to_owned(), text(end + 1).to_owned()];
                named.extend(leaves.into_iter().map(|(path, line)| Named {
                    path,
                    line,
                    in_use,
                    in_test: tokens[i].in_test,
                    inside: modules.iter().map(|(name, _)| name.clone()).collect(),
                    then: then.clone(),
                }));
                i = end;
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    (tokens, named)
}

/// Whether the `::` at `i` goes on with something before it; `::std::thread` begins anew.
fn continues(tokens: &[Token], i: usize) -> bool {
    i > 0
        && tokens[i - 1]
            .text
            .starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '>' | ')' | ']'))
        && !matches!(tokens[i - 1].text.as_str(), "use" | "return" | "in" | "as")
}

/// The room a path leads into, when it begins in this crate: `Some("")` is the whole crate.
fn leads_to(named: &Named, module: &[String]) -> Option<String> {
    let mut here: Vec<String> = module.iter().chain(&named.inside).cloned().collect();
    let mut rest = named.path.as_slice();
    match rest.first()?.as_str() {
        "crate" => here.clear(),
        "self" => {}
        "super" => {
            here.pop();
        }
        _ => return None,
    }
    rest = &rest[1..];
    while rest.first().is_some_and(|s| s == "super") {
        here.pop();
        rest = &rest[1..];
    }
    // A bare `pub(crate)`, `self` or `super` names nothing.
    let bare = rest.is_empty() && !named.in_use;
    here.extend(rest.iter().cloned());
    if bare { None } else { Some(here.first().cloned().unwrap_or_default()) }
}

/// What is wrong with one file. `name` is its path below `src`, with `/`.
fn check(name: &str, source: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut module: Vec<String> =
        name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    let is_root = name == "lib.rs" || name == "main.rs";
    if is_root {
        module.clear();
    }
    let room = module.first().cloned().unwrap_or_default();
    let test_file = module.iter().skip(1).any(|m| m == "tests");
    let row = floor(&room);

    if !source.starts_with("//!") {
        wrong.push(format!(
            "src/{name}:1: opens without '//!': say what it is and what it may not do"
        ));
    }
    let lines = source.lines().count();
    if lines > MOST_LINES {
        wrong
            .push(format!("src/{name}:{lines}: over {MOST_LINES} lines: look for the second idea"));
    }
    if module.last().is_some_and(|m| m == "mod") {
        wrong.push(format!("src/{name}:1: use foo.rs beside foo/, not mod.rs"));
    }
    if !is_root && row.is_none() {
        wrong.push(format!("src/{name}:1: the room '{room}' has no floor: give it one in FLOORS"));
        return wrong;
    }

    let (tokens, named) = paths(source);
    for found in &named {
        let mut say = |what: String| wrong.push(format!("src/{name}:{}: {what}", found.line));
        if let (Some(row), Some(to)) = (row, leads_to(found, &module)) {
            match floor(&to) {
                _ if to == room => {}
                None if to.is_empty() || to == "*" => {
                    say("imports the whole crate: name the room".into());
                }
                None => say(format!("imports '{to}', which has no floor: give it one in FLOORS")),
                Some(other) if other > row => say(format!(
                    "{room} (floor {}) imports {to} (floor {}): imports point down only",
                    FLOORS[row].0, FLOORS[other].0
                )),
                Some(other) if other == row => say(format!(
                    "{room} imports {to}: rooms on one floor (here {}) do not know each other",
                    FLOORS[row].0
                )),
                Some(_) => {}
            }
        }
        if found.in_test || test_file {
            continue;
        }
        let path: Vec<&str> = found.path.iter().map(String::as_str).collect();
        let a_crate = path.len() > 1 || found.in_use;
        let crate_name = path[0];
        if a_crate && room != "media" && (crate_name.starts_with("gst") || crate_name == "glib") {
            say(format!("names {crate_name}: only media/ names GStreamer"));
        }
        if a_crate && room != "console" && matches!(crate_name, "ratatui" | "crossterm") {
            say(format!("names {crate_name}: only console/ names the terminal crates"));
        }
        if let Some(why) = one_place(&path, name) {
            say(format!("{}: {why}", path.join("::")));
        }
        if unbounded(&path, a_crate, &found.then) {
            say(format!("{} has no bound: every channel has one", path.join("::")));
        }
        if row.is_some_and(|row| row < PURE)
            && let Some(why) = impure(&path, a_crate)
        {
            say(format!("{}: {why} on floors 0-3", path.join("::")));
        }
    }
    // `async` stands alone, so it is no path of length two: look at the words.
    if row.is_some_and(|row| row < PURE) && !test_file {
        for token in tokens.iter().filter(|t| t.text == "async" && !t.in_test) {
            wrong.push(format!("src/{name}:{}: no async on floors 0-3", token.line));
        }
    }
    wrong
}

/// What is made in one place only, because that place asks or bounds first.
fn one_place(path: &[&str], file: &str) -> Option<&'static str> {
    let ends = |end: &[&str]| path.ends_with(end);
    let pipeline = ["new", "with_name", "builder"].iter().any(|f| ends(&["Pipeline", f]))
        || (path.contains(&"parse") && path.last().is_some_and(|last| last.starts_with("launch")));
    if pipeline && file != "media/pipeline.rs" {
        return Some("pipelines are made in media/pipeline.rs, which asks for descriptors first");
    }
    if ends(&["axum", "serve"])
        || path.starts_with(&["hyper", "server"]) && file != "system/http.rs"
    {
        return Some("HTTP is served by system/http.rs, which bounds connections and times");
    }
    None
}

fn unbounded(path: &[&str], a_crate: bool, then: &[String; 2]) -> bool {
    let last = path[path.len() - 1];
    let std_channel = path.ends_with(&["mpsc", "channel"])
        && (path[0] == "std" || (then[0] == "(" && then[1] == ")") || then[0] == "::");
    matches!(last, "unbounded_channel" | "UnboundedSender" | "UnboundedReceiver")
        || (a_crate && matches!(last, "unbounded"))
        || std_channel
}

fn impure(path: &[&str], a_crate: bool) -> Option<&'static str> {
    let clocks = ["Instant", "SystemTime", "Timestamp", "Zoned"];
    if path.windows(2).any(|w| clocks.contains(&w[0]) && w[1] == "now") {
        Some("no clock")
    } else if path.starts_with(&["std", "thread"])
        || (path[0] == "thread" && path.len() > 1 && path[1] != "LocalKey")
    {
        Some("no threads")
    } else if path[0] == "tokio" && a_crate {
        Some("no tokio")
    } else {
        None
    }
}

fn sources(folder: &Path, into: &mut Vec<std::path::PathBuf>) {
    let entries = fs::read_dir(folder).expect("src can be read");
    for entry in entries {
        let path = entry.expect("src can be listed").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn the_house_stands() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    files.sort();
    assert!(files.len() > 20, "only {} files found below {}", files.len(), src.display());
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let name =
                file.strip_prefix(&src).expect("below src").to_string_lossy().replace('\\', "/");
            check(&name, &fs::read_to_string(file).expect("a source can be read"))
        })
        .collect();
    assert!(wrong.is_empty(), "the house is out of plumb:\n{}\n", wrong.join("\n"));
}

#[cfg(test)]
mod the_scanner {
    use super::*;

    /// The complaints about a file of that name with that body.
    fn about(name: &str, body: &str) -> Vec<String> {
        check(name, &format!("//! A sample.\n{body}"))
    }

    #[track_caller]
    fn fails(name: &str, body: &str, with: &str) {
        let wrong = about(name, body);
        assert!(wrong.iter().any(|w| w.contains(with)), "{body:?} gave {wrong:?}, not '{with}'");
    }

    #[track_caller]
    fn passes(name: &str, body: &str) {
        assert_eq!(about(name, body), Vec::<String>::new(), "{body:?}");
    }

    #[test]
    fn refuses_upward_imports_however_they_are_written() {
        for body in [
            "use crate::engine::Handle;",
            "use crate::{base::Db, engine::Handle};",
            "use crate::{base::{Db, Kbps}, engine::{self, handle::{Ask, Look}}};",
            "use crate::{\n    base::Db as Gain,\n    engine as e,\n};",
            "use {std::fmt, crate::engine::Handle};",
            "fn f(h: &crate::engine::Handle) {}",
            "fn f() { let x = Vec::<crate::engine::Handle>::new(); }",
            "use super::super::engine::Handle;",
            "use super::{super::engine, shape::Rect};",
            "mod inner { use super::super::super::engine::Handle; }",
            "pub(in crate::engine) fn f() {}",
            "macro_rules! m { () => { $crate::engine::go() } }",
            "#[cfg(test)]\nmod tests { use crate::engine::Handle; }",
            "fn f() -> char { 'x' } use crate::engine::Handle; fn g() -> char { '\\'' }",
            "const S: &str = r#\"a \" quote\"#; use crate::engine::Handle;",
            "/* a /* nested */ comment */ use crate::engine::Handle;",
            "fn f<'a>(x: &'a str) -> &'a crate::engine::Handle { x }",
        ] {
            fails("scene/plan.rs", body, "scene (floor 2) imports engine (floor 5)");
        }
        fails("scene.rs", "use super::engine::Handle;", "imports point down only");
        fails("media/input.rs", "use super::super::engine::Handle;", "imports point down only");
    }

    #[test]
    fn points_at_the_line() {
        let wrong = about("scene/plan.rs", "use crate::{\n    base::Db,\n    engine::Handle,\n};");
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].starts_with("src/scene/plan.rs:4: "), "{wrong:?}");
    }

    #[test]
    fn refuses_sideways_imports() {
        fails("console/draw.rs", "use crate::remote::Client;", "do not know each other");
        fails("stage/http.rs", "use crate::{base::Db, media::Frame};", "do not know each other");
        fails("show/handle.rs", "use crate::config::load;", "imports point down only");
    }

    #[test]
    fn refuses_the_whole_crate_and_rooms_without_a_floor() {
        fails("cli/run.rs", "use crate::*;", "name the room");
        fails("cli/run.rs", "use crate::attic::Box;", "has no floor");
        fails("attic/box.rs", "", "has no floor");
        fails("cli/mod.rs", "", "not mod.rs");
    }

    #[test]
    fn lets_downward_imports_and_own_rooms_be() {
        passes("show/handle.rs", "use crate::{base::{Db, Now}, scene::Transition};");
        passes("show/handle.rs", "use super::{command::Command, event};\nuse self::inner::X;");
        passes("show.rs", "pub mod command;\npub use command::Command;");
        passes("show/handle.rs", "mod tests { use super::super::event::Event; use super::*; }");
        passes("scene/plan.rs", "pub(crate) fn f() {}\npub(super) fn g() {}");
        passes("config/load.rs", "use crate::show::ShowSpec;");
        passes("cli/run.rs", "use crate::{console, engine::Handle, media, show::Show};");
        passes("lib.rs", "pub mod cli;\npub mod base;");
        passes("main.rs", "fn main() { hawker::cli::main(); }");
    }

    #[test]
    fn is_not_fooled_by_comments_and_literals() {
        passes("scene/plan.rs", "// use crate::engine::Handle;\n/* crate::engine */\n");
        passes("scene/plan.rs", "/// See [`crate::engine::Handle`] and tokio::spawn.\nfn f() {}");
        passes("scene/plan.rs", "const S: &str = \"crate::engine \\\" Instant::now\";");
        passes("scene/plan.rs", "const S: &str = r##\"crate::engine \"# tokio::\"##;");
        passes("scene/plan.rs", "const S: &[u8] = br\"gst::init\"; const C: char = '\"';");
        passes("scene/plan.rs", "fn r#async() {}");
    }

    #[test]
    fn keeps_gstreamer_and_the_terminal_in_their_rooms() {
        for body in [
            "use gst::prelude::*;",
            "use gst;",
            "use gst_app as app;",
            "use gstreamer_video::VideoInfo;",
            "fn f() { gst::init(); }",
            "fn f() { gstrsrtp::plugin_register_static(); }",
            "fn f() { ::gst::init(); }",
            "use glib::object::Cast;",
        ] {
            fails("engine/run.rs", body, "only media/ names GStreamer");
            passes("media/run.rs", body);
        }
        for body in ["use ratatui::Frame;", "use std::io; use crossterm::{event, terminal};"] {
            fails("cli/run.rs", body, "only console/ names");
            passes("console/draw.rs", body);
        }
        passes("engine/run.rs", "fn f(gst: u32) -> u32 { gst + 1 }");
        passes("engine/run.rs", "#[cfg(test)]\nmod tests { use gst::prelude::*; }");
        fails(
            "engine/run.rs",
            "#[cfg(test)]\nmod tests { fn f() {} }\nfn g() { gst::init(); }",
            "only media/ names GStreamer",
        );
    }

    #[test]
    fn keeps_the_pure_floors_pure() {
        for (body, with) in [
            ("async fn f() {}", "no async"),
            ("fn f() { let _ = async { 1 }; }", "no async"),
            ("use std::thread;", "no threads"),
            ("use std::{thread, fmt};", "no threads"),
            ("fn f() { std::thread::spawn(|| ()); }", "no threads"),
            ("fn f() { thread::sleep(d); }", "no threads"),
            ("fn f() { Instant::now(); }", "no clock"),
            ("fn f() { std::time::SystemTime::now(); }", "no clock"),
            ("fn f() { let t = jiff::Timestamp::now(); }", "no clock"),
            ("use tokio::sync::watch;", "no tokio"),
            ("use {tokio as t};", "no tokio"),
        ] {
            for name in ["base/clock.rs", "whip/session.rs", "show/handle.rs", "config/load.rs"] {
                fails(name, body, with);
            }
            passes("engine/run.rs", body);
        }
        passes("show/handle.rs", "use std::time::{Duration, Instant};\nfn f(now: Instant) {}");
        passes("show/handle.rs", "#[cfg(test)]\nmod tests { fn f() { Instant::now(); } }");
    }

    #[test]
    fn refuses_channels_without_a_bound() {
        for body in [
            "fn f() { let (a, b) = tokio::sync::mpsc::unbounded_channel(); }",
            "use tokio::sync::mpsc::{self, UnboundedSender};",
            "fn f() { let (a, b) = mpsc::channel(); }",
            "fn f() { let (a, b) = std::sync::mpsc::channel::<u8>(); }",
            "use std::sync::mpsc::{channel, Sender};",
            "fn f() { futures::channel::mpsc::unbounded(); }",
        ] {
            fails("engine/run.rs", body, "has no bound");
        }
        passes("engine/run.rs", "fn f() { let (a, b) = mpsc::channel(16); }");
        passes("engine/run.rs", "use std::sync::mpsc::sync_channel;");
    }

    #[test]
    fn what_asks_or_bounds_first_is_not_gone_round() {
        fails("media/x.rs", "fn f() { let p = gst::Pipeline::new(); }", "asks for descriptors");
        fails("media/x.rs", "fn f() { gst::Pipeline::with_name(name); }", "asks for descriptors");
        fails("media/x.rs", "fn f() { gst::parse::launch(line); }", "asks for descriptors");
        passes("media/pipeline.rs", "fn f() { gst::Pipeline::with_name(name); }");
        fails("stage/x.rs", "fn f() { axum::serve(listener, router); }", "bounds connections");
        fails("link/x.rs", "use hyper::server::conn::http1;", "bounds connections");
        passes("system/http.rs", "use hyper::server::conn::http1;");
    }

    #[test]
    fn wants_an_opening_and_a_bound_on_length() {
        assert!(check("base/id.rs", "use std::fmt;\n")[0].contains("opens without"));
        fails("base/id.rs", &"\n".repeat(MOST_LINES), "over 700 lines");
        passes("base/id.rs", &"\n".repeat(MOST_LINES - 1));
    }
}
