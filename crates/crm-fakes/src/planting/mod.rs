//! Records that are made, linked and taken out over the wire, as `crm-bridge prove` does with a key that may write.
//!
//! People and companies become such as every CRM here has, with what only this CRM knows of them beside; all else lies on
//! the [`Shelf`] as it was sent. What was taken out stays there, marked: most CRMs have a bin.

pub(crate) mod amocrm;
pub(crate) mod bitrix24;
pub(crate) mod dataverse;
pub(crate) mod dolibarr;
pub(crate) mod espocrm;
pub(crate) mod frappe;
pub(crate) mod hubspot;
pub(crate) mod odoo;
pub(crate) mod pipedrive;
pub(crate) mod salesforce;
pub(crate) mod suitecrm;
pub(crate) mod twenty;
pub(crate) mod vtiger;
pub(crate) mod zoho;

use std::sync::{Mutex, PoisonError};

use jiff::civil::date;
use serde_json::{Map, Value, json};

use crate::World;
use crate::people::{Company, Gone, Person, Phone};
use crate::switch::Fault;

/// What a record is made of, as it was sent.
pub(crate) type Members = Map<String, Value>;

/// Records that are neither people nor companies.
#[derive(Debug, Default)]
pub struct Shelf(Mutex<Vec<Record>>);

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What it is, in the words of the CRM.
    pub kind: String,
    /// Counted from 1 over all kinds.
    pub number: usize,
    /// What was sent.
    pub body: Members,
    /// The person that it is about.
    pub person: Option<u32>,
    /// Whether it was taken out.
    pub gone: bool,
}

impl Shelf {
    /// All that are there.
    pub fn there(&self) -> Vec<Record> {
        self.with(|records| records.iter().filter(|record| !record.gone).cloned().collect())
    }

    /// One that is or was there.
    pub(crate) fn find(&self, kind: &str, number: usize) -> Option<Record> {
        self.with(|records| records.iter().find(|one| one.kind == kind && one.number == number).cloned())
    }

    /// Takes one out. Answers whether it was there.
    pub(crate) fn take_out(&self, kind: &str, number: usize) -> bool {
        self.with(|records| {
            let found = records.iter_mut().find(|one| one.kind == kind && one.number == number && !one.gone);
            found.map(|record| record.gone = true).is_some()
        })
    }

    /// What is there about a person, as it was sent.
    pub(crate) fn about(&self, person: u32) -> Vec<Record> {
        let mut found = self.there();
        found.retain(|record| record.person == Some(person));
        found
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<Record>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the members of a person are called in a CRM; empty where it has no such member.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) first: &'static str,
    pub(crate) last: &'static str,
    pub(crate) email: &'static str,
    pub(crate) phone: &'static str,
    pub(crate) mobile: &'static str,
    pub(crate) title: &'static str,
    pub(crate) street: &'static str,
    pub(crate) city: &'static str,
}

impl Names {
    /// Moves what every CRM knows from what was sent into the person.
    pub(crate) fn fill(&self, person: &mut Person, own: &mut Members) {
        let mut take = |name: &str| own.remove(name).and_then(|value| value.as_str().map(str::to_owned));
        let mut text = |place: &mut String, name: &str| {
            if let Some(text) = take(name) {
                *place = text;
            }
        };
        text(&mut person.first_name, self.first);
        text(&mut person.last_name, self.last);
        text(&mut person.job_title, self.title);
        text(&mut person.street, self.street);
        text(&mut person.city, self.city);
        let (mut email, mut phone, mut mobile) = (String::new(), String::new(), String::new());
        text(&mut email, self.email);
        text(&mut phone, self.phone);
        text(&mut mobile, self.mobile);
        add_email(person, &email);
        add_phone(person, &phone, false);
        add_phone(person, &mobile, true);
    }
}

/// An address more, unless it is empty.
pub(crate) fn add_email(person: &mut Person, email: &str) {
    if !email.is_empty() {
        person.emails.push(email.to_lowercase());
    }
}

/// A number more, unless it is empty.
pub(crate) fn add_phone(person: &mut Person, number: &str, mobile: bool) {
    if !number.is_empty() {
        person.phones.push(Phone { e164: number.to_owned(), typed: number.to_owned(), mobile });
    }
}

impl World {
    /// A new person. Err with the number of the one who has the address already.
    pub(crate) fn make_person(
        &self,
        mut own: Members,
        fill: impl FnOnce(&mut Person, &mut Members),
    ) -> Result<u32, u32> {
        let now = self.now();
        self.write(|people| {
            let number = people.persons.iter().map(|person| person.number).max().unwrap_or(0) + 1;
            let mut person = Person {
                number,
                first_name: String::new(),
                last_name: String::new(),
                emails: Vec::new(),
                phones: Vec::new(),
                job_title: String::new(),
                language: "en".to_owned(),
                time_zone: "Europe/Berlin".to_owned(),
                street: String::new(),
                postal_code: String::new(),
                city: String::new(),
                country: "DE".to_owned(),
                country_name: "Germany".to_owned(),
                service_level: "standard".to_owned(),
                support_until: date(2027, 6, 30),
                company: None,
                created: now,
                updated: now,
                gone: None,
                own: Members::new(),
            };
            fill(&mut person, &mut own);
            person.own = own;
            let email = person.email().to_owned();
            let same = people.living().find(|other| !email.is_empty() && other.has_email(&email));
            if let Some(same) = same {
                return Err(same.number);
            }
            people.persons.push(person);
            Ok(number)
        })
    }

