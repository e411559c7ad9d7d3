//! What a column is, by its name: in English and Chinese, as platforms name them. It sees names only.

use crate::base::text::short;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Date and time in one.
    At,
    /// The date.
    Date,
    /// The time of day.
    Time,
    /// The zone of the time.
    Zone,
    /// Viewers at once.
    Viewers,
    /// Orders.
    Orders,
    /// The market.
    Market,
    /// How long it lasted.
    Minutes,
}

impl Role {
    /// What it is called in a message.
    pub const fn name(self) -> &'static str {
        match self {
            Self::At => "date and time",
            Self::Date => "date",
            Self::Time => "time",
            Self::Zone => "time zone",
            Self::Viewers => "viewers",
            Self::Orders => "orders",
            Self::Market => "market",
            Self::Minutes => "duration",
        }
    }
}

/// A column and what it was taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in the file, made harmless.
    pub name: String,
    /// What it was taken for; `None`: it is not used.
    pub role: Option<Role>,
}

/// The unit of a duration without one of its own, in minutes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit(pub f64);

/// Names of columns, the likeliest of each role first.
const NAMES: &[(Role, &[&str])] = &[
    (
        Role::At,
        &[
            "datetime",
            "date time",
            "timestamp",
            "start time",
            "started at",
            "start",
            "starttime",
            "live start time",
            "begin",
            "begin time",
            "time start",
            "at",
            "hour start",
            "date hour",
            "开播时间",
            "开始时间",
            "直播开始时间",
            "直播时间",
            "日期时间",
            "时间戳",
            "開播時間",
            "開始時間",
        ],
    ),
    (
        Role::Date,
        &["date", "day", "start date", "live date", "日期", "直播日期", "统计日期", "開播日期"],
    ),
    (Role::Time, &["time", "hour", "time of day", "hour of day", "时间", "小时", "时段", "時間"]),
    (Role::Zone, &["timezone", "time zone", "tz", "zone", "时区", "時區"]),
    (
        Role::Viewers,
        &[
            "average concurrent viewers",
            "avg concurrent viewers",
            "average viewers",
            "avg viewers",
            "avg ccu",
            "acu",
            "ccu",
            "concurrent viewers",
            "average concurrent users",
            "viewers",
            "viewer count",
            "live viewers",
            "audience",
            "watching",
            "平均在线人数",
            "平均在线",
            "在线人数",
            "观众人数",
            "观看人数",
            "观众数",
            "观众",
            "平均線上人數",
            "觀看人數",
            "peak viewers",
            "max viewers",
            "pcu",
            "peak concurrent viewers",
            "最高在线人数",
            "在线峰值",
            "unique viewers",
            "total viewers",
            "views",
            "观看数",
        ],
    ),
    (
        Role::Orders,
        &[
            "orders",
            "order count",
            "number of orders",
            "orders placed",
            "orders created",
            "paid orders",
            "订单数",
            "订单",
            "成交订单数",
            "订单量",
            "成交单数",
            "支付订单数",
            "訂單數",
            "訂單",
        ],
    ),
    (
        Role::Market,
        &[
            "market",
            "country",
            "region",
            "site",
            "market code",
            "country code",
            "市场",
            "国家",
            "地区",
            "站点",
            "國家",
        ],
    ),
    (
        Role::Minutes,
        &[
            "minutes",
            "duration",
            "live duration",
            "length",
            "stream duration",
            "duration minutes",
            "hours",
            "直播时长",
            "时长",
            "開播時長",
            "時長",
        ],
    ),
];

/// A name without case, marks and what stands in brackets; and what stood in them.
fn bare(name: &str) -> (String, String) {
    let (mut out, mut inside, mut depth) = (String::new(), String::new(), 0);
    for c in name.trim().trim_start_matches('\u{feff}').chars() {
        match c {
            '(' | '[' | '（' | '【' => depth += 1,
            ')' | ']' | '）' | '】' => depth = i32::max(depth - 1, 0),
            c if depth > 0 => inside.push(c),
            '_' | '-' | '.' | '/' | ':' | '\u{a0}' => out.push(' '),
            c => out.extend(c.to_lowercase()),
        }
    }
    let words: Vec<&str> = out.split_whitespace().collect();
    (words.join(" "), inside.trim().to_owned())
}

