//! Starts and stops what the bridge does in the other direction: the listener for the CRM, and the courier.

use std::net::{SocketAddr, TcpListener};

use service_kit::Clock;
use service_kit::metrics::Metrics;
use service_kit::{Ids, Secret};
use tokio::task::JoinHandle;

use crate::app::Bridge;
use crate::app::crm_api::CrmApi;
use crate::app::sync::renew::Subscription;
use crate::app::webhooks::Webhooks;
use crate::config::Config;
use crate::connector::profile::Profile;
use crate::connector::profile::webhook::SignatureKind;
use crate::deliver::Courier;
use crate::deliver::orders::Orders;
use crate::http::crm::{CrmListener, serve};
use crate::start::{StartError, ticket_policy};
use crate::ticket_policy::TicketField;

/// What runs in the other direction.
#[derive(Default)]
pub struct OtherWay {
    /// Where the CRM is listened to, if anywhere.
    pub address: Option<SocketAddr>,
    stop_listening: Option<Box<dyn FnOnce() -> JoinHandle<()>>>,
    courier: Option<JoinHandle<()>>,
}

impl OtherWay {
    /// Finishes requests under way; a delivery under way is made again after the next start.
    pub async fn stop(self) {
        if let Some(courier) = self.courier {
            courier.abort();
        }
        if let Some(stop) = self.stop_listening
            && let Err(error) = stop().await
        {
            tracing::error!(error = %error, "the listener for the CRM ended badly");
        }
    }
}

/// Starts the courier and, if the settings name an address, the listener. Call it on a local set.
///
/// # Errors
/// [`StartError`] with the setting that is wrong.
pub async fn start(config: &Config, bridge: &Bridge, metrics: &Metrics) -> Result<OtherWay, StartError> {
    // What a former policy listed and this one does not is removed before anybody can ask.
    let withheld = match &bridge.outward.policy {
        Some(policy) => policy.withheld(),
        None => TicketField::ALL.to_vec(),
    };
    check_webhooks(config, bridge.connector.profile())?;
    bridge.store.withhold(withheld).await.map_err(|error| StartError(error.to_string()))?;
    let mut running = OtherWay::default();
    if bridge.outward.policy.is_some() {
        let courier = Courier::new(bridge.clone(), &config.crm_api)?;
        running.courier = Some(tokio::task::spawn_local(courier.run()));
    }
    let Some(listen) = config.crm_api.address()? else { return Ok(running) };
    let port = TcpListener::bind(listen)
        .map_err(|error| StartError(format!("crm_api.listen: can't listen on {listen}: {error}")))?;
    running.address = port.local_addr().ok();
    let listener = listener(config, bridge, metrics)?;
    let failed = |error: std::io::Error| StartError(format!("crm_api.listen: {error}"));
    let server = serve(listener, config.server.shutdown_timeout_s, port).map_err(failed)?;
    let handle = server.handle();
    let server = tokio::task::spawn_local(server);
    running.stop_listening = Some(Box::new(move || {
        tokio::task::spawn_local(async move {
            handle.stop(true).await;
            drop(server.await);
        })
    }));
    Ok(running)
}

/// What the listener for the CRM needs.
///
/// # Errors
/// [`StartError`] with the setting that is wrong.
pub fn listener(config: &Config, bridge: &Bridge, metrics: &Metrics) -> Result<CrmListener, StartError> {
    let settings = &config.crm_api;
    let orders = Orders::from_config(settings, bridge.clock.clone(), bridge.ids.clone())?;
    let frame_ancestors = settings.frame_ancestors()?;
    check_time_zone(&settings.panel_time_zone)?;
    let api = CrmApi::new(bridge.clone(), settings.clone(), orders);
    let secret = config.webhook_secret()?;
    let webhooks = Webhooks::new(config.webhooks.clone(), secret, bridge.clock.clone(), metrics);
    Ok(CrmListener { api, metrics: metrics.clone(), webhooks, frame_ancestors })
}

