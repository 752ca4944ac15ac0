//! Propose, approve, activate.

use service_kit::{Secret, Timestamp};

use super::{PolicyTrouble, Rules, beside, kept, prove, read, valid_approvals, version};
use crate::connector::profile::Profile;
use crate::policy::Policy;
use crate::policy::approval::{PERSONS_NEEDED, sign};
use crate::policy::diff::{Change, changes, only_narrows};
use crate::store::Store;
use crate::store::policies::{Approval, Grounds, Version};

/// Who does it.
pub struct Person<'a> {
    /// The name, as in `policy.approvers` if that is used.
    pub name: &'a str,
    /// The private key in PEM; needed for two-person activation.
    pub key: Option<&'a Secret>,
}

/// A policy on its way.
#[derive(Debug)]
pub struct Proposed {
    /// The policy.
    pub policy: Policy,
    /// What it changes of the one in force; none if none is.
    pub changes: Option<Vec<Change>>,
    /// Who has signed it.
    pub approvals: Vec<Approval>,
    /// Signatures that it still needs.
    pub missing: usize,
}

/// Keeps a policy for activation and, in a two-person set-up, signs it.
///
/// # Errors
/// [`PolicyTrouble`]: it may not be used, or the person may not propose it.
pub async fn propose(
    store: &Store,
    rules: &Rules,
    profile: &Profile,
    body: &str,
    person: &Person<'_>,
    now: Timestamp,
) -> Result<Proposed, PolicyTrouble> {
    let policy = read(body, profile).map_err(PolicyTrouble::Refused)?;
    let hash = policy.hash().to_string();
    let signed = signed(rules, person, &hash, now)?;
    store.keep_policy(version(&policy, body, person.name, now)).await?;
    if let Some(approval) = signed {
        store.approve_policy(approval, beside(profile)).await?;
    }
    standing(store, rules, policy).await
}

/// Signs a kept policy.
///
/// # Errors
/// [`PolicyTrouble`].
pub async fn approve(
    store: &Store,
    rules: &Rules,
    profile: &Profile,
    which: &str,
    person: &Person<'_>,
    now: Timestamp,
) -> Result<Proposed, PolicyTrouble> {
    let version = the_one(store, which).await?;
    let policy = read(&version.body, profile).map_err(PolicyTrouble::Refused)?;
    super::same_hash(&policy, &version.hash)?;
    let Some(approval) = signed(rules, person, &version.hash, now)? else {
        return Err(PolicyTrouble::sentence(
            "approvals count where policy.two_persons is set; here `policy activate` is enough",
        ));
    };
    store.approve_policy(approval, beside(profile)).await?;
    standing(store, rules, policy).await
}

/// Brings a kept policy into force.
///
/// # Errors
/// [`PolicyTrouble`]: too few have signed it, or it may not be used with this CRM (any more).
pub async fn activate(
    store: &Store,
    rules: &Rules,
    profile: &Profile,
    which: Option<&str>,
    person: &Person<'_>,
    now: Timestamp,
) -> Result<Proposed, PolicyTrouble> {
    if !rules.from_database {
        return Err(PolicyTrouble::sentence(
            "policy.source is \"file\": the policy in force is the one in policy.file. Change that file (the running bridge takes it by \
             itself), or set policy.source = \"database\"",
        ));
    }
    let version = match which {
        Some(which) => the_one(store, which).await?,
        None => store.policies().await?.into_iter().next().ok_or_else(|| {
            PolicyTrouble::sentence("no policy has been proposed: `crm-bridge policy propose FILE --by NAME`")
        })?,
    };
    let policy = read(&version.body, profile).map_err(PolicyTrouble::Refused)?;
    super::same_hash(&policy, &version.hash)?;
    if let Some(approval) = signed(rules, person, &version.hash, now)? {
        store.approve_policy(approval, beside(profile)).await?;
    }
    let standing = standing(store, rules, policy).await?;
    if standing.missing > 0 {
        let signed: Vec<&str> =
            standing.approvals.iter().map(|approval| approval.approver.as_str()).collect();
        let signed = if signed.is_empty() {
            "nobody has".to_owned()
        } else {
            format!("only {} has", signed.join(", "))
        };
        return Err(PolicyTrouble::sentence(format!(
            "it widens what somebody sees, and {signed} signed it: a second person runs `crm-bridge policy approve {} --by NAME --key \
             FILE`",
            version.hash
        )));
    }
    let enough = standing.approvals.len() >= PERSONS_NEEDED;
    let grounds = match (rules.two_persons, enough) {
        (false, _) => Grounds::OnePerson,
        (true, true) => Grounds::Approvals,
        (true, false) => Grounds::Narrowing,
    };
    let before = store.policy_in_force().await?.map(|(last, _)| last.seq);
    if store
        .activate_policy(version.hash, grounds, person.name.to_owned(), now, before, beside(profile))
        .await?
    {
        return Ok(standing);
    }
    Err(PolicyTrouble::sentence(
        "another policy came into force meanwhile; look at `policy history` and try again",
    ))
}

