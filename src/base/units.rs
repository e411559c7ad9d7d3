//! Quantities with their unit in the type.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Kilobits per second (1 kbit/s = 1000 bit/s).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Kbps(pub u32);

impl Kbps {
    /// Bits per second.
    pub const fn bits_per_second(self) -> u32 {
        self.0.saturating_mul(1000)
    }

    /// From bits per second, rounded down.
    pub const fn from_bits_per_second(bits: u64) -> Self {
        let kbps = bits / 1000;
        Self(if kbps > u32::MAX as u64 { u32::MAX } else { kbps as u32 })
    }
}

impl fmt::Display for Kbps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= 1000 {
            write!(f, "{:.2} Mb/s", f64::from(self.0) / 1000.0)
        } else {
            write!(f, "{} kb/s", self.0)
        }
    }
}

/// Decibels, relative. As a gain: 0 dB leaves the sound as it is, the floor is silence.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Db(pub f32);

impl Db {
    /// At or below this a level counts as silence, in dB.
    pub const FLOOR: f32 = -100.0;

    /// The factor an amplitude is multiplied by.
    pub fn amplitude(self) -> f32 {
        if self.0 <= Self::FLOOR { 0.0 } else { 10_f32.powf(self.0 / 20.0) }
    }

    /// The level of an amplitude (1.0 is 0 dBFS), never below the floor.
    pub fn from_amplitude(amplitude: f32) -> Self {
        if amplitude <= 0.0 {
            Self(Self::FLOOR)
        } else {
            Self((20.0 * amplitude.log10()).max(Self::FLOOR))
        }
    }
}

impl fmt::Display for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 <= Self::FLOOR { f.write_str("-∞ dB") } else { write!(f, "{:.1} dB", self.0) }
    }
}

/// The picture of the program: size in pixels (both even) and whole frames per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Canvas {
    /// Pixels across, even, 64-7680.
    pub width: u32,
    /// Pixels down, even, 64-7680.
    pub height: u32,
    /// Frames per second, 1-60.
    pub fps: u32,
}

impl Canvas {
    /// Nanoseconds from one frame to the next.
    pub const fn frame_ns(self) -> u64 {
        1_000_000_000 / self.fps as u64
    }

    /// How many frames a time in milliseconds lasts, at least one.
    pub const fn frames_in(self, ms: u32) -> u32 {
        let frames = ms * self.fps / 1000;
        if frames == 0 { 1 } else { frames }
    }

    /// Why a picture like this cannot be made into `other` by leaving pixels and frames out; `None` when it can.
    pub fn cannot_become(self, other: Self) -> Option<String> {
        if other.width > self.width || other.height > self.height || other.fps > self.fps {
            return Some(format!("{other} is more than the program's {self}"));
        }
        // Sizes are even: 854x480 is meant to have the shape of 1280x720.
        let (across, down) = (self.width * other.height, other.width * self.height);
        let another_shape = across.abs_diff(down) * 100 > across;
        another_shape.then(|| format!("{other} has another shape than the program's {self}"))
    }
}

impl fmt::Display for Canvas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{} at {} fps", self.width, self.height, self.fps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decibels_and_amplitudes_agree() {
        assert!((Db(-6.0206).amplitude() - 0.5).abs() < 1e-4);
        assert!((Db::from_amplitude(0.5).0 + 6.0206).abs() < 1e-3);
        assert_eq!(Db(Db::FLOOR).amplitude(), 0.0);
        assert_eq!(Db::from_amplitude(0.0).to_string(), "-∞ dB");
    }

    #[test]
    fn a_picture_becomes_a_smaller_one_of_its_shape() {
        let canvas = |width, height, fps| Canvas { width, height, fps };
        let program = canvas(1280, 720, 30);
        for fits in [program, canvas(640, 360, 15), canvas(854, 480, 30)] {
            assert_eq!(program.cannot_become(fits), None);
        }
        for larger in [canvas(1920, 1080, 30), canvas(640, 360, 60)] {
            assert!(program.cannot_become(larger).unwrap().contains("more than"), "{larger}");
        }
        for other in [canvas(640, 480, 30), canvas(360, 640, 30)] {
            assert!(program.cannot_become(other).unwrap().contains("shape"), "{other}");
        }
    }

    #[test]
    fn rates_read_well() {
        assert_eq!(Kbps(2500).to_string(), "2.50 Mb/s");
        assert_eq!(Kbps(64).to_string(), "64 kb/s");
        assert_eq!(Kbps::from_bits_per_second(u64::MAX), Kbps(u32::MAX));
    }
}
