//! The markets of one show, against trying every choice.

use proptest::prelude::*;

use crate::planner::schedule::board::pick;

/// The most that any choice of a leader and others brings.
fn most_of(gains: &[(usize, f64, f64)], most: usize) -> f64 {
    let mut best = f64::NEG_INFINITY;
    for (place, (_, lead, _)) in gains.iter().enumerate() {
        for others in 0_u32..1 << gains.len() {
            if others & 1 << place != 0 || others.count_ones() as usize >= most.max(1) {
                continue;
            }
            let follow =
                |(n, g): (usize, &(usize, f64, f64))| (others & 1 << n != 0).then_some(g.2);
            best = best.max(lead + gains.iter().enumerate().filter_map(follow).sum::<f64>());
        }
    }
    best
}

proptest! {
    #[test]
    fn no_choice_brings_more(
        gains in proptest::collection::vec((-50_i32..100, -50_i32..100), 0..8),
        most in 1_usize..6,
    ) {
        let gains: Vec<_> = gains
            .into_iter()
            .enumerate()
            .map(|(n, (lead, follow))| (n * 3, f64::from(lead), f64::from(follow)))
            .collect();
        let mut chosen = vec![99];
        let brings = pick(gains.iter().copied(), most, &mut chosen);
        prop_assert_eq!(brings, most_of(&gains, most));
        prop_assert!(chosen.len() <= most && chosen.is_empty() == gains.is_empty());
        let of = |market: &usize| gains.iter().find(|g| g.0 == *market).unwrap();
        if let Some((leads, others)) = chosen.split_first() {
            let sum = of(leads).1 + others.iter().map(|m| of(m).2).sum::<f64>();
            prop_assert_eq!(sum, brings, "what is chosen brings what is said");
            prop_assert!(others.iter().all(|m| m != leads && of(m).2 > 0.0));
            prop_assert!(others.is_sorted_by(|a, b| of(a).2 >= of(b).2));
        }
    }
}
