//! Talks to the CRM: what may be asked ([`profile`], [`ask`]), how it is carried ([`client`], [`guard`]), how the
//! answer is read ([`projection`]). The CRM's host is known here and nowhere else.

pub mod ask;
pub mod client;
pub mod guard;
pub mod plans;
pub mod pointer;
pub mod profile;
pub mod projection;
pub mod trouble;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use service_kit::Secret;

use self::ask::{Asker, Begin, Fillings, PageMark, Question};
use self::client::{Client, Failure, Reply};
use self::guard::Guard;
use self::plans::Plans;
use self::profile::paging::PagingKind;
use self::profile::time::Times;
use self::profile::{Operation, Profile, Purpose};
use self::projection::{KeyWatch, Page, Record, read_list, read_one};
use self::trouble::Trouble;
use crate::policy::{Entity, Policy};
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
    client: Arc<Client>,
    guard: Arc<Guard>,
    profile: Arc<Profile>,
    plans: Plans,
    watch: Arc<KeyWatch>,
    fillings: Fillings,
    walls: Walls,
    report: Arc<dyn Fn(Result<(), Trouble>, f64) + Send + Sync>,
    /// Questions under this plan; an answer to another plan's question would lack fields or have others.
    under_way: Mutex<HashMap<Question, UnderWay>>,
}

/// What the administrator has set for this CRM and what a profile's holes are filled with. No `Debug`: keys are among it.
#[derive(Clone, Default)]
pub struct Settings(Fillings);

/// What the administrator has set for this CRM, as it stands in the settings.
#[derive(Default)]
pub struct SettingsGiven {
    /// The key.
    pub secret: Option<Secret>,
    /// Further keys by name.
    pub secrets: BTreeMap<String, Secret>,
    /// Everything else.
    pub settings: BTreeMap<String, String>,
}

impl Settings {
    /// What is given, compared with what the profile wants.
    ///
    /// # Errors
    /// All that is missing, unknown or not usable, in sentences.
    pub fn new(profile: &Profile, given: SettingsGiven) -> Result<Self, String> {
        let mut faults = Vec::new();
        for (name, description) in &profile.settings {
            match given.settings.get(name).map(|value| value.trim()) {
                None | Some("") => {
                    faults.push(format!("{} needs crm.settings.{name}: {description}", profile.head.title))
                }
                Some(value) if value.len() > 256 || value.chars().any(char::is_control) => {
                    faults.push(format!("crm.settings.{name} is one line of at most 256 letters"));
                }
                Some(_) => {}
            }
        }
        for name in given.settings.keys().filter(|name| !profile.settings.contains_key(*name)) {
            faults.push(format!("{} knows no crm.settings.{name}; take it out", profile.head.title));
        }
        let SettingsGiven { secret, secrets, settings } = given;
        let mut fillings = Fillings { secret, secrets, settings, ..Fillings::default() };
        let zone = ask::setting_text(&fillings, &profile.time.zone);
        match zone.map_or_else(
            || Err("time.zone can't be filled in".to_owned()),
            |zone| Times::new(profile.time.in_requests(), &zone),
        ) {
            Ok(times) => fillings.times = times,
            Err(_) if !faults.is_empty() => {}
            Err(fault) => faults.push(fault),
        }
        if faults.is_empty() { Ok(Self(fillings)) } else { Err(faults.join("\n")) }
    }

    fn pen(&self) -> ask::Pen<'_> {
        ask::Pen::plain(&self.0)
    }

    /// How times are written in requests.
    #[must_use]
    pub fn times(&self) -> &Times {
        &self.0.times
    }
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
    pub plans: Plans,
    /// Watches for over-sharing.
    pub watch: KeyWatch,
    /// What the profile's holes for settings and secrets are filled with.
    pub settings: Settings,
    /// Which walls stand.
    pub walls: Walls,
    /// Told how each request ended and how many seconds it took.
    pub report: Box<dyn Fn(Result<(), Trouble>, f64) + Send + Sync>,
}

