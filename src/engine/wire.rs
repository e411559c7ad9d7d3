//! The form of the show's socket: JSON Lines both ways, after a greeting with the version. Pictures follow
//! their line as raw bytes. Shared by the engine's end and the faces'.

use std::{io, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use super::handle::Look;
use crate::{
    chat::{
        control::ControlState,
        told::{SourceState, Told},
    },
    show::{Command, Event, Folded, Mode, Show},
    stats::{Meters, Picture},
};

/// The version of this form.
pub const VERSION: u32 = 1;
/// The longest line a face may send, in bytes.
pub const FACE_LINE: usize = 64 * 1024;
/// The longest line an engine may send, in bytes.
pub const ENGINE_LINE: usize = 4 * 1024 * 1024;
/// The largest picture, in bytes: 640 x 640 in RGB.
const PICTURE: usize = 640 * 640 * 3;

/// The first line, from both ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`] of the speaker.
    pub hawker: u32,
    /// The program's version, for people.
    pub version: String,
    /// A script that only gives commands: it is told the answers and nothing else, and does not count as
    /// a console.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub script: bool,
}

impl Hello {
    /// What this program says.
    pub fn ours(script: bool) -> Self {
        Self { hawker: VERSION, version: env!("CARGO_PKG_VERSION").into(), script }
    }

    /// Reads the other end's greeting; the error says what is wrong with it.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        let hello: Self = serde_json::from_slice(line).map_err(|_| {
            format!(
                "this is the socket of a hawker show: begin with {{\"hawker\": {VERSION}, \
                 \"version\": \"...\"}}"
            )
        })?;
        if hello.hawker == VERSION {
            return Ok(hello);
        }
        Err(format!(
            "the other end speaks form {} of the show's socket (hawker {}), this end form {VERSION} \
             (hawker {}): use the same hawker for the show and the console",
            hello.hawker,
            hello.version,
            env!("CARGO_PKG_VERSION")
        ))
    }
}

/// A line from a face.
#[derive(Debug, Clone, PartialEq)]
pub enum FromFace {
    /// `{"id": 1, "command": {"command": "cut-to", "scene": "table"}, "confirm": true}`
    Command(CommandLine),
    /// `{"look": {"width": 160, "height": 90}}` or `{"look": null}`
    Look(Option<Look>),
    /// `{"chat": true}` or `{"chat": false}`
    Chat(bool),
}

/// A command on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandLine {
    /// Comes back in the answer.
    pub id: u64,
    /// Which.
    pub command: Command,
    /// Confirmed by whoever gives it.
    #[serde(default)]
    pub confirm: bool,
}

/// A wish for pictures on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookLine {
    /// How large; `None` is none.
    pub look: Option<Look>,
}

/// A wish for the chat on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatLine {
    /// Whether it is read.
    pub chat: bool,
}

impl FromFace {
    /// Reads a line; the error says what is wrong with it.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        let value: serde_json::Value =
            serde_json::from_slice(line).map_err(|e| format!("this line is not JSON: {e}"))?;
        let wrong = |e: serde_json::Error| format!("this line is not understood: {e}");
        if value.get("command").is_some() {
            return serde_json::from_value(value).map(Self::Command).map_err(wrong);
        }
        if value.get("look").is_some() {
            let line: LookLine = serde_json::from_value(value).map_err(wrong)?;
            return Ok(Self::Look(line.look.map(|l| Look {
                width: l.width.clamp(16, 640),
                height: l.height.clamp(16, 640),
            })));
        }
        if value.get("chat").is_some() {
            return serde_json::from_value(value)
                .map(|line: ChatLine| Self::Chat(line.chat))
                .map_err(wrong);
        }
        Err("this line holds neither \"command\" nor \"look\" nor \"chat\"".into())
    }
}

/// A line from the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FromEngine {
    /// The whole truth, when it changed.
    Show {
        /// It.
        show: Arc<Show>,
    },
    /// A line of the log from before the face came.
    Logged {
        /// The line.
        logged: Folded,
    },
    /// Something happened.
    Event {
        /// What.
        event: Event,
    },
    /// Everything that moves.
    Meters {
        /// The figures.
        meters: Arc<Meters>,
    },
    /// What moved in a second before the face came.
    Past {
        /// The figures.
        past: Arc<Meters>,
    },
    /// A command was carried out, or refused.
    Answer {
        /// The command's id.
        answer: u64,
        /// Why not.
        refused: Option<String>,
    },
    /// A picture; its bytes follow the line.
    Picture {
        /// Its measures.
        picture: PictureHead,
    },
    /// A step of the chat, for a face that reads it.
    Chat {
        /// What.
        chat: Arc<Told>,
    },
    /// The chat's sources, when one of them changed.
    ChatSources {
        /// All of them.
        chat_sources: Arc<Vec<SourceState>>,
    },
    /// Claims, poll, outgoing lines and acts of moderation, when something of them changed.
    ChatControl {
        /// All of it.
        chat_control: Arc<ControlState>,
    },
    /// The face did something wrong.
    Error {
        /// What.
        error: String,
    },
}

