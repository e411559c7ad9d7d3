//! The capture stamp: when the picture of a frame was captured, carried inside the frame itself as H.264
//! user data (SEI `user_data_unregistered`, ITU-T H.264 D.1.7), so that whoever receives the frame can
//! measure how old it is. The wire format only: no clock is read here, no bitstream is decoded.

/// Marks our user data among everybody's.
pub const UUID: [u8; 16] = [
    0x8f, 0x1e, 0x5b, 0x6a, 0xd4, 0x27, 0x4c, 0x93, 0xa6, 0x71, 0x68, 0x61, 0x77, 0x6b, 0x65, 0x72,
];

/// The first version: four words. The second adds the show's id after them.
const VERSION: u8 = 1;
const WITH_SHOW: u8 = 2;
const NAL_SEI: u8 = 6;
const USER_DATA_UNREGISTERED: usize = 5;
/// UUID and version; 64-bit words follow.
const HEAD: usize = 16 + 1;

/// When and as which frame a picture was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Stamp {
    /// Which boot of which machine `mono_ns` belongs to; stamps of two boots cannot be compared.
    pub boot_id: u64,
    /// Capture time on that machine's CLOCK_MONOTONIC, in nanoseconds.
    pub mono_ns: u64,
    /// Capture time on its wall clock, in nanoseconds since 1970 UTC.
    pub wall_ns: u64,
    /// Number of the frame since its program began.
    pub frame: u64,
    /// Which run of which show it belongs to, a random number; `None` in stamps of the first version.
    pub show: Option<u64>,
}

