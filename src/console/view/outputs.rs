//! The outputs: state in words, where they go, and what the way there does to them. One that is down says why
//! in the place of where it goes.

use ratatui::{buffer::Buffer, layout::Rect};

use super::row::{Row, heading, window};
use crate::{
    console::{
        state::{Focus, State},
        text::figure,
    },
    show::{OutputState, OutputStatus, Target},
    stats::Grade,
};

pub(super) fn outputs(state: &State, area: Rect, buf: &mut Buffer) {
    let palette = &state.palette;
    let all = &state.show.outputs;
    let rows = window(all.len(), usize::from(area.height.saturating_sub(1)), state.output);
    let name = if rows.len() < all.len() {
        format!("OUTPUTS {}-{}/{}", rows.start + 1, rows.end, all.len())
    } else {
        "OUTPUTS".into()
    };
    heading(buf, area, palette, &name, &[("kb/s", 15), ("rtt ms", 7), ("loss %", 0)]);
    if all.is_empty() {
        Row::new(buf, area, 1).gap(1).put("none yet", palette.dim);
    }
    for (line, index) in rows.enumerate() {
        let selected = index == state.output && state.focus == Focus::Outputs;
        output(state, &all[index], selected, &mut Row::new(buf, area, line as u16 + 1));
    }
}

fn output(state: &State, output: &OutputState, selected: bool, row: &mut Row) {
    let palette = &state.palette;
    let figures = state.figures().and_then(|m| m.outputs.get(&output.spec.id)).copied();
    let figures = figures.unwrap_or_default();
    let (mark, style) = if selected { ("▸", palette.selected) } else { (" ", palette.text) };
    row.put(mark, palette.key);
    let wide = row.rest() > 60;
    let records = output.spec.target.is_recording();
    row.left(output.spec.id.as_str(), if wide { 14 } else { 9 }, style).gap(1);
    let (word, style) = match &output.status {
        OutputStatus::Idle => ("off".into(), palette.dim),
        OutputStatus::Probing { .. } => ("probing".into(), palette.warn),
        OutputStatus::Connecting => ("connecting".into(), palette.warn),
        OutputStatus::Live { silent: None, .. } if records => ("RECORDING".into(), palette.good),
        OutputStatus::Live { silent: None, .. } if output.sound_only => {
            ("SOUND ONLY".into(), palette.warn)
        }
        OutputStatus::Live { silent: None, .. } => ("ON AIR".into(), palette.good),
        OutputStatus::Live { silent: Some(_), .. } => ("silent".into(), palette.bad),
        OutputStatus::Retrying { retry_at, .. } => {
            let wait = retry_at.as_ms().saturating_sub(state.engine_ms()).div_ceil(1000);
            (format!("retry {wait:>2} s"), palette.bad)
        }
        OutputStatus::Refused { .. } => ("REFUSED".into(), palette.bad),
        OutputStatus::Stopping => ("stopping".into(), palette.warn),
    };
    row.left(&word, 11, style).gap(1);
    let middle = row.rest().saturating_sub(22);
    let verdict = state.figures().and_then(|m| m.verdicts.get(&output.spec.id));
    let ill = verdict.filter(|v| v.grade != Grade::Good);
    match (&output.status, &output.spec.target, &state.show.viewer_url) {
        (OutputStatus::Retrying { reason, .. } | OutputStatus::Refused { reason }, ..) => {
            row.left(reason, middle, palette.warn);
        }
        (OutputStatus::Live { silent: Some(_), .. }, ..) => {
            let opening = output.renewal.as_ref().is_some_and(|r| r.session.is_some());
            let what = match &output.last_failure {
                _ if opening => "no word from the ingest; opening another session",
                Some(why) if output.attempt > 0 => why,
                _ => "no word from the ingest; it may heal",
            };
            row.left(what, middle, palette.warn);
        }
        (OutputStatus::Live { .. }, Target::Record(_), _) if figures.disk.is_some() => {
            let free = figures.disk.unwrap_or_default().free_bytes;
            let free = format!("{:.1} GB free in {}", free as f64 / 1e9, output.shown());
            row.left(&free, middle, palette.dim);
        }
        (OutputStatus::Live { .. }, ..) if ill.is_some() => {
            row.left(ill.map_or("", |v| &v.words), middle, palette.warn);
        }
        (OutputStatus::Live { .. }, target, url) if verdict.is_some() => {
            let to = match (target, url) {
                (Target::Stage, Some(url)) => url.clone(),
                _ => output.shown(),
            };
            row.put("good", palette.good).gap(2).left(&to, middle.saturating_sub(6), palette.dim);
        }
        (_, Target::Stage, Some(url)) => {
            row.left(url, middle, palette.dim);
        }
        _ => {
            row.left(&output.shown(), middle, palette.dim);
        }
    }
    let loss = figures.loss.map(|l| l * 100.0);
    // Two in a hundred is where a picture begins to show it.
    let lossy = if loss.is_some_and(|l| l >= 2.0) { palette.warn } else { palette.text };
    row.right(&figure(figures.sent_kbps, 0), 7, palette.text);
    row.right(&figure(figures.rtt_ms, 0), 8, palette.text);
    row.right(&figure(loss, 1), 7, lossy);
}
