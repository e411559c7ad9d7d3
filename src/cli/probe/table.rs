//! The table of a probe, in 80 columns: figures in line, and the verdict below, in words.

use unicode_width::UnicodeWidthStr;

use crate::{
    base::Kbps,
    cli::fold::filled,
    whip::probe::{Candidate, Grade, Named, ProbeReport, Published, Spread},
};

const COLUMNS: usize = 80;
/// The number of a candidate.
const NUMBER: usize = 3;
const INGEST: usize = 27;
const FIGURE: usize = 10;
/// What was not measured.
const DASH: &str = "–";

/// Draws it, with or without colours.
pub(super) fn draw(report: &ProbeReport, colours: bool) -> String {
    let heading: String =
        ["dns", "tcp", "tls", "options", "stun"].map(|name| right(name, FIGURE)).concat();
    let mut lines = vec![format!("{}{}{heading}", " ".repeat(NUMBER), left("ingest", INGEST))];
    for (index, candidate) in report.candidates.iter().enumerate() {
        lines.push(figures(index + 1, candidate));
        let (on, off) = if colours { (colour(candidate.grade), "\x1b[0m") } else { ("", "") };
        let told = format!("{}{}", candidate.verdict, names(&candidate.named));
        lines.extend(wrap(&told).iter().map(|line| format!("{}{on}{line}{off}", indent())));
        if let Some(published) = candidate.publish.as_ref().filter(|p| p.connect_ms.is_some()) {
            lines.extend(wrap(&sent(published)).iter().map(|l| format!("{}{l}", indent())));
        }
    }
    lines.push(String::new());
    lines.push("Milliseconds: the median, and how far the farthest round was from it.".into());
    lines.join("\n")
}

fn indent() -> String {
    " ".repeat(NUMBER)
}

fn figures(number: usize, candidate: &Candidate) -> String {
    let times = [candidate.dns, candidate.tcp, candidate.tls, candidate.options, candidate.stun];
    let times: String = times.map(|time| right(&figure(time), FIGURE)).concat();
    format!("{}{}{times}", left(&number.to_string(), NUMBER), left(&candidate.ingest, INGEST))
}

fn figure(spread: Option<Spread>) -> String {
    let short = |ms: f64| if ms < 9.95 { format!("{ms:.1}") } else { format!("{ms:.0}") };
    spread.map_or_else(
        || DASH.into(),
        |spread| format!("{} ±{}", short(spread.median_ms), short(spread.reach_ms())),
    )
}

/// Which of the show's ingests it is.
fn names(named: &[Named]) -> String {
    let name = |named: &Named| match named.way {
        0 => named.output.clone(),
        way => format!("{}, standby {way}", named.output),
    };
    if named.is_empty() {
        return String::new();
    }
    format!(" ({})", named.iter().map(name).collect::<Vec<_>>().join("; "))
}

fn sent(published: &Published) -> String {
    let dash = || DASH.to_owned();
    let connect = published.connect_ms.map_or_else(dash, |ms| format!("{ms} ms"));
    let rate = published.kbps.map_or_else(dash, |kbps| Kbps(kbps.round() as u32).to_string());
    let loss = published.loss.map_or_else(dash, |loss| format!("{:.1} %", loss * 100.0));
    let rtt = published.rtt_ms.map_or_else(dash, |ms| format!("{ms:.0} ms"));
    format!(
        "published for {:.1} s: connected in {connect}, {rate} sent, {loss} lost, {rtt} round trip",
        published.for_ms as f64 / 1000.0
    )
}

const fn colour(grade: Grade) -> &'static str {
    match grade {
        Grade::Good => "\x1b[32m",
        Grade::Fair => "\x1b[33m",
        Grade::Far | Grade::Poor | Grade::Refused | Grade::Unreachable => "\x1b[31m",
    }
}

/// Cut and filled up to `columns`, one of them blank.
fn left(text: &str, columns: usize) -> String {
    let mut cut = String::new();
    if text.width() < columns {
        cut.push_str(text);
    } else {
        for c in text.chars() {
            if format!("{cut}{c}…").width() >= columns {
                break;
            }
            cut.push(c);
        }
        cut.push('…');
    }
    let blank = columns.saturating_sub(cut.width());
    cut + &" ".repeat(blank)
}

fn right(text: &str, columns: usize) -> String {
    " ".repeat(columns.saturating_sub(text.width())) + text
}

/// In lines that fit beside the number's column.
fn wrap(text: &str) -> Vec<String> {
    filled(text.split_whitespace(), COLUMNS - NUMBER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whip::{Transport, probe::Round};

    fn candidate(url: &str, named: &[(&str, usize)], round: Round, sent: bool) -> Candidate {
        let named = named.iter().map(|(o, way)| Named { output: (*o).into(), way: *way }).collect();
        let published = sent.then_some(Published {
            for_ms: 10_020,
            connect_ms: Some(310),
            kbps: Some(2410.0),
            wanted_kbps: 2064,
            loss: Some(0.002),
            rtt_ms: Some(24.4),
            failure: None,
            passing: false,
        });
        Candidate::judged(&url.parse().unwrap(), named, &[round], published, 5000)
    }

    fn report() -> ProbeReport {
        let near = Round {
            dns_ms: Some(1.25),
            tcp_ms: Some(23.4),
            tls_ms: Some(25.0),
            options_ms: Some(26.0),
            status: Some(204),
            stun_ms: Some(22.0),
            ..Round::default()
        };
        let far =
            Round { tcp_ms: Some(240.0), tls_ms: None, options_ms: Some(246.0), ..near.clone() };
        let why = "unable to get local issuer certificate, as is said at some length by it";
        let untrusted =
            Round { failure: Some(Transport::Untrusted(why.into())), ..Round::default() };
        ProbeReport::sorted(vec![
            candidate("http://far.example/secret", &[("main", 1), ("second", 0)], far, false),
            candidate("https://eu.example:8443/secret", &[("main", 0)], near, true),
            candidate("https://a-long-name-of-an-ingest.cdn.example/secret", &[], untrusted, false),
        ])
    }

    #[test]
    fn it_fits_in_eighty_columns() {
        let text = draw(&report(), false);
        assert!(text.lines().all(|line| line.width() <= COLUMNS), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn colours_change_nothing_but_the_colour() {
        let mut coloured = draw(&report(), true);
        assert!(coloured.contains("\x1b[32mgood") && coloured.contains("\x1b[31mfar"));
        for code in ["\x1b[32m", "\x1b[31m", "\x1b[0m"] {
            coloured = coloured.replace(code, "");
        }
        assert_eq!(coloured, draw(&report(), false));
    }
}
