//! Talks to the CRM: what may be asked ([`profile`], [`ask`]), how it is carried ([`client`], [`guard`]), how the
//! answer is read ([`projection`]). The CRM's host is known here and nowhere else.

pub mod ask;
pub mod auth;
mod background;
mod buried;
pub mod client;
#[doc(hidden)]
pub mod fuzzing;
pub mod guard;
pub mod hook;
pub mod labels;
mod limiter;
pub mod net;
mod page;
mod pick;
mod pin;
pub mod plans;
pub mod plant;
mod pluck;
pub mod pointer;
pub mod profile;
pub mod projection;
mod reading;
mod settings;
pub mod sketch;
mod tell;
pub mod trouble;
mod whole;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use service_kit::Ids;

use self::ask::{Asker, PageMark, Priority, Question};
use self::client::{Answered, Client, Errand};
use self::guard::Guard;
use self::labels::FieldLabel;
use self::limiter::Limiter;
use self::plans::Plans;
use self::profile::{Operation, Profile, Purpose, Shape};
use self::projection::{KeyWatch, Plan, Record};
pub use self::settings::{Settings, SettingsGiven};
pub use self::tell::Activity;
use self::trouble::{Failure, Trouble};
use crate::policy::{Entity, Policy};
use crate::walls::Walls;

/// What came of a question.
#[derive(Default)]
pub struct Found {
    /// The records, listed members only.
    pub records: Vec<Record>,
    /// Where the next page begins.
    pub next: Option<PageMark>,
    /// Where the changes after this list begin, if the CRM hands out a mark for the next time.
    pub next_time: Option<PageMark>,
    /// The CRM gives no more records of this question than it has: go on with a later "since", or the next id.
    pub capped: bool,
    /// Whether the answer's headers spoke of a limit.
    pub limit_seen: bool,
    /// What time it was for the CRM when it answered (`Date`, RFC 9110, section 6.6.1), if it says so.
    pub crm_time: Option<service_kit::Timestamp>,
    /// How many records there are on all pages together, where the CRM says so.
    pub total: Option<u64>,
    /// What the CRM calls its fields, if that was the question.
    pub labels: Vec<FieldLabel>,
}

type Outcome = Result<Arc<Found>, Trouble>;
type UnderWay = Shared<BoxFuture<'static, Outcome>>;

/// The connector to one CRM. Clones share everything.
#[derive(Clone)]
pub struct Connector(Arc<Inner>);

struct Inner {
    line: Arc<Line>,
    plans: Plans,
    /// Questions under this plan; an answer to another plan's question would lack fields or have others.
    under_way: Mutex<HashMap<(Question, Priority), UnderWay>>,
}

/// The way to the CRM, which stays when the policy changes.
struct Line {
    client: Client,
    guard: Guard,
    limiter: Limiter,
    waits: Waits,
    profile: Profile,
    watch: KeyWatch,
    settings: Settings,
    walls: Walls,
    report: Box<dyn Fn(Result<(), Trouble>, f64) + Send + Sync>,
    ids: Ids,
}

impl Line {
    fn errand<'a>(&'a self, operation: &'a Operation, shape: &'a Shape) -> Errand<'a> {
        Errand { profile: &self.profile, settings: &self.settings, operation, shape, walls: self.walls }
    }
}

/// How long to wait and how often to try.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// How long a person's question waits for leave to be asked.
    pub look_up_ms: u64,
    /// How long one waits that nobody waits for.
    pub sync_ms: u64,
    /// How often what nobody waits for is tried again.
    pub retries_max: u32,
    /// Before the first retry; twice as long before each further one, give or take half.
    pub retry_pause_ms: u64,
}

/// What a connector is made of.
pub struct Parts {
    /// The HTTP client.
    pub client: Client,
    /// Breaker and limit.
    pub guard: Guard,
    /// How long to wait and how often to try.
    pub waits: Waits,
    /// How to ask.
    pub profile: Profile,
    /// What to ask for.
    pub plans: Plans,
    /// Watches for over-sharing.
    pub watch: KeyWatch,
    /// What the profile's holes for settings and secrets are filled with.
    pub settings: Settings,
    /// Which walls stand.
    pub walls: Walls,
    /// Told how each request ended and how many seconds it took.
    pub report: Box<dyn Fn(Result<(), Trouble>, f64) + Send + Sync>,
    /// Random values, for the pauses between retries.
    pub ids: Ids,
}

