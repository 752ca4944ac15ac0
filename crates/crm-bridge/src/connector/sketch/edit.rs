//! Changes single lines of a commented TOML text and leaves the comments where they are.

/// The lines of one profile.
pub(super) struct Lines(Vec<String>);

impl Lines {
    pub(super) fn new(text: &str) -> Self {
        Self(text.lines().map(str::to_owned).collect())
    }

    pub(super) fn text(&self) -> String {
        self.0.join("\n") + "\n"
    }

    /// Where a table's own lines are: behind its heading, up to the blank line or the next heading.
    fn table(&self, table: &str) -> Option<(usize, usize)> {
        let heading = format!("[{table}]");
        let begin = self.0.iter().position(|line| line.trim() == heading)? + 1;
        let ends = |line: &String| line.trim().is_empty() || line.starts_with('[');
        let length = self.0.iter().skip(begin).position(ends).unwrap_or(self.0.len() - begin);
        Some((begin, begin + length))
    }

    /// Gives a key another value, or takes it out.
    pub(super) fn set(&mut self, table: &str, key: &str, value: Option<&str>) {
        let Some((begin, end)) = self.table(table) else { return };
        let is_it = |line: &String| line.split('=').next().is_some_and(|name| name.trim() == key);
        let found = self.0.iter().take(end).skip(begin).position(is_it).map(|position| begin + position);
        let line = value.map(|value| format!("{key:<10} = {value}"));
        match (found, line) {
            (Some(position), Some(line)) => {
                self.0.splice(position..=position, [line]);
            }
            (Some(position), None) => drop(self.0.remove(position)),
            (None, Some(line)) => self.0.insert(end, line),
            (None, None) => {}
        }
    }

    /// Puts a comment at the end of a table's own lines.
    pub(super) fn remark(&mut self, table: &str, text: &str) {
        if let Some((_, end)) = self.table(table) {
            self.0.insert(end, format!("# {text}"));
        }
    }

    /// Gives a table other lines.
    pub(super) fn fill(&mut self, table: &str, lines: Vec<String>) {
        if let Some((begin, end)) = self.table(table) {
            self.0.splice(begin..end, lines);
        }
    }

    /// Takes a table out; what is said about it stays.
    pub(super) fn remove(&mut self, table: &str) {
        if let Some((begin, end)) = self.table(table) {
            self.0.drain(begin - 1..end);
        }
    }

    /// Puts a table behind the head of the profile.
    pub(super) fn insert_behind(&mut self, table: &str, lines: Vec<String>) {
        if let Some((_, end)) = self.table(table) {
            self.0.splice(end..end, std::iter::once(String::new()).chain(lines));
        }
    }
}

/// A text as TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
