//! What of a profile the checks look at.

use crate::connector::profile::Profile;
use crate::connector::profile::auth::{Auth, TokenPlace};
use crate::connector::profile::operation::Tree;
use crate::connector::profile::template::{Part, Template};

pub(super) fn auth_headers(auth: &Auth) -> Vec<&String> {
    match auth {
        Auth::Headers(headers) => headers.keys().collect(),
        Auth::Hmac(hmac) => vec![&hmac.header],
        Auth::Oauth2(oauth) => match &oauth.place {
            TokenPlace::Headers(headers) => headers.keys().collect(),
            _ => Vec::new(),
        },
        Auth::Login(login) => match &login.place {
            TokenPlace::Headers(headers) => headers.keys().collect(),
            _ => Vec::new(),
        },
        Auth::Basic { .. } | Auth::InPath => Vec::new(),
    }
}

/// The templates outside of operations, with their place.
pub(in crate::connector::profile) fn other_templates(profile: &Profile) -> Vec<(String, Template)> {
    let mut all: Vec<(String, Template)> = vec![("time.zone".to_owned(), profile.time.zone.clone())];
    all.extend(profile.host.base.iter().map(|base| ("host.base".to_owned(), base.clone())));
    let mut auth = |key: &str, template: &Template| all.push((format!("auth.{key}"), template.clone()));
    let place_of = |place: &TokenPlace| match place {
        TokenPlace::Headers(headers) => {
            headers.iter().map(|(name, value)| (format!("headers.{name}"), value.clone())).collect()
        }
        _ => Vec::<(String, Template)>::new(),
    };
    match &profile.auth {
        Auth::Headers(headers) => {
            headers.iter().for_each(|(name, value)| auth(&format!("headers.{name}"), value))
        }
        Auth::Basic { user, password } => {
            auth("user", user);
            auth("password", password);
        }
        Auth::InPath => {}
        Auth::Oauth2(oauth) => {
            auth("token", &oauth.token);
            auth("client_id", &oauth.client_id);
            auth("client_secret", &oauth.client_secret);
            oauth.extra.iter().for_each(|(name, value)| auth(&format!("extra.{name}"), value));
            let optional = [
                ("scope", &oauth.scope),
                ("refresh", &oauth.refresh),
                ("user", &oauth.user),
                ("password", &oauth.password),
            ];
            optional.iter().for_each(|(key, value)| value.iter().for_each(|value| auth(key, value)));
            place_of(&oauth.place).iter().for_each(|(key, value)| auth(key, value));
        }
        Auth::Hmac(hmac) => {
            auth("message", &hmac.message);
            auth("key", &hmac.key);
        }
        Auth::Login(login) => place_of(&login.place).iter().for_each(|(key, value)| auth(key, value)),
    }
    all
}

/// What stands in a template whatever the holes hold.
pub(super) fn constant(template: &Template) -> String {
    let parts = template.parts().iter().map(|part| match part {
        Part::Text(text) => text.as_str(),
        Part::Hole(_) => "\u{0}",
    });
    parts.collect()
}

pub(super) fn members(tree: &Tree, key: &str, all: &mut Vec<(String, String)>) {
    match tree {
        Tree::Text(template) => all.push((key.to_owned(), constant(template))),
        Tree::Number(number) => all.push((key.to_owned(), number.to_string())),
        Tree::Flag(flag) => all.push((key.to_owned(), flag.to_string())),
        Tree::List(items) => items.iter().for_each(|item| members(item, key, all)),
        Tree::Table(table) => table.iter().for_each(|(name, member)| {
            if !matches!(member, Tree::Text(_) | Tree::Number(_) | Tree::Flag(_)) {
                all.push((name.clone(), String::new()));
            }
            members(member, name, all);
        }),
    }
}

/// Parameters with which well-known CRMs are told to send more (research, "doors that leak").
pub(super) fn widens(key: &str, value: &str) -> bool {
    let key = key.trim_start_matches('$').to_lowercase();
    let key = key.split('[').next().unwrap_or_default();
    match key {
        "depth" => value != "0",
        "with" | "view" | "associations" | "propertieswithhistory" | "embed" | "sideload" | "relations" => {
            true
        }
        _ => key.starts_with("include") || key.starts_with("expand"),
    }
}
