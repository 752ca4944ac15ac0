//! Each fake behaves as the facts about its CRM say, seen from the wire.

#![cfg(test)]

mod amocrm;
mod base;
mod bitrix24;
mod dataverse;
mod dolibarr;
mod espocrm;
mod frappe;
mod hubspot;
mod odoo;
mod pipedrive;
mod plain_rest;
mod salesforce;
mod suitecrm;
mod support;
mod twenty;
mod vtiger;
mod zoho;
