//! The clock of the test picture as a program can read it: black and white blocks across the top. The form only;
//! no clock is read here.

/// Blocks across the picture.
pub const BLOCKS: usize = 40;

/// Of the picture's height.
pub const HEIGHT: u32 = 8;

/// The blocks of a time in milliseconds, from the left, `true` for white: white, black; the lowest 32 bits of the
/// time, the highest first; the sum of its eight half bytes, four bits; black, white.
pub fn blocks(ms: u64) -> [bool; BLOCKS] {
    let ms = ms as u32;
    let sum = (0..8).map(|nth| ms >> (4 * nth) & 15).sum::<u32>() & 15;
    let mut blocks = [false; BLOCKS];
    blocks[0] = true;
    blocks[BLOCKS - 1] = true;
    let bits = (0..32).map(|n| ms >> (31 - n) & 1).chain((0..4).map(|n| sum >> (3 - n) & 1));
    for (block, bit) in blocks[2..].iter_mut().zip(bits) {
        *block = bit == 1;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(ms: u64) -> String {
        blocks(ms).map(|white| if white { '#' } else { '.' }).iter().collect()
    }

    #[test]
    fn a_time_stands_between_its_marks_with_its_sum() {
        assert_eq!(shown(0), "#......................................#");
        assert_eq!(shown(0x8000_0013), "#.#..........................#..####...#");
        assert_eq!(shown((7 << 32) | 5), shown(5), "the lowest 32 bits count");
    }
}
