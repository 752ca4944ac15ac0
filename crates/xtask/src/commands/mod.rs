//! One module per command.

pub(crate) mod bench;
pub(crate) mod codegen;
pub(crate) mod demo;
pub(crate) mod postgres;
pub(crate) mod test;
pub(crate) mod ui;
