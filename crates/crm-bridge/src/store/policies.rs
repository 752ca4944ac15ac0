//! The history of policies: what was proposed, who signed it, which was in force when. Nothing here is ever changed.

use audit_log::Event;
use db_kit::{AnyConnection, DbError, on_both};
use diesel::prelude::*;
use service_kit::Timestamp;

use super::Store;
use super::schema::{policy_activations, policy_approvals, policy_versions};

/// Most versions and activations that a history shows.
const SHOWN_MAX: i64 = 200;

/// The profile beside which a policy is signed or comes into force: it decides what stands in the fields.
#[derive(Debug, Clone)]
pub struct Beside {
    /// Its name.
    pub profile: String,
    /// SHA-256 of what it says, hex.
    pub sha256: String,
}

/// A policy as somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// SHA-256 of its canonical form, hex.
    pub hash: String,
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: u32,
    /// The file's text.
    pub body: String,
    /// When it was first proposed or loaded.
    pub kept_at: Timestamp,
    /// By whom.
    pub kept_by: String,
}

/// A signature of a policy's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Which policy.
    pub hash: String,
    /// Who.
    pub approver: String,
    /// Which key: the first 16 hex digits of the SHA-256 of the public key.
    pub key_id: String,
    /// Ed25519, hex.
    pub signature: String,
    /// When.
    pub at: Timestamp,
}

/// Why a policy came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grounds {
    /// It stood in the settings' file.
    File,
    /// One person, where one is enough.
    OnePerson,
    /// Two persons signed it.
    Approvals,
    /// Nobody sees more than before; one person is enough for that.
    Narrowing,
}

impl Grounds {
    /// The word in the database and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::OnePerson => "one_person",
            Self::Approvals => "approvals",
            Self::Narrowing => "narrowing",
        }
    }

    fn from_text(text: &str) -> Result<Self, DbError> {
        [Self::File, Self::OnePerson, Self::Approvals, Self::Narrowing]
            .into_iter()
            .find(|grounds| grounds.as_str() == text)
            .ok_or_else(|| DbError::Configuration(format!("`{text}` is no ground for a policy")))
    }
}

/// A policy came into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// Counts up.
    pub seq: i64,
    /// Which policy.
    pub hash: String,
    /// Why.
    pub grounds: Grounds,
    /// Through whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

type VersionRow = (String, String, i64, String, i64, String);

fn version((hash, name, number, body, kept_at, kept_by): VersionRow) -> Version {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    Version { hash, name, number, body, kept_at: Timestamp::from_ms(kept_at), kept_by }
}

