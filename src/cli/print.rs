//! `hawker print`: what others read: schemas, the configuration in effect, keys, commands.

use std::fmt::Write;

use clap::ValueEnum;

use super::{Failure, load, out};
use crate::{
    config::{self, Bearer, Link, Server},
    market::{DayKind, Market},
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
    /// The JSON Schema of a plan file
    PlanSchema,
    /// The JSON Schema of what `hawker plan --json`, `plan accept --json` and `plan show --json` print
    MadePlanSchema,
    /// The JSON Schema of what `hawker plan forecast --json` prints
    ForecastSchema,
    /// The JSON Schema of what `hawker plan repair --json` prints
    RepairSchema,
    /// A plan file to copy from
    PlanExample,
    /// The JSON Schema of a report
    ReportSchema,
    /// The JSON Schema of what `hawker report --json` prints
    HistorySchema,
    /// The JSON Schema of what `hawker probe --json` prints
    ProbeSchema,
    /// The JSON Schema of what `hawker chat --json` prints
    ChatSchema,
    /// The configuration in effect
    Config,
    /// The keys of the console
    Keys,
    /// The WHIP servers that hawker knows, how it knows them, and their limits
    Ingests,
    /// The links that a rehearsal can have (--link)
    Links,
    /// The rules of alarms that hawker brings, to be copied to alarms.toml and changed
    Alarms,
    /// The markets that hawker knows, with the mark of each fact's source
    Markets,
    /// Every command, its arguments and its risk
    Commands,
}

