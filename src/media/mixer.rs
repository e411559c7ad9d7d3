//! Mixes sound: ten milliseconds at a time, in floats, by capture time. An input that is late or gone is
//! silence in its place; nobody waits for it. Pure arithmetic: time and samples are arguments.

use std::collections::VecDeque;

use crate::{base::Db, stats::Level};

/// Samples per second of everything inside.
pub const RATE: u32 = 48_000;
/// Left and right.
pub const CHANNELS: usize = 2;
/// Frames (one sample a channel) in a block of 10 ms.
pub const BLOCK: usize = RATE as usize / 100;
/// Nanoseconds in a block.
pub const BLOCK_NS: u64 = 10_000_000;
/// A buffer whose time is off its place by more than this (in frames, 8 ms) is put at its own place.
/// Less is the sound card's clock against ours, and a jump would be heard.
const SLACK: i64 = RATE as i64 / 125;
/// The most that is kept of an input (2 s): beyond it the oldest is lost.
const MOST: usize = RATE as usize * 2;

/// The frame at that running time.
pub const fn frame_at(ns: u64) -> i64 {
    ((ns as u128 * RATE as u128 + 500_000_000) / 1_000_000_000) as i64
}

/// What one input has given and the mix has not used yet.
#[derive(Debug, Default)]
pub struct Track {
    /// Place of the first kept frame on the common line.
    first: i64,
    samples: VecDeque<f32>,
    /// The gain of the last frame mixed, so that changes glide over a block.
    gain: f32,
    peak: f32,
    squares: f64,
    metered: usize,
}

impl Track {
    /// Adds interleaved stereo whose first frame was captured at `captured_ns` of running time.
    pub fn push(&mut self, captured_ns: u64, samples: impl ExactSizeIterator<Item = f32>) {
        let place = frame_at(captured_ns);
        let end = self.first + (self.samples.len() / CHANNELS) as i64;
        let off = place - end;
        if self.samples.is_empty() || off.abs() > SLACK {
            if off > 0 && !self.samples.is_empty() && off < MOST as i64 {
                self.samples.extend(std::iter::repeat_n(0.0, off as usize * CHANNELS));
            } else if off < 0 && -off <= (self.samples.len() / CHANNELS) as i64 {
                self.samples.truncate(self.samples.len() - (-off) as usize * CHANNELS);
            } else {
                self.samples.clear();
                self.first = place;
            }
        }
        for sample in samples {
            // Twenty decibels over full scale is noise, or a broken file.
            let sample = if sample.is_finite() { sample.clamp(-8.0, 8.0) } else { 0.0 };
            self.peak = self.peak.max(sample.abs());
            self.squares += f64::from(sample * sample);
            self.metered += 1;
            self.samples.push_back(sample);
        }
        let over = (self.samples.len() / CHANNELS).saturating_sub(MOST);
        self.samples.drain(..over * CHANNELS);
        self.first += over as i64;
    }

    /// Adds this track's block at `place` to the mix, gliding to `gain`. Returns how many of its frames
    /// were missing.
    fn add_to(&mut self, mix: &mut [f32; BLOCK * CHANNELS], place: i64, gain: f32) -> usize {
        let old = (place - self.first).clamp(0, (self.samples.len() / CHANNELS) as i64);
        self.samples.drain(..old as usize * CHANNELS);
        self.first += old;
        let lead = (self.first - place).clamp(0, BLOCK as i64) as usize;
        let have = (self.samples.len() / CHANNELS).min(BLOCK - lead);
        let step = (gain - self.gain) / BLOCK as f32;
        for frame in 0..have {
            let g = self.gain + step * (lead + frame + 1) as f32;
            for channel in 0..CHANNELS {
                mix[(lead + frame) * CHANNELS + channel] +=
                    self.samples[frame * CHANNELS + channel] * g;
            }
        }
        self.samples.drain(..have * CHANNELS);
        self.first += have as i64;
        self.gain = gain;
        // Sound that had to be thrown away as too old was there, only late.
        if old > BLOCK as i64 / 10 { (BLOCK - have).clamp(1, BLOCK - 1) } else { BLOCK - have }
    }

    /// How far beyond `place` this track has sound, in frames; `None` when it has none at all.
    pub fn ahead(&self, place: i64) -> Option<i64> {
        (!self.samples.is_empty())
            .then(|| self.first + (self.samples.len() / CHANNELS) as i64 - place)
    }

    /// The level since the last call; `None` when nothing came.
    pub fn take_level(&mut self) -> Option<Level> {
        let n = std::mem::take(&mut self.metered);
        let (peak, squares) = (std::mem::take(&mut self.peak), std::mem::take(&mut self.squares));
        (n > 0).then(|| level(peak, squares, n))
    }
}

fn level(peak: f32, squares: f64, samples: usize) -> Level {
    Level {
        peak: Db::from_amplitude(peak).0,
        rms: Db::from_amplitude((squares / samples as f64).sqrt() as f32).0,
    }
}

