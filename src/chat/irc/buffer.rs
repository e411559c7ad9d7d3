//! Splits a byte stream into lines of bounded length. A line ends at LF; CR is dropped wherever it stands, so that it can
//! neither end a line nor reach the text.

/// The longest line that is read, in bytes. IRCv3 message-tags: 8,191 of tags, and 512 for the rest (RFC 1459, section 2.3).
/// The two are bounded together, because Twitch sends up to 500 characters of text, which is more than 512 bytes.
pub const MOST_LINE: usize = 8_191 + 512;

/// A line was longer than allowed and was dropped up to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line of {bytes} bytes is longer than allowed")]
pub struct TooLong {
    /// Its length without the line end.
    pub bytes: usize,
}

/// Collects bytes until a line is whole.
#[derive(Debug, Clone)]
pub struct LineBuffer {
    most: usize,
    held: Vec<u8>,
    dropped: usize,
}

impl Default for LineBuffer {
    fn default() -> Self {
        Self::new(MOST_LINE)
    }
}

impl LineBuffer {
    /// A buffer for lines of at most `most` bytes.
    pub fn new(most: usize) -> Self {
        Self { most, held: Vec::new(), dropped: 0 }
    }

    /// Takes the next bytes and hands out each line that they complete. Empty lines are left out.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Result<&[u8], TooLong>)) {
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            let (body, whole) = match part {
                [body @ .., b'\n'] => (body, true),
                body => (body, false),
            };
            self.take(body);
            if whole {
                self.finish(&mut each);
            }
        }
    }

    /// The stream is at its end: what is held is the last line.
    pub fn end(&mut self, mut each: impl FnMut(Result<&[u8], TooLong>)) {
        self.finish(&mut each);
    }

    /// How many bytes of an unfinished line are held; never more than the bound.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn take(&mut self, body: &[u8]) {
        if self.dropped == 0 {
            let room = self.most - self.held.len();
            self.held.extend(body.iter().filter(|b| **b != b'\r').take(room + 1));
            if self.held.len() <= self.most {
                return;
            }
            self.dropped = self.held.len() + body.len() - (room + 1).min(body.len());
            self.held = Vec::new();
        } else {
            self.dropped = self.dropped.saturating_add(body.len());
        }
    }

    fn finish(&mut self, each: &mut impl FnMut(Result<&[u8], TooLong>)) {
        if self.dropped > 0 {
            each(Err(TooLong { bytes: std::mem::take(&mut self.dropped) }));
        } else if !self.held.is_empty() {
            each(Ok(&self.held));
        }
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(buffer: &mut LineBuffer, bytes: &[u8]) -> Vec<Result<Vec<u8>, TooLong>> {
        let mut out = Vec::new();
        buffer.push(bytes, |line| out.push(line.map(<[u8]>::to_vec)));
        out
    }

    #[test]
    fn a_line_ends_at_lf_only_and_cr_is_dropped() {
        let mut buffer = LineBuffer::default();
        assert_eq!(lines(&mut buffer, b"PING :a\r\nPRIV"), [Ok(b"PING :a".to_vec())]);
        assert_eq!(
            lines(&mut buffer, b"MSG #c :x\rQUIT\n\r\n\n"),
            [Ok(b"PRIVMSG #c :xQUIT".to_vec())]
        );
        let mut last = Vec::new();
        assert!(lines(&mut buffer, b"end").is_empty());
        buffer.end(|line| last.push(line.map(<[u8]>::to_vec)));
        assert_eq!(last, [Ok(b"end".to_vec())]);
    }

    #[test]
    fn a_line_of_a_megabyte_is_dropped_and_reported_and_the_next_is_read() {
        let mut buffer = LineBuffer::default();
        let (mut all, mut most) = (Vec::new(), 0);
        let mut stream = vec![b'x'; 1_000_000];
        stream.extend(b"\nPING :b\n");
        for chunk in stream.chunks(1_460) {
            all.extend(lines(&mut buffer, chunk));
            most = most.max(buffer.held());
        }
        assert_eq!(all, [Err(TooLong { bytes: 1_000_000 }), Ok(b"PING :b".to_vec())]);
        assert!(most <= MOST_LINE, "{most}");
        let fits = [vec![b'y'; MOST_LINE], b"\r\n".to_vec()].concat();
        assert_eq!(lines(&mut buffer, &fits), [Ok(vec![b'y'; MOST_LINE])]);
    }

    proptest! {
        #[test]
        fn the_cuts_of_the_stream_do_not_matter(
            stream in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..300),
            cuts in proptest::collection::vec(1_usize..20, 1..40),
        ) {
            let whole = lines(&mut LineBuffer::new(20), &stream);
            let (mut buffer, mut rest, mut parted) = (LineBuffer::new(20), stream.as_slice(), Vec::new());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                parted.extend(lines(&mut buffer, head));
                prop_assert!(buffer.held() <= 20);
                rest = tail;
            }
            let plain = |all: Vec<Result<Vec<u8>, TooLong>>| all.into_iter().map(Result::ok).collect::<Vec<_>>();
            prop_assert_eq!(plain(whole), plain(parted));
        }
    }
}
