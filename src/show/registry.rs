//! The one table of commands. The keymap, the help, the scripts and the remote all read it; nothing else
//! knows which commands there are.

mod chat;

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    command::Command,
    spec::{OutputSpec, RtmpSpec, Target, WhipSpec},
};
use crate::{base::Db, scene::TransitionKind};

/// We said no: what was asked cannot be done, and nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

impl Refusal {
    /// Refuses with a sentence that says what, why, and what to do.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

/// How easily a command may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// At once.
    Safe,
    /// After one yes.
    Confirm,
    /// It ends a broadcast: armed first, then confirmed. Never one stray key.
    Arm,
}

/// One argument of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arg {
    /// Its name, as in the JSON form.
    pub name: &'static str,
    /// What it is, for the help.
    pub doc: &'static str,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it takes all words to the end of the line.
    pub rest: bool,
}

impl Arg {
    /// As usage lines write it: `<scene>`, `[output]`, `[note...]`.
    pub fn usage(&self) -> String {
        let more = if self.rest { "..." } else { "" };
        if self.optional {
            format!("[{}{more}]", self.name)
        } else {
            format!("<{}{more}>", self.name)
        }
    }
}

/// A row of the registry.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The command's name in scripts and remote control.
    pub name: &'static str,
    /// Its arguments in order.
    pub args: &'static [Arg],
    /// One line of help.
    pub doc: &'static str,
    /// How easily it may be given.
    pub risk: Risk,
    /// The key it has unless the user's keymap says otherwise. Scenes have their own keys.
    pub chord: Option<&'static str>,
    build: fn(&[&str]) -> Result<Command, String>,
}

const fn arg(name: &'static str, doc: &'static str) -> Arg {
    Arg { name, doc, optional: false, rest: false }
}

const fn maybe(name: &'static str, doc: &'static str) -> Arg {
    Arg { name, doc, optional: true, rest: false }
}

const SCENE: &[Arg] = &[arg("scene", "name of a scene")];
const INPUT: &[Arg] = &[arg("input", "name of an input")];
const OUTPUT: &[Arg] = &[maybe("output", "name of an output; all when left out")];
const ADDED: &[Arg] = &[
    arg("output", "its name, not one that there is"),
    arg("to", "http(s):// for WHIP, rtmp(s)://host/app/stream"),
];
const RECORDING: &[Arg] = &[maybe("output", "name of a recording; all when left out")];

const NOTE: &[Arg] = &[Arg { rest: true, ..maybe("note", "what happened, in words") }];
const ALARM: &[Arg] = &[maybe("alarm", "name of an alarm; all when left out")];

fn parsed<T: FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| e.to_string())
}

fn transition_kind(text: &str) -> Result<TransitionKind, String> {
    TransitionKind::ALL
        .into_iter()
        .find(|k| k.name() == text)
        .ok_or_else(|| format!("'{text}' is no transition: use cut, fade, slide or wipe"))
}

/// An address that needs nothing beside it. What does (a key, a token, a folder) is a table of a show file.
fn target(text: &str) -> Result<Target, String> {
    // The address is not repeated: its path may be the key to a stream.
    let url = Url::parse(text).map_err(|e| format!("this is no address: {e}"))?;
    let table = "write an [[output]] table to a file, and give `hawker send add-output FILE.toml`";
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("the address holds a user name or password: {table}"));
    }
    let parts = url.path_segments().map_or(0, |parts| parts.filter(|p| !p.is_empty()).count());
    match url.scheme() {
        "http" | "https" => Ok(Target::Whip(WhipSpec::to(url, None))),
        "rtmp" | "rtmps" if parts > 1 => Ok(Target::Rtmp(RtmpSpec { url, key: None })),
        "rtmp" | "rtmps" => Err(format!("there is no stream's name; for one with a key {table}")),
        "srt" => Err(format!("SRT has more to be told than its address: {table}")),
        _ => Err(format!("use http(s):// or rtmp(s)://; for anything else {table}")),
    }
}

/// Every command there is.
pub const ROWS: &[Row] = &ALL;

const ALL: [Row; OWN.len() + chat::ROWS.len()] = {
    let mut all = [OWN[0]; OWN.len() + chat::ROWS.len()];
    let mut at = 1;
    while at < all.len() {
        all[at] = if at < OWN.len() { OWN[at] } else { chat::ROWS[at - OWN.len()] };
        at += 1;
    }
    all
};

/// Whether a command of that name is asked of the chat.
pub fn is_of_chat(name: &str) -> bool {
    chat::ROWS.iter().any(|row| row.name == name)
}

