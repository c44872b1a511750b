use crate::{
    problem::{BadConfig, Problem},
    source::{Source, Step},
};

/// What is found to be wrong with flags and a file together.
#[derive(Debug)]
pub struct Problems<'a> {
    source: Option<&'a Source>,
    found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    /// None yet. `source` is the file, if there is one.
    pub fn new(source: Option<&'a Source>) -> Self {
        Self { source, found: Vec::new() }
    }

    /// The file, if there is one.
    pub fn source(&self) -> Option<&'a Source> {
        self.source
    }

    /// Notes a problem with the value at this place of the file.
    pub fn at(&mut self, steps: &[Step<'_>], message: &str) {
        let problem = self.source.map(|source| source.at(steps, message));
        self.add(problem.unwrap_or_else(|| Problem::new(message)));
    }

    /// Notes a problem.
    pub fn add(&mut self, problem: Problem) {
        self.found.push(problem);
    }

    /// Notes a problem with a key of a table of the file.
    pub fn in_table(&mut self, table: &str, key: &str, message: &str) {
        self.at(&[table.into(), key.into()], message);
    }

    /// Notes a problem with flags or environment.
    pub fn in_flags(&mut self, message: impl Into<String>) {
        self.add(Problem::new(message));
    }

    /// Everything that was noted, in the order of the file.
    ///
    /// # Errors
    /// When there is anything.
    pub fn into_result(mut self) -> Result<(), BadConfig> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|problem| problem.line);
        Err(BadConfig(self.found))
    }
}
