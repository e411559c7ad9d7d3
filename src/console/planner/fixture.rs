//! Plans that the tests look at: two weeks of shipped markets, in which London's clocks change.

use std::path::Path;

use jiff::Timestamp;

use super::{
    Opened, Planner,
    state::{News, Todo},
};
use crate::{
    config::{self, Dirs},
    planner::{
        forecast::prior,
        schedule::{Effort, Lock, Plan, Task, solve},
    },
};

/// Tuesday of the plan's first week, 16:47:15 at home.
pub(super) const TUESDAY: &str = "2027-03-23T08:47:15Z";

const FILE: &str = r#"
title = "Shenzhen to six markets"
home-zone = "Asia/Shanghai"
weeks = 2
studios = 2
budget-hours = 16
most-markets = 3
market = [
    { id = "TH" }, { id = "MY" }, { id = "SG" }, { id = "GB", weight = 1.5 },
    { id = "US-W", weight = 2.0 }, { id = "KR" },
]
[[host]]
id = "lin"
languages = ["zh", "en"]
hours = ["daily 08:00-24:00"]
[[host]]
id = "fon"
zone = "Asia/Bangkok"
languages = ["th", "en"]
hours = ["tue-sun 16:00-02:00"]
"#;

pub(super) fn task() -> Task {
    let dirs = Dirs::below(Path::new("/dev/null"));
    let wish = config::parse_plan(FILE, "plan.toml", Path::new(""), &dirs).unwrap();
    let (from, hours) = wish.span(jiff::civil::date(2027, 3, 23));
    let known: Vec<_> = wish
        .markets
        .iter()
        .map(|m| config::load_market(m.id.as_str(), &dirs).unwrap())
        .map(|market| {
            let outlook = prior(&market, from, hours);
            (market, outlook)
        })
        .collect();
    wish.task(from, &known)
}

fn opened(task: Task, plan: Option<Plan>) -> Planner {
    let now: Timestamp = TUESDAY.parse().unwrap();
    let mut planner = Planner::new(now, false);
    let opened = Opened {
        title: "Shenzhen to six markets".into(),
        origin: "plan.toml".into(),
        task,
        plan,
        draft: None,
        notes: Vec::new(),
    };
    assert_eq!(planner.on(News::Opened(Ok(Box::new(opened)))), None);
    planner
}

/// Nothing is planned yet but one show that the file has decided.
pub(super) fn begun() -> Planner {
    let mut task = task();
    let start = "2027-03-25T11:30:00Z".parse().unwrap();
    task.locks = vec![Lock { start, minutes: 90, host: 0, markets: vec![1, 2] }];
    opened(task, None)
}

/// A plan that was made before.
pub(in crate::console) fn planned() -> Planner {
    let task = task();
    let plan = solve(&task, Effort::Quick);
    opened(task, Some(plan))
}

/// Carries out what the pane asks the loop for, except reading.
pub(super) fn serve(planner: &mut Planner, todo: Option<Todo>) -> Option<Todo> {
    match todo? {
        Todo::Propose(asked) => {
            let plan = solve(&asked.task, Effort::Quick);
            planner.on(News::Proposed { number: asked.number, plan })
        }
        Todo::Keep { shows, .. } => planner.on(News::Kept { shows, kept: Ok("plan.json".into()) }),
        other => Some(other),
    }
}
