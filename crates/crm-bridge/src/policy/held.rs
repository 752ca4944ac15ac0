//! Texts out of an answer, on their way to their type.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use zeroize::{Zeroizing, optimization_barrier};

/// A listed text as the CRM sent it. All texts of one answer lie in one buffer, which is wiped when the last of them is dropped.
/// No `Debug`.
#[derive(Clone)]
pub struct Held {
    all: Arc<OnceLock<Wiped>>,
    begin: usize,
    end: usize,
}

impl Deref for Held {
    type Target = str;

    fn deref(&self) -> &str {
        self.all.get().and_then(|all| all.0.get(self.begin..self.end)).unwrap_or_default()
    }
}

impl From<Zeroizing<String>> for Held {
    fn from(mut text: Zeroizing<String>) -> Self {
        let end = text.len();
        Self { all: Arc::new(OnceLock::from(Wiped(std::mem::take(&mut *text)))), begin: 0, end }
    }
}

/// Wiped when dropped, all of its room.
#[derive(Default)]
struct Wiped(String);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut std::mem::take(&mut self.0).into_bytes());
    }
}

/// Overwrites the whole buffer. `Vec::zeroize` writes byte by byte, which takes as long as parsing does.
pub(crate) fn wipe(bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.resize(bytes.capacity(), 0);
    optimization_barrier(bytes.as_slice());
    bytes.clear();
}

/// The texts of an answer while it is read.
#[derive(Default)]
pub struct Texts {
    all: Arc<OnceLock<Wiped>>,
    open: Wiped,
}

impl Texts {
    /// With room for so many bytes; more move to a larger buffer.
    #[must_use]
    pub fn with_room(bytes: usize) -> Self {
        Self { open: Wiped(String::with_capacity(bytes)), ..Self::default() }
    }

    /// Takes a copy of a text. It is empty until the texts are closed.
    pub fn hold(&mut self, text: &str) -> Held {
        let begin = self.open.0.len();
        let end = begin.saturating_add(text.len());
        if end > self.open.0.capacity() {
            let mut larger = String::with_capacity(end.saturating_mul(2));
            larger.push_str(&self.open.0);
            // What is left behind is wiped.
            self.open = Wiped(larger);
        }
        self.open.0.push_str(text);
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
