//! The two questions that the bridge answers, and the request to show a masked field: [`resolve`], [`show_card`],
//! [`reveal`]. Each takes a checked grant; none knows HTTP.

pub mod agreed_keys;
pub mod audit;
pub mod ceiling;
mod copied;
pub mod crm_api;
pub mod customer_changes;
pub mod dry_run;
mod error;
mod exit;
pub mod field_labels;
mod kept;
mod look;
mod metrics;
pub mod oversight;
mod packed;
pub mod policies;
pub mod profile_test;
pub mod prove;
pub mod resolve;
pub mod reveal;
pub mod same_crm;
pub mod show_card;
pub mod sync;
pub mod webhooks;
mod whereabouts;

use audit_log::Event;
use audit_log::chain::PublicKey;
use bridge_contract::{PolicyHash as PolicyHashText, PolicyStamp};
use service_kit::{Clock, Ids};

pub use self::error::BridgeError;
pub use self::kept::Readings;
pub use self::metrics::BridgeMetrics;
use crate::connector::Connector;
use crate::policy::Policy;
use crate::policy::value::PhoneRules;
use crate::store::Store;
use crate::store::vault::Vault;
use crate::walls::Walls;

/// How long cards are good for.
#[derive(Debug, Clone, Copy)]
pub struct CacheLimits {
    /// A card younger than this is shown without asking the CRM.
    pub fresh_ms: i64,
    /// A card older than this is not shown and is removed.
    pub age_max_ms: i64,
}

/// Everything that the use cases need. Made once, shared by all requests.
#[derive(Clone)]
pub struct Bridge {
    /// What may be shown.
    pub policy: std::sync::Arc<Policy>,
    /// The CRM.
    pub connector: Connector,
    /// The database.
    pub store: Store,
    /// The keys.
    pub vault: Vault,
    /// How national numbers are read.
    pub phones: PhoneRules,
    /// How long cards are good for.
    pub cache: CacheLimits,
    /// Budgets, and what supervisors are told.
    pub rules: std::sync::Arc<crate::oversight::Rules>,
    /// What all operators together may see.
    pub ceiling: std::sync::Arc<ceiling::Ceiling>,
    /// The public key of the ticket service's audit log, if the settings name it.
    pub other_audit_key: Option<PublicKey>,
    /// Following the CRM, where that is done.
    pub sync: Option<sync::Sync>,
    /// Which walls stand.
    pub walls: Walls,
    /// What is counted.
    pub metrics: BridgeMetrics,
    /// The time.
    pub clock: Clock,
    /// Ids and random values.
    pub ids: Ids,
    /// What goes the other way, to the CRM.
    pub outward: crm_api::Outward,
}

impl Bridge {
    /// Under which CRM customers are filed: the profile's name.
    pub(crate) fn source(&self) -> &str {
        &self.connector.profile().head.name
    }

    /// An event of now, under the policy in force, in the request at hand.
    pub(crate) fn event(&self, actor: &str, action: &'static str) -> Event {
        let policy = Some(self.policy.hash().to_string());
        let event = Event::new(self.clock.now(), actor, action);
        Event { policy, ..event }.request(service_kit::http::current_request_id())
    }

    /// What is asked for and how it is read: another policy, profile or setting is another plan.
    fn plan_name(&self) -> &str {
        self.connector.plans().name()
    }

    fn policy_stamp(&self) -> Result<PolicyStamp, BridgeError> {
        let hash = PolicyHashText::new(self.policy.hash().as_str())
            .map_err(|_| BridgeError::Internal("policy hash"))?;
        Ok(PolicyStamp { number: self.policy.number, hash })
    }
}