/// The person's signature, where two persons are needed; none where not.
fn signed(
    rules: &Rules,
    person: &Person<'_>,
    hash: &str,
    now: Timestamp,
) -> Result<Option<Approval>, PolicyTrouble> {
    if person.name.trim().is_empty()
        || person.name.chars().count() > 80
        || person.name.chars().any(char::is_control)
    {
        return Err(PolicyTrouble::sentence("--by names a person, on one line of at most 80 letters"));
    }
    if !rules.two_persons {
        return Ok(None);
    }
    if !rules.approvers.knows(person.name) {
        let names: Vec<&str> = rules.approvers.names().collect();
        let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
        return Err(PolicyTrouble::sentence(format!(
            "{} is not among policy.approvers ({names}); add the name and the public key to the settings",
            person.name
        )));
    }
    let Some(key) = person.key else {
        return Err(PolicyTrouble::sentence(
            "policy.two_persons is set: sign with your private key, --key FILE",
        ));
    };
    let signed = sign(key, hash, person.name).map_err(PolicyTrouble::sentence)?;
    if !rules.approvers.accepts(hash, person.name, &signed.signature) {
        return Err(PolicyTrouble::sentence(format!(
            "this is not the key that stands under policy.approvers.{}",
            person.name
        )));
    }
    Ok(Some(Approval {
        hash: hash.to_owned(),
        approver: person.name.to_owned(),
        key_id: signed.key_id,
        signature: signed.signature,
        at: now,
    }))
}

/// What a policy changes and what it lacks.
async fn standing(store: &Store, rules: &Rules, policy: Policy) -> Result<Proposed, PolicyTrouble> {
    let hash = policy.hash().to_string();
    let in_force = store.policy_in_force().await?;
    let (changes, base_is_proven) = match &in_force {
        Some((last, version)) => {
            let found = changes(&kept(store, &version.hash).await?, &policy);
            (Some(found), prove(store, rules, last).await.is_ok())
        }
        None => (None, false),
    };
    let approvals = valid_approvals(store, rules, &hash).await?;
    let narrowing = changes.as_ref().is_some_and(|changes| only_narrows(changes)) && base_is_proven;
    let needed = match (rules.two_persons, narrowing && rules.narrowing_by_one) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => PERSONS_NEEDED,
    };
    Ok(Proposed { missing: needed.saturating_sub(approvals.len()), policy, changes, approvals })
}

/// The kept version that a person means.
pub(super) async fn the_one(store: &Store, which: &str) -> Result<Version, PolicyTrouble> {
    let found = store.find_policies(which.to_owned()).await?;
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(PolicyTrouble::sentence(format!(
            "no kept policy has the number or hash `{which}` (at least 8 hex digits); see `crm-bridge policy history`"
        ))),
        several => Err(PolicyTrouble::sentence(format!(
            "{} kept policies have the number {which}; name one by its hash: {}",
            several.len(),
            several.iter().map(|version| version.hash.as_str()).collect::<Vec<_>>().join(", ")
        ))),
    }
}