impl Connector {
    /// A connector; nothing is asked yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { client, guard, waits, profile, plans, watch, settings, walls, report, ids } = parts;
        let limiter = Limiter::new(&profile.limits);
        let line = Line { client, guard, limiter, waits, profile, watch, settings, walls, report, ids };
        Self(Arc::new(Inner { line: Arc::new(line), plans, under_way: Mutex::default() }))
    }

    /// The same connector, asking for what another policy lists. Questions under way end under the old one.
    #[must_use]
    pub fn under(&self, policy: &Policy) -> Self {
        let line = Arc::clone(&self.0.line);
        let plans = Plans::compile(policy, &line.profile, &line.settings, self.0.plans.limits());
        Self(Arc::new(Inner { line, plans, under_way: Mutex::default() }))
    }

    /// Asks the CRM for a person who waits. Equal questions that are asked while one is under way share its answer.
    ///
    /// A record that is not there is an empty list. People come with their company, also where that is a record of its
    /// own.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn ask(&self, question: Question) -> Outcome {
        self.ask_as(question, Priority::LookUp).await
    }

    /// Asks the CRM with that priority. What nobody waits for is tried again after a passing trouble, and leaves the
    /// companies of a page to a question of their own.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn ask_as(&self, question: Question, priority: Priority) -> Outcome {
        let answer = {
            let mut under_way = self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            // What a person waits for is more than the sync asks for and comes sooner, so only the sync joins the other.
            let equal = [Priority::LookUp, priority].map(|priority| (question.clone(), priority));
            match equal.iter().find_map(|equal| under_way.get(equal)) {
                Some(answer) => answer.clone(),
                None => {
                    let answer = self.start(question.clone(), priority);
                    under_way.insert((question, priority), answer.clone());
                    answer
                }
            }
        };
        answer.await
    }

    /// What a request for that purpose is made of, for whoever writes the profile: names of parameters and members, no value.
    #[must_use]
    pub fn made_of(&self, purpose: Purpose) -> Option<String> {
        let operation = self.0.line.profile.operation(purpose)?;
        let parameters: Vec<&str> = operation.query.keys().map(String::as_str).collect();
        let plan = self.0.plans.of(purpose, operation);
        let members: Vec<String> =
            plan.map(|plan| plan.selection().iter().map(|path| path.join(".")).collect()).unwrap_or_default();
        let method = operation.method.as_str();
        Some(format!("{method}, parameters {}; members {}", parameters.join(", "), members.join(", ")))
    }

    /// What the CRM has sent without being asked.
    #[must_use]
    pub fn watch(&self) -> &KeyWatch {
        &self.0.line.watch
    }

    /// The profile in use.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.0.line.profile
    }

    /// What is asked for.
    #[must_use]
    pub fn plans(&self) -> &Plans {
        &self.0.plans
    }

    /// Whether the CRM is being left alone at present.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.0.line.guard.is_open()
    }

    /// For how long the CRM is still left alone, in milliseconds; 0 if it is not.
    #[must_use]
    pub fn pause_left_ms(&self) -> i64 {
        self.0.line.guard.pause_left_ms()
    }

    /// Runs the request on its own, so that a caller who leaves does not take the others' answer away.
    fn start(&self, question: Question, priority: Priority) -> UnderWay {
        let connector = self.clone();
        let forget: Weak<Inner> = Arc::downgrade(&self.0);
        let task = tokio::spawn(async move {
            let outcome = connector.whole(&question, priority).await.map(Arc::new);
            drop(connector);
            if let Some(inner) = forget.upgrade() {
                inner.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&(question, priority));
            }
            outcome
        });
        task.map(|joined| joined.unwrap_or(Err(Trouble::Broken))).boxed().shared()
    }
}

