//! The rules that need no I/O: who may see and do what, how a ticket moves, what a text may look like.

pub mod actor;
pub mod audit;
pub mod file_name;
pub mod html;
pub mod job;
pub mod life_cycle;
pub mod password;
pub mod text;
pub mod ticket;

pub use actor::{Actor, Caller, Reach, Role, ScopeSet};
pub use html::MessageBody;
pub use job::Job;
pub use text::{EmailAddress, InvalidText, Note, PersonName, PhoneNumber, QueueName, Subject, Tag};
pub use ticket::{Channel, CustomerState, Line, MessageKind, Priority, Status, TicketNumber};
