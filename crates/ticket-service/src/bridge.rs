//! The way to the CRM bridge: asks who wrote and has a card shown. Nothing that comes back is kept or logged here.

mod agreed;

use std::time::Duration;

use bridge_contract::{
    AuditAnswer, AuditHead, AuditQuestion, BrokenGlass, CardQuestion, ChangesAnswer, ChangesQuestion,
    CustomerCard, CustomerChange, CustomerRef, EventReceipt, FieldKey, Grant, LookupEmail, LookupPhone,
    OversightAnswer, OversightAsk, OversightFound, OversightQuestion, Purpose, ResolveAnswer, ResolveOutcome,
    ResolveQuestion, RevealQuestion, RevealedField, TicketEvent, Version, ViewerId, ViewerRole,
};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use service_kit::token::{KeyError, Signer, Verifier, read_key_file};
use service_kit::{Clock, Ids, Secret};

use self::agreed::{Agreed, Agreements};
use crate::config::BridgeConfig;
use crate::domain::TicketNumber;
use crate::error::TicketError;

const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// A longer answer is not read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The same for a page of oversight, which has no value of a customer.
const PAGE_BYTES_MAX: usize = 256 * 1024;
const OVERSIGHT: &str = "v1/oversight";
const CONNECTIONS_IDLE_MAX: usize = 16;
const ISSUER: &str = "ticket-service";
const AUDIENCE: &str = "crm-bridge";

/// Why the way to the bridge can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum BridgeSetupError {
    /// The address is none.
    #[error("[bridge] url is not an address: write http:// or https://, host and port")]
    Url,
    /// The key can't be used.
    #[error("[bridge] signing_key_file: {0}")]
    Key(#[from] KeyError),
    /// The bridge's key can't be used.
    #[error("[bridge] verify_key_file: {0}")]
    VerifyKey(KeyError),
    /// The HTTP client can't be built.
    #[error("the HTTP client for the bridge can't be built: {0}")]
    Client(#[from] reqwest::Error),
}

/// Why the bridge did not answer the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BridgeError {
    /// The bridge does not accept what this service signs: keys or clocks do not fit.
    #[error("the bridge refused the grant; check its verify_key_file and the clocks of both machines")]
    GrantRefused,
    /// There is no such customer, or it was never found for this ticket.
    #[error("the bridge does not know this customer for this ticket")]
    CustomerUnknown,
    /// The customer was erased in the CRM.
    #[error("the customer was erased")]
    CustomerErased,
    /// The role may not have this field shown.
    #[error("the field may not be shown to this role")]
    FieldNotRevealable,
    /// What was asked by is neither a mail address nor a phone number to the bridge.
    #[error("the bridge can't look anybody up by that")]
    LookupMissing,
    /// The heads of both audit logs do not fit each other.
    #[error(
        "the bridge says that one of both audit logs was cut off, rewritten or set back; run `audit verify` in both"
    )]
    AuditConflict,
    /// The operator has looked at too many customers; when the next may be looked at.
    #[error("the viewing budget is spent for another {retry_after_s} s")]
    BudgetSpent {
        /// In seconds.
        retry_after_s: u64,
    },
    /// No reason opens another card today.
    #[error("the glass was broken as often as a day allows")]
    BreakGlassSpent {
        /// Until the day ends, in seconds.
        retry_after_s: u64,
    },
    /// There is no such notice.
    #[error("there is no such notice")]
    NoticeUnknown,
    /// A supervisor can't acknowledge a notice about themselves.
    #[error("the notice is about the supervisor themselves")]
    OwnNotice,
    /// The CRM does not answer the bridge, or the bridge does not answer in time or not in the agreed words.
    #[error("no customer data just now: {0}")]
    Unavailable(&'static str),
}

