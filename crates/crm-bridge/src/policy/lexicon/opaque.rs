//! Names that carry no word: `cf_123`, `UF_CRM_1678901234`, forty hex digits. The lexicon has nothing to compare there,
//! so somebody must say what the field is, and that label is compared instead.

use super::spell::split;

/// Words that say "here is a field" and not which one.
const EMPTY_WORDS: &[&str] = &[
    "additional",
    "attr",
    "attrib",
    "attribute",
    "attributes",
    "bool",
    "boolean",
    "cf",
    "char",
    "checkbox",
    "choice",
    "col",
    "column",
    "crm",
    "cust",
    "custom",
    "customfield",
    "customfields",
    "customattribute",
    "date",
    "datetime",
    "dec",
    "decimal",
    "extension",
    "extra",
    "field",
    "fields",
    "fieldid",
    "fld",
    "flag",
    "float",
    "hs",
    "id",
    "int",
    "integer",
    "item",
    "key",
    "list",
    "lookup",
    "many",
    "memo",
    "msdyn",
    "multi",
    "num",
    "number",
    "one",
    "opt",
    "option",
    "options",
    "param",
    "parameter",
    "picklist",
    "prop",
    "property",
    "question",
    "select",
    "selection",
    "slot",
    "str",
    "string",
    "studio",
    "text",
    "txt",
    "type",
    "udf",
    "uf",
    "user",
    "val",
    "value",
    "values",
    "var",
    "variable",
    "x",
    "поле",
    "свойство",
    "שדה",
];
/// A run of this many letters can be a word, beside digits.
const WORD_LETTERS_MIN: usize = 3;
/// So long a mixture of hex digits is a key even if a run of its letters looks like a word (`decade12`).
const HEX_KEY_CHARS_MIN: usize = 6;
/// A shorter number inside a path is a place in a list.
const INDEX_DIGITS_MAX: usize = 2;

/// Whether a path has a segment from which nobody can tell what it holds. One such segment is enough: `/cf_123/value`
/// tells as little as `/cf_123`.
pub fn is_opaque_path<'a>(segments: impl IntoIterator<Item = &'a str>) -> bool {
    segments.into_iter().any(|segment| !is_index(segment) && is_opaque(segment))
}

/// Whether a name carries no word: only digits, hex digits and words like "field".
#[must_use]
pub fn is_opaque(name: &str) -> bool {
    let has_digit = name.chars().any(char::is_numeric);
    has_digit && !name.split(|letter: char| !letter.is_alphanumeric()).any(has_word)
}

fn is_index(segment: &str) -> bool {
    segment.len() <= INDEX_DIGITS_MAX && segment.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_word(chunk: &str) -> bool {
    let mixed = chunk.chars().any(char::is_numeric);
    let hex = chunk.chars().all(|letter| letter.is_ascii_hexdigit());
    if mixed && hex && chunk.len() >= HEX_KEY_CHARS_MIN {
        return false;
    }
    let letters_min = if mixed { WORD_LETTERS_MIN } else { 2 };
    split(chunk).iter().any(|run| {
        let lower = run.to_lowercase();
        let wordy = lower.chars().all(char::is_alphabetic) && lower.chars().count() >= letters_min;
        wordy && !EMPTY_WORDS.contains(&lower.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_a_word_are_opaque() {
        for name in [
            "dcf558aac1ae4e8c4f849ba5e668430d8df9be12",
            "UF_CRM_1678901234",
            "UF_CRM_1",
            "123456",
            "cf_123",
            "Field12__c",
            "customfield_10011",
            "x_studio_field_ab12",
            "custom.42",
            "attr_9",
            "f7",
            "p12",
            "col3",
            "property_12",
            "udf3",
            "CF7__c",
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "text1",
            "поле_12",
            "custom_attribute5",
            "1",
            "a1",
            "x_studio_char_field_3f9",
            "x_studio_many2one_field_7",
        ] {
            assert!(is_opaque(name), "{name}");
        }
    }

    #[test]
    fn names_with_a_word_are_not() {
        for name in [
            "name",
            "phone2",
            "address1_city",
            "line_1",
            "email_1",
            "customer_number",
            "hs_language",
            "fn",
            "id",
            "data",
            "attributes",
            "fields",
            "телефон2",
            "טלפון1",
            "x_studio_city",
            "UF_CRM_CUSTOMER_NO",
            "City__c",
            "values",
        ] {
            assert!(!is_opaque(name), "{name}");
        }
        assert!(!is_opaque_path(["phones", "0", "value"]), "a place in a list");
        assert!(is_opaque_path(["cf_123", "label"]));
    }
}
