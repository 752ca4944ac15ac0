//! The deny lexicon: words that, in a field name, mean that the field is none of support's business.
//!
//! It is the seat-belt, the allow-list is the brake: only listed fields survive at all; the lexicon catches a data owner
//! who lists the wrong one. The words are data, in `lexicon.toml`.

use std::collections::HashSet;

use serde::Deserialize;

/// How strongly a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Passes with a written reason.
    Soft,
    /// Never passes.
    Hard,
}

/// What the lexicon has against a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Refused or to be explained.
    pub severity: Severity,
    /// The entry of the lexicon that matched.
    pub word: String,
    /// What the entry protects, for the reader.
    pub group: String,
}

/// The words, ready to be compared with names.
#[derive(Debug)]
pub struct Lexicon {
    wrappers: HashSet<String>,
    harmless: HashSet<(String, String)>,
    patterns: Vec<(Pattern, Severity, String)>,
    pairs: Vec<((String, String), Severity, String)>,
}

#[derive(Debug)]
enum Pattern {
    Exact(String),
    Prefix(String),
    Suffix(String),
    Inside(String),
}

impl Pattern {
    fn new(word: &str) -> Self {
        let bare = fold(word.trim_matches('*'));
        match (word.starts_with('*'), word.ends_with('*')) {
            (true, true) => Self::Inside(bare),
            (true, false) => Self::Suffix(singular(&bare)),
            (false, true) => Self::Prefix(bare),
            (false, false) => Self::Exact(singular(&bare)),
        }
    }

    fn matches(&self, token: &str) -> bool {
        match self {
            Self::Exact(word) => token == word,
            Self::Prefix(word) => token.starts_with(word.as_str()),
            Self::Suffix(word) => token.ends_with(word.as_str()),
            Self::Inside(word) => token.contains(word.as_str()),
        }
    }

