//! Floor 2: when to be on air for whom. It knows markets and arithmetic; it reads no file and no clock: the
//! time is an argument.

pub mod schedule;
