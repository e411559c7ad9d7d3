//! The bars of going on air, as ratios in one run. Run with `cargo bench`.

fn main() {}