    fn word(&self) -> &str {
        match self {
            Self::Exact(word) | Self::Prefix(word) | Self::Suffix(word) | Self::Inside(word) => word,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LexiconFile {
    wrappers: Vec<String>,
    harmless_pairs: Vec<String>,
    hard: Vec<Group>,
    soft: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    group: String,
    words: Vec<String>,
    pairs: Vec<String>,
}

impl Lexicon {
    /// The lexicon that ships with the program, plus names that one profile adds as hard ones.
    ///
    /// # Errors
    /// A sentence, if the built-in data is broken; a test keeps it from happening.
    pub fn with(profile_words: &[String]) -> Result<Self, String> {
        let file: LexiconFile =
            toml::from_str(include_str!("lexicon.toml")).map_err(|error| error.to_string())?;
        let mut lexicon = Self {
            wrappers: file.wrappers.iter().map(|word| fold(word)).collect(),
            harmless: file.harmless_pairs.iter().filter_map(|pair| split_pair(pair)).collect(),
            patterns: Vec::new(),
            pairs: Vec::new(),
        };
        for (severity, groups) in [(Severity::Hard, file.hard), (Severity::Soft, file.soft)] {
            for group in groups {
                for word in &group.words {
                    lexicon.patterns.push((Pattern::new(word), severity, group.group.clone()));
                }
                for pair in &group.pairs {
                    let pair = split_pair(pair).ok_or_else(|| format!("`{pair}` is not two words"))?;
                    lexicon.pairs.push((pair, severity, group.group.clone()));
                }
            }
        }
        for word in profile_words {
            let group = "named by the connector profile".to_owned();
            let tokens = lexicon.tokens(word);
            match tokens.as_slice() {
                [one] => lexicon.patterns.push((Pattern::Exact(one.clone()), Severity::Hard, group)),
                [first, second] => {
                    lexicon.pairs.push(((first.clone(), second.clone()), Severity::Hard, group))
                }
                _ => return Err(format!("deny word `{word}`: one or two words, please")),
            }
        }
        Ok(lexicon)
    }

    /// The gravest thing the lexicon has against a name or a path, if any.
    #[must_use]
    pub fn judge(&self, name: &str) -> Option<Finding> {
        let tokens = self.tokens(name);
        let harmless = |i: usize| {
            let pair_at = |a: usize, b: usize| {
                tokens
                    .get(a)
                    .zip(tokens.get(b))
                    .is_some_and(|(a, b)| self.harmless.contains(&(a.clone(), b.clone())))
            };
            pair_at(i, i + 1) || (i > 0 && pair_at(i - 1, i))
        };
        let single = self.patterns.iter().filter_map(|(pattern, severity, group)| {
            let hit = tokens.iter().enumerate().any(|(i, token)| pattern.matches(token) && !harmless(i));
            hit.then(|| Finding {
                severity: *severity,
                word: pattern.word().to_owned(),
                group: group.clone(),
            })
        });
        let double = self.pairs.iter().filter_map(|((first, second), severity, group)| {
            let neighbours = tokens.windows(2).any(|pair| pair[0] == *first && pair[1] == *second);
            let hit = neighbours || tokens.iter().any(|token| joins(token, first, second));
            hit.then(|| Finding {
                severity: *severity,
                word: format!("{first} {second}"),
                group: group.clone(),
            })
        });
        single.chain(double).max_by_key(|finding| finding.severity)
    }

    fn tokens(&self, name: &str) -> Vec<String> {
        split(name)
            .into_iter()
            .map(|token| fold(&token))
            .filter(|token| !self.wrappers.contains(token))
            .map(|token| singular(&token))
            .collect()
    }
}

fn split_pair(pair: &str) -> Option<(String, String)> {
    let (first, second) = pair.split_once(' ')?;
    Some((singular(&fold(first)), singular(&fold(second))))
}

fn joins(token: &str, first: &str, second: &str) -> bool {
    token.strip_prefix(first).is_some_and(|rest| rest == second)
}

/// Splits at separators and where the case says that a new word begins: `hsTotalRevenue`, `IBANNumber`.
fn split(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (i, &letter) in letters.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|before| letters.get(before)).copied();
        let after = letters.get(i + 1).copied();
        let hump = letter.is_uppercase()
            && before.is_some_and(|b| {
                b.is_lowercase() || (b.is_uppercase() && after.is_some_and(char::is_lowercase))
            });
        let digit_edge = before.is_some_and(|b| b.is_alphanumeric() && b.is_numeric() != letter.is_numeric());
        if !letter.is_alphanumeric() || hump || digit_edge {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_alphanumeric() {
            word.push(letter);
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Lower case without the diacritics of the languages in the lexicon.
fn fold(word: &str) -> String {
    word.chars()
        .flat_map(char::to_lowercase)
        .filter(|letter| !('\u{300}'..='\u{36f}').contains(letter))
        .map(|letter| match letter {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
            'ç' => 'c',
            'è' | 'é' | 'ê' | 'ë' => 'e',
            'ì' | 'í' | 'î' | 'ï' => 'i',
            'ñ' => 'n',
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' => 'o',
            'ù' | 'ú' | 'û' | 'ü' => 'u',
            'ё' => 'е',
            other => other,
        })
        .collect()
}

/// Drops a plural s, from both sides of the comparison alike, so it need not be right, only the same.
fn singular(word: &str) -> String {
    let long = word.chars().count() > 3;
    if long && !word.ends_with("ss") {
        word.strip_suffix('s').unwrap_or(word).to_owned()
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn severity(name: &str) -> Option<Severity> {
        Lexicon::with(&[]).unwrap().judge(name).map(|finding| finding.severity)
    }

    #[test]
    fn names_of_money_and_deals_are_refused_however_they_are_written() {
        for name in [
            "iban",
            "bank_accounts.numbers.number",
            "BankAccount",
            "creditLimit",
            "creditlimit",
            "credit_limit_amount",
            "UF_CRM_DEAL_SUM",
            "opendeals",
            "openrevenue",
            "annualrevenue_base",
            "AnnualRevenue",
            "total_revenue",
            "hs_deal_stage",
            "dealstage",
            "pipeline",
            "receivable_today",
            "invoices",
            "unpaid_invoices",
            "IBANNumber",
            "outstanding_limit",
            "portal_password",
            "signup_token",
            "payment-terms",
            "opportunity_count",
            "won_deals_count",
            "cc_email",
            "sales_order",
            "сделка",
            "Сумма сделки",
            "Расчётный счёт",
            "БИК",
            "оплата",
            "summa",
            "sdelka",
            "Jahresumsatz",
            "Kreditlimit",
            "Rechnungen",
            "Kontonummer",
            "chiffre d'affaires",
            "facture",
            "cuenta bancaria",
            "market_cap",
            "code_compta_client",
            "ltv",
            "expected_value",
        ] {
            assert_eq!(severity(name), Some(Severity::Hard), "{name}");
        }
    }

    #[test]
    fn names_that_call_for_a_reason_are_soft() {
        for name in [
            "notes",
            "description",
            "owner_id",
            "hubspotscore",
            "lifecyclestage",
            "birthday",
            "lead_source",
            "Ответственный",
        ] {
            assert!(severity(name).is_some(), "{name}");
        }
        assert_eq!(severity("description"), Some(Severity::Soft));
        assert_eq!(severity("assigned_user"), Some(Severity::Soft));
    }

    #[test]
    fn names_that_support_needs_pass() {
        for name in [
            "name",
            "first_name",
            "email",
            "phone",
            "mobile",
            "city",
            "country",
            "language",
            "account",
            "value",
            "contact_mechanisms.value",
            "service_level",
            "customer_number",
            "footnotes",
            "time_zone",
            "street",
            "postal_code",
            "support_stage",
            "sort_order",
            "website",
            "job_title",
            "preferred_channel",
            "имя",
            "телефон",
            "город",
            "company.name",
        ] {
            assert_eq!(severity(name), None, "{name}: {:?}", Lexicon::with(&[]).unwrap().judge(name));
        }
    }

    #[test]
    fn a_profile_adds_its_own_names() {
        let lexicon = Lexicon::with(&["trust level".to_owned(), "kulanz".to_owned()]).unwrap();
        assert_eq!(lexicon.judge("x_trust_level").unwrap().severity, Severity::Hard);
        assert_eq!(lexicon.judge("kulanz").unwrap().group, "named by the connector profile");
        assert!(Lexicon::with(&["three whole words".to_owned()]).is_err());
    }
}
