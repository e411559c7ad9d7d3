//! Rows and columns of the grid: which half hours of a week lie where. A clock that is put forward leaves a hole in its
//! day, one that is put back puts two half hours in one place.

use crate::planner::schedule::desk::Ground;

/// Half hours of one day in one row.
pub(super) type Cell = Vec<usize>;

/// A week as rows and columns.
pub(super) struct Ruler {
    /// Rows to an hour: 1 or 2.
    pub by: usize,
    /// The rows that are seen.
    pub seen: std::ops::Range<usize>,
    /// The plan's days that are seen.
    pub days: std::ops::Range<usize>,
    /// By day and row.
    cells: Vec<Vec<Cell>>,
}

impl Ruler {
    /// The week of the cursor, in so many rows.
    pub(super) fn new(ground: &Ground, cursor: usize, rows: usize) -> Self {
        let by = if rows >= 40 { 2 } else { 1 };
        let all = 24 * by;
        let day = ground.days.partition_point(|d| d.end <= cursor);
        let first = day / 7 * 7;
        let days = first..(first + 7).min(ground.days.len());
        let cells: Vec<Vec<Cell>> = ground.days[days.clone()]
            .iter()
            .map(|day| {
                let mut rows = vec![Cell::new(); all];
                for step in day.first..day.end {
                    rows[row_of(ground, step, by)].push(step);
                }
                rows
            })
            .collect();
        let at = row_of(ground, cursor, by);
        let rows = rows.min(all);
        // The evening stays as long as the cursor is in it; before it the cursor is in the middle.
        let start = if at >= all - rows { all - rows } else { at.saturating_sub(rows / 2) };
        Self { by, seen: start..start + rows, days, cells }
    }

    /// The half hours of a day of the plan in a row.
    pub(super) fn cell(&self, day: usize, row: usize) -> &[usize] {
        let cells = day.checked_sub(self.days.start).and_then(|d| self.cells.get(d));
        cells.and_then(|rows| rows.get(row)).map_or(&[], Vec::as_slice)
    }

    /// What a row is called.
    pub(super) fn name(&self, row: usize) -> String {
        format!("{:02}:{:02}", row / self.by, row % self.by * 30)
    }
}

fn row_of(ground: &Ground, step: usize, by: usize) -> usize {
    let clock = ground.task.home.clock(ground.at(step));
    let half = usize::from(clock.minute() >= 30);
    let hour = usize::try_from(clock.hour()).unwrap_or(0);
    if by == 2 { hour * 2 + half } else { hour }
}
