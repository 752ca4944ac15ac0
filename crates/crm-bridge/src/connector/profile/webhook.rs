//! What a CRM may send by itself. It is a hint that a record has changed and nothing more: the id is taken, the rest is
//! dropped unread, and the record is asked for as always.

use serde::Deserialize;

use super::Flagged;
use super::auth::HashKind;
use super::plant::Write;
use crate::connector::pointer::Pointer;

/// Table `[webhook]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// How the body is written.
    pub body: HookBody,
    /// Where the list of events is; an object there is one event.
    #[serde(default)]
    pub events: Pointer,
    /// Where the id is in an event: a pointer in JSON, a key or the beginning of nested keys in a form.
    pub id: String,
    /// Which kind of event it is.
    pub kind: HookKind,
    /// How long the CRM waits for an answer.
    #[serde(default = "default_answer_within_ms")]
    pub answer_within_ms: u32,
    /// How the sender proves who it is.
    pub signature: Signature,
    /// How the subscription is renewed, where it runs out.
    pub renew: Option<Renew>,
}

/// Table `[webhook.renew]`: the CRM ends the subscription after a while unless it is renewed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// What is sent. It names no record: its holes are those of the subscription, and settings.
    pub request: Write,
    /// For how long the CRM is asked to keep it: what `{webhook.until}` is from now.
    pub lasts_s: u32,
    /// How often it is renewed; after half of its life unless given.
    pub every_s: Option<u32>,
    /// What an answer says that means yes; without it each answer with a status of the 200s does.
    pub good: Option<Flagged>,
    /// Where the answer says until when it lasts, as `[time]` says how. Some CRMs give less than they are asked for.
    pub until: Option<Pointer>,
}

impl Renew {
    /// How often it is renewed.
    #[must_use]
    pub fn every_ms(&self) -> i64 {
        i64::from(self.every_s.unwrap_or(self.lasts_s / 2)) * 1_000
    }

    /// For how long the CRM is asked to keep it.
    #[must_use]
    pub fn lasts_ms(&self) -> i64 {
        i64::from(self.lasts_s) * 1_000
    }
}

fn default_answer_within_ms() -> u32 {
    5_000
}

/// How the body of a webhook is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookBody {
    /// JSON.
    Json,
    /// `application/x-www-form-urlencoded`
    Form,
}

/// Which kind of event it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HookKind {
    /// Where it says so: a pointer in JSON, a key in a form. Without it every event is about a person.
    pub at: Option<String>,
    /// Words for "a person was made or changed".
    pub person: Vec<String>,
    /// Words for "a company was made or changed".
    pub company: Vec<String>,
    /// Words for "a person was deleted".
    pub deleted: Vec<String>,
}

/// How the sender of a webhook proves who it is. The key is `crm.secrets.webhook`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// In which way.
    pub kind: SignatureKind,
    /// The hash, for `hmac`.
    pub algorithm: Option<HashKind>,
    /// How the digest is written, for `hmac`.
    pub encoding: Option<DigestEncoding>,
    /// The header that carries digest or token.
    pub header: Option<String>,
    /// What stands before the digest, such as `sha256=`.
    #[serde(default)]
    pub prefix: String,
    /// The header is a list of `name=value` with commas between, as Stripe writes it; the digest is under this name.
    pub field: Option<String>,
    /// The header has several digests with blanks between, as Standard Webhooks has it: one that fits is enough.
    #[serde(default)]
    pub several: bool,
    /// How the shared key is written.
    #[serde(default)]
    pub key: KeyEncoding,
    /// The header with the delivery's id, where that is signed.
    pub id_header: Option<String>,
    /// What is signed, in this order; the body alone unless given.
    #[serde(default)]
    pub signed: Vec<SignedPart>,
    /// What stands between the signed parts.
    #[serde(default)]
    pub separator: String,
    /// When it was signed.
    pub timestamp: Option<SignedAt>,
    /// The query parameter that carries the token.
    pub query: Option<String>,
    /// Where the token is in a JSON body.
    pub at: Option<Pointer>,
    /// The key of a form that carries the token.
    pub form: Option<String>,
}

/// In which way a sender proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureKind {
    /// A digest with a shared key.
    Hmac,
    /// A fixed token.
    Token,
    /// HTTP Basic.
    Basic,
    /// By knowing the address.
    None,
}

/// How a digest is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DigestEncoding {
    /// Hexadecimal.
    Hex,
    /// base64
    Base64,
    /// base64 of `id:` and the digest in hex.
    Base64IdHex,
    /// base64 of `id:` and the digest's bytes.
    Base64IdRaw,
}

/// How the key of a signature stands in the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyEncoding {
    /// Its letters are its bytes.
    #[default]
    Text,
    /// base64, with `whsec_` before it or not (Standard Webhooks).
    Base64,
}

/// A part of what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignedPart {
    /// The method.
    Method,
    /// The whole address as the sender knows it.
    Uri,
    /// The body's bytes.
    Body,
    /// The time stamp as it stands in its header.
    Timestamp,
    /// The delivery's id as it stands in its header.
    Id,
}

/// When a webhook was signed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedAt {
    /// The header that says so.
    pub header: String,
    /// The name of its value, where the header is a list of `name=value`.
    pub field: Option<String>,
    /// What it counts.
    pub unit: StampUnit,
    /// How far it may be from now.
    #[serde(default = "default_window_s")]
    pub window_s: u32,
}

/// What a time stamp counts, from 1970 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StampUnit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
}

fn default_window_s() -> u32 {
    300
}
