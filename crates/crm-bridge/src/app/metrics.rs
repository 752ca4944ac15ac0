//! What the bridge counts. Names of fields and reasons, never values.

use audit_log::chain::{Report, Verdict};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use service_kit::metrics::Metrics;

use crate::connector::trouble::Trouble;
use crate::policy::value::Reason;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Withheld {
    field: String,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FeedName {
    feed: String,
}

/// The bridge's own metrics. Clones share the numbers.
#[derive(Debug, Clone)]
pub struct BridgeMetrics {
    crm_requests: Family<Outcome, Counter>,
    crm_seconds: Histogram,
    resolves: Family<Outcome, Counter>,
    cards: Family<Outcome, Counter>,
    withheld: Family<Withheld, Counter>,
    exit_stops: Family<Withheld, Counter>,
    policy_looks: Family<Outcome, Counter>,
    policy_number: Gauge,
    audit_unaltered: Gauge,
    audit_complete: Gauge,
    follow_trouble: Family<FeedName, Gauge>,
    hints_waiting: Gauge,
}

impl BridgeMetrics {
    /// Registers them.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let own = Self {
            crm_requests: Family::default(),
            crm_seconds: Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]),
            resolves: Family::default(),
            cards: Family::default(),
            withheld: Family::default(),
            exit_stops: Family::default(),
            policy_looks: Family::default(),
            policy_number: Gauge::default(),
            audit_unaltered: Gauge::default(),
            audit_complete: Gauge::default(),
            follow_trouble: Family::default(),
            hints_waiting: Gauge::default(),
        };
        metrics.register("crm_requests", "Requests to the CRM by outcome", own.crm_requests.clone());
        metrics.register("crm_request_seconds", "Time until the CRM had answered", own.crm_seconds.clone());
        metrics.register("resolves", "Look-ups of customers by outcome", own.resolves.clone());
        metrics.register("cards", "Questions for a card by outcome", own.cards.clone());
        metrics.register(
            "withheld_values",
            "Listed values that did not fit their type",
            own.withheld.clone(),
        );
        metrics.register(
            "exit_stops",
            "Fields that were stopped at the door; each is a fault of the bridge",
            own.exit_stops.clone(),
        );
        metrics.register(
            "policy_looks",
            "Newer field policies by what came of them",
            own.policy_looks.clone(),
        );
        metrics.register("policy_number", "Number of the field policy in force", own.policy_number.clone());
        let words = "by the last check of this process: 1 yes, 0 not proven or not checked yet, -1 no";
        metrics.register(
            "audit_unaltered",
            &format!("Whether the audit log is unaltered, {words}"),
            own.audit_unaltered.clone(),
        );
        metrics.register(
            "audit_complete",
            &format!("Whether the audit log is complete, {words}"),
            own.audit_complete.clone(),
        );
        let troubled =
            "For how long each feed of the CRM is in trouble, 0 if it is not; see crm-bridge sync status";
        metrics.register("follow_trouble_seconds", troubled, own.follow_trouble.clone());
        let waiting = "Records that a webhook or a child feed named and that wait to be fetched again";
        metrics.register("follow_hints_waiting", waiting, own.hints_waiting.clone());
        own
    }

    /// A request to the CRM ended.
    pub fn crm_request(&self, outcome: Result<(), Trouble>, seconds: f64) {
        let outcome = outcome.map_or_else(Trouble::as_str, |()| "ok");
        self.crm_requests.get_or_create(&Outcome { outcome }).inc();
        self.crm_seconds.observe(seconds);
    }

    /// A feed of the CRM is followed, or is in trouble for so long.
    pub(super) fn followed(&self, feed: &str, troubled_ms: Option<i64>) {
        // At least a second, so that a trouble of this moment shows.
        let seconds = troubled_ms.map_or(0, |ms| (ms / 1_000).max(1));
        self.follow_trouble.get_or_create(&FeedName { feed: feed.to_owned() }).set(seconds);
    }

    /// So many records wait to be fetched again.
    pub(super) fn waiting(&self, hints: i64) {
        self.hints_waiting.set(hints);
    }

    pub(super) fn policy_look(&self, outcome: &'static str) {
        self.policy_looks.get_or_create(&Outcome { outcome }).inc();
    }

    /// The number of the policy in force.
    pub fn policy_number(&self, number: u32) {
        self.policy_number.set(i64::from(number));
    }

    /// What a check of the audit log said.
    pub(super) fn audit_verified(&self, report: &Report) {
        let verdicts = [(&self.audit_unaltered, &report.unaltered), (&self.audit_complete, &report.complete)];
        for (gauge, verdict) in verdicts {
            gauge.set(match verdict {
                Verdict::Yes => 1,
                Verdict::Unproven(_) => 0,
                Verdict::No(_) => -1,
            });
        }
    }

    pub(super) fn resolve(&self, outcome: &'static str) {
        self.resolves.get_or_create(&Outcome { outcome }).inc();
    }

    pub(super) fn card(&self, outcome: &'static str) {
        self.cards.get_or_create(&Outcome { outcome }).inc();
    }

    pub(super) fn stopped_at_exit(&self, field: &str, reason: &'static str) {
        self.exit_stops.get_or_create(&Withheld { field: field.to_owned(), reason }).inc();
    }

    pub(super) fn withheld(&self, field: &str, reason: Reason) {
        self.withheld.get_or_create(&Withheld { field: field.to_owned(), reason: reason.as_str() }).inc();
    }
}