impl Stamp {
    /// The stamp as a NAL unit (type 6), escaped, without start code. 53-92 bytes.
    pub fn to_sei_nal(&self) -> Vec<u8> {
        let first = [self.boot_id, self.mono_ns, self.wall_ns, self.frame];
        let size = HEAD + 8 * (first.len() + usize::from(self.show.is_some()));
        let mut rbsp = Vec::with_capacity(size + 3);
        rbsp.extend([USER_DATA_UNREGISTERED as u8, size as u8]);
        rbsp.extend(UUID);
        rbsp.push(if self.show.is_some() { WITH_SHOW } else { VERSION });
        for word in first.into_iter().chain(self.show) {
            rbsp.extend(word.to_be_bytes());
        }
        // rbsp_trailing_bits: one, then zeros to the byte's end.
        rbsp.push(0x80);

        let mut nal = Vec::with_capacity(rbsp.len() * 3 / 2 + 1);
        nal.push(NAL_SEI);
        let mut zeros = 0;
        for byte in rbsp {
            // Emulation prevention: no 00 00 00..03 inside a NAL unit.
            if zeros == 2 && byte <= 3 {
                nal.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            nal.push(byte);
        }
        nal
    }

    /// Reads the stamp out of one NAL unit without start code; `None` when it is another kind of NAL unit,
    /// somebody else's user data, a version we do not know, or broken.
    pub fn from_sei_nal(nal: &[u8]) -> Option<Self> {
        let (header, body) = nal.split_first()?;
        if header & 0x1f != NAL_SEI {
            return None;
        }
        let rbsp = unescape(body);
        let mut rest = rbsp.as_slice();
        // One SEI NAL unit may hold several messages. Two bytes is the least a message has.
        while rest.len() >= 2 {
            let kind = sei_number(&mut rest)?;
            let size = sei_number(&mut rest)?;
            let payload = rest.get(..size)?;
            if kind == USER_DATA_UNREGISTERED
                && let Some(stamp) = Self::from_payload(payload)
            {
                return Some(stamp);
            }
            rest = &rest[size..];
        }
        None
    }

    /// Reads the stamp of an access unit in Annex B form (with start codes). Only what stands before the
    /// first slice is looked at.
    pub fn find_in_annex_b(au: &[u8]) -> Option<Self> {
        let mut units = starts(au).peekable();
        while let Some((_, begin)) = units.next() {
            match nal_type(au, begin) {
                1..=5 => return None,
                NAL_SEI => {
                    let end = units.peek().map_or(au.len(), |(code, _)| *code);
                    if let Some(stamp) = Self::from_sei_nal(&au[begin..end]) {
                        return Some(stamp);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// The access unit (Annex B) with this stamp put in before its first slice. Without a slice it comes
    /// back as it is.
    pub fn insert_into_annex_b(&self, au: &[u8]) -> Vec<u8> {
        let Some((at, _)) = starts(au).find(|(_, begin)| matches!(nal_type(au, *begin), 1..=5))
        else {
            return au.to_vec();
        };
        let nal = self.to_sei_nal();
        let mut out = Vec::with_capacity(au.len() + nal.len() + 4);
        out.extend_from_slice(&au[..at]);
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(&nal);
        out.extend_from_slice(&au[at..]);
        out
    }

    fn from_payload(payload: &[u8]) -> Option<Self> {
        let rest = payload.strip_prefix(&UUID)?;
        let (version, rest) = rest.split_first()?;
        // A later version may add words at the end, never change these.
        if *version < VERSION {
            return None;
        }
        let word = |i: usize| {
            let bytes = rest.get(i * 8..i * 8 + 8)?;
            Some(u64::from_be_bytes(bytes.try_into().ok()?))
        };
        let show = if *version >= WITH_SHOW { Some(word(4)?) } else { None };
        Some(Self {
            boot_id: word(0)?,
            mono_ns: word(1)?,
            wall_ns: word(2)?,
            frame: word(3)?,
            show,
        })
    }
}

/// What all stamps of one run of a show have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// See [`Stamp::boot_id`].
    pub boot_id: u64,
    /// See [`Stamp::show`].
    pub show: u64,
}

/// The `boot_id` of a stamp: which machine and boot its monotonic time belongs to. `boot` is the text of
/// `/proc/sys/kernel/random/boot_id`; where there is none, only stamps of one process (`process` is its
/// number) can be compared.
pub fn boot_id(boot: Option<&str>, process: u32) -> u64 {
    // FNV-1a, 64 bit.
    let hash = |text: &str| {
        text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    };
    match boot.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => hash(text),
        None => hash(&format!("process {process}")),
    }
}

/// Reads a number as SEI writes it: 255 for each full 255, then the rest.
fn sei_number(rest: &mut &[u8]) -> Option<usize> {
    let mut number = 0_usize;
    loop {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        number = number.checked_add(usize::from(*byte))?;
        if *byte != 255 {
            return Some(number);
        }
    }
}

/// Takes the emulation prevention bytes out.
pub fn unescape(nal: &[u8]) -> Vec<u8> {
    let mut rbsp = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        rbsp.push(byte);
    }
    rbsp
}

/// The NAL unit type at `begin`; 0 (unspecified) when nothing is there.
fn nal_type(au: &[u8], begin: usize) -> u8 {
    au.get(begin).map_or(0, |header| header & 0x1f)
}

/// Where each start code begins, and where the NAL unit after it begins. Lazy: what stands after the last
/// one asked for is not scanned.
fn starts(au: &[u8]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at + 3 <= au.len() {
            // The third byte decides how far the next start code can be.
            match au[at + 2] {
                1 if au[at] == 0 && au[at + 1] == 0 => {
                    let begin = at + 3;
                    let code = if at > 0 && au[at - 1] == 0 { at - 1 } else { at };
                    at = begin;
                    return Some((code, begin));
                }
                0 => at += 1,
                _ => at += 3,
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAMP: Stamp =
        Stamp { boot_id: 0, mono_ns: 0x0000_0001_0000_0203, wall_ns: 3, frame: 0, show: Some(0) };

    fn no_start_code_inside(nal: &[u8]) -> bool {
        nal.windows(3).all(|w| !(w[0] == 0 && w[1] == 0 && w[2] < 3)) && nal.last() != Some(&0)
    }

    #[test]
    fn a_stamp_full_of_zeros_is_escaped_and_read_back() {
        let nal = STAMP.to_sei_nal();
        assert!(no_start_code_inside(&nal), "{nal:02x?}");
        assert_eq!(Stamp::from_sei_nal(&nal), Some(STAMP));
    }

    #[test]
    fn stamps_of_the_first_version_are_read_and_have_no_show() {
        // As hawker 0.1 wrote them: a fixed text, so that no change of the writer can hide one of the reader.
        let mut nal = vec![6, 5, 49];
        nal.extend(UUID);
        nal.push(1);
        for word in [0x1111_1111_1111_1111_u64, 0x2222_2222_2222_2222, 0x3333_3333_3333_3333, 0x44]
        {
            nal.extend(word.to_be_bytes());
        }
        // The last word begins with seven zeros.
        let at = nal.len() - 6;
        nal.insert(at, 3);
        nal.insert(at + 3, 3);
        nal.insert(at + 6, 3);
        nal.push(0x80);
        let stamp = Stamp::from_sei_nal(&nal).unwrap();
        assert_eq!((stamp.boot_id >> 60, stamp.frame, stamp.show), (1, 0x44, None));
        assert_eq!(stamp.to_sei_nal(), nal);
    }

    #[test]
    fn it_goes_before_the_first_slice_and_is_found_there() {
        // AUD, SPS, PPS, IDR, with start codes of both lengths.
        let head = [0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x67, 0x42, 0, 0, 1, 0x68, 0xce];
        let slice = [0, 0, 0, 1, 0x65, 0x88, 0, 0, 1, 0x65, 0x11];
        let au = [head.as_slice(), &slice].concat();
        let stamped = STAMP.insert_into_annex_b(&au);
        assert!(stamped.starts_with(&head) && stamped.ends_with(&slice));
        assert_eq!(Stamp::find_in_annex_b(&stamped), Some(STAMP));
        assert_eq!(Stamp::find_in_annex_b(&au), None);
        assert_eq!(STAMP.insert_into_annex_b(&head), head);
    }

    #[test]
    fn a_stamp_behind_another_message_is_found() {
        let ours = STAMP.to_sei_nal();
        // Type 1 (picture timing), two bytes; then ours in the same NAL unit.
        let nal = [&[6, 1, 2, 0xaa, 0xbb], &ours[1..]].concat();
        assert_eq!(Stamp::from_sei_nal(&nal), Some(STAMP));
        // Somebody else's user data.
        let mut other = ours;
        other[4] ^= 1;
        assert_eq!(Stamp::from_sei_nal(&other), None);
    }

    #[test]
    fn boots_differ_and_a_line_end_does_not_matter() {
        assert_eq!(boot_id(Some("b1\n"), 1), boot_id(Some("b1"), 2));
        assert_ne!(boot_id(Some("b1"), 1), boot_id(Some("b2"), 1));
        assert_ne!(boot_id(None, 1), boot_id(None, 2));
    }

    proptest! {
        #[test]
        fn any_stamp_round_trips(
            boot_id: u64, mono_ns: u64, wall_ns: u64, frame in 0_u64..1 << 20, show: Option<u64>,
        ) {
            let stamp = Stamp { boot_id, mono_ns, wall_ns, frame, show };
            let nal = stamp.to_sei_nal();
            prop_assert!(no_start_code_inside(&nal));
            prop_assert_eq!(Stamp::from_sei_nal(&nal), Some(stamp));
            let au = stamp.insert_into_annex_b(&[0, 0, 1, 0x41, 0x9a]);
            prop_assert_eq!(Stamp::find_in_annex_b(&au), Some(stamp));
        }

        #[test]
        fn garbage_is_no_stamp_and_no_panic(
            mut bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(6), any::<u8>()], 0..400),
        ) {
            prop_assert_eq!(Stamp::from_sei_nal(&bytes), None);
            prop_assert_eq!(Stamp::find_in_annex_b(&bytes), None);
            let inserted = STAMP.insert_into_annex_b(&bytes);
            prop_assert!(inserted.len() >= bytes.len());
            bytes.insert(0, 6);
            prop_assert_eq!(Stamp::from_sei_nal(&bytes), None);
        }

        #[test]
        fn a_damaged_stamp_is_no_panic(at in 0_usize..52, to: u8, cut in 0_usize..60) {
            let mut nal = Stamp { boot_id: 7, mono_ns: 8, wall_ns: 9, frame: 10, show: None }.to_sei_nal();
            nal[at] = to;
            nal.truncate(nal.len().saturating_sub(cut));
            let _ = Stamp::from_sei_nal(&nal);
        }
    }
}
