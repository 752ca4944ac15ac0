//! Asks the driven bridge everything that a ticket service can ask, rightly and wrongly.

use std::time::Duration;

use bridge_contract::{CustomerRef, FieldKey, Grant, Ground, Purpose, Reason, ViewerId, ViewerRole};
use serde_json::{Value, json};
use service_kit::token::{Signer, generate_key_pair};
use service_kit::{Clock, Ids};

use super::ProveError;
use super::look::{PlaceKind, Scope};
use super::wire::{Answer, Call, Tape};
use crate::policy::view::{Access, access};
use crate::policy::{Field, Policy};

/// Some CRMs find a new record only after a while: how often one asks again, and how long one waits between.
const RESOLVES_MAX: usize = 20;
const RESOLVE_PAUSE: Duration = Duration::from_secs(3);

/// A planted person.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) email: String,
    pub(super) phone: Option<String>,
    /// The CRM's id, where the program itself made the record.
    pub(super) crm_id: Option<String>,
}

/// A person as the bridge knows them.
pub(super) struct Known {
    pub(super) ticket: u64,
    pub(super) customer_ref: CustomerRef,
}

/// What the questions are asked with.
pub(super) struct Asker<'a> {
    pub(super) address: &'a str,
    pub(super) signer: &'a Signer,
    pub(super) policy: &'a Policy,
    pub(super) tape: &'a mut Tape,
}

fn internal(error: impl std::fmt::Display) -> ProveError {
    ProveError::new(format!("a question could not be made: {error}"))
}

/// Somebody of that role; another one for each ticket, so that no budget is spent.
fn operator(role: ViewerRole, ticket: u64) -> Result<ViewerId, ProveError> {
    ViewerId::new(format!("opr_0193prove{}{ticket}", role.as_str())).map_err(internal)
}

