//! Looks into RTP payloads just far enough to see where a key frame begins and where a frame's data are
//! (RFC 6184, RFC 7741). Pure: bytes in, answers out; decodes nothing.

/// What the picture is coded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// H.264.
    H264,
    /// VP8.
    Vp8,
}

const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// Whether a key frame begins in this packet: H.264 parameter set or first part of an IDR slice, first
/// partition of a VP8 key frame.
pub fn opens_key_frame(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::H264 => match h264(payload) {
            Some(H264::Whole(nal)) => is_key_nal(nal),
            Some(H264::Many(mut nals)) => nals.any(is_key_nal),
            Some(H264::Part { header, first, .. }) => first && header & 0x1f == 5,
            None => false,
        },
        Codec::Vp8 => vp8(payload).is_some_and(|part| part.first && part.key),
    }
}

fn is_key_nal(nal: &[u8]) -> bool {
    nal.first().is_some_and(|header| matches!(header & 0x1f, 5 | 7))
}

/// What an H.264 payload holds.
#[derive(Debug)]
pub enum H264<'a> {
    /// One whole NAL unit.
    Whole(&'a [u8]),
    /// Several whole NAL units (STAP-A).
    Many(Nals<'a>),
    /// A part of one (FU-A).
    Part {
        /// The NAL unit's own header byte.
        header: u8,
        /// It is the first part.
        first: bool,
        /// It is the last part.
        last: bool,
        /// The part.
        data: &'a [u8],
    },
}

/// The NAL units in a STAP-A. Stops at the first broken length.
#[derive(Debug, Clone)]
pub struct Nals<'a>(&'a [u8]);

impl<'a> Iterator for Nals<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_at_checked(2)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let (nal, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (!nal.is_empty()).then_some(nal)
    }
}

/// Reads an H.264 payload; `None` when it is empty, broken, or of a kind WebRTC does not send.
pub fn h264(payload: &[u8]) -> Option<H264<'_>> {
    let (indicator, rest) = payload.split_first()?;
    match indicator & 0x1f {
        1..=23 => Some(H264::Whole(payload)),
        STAP_A => Some(H264::Many(Nals(rest))),
        FU_A => {
            let (fu, data) = rest.split_first()?;
            let header = (indicator & 0xe0) | (fu & 0x1f);
            Some(H264::Part { header, first: fu & 0x80 != 0, last: fu & 0x40 != 0, data })
        }
        _ => None,
    }
}

/// What a VP8 payload holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vp8<'a> {
    /// It is the beginning of a frame.
    pub first: bool,
    /// That frame is a key frame (only meaningful with `first`).
    pub key: bool,
    /// The frame's bytes, without the descriptor.
    pub data: &'a [u8],
}

/// Reads a VP8 payload; `None` when it is broken.
pub fn vp8(payload: &[u8]) -> Option<Vp8<'_>> {
    let (head, mut rest) = payload.split_first()?;
    let first = head & 0x10 != 0 && head.trailing_zeros() >= 4;
    if head & 0x80 != 0 {
        let (extended, tail) = rest.split_first()?;
        rest = tail;
        if extended & 0x80 != 0 {
            // The picture number is one byte, or two when its first bit is set.
            let wide = rest.first()? & 0x80 != 0;
            rest = rest.get(if wide { 2 } else { 1 }..)?;
        }
        if extended & 0x40 != 0 {
            rest = rest.get(1..)?;
        }
        if extended & 0x30 != 0 {
            rest = rest.get(1..)?;
        }
    }
    Some(Vp8 { first, key: first && rest.first()? & 1 == 0, data: rest })
}

/// Width and height out of a VP8 key frame's header.
pub fn vp8_size(frame: &[u8]) -> Option<(u32, u32)> {
    let head = frame.get(..10)?;
    if head[0] & 1 != 0 || head[3..6] != [0x9d, 0x01, 0x2a] {
        return None;
    }
    let size = |lo: u8, hi: u8| u32::from(u16::from_le_bytes([lo, hi]) & 0x3fff);
    Some((size(head[6], head[7]), size(head[8], head[9])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn key_frames_are_seen_in_every_packing() {
        let key = |payload: &[u8]| opens_key_frame(Codec::H264, payload);
        assert!(key(&[0x67, 1, 2]) && key(&[0x65, 1]));
        assert!(key(&[0x78, 0, 2, 0x06, 5, 0, 2, 0x67, 0x42]));
        assert!(key(&[0x7c, 0x85, 9]));
        // A slice, a later part of an IDR slice, a stamp alone, nothing.
        assert!(!key(&[0x41, 1]) && !key(&[0x7c, 0x05, 9]) && !key(&[6, 5, 1]) && !key(&[]));
    }

    #[test]
    fn vp8_descriptors_of_any_length() {
        let frame = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];
        for head in [&[0x10_u8][..], &[0x90, 0x80, 0x05], &[0x90, 0xb0, 0x85, 0x05, 0x00]] {
            let payload = [head, &frame].concat();
            let part = vp8(&payload).unwrap();
            assert!(part.first && part.key, "{head:02x?}");
            assert_eq!(part.data, frame);
            assert_eq!(vp8_size(part.data), Some((640, 360)));
        }
        assert!(!opens_key_frame(Codec::Vp8, &[0x10, 0x11]));
        assert!(!opens_key_frame(Codec::Vp8, &[0x00, 0x10]));
    }

    proptest! {
        #[test]
        fn garbage_is_no_panic(payload in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = (opens_key_frame(Codec::H264, &payload), opens_key_frame(Codec::Vp8, &payload));
            let _ = vp8_size(&payload);
        }
    }
}
