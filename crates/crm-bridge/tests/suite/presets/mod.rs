//! Each preset against its CRM, played on the wire by `crm-fakes` as the facts about it say.

mod kit;

mod dolibarr;
mod espocrm;
mod frappe;
mod generic_rest;
mod odoo;
mod suitecrm;
mod twenty;
mod vtiger;
