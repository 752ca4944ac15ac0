//! The developer commands: demo, test, codegen, bench.

fn main() {}
