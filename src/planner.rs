//! Floor 2: the planner. When to be on air for which market, and how many will watch. It reads no clock and no file:
//! time, markets and history are arguments.

mod fit;
mod level;
mod profile;
mod sample;

pub mod backtest;
pub mod calendar;
pub mod compare;
pub mod export;
pub mod forecast;
pub mod history;
pub mod import;
pub mod model;
pub mod outlook;
pub mod schedule;
pub mod segments;
pub mod wish;

pub use backtest::{Score, backtest};
pub use forecast::{Foretold, forecast, prior};
pub use history::{Aired, History};
pub use model::{Choice, Exploration, Method, Model};
pub use outlook::{Expected, Outlook, Reason};
