//! A show's seconds as CSV (the fields of RFC 4180, lines that end as Unix wants it), one row for each output,
//! monitor and program of each second. A figure that was not measured is an empty field.

use std::fmt::Write;

use super::History;
use crate::{base::text::csv_field, stats::Limit};

const HEAD: &str = "at_s,time,kind,name,market,sent_kbps,target_kbps,available_kbps,rtt_ms,loss,silent_ms,\
output_dropped,viewers,encode_p95_ms,pace_p95_ms,nacks,plis,limited_by,latency_p50_ms,latency_p95_ms,fps,received_kbps,stalls,stalled_ms,gap_ms,av_skew_ms,\
cpu_percent,memory_kib,encoded,repeated,skipped,dropped,withheld";

/// Columns of an output, of a monitor, of the program.
const COLUMNS: [usize; 3] = [13, 8, 7];

fn tenths(t: Option<impl Into<f64>>) -> String {
    t.map_or_else(String::new, |t| format!("{:.1}", t.into() / 10.0))
}

fn plain(n: Option<u32>) -> String {
    n.map_or_else(String::new, |n| n.to_string())
}

impl History {
    /// All seconds, by time.
    pub fn csv(&self) -> String {
        let mut rows: Vec<(u32, usize, &str, Option<&str>, String)> = Vec::new();
        for at in &self.program {
            let p = &at.figures;
            let cells = format!(
                "{},{},{},{},{},{},{}",
                tenths(p.cpu_permille),
                plain(p.memory_kib),
                p.encoded,
                p.repeated,
                p.skipped,
                p.dropped,
                p.withheld
            );
            rows.push((at.at_s, 2, "program", None, cells));
        }
        for track in &self.outputs {
            for at in &track.seconds {
                let o = &at.figures;
                let loss =
                    o.loss_ppm.map_or_else(String::new, |p| format!("{:.6}", f64::from(p) / 1e6));
                let cells = format!(
                    "{},{},{},{},{loss},{},{},{},{},{},{},{},{}",
                    plain(o.sent_kbps),
                    plain(o.target_kbps),
                    plain(o.available_kbps),
                    tenths(o.rtt_tenths),
                    plain(o.silent_ms),
                    o.dropped,
                    plain(o.viewers),
                    tenths(o.encode_tenths),
                    tenths(o.pace_tenths),
                    plain(o.nacks),
                    plain(o.plis),
                    o.limit.map_or("", Limit::word)
                );
                rows.push((at.at_s, 0, &track.name, track.market.as_deref(), cells));
            }
        }
        for track in &self.monitors {
            for at in &track.seconds {
                let m = &at.figures;
                let cells = format!(
                    "{},{},{},{},{},{},{},{}",
                    tenths(m.p50_tenths),
                    tenths(m.p95_tenths),
                    tenths(Some(m.fps_tenths)),
                    m.kbps,
                    m.stalls,
                    m.stalled_ms,
                    m.gap_ms,
                    tenths(m.skew_tenths)
                );
                rows.push((at.at_s, 1, &track.name, track.market.as_deref(), cells));
            }
        }
        // Within a second: outputs, monitors, the program; of each kind in the order of the show.
        rows.sort_by_key(|row| (row.0, row.1));
        let mut text = format!("{HEAD}\n");
        for (at_s, kind, name, market, cells) in rows {
            let time = self.started + jiff::SignedDuration::from_secs(i64::from(at_s));
            let word = ["output", "monitor", "program"][kind];
            let before = ",".repeat(COLUMNS[..kind].iter().sum());
            let after = ",".repeat(COLUMNS[kind + 1..].iter().sum());
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{at_s},{},{word},{},{},{before}{cells}{after}",
                time.strftime("%Y-%m-%dT%H:%M:%SZ"),
                csv_field(name),
                csv_field(market.unwrap_or_default())
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn every_row_has_every_column() {
        let csv = sample().csv();
        let columns = HEAD.split(',').count();
        assert!(csv.lines().all(|l| l.split(',').count() == columns), "{csv:.400}");
        assert_eq!(csv.lines().count(), 1 + 600 + 595 + 598);
        let at_60: Vec<_> = csv.lines().filter(|l| l.starts_with("60,")).collect();
        assert_eq!(
            at_60[0],
            "60,2026-01-01T00:01:00Z,output,main,id,2440,2500,,23.0,0.000000,,0,0,8.2,0.4,2,0,bandwidth,,,,,,,,,,,,,,,"
        );
        assert_eq!(
            at_60[1],
            "60,2026-01-01T00:01:00Z,monitor,stage,,,,,,,,,,,,,,,180.0,250.0,30.0,2450,1,1200,0,,,,,,,,"
        );
        assert_eq!(
            at_60[2],
            "60,2026-01-01T00:01:00Z,program,program,,,,,,,,,,,,,,,,,,,,,,,35.0,98060,30,0,0,0,0"
        );
    }

    #[test]
    fn a_field_is_neither_a_formula_nor_two_fields() {
        assert_eq!(csv_field("=HYPERLINK(\"x\",1)"), "\"'=HYPERLINK(\"\"x\"\",1)\"");
        assert_eq!(csv_field("a\r\nb"), "a  b");
    }
}
