//! File descriptors of this process: how many it may have, how many it has, and whether there are enough for what is
//! to be opened next. GLib ends the process when it gets none, so whoever makes something of GLib's asks here first.

use std::{
    fmt, io,
    sync::atomic::{AtomicUsize, Ordering},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Never given to a claim: the journal, the database, the log, names that are looked up and commands that are told
/// need some at any time.
pub const RESERVE: usize = 24;

/// The least that a show needs besides the reserve. One with one input and one output on its own stage, with the
/// monitor of it, has 49 open (measured), a dozen of them before it is asked.
pub const ENGINE: usize = 40;

/// Too few are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// Open now, and promised to others that are opening theirs.
    pub used: usize,
    /// The most this process may have; `None` when it is the whole machine that has none left.
    pub limit: Option<usize>,
    /// What was asked for, the reserve included.
    pub wanted: usize,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, limit, wanted } = self;
        match limit {
            Some(limit) => write!(
                f,
                "too few file descriptors: {used} of {limit} are in use and {wanted} more are needed; raise the limit \
                 (ulimit -n 4096, or LimitNOFILE= of the systemd unit), or close connections to this show"
            ),
            None => f.write_str(
                "this machine has no file descriptors left: end other programs, or raise fs.file-max",
            ),
        }
    }
}

impl std::error::Error for Shortage {}

/// Descriptors that were promised and are being opened. They count as used until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Claim(usize);

static CLAIMED: AtomicUsize = AtomicUsize::new(0);

impl Drop for Claim {
    fn drop(&mut self) {
        CLAIMED.fetch_sub(self.0, Ordering::AcqRel);
    }
}

/// Raises the soft limit to the hard one. Without it a desktop's 1,024 hold, whatever the machine could give.
pub fn raise() {
    let now = getrlimit(Resource::Nofile);
    if now.current == now.maximum || now.current.is_none() {
        return;
    }
    let most = Rlimit { current: now.maximum, maximum: now.maximum };
    if setrlimit(Resource::Nofile, most).is_err() {
        // macOS refuses "no limit"; what is allowed there is less, and plenty.
        let some = Rlimit { current: Some(10_240), maximum: now.maximum };
        let _ = setrlimit(Resource::Nofile, some);
    }
}

/// The most this process may have.
pub fn limit() -> usize {
    let soft = getrlimit(Resource::Nofile).current;
    soft.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX)
}

/// Promises `n` descriptors, if so many and the reserve are left.
///
/// # Errors
/// See [`Shortage`].
pub fn claim(n: usize) -> Result<Claim, Shortage> {
    let before = CLAIMED.fetch_add(n, Ordering::AcqRel);
    let claim = Claim(n);
    enough(open(), before, limit(), n).map(|()| claim)
}

/// Whether `n` may be opened beside those that are open and those that are promised.
fn enough(open: io::Result<usize>, claimed: usize, limit: usize, n: usize) -> Result<(), Shortage> {
    let wanted = n + RESERVE;
    match open {
        Ok(open) if open + claimed + wanted > limit => {
            Err(Shortage { used: open + claimed, limit: Some(limit), wanted })
        }
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::NFILE.raw_os_error()) => {
            Err(Shortage { used: limit, limit: None, wanted })
        }
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
            Err(Shortage { used: limit, limit: Some(limit), wanted })
        }
        // Not to be known here (no /proc): nothing is refused for that.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// How many are open now.
fn open() -> io::Result<usize> {
    let folder = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    // The one that lists them is among them.
    Ok(std::fs::read_dir(folder)?.count().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_counted_and_what_is_claimed_counts_until_it_is_dropped() {
        let before = open().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        // Other tests of this process open and close theirs at the same time under `cargo test`.
        assert!(open().unwrap() > 3 && before > 2);
        drop(file);
        let claim = claim(5).unwrap();
        assert!(CLAIMED.load(Ordering::Acquire) >= 5);
        drop(claim);
    }

    #[test]
    fn nothing_is_promised_out_of_the_reserve() {
        let ask = |open, claimed, n| enough(Ok(open), claimed, 100, n);
        assert_eq!(ask(60, 0, 16), Ok(()));
        let short = ask(60, 1, 16).unwrap_err();
        assert_eq!(short, Shortage { used: 61, limit: Some(100), wanted: 40 });
        let words = short.to_string();
        assert!(words.contains("61 of 100") && words.contains("ulimit -n"), "{words}");
        let none = |errno: rustix::io::Errno| enough(Err(errno.into()), 0, 100, 1);
        assert_eq!(none(rustix::io::Errno::MFILE).unwrap_err().limit, Some(100));
        assert!(none(rustix::io::Errno::NFILE).unwrap_err().to_string().contains("fs.file-max"));
        assert_eq!(none(rustix::io::Errno::NOENT), Ok(()));
    }
}