/// The commands that the core carries out itself.
const OWN: &[Row] = &[
    Row {
        name: "preview",
        args: SCENE,
        doc: "put a scene on preview",
        risk: Risk::Safe,
        chord: None,
        build: |a| Ok(Command::Preview { scene: parsed(a[0])? }),
    },
    Row {
        name: "cut-to",
        args: SCENE,
        doc: "put a scene on program at the next frame",
        risk: Risk::Safe,
        chord: None,
        build: |a| Ok(Command::CutTo { scene: parsed(a[0])? }),
    },
    Row {
        name: "take-preview",
        args: &[],
        doc: "put the preview on program by the chosen transition",
        risk: Risk::Safe,
        chord: Some("enter"),
        build: |_| Ok(Command::TakePreview),
    },
    Row {
        name: "set-transition",
        args: &[arg("kind", "cut, fade, slide or wipe"), arg("ms", "how long, 0-10000 ms")],
        doc: "choose the transition of the next take",
        risk: Risk::Safe,
        chord: Some("t"),
        build: |a| Ok(Command::SetTransition { kind: transition_kind(a[0])?, ms: parsed(a[1])? }),
    },
    Row {
        name: "panic",
        args: &[],
        doc: "show the slate and be silent, at the next frame",
        risk: Risk::Safe,
        chord: Some("p"),
        build: |_| Ok(Command::Panic),
    },
    Row {
        name: "resume",
        args: &[],
        doc: "back from the slate to the program",
        risk: Risk::Confirm,
        chord: Some("r"),
        build: |_| Ok(Command::Resume),
    },
    Row {
        name: "mute",
        args: INPUT,
        doc: "silence an input",
        risk: Risk::Safe,
        chord: Some("m"),
        build: |a| Ok(Command::Mute { input: parsed(a[0])? }),
    },
    Row {
        name: "unmute",
        args: INPUT,
        doc: "hear an input again",
        risk: Risk::Safe,
        chord: Some("u"),
        build: |a| Ok(Command::Unmute { input: parsed(a[0])? }),
    },
    Row {
        name: "set-gain",
        args: &[arg("input", "name of an input"), arg("db", "-60 to 20 dB")],
        doc: "set the gain of an input's sound",
        risk: Risk::Safe,
        chord: None,
        build: |a| Ok(Command::SetGain { input: parsed(a[0])?, db: Db(parsed(a[1])?) }),
    },
    Row {
        name: "restart-input",
        args: INPUT,
        doc: "start an input anew without waiting for its next try",
        risk: Risk::Safe,
        chord: Some("i"),
        build: |a| Ok(Command::RestartInput { input: parsed(a[0])? }),
    },
    Row {
        name: "go-live",
        args: OUTPUT,
        doc: "start publishing",
        risk: Risk::Confirm,
        chord: Some("g"),
        build: |a| Ok(Command::GoLive { output: a.first().map(|t| parsed(t)).transpose()? }),
    },
    Row {
        name: "add-output",
        args: ADDED,
        doc: "put one more output beside the others; go-live starts it",
        risk: Risk::Safe,
        chord: None,
        build: |a| Ok(Command::add(OutputSpec::new(parsed(a[0])?, target(a[1])?))),
    },
    Row {
        name: "stop-output",
        args: OUTPUT,
        doc: "stop publishing; the show goes on",
        risk: Risk::Arm,
        chord: Some("o"),
        build: |a| Ok(Command::StopOutput { output: a.first().map(|t| parsed(t)).transpose()? }),
    },
    Row {
        name: "split",
        args: RECORDING,
        doc: "begin a new file of a recording",
        risk: Risk::Safe,
        chord: None,
        build: |a| Ok(Command::Split { output: a.first().map(|t| parsed(t)).transpose()? }),
    },
    Row {
        name: "next-segment",
        args: &[],
        doc: "begin the next segment of the rundown",
        risk: Risk::Safe,
        chord: Some("n"),
        build: |_| Ok(Command::NextSegment),
    },
    Row {
        name: "begin-segment",
        args: &[arg("number", "which segment of the rundown, from 1")],
        doc: "begin that segment of the rundown, now or again",
        risk: Risk::Safe,
        chord: None,
        build: |a| Ok(Command::BeginSegment { number: parsed(a[0])? }),
    },
    Row {
        name: "acknowledge",
        args: ALARM,
        doc: "say that an alarm has been seen",
        risk: Risk::Safe,
        chord: Some("a"),
        build: |a| Ok(Command::Acknowledge { alarm: a.first().map(|t| parsed(t)).transpose()? }),
    },
    Row {
        name: "mark",
        args: NOTE,
        doc: "note an incident at this moment, for the report",
        risk: Risk::Safe,
        chord: Some("x"),
        build: |a| Ok(Command::Mark { note: a.first().map(|note| (*note).to_owned()) }),
    },
    Row {
        name: "end-show",
        args: &[],
        doc: "take every output off the air and end the show",
        risk: Risk::Arm,
        chord: Some("E"),
        build: |_| Ok(Command::EndShow),
    },
];

