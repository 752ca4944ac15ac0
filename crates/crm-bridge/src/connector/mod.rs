//! Talks to the CRM: what may be asked ([`profile`], [`ask`]), how it is carried ([`client`], [`guard`]), how the
//! answer is read ([`projection`]). The CRM's host is known here and nowhere else.

pub mod ask;
pub mod client;
pub mod guard;
pub mod pointer;
pub mod profile;
pub mod projection;
pub mod trouble;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use self::ask::{PageMark, Question, Request};
use self::client::{Client, Failure, Reply};
use self::guard::Guard;
use self::profile::Profile;
use self::projection::{KeyWatch, Plan, Record, read_list, read_one};
use self::trouble::Trouble;
use crate::walls::Walls;

/// What came of a question.
pub struct Found {
    /// The records, listed members only.
    pub records: Vec<Record>,
    /// Where the next page begins.
    pub next: Option<PageMark>,
}

type Outcome = Result<Arc<Found>, Trouble>;
type UnderWay = Shared<BoxFuture<'static, Outcome>>;

/// The connector to one CRM. Clones share everything.
#[derive(Clone)]
pub struct Connector(Arc<Inner>);

struct Inner {
    client: Client,
    guard: Guard,
    profile: Profile,
    plan: Plan,
    watch: KeyWatch,
    database: Option<String>,
    walls: Walls,
    report: Box<dyn Fn(Result<(), Trouble>, f64) + Send + Sync>,
    under_way: Mutex<HashMap<Question, UnderWay>>,
}

/// What a connector is made of.
pub struct Parts {
    /// The HTTP client.
    pub client: Client,
    /// Breaker and limit.
    pub guard: Guard,
    /// How to ask.
    pub profile: Profile,
    /// What to ask for.
    pub plan: Plan,
    /// Watches for over-sharing.
    pub watch: KeyWatch,
    /// The CRM's database name, where its paths need one.
    pub database: Option<String>,
    /// Which walls stand.
    pub walls: Walls,
    /// Told how each request ended and how many seconds it took.
    pub report: Box<dyn Fn(Result<(), Trouble>, f64) + Send + Sync>,
}

impl Connector {
    /// A connector; nothing is asked yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { client, guard, profile, plan, watch, database, walls, report } = parts;
        let under_way = Mutex::default();
        Self(Arc::new(Inner { client, guard, profile, plan, watch, database, walls, report, under_way }))
    }

    /// Asks the CRM. Equal questions that are asked while one is under way share its answer.
    ///
    /// A record that is not there is an empty list.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn ask(&self, question: Question) -> Outcome {
        let answer = {
            let mut under_way = self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            match under_way.get(&question) {
                Some(answer) => answer.clone(),
                None => {
                    let answer = self.start(question.clone());
                    under_way.insert(question, answer.clone());
                    answer
                }
            }
        };
        answer.await
    }

    /// What the CRM has sent without being asked.
    #[must_use]
    pub fn watch(&self) -> &KeyWatch {
        &self.0.watch
    }

    /// The profile in use.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.0.profile
    }

    /// Whether the CRM is being left alone at present.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.0.guard.is_open()
    }

    /// Runs the request on its own, so that a caller who leaves does not take the others' answer away.
    fn start(&self, question: Question) -> UnderWay {
        let inner = Arc::clone(&self.0);
        let forget: Weak<Inner> = Arc::downgrade(&self.0);
        let task = tokio::spawn(async move {
            let outcome = inner.exchange(&question).await;
            if let Some(inner) = forget.upgrade() {
                inner.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&question);
            }
            outcome
        });
        task.map(|joined| joined.unwrap_or(Err(Trouble::Broken))).boxed().shared()
    }
}

impl Inner {
    async fn exchange(&self, question: &Question) -> Outcome {
        let request = Request::new(question, &self.profile, &self.plan, self.database.as_deref(), self.walls)
            .ok_or(Trouble::NotOffered)?;
        let turn = self.guard.turn().await?;
        let started = Instant::now();
        let outcome = match self.client.send(&request).await {
            Ok(reply) => self.read(question, reply).map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        (self.report)(
            outcome.as_ref().map(|_| ()).map_err(|failure| failure.trouble),
            started.elapsed().as_secs_f64(),
        );
        match outcome {
            Ok(found) => {
                turn.well();
                Ok(Arc::new(found))
            }
            Err(Failure { trouble, pause_ms }) => {
                // The reason is from a closed set; what the CRM said is not logged.
                tracing::warn!(crm.reason = trouble.as_str(), "the CRM could not be asked");
                if trouble.concerns_all() {
                    turn.failed(pause_ms)
                } else {
                    turn.well()
                }
                Err(trouble)
            }
        }
    }

    fn read(&self, question: &Question, reply: Reply) -> Result<Found, Trouble> {
        let nothing = Found { records: Vec::new(), next: None };
        let by_id = matches!(question, Question::ById(_));
        let answer = match reply {
            Reply::Body(answer) => answer,
            Reply::Nothing => return Ok(nothing),
            Reply::NotFound if by_id => return Ok(nothing),
            // A list that is not there is a wrong address, not an empty list.
            Reply::NotFound => return Err(Trouble::Refused),
        };
        if by_id {
            let record = read_one(&answer, &self.plan, &self.watch, self.walls)?;
            return Ok(Found { records: vec![record], next: None });
        }
        let (records, cursor) = read_list(&answer, &self.plan, &self.watch, self.walls)?;
        let next = match question {
            Question::Sample { size, from: PageMark::Offset(offset) } if self.plan_is_by_offset() => {
                (records.len() >= usize::from(*size)).then(|| PageMark::Offset(offset + u32::from(*size)))
            }
            _ => cursor.map(PageMark::Cursor),
        };
        Ok(Found { records, next })
    }

    fn plan_is_by_offset(&self) -> bool {
        matches!(self.profile.person.paging, profile::Paging::Offset { .. })
    }
}
