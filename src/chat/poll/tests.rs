//! Polls: one vote a person, ties, draws that are off.

use proptest::prelude::*;

use super::*;
use crate::{
    base::Now,
    chat::{Author, sample::line},
};

fn config(counts: Counts, matches: Match) -> PollConfig {
    let choice = |label: &str, keywords: &[&str]| Choice {
        label: label.into(),
        keywords: keywords.iter().map(|k| (*k).to_owned()).collect(),
    };
    let choices = vec![choice("red", &["1", "Red", "màu đỏ"]), choice("blue", &["2", "blue"])];
    PollConfig { choices, counts, matches, draw: false }
}

fn lower(text: &str) -> String {
    text.to_lowercase()
}

fn open(config: PollConfig) -> Poll {
    Poll::open(config, &lower, Now::test(1_000).wall).unwrap()
}

fn vote(poll: &mut Poll, ms: u64, who: &str, text: &str) -> Voted {
    let message = line("a", &format!("{who}{ms}"), ms, who, text);
    poll.take(&message, &lower(text))
}

#[test]
fn one_vote_a_person_and_the_last_counts() {
    let mut poll = open(config(Counts::Last, Match::Line));
    assert_eq!(vote(&mut poll, 1_000, "lan", "1!"), Voted::For(0));
    assert_eq!(vote(&mut poll, 1_001, "bo", "MÀU  ĐỎ"), Voted::For(0));
    assert_eq!(vote(&mut poll, 1_002, "lan", "Blue"), Voted::For(1));
    assert_eq!(vote(&mut poll, 1_001, "lan", "1"), Voted::NotCounted, "came late");
    assert_eq!(vote(&mut poll, 1_003, "mai", "2 pieces"), Voted::NoVote);
    assert_eq!(vote(&mut poll, 999, "mai", "2"), Voted::Refused, "before the poll");
    poll.close(Now::test(2_000).wall);
    assert_eq!(vote(&mut poll, 2_000, "mai", "2"), Voted::Refused);
    assert_eq!(vote(&mut poll, 1_999, "tom", "2"), Voted::For(1));
    let tally = poll.tally();
    assert_eq!((tally.votes.clone(), tally.total, tally.refused), (vec![1, 2], 3, 0));
    assert_eq!((tally.leaders(), tally.percent()), (vec![1], vec![33, 67]));
}

#[test]
fn the_first_vote_counts_where_set_and_words_are_found() {
    let mut poll = open(config(Counts::First, Match::Word));
    assert_eq!(vote(&mut poll, 1_005, "lan", "I like blue, really"), Voted::For(1));
    assert_eq!(vote(&mut poll, 1_006, "lan", "red"), Voted::NotCounted);
    assert_eq!(vote(&mut poll, 1_004, "lan", "red"), Voted::For(0), "written before");
    assert_eq!(vote(&mut poll, 1_007, "bo", "red or blue?"), Voted::NoVote);
    assert_eq!(vote(&mut poll, 1_007, "bo", "thích màu đỏ"), Voted::For(0));
    assert_eq!(vote(&mut poll, 1_007, "mai", "reddish"), Voted::NoVote);
    assert_eq!(poll.tally().votes, [2, 0]);
}

#[test]
fn who_may_not_act_or_is_nobody_does_not_vote() {
    let mut poll = open(config(Counts::Last, Match::Line));
    let good = line("a", "1", 1_000, "lan", "1");
    assert_eq!(poll.take(&Message { backlog: true, ..good.clone() }, "1"), Voted::Refused);
    assert_eq!(poll.take(&Message { own: true, ..good.clone() }, "1"), Voted::Refused);
    assert_eq!(poll.take(&Message { author: Author::default(), ..good }, "1"), Voted::Refused);
    assert_eq!((poll.tally().total, poll.tally().refused), (0, 1));
    assert_eq!((poll.tally().leaders(), poll.tally().percent()), (vec![], vec![0, 0]));
}

#[test]
fn faults_of_a_poll_are_named() {
    let fault = |change: &dyn Fn(&mut PollConfig)| {
        let mut poll = config(Counts::Last, Match::Line);
        change(&mut poll);
        Poll::open(poll, &lower, Timestamp::UNIX_EPOCH).unwrap_err()
    };
    assert_eq!(fault(&|c| c.choices.truncate(1)), Invalid::Choices(1));
    assert_eq!(
        fault(&|c| c.choices[1].keywords = vec!["!".into()]),
        Invalid::NoKeyword("blue".into())
    );
    assert_eq!(
        fault(&|c| c.choices[1].keywords.push("RED".into())),
        Invalid::SameKeyword("RED".into())
    );
}

#[test]
fn a_draw_is_off_by_default_and_the_same_for_a_seed() {
    let mut poll = open(config(Counts::Last, Match::Line));
    for n in 0..20 {
        vote(&mut poll, 1_000, &format!("p{n}"), if n % 2 == 0 { "1" } else { "2" });
    }
    assert_eq!(poll.draw(None, 1, 7), Err(NoDraw::Off));
    poll.config.draw = true;
    assert_eq!(poll.draw(None, 1, 7), Err(NoDraw::Open));
    poll.close(Now::test(5_000).wall);
    let drawn = poll.draw(Some(0), 3, 7).unwrap();
    assert_eq!(drawn, poll.draw(Some(0), 3, 7).unwrap());
    assert!(drawn.iter().all(|(_, name)| {
        name.as_str().trim_start_matches('p').parse::<u32>().unwrap() % 2 == 0
    }));
    assert_eq!(poll.draw(None, 99, 7).unwrap().len(), 20);
    // Each of the twenty is drawn about as often as the others: 2,000 draws, 100 each expected.
    let mut counts: HashMap<&Person, u32> = HashMap::new();
    for seed in 0..2_000 {
        for (person, _) in poll.draw(None, 1, seed).unwrap() {
            *counts.entry(person).or_default() += 1;
        }
    }
    assert_eq!(counts.len(), 20);
    assert!(counts.values().all(|count| (60..140).contains(count)), "{counts:?}");
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_change_the_result(
        (votes, shuffled) in prop::collection::vec((0..6_u8, 1_000..1_050_u64, 1..3_u8), 1..40)
            .prop_flat_map(|votes| {
                let votes: Vec<_> = votes.into_iter().enumerate().collect();
                (Just(votes.clone()), Just(votes).prop_shuffle())
            }),
        first in any::<bool>(),
    ) {
        let run = |votes: &[(usize, (u8, u64, u8))]| {
            let mut poll = open(config(if first { Counts::First } else { Counts::Last }, Match::Line));
            for (n, (who, ms, what)) in votes {
                let message = line("a", &n.to_string(), *ms, &who.to_string(), &what.to_string());
                poll.take(&message, &what.to_string());
            }
            poll.tally()
        };
        let tally = run(&votes);
        prop_assert_eq!(&tally, &run(&shuffled));
        let mut people: Vec<_> = votes.iter().map(|(_, (who, ..))| who).collect();
        people.sort();
        people.dedup();
        prop_assert_eq!(tally.total, people.len() as u64);
        prop_assert_eq!(tally.percent().iter().map(|p| u32::from(*p)).sum::<u32>(), 100);
    }
}
