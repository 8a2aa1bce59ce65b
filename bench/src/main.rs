//! Benchmarks of Mirror.

fn main() {}
