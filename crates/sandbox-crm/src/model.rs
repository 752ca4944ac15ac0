//! What this CRM knows. Far more than support should ever see: that is its purpose.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Money in the smallest unit, sent as a decimal number as most CRMs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cents(pub i64);

impl std::fmt::Display for Cents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Serialize for Cents {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[expect(clippy::cast_precision_loss, reason = "amounts here stay far below 2^53 cents")]
        serializer.serialize_f64(self.0 as f64 / 100.0)
    }
}

impl<'de> Deserialize<'de> for Cents {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[expect(clippy::cast_possible_truncation, reason = "amounts here stay far below 2^53 cents")]
        f64::deserialize(deserializer).map(|amount| Self((amount * 100.0).round() as i64))
    }
}

/// How quickly support must react for a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceLevel {
    /// Round the clock.
    Gold,
    /// Same working day.
    Silver,
    /// Next working day.
    Standard,
}

/// A person at a customer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Contact {
    /// `ct_` and a number.
    pub id: String,
    /// When the record was made.
    pub created_at: Timestamp,
    /// When the record was last changed.
    pub updated_at: Timestamp,
    /// Mr, Ms or nothing.
    pub salutation: String,
    /// Given name in the person's own script.
    pub first_name: String,
    /// Family name in the person's own script.
    pub last_name: String,
    /// Both names as the person writes them.
    pub full_name: String,
    /// The address the person writes from.
    pub email: String,
    /// Further addresses.
    pub other_emails: Vec<String>,
    /// Direct line, E.164.
    pub phone: String,
    /// Mobile, E.164; not everybody has one.
    pub mobile: Option<String>,
    /// What the person does.
    pub job_title: String,
    /// BCP 47.
    pub language: String,
    /// IANA name.
    pub time_zone: String,
    /// Street and house number.
    pub street: String,
    /// Postal code.
    pub postal_code: String,
    /// City.
    pub city: String,
    /// ISO 3166 two-letter code.
    pub country: String,
    /// Same as the company's, because support asks per person.
    pub service_level: ServiceLevel,
    /// Last day of the support contract.
    pub support_until: Date,
    /// May marketing write?
    pub marketing_consent: bool,
    /// Sales: how promising.
    pub lead_score: u8,
    /// Sales: how far.
    pub lifecycle_stage: String,
    /// Sales: where from.
    pub lead_source: String,
    /// Sales: labels, some of which carry money.
    pub tags: Vec<String>,
    /// Day of birth.
    pub birthday: Option<Date>,
    /// The employer.
    pub company_id: String,
    /// The sales person in charge.
    pub owner_id: String,
}

/// A customer firm.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Company {
    /// `co_` and a number.
    pub id: String,
    /// When the record was made.
    pub created_at: Timestamp,
    /// When the record was last changed.
    pub updated_at: Timestamp,
    /// Registered name.
    pub name: String,
    /// Domain of its mail addresses.
    pub domain: String,
    /// Home page.
    pub website: String,
    /// Switchboard, E.164.
    pub phone: String,
    /// City.
    pub city: String,
    /// ISO 3166 two-letter code.
    pub country: String,
    /// IANA name.
    pub time_zone: String,
    /// Line of business.
    pub industry: String,
    /// Head count.
    pub employees: u32,
    /// How quickly support must react.
    pub service_level: ServiceLevel,
    /// Last day of the support contract.
    pub support_until: Date,
    /// Finances: currency of all amounts of this company.
    pub currency: String,
    /// Finances: sales of the last year.
    pub annual_revenue: Cents,
    /// Finances: how much it may owe.
    pub credit_limit: Cents,
    /// Finances: how much it owes.
    pub outstanding_balance: Cents,
    /// Finances: days until an invoice is due.
    pub payment_terms_days: u16,
    /// Finances: tax number.
    pub tax_number: String,
    /// Finances: bank account.
    pub iban: String,
    /// Finances: how well it pays.
    pub credit_rating: String,
    /// The sales person in charge.
    pub owner_id: String,
}

/// A sale in progress.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deal {
    /// `dl_` and a number.
    pub id: String,
    /// The buyer.
    pub company_id: String,
    /// The person at the buyer.
    pub contact_id: String,
    /// What is sold.
    pub title: String,
    /// Sales process.
    pub pipeline: String,
    /// Step of the process.
    pub stage: String,
    /// Price.
    pub amount: Cents,
    /// Currency of the price.
    pub currency: String,
    /// Chance in percent.
    pub probability: u8,
    /// Expected day of the signature.
    pub close_date: Date,
    /// What sales does next.
    pub next_step: String,
    /// The sales person in charge.
    pub owner_id: String,
    /// When the record was last changed.
    pub updated_at: Timestamp,
}

/// A bill.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invoice {
    /// `in_` and a number.
    pub id: String,
    /// Who pays.
    pub company_id: String,
    /// Printed number.
    pub number: String,
    /// Sum.
    pub amount: Cents,
    /// Currency of the sum.
    pub currency: String,
    /// Day of issue.
    pub issued: Date,
    /// Day it is due.
    pub due: Date,
    /// draft, open, paid, overdue.
    pub status: String,
    /// Account to pay to.
    pub iban: String,
    /// Text on the bill.
    pub purpose: String,
    /// When the record was last changed.
    pub updated_at: Timestamp,
}

/// What a sales person wrote down about a customer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Note {
    /// `nt_` and a number.
    pub id: String,
    /// About whom.
    pub contact_id: String,
    /// By whom.
    pub owner_id: String,
    /// When.
    pub written_at: Timestamp,
    /// What.
    pub text: String,
}

/// A sales person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Owner {
    /// `ow_` and a number.
    pub id: String,
    /// Full name.
    pub name: String,
    /// Internal address.
    pub email: String,
    /// Internal phone, E.164.
    pub phone: String,
    /// Sales team.
    pub team: String,
    /// Sales target of the year.
    pub quota: Cents,
}

/// Everything, as kept in the data file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Records {
    /// Whether every sensitive value is a unique marker.
    pub marked: bool,
    /// By id.
    pub contacts: BTreeMap<String, Contact>,
    /// By id.
    pub companies: BTreeMap<String, Company>,
    /// By id.
    pub deals: BTreeMap<String, Deal>,
    /// By id.
    pub invoices: BTreeMap<String, Invoice>,
    /// By id.
    pub notes: BTreeMap<String, Note>,
    /// By id.
    pub owners: BTreeMap<String, Owner>,
}

impl Records {
    /// The contact's deals.
    pub fn deals_of<'a>(&'a self, contact: &'a Contact) -> impl Iterator<Item = &'a Deal> {
        self.deals.values().filter(|deal| deal.contact_id == contact.id)
    }

    /// The invoices of the contact's company.
    pub fn invoices_of<'a>(&'a self, contact: &'a Contact) -> impl Iterator<Item = &'a Invoice> {
        self.invoices.values().filter(|invoice| invoice.company_id == contact.company_id)
    }

    /// The notes about the contact.
    pub fn notes_of<'a>(&'a self, contact: &'a Contact) -> impl Iterator<Item = &'a Note> {
        self.notes.values().filter(|note| note.contact_id == contact.id)
    }

    /// Removes a person and what is only about that person. False if there is no such person.
    pub fn erase(&mut self, contact_id: &str) -> bool {
        if self.contacts.remove(contact_id).is_none() {
            return false;
        }
        self.deals.retain(|_, deal| deal.contact_id != contact_id);
        self.notes.retain(|_, note| note.contact_id != contact_id);
        true
    }
}
