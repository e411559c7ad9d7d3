//! Reads the size of the picture out of an H.264 sequence parameter set (ITU-T H.264 7.3.2.1.1). Pure.

use crate::stats::stamp::unescape;

/// Bits of an RBSP, most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = (byte >> (7 - self.at % 8)) & 1;
        self.at += 1;
        Some(u32::from(bit))
    }

    fn bits(&mut self, n: u32) -> Option<u32> {
        (0..n).try_fold(0, |value, _| Some(value << 1 | self.bit()?))
    }

    /// Exp-Golomb, unsigned.
    fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1_u32 << zeros) - 1 + self.bits(zeros)?)
    }

    /// Exp-Golomb, signed.
    fn se(&mut self) -> Option<i64> {
        let k = i64::from(self.ue()?);
        Some(if k % 2 == 0 { -(k / 2) } else { (k + 1) / 2 })
    }
}

/// Width and height in pixels after cropping, out of a sequence parameter set (NAL unit type 7, without
/// start code); `None` when it is broken.
pub fn size(nal: &[u8]) -> Option<(u32, u32)> {
    let (header, body) = nal.split_first()?;
    if header & 0x1f != 7 {
        return None;
    }
    let rbsp = unescape(body);
    let mut bits = Bits { bytes: &rbsp, at: 0 };
    let profile = bits.bits(8)?;
    bits.bits(16)?;
    bits.ue()?;
    let mut chroma = 1;
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        chroma = bits.ue()?;
        if chroma == 3 {
            bits.bit()?;
        }
        bits.ue()?;
        bits.ue()?;
        bits.bit()?;
        if bits.bit()? == 1 {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.bit()? == 1 {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.ue()?;
    match bits.ue()? {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.bit()?;
            bits.se()?;
            bits.se()?;
            for _ in 0..bits.ue()?.min(255) {
                bits.se()?;
            }
        }
        _ => {}
    }
    bits.ue()?;
    bits.bit()?;
    let across = bits.ue()?.checked_add(1)?;
    let down = bits.ue()?.checked_add(1)?;
    let frames_only = bits.bit()?;
    if frames_only == 0 {
        bits.bit()?;
    }
    bits.bit()?;
    let mut crop = [0; 4];
    if bits.bit()? == 1 {
        for side in &mut crop {
            *side = bits.ue()?;
        }
    }
    let fields = 2 - frames_only;
    let (unit_x, unit_y) = match chroma {
        1 => (2, 2 * fields),
        2 => (2, fields),
        _ => (1, fields),
    };
    let trim = |whole: u32, a: u32, b: u32, unit: u32| {
        whole.checked_sub(a.checked_add(b)?.checked_mul(unit)?).filter(|rest| *rest > 0)
    };
    let width = trim(across.checked_mul(16)?, crop[0], crop[1], unit_x)?;
    let height = trim(down.checked_mul(16)?.checked_mul(fields)?, crop[2], crop[3], unit_y)?;
    (width <= 16_384 && height <= 16_384).then_some((width, height))
}

fn skip_scaling_list(bits: &mut Bits<'_>, entries: usize) -> Option<()> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..entries {
        if next != 0 {
            next = (last + bits.se()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes bits and Exp-Golomb numbers, for parameter sets made by hand.
    #[derive(Default)]
    struct Writer(Vec<bool>);

    impl Writer {
        fn bits(mut self, value: u32, n: u32) -> Self {
            self.0.extend((0..n).rev().map(|i| value >> i & 1 == 1));
            self
        }

        fn ue(self, value: u32) -> Self {
            let length = (value + 1).ilog2();
            self.bits(0, length).bits(value + 1, length + 1)
        }

        fn nal(self) -> Vec<u8> {
            let mut bits = self.bits(1, 1).0;
            bits.resize(bits.len().div_ceil(8) * 8, false);
            let bytes = bits.chunks(8).map(|c| c.iter().fold(0, |b, bit| b << 1 | u8::from(*bit)));
            std::iter::once(0x67).chain(bytes).collect()
        }
    }

    #[test]
    fn baseline_720p_and_cropped_1080p() {
        let base = |profile| Writer::default().bits(profile, 8).bits(0xc01f, 16).ue(0);
        let hd =
            base(66).ue(0).ue(2).ue(1).bits(0, 1).ue(79).ue(44).bits(0b110, 3).bits(0, 1).nal();
        assert_eq!(size(&hd), Some((1280, 720)));
        // High profile: chroma 4:2:0, 8 bits, no lists; 1088 lines with 8 cropped.
        let high = base(100).ue(1).ue(0).ue(0).bits(0, 2);
        let high = high.ue(0).ue(0).ue(4).ue(1).bits(0, 1).ue(119).ue(67).bits(0b11, 2);
        let full = high.bits(1, 1).ue(0).ue(0).ue(0).ue(4).bits(0, 1).nal();
        assert_eq!(size(&full), Some((1920, 1080)));
    }

    proptest! {
        #[test]
        fn garbage_is_no_panic(mut nal in prop::collection::vec(any::<u8>(), 1..80)) {
            nal[0] = 0x67;
            let _ = size(&nal);
        }
    }
}