impl BridgeError {
    /// The code, the status for our caller, and what it means. The first of a kind is the one that we tell.
    const CODES: [(&'static str, u16, Self); 10] = [
        ("audit_head_conflict", 409, Self::AuditConflict),
        ("grant_refused", 403, Self::GrantRefused),
        ("token_invalid", 403, Self::GrantRefused),
        ("lookup_missing", 422, Self::LookupMissing),
        ("customer_unknown", 404, Self::CustomerUnknown),
        ("customer_erased", 410, Self::CustomerErased),
        ("field_not_revealable", 403, Self::FieldNotRevealable),
        ("viewing_budget_spent", 429, Self::BudgetSpent { retry_after_s: 0 }),
        ("break_glass_spent", 429, Self::BreakGlassSpent { retry_after_s: 0 }),
        ("crm_unavailable", 503, Self::Unavailable("the CRM does not answer the bridge")),
    ];

    fn from_code(code: &str) -> Self {
        match code {
            "notice_unknown" => return Self::NoticeUnknown,
            "own_notice" => return Self::OwnNotice,
            _ => {}
        }
        Self::CODES
            .into_iter()
            .find(|(known, ..)| *known == code)
            .map_or(Self::Unavailable("the bridge reported a problem of its own"), |(.., error)| error)
    }
}

impl BridgeError {
    /// The same, with what the header `Retry-After` said.
    fn after(self, seconds: u64) -> Self {
        match self {
            Self::BudgetSpent { .. } => Self::BudgetSpent { retry_after_s: seconds },
            Self::BreakGlassSpent { .. } => Self::BreakGlassSpent { retry_after_s: seconds },
            other => other,
        }
    }
}

impl From<BridgeError> for TicketError {
    fn from(error: BridgeError) -> Self {
        match error {
            BridgeError::NoticeUnknown => return Self::NotFound("notice"),
            BridgeError::OwnNotice => {
                return Self::Forbidden("This is about yourself. Another supervisor has to acknowledge it.");
            }
            BridgeError::BudgetSpent { retry_after_s } => {
                return Self::BudgetSpent { code: "viewing_budget_spent", retry_after_s };
            }
            BridgeError::BreakGlassSpent { retry_after_s } => {
                return Self::BudgetSpent { code: "break_glass_spent", retry_after_s };
            }
            _ => {}
        }
        let same_kind = |other: &BridgeError| std::mem::discriminant(other) == std::mem::discriminant(&error);
        let (code, status) = BridgeError::CODES
            .into_iter()
            .find(|(_, _, known)| same_kind(known))
            .map_or(("crm_unavailable", 503), |(code, status, _)| (code, status));
        Self::Bridge { code: code.to_owned(), status }
    }
}

/// The operator at the screen.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// Their id.
    pub operator: ViewerId,
    /// Their role.
    pub role: ViewerRole,
}

/// Speaks with the bridge. Clones share the connections.
#[derive(Clone, Debug)]
pub struct BridgeClient {
    http: Client,
    base: Url,
    signer: Signer,
    agreements: Agreements,
    clock: Clock,
    ids: Ids,
}

/// Checks what the bridge signs; none if the configuration has no key of it.
///
/// # Errors
/// [`BridgeSetupError::VerifyKey`].
pub fn verifier(config: &BridgeConfig, clock: Clock) -> Result<Option<Verifier>, BridgeSetupError> {
    if config.verify_key_file.as_os_str().is_empty() {
        return Ok(None);
    }
    let key = read_key_file(&config.verify_key_file).map_err(BridgeSetupError::VerifyKey)?;
    // The other way round than for what this service signs.
    let verifier = Verifier::new(key.expose(), AUDIENCE, ISSUER, clock);
    verifier.map(Some).map_err(BridgeSetupError::VerifyKey)
}

/// The only thing read of a problem.
#[derive(Deserialize)]
struct ProblemCode {
    code: String,
}

impl BridgeClient {
    /// The client that the configuration asks for; none if it names no bridge.
    ///
    /// # Errors
    /// [`BridgeSetupError`] with the setting that is wrong.
    pub fn from_config(
        config: &BridgeConfig,
        clock: Clock,
        ids: Ids,
    ) -> Result<Option<Self>, BridgeSetupError> {
        if config.url.is_empty() {
            return Ok(None);
        }
        let key = read_key_file(&config.signing_key_file)?;
        let timeout = Duration::from_millis(config.timeout_ms);
        Self::new(&config.url, &key, timeout, clock, ids).map(Some)
    }

    /// A client for the bridge at `url` that signs with this key (PKCS#8 PEM).
    ///
    /// # Errors
    /// [`BridgeSetupError`].
    pub fn new(
        url: &str,
        key: &Secret,
        timeout: Duration,
        clock: Clock,
        ids: Ids,
    ) -> Result<Self, BridgeSetupError> {
        let base =
            Url::parse(url).ok().filter(|base| matches!(base.scheme(), "http" | "https") && base.has_host());
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            .redirect(Policy::none())
            .no_proxy()
            .no_gzip()
            .pool_max_idle_per_host(CONNECTIONS_IDLE_MAX)
            .build()?;
        let signer = Signer::new(key, ISSUER, AUDIENCE, clock.clone(), ids.clone())?;
        let base = base.ok_or(BridgeSetupError::Url)?;
        Ok(Self { http, base, signer, agreements: Agreements::default(), clock, ids })
    }

