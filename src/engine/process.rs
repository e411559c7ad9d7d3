//! What this process uses: processor time by the process clock, memory as Linux's /proc says it. Where a
//! system does not tell, the figure is `None`.

mod threads;

use std::time::{Duration, Instant};

use self::threads::Threads;
use crate::stats::{ProcessFigures, report::ProcessReport};

/// Samples the process about once a second.
#[derive(Debug)]
pub struct Process {
    began: Instant,
    began_cpu: Duration,
    last: Instant,
    last_cpu: Duration,
    figures: ProcessFigures,
    threads: Threads,
}

fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.clamp(0, 999_999_999) as u32)
}

/// A line of /proc/self/status (`VmRSS`, `VmHWM`), in bytes.
fn memory(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let rest = status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':'))?;
    let kib: u64 = rest.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// A share of one core in percent; `None` when no time has passed.
fn share(used: Duration, passed: Duration) -> Option<f64> {
    (!passed.is_zero()).then(|| used.as_secs_f64() / passed.as_secs_f64() * 100.0)
}

impl Default for Process {
    fn default() -> Self {
        let (now, used) = (Instant::now(), cpu());
        Self {
            began: now,
            began_cpu: used,
            last: now,
            last_cpu: used,
            figures: ProcessFigures {
                resident_bytes: memory("VmRSS"),
                ..ProcessFigures::default()
            },
            threads: Threads::default(),
        }
    }
}

impl Process {
    /// The figures of the last second; read anew when they are that old.
    pub fn figures(&mut self) -> ProcessFigures {
        let passed = self.last.elapsed();
        if passed >= Duration::from_millis(950) {
            let used = cpu();
            self.figures = ProcessFigures {
                cpu_percent: share(used.saturating_sub(self.last_cpu), passed),
                resident_bytes: memory("VmRSS"),
                threads: self.threads.shares(passed),
            };
            (self.last, self.last_cpu) = (Instant::now(), used);
        }
        self.figures
    }

    /// The sum since the engine began. Memory is 0 where the system does not tell.
    pub fn report(&self) -> ProcessReport {
        let used = cpu().saturating_sub(self.began_cpu);
        ProcessReport {
            cpu_ms: used.as_millis() as u64,
            cpu_percent: share(used, self.began.elapsed()).unwrap_or(0.0),
            resident_bytes: memory("VmRSS").unwrap_or(0),
            peak_bytes: memory("VmHWM").unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_seen_as_processor_time() {
        let process = Process::default();
        let mut sum = 0_u64;
        while process.report().cpu_ms < 20 {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
        let report = process.report();
        assert!(report.cpu_percent > 0.0, "{report:?}");
        if cfg!(target_os = "linux") {
            assert!(report.resident_bytes > 1 << 20 && report.peak_bytes >= 1 << 20, "{report:?}");
        }
    }
}