impl Store {
    /// Keeps a version; one that is known already stays as it is.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn keep_policy(&self, version: Version) -> Result<(), DbError> {
        self.database.write(move |conn| keep(conn, &version)).await
    }

    /// The versions whose hash begins so, or of that number; the latest kept first.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn find_policies(&self, hash_or_number: String) -> Result<Vec<Version>, DbError> {
        self.database
            .read(move |conn| {
                let number = hash_or_number.parse::<i64>().unwrap_or(-1);
                let hex = hash_or_number.chars().all(|c| c.is_ascii_hexdigit()) && hash_or_number.len() >= 8;
                // Hex digits only: no sign of a pattern can be among them.
                let prefix = if hex { format!("{}%", hash_or_number.to_lowercase()) } else { String::new() };
                let rows = policy_versions::table
                    .filter(policy_versions::number.eq(number).or(policy_versions::hash.like(prefix)))
                    .order((policy_versions::kept_at.desc(), policy_versions::hash))
                    .limit(SHOWN_MAX)
                    .load::<VersionRow>(conn)?;
                Ok(rows.into_iter().map(version).collect())
            })
            .await
    }

    /// All versions, the latest kept first.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn policies(&self) -> Result<Vec<Version>, DbError> {
        self.database
            .read(|conn| {
                let rows = policy_versions::table
                    .order((policy_versions::kept_at.desc(), policy_versions::hash))
                    .limit(SHOWN_MAX)
                    .load::<VersionRow>(conn)?;
                Ok(rows.into_iter().map(version).collect())
            })
            .await
    }

    /// Keeps a version and a signature of it. A second signature of the same person changes nothing. The profile beside which
    /// it was signed goes on the record.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn approve_policy(&self, approval: Approval, beside: Beside) -> Result<(), DbError> {
        let audit = self.audit.clone();
        self.database
            .write(move |conn| {
                let row = (
                    policy_approvals::hash.eq(&approval.hash),
                    policy_approvals::approver.eq(&approval.approver),
                    policy_approvals::key_id.eq(&approval.key_id),
                    policy_approvals::signature.eq(&approval.signature),
                    policy_approvals::at.eq(approval.at.ms()),
                );
                let signed = on_both!(conn, |conn| diesel::insert_into(policy_approvals::table)
                    .values(row)
                    .on_conflict_do_nothing()
                    .execute(conn))?;
                if signed > 0 {
                    let event = event(approval.at, &approval.approver, "policy.approved", &approval.hash);
                    audit.append(conn, &[beside.on(event.with("key", &approval.key_id))])?;
                }
                Ok(())
            })
            .await
    }

    /// The signatures of a policy, in the order in which they were given.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn approvals(&self, hash: String) -> Result<Vec<Approval>, DbError> {
        self.database
            .read(move |conn| {
                let rows = policy_approvals::table
                    .filter(policy_approvals::hash.eq(hash))
                    .order((policy_approvals::at, policy_approvals::approver))
                    .load::<(String, String, String, String, i64)>(conn)?;
                let approval = |(hash, approver, key_id, signature, at)| Approval {
                    hash,
                    approver,
                    key_id,
                    signature,
                    at: Timestamp::from_ms(at),
                };
                Ok(rows.into_iter().map(approval).collect())
            })
            .await
    }

    /// Brings a kept version into force, if the one in force is still the one that was looked at. Says whether it was.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn activate_policy(
        &self,
        hash: String,
        grounds: Grounds,
        by: String,
        at: Timestamp,
        after: Option<i64>,
        beside: Beside,
    ) -> Result<bool, DbError> {
        let audit = self.audit.clone();
        self.database
            .write(move |conn| {
                let last = policy_activations::table
                    .select(diesel::dsl::max(policy_activations::seq))
                    .get_result::<Option<i64>>(conn)?;
                if last != after {
                    return Ok(false);
                }
                let row = (
                    policy_activations::hash.eq(&hash),
                    policy_activations::grounds.eq(grounds.as_str()),
                    policy_activations::activated_by.eq(&by),
                    policy_activations::at.eq(at.ms()),
                );
                diesel::insert_into(policy_activations::table).values(row).execute(conn)?;
                let event = event(at, &by, "policy.activated", &hash).with("grounds", grounds.as_str());
                audit.append(conn, &[beside.on(event)])?;
                Ok(true)
            })
            .await
    }

    /// What was in force, the latest first.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn activations(&self) -> Result<Vec<Activation>, DbError> {
        self.database.read(activations).await
    }

    /// The policy in force and the activation that brought it, if any was ever activated.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn policy_in_force(&self) -> Result<Option<(Activation, Version)>, DbError> {
        self.database
            .read(|conn| {
                let Some(last) = activations(conn)?.into_iter().next() else { return Ok(None) };
                let row = policy_versions::table.find(&last.hash).get_result::<VersionRow>(conn)?;
                Ok(Some((last, version(row))))
            })
            .await
    }
}

impl Beside {
    fn on(&self, event: Event) -> Event {
        event.with("profile", &self.profile).with("profile_sha256", &self.sha256)
    }
}

fn event(at: Timestamp, by: &str, action: &'static str, hash: &str) -> Event {
    Event { policy: Some(hash.to_owned()), ..Event::new(at, by, action) }
}

fn keep(conn: &mut AnyConnection, version: &Version) -> Result<(), DbError> {
    let row = (
        policy_versions::hash.eq(&version.hash),
        policy_versions::name.eq(&version.name),
        policy_versions::number.eq(i64::from(version.number)),
        policy_versions::body.eq(&version.body),
        policy_versions::kept_at.eq(version.kept_at.ms()),
        policy_versions::kept_by.eq(&version.kept_by),
    );
    on_both!(conn, |conn| diesel::insert_into(policy_versions::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(conn))?;
    Ok(())
}

fn activations(conn: &mut AnyConnection) -> Result<Vec<Activation>, DbError> {
    let rows = policy_activations::table.order(policy_activations::seq.desc()).limit(SHOWN_MAX).load::<(
        i64,
        String,
        String,
        String,
        i64,
    )>(conn)?;
    rows.into_iter()
        .map(|(seq, hash, grounds, by, at)| {
            Ok(Activation {
                seq,
                hash,
                grounds: Grounds::from_text(&grounds)?,
                by,
                at: Timestamp::from_ms(at),
            })
        })
        .collect()
}
