//! What each group of threads uses, by their names, as Linux's /proc says it.

use std::{collections::BTreeMap, fs, time::Duration};

use crate::stats::ThreadShares;

/// What threads do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Picture,
    Sound,
    Inputs,
    Outputs,
    Stage,
    Engine,
    Other,
}

impl Group {
    /// By how the name begins. GStreamer names a thread by its source; one that a library starts has the name of who
    /// started it, or the library's own.
    const NAMES: [(&str, Self); 42] = [
        ("program-picture", Self::Picture),
        ("picture", Self::Picture),
        ("rendition", Self::Picture),
        ("old-encoder", Self::Picture),
        ("slates", Self::Picture),
        ("program-sound", Self::Sound),
        ("sound", Self::Sound),
        ("aac", Self::Sound),
        ("in-", Self::Inputs),
        ("inputs", Self::Inputs),
        ("queue", Self::Outputs),
        ("multiqueue", Self::Inputs),
        ("videotestsrc", Self::Inputs),
        ("audiotestsrc", Self::Inputs),
        ("v4l2src", Self::Inputs),
        ("pulsesrc", Self::Inputs),
        ("alsasrc", Self::Inputs),
        ("source:", Self::Inputs),
        ("typefind", Self::Inputs),
        ("qtdemux", Self::Inputs),
        ("matroskademux", Self::Inputs),
        ("tsdemux", Self::Inputs),
        ("out-", Self::Outputs),
        ("output", Self::Outputs),
        ("pacer", Self::Outputs),
        ("webrtcbin", Self::Outputs),
        ("nicesrc", Self::Outputs),
        ("rtp", Self::Outputs),
        ("dtls", Self::Outputs),
        ("srtp", Self::Outputs),
        ("mux", Self::Outputs),
        ("flvmux", Self::Outputs),
        ("mp4mux", Self::Outputs),
        ("matroskamux", Self::Outputs),
        ("file-closer", Self::Outputs),
        ("stage", Self::Stage),
        ("monitor", Self::Stage),
        ("hawker", Self::Engine),
        ("tokio", Self::Engine),
        ("store", Self::Engine),
        ("journal", Self::Engine),
        ("glimpse", Self::Engine),
    ];

    fn of(name: &str) -> Self {
        let found = Self::NAMES.iter().find(|(begin, _)| name.starts_with(begin));
        found.map_or(Self::Other, |(_, group)| *group)
    }
}

/// Reads them, and remembers what each had used.
#[derive(Debug, Default)]
pub(super) struct Threads {
    /// Ticks by thread.
    used: BTreeMap<u64, u64>,
}

impl Threads {
    /// What they used since the last time, which was so long ago; `None` where the system does not tell.
    pub(super) fn shares(&mut self, passed: Duration) -> Option<ThreadShares> {
        let stats = fs::read_dir("/proc/self/task").ok()?.filter_map(|task| {
            // One that has ended meanwhile is not there any more.
            fs::read_to_string(task.ok()?.path().join("stat")).ok()
        });
        Some(self.take(stats, passed, rustix::param::clock_ticks_per_second()))
    }

    fn take(
        &mut self,
        stats: impl Iterator<Item = String>,
        passed: Duration,
        per_second: u64,
    ) -> ThreadShares {
        let mut shares = ThreadShares::default();
        // What was used before anybody looked was not used in this time.
        let first = self.used.is_empty();
        let mut used = BTreeMap::new();
        let percent = 100.0 / per_second.max(1) as f64 / passed.as_secs_f64().max(1e-3);
        for (id, name, ticks) in stats.filter_map(|stat| read(&stat)) {
            let group = match Group::of(&name) {
                Group::Picture => &mut shares.picture,
                Group::Sound => &mut shares.sound,
                Group::Inputs => &mut shares.inputs,
                Group::Outputs => &mut shares.outputs,
                Group::Stage => &mut shares.stage,
                Group::Engine => &mut shares.engine,
                Group::Other => &mut shares.other,
            };
            // A new thread has used all it has since the last time; another one may have an old one's number.
            let before = self.used.get(&id).copied().filter(|before| *before <= ticks);
            if !first {
                *group += (ticks - before.unwrap_or(0)) as f64 * percent;
            }
            used.insert(id, ticks);
        }
        self.used = used;
        shares
    }
}

/// Number, name and ticks (user and system) of a thread (proc(5), `/proc/pid/stat`, fields 1, 2, 14 and 15). A name
/// may hold anything, parentheses too.
fn read(stat: &str) -> Option<(u64, String, u64)> {
    let (id, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some((id.parse().ok()?, name.to_owned(), ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(id: u64, name: &str, user: u64, system: u64) -> String {
        format!("{id} ({name}) S 1 2 3 4 5 6 7 8 9 10 {user} {system} 0 0 20 0 9 0 1")
    }

    #[test]
    fn each_thread_counts_in_its_group_since_the_last_time() {
        let mut threads = Threads::default();
        let mut at = |picture: u64, socket: u64| {
            let all = [
                stat(7, "picture:src", picture, 10),
                stat(8, "nicesrc0:src", 0, socket),
                stat(9, "what (is) this", 100, 0),
                "nonsense".to_owned(),
            ];
            threads.take(all.into_iter(), Duration::from_secs(2), 100)
        };
        at(1000, 50);
        let shares = at(1060, 51);
        assert_eq!((shares.picture, shares.outputs), (30.0, 0.5));
        assert_eq!((shares.other, shares.inputs), (0.0, 0.0));
        // Another thread has got the number of one that ended.
        assert_eq!(at(4, 51).picture, 7.0);
    }

    #[test]
    fn names_are_read_whole() {
        assert_eq!(read(&stat(3, "a) (b", 4, 5)), Some((3, "a) (b".into(), 9)));
        assert_eq!(read("3 (a) S"), None);
        assert_eq!(Group::of("in-cam"), Group::Inputs);
        assert_eq!(Group::of("out-video:src"), Group::Outputs);
        assert_eq!(Group::of("stage"), Group::Stage);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_threads() {
        let mut threads = Threads::default();
        threads.shares(Duration::from_secs(1)).unwrap();
        assert!(!threads.used.is_empty());
    }
}
