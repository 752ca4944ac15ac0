//! Texts out of an answer, on their way to their type.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use zeroize::Zeroizing;

/// A listed text as the CRM sent it. All texts of one answer lie in one buffer, which is wiped when the last of them is dropped.
/// No `Debug`.
#[derive(Clone)]
pub struct Held {
    all: Arc<OnceLock<Zeroizing<String>>>,
    begin: usize,
    end: usize,
}

impl Deref for Held {
    type Target = str;

    fn deref(&self) -> &str {
        self.all.get().and_then(|all| all.get(self.begin..self.end)).unwrap_or_default()
    }
}

impl From<Zeroizing<String>> for Held {
    fn from(text: Zeroizing<String>) -> Self {
        let end = text.len();
        Self { all: Arc::new(OnceLock::from(text)), begin: 0, end }
    }
}

/// The texts of an answer while it is read.
#[derive(Default)]
pub struct Texts {
    all: Arc<OnceLock<Zeroizing<String>>>,
    open: Zeroizing<String>,
}

impl Texts {
    /// Takes a copy of a text. It is empty until the texts are closed.
    pub fn hold(&mut self, text: &str) -> Held {
        let begin = self.open.len();
        let end = begin.saturating_add(text.len());
        if end > self.open.capacity() {
            let mut larger = Zeroizing::new(String::with_capacity(end.saturating_mul(2)));
            larger.push_str(&self.open);
            // What is left behind is wiped.
            self.open = larger;
        }
        self.open.push_str(text);
        Held { all: Arc::clone(&self.all), begin, end }
    }

    /// No more texts come; from now on they can be read.
    pub fn close(&mut self) {
        // Closed once; what comes after it stays empty.
        let _ = self.all.set(std::mem::take(&mut self.open));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_apart_however_many_there_are() {
        let mut texts = Texts::default();
        let words: Vec<String> = (0..300).map(|i| "ä".repeat(i % 7)).collect();
        let held: Vec<Held> = words.iter().map(|word| texts.hold(word)).collect();
        assert!(held.iter().all(|text| text.is_empty()), "not yet closed");
        texts.close();
        assert!(held.iter().zip(&words).all(|(text, word)| **text == **word));
        let alone = Held::from(Zeroizing::new("x".to_owned()));
        assert_eq!(&*alone.clone(), "x");
    }
}