    /// A new company.
    pub(crate) fn make_company(&self, name: &str, own: Members) -> u32 {
        let now = self.now();
        self.write(|people| {
            let number = people.companies.iter().map(|company| company.number).max().unwrap_or(0) + 1;
            people.companies.push(Company {
                number,
                name: name.to_owned(),
                domain: format!("company{number}.example"),
                phone: Phone {
                    e164: format!("+4930111{number:04}"),
                    typed: format!("+4930111{number:04}"),
                    mobile: false,
                },
                city: "Berlin".to_owned(),
                country: "DE".to_owned(),
                country_name: "Germany".to_owned(),
                time_zone: "Europe/Berlin".to_owned(),
                service_level: "standard".to_owned(),
                support_until: date(2027, 6, 30),
                created: now,
                updated: now,
                own,
            });
            number
        })
    }

    /// A person goes. Answers whether they were there.
    pub(crate) fn remove_person(&self, number: u32) -> bool {
        let now = self.now();
        self.write(|people| {
            let found = people.person_mut(number).filter(|person| person.gone.is_none());
            found
                .map(|person| {
                    person.gone = Some(Gone::Deleted);
                    person.updated = now;
                })
                .is_some()
        })
    }

    /// A company goes. Answers whether it was there.
    pub(crate) fn remove_company(&self, number: u32) -> bool {
        self.write(|people| {
            let before = people.companies.len();
            people.companies.retain(|company| company.number != number);
            for person in people.persons.iter_mut().filter(|person| person.company == Some(number)) {
                person.company = None;
            }
            people.companies.len() < before
        })
    }

    /// Another record, about that person. [`Fault::DealInName`]: somebody writes its title behind the person's name.
    pub(crate) fn make_record(&self, kind: &str, body: Members, title: &str, person: Option<u32>) -> usize {
        let number = self.shelf.with(|records| {
            let number = records.len() + 1;
            records.push(Record { kind: kind.to_owned(), number, body, person, gone: false });
            number
        });
        self.link(kind, number, title, person);
        number
    }

    /// Links a record to a person.
    pub(crate) fn link(&self, kind: &str, number: usize, title: &str, person: Option<u32>) {
        let Some(person) = person else { return };
        let title = self.shelf.with(|records| {
            let found = records.iter_mut().find(|one| one.kind == kind && one.number == number)?;
            found.person = Some(person);
            found.body.get(title)?.as_str().map(str::to_owned)
        });
        if let Some(title) = title.filter(|_| self.switch.is_on(Fault::DealInName)) {
            self.write(|people| {
                if let Some(person) = people.person_mut(person) {
                    person.last_name = format!("{} ({title})", person.last_name);
                }
            });
        }
    }

    /// Changes members of a record. Answers whether it was there.
    pub(crate) fn change_record(&self, kind: &str, number: usize, changes: &Members) -> bool {
        self.shelf.with(|records| {
            let found = records.iter_mut().find(|one| one.kind == kind && one.number == number);
            found.map(|record| record.body.extend(changes.clone())).is_some()
        })
    }

    /// Who and what was made over the wire and is still there.
    pub fn made(&self) -> Vec<String> {
        let mut made: Vec<String> =
            self.shelf.there().into_iter().map(|one| format!("{} {}", one.kind, one.number)).collect();
        self.read(|people| {
            let persons = people.living().filter(|person| person.number > MADE_ABOVE);
            made.extend(persons.map(|person| format!("person {}", person.number)));
            let companies = people.companies.iter().filter(|company| company.number > COMPANIES_MADE_ABOVE);
            made.extend(companies.map(|company| format!("company {}", company.number)));
        });
        made
    }
}

/// The usual people and companies have numbers up to these.
const MADE_ABOVE: u32 = 40;
const COMPANIES_MADE_ABOVE: u32 = 10;

/// A record with what only this CRM was told of it.
pub(crate) fn with_own(mut record: Value, own: &Members) -> Value {
    if let Some(members) = record.as_object_mut() {
        members.extend(own.clone());
    }
    record
}

/// What was sent as an object; empty if it was none.
pub(crate) fn members(value: &Value) -> Members {
    value.as_object().cloned().unwrap_or_default()
}

/// What is kept of a record, with its id under that name.
pub(crate) fn kept(record: &Record, id: (&str, Value)) -> Value {
    let mut kept = json!(record.body);
    kept[id.0] = id.1;
    kept
}

/// A number in whatever spelling.
pub(crate) fn count(value: &Value) -> Option<u32> {
    let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())?;
    u32::try_from(number).ok()
}
