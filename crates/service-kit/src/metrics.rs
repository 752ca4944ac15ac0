//! Prometheus metrics that every service has, and the registry for its own.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

/// Upper bounds of the latency buckets, in seconds.
const LATENCY_BUCKETS_S: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    /// The route's pattern, never the path itself: a path may carry an id.
    route: String,
    status: u16,
}

/// The metrics of one service. Clones share the same registry.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    requests: Family<RequestLabels, Counter>,
    latency: Histogram,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// An empty set whose names begin with `prefix`, such as `guichet_tickets`.
    pub fn new(prefix: &str) -> Self {
        let mut registry = Registry::with_prefix(prefix);
        let requests = Family::default();
        let latency = Histogram::new(LATENCY_BUCKETS_S);
        registry.register("http_requests", "Answered HTTP requests", requests.clone());
        registry.register("http_request_seconds", "Time to answer an HTTP request", latency.clone());
        Self { registry: Arc::new(Mutex::new(registry)), requests, latency }
    }

    /// Adds a metric of the service's own.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).register(name, help, metric);
    }

    /// Counts one answered request.
    pub(crate) fn count_request(&self, method: &str, route: &str, status: u16, seconds: f64) {
        let labels = RequestLabels { method: method.to_owned(), route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        self.latency.observe(seconds);
    }

    /// All metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// Passes on what the formatter reports.
    pub fn to_text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_request_shows_up_under_its_route() {
        let metrics = Metrics::new("guichet_test");
        metrics.count_request("GET", "/tickets/{number}", 200, 0.002);
        let text = metrics.to_text().unwrap();
        let line =
            "guichet_test_http_requests_total{method=\"GET\",route=\"/tickets/{number}\",status=\"200\"} 1";
        assert!(text.contains(line), "{text}");
    }
}
