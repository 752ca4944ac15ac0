//! Log set-up: readable lines for people, JSON for collectors.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// Section `[telemetry]` of a configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// `text` or `json`.
    pub format: LogFormat,
    /// Which events are written, in the syntax of tracing's `EnvFilter`, such as `info` or `info,crm_bridge=debug`.
    pub filter: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Readable lines.
    Text,
    /// One JSON object a line.
    Json,
}

/// The filter is not in the syntax of `EnvFilter`, or logging has been set up before.
#[derive(Debug, thiserror::Error)]
#[error("the log can't be set up: {0}. Check [telemetry] filter, for example `info`")]
pub struct TelemetryError(String);

/// Starts writing the log to standard error.
///
/// # Errors
/// [`TelemetryError`] with the reason.
pub fn init(config: &TelemetryConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.filter).map_err(|error| TelemetryError(error.to_string()))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).try_init(),
    }
    .map_err(|error| TelemetryError(error.to_string()))
}
