//! CRMs as they answer on the wire, traps included; for tests, never deployed.
//!
//! Each module plays one CRM as its documentation and its users describe it: same addresses, same envelope, same limits,
//! same oddities. All of them know the same people ([`people`]), and whatever support must not see carries a marker
//! ([`marks`]), so that a test can look for it in everything that left the bridge.
//!
//! ```ignore
//! let crm = Fake::new(clock).start(HubSpot::default())?;
//! crm.switch().on(Fault::Throttle, 1);
//! // … drive the bridge against crm.url …
//! assert!(crm.log().forbidden().is_empty());
//! ```

pub mod amocrm;
pub mod bitrix24;
pub mod dataverse;
pub mod dolibarr;
pub mod espocrm;
pub mod expr;
pub mod frappe;
pub mod hubspot;
pub mod log;
pub mod marks;
pub mod odoo;
pub mod people;
pub mod pipedrive;
pub mod plain_rest;
pub mod planting;
pub mod salesforce;
mod server;
mod shape;
pub mod suitecrm;
pub mod switch;
pub mod times;
pub mod tokens;
pub mod twenty;
pub mod vtiger;
pub mod wire;
pub mod zoho;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use actix_web::dev::ServerHandle;
use jiff::Timestamp;

use log::Log;
use marks::Marks;
use people::{Company, People, Person};
use planting::Shelf;
use switch::Switch;
use wire::{Answer, Call};

/// Tells the time; tests move it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// One kind of CRM: what it answers to a request.
pub trait Crm: Send + Sync + 'static {
    /// Answers a request. Everything that can be asked for says in the [`Answer`] which members were asked for, and
    /// whether something was touched that the bridge must never touch.
    fn answer(&self, call: &Call, world: &World) -> Answer;

    /// How this CRM says that it is asked too often.
    fn throttled(&self, call: &Call, world: &World) -> Answer;

    /// Keys and secrets, for the log to leave out.
    fn secrets(&self) -> Vec<String>;
}

/// A CRM that is not yet listening: who is in it, and what time it is there.
pub struct Fake {
    people: People,
    clock: Clock,
}

impl Fake {
    /// The usual people at that time.
    pub fn new(clock: Clock) -> Self {
        Self { people: People::usual(), clock }
    }

    /// Other people.
    #[must_use]
    pub fn with_people(mut self, people: People) -> Self {
        self.people = people;
        self
    }

    /// Opens a free port of this machine and answers there as that CRM, until the answer is dropped. Must be called
    /// within a runtime of actix or a local set of tokio.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start<C: Crm>(self, crm: C) -> io::Result<Running<C>> {
        let world = Arc::new(World {
            people: RwLock::new(self.people),
            marks: Marks::default(),
            switch: Switch::default(),
            log: Log::new(crm.secrets()),
            notes: Mutex::new(Vec::new()),
            labels: Mutex::default(),
            shelf: Shelf::default(),
            clock: self.clock,
            url: OnceLock::new(),
        });
        let crm = Arc::new(crm);
        let (url, handle) = server::start(Arc::clone(&crm), Arc::clone(&world))?;
        Ok(Running { url, crm, world, handle })
    }
}

/// What a CRM can reach while it answers.
pub struct World {
    people: RwLock<People>,
    /// What must not get out.
    pub marks: Marks,
    /// What goes wrong at the moment.
    pub switch: Switch,
    /// What was asked.
    pub log: Log,
    notes: Mutex<Vec<Note>>,
    labels: Mutex<BTreeMap<String, String>>,
    /// What was made over the wire beside people and companies.
    pub shelf: Shelf,
    clock: Clock,
    url: OnceLock<String>,
}