    /// Who has this address or phone number?
    ///
    /// # Errors
    /// Any [`BridgeError`].
    pub async fn resolve(
        &self,
        ticket: TicketNumber,
        email: Option<LookupEmail>,
        phone: Option<LookupPhone>,
        operator: Option<ViewerId>,
        request_id: &str,
    ) -> Result<ResolveOutcome, BridgeError> {
        let ticket = number_on_the_wire(ticket);
        let question = ResolveQuestion { version: Version, ticket, email, phone };
        // Whoever gave the address is named, so that guessing does not go unnoticed.
        let purpose = operator.map_or(Purpose::Resolve {}, |operator| Purpose::LookUp { operator });
        let grant = Grant { ticket, purpose };
        let answer: ResolveAnswer = self.ask("v1/resolve", grant, &question, request_id).await?;
        Ok(answer.outcome)
    }

    /// What may this operator see of the customer? With a reason also beyond the operator's viewing budget.
    ///
    /// # Errors
    /// Any [`BridgeError`].
    pub async fn card(
        &self,
        viewer: &Viewer,
        ticket: TicketNumber,
        customer_ref: &CustomerRef,
        glass: Option<&BrokenGlass>,
        request_id: &str,
    ) -> Result<CustomerCard, BridgeError> {
        let ticket = number_on_the_wire(ticket);
        let question = CardQuestion { version: Version, ticket, customer_ref: customer_ref.clone() };
        let Viewer { operator, role } = viewer.clone();
        let customer = customer_ref.clone();
        let purpose = match glass.cloned() {
            None => Purpose::Card { operator, role, customer_ref: customer },
            Some(BrokenGlass { ground, reason }) => {
                Purpose::BreakGlass { operator, role, customer_ref: customer, ground, reason }
            }
        };
        let card: CustomerCard =
            self.ask("v1/card", Grant { ticket, purpose }, &question, request_id).await?;
        if card.customer_ref == *customer_ref {
            Ok(card)
        } else {
            Err(BridgeError::Unavailable("the bridge answered with another customer"))
        }
    }

    /// What oversight has to say: to a supervisor, or to this service's own review if nobody is named.
    ///
    /// # Errors
    /// Any [`BridgeError`].
    pub async fn oversight(
        &self,
        supervisor: Option<&ViewerId>,
        ask: OversightAsk,
        request_id: &str,
    ) -> Result<OversightFound, BridgeError> {
        let purpose = supervisor.cloned().map_or(Purpose::Review {}, |operator| Purpose::Oversight {
            operator,
            role: ViewerRole::Supervisor,
        });
        let question = OversightQuestion { version: Version, ask };
        let grant = Grant { ticket: 0, purpose };
        let answer: OversightAnswer = self.ask(OVERSIGHT, grant, &question, request_id).await?;
        Ok(answer.found)
    }

    /// Which customers were erased or merged after that change?
    ///
    /// # Errors
    /// Any [`BridgeError`].
    pub async fn changes(&self, after: u64, request_id: &str) -> Result<Vec<CustomerChange>, BridgeError> {
        let question = ChangesQuestion { version: Version, after };
        let grant = Grant { ticket: 0, purpose: Purpose::Changes {} };
        let answer: ChangesAnswer = self.ask("v1/customer-changes", grant, &question, request_id).await?;
        Ok(answer.changes)
    }

    /// Shows one masked field in clear; the bridge records it.
    ///
    /// # Errors
    /// Any [`BridgeError`].
    pub async fn reveal(
        &self,
        viewer: &Viewer,
        ticket: TicketNumber,
        customer_ref: &CustomerRef,
        field: &FieldKey,
        request_id: &str,
    ) -> Result<RevealedField, BridgeError> {
        let ticket = number_on_the_wire(ticket);
        let (customer_ref, field) = (customer_ref.clone(), field.clone());
        let Viewer { operator, role } = viewer.clone();
        let question = RevealQuestion {
            version: Version,
            ticket,
            customer_ref: customer_ref.clone(),
            field: field.clone(),
        };
        let purpose = Purpose::Reveal { operator, role, customer_ref, field };
        let revealed: RevealedField =
            self.ask("v1/reveal", Grant { ticket, purpose }, &question, request_id).await?;
        if revealed.field.key == question.field {
            Ok(revealed)
        } else {
            Err(BridgeError::Unavailable("the bridge answered with another field"))
        }
    }

