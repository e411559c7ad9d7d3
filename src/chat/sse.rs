//! Server-sent events, read incrementally by the WHATWG rules (HTML, section 9.2.6), in bounded memory.

use std::time::Duration;

/// The longest line and the most data of one event, in bytes. A comment of Facebook has some hundreds.
pub const MOST: usize = 1 << 20;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its type; `message` where the stream names none.
    pub name: String,
    /// Its data, lines joined by LF.
    pub data: String,
}

/// What the stream held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// An event.
    Event(Event),
    /// An event with a line, or data, of more bytes than allowed was dropped.
    TooLong,
}

/// Collects bytes until an event is whole.
#[derive(Debug, Clone)]
pub struct Reader {
    most: usize,
    line: Vec<u8>,
    /// The line is longer than allowed: its rest is dropped.
    overflow: bool,
    /// The event being read has lost something.
    spoilt: bool,
    after_cr: bool,
    begun: bool,
    name: String,
    data: String,
    last_id: String,
    retry: Option<Duration>,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new(MOST)
    }
}

impl Reader {
    /// A reader that holds at most about twice `most` bytes: a line and the data before it.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            line: Vec::new(),
            overflow: false,
            spoilt: false,
            after_cr: false,
            begun: false,
            name: String::new(),
            data: String::new(),
            last_id: String::new(),
            retry: None,
        }
    }

    /// What a reconnect sends as `Last-Event-ID`; empty where the stream gives none.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// The wait before a reconnect that the stream asks for.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.line.len() + self.data.len() + self.name.len() + self.last_id.len()
    }

    /// The connection is gone: what is unfinished is forgotten, as the rules say; the identifier stays.
    pub fn end(&mut self) {
        let kept = (std::mem::take(&mut self.last_id), self.retry);
        *self = Self::new(self.most);
        (self.last_id, self.retry) = kept;
    }

    /// Takes the next bytes and hands out what they complete.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Piece)) {
        for byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, *byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\r' | b'\n' => self.ended(&mut each),
                _ if self.line.len() < self.most => self.line.push(*byte),
                _ => self.overflow = true,
            }
        }
    }

    fn ended(&mut self, each: &mut impl FnMut(Piece)) {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.overflow) {
            self.spoilt = true;
            return;
        }
        let line = if std::mem::replace(&mut self.begun, true) {
            line.as_slice()
        } else {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line)
        };
        if line.is_empty() {
            return self.dispatch(each);
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" if self.data.len() + value.len() >= self.most => self.spoilt = true,
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "event" => self.name = value.chars().take(256).collect(),
            "id" if !value.contains('\0') && value.len() <= 1_024 => {
                value.clone_into(&mut self.last_id);
            }
            "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                self.retry = value.parse().ok().map(Duration::from_millis);
            }
            // A comment (an empty field) or a field that is not known.
            _ => {}
        }
    }

    fn dispatch(&mut self, each: &mut impl FnMut(Piece)) {
        let (name, mut data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        if std::mem::take(&mut self.spoilt) {
            return each(Piece::TooLong);
        }
        if data.pop().is_none() {
            return;
        }
        let name = if name.is_empty() { "message".to_owned() } else { name };
        each(Piece::Event(Event { name, data }));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(reader: &mut Reader, bytes: &[u8]) -> Vec<Piece> {
        let mut out = Vec::new();
        reader.push(bytes, |piece| out.push(piece));
        out
    }

    fn event(name: &str, data: &str) -> Piece {
        Piece::Event(Event { name: name.to_owned(), data: data.to_owned() })
    }

    /// The examples of the specification, section 9.2.6.
    #[test]
    fn the_examples_of_the_specification_hold() {
        let mut reader = Reader::default();
        let read = |reader: &mut Reader, text: &str| read(reader, text.as_bytes());
        assert_eq!(
            read(&mut reader, "data: YHOO\ndata: +2\ndata: 10\n\n"),
            [event("message", "YHOO\n+2\n10")]
        );
        assert_eq!(
            read(&mut reader, ": test stream\n\ndata: first event\nid: 1\n\n"),
            [event("message", "first event")]
        );
        assert_eq!(reader.last_id(), "1");
        assert_eq!(
            read(&mut reader, "data:second event\nid\n\ndata:  third event\n\n"),
            [event("message", "second event"), event("message", " third event")]
        );
        assert_eq!(reader.last_id(), "");
        assert_eq!(
            read(&mut reader, "data\n\ndata\ndata\n\ndata:"),
            [event("message", ""), event("message", "\n")]
        );
        reader.end();
        assert_eq!(
            read(&mut reader, "event: add\r\ndata:test\r\rretry: 10000\nretry: x\n\n"),
            [event("add", "test")]
        );
        assert_eq!(reader.retry(), Some(Duration::from_secs(10)));
        let mut marked = Reader::default();
        assert_eq!(read(&mut marked, "\u{feff}data: x\n\n"), [event("message", "x")]);
    }

    #[test]
    fn an_endless_line_or_event_does_not_fill_the_memory() {
        let mut reader = Reader::new(1_000);
        read(&mut reader, b"data: ");
        for _ in 0..1_000 {
            assert!(read(&mut reader, &[b'x'; 1_000]).is_empty() && reader.held() <= 2_000);
        }
        assert_eq!(read(&mut reader, b"\n\ndata: y\n\n"), [Piece::TooLong, event("message", "y")]);
        for _ in 0..1_000 {
            assert!(read(&mut reader, b"data: 0123456789\n").is_empty() && reader.held() <= 2_000);
        }
        assert_eq!(read(&mut reader, b"\ndata: z\n\n"), [Piece::TooLong, event("message", "z")]);
    }

    proptest! {
        #[test]
        fn the_cuts_do_not_matter(
            stream in proptest::collection::vec(prop_oneof![
                Just(b"data: a".to_vec()), Just(b"\r".to_vec()), Just(b"\n".to_vec()), Just(b"\r\n\r\n".to_vec()),
                Just(b"id: 7".to_vec()), Just(b"event:e".to_vec()), any::<Vec<u8>>().prop_map(|mut v| { v.truncate(9); v })], 0..40),
            size in 1_usize..9,
        ) {
            let stream = stream.concat();
            let whole = read(&mut Reader::new(40), &stream);
            let mut reader = Reader::new(40);
            let mut parted = Vec::new();
            for chunk in stream.chunks(size) {
                parted.extend(read(&mut reader, chunk));
                prop_assert!(reader.held() <= 40 * 2 + 256 * 4 + 1_024);
            }
            prop_assert_eq!(whole, parted);
        }
    }
}
