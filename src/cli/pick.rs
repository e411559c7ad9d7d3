//! Finds the running show that an operator means.

use std::{path::Path, time::Duration};

use super::{Failure, load};
use crate::{
    engine::folder::run_dirs,
    remote::{RunningShow, running},
};

/// Every running show.
pub(crate) fn all() -> Result<Vec<RunningShow>, Failure> {
    Ok(running(&run_dirs(&load::state_dir()?)))
}

/// The running show of that process number or title; the only one when nothing is named.
pub(crate) fn one(wanted: Option<&str>) -> Result<RunningShow, Failure> {
    choose(all()?, wanted)
}

fn choose(shows: Vec<RunningShow>, wanted: Option<&str>) -> Result<RunningShow, Failure> {
    if shows.is_empty() {
        return Err(Failure::usage(
            "no show is running: `hawker rehearse` or `hawker live SHOW` starts one",
        ));
    }
    let list = || shows.iter().map(row).collect::<Vec<_>>().join("\n");
    let mut meant: Vec<&RunningShow> = match wanted {
        None => shows.iter().collect(),
        Some(name) => {
            let pid = name.parse::<u32>().ok();
            let lower = name.to_lowercase();
            let by = |test: &dyn Fn(&RunningShow) -> bool| {
                shows.iter().filter(|s| test(s)).collect::<Vec<_>>()
            };
            let mut found = by(&|s| Some(s.card.pid) == pid);
            if found.is_empty() {
                found = by(&|s| s.card.title.to_lowercase() == lower);
            }
            if found.is_empty() {
                found = by(&|s| s.card.title.to_lowercase().contains(&lower));
            }
            found
        }
    };
    match (meant.pop(), meant.is_empty()) {
        (Some(show), true) => Ok(show.clone()),
        (Some(_), false) => Err(Failure::usage(format!(
            "several shows are meant: name one by its number\n{}",
            list()
        ))),
        (None, _) => Err(Failure::usage(format!(
            "no running show is called '{}'; these run:\n{}",
            wanted.unwrap_or_default(),
            list()
        ))),
    }
}

/// A show in one line.
pub(crate) fn row(show: &RunningShow) -> String {
    let card = &show.card;
    let mode = match card.mode {
        crate::show::Mode::Rehearse => "rehearse",
        crate::show::Mode::Live => "live",
    };
    format!("{:>8}  {mode:<8}  {}  {}", card.pid, card.started.strftime("%F %H:%M:%SZ"), card.title)
}

/// Waits until an engine has removed its socket, for that long at most. Whether it has.
pub(crate) async fn wait_until_gone(socket: &Path, most: Duration) -> bool {
    let gone = async {
        while socket.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(most, gone).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::wire::Card, show::Mode};

    fn show(pid: u32, title: &str) -> RunningShow {
        let card = Card {
            hawker: 1,
            pid,
            title: title.into(),
            mode: Mode::Live,
            started: jiff::Timestamp::UNIX_EPOCH,
            folder: "/x".into(),
        };
        RunningShow { socket: format!("/x/{pid}.sock").into(), card }
    }

    #[test]
    fn a_show_is_found_by_number_or_title() {
        let two = || vec![show(11, "Evening sale"), show(12, "Evening sale, part 2")];
        let pid = |wanted: Option<&str>| choose(two(), wanted).map(|s| s.card.pid);
        assert_eq!(pid(Some("12")), Ok(12));
        assert_eq!(pid(Some("evening SALE")), Ok(11));
        assert_eq!(pid(Some("part 2")), Ok(12));
        assert!(pid(None).unwrap_err().text.contains("Evening sale, part 2"));
        assert!(pid(Some("sale")).unwrap_err().text.contains("several"));
        assert!(pid(Some("morning")).unwrap_err().text.contains("'morning'"));
        assert_eq!(choose(vec![show(7, "a")], None).unwrap().card.pid, 7);
        assert_eq!(choose(Vec::new(), None).unwrap_err().exit_code, 2);
    }
}
