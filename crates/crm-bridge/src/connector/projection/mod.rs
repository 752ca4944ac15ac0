//! Wall 2, *parse*: a CRM answer is read by a parser that is driven by the policy. What is not listed is skipped as
//! bytes and never becomes a value of this program.
//!
//! [`Plan`] (compile) turns policy and profile into a tree of wanted places; [`scan`] checks that the raw bytes are
//! UTF-8; [`read_list`] and [`read_one`] find the records and walk the tree with a `cursor`, which checks grammar and
//! depth of what it skips, too; `take` makes values of what was found.

pub mod answer;
mod clock;
mod cursor;
mod frame;
mod names;
mod order;
mod plan;
mod read;
pub mod scan;
mod sink;
mod take;
mod typed_date;
mod walk;
pub mod watch;

#[cfg(feature = "sabotage")]
mod bypass;

pub use answer::RawAnswer;
pub(super) use clock::instant_of;
pub use plan::Plan;
pub use read::{Page, Unreadable, read_list, read_one};
pub use scan::Limits;
pub use take::Record;
pub(super) use take::is_id;
pub use watch::KeyWatch;

#[cfg(test)]
mod tests;
