//! What the other direction counts. Words from closed sets, never a customer or an address.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use service_kit::metrics::Metrics;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    operation: &'static str,
    outcome: &'static str,
}

/// The metrics of the other direction. Clones share the numbers.
#[derive(Debug, Clone)]
pub struct OutwardMetrics {
    events: Family<Outcome, Counter>,
    calls: Family<Call, Counter>,
    unknown: Counter,
    deliveries: Family<Outcome, Counter>,
    waiting: Gauge,
    dead: Gauge,
}

impl OutwardMetrics {
    /// Registers them.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let own = Self {
            events: Family::default(),
            calls: Family::default(),
            unknown: Counter::default(),
            deliveries: Family::default(),
            waiting: Gauge::default(),
            dead: Gauge::default(),
        };
        metrics.register("ticket_events", "Events of tickets that came, by outcome", own.events.clone());
        metrics.register("crm_calls", "Calls of the CRM by operation and outcome", own.calls.clone());
        metrics.register(
            "crm_unknown_customers",
            "Calls of the CRM for customers that are not known",
            own.unknown.clone(),
        );
        metrics.register("deliveries", "Attempts to deliver to the CRM by outcome", own.deliveries.clone());
        metrics.register("deliveries_waiting", "Deliveries that wait", own.waiting.clone());
        metrics.register(
            "deliveries_dead",
            "Deliveries that failed too often and wait for people",
            own.dead.clone(),
        );
        own
    }

    pub(super) fn event(&self, outcome: &'static str) {
        self.events.get_or_create(&Outcome { outcome }).inc();
    }

    pub(super) fn call(&self, operation: &'static str, outcome: &'static str) {
        self.calls.get_or_create(&Call { operation, outcome }).inc();
    }

    pub(super) fn unknown_customer(&self) {
        self.unknown.inc();
    }

    /// An attempt to deliver ended.
    pub fn delivery(&self, outcome: &'static str) {
        self.deliveries.get_or_create(&Outcome { outcome }).inc();
    }

    /// So many deliveries were dead for too long.
    pub fn given_up(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.deliveries.get_or_create(&Outcome { outcome: "given_up" }).inc_by(count);
    }

    /// How much waits, and how much waits for people.
    pub fn backlog(&self, waiting: i64, dead: i64) {
        self.waiting.set(waiting);
        self.dead.set(dead);
    }
}