/// What comes before the bytes of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureHead {
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
    /// How many bytes follow: `width * height * 3`.
    pub bytes: usize,
}

impl PictureHead {
    /// Reads the bytes that follow.
    pub async fn follow<R: AsyncRead + Unpin>(self, lines: &mut Lines<R>) -> io::Result<Picture> {
        let wants = usize::from(self.width) * usize::from(self.height) * 3;
        if self.bytes != wants || self.bytes > PICTURE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a picture of a wrong size"));
        }
        let mut rgb = vec![0; self.bytes];
        lines.from.read_exact(&mut rgb).await?;
        Ok(Picture { width: self.width, height: self.height, rgb })
    }
}

/// A value as a line.
pub fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// A picture as its line and its bytes.
pub fn picture(picture: &Picture) -> io::Result<Vec<u8>> {
    let (width, height) = (picture.width, picture.height);
    let head = PictureHead { width, height, bytes: picture.rgb.len() };
    let mut all = line(&FromEngine::Picture { picture: head })?;
    all.extend_from_slice(&picture.rgb);
    Ok(all)
}

/// Why no line could be read.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The line is longer than it may be.
    #[error("a line is longer than {0} bytes")]
    TooLong(usize),
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads lines of bounded length. A `next` that is dropped halfway loses nothing.
#[derive(Debug)]
pub struct Lines<R> {
    from: BufReader<R>,
    most: usize,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of at most `most` bytes.
    pub fn new(from: R, most: usize) -> Self {
        Self { from: BufReader::with_capacity(16 * 1024, from), most, line: Vec::new() }
    }

    /// The next line without its end; `None` when the other end is gone. A line cut short by that is lost.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, LineError> {
        loop {
            let ready = self.from.fill_buf().await?;
            if ready.is_empty() {
                return Ok(None);
            }
            let end = ready.iter().position(|b| *b == b'\n');
            let taken = end.unwrap_or(ready.len());
            if self.line.len() + taken > self.most {
                return Err(LineError::TooLong(self.most));
            }
            self.line.extend_from_slice(&ready[..taken]);
            std::pin::Pin::new(&mut self.from).consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(Some(std::mem::take(&mut self.line)));
            }
        }
    }
}

/// What lies beside a socket, for whoever looks for running shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// [`VERSION`] of the engine.
    pub hawker: u32,
    /// The engine's process.
    pub pid: u32,
    /// The show's title.
    pub title: String,
    /// For an audience or not.
    pub mode: Mode,
    /// When it began.
    pub started: jiff::Timestamp,
    /// The show's folder, with its log and its journal.
    pub folder: std::path::PathBuf,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_of_a_face_are_read_or_explained() {
        let cut = br#"{"id":7,"command":{"command":"cut-to","scene":"a"},"confirm":true}"#;
        assert!(matches!(FromFace::read(cut), Ok(FromFace::Command(c)) if c.id == 7 && c.confirm));
        let look = FromFace::read(br#"{"look":{"width":9999,"height":1}}"#);
        assert_eq!(look, Ok(FromFace::Look(Some(Look { width: 640, height: 16 }))));
        assert_eq!(FromFace::read(br#"{"look":null}"#), Ok(FromFace::Look(None)));
        for (bad, word) in [
            (&b"hello"[..], "not JSON"),
            (b"{}", "neither"),
            (b"[]", "neither"),
            (br#"{"id":1,"command":{"command":"dance"}}"#, "dance"),
            (br#"{"command":{"command":"panic"}}"#, "id"),
        ] {
            let why = FromFace::read(bad).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
    }

    #[tokio::test]
    async fn lines_are_bounded() {
        let mut lines = Lines::new(&b"abc\n\nabcdef\n"[..], 5);
        assert_eq!(lines.next().await.unwrap().as_deref(), Some(&b"abc"[..]));
        assert_eq!(lines.next().await.unwrap().as_deref(), Some(&b""[..]));
        assert!(matches!(lines.next().await, Err(LineError::TooLong(5))));
    }

    proptest! {
        /// A face may send anything: what is not understood is said in one line.
        #[test]
        fn no_line_breaks_the_socket(
            noise in prop::collection::vec(any::<u8>(), 0..80),
            at in any::<prop::sample::Index>(),
            byte: u8,
        ) {
            let mut nearly = br#"{"id":7,"command":{"command":"cut-to","scene":"a"},"confirm":true}"#.to_vec();
            let at = at.index(nearly.len());
            nearly[at] = byte;
            for line in [&noise, &nearly] {
                for said in [FromFace::read(line).err(), Hello::read(line).err()].into_iter().flatten() {
                    prop_assert!(!said.contains('\n'), "{said:?}");
                }
                let _ = serde_json::from_slice::<FromEngine>(line);
            }
        }
    }
}
