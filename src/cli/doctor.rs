//! `hawker doctor`: what this machine lacks for a show.

use super::{Failure, out, out_json};
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
        out_json(&text);
    } else {
        out(&table(&findings));
    }
    let missing = findings.iter().filter(|f| f.severity == Severity::Missing).count();
    if missing == 0 {
        return Ok(0);
    }
    Err(Failure::usage(format!("{missing} of the things a show cannot do without are missing")))
}

/// A block for each group, columns in line, the worst last: that is what a terminal still shows.
fn table(findings: &[Finding]) -> String {
    let wide = |of: fn(&Finding) -> &str| {
        findings.iter().map(|f| of(f).chars().count()).max().unwrap_or_default()
    };
    let (what, detail) = (wide(|f| &f.what), wide(|f| &f.detail));
    let mut lines: Vec<String> = Vec::new();
    let mut group = None;
    for finding in findings {
        if group.replace(finding.group) != Some(finding.group) {
            lines.extend((!lines.is_empty()).then(String::new));
            lines.push(finding.group.name().to_owned());
        }
        let mark = match finding.severity {
            Severity::Ok => "ok",
            Severity::Optional => "optional",
            Severity::Missing => "MISSING",
        };
        lines.push(format!(
            "  {mark:<8}  {:<what$}  {:<detail$}  {}",
            finding.what, finding.detail, finding.found
        ));
        lines.extend(finding.fix.as_ref().map(|fix| format!("            -> {fix}")));
    }
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    lines.push(String::new());
    lines.push(match (count(Severity::Missing), count(Severity::Optional)) {
        (0, 0) => "Nothing is missing.".to_owned(),
        (0, n) => format!("Every show can run; of what only some shows need, {n} not there."),
        (m, _) => format!("No show can run before what is marked MISSING ({m}) is there."),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::doctor::Group;

    #[test]
    fn columns_stand_in_line_under_their_group() {
        let finding = |group, what: &str, severity, fix: Option<&str>| Finding {
            group,
            what: what.into(),
            severity,
            found: "found".into(),
            detail: "for it".into(),
            fix: fix.map(Into::into),
        };
        let text = table(&[
            finding(Group::Program, "a", Severity::Ok, None),
            finding(Group::Inputs, "longer", Severity::Missing, Some("install it")),
        ]);
        assert_eq!(
            text,
            "program\n  ok        a       for it  found\n\n\
             inputs\n  MISSING   longer  for it  found\n            -> install it\n\n\
             No show can run before what is marked MISSING (1) is there."
        );
    }
}
