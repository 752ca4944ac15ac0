//! Typed configuration: commented defaults that ship with the program, a file, and environment variables, in this order.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// Why the configuration can't be used. Each says where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or can't be read.
    #[error("the configuration file {path} can't be read: {cause}. Give the right path with --config")]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// A text is not TOML.
    #[error("{place} is not valid TOML: {cause}")]
    Syntax {
        /// The file, or the defaults.
        place: String,
        /// The position and the reason.
        cause: toml::de::Error,
    },
    /// An environment variable does not name a setting.
    #[error("the environment variable {name} does not name a setting: write {example}")]
    Variable {
        /// The variable.
        name: String,
        /// A right one.
        example: String,
    },
    /// The settings together are not what the service expects (unknown key, wrong type, out of range).
    #[error("the configuration is not right ({places}): {cause}")]
    Shape {
        /// What was read.
        places: String,
        /// The key and the reason.
        cause: toml::de::Error,
    },
}

/// Reads settings of type `T`: `defaults` (TOML text), then `file`, then variables `PREFIX__SECTION__KEY`.
///
/// `T` should refuse unknown fields; then a mistyped key is an error instead of a silent default.
///
/// # Errors
/// Any [`ConfigError`]; none of them prints a value.
pub fn load<T: DeserializeOwned>(
    defaults: &str,
    file: Option<&Path>,
    prefix: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let mut settings = parse(defaults, "the built-in defaults")?;
    let mut places = String::from("built-in defaults");
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
        merge(&mut settings, parse(&text, &path.display().to_string())?);
        places.push_str(&format!(", {}", path.display()));
    }
    let prefix = format!("{prefix}__");
    for (name, value) in environment {
        if let Some(path) = name.strip_prefix(&prefix) {
            set(&mut settings, &prefix, &name, path, &value)?;
            places.push_str(&format!(", {name}"));
        }
    }
    Value::Table(settings).try_into().map_err(|cause| ConfigError::Shape { places, cause })
}

/// The variables of this process, for [`load`].
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn parse(text: &str, place: &str) -> Result<Table, ConfigError> {
    text.parse().map_err(|cause| ConfigError::Syntax { place: place.to_owned(), cause })
}

/// Lays `over` over `base`, table by table.
fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Sets `a.b.c` from a variable `PREFIX__A__B__C`. The text is read as a TOML value if it is one, else as text.
fn set(settings: &mut Table, prefix: &str, name: &str, path: &str, text: &str) -> Result<(), ConfigError> {
    let error =
        || ConfigError::Variable { name: name.to_owned(), example: format!("{prefix}SERVER__LISTEN") };
    let lower = path.to_ascii_lowercase();
    let mut keys: Vec<&str> = lower.split("__").collect();
    let last = keys.pop().filter(|key| !key.is_empty()).ok_or_else(error)?;
    let mut table = settings;
    for key in keys {
        let below = table.entry(key).or_insert_with(|| Value::Table(Table::new()));
        table = below.as_table_mut().ok_or_else(error)?;
    }
    let keep_text = matches!(table.get(last), Some(Value::String(_)));
    let value = if keep_text { Value::String(text.to_owned()) } else { value_or_text(text) };
    table.insert(last.to_owned(), value);
    Ok(())
}

fn value_or_text(text: &str) -> Value {
    match format!("value = {text}").parse::<Table>() {
        Ok(mut table) => table.remove("value").unwrap_or_else(|| Value::String(text.to_owned())),
        Err(_) => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        server: Server,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Server {
        listen: String,
        workers: u16,
    }

    const DEFAULTS: &str = "[server]\nlisten = \"127.0.0.1:8080\"\nworkers = 2\n";

    fn read(file: &str, environment: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, file).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load(DEFAULTS, Some(&path), "GUICHET_TEST", environment)
    }

    #[test]
    fn the_file_overrides_the_defaults_and_the_environment_overrides_both() {
        let settings =
            read("[server]\nworkers = 3\n", &[("GUICHET_TEST__SERVER__LISTEN", "[::1]:1")]).unwrap();
        assert_eq!(settings.server, Server { listen: "[::1]:1".into(), workers: 3 });
        let settings = read("", &[("GUICHET_TEST__SERVER__WORKERS", "7")]).unwrap();
        assert_eq!(settings.server.workers, 7);
    }

    #[test]
    fn a_mistyped_key_is_an_error_that_names_it() {
        let error = read("[server]\nworker = 3\n", &[]).unwrap_err().to_string();
        assert!(error.contains("worker") && error.contains("unknown field"), "{error}");
    }

    #[test]
    fn a_missing_file_says_which_and_what_to_do() {
        let error =
            load::<Settings>(DEFAULTS, Some(Path::new("/nowhere/x.toml")), "P", []).unwrap_err().to_string();
        assert!(error.contains("/nowhere/x.toml") && error.contains("--config"), "{error}");
    }

    #[test]
    fn a_variable_that_names_no_setting_is_an_error() {
        assert!(matches!(read("", &[("GUICHET_TEST__", "1")]), Err(ConfigError::Variable { .. })));
        assert!(matches!(read("", &[("GUICHET_TEST__SERVR__LISTEN", "x")]), Err(ConfigError::Shape { .. })));
    }
}
