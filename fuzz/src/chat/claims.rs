//! Claims by any sequence of steps: stock is never exceeded, what was confirmed stays, the table has every claim.

use std::collections::BTreeMap;

use hawker::{
    base::Now,
    chat::{
        Author, Message, MessageId, Platform, Text, UserId,
        claims::{By, Claim, ClaimId, Claims, ClaimsConfig, Duplicates, ItemCode, State},
    },
};

/// The first byte is the configuration; three bytes are a step: what, of which item and whom, how much and when.
pub fn claims(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let config = ClaimsConfig {
        settle_ms: 3_000,
        duplicates: [Duplicates::Ignore, Duplicates::Add, Duplicates::Replace]
            [usize::from(first % 3)],
        partial: first & 4 != 0,
        any_item: first & 8 != 0,
        most_quantity: 20,
        most_steps: 200,
    };
    let mut claims = Claims::new(config);
    let (mut now, mut ids) = (20_000, Vec::new());
    for (n, step) in rest.chunks_exact(3).take(2_000).enumerate() {
        let [what, whom, much] = [step[0], step[1], step[2]];
        let code = ItemCode::new(&format!("a{}", whom & 3)).expect("a code");
        let wall = Now::test(now).wall;
        let at = Now::test(now.saturating_sub(u64::from(much) * 40)).wall;
        let message = Message::new(
            // Some come twice.
            MessageId::new(&format!("m{}", if what & 128 == 0 { n } else { n / 2 })),
            "tw".parse().expect("a name"),
            Platform::TWITCH,
            at,
            Author { id: Some(UserId::new(&format!("u{}", whom >> 2))), ..Author::default() },
            Text::new("A1 +1"),
        );
        let some = ids.get(usize::from(much) % ids.len().max(1)).copied().unwrap_or(ClaimId(1));
        let quantity = u32::from(much % 23);
        let confirmed = confirmed(&claims, &ids);
        let by_owner = matches!(what % 10, 4..=6);
        let kept = match what % 10 {
            0 | 1 => {
                let by = if what & 64 == 0 { By::Finder } else { By::Hand };
                ids.extend(claims.claim(&message, &code, quantity, by, wall));
                true
            }
            2 => {
                ids.extend(claims.enter(Text::name("Bo"), &code, quantity, wall));
                true
            }
            3 => {
                let _ = claims.open(&code, Some(u32::from(much)), wall);
                true
            }
            4 => claims.cancel_by(&message, (much & 1 == 0).then_some(&code), wall).is_err(),
            5 => claims.cancel(some, wall).is_err(),
            6 => claims.undo(wall).is_err(),
            7 => {
                let _ = claims.done(some, wall);
                true
            }
            8 => {
                let _ = claims.set_stock(&code, (much & 1 == 0).then_some(u32::from(much)), wall);
                true
            }
            _ => {
                let _ = claims.close(&code, at);
                true
            }
        };
        now += u64::from(much) * 10;
        claims.turn(Now::test(now).wall);
        sums(&claims);
        if kept && !by_owner && config.duplicates != Duplicates::Replace {
            stays(&claims, &confirmed);
        }
    }
    let rows = claims.rows().count();
    let of_items: usize = claims.items().map(|(code, _)| claims.of(code).count()).sum();
    assert_eq!((rows, of_items), (ids.len(), ids.len()));
}

fn confirmed(claims: &Claims, ids: &[ClaimId]) -> BTreeMap<ClaimId, u32> {
    let done = |claim: &&Claim| matches!(claim.state, State::Confirmed | State::Done);
    let all = ids.iter().filter_map(|id| claims.get(*id)).filter(done);
    all.map(|claim| (claim.id, claim.granted)).collect()
}

fn stays(claims: &Claims, confirmed: &BTreeMap<ClaimId, u32>) {
    for (id, granted) in confirmed {
        let claim = claims.get(*id).expect("it was there");
        // A part that was granted may grow, and then it is not settled for a while.
        let grows = claim.state == State::New && claim.granted > *granted;
        assert!(grows || matches!(claim.state, State::Confirmed | State::Done), "{claim:?}");
        assert!(claim.granted >= *granted, "{granted}: {claim:?}");
    }
}

fn sums(claims: &Claims) {
    for (code, stock) in claims.items() {
        let totals = claims.totals(code).expect("it is open");
        assert!(stock.is_none_or(|stock| totals.granted <= u64::from(stock)), "{code} {totals:?}");
        let granted: u64 = claims.of(code).map(|claim| u64::from(claim.granted)).sum();
        assert_eq!(granted, totals.granted);
        assert!(totals.done <= totals.granted);
        for claim in claims.of(code) {
            assert!(claim.granted <= claim.quantity, "{claim:?}");
            let cancelled = matches!(claim.state, State::Cancelled(_));
            assert!(!cancelled || claim.granted == 0, "{claim:?}");
        }
    }
}