impl Asker<'_> {
    async fn ask(
        &mut self,
        path: &str,
        grant: &Grant,
        body: &Value,
        scope: Scope,
    ) -> Result<Answer, ProveError> {
        let token = self.signer.sign(grant).map_err(internal)?;
        self.ask_with(path, Some(token.expose()), &body.to_string(), scope).await
    }

    async fn ask_with(
        &mut self,
        path: &str,
        token: Option<&str>,
        body: &str,
        scope: Scope,
    ) -> Result<Answer, ProveError> {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let call = Call { method: "POST", path, headers: &headers, body: body.as_bytes() };
        self.tape.call(self.address, &call, PlaceKind::Answer, scope).await
    }

    async fn resolve(&mut self, ticket: u64, by: Value) -> Result<Answer, ProveError> {
        let mut body = json!({ "version": 1, "ticket": ticket });
        if let (Some(body), Value::Object(by)) = (body.as_object_mut(), by) {
            body.extend(by);
        }
        let grant = Grant { ticket, purpose: Purpose::Resolve {} };
        self.ask("/v1/resolve", &grant, &body, Scope::AtRest).await
    }

    /// Looks a person up, by address and by number.
    pub(super) async fn look_up(&mut self, ticket: u64, person: &Person) -> Result<Known, ProveError> {
        let mut answer = self.resolve(ticket, json!({ "email": person.email })).await?;
        for _ in 0..RESOLVES_MAX {
            if answer.json()["outcome"]["kind"] == "matched" {
                break;
            }
            tokio::time::sleep(RESOLVE_PAUSE).await;
            answer = self.resolve(ticket, json!({ "email": person.email })).await?;
        }
        let answer = answer.json();
        let Some(customer_ref) = answer["outcome"]["customer_ref"].as_str() else {
            return Err(ProveError::new(
                "the planted person is not found by their mail address: see `crm-bridge profile test`, and by_email and match of \
                 the profile"
                    .to_owned(),
            ));
        };
        let customer_ref = CustomerRef::new(customer_ref).map_err(internal)?;
        if let Some(phone) = &person.phone {
            self.resolve(ticket + 500, json!({ "phone": phone })).await?;
        }
        Ok(Known { ticket, customer_ref })
    }

    /// The card for a role; answers the status.
    pub(super) async fn card(&mut self, known: &Known, role: ViewerRole) -> Result<Answer, ProveError> {
        self.card_of(known, role, operator(role, known.ticket)?).await
    }

    async fn card_of(
        &mut self,
        known: &Known,
        role: ViewerRole,
        operator: ViewerId,
    ) -> Result<Answer, ProveError> {
        let customer_ref = known.customer_ref.clone();
        let grant = Grant { ticket: known.ticket, purpose: Purpose::Card { operator, role, customer_ref } };
        self.ask("/v1/card", &grant, &question(known), Scope::Role(role)).await
    }

    /// The card for every role, and every masked field shown on request; refused where it must be.
    pub(super) async fn all_views(&mut self, known: &Known) -> Result<(), ProveError> {
        let fields: Vec<Field> = self.policy.fields.clone();
        for role in ViewerRole::ALL {
            let card = self.card(known, role).await?;
            if card.status != 200 {
                return Err(ProveError::new(format!(
                    "the card of a planted person could not be shown to {} (status {}): see `crm-bridge profile test`",
                    role.as_str(),
                    card.status
                )));
            }
            for field in &fields {
                let key = FieldKey::new(field.key.as_str()).map_err(internal)?;
                let scope = match access(field, role) {
                    Access::Masked { reveal: true } => Scope::Reveal(role, field.key.clone()),
                    _ => Scope::Role(role),
                };
                let customer_ref = known.customer_ref.clone();
                let purpose = Purpose::Reveal {
                    operator: operator(role, known.ticket)?,
                    role,
                    customer_ref,
                    field: key,
                };
                let mut body = question(known);
                body["field"] = json!(field.key);
                self.ask("/v1/reveal", &Grant { ticket: known.ticket, purpose }, &body, scope).await?;
            }
        }
        Ok(())
    }

    /// Questions that must be refused. Answers those that were not.
    pub(super) async fn wrongly(
        &mut self,
        known: &Known,
        clock: &Clock,
        ids: &Ids,
    ) -> Result<Vec<String>, ProveError> {
        let mut taken = Vec::new();
        let (line1, customer_ref) = (ViewerRole::Line1, known.customer_ref.clone());
        let card = |ticket: u64, customer_ref: CustomerRef| -> Result<Grant, ProveError> {
            let purpose = Purpose::Card { operator: operator(line1, ticket)?, role: line1, customer_ref };
            Ok(Grant { ticket, purpose })
        };
        let nobody = CustomerRef::new("cus_00000000000000000000000000000000").map_err(internal)?;
        let right = card(known.ticket, customer_ref.clone())?;
        let other = Known { ticket: known.ticket + 7000, customer_ref: customer_ref.clone() };
        let strange = Known { ticket: known.ticket, customer_ref: nobody.clone() };
        let (foreign_key, _) = generate_key_pair(ids).map_err(internal)?;
        let foreign = Signer::new(&foreign_key, "ticket-service", "crm-bridge", clock.clone(), ids.clone());
        let foreign = foreign.map_err(internal)?.sign(&right).map_err(internal)?;
        let mine = self.signer.sign(&right).map_err(internal)?;
        let cut: String = mine.expose().chars().take(60).collect();
        let sign = |grant: &Value| self.signer.sign(grant).map_err(internal);
        let admin = sign(
            &json!({ "ticket": known.ticket, "purpose": { "kind": "card", "operator": "opr_0193prove", "role": "admin",
            "customer_ref": known.customer_ref } }),
        )?;
        let all = sign(&json!({ "ticket": known.ticket, "purpose": { "kind": "resolve", "all": true } }))?;
        let elsewhere = self.signer.sign(&card(other.ticket, customer_ref)?).map_err(internal)?;
        let of_nobody = self.signer.sign(&card(known.ticket, nobody)?).map_err(internal)?;
        let resolve = self
            .signer
            .sign(Grant { ticket: known.ticket, purpose: Purpose::Resolve {} })
            .map_err(internal)?;
        let (right_question, more) = (question(known).to_string(), {
            let mut more = question(known);
            more["fields"] = json!(["deals", "iban"]);
            more.to_string()
        });
        let tries: Vec<(&str, Option<&str>, String)> = vec![
            ("no token", None, right_question.clone()),
            ("a token that is none", Some("nonsense"), right_question.clone()),
            ("a token that is cut off", Some(&cut), right_question.clone()),
            ("a token that somebody else signed", Some(foreign.expose()), right_question.clone()),
            ("the role of an administrator", Some(admin.expose()), right_question.clone()),
            ("a grant with an unknown member", Some(all.expose()), right_question.clone()),
            ("a grant for something else", Some(resolve.expose()), right_question),
            ("another ticket's grant", Some(elsewhere.expose()), question(known).to_string()),
            ("a customer of another ticket", Some(elsewhere.expose()), question(&other).to_string()),
            ("a customer that nobody knows", Some(of_nobody.expose()), question(&strange).to_string()),
            ("a question with more members", Some(mine.expose()), more),
            ("a question that is no JSON", Some(mine.expose()), "{\"version\":1,".to_owned()),
            (
                "a question that is too large",
                Some(mine.expose()),
                format!("{{\"x\":\"{}\"}}", "x".repeat(100_000)),
            ),
        ];
        for (what, token, body) in tries {
            let answer = self.ask_with("/v1/card", token, &body, Scope::AtRest).await?;
            if answer.status < 400 {
                taken.push(what.to_owned());
            }
        }
        Ok(taken)
    }

    /// Addresses that nobody in the CRM has, and one that an operator gave.
    pub(super) async fn strangers(
        &mut self,
        ids: &Ids,
        known: &Known,
        person: &Person,
    ) -> Result<(), ProveError> {
        let nobody = format!("nobody-{}@nowhere.example", ids.token(6).to_lowercase());
        self.resolve(known.ticket + 900, json!({ "email": nobody })).await?;
        self.resolve(known.ticket + 901, json!({ "email": "' OR 1=1 --@nowhere.example" })).await?;
        self.resolve(known.ticket + 902, json!({ "phone": "+99900000000" })).await?;
        let purpose = Purpose::LookUp { operator: operator(ViewerRole::Line1, known.ticket)? };
        let body = json!({ "version": 1, "ticket": known.ticket, "email": person.email });
        self.ask("/v1/resolve", &Grant { ticket: known.ticket, purpose }, &body, Scope::AtRest).await?;
        Ok(())
    }

    /// Somebody new is looked up while the CRM fails.
    pub(super) async fn unknown_now(&mut self, number: u64) -> Result<(), ProveError> {
        self.resolve(5000 + number, json!({ "email": format!("somebody{number}@nowhere.example") })).await?;
        self.resolve(6000 + number, json!({ "phone": format!("+9990000000{number}") })).await?;
        self.tape.call(self.address, &Call::get("/health/ready"), PlaceKind::Answer, Scope::AtRest).await?;
        Ok(())
    }

    /// An operator of the third line, whose budget is one customer, looks at two; then with a reason. Answers whether the
    /// second look was refused and the reason taken.
    pub(super) async fn budget(&mut self, one: &Known, two: &Known) -> Result<bool, ProveError> {
        let role = ViewerRole::Line3;
        let spender = ViewerId::new("opr_0193provespender").map_err(internal)?;
        self.card_of(one, role, spender.clone()).await?;
        let refused = self.card_of(two, role, spender.clone()).await?.status == 429;
        let purpose = Purpose::BreakGlass {
            operator: spender,
            role,
            customer_ref: two.customer_ref.clone(),
            ground: Ground::Other,
            reason: Reason::new("A run of crm-bridge prove tries this out.").map_err(internal)?,
        };
        let opened = self
            .ask("/v1/card", &Grant { ticket: two.ticket, purpose }, &question(two), Scope::Role(role))
            .await?;
        Ok(refused && opened.status == 200)
    }

    /// The supervisors' page, the ticket service's own questions, and what became of a ticket.
    pub(super) async fn around(&mut self, known: &Known, clock: &Clock) -> Result<(), ProveError> {
        let supervisor = || -> Result<Grant, ProveError> {
            let role = ViewerRole::Supervisor;
            Ok(Grant { ticket: 0, purpose: Purpose::Oversight { operator: operator(role, 0)?, role } })
        };
        for ask in [
            json!({ "kind": "looks" }),
            json!({ "kind": "looks", "ticket": known.ticket }),
            json!({ "kind": "budgets" }),
            json!({ "kind": "notices", "anomalies": false, "open": false }),
            json!({ "kind": "notices", "anomalies": true, "open": true }),
        ] {
            let body = json!({ "version": 1, "ask": ask });
            self.ask("/v1/oversight", &supervisor()?, &body, Scope::AtRest).await?;
        }
        let changes = Grant { ticket: 0, purpose: Purpose::Changes {} };
        self.ask("/v1/customer-changes", &changes, &json!({ "version": 1, "after": 0 }), Scope::AtRest)
            .await?;
        let head = Grant { ticket: 0, purpose: Purpose::AuditHead {} };
        self.ask("/v1/audit/head", &head, &json!({ "version": 1 }), Scope::AtRest).await?;
        let now = clock.now().to_string();
        let summary = json!({ "subject": "A question", "status": "open", "priority": "normal", "line": 1, "created_at": now,
            "updated_at": now, "public_messages": 1 });
        let news = json!({ "kind": "changed", "change": "linked", "customer_ref": known.customer_ref, "summary": summary });
        let event = json!({ "version": 1, "ticket": known.ticket, "sequence": 1, "at": now, "news": news });
        let grant = Grant { ticket: known.ticket, purpose: Purpose::TicketEvent { sequence: 1 } };
        self.ask("/v1/ticket-events", &grant, &event, Scope::AtRest).await?;
        Ok(())
    }

    /// What needs no grant.
    pub(super) async fn open_doors(&mut self) -> Result<(), ProveError> {
        for path in [
            "/metrics",
            "/health/live",
            "/health/ready",
            "/api/docs/",
            "/api/openapi.json",
            "/none",
            "/v1/card",
        ] {
            let kind = if path == "/metrics" { PlaceKind::Metrics } else { PlaceKind::Answer };
            self.tape.call(self.address, &Call::get(path), kind, Scope::AtRest).await?;
        }
        Ok(())
    }
}

fn question(known: &Known) -> Value {
    json!({ "version": 1, "ticket": known.ticket, "customer_ref": known.customer_ref })
}
