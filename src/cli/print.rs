//! `hawker print`: what others read: schemas, the configuration in effect, keys, commands.

use std::fmt::Write;

use clap::ValueEnum;

use super::{Failure, load, out};
use crate::{
    config,
    show::{Risk, registry::ROWS},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Print {
    /// What
    what: Thing,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Thing {
    /// The JSON Schema of a show file, for editors that complete it
    ShowSchema,
    /// The JSON Schema of a report
    ReportSchema,
    /// The JSON Schema of what `hawker probe --json` prints
    ProbeSchema,
    /// The configuration in effect
    Config,
    /// The keys of the console
    Keys,
    /// Every command, its arguments and its risk
    Commands,
}

pub(crate) fn print(args: &Print) -> Result<u8, Failure> {
    let text = match args.what {
        Thing::ShowSchema => format!("{:#}", config::show_schema()),
        Thing::ReportSchema => format!("{:#}", config::report_schema()),
        Thing::ProbeSchema => format!("{:#}", config::probe_schema()),
        Thing::Config => config::print_config(&load::settings()?),
        Thing::Keys => keys(),
        Thing::Commands => commands(),
    };
    out(&text);
    Ok(0)
}

// Writing to a String cannot fail.

fn keys() -> String {
    let mut text = String::new();
    for row in ROWS {
        if let Some(chord) = row.chord {
            let _ = writeln!(text, "{chord:<8}{:<16}{}", row.name, row.doc);
        }
    }
    text
}

fn commands() -> String {
    let mut text = String::new();
    for row in ROWS {
        let risk = match row.risk {
            Risk::Safe => "",
            Risk::Confirm | Risk::Arm => " (needs --yes)",
        };
        let args: String = row
            .args
            .iter()
            .map(|a| if a.optional { format!(" [{}]", a.name) } else { format!(" <{}>", a.name) })
            .collect();
        let _ = writeln!(text, "{}{args}\n    {}{risk}", row.name, row.doc);
        for arg in row.args {
            let _ = writeln!(text, "    {}: {}", arg.name, arg.doc);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_printed() {
        let text = commands();
        assert!(ROWS.iter().all(|r| text.contains(r.name) && text.contains(r.doc)));
        assert!(keys().contains("take-preview"));
    }
}
