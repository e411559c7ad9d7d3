//! The two lines that are never cut: whether we are on air, and what is seen.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::row::Row;
use crate::{
    base::{SceneId, text::plain},
    console::{
        state::State,
        text::{DASH, clock, width},
    },
    show::{Mode, OutputState, OutputStatus, Phase, Show},
};

/// The tally: a word, and its colour.
pub(super) fn tally(state: &State) -> (String, Style) {
    let (show, palette) = (&state.show, &state.palette);
    // A recording has no audience.
    let (records, airs): (Vec<&OutputState>, Vec<_>) =
        show.outputs.iter().partition(|o| o.spec.target.is_recording());
    let live = airs.iter().filter(|o| o.is_live()).count();
    let meant = airs.iter().filter(|o| o.status != OutputStatus::Idle).count();
    match (show.phase, show.mode) {
        (Phase::New, _) => ("STARTING".into(), palette.off),
        (Phase::Ending, _) => ("ENDING".into(), palette.alarm),
        (Phase::Ended, _) => ("ENDED".into(), palette.off),
        (Phase::Running, Mode::Rehearse) => ("REHEARSAL".into(), palette.rehearsal),
        (Phase::Running, Mode::Live) if live > 0 && live < meant => {
            (format!("ON AIR {live}/{meant}"), palette.program)
        }
        (Phase::Running, Mode::Live) if live > 0 => ("ON AIR".into(), palette.program),
        (Phase::Running, Mode::Live) if meant > 0 => ("OFF, TRYING".into(), palette.alarm),
        (Phase::Running, Mode::Live) if records.iter().any(|o| o.is_live()) => {
            ("RECORDING".into(), palette.off)
        }
        (Phase::Running, Mode::Live) => ("OFF".into(), palette.off),
    }
}

/// Title, mode, tally, profile, times.
pub(super) fn header(state: &State, area: Rect, buf: &mut Buffer) {
    let (show, palette) = (&state.show, &state.palette);
    let begun = state.meters.at_ms > 0 && show.phase != Phase::New;
    let now = state.engine_ms();
    let elapsed = if begun { clock(now.saturating_sub(show.started.as_ms())) } else { DASH.into() };
    let left = match show.ends_at {
        Some(at) if begun => clock(at.as_ms().saturating_sub(now)),
        _ => DASH.into(),
    };
    let canvas = show.spec.profile.canvas;
    let mode = match show.mode {
        Mode::Rehearse => "rehearse",
        Mode::Live => "live",
    };
    // The height is what people call it by: 1080p30, upright too.
    let lines = canvas.width.min(canvas.height);
    let profile = format!("{} {lines}p{}", show.spec.profile.name, canvas.fps);
    let times = 8 + 7 + 8;
    // The mode gives way first (the tally tells it too), then the profile, before the title does.
    let title_width = width(&plain(&show.spec.title)).min(24);
    let profile = [format!("{mode} · {profile}"), profile, String::new()]
        .into_iter()
        .find(|p| 13 + 1 + title_width + 2 + width(p) + 2 + times <= area.width)
        .unwrap_or_default();
    // What nobody has seen yet takes the place of what never changes.
    let unseen = show.alarms.unseen().count();
    let alarms = match unseen {
        0 => None,
        1 => Some("1 alarm".to_owned()),
        n => Some(format!("{n} alarms")),
    };
    let said = super::chat::notice(state);
    let (profile, look) = match (alarms, said) {
        (None, None) => (profile, palette.dim),
        (None, Some((words, false))) => (words, palette.text),
        (Some(alarms), Some((words, true))) => (format!(" {alarms}  {words} "), palette.alarm),
        (Some(words), _) | (None, Some((words, true))) => (format!(" {words} "), palette.alarm),
    };
    let profile_width = if profile.is_empty() { 0 } else { width(&profile) + 2 };
    let mut row = Row::new(buf, area, 0);
    let (word, style) = tally(state);
    row.badge(&word, 13, style).gap(1);
    let title = row.rest().saturating_sub(times + 2 + profile_width);
    row.left(&show.spec.title, title, palette.selected);
    if profile_width > 0 {
        row.gap(2).left(&profile, profile_width - 2, look);
    }
    row.skip_to(times).right(&elapsed, 8, palette.text);
    row.right("left ", 7, palette.dim).right(&left, 8, palette.text);
}

fn title<'a>(show: &'a Show, id: &'a SceneId) -> &'a str {
    show.spec.scene(id).map_or(id.as_str(), |s| &s.title)
}

/// Program, preview, and how the one becomes the other.
pub(super) fn bus(state: &State, area: Rect, buf: &mut Buffer) {
    let (show, palette) = (&state.show, &state.palette);
    let transition = match (show.transition.kind.name(), show.transition.ms) {
        (name, 0) => name.to_owned(),
        (name, ms) => format!("{name} {ms} ms"),
    };
    let tail = 14;
    let half = (area.width - tail) / 2;
    let mut row = Row::new(buf, area, 0);
    if show.panic {
        row.badge("SLATE", 9, palette.alarm).gap(1);
        row.left("on air, sound off", half.saturating_sub(11), palette.warn);
    } else {
        row.badge("PROGRAM", 9, palette.program).gap(1);
        row.left(title(show, &show.program), half.saturating_sub(11), palette.selected);
    }
    row.gap(1).badge("PREVIEW", 9, palette.preview).gap(1);
    let rest = row.rest().saturating_sub(tail);
    row.left(title(show, &show.preview), rest, palette.text);
    row.right(&transition, tail, palette.dim);
}
