//! What the loop tells of the publisher's side. Figures only.

use std::time::Instant;

use crate::show::VideoCodec;

/// The stage's side of the publisher.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StageFigures {
    /// A publisher is connected.
    pub publishing: bool,
    /// Sessions of publishers, connecting ones included.
    pub publishers: usize,
    /// Viewers that have connected, our own monitor included.
    pub viewers: usize,
    /// Viewers that may still connect.
    pub connecting: usize,
    /// What the publisher's picture is coded in, from its first packet on.
    pub video: Option<VideoCodec>,
    /// RTP packets from publishers so far.
    pub packets: u64,
    /// Received from the publisher over the last second, in kbit/s.
    pub kbps: f64,
    /// Whole key frames from publishers so far.
    pub key_frames: u64,
    /// Key frames asked of publishers so far.
    pub key_requests: u64,
    /// When the present publisher's offer came.
    pub posted_at: Option<Instant>,
    /// When its first whole key frame was here.
    pub first_frame_at: Option<Instant>,
}

impl StageFigures {
    /// From the present publisher's offer to its first whole key frame, in ms.
    pub fn first_frame_ms(&self) -> Option<u32> {
        let took = self.first_frame_at?.checked_duration_since(self.posted_at?)?;
        u32::try_from(took.as_millis()).ok()
    }
}
