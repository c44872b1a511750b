//! An offer as lines, which is all that changing it needs.

/// The lines before the first `m=`, and those of each media section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sdp {
    pub(crate) session: Vec<String>,
    pub(crate) media: Vec<Vec<String>>,
}

impl Sdp {
    /// All sections: the session's is the first.
    pub(crate) fn sections(&mut self) -> Vec<&mut Vec<String>> {
        std::iter::once(&mut self.session).chain(&mut self.media).collect()
    }

    /// Leaves out the attributes of this name, wherever they are.
    pub(crate) fn remove(&mut self, name: &str) {
        for section in self.sections() {
            section.retain(|line| !is_attribute(line, name));
        }
    }

    /// Whether it has more lines than anybody reads.
    pub(crate) fn is_long(&self) -> bool {
        self.session.len() + self.media.iter().map(Vec::len).sum::<usize>() > 2000
    }

    pub(crate) fn text(&self, line_end: &str) -> String {
        let lines = self.session.iter().chain(self.media.iter().flatten());
        lines.flat_map(|line| [line.as_str(), line_end]).collect()
    }
}

/// Whether a line is `a=NAME` or `a=NAME:...`.
pub(crate) fn is_attribute(line: &str, name: &str) -> bool {
    let rest = line.strip_prefix("a=").and_then(|line| line.strip_prefix(name));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_known_by_their_whole_name() {
        assert!(is_attribute("a=mid:0", "mid") && is_attribute("a=rtcp-mux", "rtcp-mux"));
        assert!(!is_attribute("a=rtcp-mux", "rtcp") && !is_attribute("m=mid:0", "mid"));
    }
}
