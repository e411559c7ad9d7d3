//! Claims: stock, order of times, wait-list, undo; properties over arbitrary histories.

use proptest::prelude::*;

use super::*;
use crate::{
    base::Now,
    chat::{Badge, sample::line},
};

fn at(ms: u64) -> Timestamp {
    Now::test(ms).wall
}

fn code(text: &str) -> ItemCode {
    ItemCode::new(text).unwrap()
}

struct Shop {
    claims: Claims,
    n: u32,
}

impl Shop {
    fn new(stock: u32, config: ClaimsConfig) -> Self {
        let mut claims = Claims::new(config);
        claims.open(&code("A12"), Some(stock), at(0)).unwrap();
        Self { claims, n: 0 }
    }

    /// `who` writes at `written` and it arrives at `now`.
    fn claim(&mut self, who: &str, quantity: u32, written: u64, now: u64) -> ClaimId {
        self.n += 1;
        let message = line("a", &self.n.to_string(), written, who, "A12");
        self.claims.claim(&message, &code("a12"), quantity, By::Finder, at(now)).unwrap()
    }

    fn cancel(&mut self, who: &str, written: u64, now: u64) {
        self.n += 1;
        let message = line("a", &self.n.to_string(), written, who, "cancel");
        self.claims.cancel_by(&message, Some(&code("A12")), at(now)).unwrap();
    }

    /// Who has what, in order.
    fn turn(&mut self, now: u64) -> Vec<(String, State, u32)> {
        self.claims.turn(at(now));
        self.claims
            .of(&code("A12"))
            .map(|claim| (claim.name.as_str().to_owned(), claim.state, claim.granted))
            .collect()
    }
}

fn row(name: &str, state: State, granted: u32) -> (String, State, u32) {
    (name.to_owned(), state, granted)
}

#[test]
fn codes_are_read_as_people_write_them() {
    assert_eq!(code(" sp 1 ").as_str(), "SP1");
    assert_eq!(code("áo-đỏ").as_str(), "ÁO-ĐỎ");
    for bad in ["", "  ", "a\x1bb", "a,b", "a\u{202e}", &"x".repeat(33)] {
        assert_eq!(ItemCode::new(bad), Err(NoItemCode), "{bad:?}");
    }
}

#[test]
fn the_first_by_platform_time_is_granted_and_an_earlier_one_overtakes_within_the_settle_time() {
    let mut shop = Shop::new(2, ClaimsConfig::default());
    shop.claim("bo", 2, 1_000, 1_100);
    assert_eq!(shop.turn(1_200), [row("bo", State::New, 2)]);
    shop.claim("lan", 1, 900, 1_300);
    assert_eq!(shop.turn(1_400), [row("lan", State::New, 1), row("bo", State::New, 0)]);
    // One behind that fits is granted.
    shop.claim("mai", 1, 1_100, 1_500);
    let settled = [
        row("lan", State::Confirmed, 1),
        row("bo", State::Waiting, 0),
        row("mai", State::Confirmed, 1),
    ];
    assert_eq!(shop.turn(5_000), settled);
}

#[test]
fn what_arrives_after_the_settle_time_goes_behind_what_is_settled() {
    let mut shop = Shop::new(1, ClaimsConfig::default());
    shop.claim("bo", 1, 1_000, 1_100);
    assert_eq!(shop.turn(4_500), [row("bo", State::Confirmed, 1)]);
    let late = shop.claim("lan", 1, 900, 4_600);
    assert_eq!(shop.turn(9_000), [row("bo", State::Confirmed, 1), row("lan", State::Waiting, 0)]);
    assert!(shop.claims.get(late).unwrap().late);
}

#[test]
fn a_cancellation_promotes_the_wait_list_and_a_new_claim_counts_afresh() {
    let mut shop = Shop::new(1, ClaimsConfig::default());
    shop.claim("lan", 1, 0, 0);
    shop.claim("bo", 1, 10, 10);
    shop.claim("lan", 1, 20, 20);
    shop.cancel("lan", 30, 30);
    shop.claim("lan", 1, 40, 40);
    let settled = [
        row("lan", State::Cancelled(Why::User), 0),
        row("bo", State::Confirmed, 1),
        row("lan", State::Cancelled(Why::Duplicate), 0),
        row("lan", State::Waiting, 0),
    ];
    assert_eq!(shop.turn(10_000), settled);
}

