//! The form of a plan file, for editors that complete it.

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

/// The JSON Schema of a plan file.
pub fn plan_schema() -> serde_json::Value {
    schema_for!(PlanForm).to_value()
}

/// A hawker plan: who can be on air when, and for which markets.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "hawker plan")]
pub struct PlanForm {
    /// What the plan is called.
    #[schemars(length(min = 1, max = 400))]
    pub title: String,
    /// Where the team is, a zone of the tz database. Weeks begin there.
    pub home_zone: String,
    /// How many weeks; 1 without it.
    #[schemars(range(min = 1, max = 8))]
    pub weeks: Option<u32>,
    /// Shows at the same time; 1 without it.
    #[schemars(range(min = 1, max = 50))]
    pub studios: Option<u32>,
    /// Minutes that a show may last, multiples of 15; 60, 90 and 120 without it.
    #[schemars(length(min = 1, max = 8))]
    pub lengths: Option<Vec<u32>>,
    /// Hours on air in a week, all hosts together; none without it.
    #[schemars(range(min = 0, max = 5000))]
    pub budget_hours: Option<f32>,
    /// Markets of one show at most; 3 without it.
    #[schemars(range(min = 1, max = 64))]
    pub most_markets: Option<u32>,
    /// What a viewer counts in a market that follows, against one that leads; 600 without it.
    #[schemars(range(max = 1000))]
    pub follow_permille: Option<u32>,
    /// What a market's further shows of a day count, against its best; 500 without it.
    #[schemars(range(max = 1000))]
    pub repeat_permille: Option<u32>,
    /// How much of the budget goes to hours that were never aired; 0 without it.
    #[schemars(range(max = 1000))]
    pub explore_permille: Option<u32>,
    /// A calendar (.ics) of times at which nobody can, from the folder of the plan file.
    pub busy: Option<String>,
    /// The markets.
    #[schemars(length(min = 1, max = 64))]
    pub market: Vec<MarketForm>,
    /// The hosts.
    #[schemars(length(min = 1, max = 32))]
    pub host: Vec<HostForm>,
    /// Shows that are decided already.
    #[schemars(length(max = 500))]
    pub lock: Option<Vec<LockForm>>,
}

/// A market that is sold to.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MarketForm {
    /// Its name, one of `hawker print markets`.
    pub id: String,
    /// What a viewer there is worth against others; 1 without it.
    #[schemars(range(min = 0.01, max = 1000))]
    pub weight: Option<f32>,
    /// Hours between two shows there at least; 12 without it.
    #[schemars(range(min = 0, max = 336))]
    pub gap_hours: Option<f32>,
}

/// Who can be on air.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HostForm {
    /// The name: 1-32 of a-z, 0-9, '-' and '_'.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub id: String,
    /// Where the host lives; home-zone without it.
    pub zone: Option<String>,
    /// BCP 47 tags. A host serves markets of these languages.
    pub languages: Vec<String>,
    /// When the host can: `mon-fri 09:00-23:00`, `sat,sun 12:00-02:00`, `daily 00:00-24:00`.
    pub hours: Vec<String>,
    /// Days when not: `2027-03-10` or `2027-03-10..2027-03-14`.
    pub away: Option<Vec<String>>,
    /// A calendar (.ics) of times when not, from the folder of the plan file.
    pub busy: Option<String>,
    /// Hours on air in a day at most; 4 without it.
    #[schemars(range(min = 0.25, max = 24))]
    pub day_hours: Option<f32>,
    /// Hours on air in a week at most; 20 without it.
    #[schemars(range(min = 0.25, max = 168))]
    pub week_hours: Option<f32>,
    /// Minutes between two shows at least; 60 without it.
    #[schemars(range(max = 2880))]
    pub rest_minutes: Option<u32>,
}

/// A show that is decided already.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LockForm {
    /// Its start on the clock of home-zone: `2027-03-10 20:00`.
    pub start: String,
    /// Its length.
    #[schemars(range(min = 15, max = 480))]
    pub minutes: u32,
    /// The host.
    pub host: String,
    /// Its markets, the leading one first.
    #[schemars(length(min = 1))]
    pub markets: Vec<String>,
}