    /// Hands over a head of this service's audit log and takes the bridge's; without a head asks which it has, from a
    /// place in its list on.
    ///
    /// # Errors
    /// Any [`BridgeError`]; [`BridgeError::AuditConflict`] if one of both logs is not what it was.
    pub async fn audit_head(
        &self,
        head: Option<AuditHead>,
        after: u64,
        request_id: &str,
    ) -> Result<AuditAnswer, BridgeError> {
        let grant = Grant { ticket: 0, purpose: Purpose::AuditHead {} };
        self.ask("v1/audit/head", grant, &AuditQuestion { version: Version, head, after }, request_id).await
    }

    /// Tells what became of a ticket; `Ok` means that it need not be told again.
    ///
    /// # Errors
    /// Any [`BridgeError`].
    pub async fn ticket_event(&self, event: &TicketEvent, request_id: &str) -> Result<(), BridgeError> {
        let purpose = Purpose::TicketEvent { sequence: event.sequence };
        let grant = Grant { ticket: event.ticket, purpose };
        let _receipt: EventReceipt = self.ask("v1/ticket-events", grant, event, request_id).await?;
        Ok(())
    }

    async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        grant: Grant,
        question: &Q,
        request_id: &str,
    ) -> Result<A, BridgeError> {
        // Under a signature alone a key is agreed on.
        let agreed = if path == agreed::PATH { None } else { self.agreements.current(self.clock.now()) };
        let mut answer = self.send(path, &grant, agreed.as_ref(), question, request_id).await?;
        if let Some(agreed) = agreed
            && answer.status() == StatusCode::UNAUTHORIZED
        {
            self.agreements.forget(&agreed.id);
            answer = self.send(path, &grant, None, question, request_id).await?;
        }
        self.agree_if_due();
        let status = answer.status();
        let wait = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let bytes_max = if path == OVERSIGHT { PAGE_BYTES_MAX } else { ANSWER_BYTES_MAX };
        let body = read(answer, bytes_max).await?;
        if status.is_success() {
            // What does not fit the contract may hold anything, so the reason is not repeated.
            return serde_json::from_slice(&body)
                .map_err(|_| BridgeError::Unavailable("the bridge's answer does not fit the contract"));
        }
        Err(match serde_json::from_slice::<ProblemCode>(&body) {
            Ok(problem) => BridgeError::from_code(&problem.code).after(wait.unwrap_or(60)),
            Err(_) => BridgeError::Unavailable("the bridge's answer is not of a bridge"),
        })
    }
}

impl BridgeClient {
    async fn send<Q: Serialize>(
        &self,
        path: &str,
        grant: &Grant,
        agreed: Option<&Agreed>,
        question: &Q,
        request_id: &str,
    ) -> Result<Response, BridgeError> {
        let address = self.base.join(path).map_err(|_| BridgeError::Unavailable("its address is wrong"))?;
        let token = match agreed {
            Some(agreed) => self.signer.sign_agreed(grant, &agreed.key, agreed.id.as_str()),
            None => self.signer.sign(grant),
        };
        let token = token.map_err(|_| BridgeError::Unavailable("no grant could be signed"))?;
        let request = self.http.post(address).bearer_auth(token.expose()).header("x-request-id", request_id);
        request.json(question).send().await.map_err(|error| failed(&error))
    }
}

async fn read(mut answer: Response, bytes_max: usize) -> Result<Vec<u8>, BridgeError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(BridgeError::Unavailable("the bridge's answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failed(error: &reqwest::Error) -> BridgeError {
    BridgeError::Unavailable(if error.is_timeout() {
        "the bridge does not answer in time"
    } else if error.is_connect() {
        "the bridge can't be reached"
    } else {
        "the connection to the bridge broke"
    })
}

fn number_on_the_wire(ticket: TicketNumber) -> u64 {
    u64::try_from(ticket.0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_bridge_is_told_with_its_own_status() {
        for (code, status, error) in BridgeError::CODES {
            assert_eq!(BridgeError::from_code(code), error);
            let told = TicketError::from(error).problem();
            assert_eq!((told.status(), told.code()), (status, "customer_data_unavailable"));
        }
        assert!(matches!(BridgeError::from_code("internal_error"), BridgeError::Unavailable(_)));
    }

    #[test]
    fn only_a_web_address_leads_to_a_bridge() {
        let clock = Clock::system();
        let ids = Ids::seeded(clock.clone(), 1);
        let (key, _) = service_kit::token::generate_key_pair(&ids).unwrap();
        let client = |url: &str| BridgeClient::new(url, &key, CONNECT_TIMEOUT, clock.clone(), ids.clone());
        assert!(client("http://127.0.0.1:8090").is_ok());
        for wrong in ["", "127.0.0.1:8090", "file:///etc/passwd", "ftp://x", "http://"] {
            assert!(client(wrong).is_err(), "{wrong}");
        }
    }
}