#[test]
fn a_cancellation_does_not_reach_what_was_written_after_it() {
    let mut shop = Shop::new(5, ClaimsConfig::default());
    shop.cancel("lan", 50, 60);
    shop.claim("lan", 1, 40, 70);
    shop.claim("lan", 2, 60, 80);
    let settled = [row("lan", State::Cancelled(Why::User), 0), row("lan", State::Confirmed, 2)];
    assert_eq!(shop.turn(10_000), settled);
}

#[test]
fn duplicates_add_up_or_replace() {
    let config = ClaimsConfig { duplicates: Duplicates::Add, ..ClaimsConfig::default() };
    let mut shop = Shop::new(5, config);
    shop.claim("lan", 2, 0, 0);
    shop.claim("lan", 2, 1, 1);
    assert_eq!(
        shop.turn(9_000),
        [row("lan", State::Confirmed, 2), row("lan", State::Confirmed, 2)]
    );

    let config = ClaimsConfig { duplicates: Duplicates::Replace, ..ClaimsConfig::default() };
    let mut shop = Shop::new(3, config);
    shop.claim("lan", 3, 0, 0);
    shop.claim("bo", 2, 10, 10);
    shop.claim("lan", 1, 20, 20);
    let less = [
        row("lan", State::Confirmed, 1),
        row("bo", State::Confirmed, 2),
        row("lan", State::Cancelled(Why::Amended), 0),
    ];
    assert_eq!(shop.turn(9_000), less);
    // More: what the person has stays, the difference stands in line.
    shop.claim("bo", 5, 9_000, 9_000);
    let rows = shop.turn(20_000);
    assert_eq!(
        rows.get(1..),
        Some(&[less[1].clone(), less[2].clone(), row("bo", State::Waiting, 0)][..])
    );
    shop.claims.set_stock(&code("A12"), Some(6), at(20_000)).unwrap();
    assert_eq!(shop.turn(30_000).last(), Some(&row("bo", State::Confirmed, 3)));
}

#[test]
fn a_part_is_granted_only_if_wanted() {
    let mut shop = Shop::new(3, ClaimsConfig { partial: true, ..ClaimsConfig::default() });
    shop.claim("lan", 2, 0, 0);
    shop.claim("bo", 2, 1, 1);
    assert_eq!(shop.turn(9_000), [row("lan", State::Confirmed, 2), row("bo", State::Confirmed, 1)]);
    let totals = shop.claims.totals(&code("A12")).unwrap();
    assert_eq!((totals.granted, totals.waiting, totals.done), (3, 1, 0));
    shop.cancel("lan", 9_000, 9_000);
    assert_eq!(shop.turn(19_000).last(), Some(&row("bo", State::Confirmed, 2)));
}

#[test]
fn the_hosts_steps_can_be_undone() {
    let mut shop = Shop::new(1, ClaimsConfig::default());
    let lan = shop.claim("lan", 1, 0, 0);
    let bo = shop.claim("bo", 1, 1, 1);
    assert_eq!(shop.claims.done(lan, at(100)), Err(Refusal::NotConfirmed), "may be overtaken");
    shop.turn(4_000);
    shop.claims.done(lan, at(4_000)).unwrap();
    assert_eq!(shop.claims.done(bo, at(4_000)), Err(Refusal::NotConfirmed));
    assert_eq!(shop.claims.cancel(lan, at(4_000)), Err(Refusal::Closed));
    assert_eq!(shop.turn(4_100).first(), Some(&row("lan", State::Done, 1)));
    shop.claims.undo(at(4_200)).unwrap();
    assert_eq!(shop.turn(4_200).first(), Some(&row("lan", State::Confirmed, 1)));
    shop.claims.cancel(lan, at(4_300)).unwrap();
    let after = [row("lan", State::Cancelled(Why::Host), 0), row("bo", State::Confirmed, 1)];
    assert_eq!(shop.turn(8_000), after);
    // What went to another meanwhile does not come back.
    shop.claims.undo(at(8_000)).unwrap();
    assert_eq!(shop.turn(12_000), [row("lan", State::Waiting, 0), row("bo", State::Confirmed, 1)]);
    let hand = shop.claims.enter(Text::name("Chị Hoa"), &code("A12"), 1, at(12_000)).unwrap();
    shop.claims.undo(at(12_100)).unwrap();
    shop.turn(20_000);
    assert_eq!(shop.claims.get(hand).unwrap().state, State::Cancelled(Why::Host));
    assert_eq!(shop.claims.undo(at(20_000)), Err(Refusal::NothingToUndo));
}