impl Inner {
    /// Asks, and if nobody waits and the trouble is a passing one, again.
    async fn tried(&self, question: &Question, priority: Priority) -> Result<Found, Trouble> {
        let retries = if priority == Priority::Sync { self.line.waits.retries_max } else { 0 };
        let mut pause_ms = self.line.waits.retry_pause_ms.max(1);
        for _ in 0..retries {
            match self.once(question, priority).await {
                Err(trouble) if trouble.is_passing() && !self.line.guard.is_open() => {
                    // Half to one and a half of the pause, so that several copies do not come back at the same moment.
                    tokio::time::sleep(Duration::from_millis(pause_ms / 2 + self.line.ids.below(pause_ms)))
                        .await;
                    pause_ms = pause_ms.saturating_mul(2);
                }
                other => return other,
            }
        }
        self.once(question, priority).await
    }

    async fn once(&self, question: &Question, priority: Priority) -> Result<Found, Trouble> {
        let purpose = match question.purpose() {
            Purpose::Probe if self.line.profile.probe.is_none() => Purpose::Page(Entity::Person),
            other => other,
        };
        let operation = self.line.profile.operation(purpose).ok_or(Trouble::NotOffered)?;
        let plan = self.plans.of(purpose, operation);
        let selection = plan.map(Plan::selection).unwrap_or_default();
        let shape = self.line.profile.shape(operation);
        let fillings = self.line.settings.fillings();
        let asker = Asker { profile: &self.line.profile, fillings, walls: self.line.walls };
        let make = |credentials: &auth::Credentials| {
            asker.request(question, operation, selection, credentials.token.as_ref())
        };
        let record = matches!(question, Question::ById(..)).then(|| short_hash(question));
        self.guarded(operation, &shape, (priority, record), make, |answered| {
            self.read(question, operation, plan, &shape, answered)
        })
        .await
    }

    /// Sends one request when its turn has come, reads the answer, and tells guard, log and metrics how it went. `record` stands
    /// for the one record that it is about, if it is about one.
    async fn guarded<T>(
        &self,
        operation: &Operation,
        shape: &Shape,
        (priority, record): (Priority, Option<u64>),
        make: impl Fn(&auth::Credentials) -> Result<ask::Request, ask::Unaskable>,
        read: impl FnOnce(Answered) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let wait_ms =
            if priority == Priority::Sync { self.line.waits.sync_ms } else { self.line.waits.look_up_ms };
        let turn = self.line.guard.turn(priority).await?;
        self.line.limiter.leave(priority, wait_ms).await?;
        let started = Instant::now();
        let errand = self.line.errand(operation, shape);
        let outcome = match self.line.client.send(&errand, record.is_some(), make).await {
            Ok(answered) => read(answered).map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        (self.line.report)(
            outcome.as_ref().map(|_| ()).map_err(|failure| failure.trouble),
            started.elapsed().as_secs_f64(),
        );
        match outcome {
            Ok(found) => {
                turn.well();
                Ok(found)
            }
            Err(Failure { trouble, pause_ms }) => {
                // The reason is from a closed set; what the CRM said is not logged.
                tracing::warn!(crm.reason = trouble.as_str(), "the CRM could not be asked");
                #[cfg(feature = "sabotage")]
                if let Some(said) = self
                    .line
                    .client
                    .said
                    .lock()
                    .ok()
                    .filter(|_| !self.line.walls.stands(crate::walls::Wall::Closed))
                {
                    tracing::warn!(crm.said = said.as_str(), "the CRM has said");
                }
                match record.filter(|_| trouble.may_be_the_records() && pause_ms.is_none()) {
                    _ if !trouble.concerns_all() => turn.well(),
                    // A key that is not good for anything is found by whatever is about no single record.
                    Some(_) if trouble == Trouble::Credentials => turn.says_nothing(),
                    Some(record) => turn.failed_with(record),
                    None => turn.failed(pause_ms),
                }
                Err(trouble)
            }
        }
    }
}

/// Tells records apart in memory, without keeping their ids.
fn short_hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