impl Connector {
    /// A connector; nothing is asked yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { client, guard, profile, plans, watch, settings, walls, report } = parts;
        Self(Arc::new(Inner {
            client: Arc::new(client),
            guard: Arc::new(guard),
            profile: Arc::new(profile),
            plans,
            watch: Arc::new(watch),
            fillings: settings.0,
            walls,
            report: Arc::from(report),
            under_way: Mutex::default(),
        }))
    }

    /// The same connector, asking for what another policy lists. Questions under way end under the old one.
    #[must_use]
    pub fn under(&self, policy: &Policy) -> Self {
        let inner = &*self.0;
        Self(Arc::new(Inner {
            client: Arc::clone(&inner.client),
            guard: Arc::clone(&inner.guard),
            profile: Arc::clone(&inner.profile),
            plans: Plans::compile(policy, &inner.profile, inner.plans.limits())
                .in_zone(inner.fillings.times.zone()),
            watch: Arc::clone(&inner.watch),
            fillings: inner.fillings.clone(),
            walls: inner.walls,
            report: Arc::clone(&inner.report),
            under_way: Mutex::default(),
        }))
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
        let purpose = match question.purpose() {
            Purpose::Probe if self.profile.probe.is_none() => Purpose::Page(Entity::Person),
            other => other,
        };
        let operation = self.profile.operation(purpose).ok_or(Trouble::NotOffered)?;
        let plan = self.plans.of(purpose, operation).ok_or(Trouble::NotOffered)?;
        let asker = Asker { profile: &self.profile, fillings: &self.fillings, walls: self.walls };
        let request = asker.request(question, operation, plan.selection()).map_err(|_| Trouble::Unaskable)?;
        let turn = self.guard.turn().await?;
        let started = Instant::now();
        let outcome = match self.client.send(&request).await {
            Ok(reply) => self.read(question, operation, plan, reply).map_err(Failure::from),
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

    fn read(
        &self,
        question: &Question,
        operation: &Operation,
        plan: &projection::Plan,
        reply: Reply,
    ) -> Result<Found, Trouble> {
        let nothing = Found { records: Vec::new(), next: None };
        let shape = self.profile.shape(operation);
        let by_id = matches!(question, Question::ById(..));
        let answer = match reply {
            Reply::Body(answer) => answer,
            Reply::Nothing => return Ok(nothing),
            Reply::NotFound if by_id => return Ok(nothing),
            // A list that is not there is a wrong address, not an empty list.
            Reply::NotFound => return Err(Trouble::Refused),
        };
        if by_id {
            let record = read_one(&answer, plan, &shape, &self.watch, self.walls)?;
            return Ok(Found { records: record.into_iter().collect(), next: None });
        }
        let page = read_list(&answer, plan, &shape, &self.watch, self.walls)?;
        let next = self.next(question, operation, &page);
        Ok(Found { records: page.records, next })
    }

    /// Where the next page begins.
    fn next(&self, question: &Question, operation: &Operation, page: &Page) -> Option<PageMark> {
        let paging = self.profile.paging_of(operation);
        let size = question.size(&self.profile, operation);
        let count = u64::try_from(page.records.len()).unwrap_or(u64::MAX);
        let full = count >= u64::from(size) && page.more != Some(false);
        let here = match question.mark() {
            Some(mark) => mark.begin(question)?.clone(),
            None => Begin::first(paging),
        };
        let begin = match (paging.kind, here) {
            (PagingKind::Offset, Begin::Offset(offset)) if full => {
                Begin::Offset(offset.saturating_add(count))
            }
            (PagingKind::Page, Begin::Page(number, with_size)) if full => {
                Begin::Page(number.saturating_add(1), Some(with_size.unwrap_or(size)))
            }
            (PagingKind::Cursor, _) => Begin::Cursor(page.next.clone()?),
            _ => return None,
        };
        Some(PageMark::next(question, begin, count))
    }
}
