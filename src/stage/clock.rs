//! The clocks a capture stamp is compared with. Reads them, and does nothing else.

use crate::stats::stamp;

/// CLOCK_MONOTONIC of this machine, in nanoseconds.
pub fn mono_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64)
}

/// The `boot_id` a stamp made on this machine since it booted carries.
pub fn this_boot() -> u64 {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    stamp::boot_id(text.as_deref(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_does_not_go_back_and_the_boot_stays() {
        let (a, b) = (mono_ns(), mono_ns());
        assert!(a > 0 && b >= a);
        assert_eq!(this_boot(), this_boot());
    }
}
