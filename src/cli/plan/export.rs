//! `hawker plan export`: the accepted plan as files for other programs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};

use super::accepted;
use crate::{
    cli::{Failure, load, out, save, tell},
    planner::export::{Accepted, Timer, csv, ics, markdown, rundown, timers},
};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("form").required(true))]
pub(crate) struct Export {
    /// As a calendar (iCalendar) into FILE, `-` for standard output
    #[arg(long, value_name = "FILE", group = "form")]
    ics: Option<PathBuf>,
    /// As CSV into FILE, `-` for standard output
    #[arg(long, value_name = "FILE", group = "form")]
    csv: Option<PathBuf>,
    /// As Markdown into FILE, `-` for standard output
    #[arg(long, value_name = "FILE", group = "form")]
    markdown: Option<PathBuf>,
    /// As timers and services of systemd into DIR (~/.config/systemd/user)
    #[arg(long, value_name = "DIR", group = "form", requires = "show")]
    systemd: Option<PathBuf>,
    /// The parts of a show as [[segment]] tables for its show file into FILE, `-` for standard output
    #[arg(long, value_name = "FILE", group = "form")]
    rundown: Option<PathBuf>,
    /// Whose rundown: its number in `hawker plan show`; without it the next on air
    #[arg(long, value_name = "NUMBER", requires = "rundown")]
    slot: Option<usize>,
    /// The show file that the timers run
    #[arg(long, value_name = "SHOW", requires = "systemd")]
    show: Option<PathBuf>,
}

fn put(path: &Path, text: &str) -> Result<(), Failure> {
    if path == Path::new("-") {
        out(text);
        return Ok(());
    }
    save("this", path, text)
}

pub(super) fn export(args: &Export) -> Result<u8, Failure> {
    let plan = accepted::load()?;
    let now = Timestamp::now();
    if let Some(path) = &args.ics {
        put(path, &ics(&plan, now))?;
    }
    if let Some(path) = &args.csv {
        put(path, &csv(&plan))?;
    }
    if let Some(path) = &args.markdown {
        put(path, &markdown(&plan))?;
    }
    if let Some(path) = &args.rundown {
        put(path, &parts(&plan, args.slot, now)?)?;
    }
    let (Some(folder), Some(show)) = (&args.systemd, &args.show) else { return Ok(0) };
    let program = std::env::current_exe()
        .map_err(|e| Failure::usage(format!("hawker's own path is not known: {e}")))?;
    // What is wrong with it is said now, not at the hour of the show.
    load::show(Some(show))?;
    let show = std::path::absolute(show).unwrap_or_else(|_| show.clone());
    let all = timers(&plan, &program.display().to_string(), &show.display().to_string(), now);
    fs::create_dir_all(folder).map_err(|e| {
        Failure::usage(format!("the folder {} cannot be made: {e}", folder.display()))
    })?;
    for timer in &all {
        put(&folder.join(format!("{}.timer", timer.name)), &timer.timer)?;
        put(&folder.join(format!("{}.service", timer.name)), &timer.service)?;
    }
    for line in written(folder, all.len(), &earlier(folder, &all)) {
        tell(&line);
    }
    Ok(0)
}

/// The rundown of that show, or of the next one that is not over.
fn parts(plan: &Accepted, slot: Option<usize>, now: Timestamp) -> Result<String, Failure> {
    let slots = &plan.plan.slots;
    let index = match slot {
        Some(number) => number.checked_sub(1),
        None => slots.iter().position(|slot| {
            let length = SignedDuration::from_mins(slot.minutes.into());
            slot.start.checked_add(length).is_ok_and(|end| end > now)
        }),
    };
    if index.is_some_and(|index| index < slots.len() && plan.segments.get(index).is_none()) {
        return Err(Failure::usage(
            "the parts of that show were not kept: `hawker plan accept` makes and keeps them",
        ));
    }
    index.and_then(|index| rundown(plan, index)).ok_or_else(|| {
        Failure::usage(match slot {
            Some(number) => format!(
                "the accepted plan has no show {number}: it has {}; `hawker plan show` numbers them",
                slots.len()
            ),
            None => "no show of the accepted plan is still to come: --slot NUMBER names another".into(),
        })
    })
}

/// What is told when the timers are written. The command takes every timer of the folder, so it is not told as long as
/// there are old ones.
fn written(folder: &Path, count: usize, old: &[String]) -> Vec<String> {
    let folder = folder.display();
    if old.is_empty() {
        return vec![format!(
            "{count} timers are in {folder}. Then: cd {folder} && systemctl --user daemon-reload \
             && systemctl --user enable --now hawker-*.timer"
        )];
    }
    vec![
        format!(
            "timers of an earlier plan are still there and would go on air: {}. Disable them \
             (systemctl --user disable --now NAME), then delete them",
            old.join(", ")
        ),
        format!(
            "{count} timers are in {folder}. Remove the old ones first, then export again: that \
             tells the command which switches these on"
        ),
    ]
}

/// Timers in the folder that an earlier plan left.
fn earlier(folder: &Path, now: &[Timer]) -> Vec<String> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let ours = |name: &String| {
        let unit = name.strip_suffix(".timer").unwrap_or_default();
        let date = unit.strip_prefix("hawker-").and_then(|rest| rest.get(..8));
        date.is_some_and(|d| d.bytes().all(|b| b.is_ascii_digit()))
            && now.iter().all(|timer| timer.name != unit)
    };
    let mut old: Vec<String> = names.filter(ours).collect();
    old.sort();
    old
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_of_an_earlier_plan_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["hawker-20270310T120000Z-lin", "hawker-20270311T120000Z-lin", "other"] {
            fs::write(folder.path().join(format!("{name}.timer")), "").unwrap();
            fs::write(folder.path().join(format!("{name}.service")), "").unwrap();
        }
        let name = "hawker-20270311T120000Z-lin".to_owned();
        let now = [Timer { name, timer: String::new(), service: String::new() }];
        assert_eq!(earlier(folder.path(), &now), ["hawker-20270310T120000Z-lin.timer"]);
        assert!(earlier(Path::new("/nowhere"), &now).is_empty());
    }

    #[test]
    fn the_command_is_told_only_where_it_switches_nothing_old_on() {
        let told = written(Path::new("/units"), 2, &[]);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("2 timers are in /units. Then: cd /units && systemctl"));
        assert!(told[0].ends_with("enable --now hawker-*.timer"), "{told:?}");
        let told = written(Path::new("/units"), 2, &["hawker-20270310T120000Z-lin.timer".into()]);
        assert!(told[0].contains("hawker-20270310T120000Z-lin.timer. Disable"), "{told:?}");
        assert!(told[1].contains("Remove the old ones first"), "{told:?}");
        assert!(told.iter().all(|line| !line.contains("enable")), "{told:?}");
    }
}