/// Keeps the mix below its ceiling: a peak limiter with a 5 ms look-ahead, an attack that is done when the
/// peak comes, and a slow release.
#[derive(Debug)]
pub struct Limiter {
    delay: VecDeque<f32>,
    gain: f32,
    /// Needed gain of each delayed frame; the least of them is what the gain has to reach.
    needs: VecDeque<f32>,
    /// The greatest reduction since the last call of `take_reduction`, as a factor.
    least: f32,
}

/// Look-ahead in frames.
const LOOK: usize = RATE as usize / 200;
/// -1 dBFS: room for what the Opus decoder adds.
const CEILING: f32 = 0.891_25;

impl Default for Limiter {
    fn default() -> Self {
        Self {
            delay: VecDeque::from(vec![0.0; LOOK * CHANNELS]),
            gain: 1.0,
            needs: VecDeque::from(vec![1.0; LOOK]),
            least: 1.0,
        }
    }
}

impl Limiter {
    /// Limits a block in place; what comes out is `LOOK` frames (5 ms) old.
    pub fn run(&mut self, block: &mut [f32; BLOCK * CHANNELS]) {
        // Release: 6 dB in about 100 ms.
        const RELEASE: f32 = 1.000_145;
        for frame in block.chunks_exact_mut(CHANNELS) {
            let peak = frame.iter().fold(0.0_f32, |m, s| m.max(s.abs()));
            let need = if peak > CEILING { CEILING / peak } else { 1.0 };
            self.needs.push_back(need);
            self.needs.pop_front();
            if need < self.gain {
                // Reach it linearly by the time this frame comes out.
                let step = (self.gain - need) / LOOK as f32;
                for (age, slot) in self.needs.iter_mut().rev().enumerate() {
                    *slot = slot.min(need + step * age as f32);
                }
            }
            let target = self.needs.front().copied().unwrap_or(1.0);
            self.gain = if target < self.gain {
                target
            } else {
                // From silence, too, there is a way back.
                (self.gain.max(1e-3) * RELEASE).min(target)
            };
            self.least = self.least.min(self.gain);
            for sample in frame {
                self.delay.push_back(*sample);
                let old = self.delay.pop_front().unwrap_or(0.0);
                *sample = (old * self.gain).clamp(-1.0, 1.0);
            }
        }
    }

    /// The greatest reduction since the last call, in dB (0 or more).
    pub fn take_reduction(&mut self) -> f32 {
        -Db::from_amplitude(std::mem::replace(&mut self.least, 1.0)).0
    }
}

/// Sums blocks.
#[derive(Debug, Default)]
pub struct Mixer {
    limiter: Limiter,
    peak: f32,
    squares: f64,
    metered: usize,
}

impl Mixer {
    /// How far behind its place a mixed block's sound lies: the limiter's look-ahead.
    pub const DELAY_NS: u64 = LOOK as u64 * 1_000_000_000 / RATE as u64;

    /// Mixes the block at `place`. `tracks` gives each track and the gain it is to have (0.0-10.0).
    /// Returns the block and how many frames of heard tracks were missing in the worst one.
    pub fn block<'a>(
        &mut self,
        place: i64,
        tracks: impl Iterator<Item = (&'a mut Track, f32)>,
    ) -> ([f32; BLOCK * CHANNELS], usize) {
        let mut mix = [0.0; BLOCK * CHANNELS];
        let mut missing = 0;
        for (track, gain) in tracks {
            let gone = track.add_to(&mut mix, place, gain);
            // Only a track that has something can be late; one that has nothing is absent.
            if gain > 0.0 && gone < BLOCK {
                missing = missing.max(gone);
            }
        }
        self.limiter.run(&mut mix);
        for sample in mix {
            self.peak = self.peak.max(sample.abs());
            self.squares += f64::from(sample * sample);
        }
        self.metered += mix.len();
        (mix, missing)
    }

    /// Level of the mix since the last call.
    pub fn take_level(&mut self) -> Level {
        let n = std::mem::take(&mut self.metered).max(1);
        level(std::mem::take(&mut self.peak), std::mem::take(&mut self.squares), n)
    }