/// What a column may be, and how likely (0 is the likeliest).
fn role(name: &str) -> Option<(Role, usize)> {
    let (name, _) = bare(name);
    NAMES.iter().find_map(|(role, names)| {
        names.iter().position(|known| *known == name).map(|rank| (*role, rank))
    })
}

/// The roles of a line of names. Of two columns for one role the likelier one has it.
pub fn roles<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Column> {
    let names: Vec<&str> = names.collect();
    let found: Vec<Option<(Role, usize)>> = names.iter().map(|name| role(name)).collect();
    let is_best = |n: usize, role: Role, rank: usize| {
        let better = |(m, other): (usize, &Option<(Role, usize)>)| {
            other.is_some_and(|(r, k)| r == role && (k, m) < (rank, n))
        };
        !found.iter().enumerate().any(better)
    };
    let has = |role: Role| found.iter().flatten().any(|(r, _)| *r == role);
    let columns = names.iter().enumerate().map(|(n, name)| {
        let role = found[n].filter(|(role, rank)| is_best(n, *role, *rank)).map(|(role, _)| role);
        // A time beside a date is the time of day, whatever it is called; and a time alone is both.
        let role = match role {
            Some(Role::At) if has(Role::Date) && !has(Role::Time) => Some(Role::Time),
            Some(Role::At) if has(Role::Date) => None,
            Some(Role::Time) if !has(Role::Date) && !has(Role::At) => Some(Role::At),
            Some(Role::Time) if !has(Role::Date) => None,
            Some(Role::Date) if !has(Role::Time) && !has(Role::At) => Some(Role::At),
            other => other,
        };
        Column { name: short(name, 60), role }
    });
    columns.collect()
}

/// What stands in brackets in a name: `UTC+7` of `Start time (UTC+7)`.
pub fn bracketed(name: &str) -> Option<String> {
    Some(bare(name).1).filter(|inside| !inside.is_empty())
}

/// The unit of a duration, by the name of its column; minutes when it says nothing.
pub fn unit(name: &str) -> Unit {
    let name = name.to_lowercase();
    let (bare, inside) = bare(&name);
    let says = |words: &[&str]| words.iter().any(|w| inside == *w || bare == *w);
    if says(&["h", "hr", "hrs", "hour", "hours", "小时"]) {
        Unit(60.0)
    } else if says(&["s", "sec", "secs", "second", "seconds", "秒"]) {
        Unit(1.0 / 60.0)
    } else {
        Unit(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(names: &[&str]) -> Vec<Option<Role>> {
        roles(names.iter().copied()).into_iter().map(|c| c.role).collect()
    }

    #[test]
    fn columns_are_known_in_english_and_chinese() {
        use Role::{At, Date, Market, Minutes, Orders, Time, Viewers, Zone};
        assert_eq!(
            taken(&["Date", "Start Time", "Time_Zone", "Avg. Viewers", "Orders", "Country"]),
            [Some(Date), Some(Time), Some(Zone), Some(Viewers), Some(Orders), Some(Market)]
        );
        assert_eq!(
            taken(&[
                "开播时间（UTC+8）",
                "直播时长(分钟)",
                "平均在线人数",
                "最高在线人数",
                "订单数",
                "备注"
            ]),
            [Some(At), Some(Minutes), Some(Viewers), None, Some(Orders), None]
        );
        assert_eq!(taken(&["time", "peak viewers", "viewers"]), [Some(At), None, Some(Viewers)]);
        assert_eq!(taken(&["date", "viewers"]), [Some(At), Some(Viewers)]);
        assert_eq!(taken(&["time", "date", "start"]), [Some(Time), Some(Date), None]);
        assert_eq!(bracketed("Start (GMT+7)").as_deref(), Some("GMT+7"));
        assert_eq!(
            (unit("Duration (h)"), unit("时长(秒)"), unit("minutes")),
            (Unit(60.0), Unit(1.0 / 60.0), Unit(1.0))
        );
    }
}
