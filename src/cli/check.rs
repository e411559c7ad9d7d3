//! `hawker check`: reads a show file and says what is wrong with it, what its outputs need that is not on this
//! machine, and what the servers it goes to would refuse. Starts no show and asks nobody.

use std::{fmt::Write, path::PathBuf};

use super::{Failure, load, out};
use crate::{config::Preflight, media};

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// A show file
    show: PathBuf,
}

pub(crate) fn check(args: &Check) -> Result<u8, Failure> {
    let show = load::show(Some(&args.show))?;
    let missing: Vec<String> = show
        .outputs
        .iter()
        .flat_map(|o| media::outlet::missing(&o.target).into_iter().map(move |e| (&o.id, e)))
        .map(|(id, e)| format!("output '{id}': {e}"))
        .collect();
    if !missing.is_empty() {
        return Err(Failure::usage(missing.join("\n")));
    }
    let ingests = load::preflight(&show)?;
    let path = args.show.display();
    let told = told(&ingests);
    let refused = ingests.iter().filter(|i| !i.objections.is_empty()).count();
    if refused > 0 {
        out(&told);
        return Err(Failure::usage(format!(
            "{path}: '{}' reads well, but {refused} of its ingests would refuse it as it is",
            show.title
        )));
    }
    out(&format!(
        "{path}: '{}' is sound: {} inputs, {} scenes, {} outputs, profile {}\n{told}",
        show.title,
        show.inputs.len(),
        show.scenes.len(),
        show.outputs.len(),
        show.profile.name
    ));
    Ok(0)
}

/// A line for each ingest, what it would refuse, and what else is to know of its server.
fn told(ingests: &[Preflight]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for Preflight { output, to, server, objections } in ingests {
        let Some(server) = server else {
            let _ = writeln!(text, "output '{output}', {to}: not a server that hawker knows");
            continue;
        };
        let _ = writeln!(text, "output '{output}', {to}: {}", server.title);
        for objection in objections {
            let _ = writeln!(text, "  would refuse: {objection}");
        }
        for note in &server.notes {
            let _ = writeln!(text, "  note: {note}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Dirs, load_ingest};

    #[test]
    fn an_ingest_is_told_with_its_objections_and_notes() {
        let dirs = Dirs::below(std::path::Path::new("/dev/null"));
        let known = Preflight {
            output: "main".parse().unwrap(),
            to: "h".into(),
            server: Some(load_ingest("srs", &dirs).unwrap()),
            objections: vec!["no".into()],
        };
        let unknown = Preflight { server: None, objections: vec![], ..known.clone() };
        let text = told(&[known, unknown]);
        assert!(text.contains("output 'main', h: SRS\n  would refuse: no\n  note: "), "{text}");
        assert!(text.ends_with("output 'main', h: not a server that hawker knows\n"), "{text}");
    }
}