/// Whether the settings of the other direction can be used.
///
/// # Errors
/// A sentence with the setting that is wrong.
pub fn check(config: &Config, clock: &Clock) -> Result<(), String> {
    ticket_policy(config).map_err(|error| error.to_string())?;
    let settings = &config.crm_api;
    settings.address()?;
    settings.frame_ancestors()?;
    check_time_zone(&settings.panel_time_zone)?;
    check_webhooks(config, &config.profile()?)?;
    Orders::from_config(settings, clock.clone(), Ids::random(clock.clone())).map(drop)
}

/// The shortest path of webhooks. Where nothing is signed, to know the path is all that it takes.
const PATH_LETTERS_MIN: usize = 12;
const UNSIGNED_PATH_LETTERS_MIN: usize = 24;

/// Whether webhooks that the settings ask for can be taken.
fn check_webhooks(config: &Config, profile: &Profile) -> Result<(), String> {
    let path = config.webhooks.path.expose();
    if path.is_empty() {
        return Ok(());
    }
    let title = &profile.head.title;
    if config.crm_api.address()?.is_none() {
        return Err("webhooks.path is set, and nobody listens: set crm_api.listen, too".to_owned());
    }
    let Some(hook) = &profile.webhook else {
        return Err(format!(
            "webhooks.path is set, and the profile of {title} has no [webhook]: take webhooks.path out"
        ));
    };
    let signed = hook.signature.kind != SignatureKind::None;
    if signed && config.webhook_secret()?.is_none() {
        return Err(format!(
            "webhooks.path is set: set crm.secrets.webhook, too, to the key that {title} signs with"
        ));
    }
    if hook.renew.is_some() && config.webhooks.renew && !config.crm_api.public_url.starts_with("https://") {
        return Err(format!(
            "webhooks.path is set, and {title} is told where to send: set crm_api.public_url to the https address by which it \
             reaches this bridge, or webhooks.renew = false"
        ));
    }
    let least = if signed { PATH_LETTERS_MIN } else { UNSIGNED_PATH_LETTERS_MIN };
    if path.chars().count() < least {
        return Err(format!(
            "webhooks.path has fewer than {least} letters and can be guessed: take 32 random ones, such as `openssl rand -hex 16`"
        ));
    }
    Ok(())
}

/// The subscription to the CRM's webhooks, if the bridge is to renew it.
#[must_use]
pub fn subscription(config: &Config, profile: &Profile) -> Option<Subscription> {
    let path = config.webhooks.path.expose();
    let is_renewed = profile.webhook.as_ref().is_some_and(|hook| hook.renew.is_some());
    let wanted = is_renewed && config.webhooks.renew && config.sync.enabled && !path.is_empty();
    let base = config.crm_api.public_url.trim_end_matches('/');
    wanted.then(|| Subscription::new(Secret::new(format!("{base}/hooks/{path}"))))
}

/// What is good to know of settings that can be used.
#[must_use]
pub fn advice(config: &Config, profile: &Profile) -> Option<String> {
    profile.webhook.as_ref()?.renew.as_ref()?;
    if subscription(config, profile).is_some() {
        return None;
    }
    let (setting, wish) = match config.webhooks.path.expose() {
        "" => ("webhooks.path is empty", "set it"),
        _ if config.webhooks.renew => ("sync.enabled is false", "set it to true"),
        _ => ("webhooks.renew is false", "set it to true"),
    };
    Some(format!(
        "note: {title} ends a subscription to its webhooks after a while, and the bridge does not renew it, as {setting}. Changes are \
         seen with the next look for them, every {every} s; to hear of them at once, {wish}",
        title = profile.head.title,
        every = config.sync.interval_s,
    ))
}

fn check_time_zone(name: &str) -> Result<(), String> {
    let wrong = |_| {
        format!("crm_api.panel_time_zone: {} is no time zone, such as Europe/Helsinki", name.escape_default())
    };
    jiff::tz::TimeZone::get(name).map(drop).map_err(wrong)
}
