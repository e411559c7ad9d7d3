//! `hawker doctor`: what this machine lacks for a show.

use super::{Failure, out};
use crate::media::{
    self,
    doctor::{Finding, Severity},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn doctor(args: &Doctor) -> Result<u8, Failure> {
    let findings = media::doctor::check();
    if args.json {
        let text =
            serde_json::to_string_pretty(&findings).map_err(|e| Failure::usage(e.to_string()))?;
        out(&text);
    } else {
        let lines: Vec<String> = findings.iter().map(line).collect();
        out(&lines.join("\n"));
    }
    let missing = findings.iter().filter(|f| f.severity == Severity::Missing).count();
    if missing == 0 {
        return Ok(0);
    }
    Err(Failure::usage(format!("{missing} of the things a show cannot do without are missing")))
}

fn line(finding: &Finding) -> String {
    let mark = match finding.severity {
        Severity::Ok => "ok      ",
        Severity::Optional => "optional",
        Severity::Missing => "MISSING ",
    };
    let fix = finding.fix.as_ref().map(|f| format!("\n           -> {f}")).unwrap_or_default();
    format!("{mark}   {:<18} {:<14} {}{fix}", finding.what, finding.found, finding.detail)
}
