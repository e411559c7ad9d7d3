//! What an engine holds of the system.

/// Counts, and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub descriptors: usize,
    pub threads: usize,
    /// Zombies too.
    pub children: usize,
    pub resident_kib: u64,
}

impl Held {
    pub const fn same_count(&self, other: &Self) -> bool {
        self.descriptors == other.descriptors
            && self.threads == other.threads
            && self.children == other.children
    }

    pub const fn within(&self, most: &Self) -> bool {
        self.descriptors <= most.descriptors
            && self.threads <= most.threads
            && self.children <= most.children
            && self.resident_kib <= most.resident_kib
    }

    /// With what may differ between two quiet moments: a connection that stands by, a thread of a pool.
    pub const fn and(self, descriptors: usize, threads: usize, kib: u64) -> Self {
        Self {
            descriptors: self.descriptors + descriptors,
            threads: self.threads + threads,
            children: self.children,
            resident_kib: self.resident_kib + kib,
        }
    }
}

pub fn held(pid: u32) -> Held {
    let count =
        |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).map_or(0, Iterator::count);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let parent = |entry: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        stat.rsplit_once(") ")?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    Held {
        descriptors: count("fd"),
        threads: count("task"),
        children: std::fs::read_dir("/proc")
            .map_or(0, |all| all.flatten().filter_map(parent).filter(|p| *p == pid).count()),
        resident_kib: resident.and_then(|v| v.split_whitespace().next()?.parse().ok()).unwrap_or(0),
    }
}
