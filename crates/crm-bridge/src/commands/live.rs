//! A connector for commands that ask the CRM themselves.

use anyhow::Result;
use crm_bridge::app::BridgeMetrics;
use crm_bridge::app::field_labels::{self, Judged};
use crm_bridge::config::Config;
use crm_bridge::connector::Connector;
use crm_bridge::connector::labels::Labels;
use crm_bridge::connector::profile::Profile;
use crm_bridge::policy::Policy;
use crm_bridge::start::{self, Around};
use service_kit::metrics::Metrics;
use service_kit::{Clock, Ids};

use super::{METRICS_PREFIX, open};

/// A connector that asks for what a policy lists.
pub(super) async fn connector(config: &Config, policy: &Policy, profile: Profile) -> Result<Connector> {
    let metrics = Metrics::new(METRICS_PREFIX);
    let counts = BridgeMetrics::new(&metrics);
    let clock = Clock::system();
    let ids = Ids::random(clock.clone());
    // Keys that change with each use are kept in the database; other CRMs are asked without it.
    let database = if profile.has_refresh_token() { Some(open(config).await?) } else { None };
    let around =
        Around { clock: &clock, ids: &ids, metrics: &metrics, counts: &counts, database: database.as_ref() };
    Ok(start::connector(config, policy, profile, &around)?)
}

/// What the CRM calls its fields, if `wanted`; says on standard error if it can't be asked.
pub(super) async fn labels(
    config: &Config,
    policy: &Policy,
    profile: &Profile,
    wanted: bool,
) -> Result<Option<Labels>> {
    if !wanted {
        return Ok(None);
    }
    let connector = connector(config, policy, profile.clone()).await?;
    let (labels, judged) = field_labels::ask(&connector).await;
    if !matches!(judged, Judged::Compared { .. }) {
        eprintln!("{}", judged.sentence());
    }
    Ok(labels)
}
