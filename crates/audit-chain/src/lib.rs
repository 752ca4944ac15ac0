//! An append-only log that can be checked: by its owner, by the other service, and by an auditor who has neither the
//! database nor a secret key. No I/O, no database, no clock.
//!
//! # What is computed
//!
//! * Each [`Entry`] has one canonical form (every member with its length, so no two entries share one). What is personal
//!   in it, the reference to a customer, enters as a salted commitment ([`Seal`]); erasing a person removes value and
//!   salt, and the commitment stays. So the chain stays valid, and 128 random bits keep the value from being guessed.
//! * `hash(n) = SHA-256(hash(n-1), canonical(n))`: the **public chain**. Anybody can compute it.
//! * `mac(n) = HMAC-SHA-256(key, mac(n-1), hash(n))` (FIPS 198-1): the **keyed chain**. Only who holds the key can.
//! * A [`Head`] is where a chain ends: number and hash, signed with Ed25519 (RFC 8032) by the service whose chain it is.
//!   The services exchange heads; each writes the other's signed head into its own chain, and signs in its next head
//!   what it has seen of the other's. That is a **countersignature**.
//!
//! # Who could forge what
//!
//! | somebody with | can | and is found by |
//! |---|---|---|
//! | the database | compute the public chain anew after a change | the keyed chain: "unaltered: no" |
//! | the database | cut the end off | the head in the other service's chain: "complete: no" |
//! | database and key of one service | compute everything anew from any entry on | the heads which the other service holds: "complete: no", from the first countersigned one on; what came after the last countersignature can't be told apart |
//! | one service itself | leave out what it should have written, from then on | nothing here; the other service logs its own side of each look |
//! | databases and keys of both services | compute everything anew | an [`export`] or a noted head that somebody else keeps |
//! | an export | read it | it holds no secret: no key and no way to make an entry that fits |
//!
//! So the distance between two exchanges of heads is the only time in which the end of a log rests on one party alone,
//! and an export that an auditor keeps binds both services at once. The public key of a service is what a verification
//! hangs on: compare its fingerprint over another way once ([`PublicKey`] prints it whole, it is short).
//!
//! What a chain can't say: that an entry is true, and when exactly it was written. It says that nobody has changed,
//! removed, inserted or re-ordered entries since.

/// The action of an entry that holds a head of the other service, as [`SignedHead::to_details`] writes it.
pub const COUNTERSIGNED: &str = "audit.countersigned";

mod chain;
mod digest;
mod entry;
pub mod export;
mod head;
mod verify;

pub use chain::{AuditKey, KeyError, Link, genesis, hash_after};
pub use digest::{Digest, NotBytes, PublicKey, Salt, Signature};
pub use entry::{Details, Entry, Opening, Seal};
pub use head::{Head, HeadError, Seen, SignedHead};
pub use verify::{Anchor, Fault, FaultKind, Report, StoredLink, Verdict, Verifier};
