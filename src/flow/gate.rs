//! Whether the picture is sent at all. On a path that hardly carries anything the sound goes alone: a voice
//! without a picture is still a show, a picture without a voice is not.

use std::time::Duration;

use crate::base::{Kbps, Moment};

/// Less than this share of the least picture is no picture.
const HOPELESS: f64 = 0.5;
/// For how long it must be so before the picture goes.
const GIVE_UP: Duration = Duration::from_secs(1);
/// How long the path must be clear before the picture is tried again.
const CALM: Duration = Duration::from_secs(3);

/// The gate before the picture.
#[derive(Debug, Clone)]
pub struct PictureGate {
    least: Kbps,
    open: bool,
    since: Option<Moment>,
}

impl PictureGate {
    /// Open. `least` is the least rate at which a picture is worth sending.
    pub const fn new(least: Kbps) -> Self {
        Self { least, open: true, since: None }
    }

    /// Judges at `now` what is left for the picture, and whether the path is clear of queue and loss. Whether the
    /// picture may pass.
    pub fn judge(&mut self, now: Moment, picture: Kbps, clear: bool) -> bool {
        let hopeless = f64::from(picture.0) < f64::from(self.least.0) * HOPELESS;
        let (turns, after) = if self.open { (hopeless, GIVE_UP) } else { (clear, CALM) };
        if !turns {
            self.since = None;
        } else if now.since(*self.since.get_or_insert(now)) >= after {
            self.open = !self.open;
            self.since = None;
        }
        self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_closes_on_a_hopeless_path_and_tries_again_when_it_is_clear() {
        let mut gate = PictureGate::new(Kbps(150));
        let at = Moment::from_ms;
        assert!(gate.judge(at(0), Kbps(70), false));
        assert!(gate.judge(at(900), Kbps(80), false), "it recovered in time");
        assert!(gate.judge(at(1000), Kbps(70), false));
        assert!(gate.judge(at(1900), Kbps(70), true));
        assert!(!gate.judge(at(2000), Kbps(70), false));
        assert!(!gate.judge(at(3000), Kbps(70), true));
        assert!(!gate.judge(at(5900), Kbps(70), true));
        assert!(gate.judge(at(6000), Kbps(70), true), "only sending tells whether it can be sent");
    }
}