pub(crate) fn print(args: &Print) -> Result<u8, Failure> {
    let text = match args.what {
        Thing::ShowSchema => format!("{:#}", config::show_schema()),
        Thing::PlanSchema => format!("{:#}", config::plan_schema()),
        Thing::MadePlanSchema => format!("{:#}", config::made_plan_schema()),
        Thing::ForecastSchema => format!("{:#}", config::forecast_schema()),
        Thing::RepairSchema => format!("{:#}", config::repair_schema()),
        Thing::PlanExample => config::PLAN_EXAMPLES[0].1.to_owned(),
        Thing::ReportSchema => format!("{:#}", config::report_schema()),
        Thing::HistorySchema => format!("{:#}", config::history_schema()),
        Thing::ProbeSchema => format!("{:#}", config::probe_schema()),
        Thing::ChatSchema => format!("{:#}", config::chat_schema()),
        Thing::Config => config::print_config(&load::settings()?),
        Thing::Keys => keys(),
        Thing::Ingests => ingests(&load::ingests()?),
        Thing::Links => links(&load::links()?),
        Thing::Alarms => config::ALARMS.to_owned(),
        Thing::Markets => markets(&load::markets()?),
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

fn markets(all: &[Market]) -> String {
    let mut text = String::from(
        "Marks: S sourced, W weakly sourced, R recollection, A an assumption of ours.\n",
    );
    for market in all {
        let Market { id, title, currency, languages, taste, watch_s, segment_s, .. } = market;
        let zones: Vec<String> = market
            .zones
            .iter()
            .map(|z| match market.zones.len() {
                1 => z.zone.to_string(),
                _ => format!("{} {:.0} %", z.zone, z.share * 100.0),
            })
            .collect();
        let _ = writeln!(text, "\n{id:<6}{title}: {}", zones.join(", "));
        let _ = writeln!(
            text,
            "      {} {}; {} with {} decimals; {} {}",
            languages.value.join(", "),
            languages.mark,
            currency.code,
            currency.decimals,
            taste.value.profile(),
            taste.mark
        );
        let windows: Vec<String> = market
            .windows
            .iter()
            .map(|w| {
                let during = w.during.as_ref().map_or(String::new(), |s| format!(" in {s}"));
                format!("{} {} x{} {}{during}", w.part.name(), w.span(), w.weight, w.mark)
            })
            .collect();
        let _ = writeln!(text, "      watched: {}", windows.join("; "));
        let payments: Vec<String> = market
            .payments
            .iter()
            .map(|p| {
                let share = p.share.map_or(String::new(), |s| format!(" {s} %"));
                format!(
                    "{}{share}{} {}",
                    p.name,
                    if p.late { " (settles late)" } else { "" },
                    p.mark
                )
            })
            .collect();
        let _ = writeln!(text, "      paid: {}", payments.join("; "));
        let days: Vec<String> = market
            .days
            .iter()
            .map(|d| match d.kind {
                DayKind::Season => format!("{} ({}) {}", d.name, d.on, d.mark),
                _ => format!("{} ({}) x{} {}", d.name, d.on, d.lift, d.mark),
            })
            .collect();
        let _ = writeln!(text, "      days: {}", days.join("; "));
        let _ = writeln!(
            text,
            "      a view lasts {} s {}, a segment {}-{} s {}",
            watch_s.value, watch_s.mark, segment_s.value.0, segment_s.value.1, segment_s.mark
        );
    }
    text
}

fn ingests(servers: &[Server]) -> String {
    let mut text = String::new();
    for server in servers {
        let known: Vec<String> = server
            .hosts
            .iter()
            .map(|host| format!("*.{host}"))
            .chain(server.paths.iter().map(|path| format!("https://…{path}")))
            .collect();
        let known = if known.is_empty() { "by name only".into() } else { known.join(", ") };
        let _ = writeln!(text, "{:<18}{}\n    known by: {known}", server.name, server.title);
        let limits = limits(server);
        if !limits.is_empty() {
            let _ = writeln!(text, "    {}", limits.join("; "));
        }
        for note in &server.notes {
            let _ = writeln!(text, "    {note}");
        }
        let tried = server.tried.as_deref().unwrap_or("not stated in this file");
        let _ = writeln!(text, "    tried: {tried}");
    }
    text
}

fn links(links: &[Link]) -> String {
    let mut text = String::new();
    for link in links {
        let _ = writeln!(text, "{link}");
    }
    text
}

/// What a server profile limits, in words.
fn limits(server: &Server) -> Vec<String> {
    let mut all = Vec::new();
    all.extend(match server.bearer {
        Bearer::Required => Some("asks for a token".to_owned()),
        Bearer::Never => Some("takes no token".to_owned()),
        Bearer::Optional => None,
    });
    all.extend(server.max_size.map(|(w, h)| format!("{w}x{h} at most")));
    all.extend(server.h264_level.map(|level| format!("H.264 up to level {}", level.name)));
    all.extend(server.min_fps.map(|fps| format!("{fps} frames per second at least")));
    all.extend(server.max_fps.map(|fps| format!("{fps} at most")));
    all.extend(server.max_kbps.map(|max| format!("{} kbit/s at most", max.0)));
    all.extend(server.keyframe_ms.map(|ms| format!("a key frame every {ms} ms")));
    all.extend(server.needs_video.then(|| "no sound alone".to_owned()));
    all.extend((!server.quirks.trickle).then(|| "no trickle".to_owned()));
    all
}

fn commands() -> String {
    let mut text = String::new();
    for row in ROWS {
        let risk = match row.risk {
            Risk::Safe => "",
            Risk::Confirm | Risk::Arm => " (needs --yes)",
        };
        text.push_str(row.name);
        for arg in row.args {
            let _ = write!(text, " {}", arg.usage());
        }
        let _ = writeln!(text, "\n    {}{risk}", row.doc);
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
    fn a_server_is_printed_with_how_it_is_known_and_its_limits() {
        let dirs = config::Dirs::below(std::path::Path::new("/dev/null"));
        let load = |name| config::load_ingest(name, &dirs).unwrap();
        let text = ingests(&[load("ivs"), load("srs"), load("live777")]);
        for part in [
            "*.whip.live-video.net",
            "8500 kbit/s",
            "no trickle",
            "by name only",
            "tried: never; read: its documentation",
            "tried: live777 0.9.0",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn every_market_is_printed_with_its_marks() {
        let dirs = config::Dirs::below(std::path::Path::new("/dev/null"));
        let text = markets(&config::load_markets(&dirs).unwrap());
        for part in [
            "ID    Indonesia: Asia/Jakarta 81 %, Asia/Makassar 16 %, Asia/Jayapura 3 %",
            "prime 19:00-21:00 x1 W",
            "special 03:30-05:00 x0.6 W in Ramadan",
            "Pix 41 % S",
            "boleto (settles late) S",
            "Black Friday (1 day after the fourth Thursday of November) x1.9 A",
            "JPY with 0 decimals",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn every_command_is_printed() {
        let text = commands();
        assert!(ROWS.iter().all(|r| text.contains(r.name) && text.contains(r.doc)));
        assert!(keys().contains("take-preview"));
    }
}
