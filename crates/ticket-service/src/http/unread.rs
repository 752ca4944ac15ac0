//! Requests that can't be read: every way in which that happens, told so that the sender can mend it.

use actix_web::error::PathError;
use actix_web::{HttpRequest, web};
use serde::de::{DeserializeOwned, IgnoredAny};
use service_kit::Problem;

use crate::error::TicketError;

/// Reads JSON. What is wrong with a member is told with its path, such as `requester.email`.
///
/// # Errors
/// [`TicketError::Unreadable`] if it is not JSON, [`TicketError::Invalid`] if a member is not right.
pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, TicketError> {
    if let Err(error) = std::str::from_utf8(bytes) {
        let place = error.valid_up_to();
        return Err(TicketError::Unreadable(format!(
            "The body is not UTF-8; the first wrong byte is number {place}"
        )));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let cause = error.into_inner();
        if cause.is_data() {
            return wrong_member(&path, &cause.to_string());
        }
        // A number where one of several names belongs is reported as if it were no JSON.
        match serde_json::from_slice::<IgnoredAny>(bytes) {
            Ok(_) => wrong_member(&path, "is of another type than expected"),
            Err(_) => not_json(&cause),
        }
    })?;
    reader.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

fn not_json(error: &serde_json::Error) -> TicketError {
    TicketError::Unreadable(format!("The body is not JSON: {error}"))
}

/// Turns the reader's message into a member's name and a phrase that goes after it.
fn wrong_member(path: &str, message: &str) -> TicketError {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let quoted = |start: &str| message.strip_prefix(start).and_then(|rest| rest.split_once('`'));
    let below = |name: &str| match path {
        "." | "" => name.to_owned(),
        path if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        path => format!("{path}.{name}"),
    };
    if let Some((name, rest)) = quoted("unknown field `") {
        let known = rest.trim_start_matches(", ").replace('`', "");
        return TicketError::invalid(below(name), format!("is not known here ({known})"));
    }
    if let Some((name, _)) = quoted("missing field `") {
        return TicketError::invalid(below(name), "is missing");
    }
    if let Some((name, _)) = quoted("duplicate field `") {
        return TicketError::invalid(below(name), "is there twice");
    }
    TicketError::invalid(if path == "." { "body" } else { path }, message)
}

/// Reads the part of an address behind the question mark. What is wrong with a parameter is told with its name.
///
/// # Errors
/// [`TicketError::Invalid`].
pub(crate) fn from_query<T: DeserializeOwned>(query: &str) -> Result<T, TicketError> {
    let reader = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(reader)
        .map_err(|error| wrong_member(&error.path().to_string(), &error.into_inner().to_string()))
}

/// For `web::PathConfig`: an address with a part of the wrong type leads nowhere.
pub(crate) fn path_config() -> web::PathConfig {
    web::PathConfig::default().error_handler(|error, _: &HttpRequest| nowhere(&error).into())
}

fn nowhere(error: &PathError) -> Problem {
    Problem::new("not_found", 404, "Not found")
        .detail(format!("There is nothing at this address ({error}). The API is described at /api/docs."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::EmailAddress;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read from JSON")]
    struct Letter {
        to: Person,
        pages: Option<u8>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read from JSON")]
    struct Person {
        email: EmailAddress,
    }

    fn told(json: &[u8]) -> String {
        match from_json::<Letter>(json).unwrap_err() {
            TicketError::Invalid(fields) => format!("{}: {}", fields[0].0, fields[0].1),
            TicketError::Unreadable(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_the_members_path() {
        let cases: [(&str, &str); 6] = [
            (r#"{"to":{"email":"x"}}"#, "to.email: is not a mail address; write it as name@example.org"),
            (r#"{"to":{"mail":"x@y"}}"#, "to.mail: is not known here (expected email)"),
            (r#"{"to":{}}"#, "to.email: is missing"),
            (r#"{"to":{"email":"a@b"},"pages":300}"#, "pages: invalid value: integer `300`, expected u8"),
            (r#"{"to":{"email":"a@b"},"pages":1,"pages":2}"#, "pages: is there twice"),
            (r#"{"to":"a@b"}"#, "to: invalid type: string \"a@b\", expected struct Person"),
        ];
        for (json, expected) in cases {
            let told = told(json.as_bytes());
            assert!(told.starts_with(expected), "{json}: {told}");
        }
    }

    #[test]
    fn what_is_not_json_at_all_is_told_with_its_place() {
        assert_eq!(told(b"{\"to\":"), "The body is not JSON: EOF while parsing a value at line 1 column 6");
        assert_eq!(told(b"{\"to\": \xff"), "The body is not UTF-8; the first wrong byte is number 7");
        assert!(
            told(br#"{"to":{"email":"a@b"}} tail"#).starts_with("The body is not JSON: trailing characters")
        );
    }
}