    /// The limiter's greatest reduction since the last call, in dB.
    pub fn take_reduction(&mut self) -> f32 {
        self.limiter.take_reduction()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tone(frames: usize, amplitude: f32) -> Vec<f32> {
        (0..frames)
            .flat_map(|i| {
                let s = amplitude * (i as f32 * 0.13).sin();
                [s, s]
            })
            .collect()
    }

    fn mix_one(mixer: &mut Mixer, track: &mut Track, place: i64) -> [f32; BLOCK * CHANNELS] {
        mixer.block(place, std::iter::once((track, 1.0))).0
    }

    #[test]
    fn sound_comes_out_at_its_place() {
        let (mut mixer, mut track) = (Mixer::default(), Track { gain: 1.0, ..Track::default() });
        // An impulse 6 ms into the second block; the limiter's look-ahead of 5 ms comes on top.
        let mut samples = vec![0.0; BLOCK * CHANNELS];
        samples[288 * CHANNELS] = 0.5;
        track.push(BLOCK_NS, samples.into_iter());
        for (n, expected) in [None, None, Some(288 + LOOK - BLOCK)].into_iter().enumerate() {
            let block = mix_one(&mut mixer, &mut track, (n * BLOCK) as i64);
            assert_eq!(block.iter().position(|s| *s != 0.0).map(|i| i / CHANNELS), expected);
        }
    }

    #[test]
    fn a_missing_input_is_silence_and_does_not_shift_the_rest() {
        let (mut mixer, mut track) = (Mixer::default(), Track { gain: 1.0, ..Track::default() });
        track.push(0, tone(BLOCK, 0.5).into_iter());
        track.push(3 * BLOCK_NS, tone(BLOCK, 0.5).into_iter());
        let loud: Vec<bool> = (0..5)
            .map(|n| {
                mix_one(&mut mixer, &mut track, n * BLOCK as i64).iter().any(|s| s.abs() > 0.1)
            })
            .collect();
        assert_eq!(loud, [true, true, false, true, true], "5 ms of each block spill into the next");
    }

    #[test]
    fn a_small_slip_of_the_sound_card_is_not_heard() {
        let mut track = Track { gain: 1.0, ..Track::default() };
        let all = tone(BLOCK * 100, 0.5);
        for (n, part) in all.chunks(BLOCK * CHANNELS).enumerate() {
            let slip = (n as u64 % 3) * 1_000_000;
            track.push(n as u64 * BLOCK_NS + slip, part.iter().copied());
        }
        assert_eq!(track.samples.iter().copied().collect::<Vec<_>>(), all);
    }

    #[test]
    fn the_limiter_holds_its_ceiling_and_leaves_quiet_sound_alone() {
        let mut limiter = Limiter::default();
        let quiet = tone(BLOCK, 0.5);
        let mut block: [f32; BLOCK * CHANNELS] = quiet.clone().try_into().unwrap();
        limiter.run(&mut block);
        assert_eq!(block[LOOK * CHANNELS..], quiet[..(BLOCK - LOOK) * CHANNELS]);
        assert_eq!(limiter.take_reduction(), 0.0);
        for _ in 0..20 {
            let mut loud: [f32; BLOCK * CHANNELS] = tone(BLOCK, 4.0).try_into().unwrap();
            limiter.run(&mut loud);
            assert!(
                loud.iter().all(|s| s.abs() <= CEILING + 1e-3),
                "{:?}",
                loud.iter().fold(0.0_f32, |m, s| m.max(s.abs()))
            );
        }
        assert!(limiter.take_reduction() > 12.0);
    }

    #[test]
    fn sound_that_comes_late_is_told_from_sound_that_is_not_there() {
        let mut mixer = Mixer::default();
        let mut track = Track { gain: 1.0, ..Track::default() };
        let missing = |mixer: &mut Mixer, track: &mut Track, place| {
            mixer.block(place, std::iter::once((track, 1.0))).1
        };
        assert_eq!(missing(&mut mixer, &mut track, 0), 0, "absent: nobody waits");
        for block in 1..5_u64 {
            track.push((block - 1) * BLOCK_NS, tone(BLOCK, 0.5).into_iter());
            assert!(missing(&mut mixer, &mut track, (block as usize * BLOCK) as i64) > 0, "late");
        }
    }

    #[test]
    fn a_wild_sample_does_not_silence_what_follows() {
        let mut mixer = Mixer::default();
        let mut track = Track { gain: 10.0, ..Track::default() };
        track.push(0, std::iter::repeat_n(f32::MAX, BLOCK * CHANNELS));
        for block in 0..200_u64 {
            track.push((block + 1) * BLOCK_NS, tone(BLOCK, 0.5).into_iter());
            mixer.block((block as usize * BLOCK) as i64, std::iter::once((&mut track, 1.0)));
        }
        mixer.take_level();
        track.push(201 * BLOCK_NS, tone(BLOCK, 0.5).into_iter());
        mixer.block((200 * BLOCK) as i64, std::iter::once((&mut track, 1.0)));
        assert!(mixer.take_level().rms > -20.0);
    }

    #[test]
    fn gain_glides() {
        let (mut mixer, mut track) = (Mixer::default(), Track::default());
        track.push(0, std::iter::repeat_n(0.5, BLOCK * CHANNELS * 2));
        let first = mix_one(&mut mixer, &mut track, 0);
        let jumps = first.chunks_exact(2).map(|f| f[0]).collect::<Vec<_>>();
        assert!(jumps.windows(2).all(|w| (w[1] - w[0]).abs() < 0.01), "no step is heard");
    }

    proptest! {
        #[test]
        fn no_order_of_times_breaks_a_track(times in prop::collection::vec(0_u64..3_000_000_000, 1..40)) {
            let (mut mixer, mut track) = (Mixer::default(), Track { gain: 1.0, ..Track::default() });
            for (n, time) in times.iter().enumerate() {
                track.push(*time, tone(BLOCK, 2.0).into_iter());
                let block = mix_one(&mut mixer, &mut track, frame_at(*times.iter().min().unwrap()) + (n * BLOCK) as i64);
                prop_assert!(block.iter().all(|s| s.is_finite() && s.abs() <= 1.0));
                prop_assert!(track.samples.len() <= MOST * CHANNELS);
            }
        }
    }
}
