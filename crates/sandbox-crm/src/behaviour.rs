//! How this CRM misbehaves when told to.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What `PUT /debug/behaviour` takes and `GET /debug/behaviour` shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// Answer everything whatever `fields` says, as several CRMs do.
    pub ignore_fields: bool,
    /// Say nothing of who was erased or merged.
    pub forgets_the_gone: bool,
    /// Refuse to tell who was erased or merged since a time longer ago than this, as CRMs do that keep tombstones for some
    /// days only.
    pub gone_kept_s: Option<u32>,
    /// How long this CRM thinks before it answers a call of the API.
    pub delay_ms: u64,
    /// What goes wrong.
    pub fault: Option<Fault>,
    /// For how many calls of the API it goes wrong; absent: until told otherwise.
    pub calls: Option<u32>,
}

/// What can go wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// An error status with a JSON body that quotes the record.
    Status {
        /// Which status.
        status: u16,
    },
    /// 200 with a web page.
    Html,
    /// 200 with a body of this many bytes.
    Huge {
        /// 200 MB unless said otherwise.
        #[serde(default = "huge_bytes")]
        bytes: u64,
    },
    /// 200 with nothing.
    Empty,
    /// The connection is closed before the answer.
    Close,
    /// The connection is closed in the middle of the answer.
    Cut,
    /// 200 with arrays in arrays in the place of a value.
    DeepJson {
        /// 100,000 unless said otherwise.
        #[serde(default = "deep_levels")]
        levels: u32,
    },
    /// Every member but `id` has another type than usual.
    WrongTypes,
    /// Every text has bytes in it that are not UTF-8.
    BrokenUtf8,
    /// 307 to another address, to which the path and the query are appended.
    Redirect {
        /// Scheme and host.
        #[serde(default = "other_host")]
        to: String,
    },
    /// The true answer, one byte at a time.
    SlowDrip {
        /// Time between two bytes.
        #[serde(default = "drip_ms")]
        byte_every_ms: u64,
    },
    /// These members are left out of the records, as if hidden from the key's user.
    HideMembers {
        /// Which.
        names: Vec<String>,
    },
    /// The company's bank account stands in the fields for phone numbers.
    IbanInPhone,
    /// 429 with Retry-After.
    TooManyRequests {
        /// Value of the header.
        #[serde(default = "retry_after_s")]
        retry_after_s: u32,
    },
}

fn huge_bytes() -> u64 {
    200_000_000
}

fn deep_levels() -> u32 {
    100_000
}

fn other_host() -> String {
    "http://127.0.0.2:9".to_owned()
}

fn drip_ms() -> u64 {
    200
}

fn retry_after_s() -> u32 {
    3
}

/// The behaviour in force.
#[derive(Default)]
pub struct Conduct(Mutex<Behaviour>);

impl Conduct {
    /// Begins with this behaviour.
    pub fn new(behaviour: Behaviour) -> Self {
        Self(Mutex::new(behaviour))
    }

    /// Replaces the behaviour.
    pub fn set(&self, behaviour: Behaviour) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// The behaviour, with the calls still to come.
    pub fn get(&self) -> Behaviour {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long to think before answering.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.0.lock().unwrap_or_else(PoisonError::into_inner).delay_ms)
    }

    /// Whether `fields` is ignored, and the fault of this call, which counts.
    pub fn next_call(&self) -> (bool, Option<Fault>) {
        let mut behaviour = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = behaviour.fault.clone();
        if let (Some(_), Some(left)) = (&fault, behaviour.calls) {
            let left = left.saturating_sub(1);
            behaviour.calls = Some(left);
            if left == 0 {
                behaviour.fault = None;
                behaviour.calls = None;
            }
        }
        (behaviour.ignore_fields, fault)
    }
}
