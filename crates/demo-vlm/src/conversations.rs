//! The last picture of each conversation.

use std::collections::VecDeque;

use crate::measure::Thumbnail;

const MOST: usize = 256;

/// Forgets the conversation that was silent longest when there would be too many.
#[derive(Debug, Default)]
pub(crate) struct Conversations {
    /// Oldest first. Few enough that a search is cheaper than an index.
    last: VecDeque<(String, Thumbnail)>,
}

impl Conversations {
    /// Keeps the newest picture of a conversation and gives back the one before.
    pub(crate) fn replace(&mut self, user: &str, newest: Thumbnail) -> Option<Thumbnail> {
        let at = self.last.iter().position(|(known, _)| known == user);
        let before = at.and_then(|at| self.last.remove(at)).map(|(_, thumbnail)| thumbnail);
        if self.last.len() == MOST {
            self.last.pop_front();
        }
        self.last.push_back((user.to_owned(), newest));
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::measure;
    use crate::plane::Rgb;

    fn thumbnail(value: u8) -> Thumbnail {
        measure(&Rgb { width: 1, height: 1, data: vec![value; 3] }).1
    }

    #[test]
    fn each_conversation_has_its_own_last_picture() {
        let mut conversations = Conversations::default();
        assert_eq!(conversations.replace("a", thumbnail(1)), None);
        assert_eq!(conversations.replace("b", thumbnail(2)), None);
        assert_eq!(conversations.replace("a", thumbnail(3)), Some(thumbnail(1)));
        assert_eq!(conversations.replace("a", thumbnail(4)), Some(thumbnail(3)));
    }

    #[test]
    fn the_longest_silent_conversation_is_forgotten_first() {
        let mut conversations = Conversations::default();
        for user in 0..MOST {
            conversations.replace(&user.to_string(), thumbnail(1));
        }
        conversations.replace("0", thumbnail(2));
        conversations.replace("one more", thumbnail(3));
        assert_eq!(conversations.last.len(), MOST);
        assert_eq!(conversations.replace("0", thumbnail(4)), Some(thumbnail(2)));
        assert_eq!(conversations.replace("1", thumbnail(4)), None);
    }
}