#[test]
fn stock_is_never_set_below_what_is_granted() {
    let mut shop = Shop::new(3, ClaimsConfig::default());
    shop.claim("lan", 2, 0, 0);
    shop.turn(0);
    let set = |shop: &mut Shop, stock| shop.claims.set_stock(&code("A12"), stock, at(5));
    assert_eq!(set(&mut shop, Some(1)), Err(Refusal::BelowGranted(2)));
    assert_eq!(set(&mut shop, Some(2)), Ok(()));
    // An earlier claim that is still on its way does not lift the sum above the new stock.
    shop.claim("bo", 1, 1, 10);
    shop.claim("mai", 1, 6, 10);
    let rows = [
        row("lan", State::Confirmed, 2),
        row("bo", State::Waiting, 0),
        row("mai", State::Waiting, 0),
    ];
    assert_eq!(shop.turn(9_000), rows);
}

#[test]
fn who_may_not_act_does_not_claim_except_by_hand() {
    let mut shop = Shop::new(3, ClaimsConfig::default());
    let item = code("A12");
    let good = line("a", "1", 0, "lan", "A12");
    let mut bot = good.clone();
    bot.author.badges = vec![Badge::Bot];
    for message in
        [Message { backlog: true, ..good.clone() }, Message { own: true, ..good.clone() }, bot]
    {
        let refused = shop.claims.claim(&message, &item, 1, By::Finder, at(0));
        assert_eq!(refused, Err(Refusal::MayNotAct));
        assert_eq!(shop.claims.cancel_by(&message, None, at(0)), Err(Refusal::MayNotAct));
    }
    let backlog = Message { backlog: true, ..good };
    assert!(shop.claims.claim(&backlog, &item, 1, By::Hand, at(0)).is_ok());
    assert_eq!(shop.claims.claim(&backlog, &item, 1, By::Hand, at(0)), Err(Refusal::Twice));
}

#[test]
fn items_are_open_or_not_and_quantities_bounded() {
    let mut shop = Shop::new(3, ClaimsConfig::default());
    let message = |id: &str, ms| line("a", id, ms, id, "A12");
    let claim = |shop: &mut Shop, id: &str, ms, item: &str, quantity| {
        shop.claims.claim(&message(id, ms), &code(item), quantity, By::Finder, at(ms))
    };
    assert_eq!(claim(&mut shop, "1", 0, "B1", 1), Err(Refusal::NotOpen));
    assert_eq!(claim(&mut shop, "2", 0, "A12", 0), Err(Refusal::Quantity(99)));
    assert_eq!(claim(&mut shop, "3", 0, "A12", 100), Err(Refusal::Quantity(99)));
    shop.claims.close(&code("A12"), at(100)).unwrap();
    assert_eq!(claim(&mut shop, "4", 100, "A12", 1), Err(Refusal::NotOpen));
    assert!(claim(&mut shop, "5", 99, "A12", 1).is_ok());
    shop.claims.open(&code("A12"), Some(3), at(200)).unwrap();
    assert!(claim(&mut shop, "6", 201, "A12", 1).is_ok());
    let mut any = Shop::new(3, ClaimsConfig { any_item: true, ..ClaimsConfig::default() });
    assert!(claim(&mut any, "1", 0, "B1", 50).is_ok());
    assert_eq!(any.claims.items().count(), 2);
}

