//! Cuts the answer of `liveChat/messages/stream` into its list responses: a JSON array that arrives in pieces cut
//! anywhere and does not end for hours. Objects without an array around them are taken too.

/// The largest list response, in bytes. 2,000 messages of a full page have about 3 MB.
pub const MOST_PAGE: usize = crate::chat::json::MOST_JSON;

/// What the stream held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// One JSON object.
    Object(&'a [u8]),
    /// An object of more bytes than allowed was skipped.
    TooLong(usize),
    /// Bytes that stand between the objects and are neither blanks nor marks of an array.
    Noise(usize),
}

/// Collects bytes until an object is whole; holds at most `most` bytes.
#[derive(Debug, Clone)]
pub struct Objects {
    most: usize,
    held: Vec<u8>,
    /// Bytes of the object that is being read.
    length: usize,
    depth: usize,
    quoted: bool,
    escaped: bool,
    noise: usize,
}

impl Default for Objects {
    fn default() -> Self {
        Self::new(MOST_PAGE)
    }
}

impl Objects {
    /// A reader for objects of at most `most` bytes.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            held: Vec::new(),
            length: 0,
            depth: 0,
            quoted: false,
            escaped: false,
            noise: 0,
        }
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes the next bytes and hands out what they complete.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Piece<'_>)) {
        for byte in bytes {
            if self.depth == 0 {
                match byte {
                    b'{' => {
                        if self.noise > 0 {
                            each(Piece::Noise(std::mem::take(&mut self.noise)));
                        }
                        (self.depth, self.length) = (1, 1);
                        self.held.push(b'{');
                    }
                    b' ' | b'\t' | b'\r' | b'\n' | b'[' | b']' | b',' => {}
                    _ => self.noise = self.noise.saturating_add(1),
                }
                continue;
            }
            self.length = self.length.saturating_add(1);
            if self.length <= self.most {
                self.held.push(*byte);
            }
            if self.quoted {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.quoted = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.quoted = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        if self.length <= self.most {
                            each(Piece::Object(&self.held));
                        } else {
                            each(Piece::TooLong(self.length));
                        }
                        self.held.clear();
                        self.held.shrink_to(self.most.min(1 << 16));
                    }
                }
                _ => {}
            }
        }
    }

    /// The connection has ended: what is unfinished is forgotten (the page token brings it again).
    pub fn end(&mut self) {
        *self = Self::new(self.most);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(objects: &mut Objects, bytes: &[u8]) -> Vec<Result<Vec<u8>, usize>> {
        let mut out = Vec::new();
        objects.push(bytes, |piece| match piece {
            Piece::Object(object) => out.push(Ok(object.to_vec())),
            Piece::TooLong(bytes) | Piece::Noise(bytes) => out.push(Err(bytes)),
        });
        out
    }

    #[test]
    fn objects_are_found_wherever_the_array_is_cut() {
        let stream = br#"[{"a":"}]\"{\\"},
          {"b":[{"c":[]}]}]{"d":1}"#;
        let want: [Result<Vec<u8>, usize>; 3] = [
            Ok(br#"{"a":"}]\"{\\"}"#.to_vec()),
            Ok(br#"{"b":[{"c":[]}]}"#.to_vec()),
            Ok(br#"{"d":1}"#.to_vec()),
        ];
        for size in 1..stream.len() {
            let mut objects = Objects::default();
            let found: Vec<_> =
                stream.chunks(size).flat_map(|chunk| pieces(&mut objects, chunk)).collect();
            assert_eq!(found, want, "{size}");
        }
    }

    #[test]
    fn an_endless_object_does_not_fill_the_memory_and_is_reported() {
        let mut objects = Objects::new(1_000);
        assert!(pieces(&mut objects, b"[{\"a\":\"").is_empty());
        for _ in 0..1_000 {
            assert!(pieces(&mut objects, &[b'x'; 1_000]).is_empty());
            assert!(objects.held() <= 1_000);
        }
        assert_eq!(
            pieces(&mut objects, b"\"},{\"b\":1}"),
            [Err(1_000_008), Ok(b"{\"b\":1}".to_vec())]
        );
        assert_eq!(pieces(&mut objects, b"<html>{}"), [Err(6), Ok(b"{}".to_vec())]);
        assert!(pieces(&mut objects, b"{\"a").is_empty());
        objects.end();
        assert_eq!(pieces(&mut objects, b"{}"), [Ok(b"{}".to_vec())]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_in_bounded_memory(stream in proptest::collection::vec(prop_oneof![
            Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b'\\'), any::<u8>()], 0..400), size in 1_usize..50) {
            let whole = pieces(&mut Objects::new(60), &stream);
            let mut objects = Objects::new(60);
            let mut parted = Vec::new();
            for chunk in stream.chunks(size) {
                parted.extend(pieces(&mut objects, chunk));
                prop_assert!(objects.held() <= 60);
            }
            prop_assert_eq!(whole, parted);
        }
    }
}
