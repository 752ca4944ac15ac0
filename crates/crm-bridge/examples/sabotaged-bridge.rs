//! The bridge as it is, in a build whose walls can be taken away by the section `[sabotage]` of its settings. For the
//! isolation suite, which must find what comes through then. Exists in debug builds only and is never shipped.

#[path = "../src/main.rs"]
mod program;

// Where the program's own macros look for it.
pub(crate) use program::say;

fn main() -> std::process::ExitCode {
    program::main()
}
