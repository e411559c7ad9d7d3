//! Tasks to plan: eighteen markets with an evening each, and hosts around the world.

use jiff::{Timestamp, civil::date};

use crate::market::Zone;
use crate::planner::schedule::{Demand, Host, Hour, Rules, Task, Window, week_start};

/// Id, zone, languages, and the local hour at which the evening begins.
pub(crate) const MARKETS: [(&str, &str, &[&str], i8); 18] = [
    ("us-e", "America/New_York", &["en", "es"], 19),
    ("us-w", "America/Los_Angeles", &["en", "es"], 18),
    ("gb", "Europe/London", &["en"], 19),
    ("de", "Europe/Berlin", &["de"], 20),
    ("fr", "Europe/Paris", &["fr"], 20),
    ("es", "Europe/Madrid", &["es", "ca"], 21),
    ("br", "America/Sao_Paulo", &["pt-BR"], 19),
    ("mx", "America/Mexico_City", &["es-MX"], 19),
    ("th", "Asia/Bangkok", &["th"], 19),
    ("vn", "Asia/Ho_Chi_Minh", &["vi"], 20),
    ("id", "Asia/Jakarta", &["id"], 19),
    ("my", "Asia/Kuala_Lumpur", &["ms", "en", "zh", "ta"], 19),
    ("ph", "Asia/Manila", &["fil", "en"], 19),
    ("sg", "Asia/Singapore", &["en", "zh"], 19),
    ("sa", "Asia/Riyadh", &["ar"], 20),
    ("ae", "Asia/Dubai", &["ar", "en"], 20),
    ("jp", "Asia/Tokyo", &["ja"], 19),
    ("kr", "Asia/Seoul", &["ko"], 19),
];

pub(crate) fn zone(name: &str) -> Zone {
    Zone::named(name).unwrap()
}

/// A demand with an evening of three hours, a lunch, and little else; Thursdays and Sundays are better.
pub(crate) fn demand(index: usize, from: Timestamp, weeks: u32) -> Demand {
    let (market, name, languages, prime) = MARKETS[index];
    let zone = zone(name);
    let size = 120.0 + 37.0 * ((index * 7) % 11) as f64;
    let hours = (0..weeks as i64 * 168 + 2)
        .map(|hour| {
            let at = Timestamp::from_second(from.as_second() + hour * 3600).unwrap();
            let local = zone.clock(at);
            let (h, day) = (local.hour(), local.weekday().to_monday_zero_offset());
            let part = match h - prime {
                0..3 => 1.0 - 0.1 * f64::from((h - prime - 1).abs()),
                3 | -1 => 0.6,
                _ if h == 12 || h == 13 => 0.4,
                _ if h < 7 => 0.05,
                _ => 0.2,
            };
            let day = [0.9, 0.92, 0.95, 1.1, 1.0, 1.05, 1.15][day as usize];
            let noise = 0.9 + 0.2 * ((hour as usize * 31 + index * 17) % 23) as f64 / 23.0;
            let viewers = size * part * day * noise;
            let untried = (hour as usize + index).is_multiple_of(5);
            Hour { viewers, low: viewers * 0.6, high: viewers * 1.5, untried }
        })
        .collect();
    Demand {
        market: market.into(),
        zone,
        languages: languages.iter().map(|l| (*l).into()).collect(),
        weight: 1.0 + 0.1 * (index % 4) as f64,
        gap_min: 12 * 60,
        from,
        hours,
        reasons: Vec::new(),
    }
}

pub(crate) fn host(name: &str, place: &str, languages: &[&str], from: u16, to: u16) -> Host {
    Host {
        name: name.into(),
        zone: zone(place),
        languages: languages.iter().map(|l| (*l).into()).collect(),
        hours: vec![Window { days: [true; 7], from_min: from * 60, to_min: to * 60 }],
        away: Vec::new(),
        busy: Vec::new(),
        day_max_min: 240,
        week_max_min: 20 * 60,
        rest_min: 60,
    }
}

/// The task of the bar: 18 markets, 5 hosts, 2 studios, 2 weeks.
pub(crate) fn large() -> Task {
    let home = zone("Asia/Shanghai");
    let from = week_start(date(2027, 3, 8), &home);
    let mut hosts = vec![
        host("lin", "Asia/Shanghai", &["en", "zh", "ja"], 8, 24),
        host("maya", "Asia/Bangkok", &["th", "en", "vi", "id"], 9, 2),
        host("ana", "Europe/Madrid", &["es", "pt", "en"], 12, 4),
        host("omar", "Asia/Dubai", &["ar", "en", "fr"], 14, 1),
        host("kim", "Asia/Seoul", &["ko", "ja", "en", "de"], 10, 23),
    ];
    hosts[4].hours[0].days = [true, true, true, true, true, false, false];
    let rules = Rules {
        studios: 2,
        lengths: vec![60, 90, 120],
        budget_min: Some(60 * 60),
        most_markets: 4,
        explore_permille: 100,
        ..Rules::default()
    };
    let demands = (0..18).map(|index| demand(index, from, 2)).collect();
    Task { home, from, weeks: 2, demands, hosts, rules, locks: Vec::new() }
}
