//! The poll: a bar for each choice, as the votes come.

use ratatui::{buffer::Buffer, layout::Rect};

use crate::console::{
    chat::state::Pane,
    text::{count, width},
    view::row::Row,
};

pub(super) fn draw(pane: &Pane, area: Rect, buf: &mut Buffer) {
    let palette = &pane.palette;
    let Some(poll) = &pane.control.poll else {
        Row::new(buf, area, 0).gap(1).put("there is no poll: n begins one", palette.dim);
        return;
    };
    let mut row = Row::new(buf, area, 0);
    row.gap(1);
    if poll.open {
        row.put("votes are taken", palette.good);
    } else {
        row.put("closed", palette.dim);
    }
    row.put(&format!("   {} votes", count(poll.tally.total)), palette.text);
    if poll.tally.refused > 0 {
        row.put(&format!("   {} not counted", count(poll.tally.refused)), palette.dim);
    }
    let (shares, leaders) = (poll.tally.percent(), poll.tally.leaders());
    let labels = poll.labels.iter().map(|label| width(label)).max().unwrap_or(0);
    let columns = labels.clamp(4, (area.width / 3).max(4));
    for (nth, label) in poll.labels.iter().enumerate() {
        let mut row = Row::new(buf, area, nth as u16 + 2);
        let leads = leaders.contains(&nth);
        let style = if leads { palette.selected } else { palette.text };
        let share = shares.get(nth).copied().unwrap_or(0);
        let votes = poll.tally.votes.get(nth).copied().unwrap_or(0);
        row.gap(1).left(label, columns, style).gap(1);
        row.right(&count(votes), 6, style).gap(1).right(&format!("{share} %"), 5, style).gap(1);
        let room = row.rest().saturating_sub(1);
        let full = (u32::from(room) * u32::from(share) / 100) as u16;
        row.fill("█", full, if leads { palette.good } else { palette.key });
        row.fill("·", room - full, palette.rule);
    }
}
