//! Values that must not be found, in all the ways in which each could be written, and a search for thousands of them at
//! once. Pure: what is searched is given as bytes, what was found is given back.

mod search;
mod spell;

pub use search::{Hit, LENGTH_MIN, Searcher};
pub use spell::{Marker, Pattern, spellings, written};
