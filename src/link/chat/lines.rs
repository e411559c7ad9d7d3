//! A source of hawker's own lines: standard input to its end, or a file that is followed as it grows.

use std::{path::Path, time::Duration};

use tokio::{
    fs::File,
    io::{AsyncRead, AsyncReadExt},
    time::sleep,
};

use super::{Clock, Ended, Report, Reports};
use crate::chat::{
    irc::LineBuffer,
    lines::{MOST_LINE, Reader},
};

/// How often a file is looked at for what was written meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// Reads standard input to its end.
pub async fn standard_input(reader: &mut Reader, clock: &Clock, reports: &Reports) -> Ended {
    let read = pass(tokio::io::stdin(), reader, clock, reports, false).await;
    read.err().unwrap_or_else(|| Ended::lasting("standard input has ended"))
}

/// Follows a file from its beginning.
pub async fn file(path: &Path, reader: &mut Reader, clock: &Clock, reports: &Reports) -> Ended {
    let shown = path.display();
    match tokio::fs::metadata(path).await {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Ended::lasting(format!("{shown} is no file")),
        Err(e) => return Ended::passing(format!("{shown} cannot be read: {e}")),
    }
    let opened = match File::open(path).await {
        Ok(file) => file,
        Err(e) => return Ended::passing(format!("{shown} cannot be read: {e}")),
    };
    reader.restart();
    let read = pass(opened, reader, clock, reports, true).await;
    read.err().unwrap_or_else(|| Ended::passing(format!("{shown} was cut short")))
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    reader: &mut Reader,
    clock: &Clock,
    reports: &Reports,
    follow: bool,
) -> Result<(), Ended> {
    let mut lines = LineBuffer::new(MOST_LINE);
    let mut part = vec![0; 64 * 1024];
    reports.tell(Report::Live).await?;
    loop {
        let n = from
            .read(&mut part)
            .await
            .map_err(|e| Ended::passing(format!("reading the lines failed: {e}")))?;
        let now = clock.now();
        let mut taken = Vec::new();
        let mut each = |line: Result<&[u8], crate::chat::irc::TooLong>| {
            let read =
                line.map_err(drop).and_then(|line| reader.line(now.wall, line).map_err(drop));
            match read {
                Ok(Some(update)) => taken.push(Report::Update(update)),
                Ok(None) => {}
                Err(()) => taken.push(Report::Unreadable),
            }
        };
        match n {
            0 if follow => {}
            0 => lines.end(&mut each),
            n => lines.push(part.get(..n).unwrap_or_default(), &mut each),
        }
        if n > 0 {
            reports.tell(Report::Heard).await?;
        }
        for report in taken {
            reports.tell(report).await?;
        }
        match n {
            0 if follow => sleep(LOOK).await,
            0 => return Ok(()),
            _ => {}
        }
    }
}
