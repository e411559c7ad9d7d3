//! A few lines about a show that is over.

use std::fmt::Write;

use crate::show::{Show, Target};

/// In a line how it ended, and a line for each output.
pub(crate) fn of(show: &Show, exit_code: u8) -> String {
    let why = show.ending.map_or("it is over", |why| why.words());
    let mut text = format!("'{}': {why} (exit code {exit_code})\n", show.spec.title);
    for output in &show.outputs {
        let seconds = output.on_air_ms as f64 / 1000.0;
        let what = match output.spec.target {
            Target::Record(_) => "recorded",
            _ => "on air",
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "  {}: {seconds:.1} s {what}", output.spec.id);
        if output.reconnects > 0 {
            let down = output.down_ms as f64 / 1000.0;
            let _ = write!(text, ", {} reconnects, {down:.1} s down", output.reconnects);
        }
        if let Some(failure) = &output.last_failure {
            let _ = write!(text, "; last failure: {failure}");
        }
        text.push('\n');
    }
    text
}
