//! Each fake behaves as the facts about its CRM say, seen from the wire.

#![cfg(test)]

mod base;
mod dolibarr;
mod espocrm;
mod frappe;
mod bitrix24;
mod dataverse;
mod hubspot;
mod odoo;
mod plain_rest;
mod suitecrm;
mod salesforce;
mod support;
mod twenty;
mod vtiger;
