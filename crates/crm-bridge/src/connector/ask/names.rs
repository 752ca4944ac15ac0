//! How wanted members are named in a request.

use std::collections::BTreeMap;

use crate::connector::profile::{Profile, SelectDepth, Selection};
use crate::walls::{Wall, Walls};

/// The names of a selection, sorted, each once.
pub(super) struct Names {
    flat: Vec<String>,
    tree: NameTree,
}

#[derive(Default)]
struct NameTree(BTreeMap<String, NameTree>);

impl Names {
    /// The names of these places, as the profile's rules make them.
    pub(super) fn new(rules: &Selection, selection: &[Vec<String>], profile: &Profile, walls: Walls) -> Self {
        let below = rules.below.segments();
        let seen: Vec<&[String]> = selection
            .iter()
            .filter_map(|path| path.strip_prefix(below))
            .filter(|path| !path.is_empty())
            .collect();
        let mut flat: Vec<String> = seen
            .iter()
            .map(|path| match rules.depth {
                SelectDepth::Dotted => path.join(&rules.separator),
                SelectDepth::Top => path.first().cloned().unwrap_or_default(),
            })
            .collect();
        if !walls.stands(Wall::Ask) {
            flat.extend(profile.deny.paths.iter().cloned());
        }
        flat.sort_unstable();
        flat.dedup();
        let mut tree = NameTree::default();
        seen.iter().for_each(|path| tree.insert(path));
        Self { flat, tree }
    }

    pub(super) fn as_slice(&self) -> &[String] {
        &self.flat
    }

    /// A selection set of GraphQL, braces included.
    pub(super) fn graphql(&self) -> String {
        let mut text = String::new();
        self.tree.write(&mut text);
        text
    }
}

impl NameTree {
    fn insert(&mut self, path: &[String]) {
        if let Some((name, rest)) = path.split_first() {
            self.0.entry(name.clone()).or_default().insert(rest);
        }
    }

    fn write(&self, text: &mut String) {
        text.push('{');
        for (name, below) in &self.0 {
            text.push(' ');
            text.push_str(name);
            if !below.0.is_empty() {
                text.push(' ');
                below.write(text);
            }
        }
        text.push_str(" }");
    }
}