impl World {
    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Where this CRM listens, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        self.url.get().map_or("", String::as_str)
    }

    /// Looks at the people.
    pub fn read<T>(&self, look: impl FnOnce(&People) -> T) -> T {
        look(&self.people.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the people.
    pub fn write<T>(&self, change: impl FnOnce(&mut People) -> T) -> T {
        change(&mut self.people.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// What this CRM calls a field: what [`Running::relabel`] said, or what it is called by itself.
    pub fn label(&self, name: &str, by_itself: &str) -> String {
        let labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        labels.get(name).cloned().unwrap_or_else(|| by_itself.to_owned())
    }

    /// Keeps a note; answers its number.
    pub fn note(&self, person: u32, text: &str) -> usize {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push(Note { person, text: text.to_owned() });
        notes.len()
    }

    /// [`Fault::PageShift`](switch::Fault::PageShift): whoever was changed first is changed again, so that everybody
    /// else moves up by one. To be called when a page after the first is asked for.
    pub fn shift(&self) {
        if self.switch.take(switch::Fault::PageShift) {
            let now = self.now();
            let first = self.read(|people| people.by_change().first().map(|person| person.number));
            self.write(|people| {
                if let Some(person) = first.and_then(|number| people.person_mut(number)) {
                    person.updated = now;
                }
            });
        }
    }
}

/// A note that was written to a record: the one thing that the bridge may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The number of the person, 0 if there is no such person.
    pub person: u32,
    /// What it says.
    pub text: String,
}

/// A CRM that listens until this is dropped.
pub struct Running<C> {
    /// Where it listens, `http://127.0.0.1:PORT`.
    pub url: String,
    /// The CRM, for what only this kind has.
    pub crm: Arc<C>,
    world: Arc<World>,
    handle: ServerHandle,
}

impl<C> Running<C> {
    /// Everything it can reach.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What was asked.
    pub fn log(&self) -> &Log {
        &self.world.log
    }

    /// What goes wrong.
    pub fn switch(&self) -> &Switch {
        &self.world.switch
    }

    /// What must not get out.
    pub fn marks(&self) -> &Marks {
        &self.world.marks
    }

    /// The notes that were written.
    pub fn notes(&self) -> Vec<Note> {
        self.world.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Somebody gives a field another label, as people do who need a field and have no right to make one.
    pub fn relabel(&self, name: &str, label: &str) {
        let mut labels = self.world.labels.lock().unwrap_or_else(PoisonError::into_inner);
        labels.insert(name.to_owned(), label.to_owned());
    }

    /// A person as it is now. Panics if there is none with that number: tests know whom they ask for.
    ///
    /// # Panics
    /// If there is no such person.
    pub fn person(&self, number: u32) -> Person {
        let found = self.world.read(|people| people.person(number).cloned());
        #[expect(clippy::panic, reason = "only tests call this")]
        found.unwrap_or_else(|| panic!("there is no person {number}"))
    }

    /// The company of a person, if any.
    pub fn company_of(&self, number: u32) -> Option<Company> {
        self.world.read(|people| people.company_of(people.person(number)?).cloned())
    }

    /// Changes a company, which counts as changed now; its people do not.
    pub fn change_company(&self, number: u32, change: impl FnOnce(&mut Company)) {
        let now = self.world.now();
        self.world.write(|people| {
            if let Some(company) = people.companies.iter_mut().find(|company| company.number == number) {
                change(company);
                company.updated = now;
            }
        });
    }

    /// Changes a person without that counting as a change, as where what is changed lies in a table of its own.
    pub fn change_unseen(&self, number: u32, change: impl FnOnce(&mut Person)) {
        self.world.write(|people| people.person_mut(number).map(change));
    }

    /// Changes a person, which counts as changed now.
    pub fn change(&self, number: u32, change: impl FnOnce(&mut Person)) {
        let now = self.world.now();
        self.world.write(|people| {
            if let Some(person) = people.person_mut(number) {
                change(person);
                person.updated = now;
            }
        });
    }
}

impl<C> Drop for Running<C> {
    fn drop(&mut self) {
        // The future asks the server to stop when it is made; waiting for it is not needed.
        drop(self.handle.stop(false));
    }
}
