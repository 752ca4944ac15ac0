//! Contacts and accounts with everything that stands in them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::people::{Company, Gone, People, Person, Phone};
use crate::{World, planting};

/// The id of a contact: 18 characters.
pub fn id(number: u32) -> String {
    format!("003gK{number:010}QAU")
}

/// The id of an account.
pub fn account_id(number: u32) -> String {
    format!("001gK{number:010}IAI")
}

/// `2026-01-05T08:00:00.000+0000`
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entity {
    Contact,
    Account,
}

const CONTACT: [&str; 31] = [
    "Id",
    "Name",
    "FirstName",
    "LastName",
    "Email",
    "Phone",
    "MobilePhone",
    "Title",
    "MailingStreet",
    "MailingPostalCode",
    "MailingCity",
    "MailingCountry",
    "MailingCountryCode",
    "Languages__c",
    "Service_Level__c",
    "Support_Until__c",
    "AccountId",
    "CreatedDate",
    "LastModifiedDate",
    "SystemModstamp",
    "IsDeleted",
    "MasterRecordId",
    "LeadSource",
    "OwnerId",
    "Description",
    "Birthdate",
    "Credit_Limit__c",
    "Lead_Score__c",
    "CleanStatus",
    "CurrencyIsoCode",
    "Bank_IBAN__c",
];
const ACCOUNT: [&str; 17] = [
    "Id",
    "Name",
    "Website",
    "Phone",
    "BillingCity",
    "BillingCountry",
    "BillingCountryCode",
    "SystemModstamp",
    "IsDeleted",
    "AccountNumber",
    "Type",
    "AnnualRevenue",
    "Rating",
    "NumberOfEmployees",
    "OwnerId",
    "Description",
    "Ownership",
];

impl Entity {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "Contact" => Some(Self::Contact),
            "Account" => Some(Self::Account),
            _ => None,
        }
    }

    pub(super) fn has(self, field: &str) -> bool {
        match (self, field.split_once('.')) {
            (Self::Contact, None) => CONTACT.contains(&field),
            (Self::Contact, Some(("Account", inner))) => ACCOUNT.contains(&inner),
            (Self::Contact, Some(("Owner", inner))) => ["Id", "Name", "Email"].contains(&inner),
            (Self::Account, None) => ACCOUNT.contains(&field),
            _ => false,
        }
    }

    pub(super) fn names(self) -> Vec<&'static str> {
        if self == Self::Contact { CONTACT.to_vec() } else { ACCOUNT.to_vec() }
    }

    fn name(self) -> &'static str {
        if self == Self::Contact { "Contact" } else { "Account" }
    }

    /// All records; with `all`, those in the recycle bin, too.
    pub(super) fn records(self, people: &People, world: &World, all: bool) -> Vec<Record> {
        match self {
            Self::Contact => {
                let persons = people.persons.iter().filter(|person| all || person.gone.is_none());
                persons.map(|person| contact(person, people, world)).collect()
            }
            Self::Account => people.companies.iter().map(|company| account(company, world)).collect(),
        }
    }
}

/// A record with all its fields and, for a contact, its account's.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: String,
    number: u32,
    pub(super) updated: Timestamp,
    pub(super) gone: Option<Gone>,
    fields: Map<String, Value>,
    account: Option<Map<String, Value>>,
    owner: Option<Map<String, Value>>,
}

impl Record {
    fn value(&self, field: &str) -> Value {
        match field.split_once('.') {
            None => self.fields.get(field).cloned().unwrap_or_default(),
            Some(("Account", inner)) => {
                self.account.as_ref().and_then(|account| account.get(inner)).cloned().unwrap_or_default()
            }
            Some((_, inner)) => {
                self.owner.as_ref().and_then(|owner| owner.get(inner)).cloned().unwrap_or_default()
            }
        }
    }

