//! What in a key frame says how the pictures after it are coded: a file holds one such description. Reads
//! bytes; decodes nothing.

use crate::show::VideoCodec;

/// The description in a key frame: the parameter sets of H.264 (Annex B, with start codes), the size of VP8.
/// `None` when there is none in it.
pub(super) fn of(codec: VideoCodec, frame: &[u8]) -> Option<Vec<u8>> {
    match codec {
        VideoCodec::H264 => parameter_sets(frame),
        VideoCodec::Vp8 => vp8_size(frame).map(|(width, height)| {
            width.to_be_bytes().into_iter().chain(height.to_be_bytes()).collect()
        }),
    }
}

/// Width and height of a VP8 key frame (RFC 6386, 9.1).
pub(super) fn vp8_size(frame: &[u8]) -> Option<(u16, u16)> {
    let [tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = frame else { return None };
    let size = |low: u8, high: u8| u16::from_le_bytes([low, high]) & 0x3fff;
    (tag & 1 == 0).then(|| (size(*w0, *w1), size(*h0, *h1)))
}

fn parameter_sets(au: &[u8]) -> Option<Vec<u8>> {
    let mut sets = Vec::new();
    let mut starts = starts(au).peekable();
    while let Some(begin) = starts.next() {
        let kind = au.get(begin).map_or(0, |header| header & 0x1f);
        if matches!(kind, 1..=5) {
            break;
        }
        if matches!(kind, 7 | 8) {
            let end = starts.peek().map_or(au.len(), |next| next - 3);
            let unit = au[begin..end].strip_suffix(&[0]).unwrap_or(&au[begin..end]);
            sets.extend([0, 0, 0, 1]);
            sets.extend_from_slice(unit);
        }
    }
    (!sets.is_empty()).then_some(sets)
}

/// Where the units begin, after their start codes.
fn starts(au: &[u8]) -> impl Iterator<Item = usize> + '_ {
    au.windows(3).enumerate().filter(|(_, w)| *w == [0, 0, 1]).map(|(at, _)| at + 3)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameter_sets_are_taken_out_of_a_key_frame() {
        let au = [0, 0, 0, 1, 0x67, 0x42, 1, 0, 0, 0, 1, 0x68, 9, 0, 0, 1, 6, 5, 0, 0, 1, 0x65, 3];
        let wanted = [0, 0, 0, 1, 0x67, 0x42, 1, 0, 0, 0, 1, 0x68, 9];
        assert_eq!(of(VideoCodec::H264, &au).as_deref(), Some(&wanted[..]));
        assert_eq!(of(VideoCodec::H264, &[0, 0, 1, 0x65, 3]), None);
    }

    #[test]
    fn the_size_is_read_out_of_a_vp8_key_frame() {
        let key = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x00, 0x05, 0xd0, 0x42, 7];
        assert_eq!(vp8_size(&key), Some((1280, 720)));
        assert_eq!(vp8_size(&[0x11, 0, 0, 0x9d, 0x01, 0x2a, 0, 5, 0xd0, 2]), None, "no key frame");
    }

    proptest! {
        #[test]
        fn garbage_is_no_panic(bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(0x67), any::<u8>()], 0..200)) {
            let _ = of(VideoCodec::H264, &bytes);
            let _ = of(VideoCodec::Vp8, &bytes);
        }
    }
}
