//! Latency as a distribution: percentiles, never a mean alone.

use std::time::Duration;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Percentiles of a set of latencies, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencySummary {
    /// Half are at or below this.
    pub p50_ms: f64,
    /// 95 of 100 are at or below this.
    pub p95_ms: f64,
    /// 99 of 100 are at or below this.
    pub p99_ms: f64,
    /// The greatest.
    pub max_ms: f64,
    /// How many were measured.
    pub count: u64,
}

/// Collects latencies of 0-60 s with three significant digits (HdrHistogram), in bounded memory.
#[derive(Debug, Clone)]
pub struct Latency {
    micros: Histogram<u64>,
}

const MOST_US: u64 = 60_000_000;

impl Default for Latency {
    fn default() -> Self {
        // The bounds are constants inside HdrHistogram's own limits; the fallback is never taken.
        let micros = Histogram::new_with_bounds(1, MOST_US, 3)
            .or_else(|_| Histogram::new(3))
            .unwrap_or_else(|_| unreachable!("three digits are within HdrHistogram's limits"));
        Self { micros }
    }
}

impl LatencySummary {
    /// Of single values in milliseconds; `None` of none.
    pub fn of(mut ms: Vec<f64>) -> Option<Self> {
        ms.sort_unstable_by(f64::total_cmp);
        let at = |q: f64| {
            let rank = (q * ms.len() as f64).ceil() as usize;
            ms.get(rank.saturating_sub(1)).copied()
        };
        Some(Self {
            p50_ms: at(0.5)?,
            p95_ms: at(0.95)?,
            p99_ms: at(0.99)?,
            max_ms: *ms.last()?,
            count: ms.len() as u64,
        })
    }
}

impl Latency {
    /// Adds one; beyond 60 s counts as 60 s.
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(MOST_US).clamp(1, MOST_US);
        self.micros.saturating_record(micros);
    }

    /// `None` while nothing has been measured.
    pub fn summary(&self) -> Option<LatencySummary> {
        let at = |q: f64| self.micros.value_at_quantile(q) as f64 / 1000.0;
        (!self.micros.is_empty()).then(|| LatencySummary {
            p50_ms: at(0.5),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            max_ms: self.micros.max() as f64 / 1000.0,
            count: self.micros.len(),
        })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.micros.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_known_set() {
        let mut latency = Latency::default();
        assert_eq!(latency.summary(), None);
        for ms in 1..=100 {
            latency.record(Duration::from_millis(ms));
        }
        let s = latency.summary().unwrap();
        assert!((s.p50_ms - 50.0).abs() < 0.1 && (s.p95_ms - 95.0).abs() < 0.1, "{s:?}");
        assert!((s.max_ms - 100.0).abs() < 0.2 && s.count == 100);
    }

    #[test]
    fn single_values_are_summed_up_as_they_are() {
        assert_eq!(LatencySummary::of(Vec::new()), None);
        let s = LatencySummary::of((1..=100).rev().map(f64::from).collect()).unwrap();
        assert_eq!(
            (s.p50_ms, s.p95_ms, s.p99_ms, s.max_ms, s.count),
            (50.0, 95.0, 99.0, 100.0, 100)
        );
        let one = LatencySummary::of(vec![7.5]).unwrap();
        assert_eq!((one.p50_ms, one.p99_ms, one.max_ms), (7.5, 7.5, 7.5));
    }
}
