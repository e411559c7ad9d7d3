//! `hawker probe`: how far ingests are, and which is best. It prints no path and no token.

mod table;

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::Duration,
};

use url::Url;

use super::{Failure, duration, engine_runtime, load, out, out_json, tell};
use crate::{
    base::{Secret, SecretRef},
    config,
    engine::probe::{Asked, ProbePlan, probe as measure},
    show::{Profile, Target, WhipSpec},
    whip::{self, probe::Named, stun::StunServer},
};

/// More than these are no choice any more, and a burden to somebody.
const MOST: usize = 64;

#[derive(Debug, clap::Args)]
pub(crate) struct Probe {
    /// A show file, whose WHIP ingests are probed, or the addresses of ingests
    #[arg(required = true, value_name = "SHOW|URL")]
    what: Vec<String>,
    /// How often each is timed
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
    /// How long an answer is waited for
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration::parse)]
    timeout: Duration,
    /// Publish a test picture to each for that long, with the show's profile; its viewers see it
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    publish: Option<Duration>,
    /// Where the token for the addresses is kept, env:NAME or file:PATH; it is sent only to publish
    #[arg(long, value_name = "REFERENCE")]
    token: Option<String>,
    /// A file of authorities to trust besides the machine's own, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A STUN server to time by UDP as well: stun:HOST or stun:HOST:PORT
    #[arg(long, value_name = "SERVER")]
    stun: Option<StunServer>,
    /// As JSON (its form: `hawker print probe-schema`)
    #[arg(long)]
    json: bool,
}

/// What is probed, and as which show it would be published.
struct Wanted {
    asked: Vec<Asked>,
    profile: Profile,
}

pub(crate) fn probe(args: &Probe) -> Result<u8, Failure> {
    let Wanted { asked, profile } = wanted(args)?;
    let plan =
        ProbePlan { rounds: args.rounds, limit: args.timeout, publish: args.publish, profile };
    if io::stderr().is_terminal() && !args.json {
        tell(&format!("probing {} ...", count(asked.len())));
    }
    let report = engine_runtime()?.block_on(measure(asked, plan));
    let report = report.map_err(|e| Failure { exit_code: e.exit_code, text: e.text })?;
    if args.json {
        let text =
            serde_json::to_string_pretty(&report).map_err(|e| Failure::usage(e.to_string()))?;
        out_json(&text);
    } else {
        out(&table::draw(&report, colours()));
    }
    if report.has_good_one() {
        return Ok(0);
    }
    Err(Failure::start(match report.candidates.len() {
        1 => "the ingest is not good enough for a show".to_owned(),
        n => format!("none of the {n} ingests is good enough for a show"),
    }))
}

fn count(ingests: usize) -> String {
    if ingests == 1 { "one ingest".into() } else { format!("{ingests} ingests") }
}

/// On a terminal that has them, unless told otherwise (no-color.org).
fn colours() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    io::stdout().is_terminal()
        && set("NO_COLOR").is_none()
        && set("TERM").is_some_and(|term| term != "dumb")
}

fn wanted(args: &Probe) -> Result<Wanted, Failure> {
    let addresses = args.what.iter().filter(|text| text.contains("://")).count();
    let wanted = match (addresses, args.what.as_slice()) {
        (0, [show]) => of_show(args, Path::new(show))?,
        (n, all) if n == all.len() => of_addresses(args)?,
        _ => {
            return Err(Failure::usage(
                "probe one show file, or addresses of ingests (https://...): not both at once",
            ));
        }
    };
    match wanted.asked.len() {
        0 => Err(Failure::usage("the show goes to no WHIP ingest: there is nothing to probe")),
        n if n > MOST => Err(Failure::usage(format!("{n} ingests are too many: {MOST} at most"))),
        _ => Ok(wanted),
    }
}

fn of_show(args: &Probe, path: &Path) -> Result<Wanted, Failure> {
    if args.token.is_some() {
        return Err(Failure::usage("--token is for addresses: a show file names its own"));
    }
    let spec = load::show(Some(path))?;
    let mut asked: Vec<Asked> = Vec::new();
    for output in &spec.outputs {
        let Target::Whip(whip) = &output.target else { continue };
        for (way, ingest) in whip.ingests.iter().enumerate() {
            let named = Named { output: output.id.to_string(), way };
            let ca = whip.ca.clone().or_else(|| args.ca.clone());
            // Two outputs that stand by at one ingest are one question.
            let same = |a: &&mut Asked| args.publish.is_none() && a.url == ingest.url && a.ca == ca;
            if let Some(known) = asked.iter_mut().find(same) {
                known.named.push(named);
                continue;
            }
            let token = match (&ingest.token, args.publish) {
                (Some(reference), Some(_)) => {
                    Some(config::read_secret(reference).map_err(|e| {
                        Failure::usage(format!("output '{}', token: {e}", output.id))
                    })?)
                }
                _ => None,
            };
            let stun = stun_servers(args, Some(whip));
            asked.push(Asked { url: ingest.url.clone(), token, ca, stun, named: vec![named] });
        }
    }
    Ok(Wanted { asked, profile: spec.profile })
}

fn of_addresses(args: &Probe) -> Result<Wanted, Failure> {
    let token = args.token.as_deref().map(secret).transpose()?;
    let mut asked: Vec<Asked> = Vec::new();
    for (place, text) in args.what.iter().enumerate() {
        let url = address(text, token.is_some())
            .map_err(|why| Failure::usage(format!("address {}: {why}", place + 1)))?;
        if asked.iter().all(|a| a.url != url) {
            asked.push(Asked {
                url,
                token: token.clone(),
                ca: args.ca.clone(),
                stun: stun_servers(args, None),
                named: Vec::new(),
            });
        }
    }
    Ok(Wanted { asked, profile: config::builtin_show().profile })
}

/// Reads an address. What is wrong is said without it: it may hold a secret.
fn address(text: &str, has_token: bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|why| format!("this is none ({why})"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{}: is no WHIP: it begins with https://", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user name or password: take it out, and give --token".into());
    }
    if has_token && !whip::is_private(&url) {
        return Err("the token would cross the network in plain text: use https://".into());
    }
    Ok(url)
}

fn secret(reference: &str) -> Result<Secret, Failure> {
    // Not by clap, which repeats what is wrong.
    let reference: SecretRef =
        reference.parse().map_err(|e| Failure::usage(format!("--token: {e}")))?;
    config::read_secret(&reference).map_err(|e| Failure::usage(format!("--token: {e}")))
}

/// The operator's own: from the command line, or else from the show.
fn stun_servers(args: &Probe, whip: Option<&WhipSpec>) -> Vec<StunServer> {
    let own = whip.into_iter().flat_map(|whip| &whip.ice.servers);
    let of_show = own.filter_map(|server| server.url.parse().ok());
    args.stun.clone().into_iter().chain(of_show).collect()
}