#[test]
fn one_person_does_not_fill_the_list() {
    let mut shop = Shop::new(3, ClaimsConfig::default());
    for n in 0..100 {
        shop.cancel("troll", n, n);
    }
    let message = line("a", "x", 200, "troll", "A12");
    let claimed = shop.claims.claim(&message, &code("A12"), 1, By::Finder, at(200));
    assert_eq!(claimed, Err(Refusal::Full));
    shop.claim("lan", 1, 201, 201);
    assert_eq!(shop.turn(9_000), [row("lan", State::Confirmed, 1)]);
}

#[test]
fn a_cancellation_without_a_code_is_for_all_of_a_persons_items() {
    let mut shop = Shop::new(3, ClaimsConfig { any_item: true, ..ClaimsConfig::default() });
    shop.claim("lan", 1, 0, 0);
    let other = line("a", "x", 1, "lan", "B1");
    shop.claims.claim(&other, &code("B1"), 1, By::Finder, at(1)).unwrap();
    let bos = line("a", "y", 1, "bo", "C1");
    shop.claims.claim(&bos, &code("C1"), 1, By::Finder, at(1)).unwrap();
    let cancel = line("a", "z", 2, "lan", "cancel");
    assert_eq!(shop.claims.cancel_by(&cancel, None, at(2)), Ok(2));
    shop.claims.turn(at(9_000));
    let states: Vec<_> = shop.claims.rows().map(|row| row.claim.state).collect();
    let gone = State::Cancelled(Why::User);
    assert_eq!(states, [gone, gone, State::Confirmed]);
}

#[test]
fn rows_are_safe_for_a_spreadsheet_and_mask_telephone_numbers() {
    let mut shop = Shop::new(3, ClaimsConfig::default());
    let mut message = line("a", "1", 0, "7", "=A12 1, 0912 345 678");
    message.author.name = Text::name("Lan \"B\"");
    shop.claims.claim(&message, &code("A12"), 1, By::Finder, at(0)).unwrap();
    shop.turn(9_000);
    let fields = |phones| shop.claims.rows().next().unwrap().fields(phones).join(",");
    assert_eq!(
        fields(Phones::Masked),
        "A12,1,2026-01-01T00:00:00Z,confirmed,,1,1,\"Lan \"\"B\"\"\",7,twitch,a,message,,\
         \"'=A12 1, •••• ••• •78\""
    );
    assert!(fields(Phones::Plain).ends_with("\"'=A12 1, 0912 345 678\""));
    assert_eq!(masked_phones("12 34 56"), "12 34 56");
    assert_eq!(masked_phones("+84-912.345.678 x2"), "+••-•••.•••.•78 x2");
    assert_eq!(masked_phones("199.000đ"), "199.000đ");
}

#[derive(Debug, Clone)]
enum Step {
    Claim { who: u8, quantity: u32 },
    CancelBy { who: u8 },
}

fn steps() -> impl Strategy<Value = Vec<(u64, u64, Step)>> {
    let step = prop_oneof![
        4 => (0..6_u8, 1..4_u32).prop_map(|(who, quantity)| Step::Claim { who, quantity }),
        1 => (0..6_u8).prop_map(|who| Step::CancelBy { who }),
    ];
    // Written at, on its way for less than the settle time.
    prop::collection::vec((0..8_000_u64, 0..2_900_u64, step), 1..40)
}

fn policy() -> impl Strategy<Value = (Duplicates, bool, u32)> {
    let duplicates =
        prop::sample::select(vec![Duplicates::Ignore, Duplicates::Add, Duplicates::Replace]);
    (duplicates, any::<bool>(), 0..12_u32)
}

fn apply(claims: &mut Claims, n: usize, written: u64, now: u64, step: &Step) {
    let who = match step {
        Step::Claim { who, .. } | Step::CancelBy { who } => who.to_string(),
    };
    let message = line("a", &format!("{n:03}"), written, &who, "x");
    match step {
        Step::Claim { quantity, .. } => {
            claims.claim(&message, &code("A12"), *quantity, By::Finder, at(now)).unwrap();
        }
        Step::CancelBy { .. } => {
            claims.cancel_by(&message, Some(&code("A12")), at(now)).unwrap();
        }
    }
}

