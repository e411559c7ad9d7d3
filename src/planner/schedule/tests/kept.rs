//! What every plan keeps.

use super::made;
use crate::planner::schedule::{Effort, solve};

#[test]
fn large_is_close() {
    let task = made::large();
    for effort in [Effort::Quick, Effort::Full] {
        let start = std::time::Instant::now();
        let plan = solve(&task, effort);
        println!("{effort:?}: {} slots, worth {:.1}, bound {:.1}, gap {:.3} %, explore {:?}, {:?}", plan.slots.len(), plan.worth, plan.bound, plan.gap() * 100.0, plan.explore_min, start.elapsed());
    }
}