    pub(super) fn text(&self, field: &str) -> String {
        match self.value(field) {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    pub(super) fn sort_key(&self, field: &str) -> String {
        self.text(field)
    }

    /// As it is answered: `attributes`, the fields asked for, and objects for the dotted ones.
    pub(super) fn wire(&self, entity: &Entity, asked: &[String], everything: bool, api: &str) -> Value {
        let mut value = json!({ "attributes": attributes(entity.name(), &self.id, api) });
        let names: Vec<String> = if everything {
            self.fields.keys().cloned().collect()
        } else {
            asked.iter().map(ToString::to_string).collect()
        };
        for name in &names {
            match name.split_once('.') {
                None => value[name] = self.value(name),
                Some((relation, inner)) => {
                    let there =
                        if relation == "Account" { self.account.is_some() } else { self.owner.is_some() };
                    if !there {
                        value[relation] = Value::Null;
                        continue;
                    }
                    if value[relation].is_null() {
                        let id = self.value(&format!("{relation}.Id"));
                        let kind = if relation == "Account" { "Account" } else { "User" };
                        value[relation] =
                            json!({ "attributes": attributes(kind, id.as_str().unwrap_or_default(), api) });
                    }
                    value[relation][inner] = self.value(name);
                }
            }
        }
        if everything && let Some(account) = &self.account {
            value["Account"] = Value::Object(account.clone());
        }
        value
    }

    pub(super) fn opportunities(&self, world: &World, api: &str) -> Value {
        let marks = &world.marks;
        let mut records = vec![json!({
            "attributes": attributes("Opportunity", &format!("006gK{:010}QAB", self.number), api),
            "Name": marks.text("Opportunity.Name", self.number),
            "Amount": marks.money("Opportunity.Amount", self.number),
            "StageName": marks.text("Opportunity.StageName", self.number),
        })];
        records.extend(world.shelf.about(self.number).into_iter().map(|made| Value::Object(made.body)));
        json!({ "totalSize": records.len(), "done": true, "records": records })
    }
}

fn attributes(kind: &str, id: &str, api: &str) -> Value {
    json!({ "type": kind, "url": format!("/services/data/{api}/sobjects/{kind}/{id}") })
}

fn typed(phone: Option<&Phone>) -> Value {
    phone.map_or(Value::Null, |phone| Value::String(phone.typed.clone()))
}

fn contact(person: &Person, people: &People, world: &World) -> Record {
    let marks = &world.marks;
    let number = person.number;
    let company = people.company_of(person);
    let master = match person.gone {
        Some(Gone::MergedInto(other)) => Value::String(id(other)),
        _ => Value::Null,
    };
    let fields = json!({
        "Id": id(number),
        "Name": person.full_name(),
        "FirstName": person.first_name,
        "LastName": person.last_name,
        "Email": person.email(),
        "Phone": typed(person.phone()),
        "MobilePhone": typed(person.mobile()),
        "Title": person.job_title,
        "MailingStreet": person.street,
        "MailingPostalCode": person.postal_code,
        "MailingCity": person.city,
        "MailingCountry": person.country_name,
        "MailingCountryCode": person.country,
        "Languages__c": person.language,
        "Service_Level__c": person.service_level,
        "Support_Until__c": person.support_until.to_string(),
        "AccountId": person.company.map(account_id),
        "CreatedDate": time(person.created),
        "LastModifiedDate": time(person.updated),
        "SystemModstamp": time(person.updated),
        "IsDeleted": person.gone.is_some(),
        "MasterRecordId": master,
        "LeadSource": marks.text("Contact.LeadSource", number),
        "OwnerId": marks.text("Contact.OwnerId", number),
        "Description": marks.text("Contact.Description", number),
        "Birthdate": "1971-04-01",
        "Credit_Limit__c": marks.money("Contact.Credit_Limit__c", number),
        "Lead_Score__c": marks.count("Contact.Lead_Score__c", number),
        "CleanStatus": marks.text("Contact.CleanStatus", number),
        "CurrencyIsoCode": marks.text("Contact.CurrencyIsoCode", number),
        "Bank_IBAN__c": marks.iban("Contact.Bank_IBAN__c", number),
    });
    let owner = json!({
        "Id": "005gK0000000001QAA",
        "Name": marks.text("Owner.Name", number),
        "Email": format!("{}@sales.example", marks.text("Owner.Email", number)),
    });
    Record {
        id: id(number),
        number,
        updated: person.updated,
        gone: person.gone,
        fields: members(planting::with_own(fields, &person.own)),
        account: company.map(|company| account(company, world).fields),
        owner: Some(members(owner)),
    }
}

fn account(company: &Company, world: &World) -> Record {
    let marks = &world.marks;
    let number = company.number;
    let fields = json!({
        "Id": account_id(number),
        "Name": company.name,
        "Website": company.website(),
        "Phone": company.phone.typed,
        "BillingCity": company.city,
        "BillingCountry": company.country_name,
        "BillingCountryCode": company.country,
        "SystemModstamp": time(company.updated),
        "IsDeleted": false,
        "AccountNumber": format!("CU-{:05}", 700 + number),
        "Type": marks.text("Account.Type", number),
        "AnnualRevenue": marks.money("Account.AnnualRevenue", number),
        "Rating": marks.text("Account.Rating", number),
        "NumberOfEmployees": marks.count("Account.NumberOfEmployees", number),
        "OwnerId": marks.text("Account.OwnerId", number),
        "Description": marks.text("Account.Description", number),
        "Ownership": marks.text("Account.Ownership", number),
    });
    Record {
        id: account_id(number),
        number,
        updated: company.updated,
        gone: None,
        fields: members(planting::with_own(fields, &company.own)),
        account: None,
        owner: None,
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
