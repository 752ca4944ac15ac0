//! The way to the ticket service, for the one thing that the bridge asks of it: to open a ticket on an order of the CRM.

use std::time::Duration;

use bridge_contract::{BridgeGrant, OpenedTicket, TicketOrder};
use reqwest::{Client, Response, Url};
use service_kit::token::{KeyError, Signer, read_key_file};
use service_kit::{Clock, Ids};

use crate::app::crm_api::CrmApiConfig;

/// The other way round than for what the ticket service signs.
const ISSUER: &str = "crm-bridge";
const AUDIENCE: &str = "ticket-service";
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Why an order was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderTrouble {
    /// What is ordered can't be a ticket.
    Invalid,
    /// It may be sent again, under the same id.
    Away(&'static str),
}

/// Sends orders. Clones share the connections.
#[derive(Clone, Debug)]
pub struct Orders {
    http: Client,
    address: Url,
    signer: Signer,
}

impl Orders {
    /// The way that the settings name; none if they name no ticket service.
    ///
    /// # Errors
    /// A sentence with the setting that is wrong.
    pub fn from_config(config: &CrmApiConfig, clock: Clock, ids: Ids) -> Result<Option<Self>, String> {
        if config.ticket_service_url.is_empty() {
            return Ok(None);
        }
        let base = Url::parse(&config.ticket_service_url)
            .ok()
            .filter(|base| matches!(base.scheme(), "http" | "https") && base.has_host())
            .ok_or("crm_api.ticket_service_url is no address; write http:// or https://, host and port")?;
        let address = base
            .join("api/v1/bridge/tickets")
            .map_err(|_| "crm_api.ticket_service_url is no address".to_owned())?;
        let key = |error: KeyError| {
            format!("crm_api.signing_key_file: {error}; make a pair with `crm-bridge keys generate-pair`")
        };
        let private = read_key_file(&config.signing_key_file).map_err(key)?;
        let signer = Signer::new(&private, ISSUER, AUDIENCE, clock, ids).map_err(key)?;
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(Duration::from_millis(config.ticket_service_timeout_ms))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .pool_max_idle_per_host(4)
            .build()
            .map_err(|_| "the client for the ticket service could not be built".to_owned())?;
        Ok(Some(Self { http, address, signer }))
    }

    /// Has a ticket opened; its number.
    ///
    /// # Errors
    /// [`OrderTrouble`].
    pub async fn open(&self, order: &TicketOrder) -> Result<u64, OrderTrouble> {
        let grant =
            BridgeGrant::OpenTicket { order: order.order.clone(), customer_ref: order.customer_ref.clone() };
        let token = self.signer.sign(grant).map_err(|_| OrderTrouble::Away("no token could be signed"))?;
        let request = self.http.post(self.address.clone()).bearer_auth(token.expose()).json(order);
        let answer = request.send().await.map_err(|error| {
            OrderTrouble::Away(if error.is_timeout() {
                "it does not answer in time"
            } else {
                "it can't be reached"
            })
        })?;
        match answer.status().as_u16() {
            200..300 => {}
            422 => return Err(OrderTrouble::Invalid),
            401 | 403 | 404 => {
                tracing::error!(
                    "the ticket service does not take the bridge's orders; check its [bridge] verify_key_file and the \
                     clocks of both machines"
                );
                return Err(OrderTrouble::Away("it does not take the bridge's orders"));
            }
            _ => return Err(OrderTrouble::Away("it reported an error of its own")),
        }
        let body = read(answer).await?;
        let opened: OpenedTicket = serde_json::from_slice(&body)
            .map_err(|_| OrderTrouble::Away("its answer does not fit the contract"))?;
        Ok(opened.ticket)
    }
}

async fn read(mut answer: Response) -> Result<Vec<u8>, OrderTrouble> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|_| OrderTrouble::Away("the connection broke"))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(OrderTrouble::Away("its answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
