//! Each preset against its CRM, played on the wire by `crm-fakes` as the facts about it say.

mod aid;
mod kit;
mod labels;
mod outward;

mod activities;
mod amocrm;
mod bitrix24;
mod dataverse;
mod dolibarr;
mod espocrm;
mod frappe;
mod generic_rest;
mod hooks;
mod hubspot;
mod odoo;
mod pipedrive;
mod proving;
mod renewed;
mod salesforce;
mod shifting;
mod suitecrm;
mod twenty;
mod vtiger;
mod zoho;