fn result(claims: &mut Claims) -> Vec<(MessageId, State, u32)> {
    claims.turn(at(60_000));
    claims
        .of(&code("A12"))
        .map(|claim| (claim.message.clone().unwrap().1, claim.state, claim.granted))
        .collect()
}

proptest! {
    #[test]
    fn arrival_within_the_settle_time_does_not_change_the_result(
        steps in steps(),
        (duplicates, partial, stock) in policy(),
        turns in prop::collection::vec(0..12_000_u64, 0..10),
    ) {
        let config = ClaimsConfig { duplicates, partial, ..ClaimsConfig::default() };
        let mut in_order: Vec<_> = steps.iter().enumerate().collect();
        in_order.sort_by_key(|(n, (written, ..))| (*written, *n));
        let mut reference = Shop::new(stock, config).claims;
        for (n, (written, _, step)) in in_order {
            apply(&mut reference, n, *written, *written, step);
        }
        let mut events: Vec<(u64, Option<usize>)> =
            steps.iter().enumerate().map(|(n, (written, way, _))| (written + way, Some(n))).collect();
        events.extend(turns.iter().map(|now| (*now, None)));
        events.sort_unstable();
        let mut claims = Shop::new(stock, config).claims;
        let mut confirmed: HashMap<ClaimId, u32> = HashMap::new();
        for (now, what) in events {
            match what.and_then(|n| Some((n, steps.get(n)?))) {
                Some((n, (written, _, step))) => apply(&mut claims, n, *written, now, step),
                None => drop(claims.turn(at(now))),
            }
            let totals = claims.totals(&code("A12")).unwrap();
            prop_assert!(totals.granted <= u64::from(stock));
            for claim in claims.of(&code("A12")) {
                if claim.state == State::Confirmed {
                    let before = confirmed.insert(claim.id, claim.granted).unwrap_or(0);
                    prop_assert!(duplicates == Duplicates::Replace || claim.granted >= before);
                } else if confirmed.contains_key(&claim.id) {
                    let closed = matches!(claim.state, State::Cancelled(_));
                    // A part that is added is provisional again for a while.
                    prop_assert!(closed || (partial && claim.granted > 0), "{:?}", claim);
                }
            }
        }
        prop_assert_eq!(result(&mut claims), result(&mut reference));
    }

    #[test]
    fn granted_is_never_above_stock_whatever_is_done(
        steps in prop::collection::vec((0..8_u8, 0..6_u8, 1..5_u32, 0..4_000_u64, 0..1_500_u64), 1..80),
        (duplicates, partial, stock) in policy(),
    ) {
        let config = ClaimsConfig { duplicates, partial, ..ClaimsConfig::default() };
        let mut claims = Shop::new(stock, config).claims;
        let item = code("A12");
        let (mut now, mut last) = (10_000, ClaimId(0));
        for (n, (what, who, quantity, age, pause)) in steps.into_iter().enumerate() {
            now += pause;
            let message = line("a", &n.to_string(), now - age, &who.to_string(), "x");
            match what {
                0 => drop(claims.cancel_by(&message, Some(&item), at(now))),
                1 => drop(claims.cancel(last, at(now))),
                2 => drop(claims.done(ClaimId(u64::from(quantity)), at(now))),
                3 => drop(claims.set_stock(&item, Some(quantity + u32::from(who)), at(now))),
                4 => drop(claims.undo(at(now))),
                5 => drop(claims.enter(Text::name("x"), &item, quantity, at(now))),
                _ => last = claims.claim(&message, &item, quantity, By::Finder, at(now)).unwrap(),
            }
            claims.turn(at(now));
            let totals = claims.totals(&item).unwrap();
            prop_assert!(totals.granted <= u64::from(totals.stock.unwrap()), "{:?}", totals);
            for claim in claims.of(&item) {
                prop_assert!(claim.granted <= claim.quantity);
                if matches!(claim.state, State::Waiting | State::Cancelled(_)) {
                    prop_assert_eq!(claim.granted, 0);
                }
            }
        }
    }
}