impl Command {
    /// The command's name, as in its row.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Preview { .. } => "preview",
            Self::CutTo { .. } => "cut-to",
            Self::TakePreview => "take-preview",
            Self::SetTransition { .. } => "set-transition",
            Self::Panic => "panic",
            Self::Resume => "resume",
            Self::Mute { .. } => "mute",
            Self::Unmute { .. } => "unmute",
            Self::SetGain { .. } => "set-gain",
            Self::RestartInput { .. } => "restart-input",
            Self::AddOutput { .. } => "add-output",
            Self::GoLive { .. } => "go-live",
            Self::StopOutput { .. } => "stop-output",
            Self::Split { .. } => "split",
            Self::NextSegment => "next-segment",
            Self::BeginSegment { .. } => "begin-segment",
            Self::Acknowledge { .. } => "acknowledge",
            Self::Mark { .. } => "mark",
            Self::Chat(request) => request.name(),
            Self::EndShow => "end-show",
        }
    }

    /// How easily it may be given.
    pub fn risk(&self) -> Risk {
        row(self.name()).map_or(Risk::Arm, |r| r.risk)
    }
}

/// The row of that name.
pub fn row(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|r| r.name == name)
}

impl FromStr for Command {
    type Err = Refusal;

    /// Reads a command as typed: its name, then its arguments, parted by blanks.
    fn from_str(line: &str) -> Result<Self, Refusal> {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let mut args: Vec<&str> = words.collect();
        let row = row(name).ok_or_else(|| {
            let near = ROWS
                .iter()
                .map(|r| (strsim::damerau_levenshtein(r.name, name), r.name))
                .min()
                .filter(|(distance, _)| *distance <= 3)
                .map_or_else(String::new, |(_, near)| format!(" Did you mean '{near}'?"));
            Refusal::new(format!("there is no command '{name}'.{near}"))
        })?;
        let words;
        if let Some(at) = row.args.iter().position(|a| a.rest)
            && args.len() > at
        {
            words = args.split_off(at).join(" ");
            args.push(&words);
        }
        let least = row.args.iter().filter(|a| !a.optional).count();
        if args.len() < least || args.len() > row.args.len() {
            let usage: Vec<String> = row.args.iter().map(Arg::usage).collect();
            return Err(Refusal::new(format!("usage: {} {}", row.name, usage.join(" "))));
        }
        (row.build)(&args).map_err(|why| Refusal::new(format!("{name}: {why}")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_builds_the_command_it_names() {
        for row in ROWS {
            let args: Vec<&str> = row
                .args
                .iter()
                .map(|a| match a.name {
                    "kind" => "fade",
                    "ms" => "500",
                    "db" => "-6",
                    "to" => "https://ingest.example/whip",
                    "number" | "seconds" | "act" | "stock" | "quantity" | "claim" => "2",
                    _ => "x",
                })
                .collect();
            let line = format!("{} {}", row.name, args.join(" "));
            let command: Command = line.parse().unwrap();
            assert_eq!(command.name(), row.name);
            let json = serde_json::to_value(&command).unwrap();
            assert_eq!(json["command"], row.name);
            for arg in row.args {
                assert!(json.get(arg.name).is_some(), "{} has no {}", row.name, arg.name);
            }
            assert_eq!(serde_json::from_value::<Command>(json).unwrap(), command);
        }
    }

    #[test]
    fn an_address_that_will_not_do_is_refused_and_not_repeated() {
        for to in [
            "hu5h",
            "https://me:hu5h@a.example/whip",
            "rtmp://a.example/hu5h",
            "srt://a.example:9000?passphrase=hu5h",
            "ftp://a.example/hu5h",
        ] {
            let refusal = format!("add-output tv {to}").parse::<Command>().unwrap_err();
            assert!(
                refusal.0.starts_with("add-output: ") && !refusal.0.contains("hu5h"),
                "{refusal}"
            );
        }
        assert!("add-output T rtmp://a.example/live/tv".parse::<Command>().is_err());
        let added: Command = "add-output tv rtmp://a.example/live/hu5h".parse().unwrap();
        let (shown, full) = added.clone().parted();
        assert!(!serde_json::to_string(&shown).unwrap().contains("hu5h"));
        assert_eq!(full.map(|o| o.target.ways()), Some(1));
        assert_eq!(shown.clone().parted().0, shown);
    }

    #[test]
    fn chords_are_unique_and_ending_is_never_one_key() {
        let chords: Vec<_> = ROWS.iter().filter_map(|r| r.chord).collect();
        assert_eq!(chords.iter().collect::<BTreeSet<_>>().len(), chords.len());
        for name in ["end-show", "stop-output"] {
            assert_eq!(row(name).unwrap().risk, Risk::Arm);
        }
    }

    #[test]
    fn a_note_takes_all_words_to_the_end() {
        let mark = |note: Option<&str>| Command::Mark { note: note.map(str::to_owned) };
        assert_eq!("mark".parse(), Ok(mark(None)));
        assert_eq!("mark  the host  froze".parse(), Ok(mark(Some("the host froze"))));
    }

    #[test]
    fn a_slip_of_the_finger_is_named() {
        let refusal = "cut-too table".parse::<Command>().unwrap_err();
        assert!(refusal.0.contains("Did you mean 'cut-to'?"), "{refusal}");
        assert!("cut-to".parse::<Command>().unwrap_err().0.contains("<scene>"));
    }
}
