//! Which policy is in force: proposed, approved, activated, and proven again by every node that takes it from the database.

mod live;
mod steps;

use db_kit::DbError;
use service_kit::Timestamp;

pub use self::live::{Live, Reload};
pub use self::steps::{Person, Proposed, activate, approve, propose};
use crate::connector::profile::Profile;
use crate::policy::approval::{Approvers, PERSONS_NEEDED};
use crate::policy::diff::{changes, only_narrows};
use crate::policy::{Policy, check, load};
use crate::store::Store;
use crate::store::policies::{Activation, Approval, Beside, Grounds, Version};
use crate::walls::{Wall, Walls};

/// How a policy comes into force, from the settings.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// From the database, where `policy activate` puts it; else from the settings' file.
    pub from_database: bool,
    /// Whether it takes two persons.
    pub two_persons: bool,
    /// Whether one is enough when nobody sees more than before.
    pub narrowing_by_one: bool,
    /// Who may approve.
    pub approvers: Approvers,
}

/// Why a policy does not come into force.
#[derive(Debug, thiserror::Error)]
pub enum PolicyTrouble {
    /// It may not: all reasons, a line each, with what to do.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl PolicyTrouble {
    fn sentence(text: impl Into<String>) -> Self {
        Self::Refused(vec![text.into()])
    }
}

/// Reads a policy and checks whether it may be used with this CRM.
///
/// # Errors
/// All that is wrong, a line each.
pub fn read(text: &str, profile: &Profile) -> Result<Policy, Vec<String>> {
    read_behind(text, profile, Walls::standing())
}

/// The same behind walls of which a test build may have taken away the lexicon.
///
/// # Errors
/// All that is wrong, a sentence each.
pub fn read_behind(text: &str, profile: &Profile, walls: Walls) -> Result<Policy, Vec<String>> {
    let policy =
        load::load(text).map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let remarks = check::check(&policy, profile).map_err(|error| vec![error])?;
    if check::passes(&remarks) || !walls.stands(Wall::Lexicon) {
        return Ok(policy);
    }
    let refused = remarks.iter().filter(|remark| remark.refused);
    Err(refused.map(|remark| format!("line {}: {}", remark.line, remark.message)).collect())
}

/// Remembers that the policy of the settings' file is in force, if it was another before.
///
/// # Errors
/// [`DbError`].
pub async fn record_file(
    store: &Store,
    policy: &Policy,
    profile: &Profile,
    body: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let by = "settings file";
    store.keep_policy(version(policy, body, by, now)).await?;
    let last = store.policy_in_force().await?.map(|(last, _)| last);
    if last.as_ref().is_none_or(|last| last.hash != policy.hash().as_str()) {
        let hash = policy.hash().to_string();
        let after = last.map(|last| last.seq);
        store.activate_policy(hash, Grounds::File, by.to_owned(), now, after, beside(profile)).await?;
    }
    Ok(())
}

/// The policy that the database says is in force, if it is proven to be.
///
/// # Errors
/// [`PolicyTrouble`].
pub async fn in_force(store: &Store, rules: &Rules, profile: &Profile) -> Result<Policy, PolicyTrouble> {
    let Some((last, version)) = store.policy_in_force().await? else {
        return Err(PolicyTrouble::sentence(
            "no policy is in force: `crm-bridge policy propose FILE --by NAME`, then `policy activate --by NAME` (with \
             policy.two_persons a second person's `policy approve` between them)",
        ));
    };
    prove(store, rules, &last).await?;
    let policy = read(&version.body, profile).map_err(PolicyTrouble::Refused)?;
    same_hash(&policy, &version.hash)?;
    Ok(policy)
}

fn beside(profile: &Profile) -> Beside {
    Beside { profile: profile.head.name.clone(), sha256: profile.digests.whole.clone() }
}

fn same_hash(policy: &Policy, hash: &str) -> Result<(), PolicyTrouble> {
    if policy.hash().as_str() == hash {
        return Ok(());
    }
    Err(PolicyTrouble::sentence(format!("the policy kept under {hash} has been altered; propose it again")))
}

fn version(policy: &Policy, body: &str, by: &str, now: Timestamp) -> Version {
    Version {
        hash: policy.hash().to_string(),
        name: policy.name.clone(),
        number: policy.number,
        body: body.to_owned(),
        kept_at: now,
        kept_by: by.to_owned(),
    }
}

/// The approvals whose signatures are right, one for each person.
///
/// # Errors
/// [`DbError`].
pub async fn valid_approvals(store: &Store, rules: &Rules, hash: &str) -> Result<Vec<Approval>, DbError> {
    let approvals = store.approvals(hash.to_owned()).await?;
    let valid = |approval: &Approval| rules.approvers.accepts(hash, &approval.approver, &approval.signature);
    Ok(approvals.into_iter().filter(valid).collect())
}

/// Whether the rules allow what the database says was activated. Where only narrowing was needed, what was narrowed must be
/// proven, too.
async fn prove(store: &Store, rules: &Rules, last: &Activation) -> Result<(), PolicyTrouble> {
    if !rules.two_persons {
        return Ok(());
    }
    let history = store.activations().await?;
    let mut rest = history.iter().skip_while(|activation| activation.seq != last.seq);
    while let Some(activation) = rest.next() {
        let hash = &activation.hash;
        let signed = valid_approvals(store, rules, hash).await?.len();
        if signed >= PERSONS_NEEDED {
            return Ok(());
        }
        let Some(before) = rest.clone().next() else { break };
        let narrowed = activation.grounds == Grounds::Narrowing && rules.narrowing_by_one && signed > 0;
        if !narrowed || !narrows(store, &before.hash, hash).await? {
            break;
        }
    }
    Err(PolicyTrouble::sentence(format!(
        "the policy in force ({}) is not signed by two persons of policy.approvers: let two approve it with `crm-bridge policy \
         approve {} --by NAME --key FILE`, then `policy activate`",
        last.hash, last.hash
    )))
}

async fn narrows(store: &Store, before: &str, after: &str) -> Result<bool, PolicyTrouble> {
    let (before, after) = (kept(store, before).await?, kept(store, after).await?);
    Ok(only_narrows(&changes(&before, &after)))
}

/// A kept policy by its whole hash.
async fn kept(store: &Store, hash: &str) -> Result<Policy, PolicyTrouble> {
    let version =
        store.find_policies(hash.to_owned()).await?.into_iter().find(|version| version.hash == hash);
    let version = version.ok_or_else(|| PolicyTrouble::sentence(format!("the policy {hash} is not kept")))?;
    let policy = load::load(&version.body)
        .map_err(|errors| PolicyTrouble::Refused(errors.iter().map(ToString::to_string).collect()))?;
    same_hash(&policy, hash)?;
    Ok(policy)
}
